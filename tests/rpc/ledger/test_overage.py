# SPDX-License-Identifier: Apache-2.0
"""Overage: usage that no credits cover, up to the cap of its contract. Rule: services/ledger/README.md, "Overage"."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases


@pytest.fixture
async def ledger(databases: Databases) -> AsyncIterator[RunningLedger]:
    """A Ledger without contracts."""
    async with running_ledger(databases) as running:
        yield running


NEVER_MIND = timedelta(minutes=6)  # longer than a hold lives


def allowing(cap: int | None) -> peer_pb.OveragePolicy:
    """Return the policy that allows overage in AI credits, up to whole credits (None: without limit)."""
    limit = peer_pb.OverageLimit(credit_type_id=AI)
    if cap is not None:
        limit.cap_micros = cap * CREDIT
    return peer_pb.OveragePolicy(limits=[limit])


async def sign(ledger: RunningLedger, *, credits: int, cap: int | None) -> None:
    """Sign acme with whole credits in June, and with overage up to a cap."""
    await ledger.sell_assistant()
    await ledger.tell_customer("cus_acme", "acme")
    await ledger.apply_contract(start=JUNE, seats=1, credits_per_seat=credits, overage=allowing(cap))


async def test_a_call_beyond_the_credits_is_allowed_and_the_rest_of_it_is_overage(
    ledger: RunningLedger,
) -> None:
    await sign(ledger, credits=100, cap=50)

    held = await ledger.authorize(120)
    more = await ledger.authorize(40)
    captured = await ledger.capture(held.hold_id)

    assert held.decision == pb.DECISION_ALLOWED
    assert (held.held_micros, held.overage_held_micros) == (120 * CREDIT, 20 * CREDIT)
    assert (held.available_micros, held.affordable_credits_micros) == (0, 30 * CREDIT)
    assert more.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert (more.available_micros, more.affordable_credits_micros) == (0, 30 * CREDIT)
    assert (captured.captured_micros, captured.overage_micros) == (120 * CREDIT, 20 * CREDIT)
    assert captured.shortfall_micros == captured.released_micros == 0
    entries = await ledger.entries()
    assert [one.entry_kind for one in entries[:2]] == [apb.ENTRY_KIND_OVERAGE, apb.ENTRY_KIND_CAPTURE]
    assert (entries[0].amount_micros, entries[0].shortfall_micros) == (0, 20 * CREDIT)
    assert (entries[0].contract_id, entries[0].grant_id) == ("con_1", "")
    await ledger.assert_adds_up()


async def test_overage_reaches_its_cap_and_not_a_millionth_more(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)

    too_much = await ledger.debit(0, credits_micros=150 * CREDIT + 1)
    just = await ledger.debit(150)

    assert too_much.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert too_much.affordable_credits_micros == 150 * CREDIT
    assert just.decision == pb.DECISION_ALLOWED
    assert (just.debited_micros, just.overage_micros) == (150 * CREDIT, 50 * CREDIT)
    assert (just.available_micros, just.affordable_credits_micros) == (0, 0)
    await ledger.assert_adds_up()


async def test_without_a_policy_the_gate_denies(ledger: RunningLedger) -> None:
    await ledger.sell_assistant()
    await ledger.sign_acme(seats=1)

    assert (await ledger.authorize(101)).denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS


async def test_overage_of_another_credit_type_allows_nothing(ledger: RunningLedger) -> None:
    await ledger.sell_assistant()
    await ledger.tell_customer("cus_acme", "acme")
    other = peer_pb.OveragePolicy(limits=[peer_pb.OverageLimit(credit_type_id="crt_other")])
    await ledger.apply_contract(start=JUNE, seats=1, overage=other)

    assert (await ledger.authorize(101)).denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS


async def test_overage_without_a_cap_has_no_limit(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=None)

    held = await ledger.authorize(1_000_000)

    assert held.overage_held_micros == 999_900 * CREDIT
    await ledger.assert_adds_up()


async def test_overage_needs_no_credits_at_all(ledger: RunningLedger) -> None:
    await ledger.sell_assistant()
    await ledger.tell_customer("cus_acme", "acme")
    await ledger.apply_contract(start=JUNE, schedules=[], overage=allowing(50))

    held = await ledger.authorize(50)

    assert held.overage_held_micros == 50 * CREDIT
    assert (await ledger.authorize(1)).decision == pb.DECISION_DENIED
    assert (await ledger.capture(held.hold_id)).overage_micros == 50 * CREDIT
    await ledger.assert_adds_up()


async def test_what_a_hold_reserves_of_overage_comes_back_when_it_ends(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    released = await ledger.authorize(120)
    await ledger.release(released.hold_id)
    expired = await ledger.authorize(150)
    ledger.clock.advance(NEVER_MIND)

    assert expired.overage_held_micros == 50 * CREDIT
    assert (await ledger.authorize(150)).overage_held_micros == 50 * CREDIT
    await ledger.assert_adds_up()


async def test_a_partial_capture_releases_overage_first(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    held = await ledger.authorize(150)

    captured = await ledger.capture(held.hold_id, 110)

    assert (captured.captured_micros, captured.overage_micros) == (110 * CREDIT, 10 * CREDIT)
    assert captured.released_micros == 40 * CREDIT
    assert (await ledger.authorize(41)).affordable_credits_micros == 40 * CREDIT
    await ledger.assert_adds_up()


async def test_what_a_capture_needs_beyond_its_hold_is_overage_up_to_the_cap_and_then_a_shortfall(
    ledger: RunningLedger,
) -> None:
    await sign(ledger, credits=100, cap=50)
    held = await ledger.authorize(120)

    captured = await ledger.capture(held.hold_id, 175)

    assert (captured.captured_micros, captured.overage_micros) == (150 * CREDIT, 50 * CREDIT)
    assert captured.shortfall_micros == 25 * CREDIT
    kinds = [one.entry_kind for one in await ledger.entries()]
    assert kinds[:2] == [apb.ENTRY_KIND_SHORTFALL, apb.ENTRY_KIND_OVERAGE]
    await ledger.assert_adds_up()


async def test_credits_that_arrive_before_the_capture_pay_instead_of_overage(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    held = await ledger.authorize(120)
    await ledger.top_up(15)

    captured = await ledger.capture(held.hold_id)

    assert (captured.captured_micros, captured.overage_micros) == (120 * CREDIT, 5 * CREDIT)
    assert captured.released_micros == 15 * CREDIT
    await ledger.assert_adds_up()


async def test_a_late_capture_is_overage_up_to_the_cap(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    held = await ledger.authorize(120)
    ledger.clock.advance(NEVER_MIND)
    await ledger.debit(140)

    captured = await ledger.capture(held.hold_id)

    assert captured.is_late
    assert (captured.captured_micros, captured.overage_micros) == (10 * CREDIT, 10 * CREDIT)
    assert captured.shortfall_micros == 110 * CREDIT
    await ledger.assert_adds_up()


async def test_an_extension_reserves_overage(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    held = await ledger.authorize(90)

    extended = await ledger.extend(held.hold_id, 40)
    denied = await ledger.extend(held.hold_id, 21)
    captured = await ledger.capture(held.hold_id)

    assert (extended.held_micros, extended.overage_held_micros) == (130 * CREDIT, 30 * CREDIT)
    assert extended.affordable_credits_micros == 20 * CREDIT
    assert denied.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert captured.overage_micros == 30 * CREDIT
    await ledger.assert_adds_up()


async def test_a_partial_hold_takes_what_credits_and_overage_allow(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)

    held = await ledger.authorize(200, allow_partial=True)

    assert (held.held_micros, held.overage_held_micros) == (150 * CREDIT, 50 * CREDIT)
    await ledger.assert_adds_up()


async def test_a_spend_cap_limits_overage_too(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    await ledger.set_cap(110)

    assert (await ledger.authorize(111, user="kim")).denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
    assert (await ledger.authorize(110, user="kim")).overage_held_micros == 10 * CREDIT
    await ledger.assert_adds_up()


async def test_each_usage_period_has_its_own_cap(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    assert (await ledger.debit(150)).overage_micros == 50 * CREDIT
    ledger.clock.advance_to(JULY - timedelta(microseconds=1))
    assert (await ledger.debit(1)).decision == pb.DECISION_DENIED

    ledger.clock.advance_to(JULY)

    assert (await ledger.debit(150)).overage_micros == 50 * CREDIT
    assert (await ledger.debit(1)).decision == pb.DECISION_DENIED
    await ledger.assert_adds_up()


async def test_a_hold_over_the_turn_of_a_usage_period_counts_in_both(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    ledger.clock.advance_to(JULY - timedelta(minutes=1))
    held = await ledger.authorize(130)
    ledger.clock.advance_to(JULY)

    assert (await ledger.authorize(121)).affordable_credits_micros == 120 * CREDIT
    await ledger.debit(100)
    captured = await ledger.capture(held.hold_id)

    assert captured.overage_micros == 30 * CREDIT  # June's draws cover 100, and July's credits are spent
    assert (await ledger.authorize(21)).affordable_credits_micros == 20 * CREDIT
    await ledger.assert_adds_up()


async def test_a_new_cap_counts_from_the_next_call_on(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    held = await ledger.authorize(130)

    await ledger.apply_contract(start=JUNE, seats=1, version=2, overage=allowing(20))
    lowered = await ledger.authorize(1)
    captured = await ledger.capture(held.hold_id)
    await ledger.apply_contract(start=JUNE, seats=1, version=3, overage=allowing(60))
    raised = await ledger.authorize(31)

    assert lowered.affordable_credits_micros == 0
    assert captured.overage_micros == 30 * CREDIT  # what a hold reserves stays reserved
    assert raised.affordable_credits_micros == 30 * CREDIT
    assert (await ledger.authorize(30)).decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_a_contract_that_allows_overage_no_more_stops_hard(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    held = await ledger.authorize(130)

    await ledger.apply_contract(start=JUNE, seats=1, version=2)

    assert (await ledger.authorize(1)).decision == pb.DECISION_DENIED
    assert (await ledger.capture(held.hold_id)).overage_micros == 30 * CREDIT
    await ledger.assert_adds_up()


async def test_concurrent_holds_never_reserve_more_than_the_cap(ledger: RunningLedger) -> None:
    await sign(ledger, credits=500, cap=200)

    answers = await asyncio.gather(*(ledger.authorize(75) for _ in range(20)))

    held = [one for one in answers if one.decision == pb.DECISION_ALLOWED]
    assert len(held) == 9
    assert sum(one.overage_held_micros for one in held) == 175 * CREDIT
    await asyncio.gather(*(ledger.capture(one.hold_id, 80) for one in held))
    spent = [
        one.shortfall_micros for one in await ledger.entries() if one.entry_kind == apb.ENTRY_KIND_OVERAGE
    ]
    assert sum(spent) == 200 * CREDIT
    await ledger.assert_adds_up()


async def test_an_explanation_says_how_much_would_be_overage_or_is(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)

    async def explained(**of: object) -> pb.GetDecisionResponse:
        request = pb.GetDecisionRequest(customer="acme", **of)  # type: ignore[arg-type]
        return await ledger.gate.GetDecision(request)

    allowed = await explained(ask=pb.DecisionAsk(product_id="prd_assistant", credits_micros=150 * CREDIT))
    denied = await explained(ask=pb.DecisionAsk(product_id="prd_assistant", credits_micros=150 * CREDIT + 1))
    held = await ledger.authorize(130)
    of_hold = await explained(hold_id=held.hold_id)

    assert (allowed.decision, allowed.overage_micros) == (pb.DECISION_ALLOWED, 50 * CREDIT)
    assert sum(draw.amount_micros for draw in allowed.draws) == 100 * CREDIT
    assert (denied.decision, denied.overage_micros) == (pb.DECISION_DENIED, 0)
    assert (of_hold.credits_micros, of_hold.overage_micros) == (130 * CREDIT, 30 * CREDIT)


async def test_a_balance_shows_the_overage_of_the_usage_period(ledger: RunningLedger) -> None:
    await sign(ledger, credits=100, cap=50)
    assert (await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="acme"))).pools[0].overage[
        0
    ] == a_balance(captured=0, held=0)

    await ledger.debit(110)
    await ledger.authorize(15)
    in_june = (await ledger.pool()).overage
    ledger.clock.advance_to(JULY)
    in_july = (await ledger.pool()).overage

    assert list(in_june) == [a_balance(captured=10, held=15)]
    assert [(one.captured_micros, one.held_micros) for one in in_july] == [(0, 0)]
    assert in_july[0].start_time == timestamp(JULY)


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        ("held_micros = held_micros + 1 WHERE period_start IS NULL", "overage held_micros of con_1"),
        ("period_spent_micros = period_spent_micros - 1 WHERE period_start IS NOT NULL", "overage of con_1"),
    ],
)
async def test_a_recount_finds_a_total_that_is_a_millionth_off(
    ledger: RunningLedger, sql: Sql, change: str, figure: str
) -> None:
    await sign(ledger, credits=100, cap=50)
    await ledger.debit(110)
    await ledger.authorize(15)
    await ledger.assert_adds_up()

    await sql.execute(f"UPDATE ledger.spends SET {change} AND group_key = ''")

    found = await ledger.admin.VerifyLedger(apb.VerifyLedgerRequest())
    assert [one.figure.startswith(figure) for one in found.discrepancies] == [True]


async def test_a_balance_shows_no_overage_where_none_was_ever_allowed(ledger: RunningLedger) -> None:
    await ledger.sell_assistant()
    await ledger.sign_acme()

    assert not (await ledger.pool()).overage


def a_balance(*, captured: int, held: int) -> pb.OverageBalance:
    """Return con_1's overage in June, with a cap of 50, in whole credits."""
    return pb.OverageBalance(
        contract_id="con_1",
        captured_micros=captured * CREDIT,
        held_micros=held * CREDIT,
        cap_micros=50 * CREDIT,
        start_time=timestamp(JUNE),
        end_time=timestamp(JULY),
    )
