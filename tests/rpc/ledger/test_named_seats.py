# SPDX-License-Identifier: Apache-2.0
"""Named seats: each draws the credits of its own slot, and ids without a seat are denied."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.rpc.ledger.test_void_usage import void
from tests.support.ledger import (
    AI,
    CREDIT,
    JULY,
    JUNE,
    RunningLedger,
    a_rate,
    a_schedule,
    running_ledger,
)
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, record

TICK = timedelta(microseconds=1)


def _june(day: int) -> datetime:
    return datetime(2025, 6, day, tzinfo=UTC)


@pytest.fixture
async def named(databases: Databases) -> AsyncIterator[RunningLedger]:
    """On 1 June: acme's 2 named seats have 100 credits a month each; ann and bob have them."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.sign_named_seats()
        await running.assign("ann", "bob", sequence=1)
        yield running


async def test_a_seat_draws_its_own_credits_and_not_those_of_others(named: RunningLedger) -> None:
    allowed = await named.authorize(100, user="ann")
    denied = await named.authorize(1, user="ann")
    of_bob = await named.authorize(100, user="bob")

    assert (allowed.decision, allowed.available_micros) == (pb.DECISION_ALLOWED, 0)
    assert denied.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert of_bob.decision == pb.DECISION_ALLOWED
    await named.assert_adds_up()


async def test_an_id_without_a_seat_is_denied(named: RunningLedger) -> None:
    stranger = await named.authorize(1, user="carol")
    nobody = await named.authorize(1)
    debited = await named.debit(1, user="carol")

    assert stranger == pb.AuthorizeResponse(
        decision=pb.DECISION_DENIED,
        denial_reason=pb.DENIAL_REASON_SEAT_NOT_ASSIGNED,
        credit_type_id="crt_ai",
    )
    assert nobody.denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
    assert debited.denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED


async def test_a_seat_has_its_credits_again_at_the_first_instant_of_a_period(named: RunningLedger) -> None:
    await named.debit(100, user="ann")
    named.clock.advance_to(JULY - TICK)
    before = await named.authorize(1, user="ann")
    named.clock.advance_to(JULY)
    after = await named.authorize(100, user="ann")

    assert before.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert after.decision == pb.DECISION_ALLOWED
    await named.assert_adds_up()


async def test_a_balance_tells_what_one_seat_has(named: RunningLedger) -> None:
    await named.debit(30, user="ann")
    await named.authorize(20, user="ann")

    ann, bob = await named.seat("ann"), await named.seat("bob")

    assert (ann.available_micros, ann.held_micros, ann.remaining_micros) == (
        50 * CREDIT,
        20 * CREDIT,
        70 * CREDIT,
    )
    assert ann.slot_id == "sub_1#1"
    assert [(one.grant_schedule_id, one.slot_id) for one in ann.grants] == [("sch_1", "sub_1#1")]
    assert bob.available_micros == 100 * CREDIT
    assert (await named.pool()).available_micros == 0  # of the shared pool


async def test_a_removed_id_draws_no_more_and_the_next_one_gets_its_rest(named: RunningLedger) -> None:
    await named.debit(70, user="ann")
    named.clock.advance_to(_june(10))

    await named.change_seats(0, _june(10), sequence=2, unassign_seat_ids=["ann"], assign_seat_ids=["carol"])

    assert (await named.authorize(1, user="ann")).denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
    assert (await named.seat("carol")).available_micros == 30 * CREDIT
    await named.assert_adds_up()


async def test_a_transfer_moves_the_rest(named: RunningLedger) -> None:
    await named.debit(70, user="ann")

    await named.change_seats(0, JUNE, sequence=2, transfers=[{"from_seat_id": "ann", "to_seat_id": "carol"}])

    assert (await named.seat("carol")).available_micros == 30 * CREDIT
    assert (await named.authorize(31, user="carol")).denial_reason == (pb.DENIAL_REASON_INSUFFICIENT_CREDITS)
    assert (await named.authorize(1, user="ann")).denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED


