# SPDX-License-Identifier: Apache-2.0
"""Overage of several lines, of reported usage and of what is corrected. Rule: services/ledger/README.md, "Overage"."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.call_lines import authorize_lines, capture_lines, debit_lines, sell_tokens, tokens
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate, running_ledger
from tests.support.postgres import Databases
from tests.support.reported import an_event, record

NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CAP = 50
BILLED = (apb.ENTRY_KIND_OVERAGE, apb.ENTRY_KIND_OVERAGE_CORRECTION)


@pytest.fixture
async def ledger(databases: Databases) -> AsyncIterator[RunningLedger]:
    """Acme has 100 credits a month, and overage up to 50; a unit of prd_assistant costs 1."""
    async with running_ledger(databases) as running:
        await running.tell_product("prd_assistant")
        await running.tell_card(a_rate(price_micros=CREDIT))
        await running.tell_customer("cus_acme", "acme")
        await running.apply_contract(start=JUNE, seats=1, overage=allowing(CAP))
        yield running


def allowing(cap: int) -> peer_pb.OveragePolicy:
    return peer_pb.OveragePolicy(limits=[peer_pb.OverageLimit(credit_type_id=AI, cap_micros=cap * CREDIT)])


async def overage_of(ledger: RunningLedger) -> int:
    """Return the micro-credits of all OVERAGE entries, less what corrections took back of them."""
    entries = {one.sequence: one for one in await ledger.entries(page_size=500)}
    return sum(
        one.shortfall_micros
        for one in entries.values()
        if one.entry_kind in BILLED
        or (one.corrects_sequence and entries[one.corrects_sequence].entry_kind in BILLED)
    )


async def void(ledger: RunningLedger, **name: str) -> list[usage.CorrectedLine]:
    request = usage.VoidUsageRequest(
        request_id=ledger.request_id(), customer="acme", reason="twice", actor="ops@seatsco.example", **name
    )
    return list((await ledger.usage.VoidUsage(request)).lines)


async def amend(ledger: RunningLedger, transaction_id: str, units: str) -> list[usage.CorrectedLine]:
    request = usage.AmendUsageRequest(
        request_id=ledger.request_id(),
        customer="acme",
        transaction_id=transaction_id,
        properties={"units": units, "user_id": "ann"},
        reason="wrong",
        actor="ops@seatsco.example",
    )
    return list((await ledger.usage.AmendUsage(request)).lines)


async def test_lines_share_the_cap(ledger: RunningLedger) -> None:
    await sell_tokens(ledger)

    held = await authorize_lines(ledger, tokens("input", 80_000), tokens("output", 15_000))
    denied = await authorize_lines(ledger, tokens("input", 10_001))

    assert (held.held_micros, held.overage_held_micros) == (140 * CREDIT, 40 * CREDIT)
    assert [line.overage_micros for line in held.lines] == [0, 40 * CREDIT]
    assert held.affordable_credits_micros == 10 * CREDIT
    assert denied.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert denied.affordable_credits_micros == 10 * CREDIT
    await ledger.assert_adds_up()


async def test_lines_just_within_the_cap_are_allowed_and_a_millionth_more_is_not(
    ledger: RunningLedger,
) -> None:
    await sell_tokens(ledger)

    denied = await debit_lines(ledger, tokens("input", 100_000), tokens("output", 12_501))
    debited = await debit_lines(ledger, tokens("input", 100_000), tokens("output", 12_500))

    assert denied.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert (debited.debited_micros, debited.overage_micros) == (150 * CREDIT, 50 * CREDIT)
    assert [line.overage_micros for line in debited.lines] == [0, 50 * CREDIT]
    await ledger.assert_adds_up()


async def test_no_line_is_overage_while_credits_of_another_come_back(ledger: RunningLedger) -> None:
    await sell_tokens(ledger)
    held = await authorize_lines(ledger, tokens("input", 100_000), tokens("output", 10_000))

    captured = await capture_lines(ledger, held.hold_id, tokens("input", 65_000), tokens("output", 10_000))

    assert held.overage_held_micros == 40 * CREDIT
    assert (captured.captured_micros, captured.overage_micros) == (105 * CREDIT, 5 * CREDIT)
    assert captured.released_micros == 35 * CREDIT
    assert [line.overage_micros for line in captured.lines] == [0, 5 * CREDIT]
    await ledger.assert_adds_up()


async def test_lines_that_use_more_than_they_hold_share_what_the_cap_leaves(ledger: RunningLedger) -> None:
    await sell_tokens(ledger)
    held = await authorize_lines(ledger, tokens("input", 100_000), tokens("output", 5_000))

    captured = await capture_lines(ledger, held.hold_id, tokens("input", 140_000), tokens("output", 10_000))

    assert held.overage_held_micros == 20 * CREDIT
    assert (captured.captured_micros, captured.overage_micros) == (150 * CREDIT, 50 * CREDIT)
    assert captured.shortfall_micros == 30 * CREDIT
    assert [(line.overage_micros, line.shortfall_micros) for line in captured.lines] == [
        (40 * CREDIT, 0),
        (10 * CREDIT, 30 * CREDIT),
    ]
    await ledger.assert_adds_up()


async def test_a_released_or_expired_hold_of_lines_reserves_nothing(ledger: RunningLedger) -> None:
    await sell_tokens(ledger)
    released = await authorize_lines(ledger, tokens("input", 100_000), tokens("output", 12_500))
    await ledger.release(released.hold_id)
    await authorize_lines(ledger, tokens("input", 100_000), tokens("output", 12_500))
    ledger.clock.advance(HOUR)

    assert (await ledger.debit(150)).overage_micros == 50 * CREDIT
    await ledger.assert_adds_up()


async def test_reported_usage_is_overage_up_to_the_cap_and_then_a_shortfall(ledger: RunningLedger) -> None:
    [first, second] = await record(ledger, an_event("tx-1", "120"), an_event("tx-2", "40"))

    assert (first.credits_micros, first.shortfall_micros) == (120 * CREDIT, 0)
    assert (second.credits_micros, second.shortfall_micros) == (40 * CREDIT, 10 * CREDIT)
    assert await overage_of(ledger) == 50 * CREDIT
    await ledger.assert_adds_up()


async def test_what_holds_reserve_is_not_there_for_reported_usage(ledger: RunningLedger) -> None:
    held = await ledger.authorize(130)

    [told] = await record(ledger, an_event("tx-1", "25"))
    captured = await ledger.capture(held.hold_id)

    assert told.shortfall_micros == 5 * CREDIT
    assert captured.overage_micros == 30 * CREDIT
    await ledger.assert_adds_up()


async def test_late_usage_counts_in_its_own_usage_period(ledger: RunningLedger) -> None:
    await ledger.debit(130)
    ledger.clock.advance_to(JULY + HOUR)
    await ledger.debit(150)

    [late] = await record(ledger, an_event("tx-1", "25", at=JULY - HOUR))

    assert late.shortfall_micros == 5 * CREDIT
    assert await overage_of(ledger) == (30 + 50 + 20) * CREDIT
    await ledger.assert_adds_up()


async def test_usage_dated_ahead_leaves_room_for_what_is_held_until_then(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(JULY - HOUR)
    held = await ledger.authorize(130)

    [ahead] = await record(ledger, an_event("tx-1", "30", at=JULY + HOUR))
    denied = await ledger.authorize(1)
    ledger.clock.advance_to(JULY)

    assert ahead.shortfall_micros == 10 * CREDIT
    assert denied.affordable_credits_micros == 0
    await ledger.debit(100)
    assert (await ledger.capture(held.hold_id)).overage_micros == 30 * CREDIT
    assert (await ledger.debit(1)).decision == pb.DECISION_DENIED
    await ledger.assert_adds_up()


async def test_an_event_captures_a_hold_with_overage(ledger: RunningLedger) -> None:
    held = await ledger.authorize(0, quantity_micros=120 * CREDIT)
    event = an_event("tx-1", "125", user=None)
    event.hold_id = held.hold_id

    await record(ledger, event)
    captured = await ledger.capture(held.hold_id)

    assert captured.differs
    assert (captured.captured_micros, captured.overage_micros) == (125 * CREDIT, 25 * CREDIT)
    assert captured.shortfall_micros == 0
    await ledger.assert_adds_up()


async def test_what_a_void_takes_back_of_overage_can_be_overage_again(ledger: RunningLedger) -> None:
    await record(ledger, an_event("tx-1", "110"), an_event("tx-2", "40"))
    assert (await ledger.debit(1)).decision == pb.DECISION_DENIED

    [line] = await void(ledger, transaction_id="tx-2")

    assert (line.credits_micros, line.shortfall_micros) == (-40 * CREDIT, 0)
    assert await overage_of(ledger) == 10 * CREDIT
    assert (await ledger.debit(41)).affordable_credits_micros == 40 * CREDIT
    assert (await ledger.debit(40)).overage_micros == 40 * CREDIT
    await ledger.assert_adds_up()


async def test_shortfall_comes_back_first_then_overage_then_credits(ledger: RunningLedger) -> None:
    await record(ledger, an_event("tx-1", "170"))

    [first] = await amend(ledger, "tx-1", "155")
    after_first = await overage_of(ledger)
    [second] = await amend(ledger, "tx-1", "120")
    after_second = await overage_of(ledger)
    await amend(ledger, "tx-1", "90")

    assert (first.shortfall_micros, after_first) == (-15 * CREDIT, 50 * CREDIT)
    assert (second.shortfall_micros, after_second) == (-5 * CREDIT, 20 * CREDIT)
    assert await overage_of(ledger) == 0
    assert (await ledger.pool()).available_micros == 10 * CREDIT
    await ledger.assert_adds_up()


async def test_a_voided_capture_returns_its_overage_to_its_usage_period(ledger: RunningLedger) -> None:
    held = await ledger.authorize(140)
    await ledger.capture(held.hold_id)
    ledger.clock.advance_to(JULY + HOUR)
    await ledger.debit(150)

    await void(ledger, hold_id=held.hold_id)

    assert await overage_of(ledger) == 50 * CREDIT
    [late] = await record(ledger, an_event("tx-1", "160", at=JULY - DAY))
    assert late.shortfall_micros == 10 * CREDIT  # 100 are paid by June's credits, which came back
    assert await overage_of(ledger) == 100 * CREDIT
    await ledger.assert_adds_up()


async def test_overage_is_taken_back_although_the_contract_allows_none_any_more(
    ledger: RunningLedger,
) -> None:
    await record(ledger, an_event("tx-1", "140"))
    await ledger.apply_contract(start=JUNE, seats=1, version=2)

    await void(ledger, transaction_id="tx-1")

    assert await overage_of(ledger) == 0
    await ledger.assert_adds_up()


async def test_rerating_takes_overage_back(ledger: RunningLedger) -> None:
    await ledger.debit(0, quantity_micros=140 * CREDIT)

    await rerate(ledger, price_micros=CREDIT // 2)

    assert await overage_of(ledger) == 0
    assert (await ledger.pool()).available_micros == 30 * CREDIT
    await ledger.assert_adds_up()


async def test_what_an_amendment_costs_more_is_overage_up_to_the_cap(ledger: RunningLedger) -> None:
    await record(ledger, an_event("tx-1", "120"))

    [line] = await amend(ledger, "tx-1", "170")

    assert (line.credits_micros, line.shortfall_micros) == (50 * CREDIT, 20 * CREDIT)
    assert await overage_of(ledger) == 50 * CREDIT
    kinds = [one.entry_kind for one in await ledger.entries()]
    assert kinds[:2] == [apb.ENTRY_KIND_CORRECTION, apb.ENTRY_KIND_OVERAGE_CORRECTION]
    await ledger.assert_adds_up()

    await void(ledger, transaction_id="tx-1")

    assert await overage_of(ledger) == 0
    assert (await ledger.pool()).available_micros == 100 * CREDIT
    await ledger.assert_adds_up()


async def test_an_event_moved_to_another_period_moves_its_overage(ledger: RunningLedger) -> None:
    await record(ledger, an_event("tx-1", "100"), an_event("tx-2", "40"))
    ledger.clock.advance_to(JULY + HOUR)
    await ledger.debit(110)

    moved = usage.AmendUsageRequest(
        request_id=ledger.request_id(),
        customer="acme",
        transaction_id="tx-2",
        timestamp=an_event(at=JULY).timestamp,
        properties={"units": "45", "user_id": "ann"},
        reason="wrong day",
        actor="ops@seatsco.example",
    )
    lines = (await ledger.usage.AmendUsage(moved)).lines

    assert sum(line.shortfall_micros for line in lines) == 5 * CREDIT
    assert (await ledger.pool()).overage[0].captured_micros == 50 * CREDIT
    [late] = await record(ledger, an_event("tx-3", "60", at=JULY - HOUR))
    assert late.shortfall_micros == 10 * CREDIT
    await ledger.assert_adds_up()


async def test_rerating_to_a_higher_price_makes_overage_up_to_the_cap(ledger: RunningLedger) -> None:
    await ledger.debit(0, quantity_micros=90 * CREDIT)
    await rerate(ledger, price_micros=2 * CREDIT)

    assert await overage_of(ledger) == 50 * CREDIT
    assert (await ledger.pool()).shortfall_micros == 80 * CREDIT
    assert (await ledger.debit(1)).decision == pb.DECISION_DENIED
    await ledger.assert_adds_up()


async def rerate(ledger: RunningLedger, *, price_micros: int) -> None:
    """Correct the price of a unit, and rerate June's usage."""
    first = a_rate(price_micros=CREDIT)
    corrected = a_rate(rate_id="rat_new", price_micros=price_micros, corrects_rate_id=first.rate_id)
    await ledger.tell_card(first, corrected, version=2)
    await ledger.usage.RerateUsage(
        usage.RerateUsageRequest(
            request_id=ledger.request_id(),
            customer="acme",
            product_id="prd_assistant",
            start_time=an_event(at=JUNE).timestamp,
            end_time=an_event(at=JULY).timestamp,
            reason="wrong price",
            actor="ops@seatsco.example",
        )
    )
    await ledger.flush()