async def test_a_seat_that_is_added_has_the_share_of_its_month(named: RunningLedger) -> None:
    named.clock.advance_to(datetime(2025, 7, 3, tzinfo=UTC))

    added = await named.change_seats(
        1, datetime(2025, 7, 3, tzinfo=UTC), sequence=2, assign_seat_ids=["carol"]
    )

    assert [one.amount_micros for one in added.credits] == [93_548_387]  # 100 × 29/31
    assert (await named.seat("carol")).available_micros == 93_548_387
    assert (await named.seat("ann")).available_micros == 100 * CREDIT
    await named.assert_adds_up()


async def test_a_decrease_ends_a_free_slot_and_the_others_keep_their_credits(named: RunningLedger) -> None:
    await named.debit(70, user="bob")
    named.clock.advance_to(_june(10))
    await named.change_seats(-1, _june(10), sequence=2, unassign_seat_ids=["ann"])

    named.clock.advance_to(_june(11))
    assert (await named.seat("bob")).available_micros == 30 * CREDIT
    named.clock.advance_to(JULY)
    assert (await named.seat("bob")).available_micros == 100 * CREDIT
    await named.debit(1, user="bob")
    await named.assert_adds_up()


async def test_down_and_up_again_brings_the_ended_slot_back_without_new_credits(
    named: RunningLedger,
) -> None:
    await named.debit(70, user="ann")
    await named.change_seats(-1, _june(10), sequence=2, unassign_seat_ids=["ann"])
    await named.change_seats(1, _june(20), sequence=3, assign_seat_ids=["carol"])
    named.clock.advance_to(_june(20))

    assert (await named.seat("carol")).available_micros == 30 * CREDIT
    named.clock.advance_to(JULY)
    assert (await named.seat("carol")).available_micros == 100 * CREDIT
    await named.debit(1, user="carol")
    await named.assert_adds_up()


async def test_an_assignment_takes_the_free_slot_with_the_largest_rest(named: RunningLedger) -> None:
    await named.debit(70, user="ann")
    await named.debit(10, user="bob")

    await named.change_seats(0, JUNE, sequence=2, unassign_seat_ids=["ann", "bob"])
    await named.assign("carol", sequence=3)
    await named.assign("dave", sequence=4)

    assert (await named.seat("carol")).available_micros == 90 * CREDIT
    assert (await named.seat("dave")).available_micros == 30 * CREDIT


async def test_an_assignment_dated_ahead_begins_at_its_instant(named: RunningLedger) -> None:
    await named.change_seats(0, JULY, sequence=2, unassign_seat_ids=["ann"], assign_seat_ids=["carol"])

    named.clock.advance_to(JULY - TICK)
    assert (await named.authorize(1, user="carol")).denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
    assert (await named.authorize(1, user="ann")).decision == pb.DECISION_ALLOWED
    named.clock.advance_to(JULY)
    assert (await named.authorize(100, user="carol")).decision == pb.DECISION_ALLOWED
    assert (await named.authorize(1, user="ann")).denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED


async def test_a_decrease_that_is_told_late_takes_back_what_the_slot_should_not_have(
    named: RunningLedger,
) -> None:
    """ann leaves on 30 June with her seat; the Ledger hears of it on 2 July, when 30 of July's 100 are spent."""
    named.clock.advance_to(datetime(2025, 7, 2, tzinfo=UTC))
    await named.debit(30, user="ann")

    await named.change_seats(
        -1,
        _june(30),
        sequence=2,
        unassign_seat_ids=["ann"],
        accept_time=timestamp(_june(30)),
    )
    await named.change_seats(1, datetime(2025, 7, 2, tzinfo=UTC), sequence=3, assign_seat_ids=["carol"])

    # What the slot has counted, 30, is part of the 100 × 30/31 that it brings from now on.
    assert (await named.seat("carol")).available_micros == 96_774_193 - 30 * CREDIT
    await named.assert_adds_up()


@pytest.mark.parametrize(
    ("access", "listed", "allowed"),
    [
        ("SHARED_POOL_ACCESS_UNSPECIFIED", [], False),
        ("SHARED_POOL_ACCESS_NOBODY", [], False),
        ("SHARED_POOL_ACCESS_EVERYONE", [], True),
        ("SHARED_POOL_ACCESS_LISTED", ["bob"], False),
        ("SHARED_POOL_ACCESS_LISTED", ["ann"], True),
    ],
)
async def test_behind_a_seat_the_shared_pool_is_for_nobody_everyone_or_listed_seats(
    databases: Databases, access: str, listed: list[str], allowed: bool
) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_named_seats(shared_pool_access=access, shared_pool_seat_ids=listed)
        await ledger.assign("ann", "bob", sequence=1)
        await ledger.top_up(1_000)

        answer = await ledger.authorize(150, user="ann")

        assert answer.decision == (pb.DECISION_ALLOWED if allowed else pb.DECISION_DENIED)
        assert answer.available_micros == (950 if allowed else 100) * CREDIT
        assert (await ledger.pool()).held_micros == (50 if allowed else 0) * CREDIT
        stranger = await ledger.authorize(1, user="carol")
        assert stranger.denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
        await ledger.assert_adds_up()


async def test_a_hold_of_a_seat_is_captured_after_the_seat_was_passed_on(named: RunningLedger) -> None:
    hold = await named.authorize(20, user="ann")
    named.clock.advance_to(JUNE + TICK)
    await named.change_seats(
        0, JUNE + TICK, sequence=2, transfers=[{"from_seat_id": "ann", "to_seat_id": "carol"}]
    )

    captured = await named.capture(hold.hold_id, 50)

    assert (captured.captured_micros, captured.shortfall_micros) == (50 * CREDIT, 0)
    assert (await named.seat("carol")).available_micros == 50 * CREDIT
    await named.assert_adds_up()


async def test_what_a_seat_lacks_is_not_taken_from_others(named: RunningLedger) -> None:
    hold = await named.authorize(20, user="ann")

    captured = await named.capture(hold.hold_id, 130)

    assert (captured.captured_micros, captured.shortfall_micros) == (100 * CREDIT, 30 * CREDIT)
    assert (await named.seat("bob")).available_micros == 100 * CREDIT
    await named.assert_adds_up()


async def test_reported_usage_is_paid_by_the_seat_at_its_time(named: RunningLedger) -> None:
    named.clock.advance_to(_june(10))
    await named.change_seats(0, _june(10), sequence=2, unassign_seat_ids=["ann"], assign_seat_ids=["carol"])

    before, after = await record(
        named,
        an_event("tx-1", "5", user="ann", at=_june(9)),
        an_event("tx-2", "5", user="ann", at=_june(10)),
    )

    assert [(one.credits_micros, one.shortfall_micros) for one in before.lines] == [(60 * CREDIT, 0)]
    assert [one.shortfall_micros for one in after.lines] == [60 * CREDIT]
    assert (await named.seat("carol")).available_micros == 40 * CREDIT
    await named.assert_adds_up()


async def test_seats_are_listed_in_pages(named: RunningLedger) -> None:
    await named.debit(30, user="ann")

    first = await named.admin.ListSeatBalances(apb.ListSeatBalancesRequest(customer="acme", page_size=1))
    second = await named.admin.ListSeatBalances(
        apb.ListSeatBalancesRequest(customer="acme", page_size=1, page_token=first.next_page_token)
    )

    (ann,), (bob,) = first.seats, second.seats
    assert (ann.seat_id, ann.available_micros) == ("ann", 70 * CREDIT)
    assert (bob.seat_id, bob.available_micros) == ("bob", 100 * CREDIT)
    assert not second.next_page_token


async def test_the_sweeper_settles_slots_that_nobody_reads(named: RunningLedger) -> None:
    await named.debit(30, user="ann")
    named.clock.advance_to(JULY)
    await named.app.run_due(JULY)

    entries = await named.entries()
    expired = [one for one in entries if one.entry_kind == apb.ENTRY_KIND_EXPIRY]
    assert [one.amount_micros for one in expired] == [-70 * CREDIT]
    await named.assert_adds_up()


async def test_what_returns_to_a_seat_that_has_ended_replaces_what_others_paid_for_its_own_usage(
    databases: Databases,
) -> None:
    """June's 100 credits of ann pay for 132 of hers, with 32 of a top-up; bob's 32 of it are newer."""
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_named_seats(shared_pool_access="SHARED_POOL_ACCESS_EVERYONE")
        await ledger.assign("ann", "bob", sequence=1)
        await ledger.top_up(1_000)
        await record(
            ledger,
            an_event("tx-1", "6", user="ann"),
            an_event("tx-2", "5", user="ann"),
            an_event("tx-3", "11", user="bob"),
        )
        assert (await ledger.pool()).available_micros == (1_000 - 32 - 32) * CREDIT
        ledger.clock.advance_to(JULY)
        await ledger.debit(1, user="ann")

        await void(ledger, "tx-1")

        assert (await ledger.pool()).available_micros == (1_000 - 32) * CREDIT
        assert (await ledger.seat("ann")).available_micros == 99 * CREDIT
        await ledger.assert_adds_up()


async def test_usage_that_was_voided_returns_to_the_slot_whoever_has_it_now(named: RunningLedger) -> None:
    await record(named, an_event("tx-1", "5", user="ann"))
    named.clock.advance_to(_june(10))
    await named.change_seats(
        0, _june(10), sequence=2, transfers=[{"from_seat_id": "ann", "to_seat_id": "carol"}]
    )

    await void(named, "tx-1")

    assert (await named.seat("carol")).available_micros == 100 * CREDIT
    await named.assert_adds_up()


async def test_lines_of_a_call_are_of_one_seat(named: RunningLedger) -> None:
    await named.tell_product("prd_images")
    await named.tell_card(a_rate(), a_rate("prd_images"), version=2)
    lines = [
        pb.UsageLine(product_id=product_id, quantity_micros=4_000_000)
        for product_id in ("prd_assistant", "prd_images")
    ]

    def call(user: str) -> pb.AuthorizeRequest:
        return pb.AuthorizeRequest(
            request_id=named.request_id(), customer="acme", lines=lines, group_values={"user_id": user}
        )

    held = await named.gate.Authorize(call("ann"))
    short = await named.gate.Authorize(call("ann"))
    stranger = await named.gate.Authorize(call("carol"))
    captured = await named.capture(held.hold_id)

    assert (held.held_micros, held.available_micros) == (96 * CREDIT, 4 * CREDIT)
    assert short.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert stranger.denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
    assert captured.captured_micros == 96 * CREDIT
    assert (await named.seat("bob")).available_micros == 100 * CREDIT
    await named.assert_adds_up()


async def test_a_decision_is_explained_by_the_seats_grants(named: RunningLedger) -> None:
    async def explain(user: str) -> pb.GetDecisionResponse:
        return await named.gate.GetDecision(
            pb.GetDecisionRequest(
                customer="acme",
                ask=pb.DecisionAsk(
                    product_id="prd_assistant", credits_micros=CREDIT, group_values={"user_id": user}
                ),
            )
        )

    ann, stranger = await explain("ann"), await explain("carol")

    assert [one.slot_id for one in ann.grants] == ["sub_1#1"]
    assert stranger.denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
    assert not stranger.grants


async def test_a_hold_is_extended_by_credits_of_its_seat(named: RunningLedger) -> None:
    hold = await named.authorize(60, user="ann")

    more = await named.extend(hold.hold_id, 40)
    too_much = await named.extend(hold.hold_id, 1)
    named.clock.advance_to(JUNE + TICK)
    await named.change_seats(0, JUNE + TICK, sequence=2, unassign_seat_ids=["ann"])
    removed = await named.extend(hold.hold_id, 1)

    assert more.decision == pb.DECISION_ALLOWED
    assert too_much.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert removed.denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
    await named.assert_adds_up()


async def test_credits_of_seats_burn_before_shared_ones_within_a_priority(databases: Databases) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_named_seats(
            shared_pool_access="SHARED_POOL_ACCESS_EVERYONE",
            schedules=[a_schedule(grant_schedule_id="sch_2")],
        )
        await ledger.assign("ann", sequence=1)

        await ledger.debit(150, user="ann")
        first = await ledger.top_up(10, priority=0 + 1, cost_basis_micros=0)
        await ledger.debit(1, user="ann")

        assert (await ledger.seat("ann")).available_micros == 0
        assert (await ledger.pool()).available_micros == (200 - 50 + 10 - 1) * CREDIT
        assert first.priority == 1


async def test_a_false_seat_change_gives_back_the_seat_that_it_took(named: RunningLedger) -> None:
    await named.change_seats(-1, JUNE, sequence=2, unassign_seat_ids=["ann"])

    await named.admin.RepairCopy(
        apb.RepairCopyRequest(
            request_id="rep-1",
            copy_kind=apb.COPY_KIND_SEAT_CHANGE,
            copy_id="chg_2",
            customer_id="cus_acme",
            subscription_id="sub_1",
            reason="it was of another customer",
            actor="ops@seatsco.example",
        )
    )

    assert (await named.seat("ann")).available_micros == 100 * CREDIT
    await named.change_seats(-1, JUNE, sequence=2, unassign_seat_ids=["bob"])
    assert (await named.authorize(1, user="bob")).denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
    await named.assert_adds_up()


async def test_two_seats_in_one_slot_are_found(named: RunningLedger, sql: Sql) -> None:
    await sql.execute("UPDATE ledger.seat_assignments SET slot = 1")

    found = await named.admin.VerifyLedger(apb.VerifyLedgerRequest(customer="acme"))

    assert [one.figure for one in found.discrepancies] == ["seats in slot 1 of sub_1"]


async def test_two_replicas_draw_one_seat_and_never_more_than_it_has(databases: Databases) -> None:
    async with (
        running_ledger(databases) as first,
        running_ledger(databases, clock=first.clock) as second,
    ):
        await first.sell_assistant()
        await first.sign_named_seats()
        await first.assign("ann", "bob", sequence=1)

        answers = await asyncio.gather(
            *(replica.debit(30, user="ann") for replica in (first, second) for _ in range(5)),
            *(replica.debit(30, user="bob") for replica in (first, second) for _ in range(5)),
        )

        assert sum(one.debited_micros for one in answers) == 6 * 30 * CREDIT
        await first.assert_adds_up()


async def test_what_a_seat_lacks_can_be_overage_and_an_id_without_a_seat_has_none(
    databases: Databases,
) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        limit = peer_pb.OverageLimit(credit_type_id=AI, cap_micros=50 * CREDIT)
        await ledger.sign_named_seats(overage=peer_pb.OveragePolicy(limits=[limit]))
        await ledger.assign("ann", sequence=1)

        held = await ledger.authorize(140, user="ann")
        beyond = await ledger.authorize(11, user="ann")
        stranger = await ledger.authorize(1, user="carol")

        assert (held.held_micros, held.overage_held_micros) == (140 * CREDIT, 40 * CREDIT)
        assert beyond.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
        assert stranger.denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
        await ledger.assert_adds_up()


async def test_only_usage_that_the_seats_credits_are_for_needs_a_seat(databases: Databases) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.tell_product("prd_images")
        await ledger.tell_card(a_rate(), a_rate("prd_images"), version=2)
        await ledger.sign_named_seats(scope=["prd_assistant"])
        await ledger.assign("ann", sequence=1)
        await ledger.top_up(48)

        shared = await ledger.authorize(12, product_id="prd_images")
        both = await ledger.gate.Debit(
            pb.DebitRequest(
                request_id=ledger.request_id(),
                customer="acme",
                lines=[
                    pb.UsageLine(product_id=product_id, quantity_micros=3_000_000)
                    for product_id in ("prd_assistant", "prd_images")
                ],
                group_values={"user_id": "ann"},
            )
        )
        without = await ledger.authorize(12)

        assert (shared.decision, shared.available_micros) == (pb.DECISION_ALLOWED, 36 * CREDIT)
        assert both.decision == pb.DECISION_ALLOWED
        assert (await ledger.seat("ann")).available_micros == 64 * CREDIT
        assert (await ledger.pool()).available_micros == 0
        assert without.denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
        await ledger.assert_adds_up()


async def test_a_scheduled_assignment_that_is_voided_never_takes_effect(named: RunningLedger) -> None:
    await named.change_seats(0, JULY, sequence=2, unassign_seat_ids=["ann"], assign_seat_ids=["carol"])
    await named.peer.VoidSeatChange(
        peer_pb.VoidSeatChangeRequest(
            request_id=named.request_id(),
            customer_id="cus_acme",
            subscription_id="sub_1",
            seat_change_id="chg_2",
        )
    )
    named.clock.advance_to(JULY)

    assert (await named.authorize(100, user="ann")).decision == pb.DECISION_ALLOWED
    assert (await named.authorize(1, user="carol")).denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
    await named.assert_adds_up()
