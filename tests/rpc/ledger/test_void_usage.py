# SPDX-License-Identifier: Apache-2.0
"""VoidUsage: usage that did not happen leaves its meter, and the difference in the meter's cost comes back."""

import asyncio
from datetime import UTC, datetime, timedelta

from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.faults import bad_fields, fault
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, a_rate, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, report

UNIT = 1_000_000
TICK = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)
# 0 to 1,000 units at 1 credit, to 10,000 at 0.5, above at 0.25.
FALLING = [
    peer_pb.RateTier(up_to_micros=1_000 * UNIT, price_micros=CREDIT, per_micros=UNIT),
    peer_pb.RateTier(up_to_micros=10_000 * UNIT, price_micros=CREDIT // 2, per_micros=UNIT),
    peer_pb.RateTier(price_micros=CREDIT // 4, per_micros=UNIT),
]
RISING = [
    peer_pb.RateTier(up_to_micros=10 * UNIT, price_micros=CREDIT, per_micros=UNIT),
    peer_pb.RateTier(price_micros=5 * CREDIT, per_micros=UNIT),
]


async def void(ledger: RunningLedger, transaction_id: str = "", **more: object) -> list[usage.CorrectedLine]:
    """Void an event of acme; `more` overrides fields."""
    asked: dict[str, object] = {
        "request_id": ledger.request_id(),
        "customer": "acme",
        "reason": "the job was reported twice",
        "actor": "ops@seatsco.example",
    }
    if transaction_id:
        asked["transaction_id"] = transaction_id
    request = usage.VoidUsageRequest(**(asked | more))  # type: ignore[arg-type]
    return list((await ledger.usage.VoidUsage(request)).lines)


async def corrections(ledger: RunningLedger) -> list[tuple[int, int, int, str]]:
    """Return amount, shortfall, quantity and user of the corrections, oldest first."""
    return [
        (one.amount_micros, one.shortfall_micros, one.quantity_micros, one.group_values["user_id"])
        for one in reversed(await ledger.entries())
        if one.entry_kind == admin.ENTRY_KIND_CORRECTION
    ]


def a_line(quantity: int, credits: int, shortfall: int = 0) -> tuple[int, int, int]:
    return quantity * UNIT, credits * CREDIT, shortfall * CREDIT


def figures(lines: list[usage.CorrectedLine]) -> list[tuple[int, int, int]]:
    return [(line.quantity_micros, line.credits_micros, line.shortfall_micros) for line in lines]


async def graduated(ledger: RunningLedger, tiers: list[peer_pb.RateTier]) -> None:
    rate = a_rate(
        price_micros=0, per_micros=0, rate_id="rat_1", rate_type=peer_pb.RATE_TYPE_GRADUATED, tiers=tiers
    )
    await ledger.tell_card(rate, version=2)


async def spent_by(ledger: RunningLedger, user: str) -> int:
    """Return what a cap counts for a user, in whole credits."""
    await ledger.set_cap(300, user=user)
    asked = await ledger.authorize(5_000, user=user)
    return 300 - asked.affordable_credits_micros // CREDIT


async def test_a_voided_event_comes_back_to_the_grants_that_paid_for_it(ledger: RunningLedger) -> None:
    await ledger.top_up(1_000)
    await report(ledger, an_event("tx-1", "40"))
    ledger.clock.advance_to(NOON)

    lines = await void(ledger, "tx-1")

    assert figures(lines) == [a_line(-40, -480)]
    assert await corrections(ledger) == [
        (80 * CREDIT, 0, -40 * UNIT, "ann"),
        (400 * CREDIT, 0, 0, "ann"),
    ]
    newest = (await ledger.entries())[0]
    assert (newest.transaction_id, newest.effective_time, newest.create_time) == (
        "tx-1",
        timestamp(JUNE),
        timestamp(NOON),
    )
    assert newest.corrects_sequence == 3
    assert (await ledger.pool()).available_micros == 1_400 * CREDIT
    await ledger.assert_adds_up()


async def test_what_comes_back_is_the_difference_in_the_cost_of_the_meter(ledger: RunningLedger) -> None:
    """Events of 1,000 units (1,000) and 1,000 units (500): voiding the first one returns 500."""
    await graduated(ledger, FALLING)
    await ledger.top_up(100_000)
    await report(ledger, an_event("e1", "1000"), an_event("e2", "1000"))

    assert figures(await void(ledger, "e1")) == [a_line(-1_000, -500)]
    await ledger.assert_adds_up()
    assert figures(await void(ledger, "e2")) == [a_line(-1_000, -1_000)]
    assert (await ledger.pool()).available_micros == 100_400 * CREDIT
    await ledger.assert_adds_up()


async def test_a_void_that_returns_more_than_its_event_cost_takes_the_rest_from_the_latest_usage(
    ledger: RunningLedger,
) -> None:
    await graduated(ledger, RISING)
    await ledger.top_up(1_000)
    await report(
        ledger, an_event("e1", "10"), an_event("e2", "4", user="bob"), an_event("e3", "6", user="cid")
    )

    lines = await void(ledger, "e1")

    assert figures(lines) == [a_line(-10, -50)]
    assert await corrections(ledger) == [
        (10 * CREDIT, 0, -10 * UNIT, "ann"),
        (30 * CREDIT, 0, 0, "cid"),
        (10 * CREDIT, 0, 0, "bob"),
    ]
    assert [await spent_by(ledger, user) for user in ("ann", "bob", "cid")] == [0, 10, 0]
    await ledger.assert_adds_up()
    await void(ledger, "e3")
    await void(ledger, "e2")
    assert [await spent_by(ledger, user) for user in ("ann", "bob", "cid")] == [0, 0, 0]
    await ledger.assert_adds_up()


async def test_shortfall_comes_back_before_credits(ledger: RunningLedger) -> None:
    await report(ledger, an_event("tx-1", "40"))
    await graduated(ledger, FALLING)

    assert figures(await void(ledger, "tx-1")) == [a_line(-40, -480, -80)]

    assert await corrections(ledger) == [
        (0, -80 * CREDIT, -40 * UNIT, "ann"),
        (400 * CREDIT, 0, 0, "ann"),
    ]
    assert (await ledger.pool()).shortfall_micros == 0
    await ledger.assert_adds_up()


async def test_the_largest_of_the_remaining_events_counts_for_max(ledger: RunningLedger) -> None:
    """MAX 10 then 15: voiding the 10 returns 0."""
    await ledger.tell_product(
        "prd_assistant",
        version=2,
        aggregation=peer_pb.AGGREGATION_MAX,
        sum_property="",
        aggregated_property="units",
    )
    await ledger.top_up(1_000)
    await report(ledger, an_event("ten", "10"), an_event("fifteen", "15"), an_event("seven", "7.25"))

    assert figures(await void(ledger, "ten")) == [a_line(0, 0)]
    assert await corrections(ledger) == [(0, 0, 0, "ann")]
    await ledger.assert_adds_up()
    assert figures(await void(ledger, "fifteen")) == [(-7_750_000, -93 * CREDIT, 0)]
    await ledger.assert_adds_up()
    assert figures(await void(ledger, "seven")) == [(-7_250_000, -87 * CREDIT, 0)]
    assert (await ledger.pool()).available_micros == 1_400 * CREDIT
    await ledger.assert_adds_up()


async def test_a_unique_value_counts_until_its_last_event_is_voided(ledger: RunningLedger) -> None:
    await ledger.tell_product(
        "prd_assistant",
        version=2,
        aggregation=peer_pb.AGGREGATION_UNIQUE,
        sum_property="",
        aggregated_property="units",
    )
    await report(ledger, an_event("tx-1", "a"), an_event("tx-2", "a"), an_event("tx-3", "b"))

    assert figures(await void(ledger, "tx-1")) == [a_line(0, 0)]
    assert figures(await void(ledger, "tx-2")) == [a_line(-1, -12)]
    (again,) = await report(ledger, an_event("tx-4", "a"))
    assert again.credits_micros == 12 * CREDIT
    await ledger.assert_adds_up()


async def test_a_captured_hold_is_voided_by_its_id(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(0, quantity_micros=30 * UNIT, user="ann")
    await ledger.capture(hold.hold_id, quantity_micros=40 * UNIT)

    lines = await void(ledger, hold_id=hold.hold_id)

    assert figures(lines) == [a_line(-40, -480, -80)]
    assert await spent_by(ledger, "ann") == 0
    assert (await ledger.holds())[0].captured_micros == 400 * CREDIT
    await ledger.assert_adds_up()
    with fault(StatusCode.FAILED_PRECONDITION, "USAGE_ALREADY_VOIDED", usage_id=hold.hold_id):
        await void(ledger, hold_id=hold.hold_id)


async def test_a_hold_captured_in_credits_comes_back_in_full(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100)
    await ledger.capture(hold.hold_id, 70)

    assert figures(await void(ledger, hold_id=hold.hold_id)) == [a_line(0, -70)]
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_usage_that_was_not_recorded_or_is_voided_already_has_a_reason(
    ledger: RunningLedger, sql: Sql
) -> None:
    held = await ledger.authorize(10)
    await report(ledger, an_event("rejected", "many"), an_event("tx-1"))
    await void(ledger, "tx-1")
    before = await sql.everything()

    for transaction_id in ("unknown", "rejected"):
        with fault(StatusCode.NOT_FOUND, "USAGE_NOT_FOUND", usage_id=transaction_id):
            await void(ledger, transaction_id)
    with fault(StatusCode.NOT_FOUND, "USAGE_NOT_FOUND", usage_id=held.hold_id):
        await void(ledger, hold_id=held.hold_id)
    with fault(StatusCode.NOT_FOUND, "HOLD_NOT_FOUND", hold_id="hld_x"):
        await void(ledger, hold_id="hld_x")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await void(ledger, "tx-1", customer="nobody")
    with fault(StatusCode.FAILED_PRECONDITION, "USAGE_ALREADY_VOIDED", usage_id="tx-1"):
        await void(ledger, "tx-1")
    with bad_fields("request_id", "customer", "transaction_id", "reason", "actor"):
        await ledger.usage.VoidUsage(usage.VoidUsageRequest())
    assert await sql.everything() == before


async def test_a_voided_transaction_id_stays_used(ledger: RunningLedger) -> None:
    (first,) = await report(ledger, an_event("tx-1"))
    await void(ledger, "tx-1")

    (again,) = await report(ledger, an_event("tx-1"))

    assert (again.is_duplicate, again.lines) == (True, first.lines)


async def test_an_event_that_was_not_charged_can_be_voided_once(ledger: RunningLedger) -> None:
    event = an_event("tx-1")
    event.event_type = "unmeasured"
    await report(ledger, event)

    assert await void(ledger, "tx-1") == []
    with fault(StatusCode.FAILED_PRECONDITION, "USAGE_ALREADY_VOIDED", usage_id="tx-1"):
        await void(ledger, "tx-1")


async def test_a_repeated_void_gets_its_first_response_and_another_body_is_refused(
    ledger: RunningLedger, databases: Databases
) -> None:
    await report(ledger, an_event("tx-1"), an_event("tx-2"))

    async with running_ledger(databases, clock=ledger.clock) as other:
        first, twin = await asyncio.gather(
            void(ledger, "tx-1", request_id="once"), void(other, "tx-1", request_id="once")
        )
    assert first == twin == await void(ledger, "tx-1", request_id="once")
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="once"):
        await void(ledger, "tx-2", request_id="once")
    assert len(await corrections(ledger)) == 1
    await ledger.assert_adds_up()


async def test_credits_returned_to_an_expired_grant_expire_again_at_once(ledger: RunningLedger) -> None:
    await report(ledger, an_event("tx-1", "10"))
    ledger.clock.advance_to(JULY + DAY)

    await void(ledger, "tx-1")

    june, july = await ledger.grants()
    assert (june.captured_micros, june.expired_micros) == (0, 400 * CREDIT)
    assert july.available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_credits_returned_to_an_expired_grant_pay_instead_of_a_top_up(ledger: RunningLedger) -> None:
    """Of usage by event, by hold and by debit. The latest comes first, and a later void finds what pays now."""
    top_up = await ledger.top_up(1_000, priority=100)
    await report(ledger, an_event("tx-1", "30"))
    hold = await ledger.authorize(60)
    await ledger.capture(hold.hold_id)
    await ledger.debit(50, request_id="debited")
    await report(ledger, an_event("tx-2", "5"))
    ledger.clock.advance_to(JULY + DAY)
    paid = {one.grant_id: one for one in await ledger.grants()}
    assert paid[top_up.grant_id].captured_micros == 130 * CREDIT

    await void(ledger, "tx-1")

    june, _, later = await june_july_and(ledger, top_up.grant_id)
    assert (june.captured_micros, june.expired_micros) == (170 * CREDIT, 230 * CREDIT)
    assert later.captured_micros == 0
    assert await taken_from(ledger, top_up.grant_id) == [60, 50, 20]
    # The debit spent what it did, and what the void returned is the event's cost.
    of_debit = [one.amount_micros for one in await ledger.entries() if one.cause_id == "debited"]
    assert sum(of_debit) == -50 * CREDIT
    await ledger.assert_adds_up()

    await void(ledger, hold_id=hold.hold_id)
    await void(ledger, "tx-2")

    june, july, later = await june_july_and(ledger, top_up.grant_id)
    assert (june.captured_micros, later.captured_micros) == (50 * CREDIT, 0)
    assert july.available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def june_july_and(ledger: RunningLedger, grant_id: str) -> tuple[pb.Grant, pb.Grant, pb.Grant]:
    """Return the included grants of both months, and another one."""
    included = [one for one in await ledger.grants() if one.grant_kind == pb.GRANT_KIND_INCLUDED]
    (other,) = [one for one in await ledger.grants() if one.grant_id == grant_id]
    june, july = sorted(included, key=lambda one: one.effective_time.seconds)
    return june, july, other


async def taken_from(ledger: RunningLedger, grant_id: str) -> list[int]:
    """Return what corrections gave back to a grant, the oldest first."""
    return [
        one.amount_micros // CREDIT
        for one in reversed(await ledger.entries())
        if one.entry_kind == admin.ENTRY_KIND_CORRECTION and one.grant_id == grant_id
    ]


async def test_credits_returned_to_a_voided_grant_are_voided(ledger: RunningLedger) -> None:
    top_up = await ledger.top_up(100, priority=1, cost_basis_micros=0, expire_time=timestamp(NOON))
    await report(ledger, an_event("tx-1", "5"))
    await ledger.void(top_up.grant_id)

    await void(ledger, "tx-1")

    voided = (await ledger.grants())[1]
    assert (voided.captured_micros, voided.voided_micros) == (0, 100 * CREDIT)
    await ledger.assert_adds_up()


async def test_credits_that_a_hold_took_from_a_grant_before_its_void_are_voided(
    ledger: RunningLedger,
) -> None:
    top_up = await ledger.top_up(100, priority=1, cost_basis_micros=0, expire_time=timestamp(NOON))
    hold = await ledger.authorize(60)
    await ledger.void(top_up.grant_id)
    ledger.clock.advance_to(JUNE + TICK)
    captured = await ledger.capture(hold.hold_id)

    await void(ledger, hold_id=hold.hold_id)

    voided = (await ledger.grants())[1]
    assert not captured.is_late
    assert (voided.captured_micros, voided.voided_micros) == (0, 100 * CREDIT)
    await ledger.assert_adds_up()


async def test_credits_that_a_schedule_added_after_a_void_can_be_drawn_again(ledger: RunningLedger) -> None:
    included = (await ledger.grants())[0]
    await ledger.void(included.grant_id)
    ledger.clock.advance_to(JUNE + HOUR)
    await ledger.change_seats(1, JUNE + HOUR, sequence=1)
    added = (await ledger.pool()).available_micros
    await report(ledger, an_event("tx-1", "5", at=JUNE + HOUR))

    await void(ledger, "tx-1")

    assert 0 < added == (await ledger.pool()).available_micros
    await ledger.assert_adds_up()


async def test_a_spent_grant_that_gets_credits_back_can_be_drawn_until_it_expires(
    ledger: RunningLedger,
) -> None:
    await ledger.top_up(120, priority=1, cost_basis_micros=0, expire_time=timestamp(NOON))
    await report(ledger, an_event("tx-1", "10"))
    assert (await ledger.pool()).available_micros == 400 * CREDIT

    await void(ledger, "tx-1")

    assert (await ledger.pool()).available_micros == 520 * CREDIT
    assert (await ledger.debit(20)).decision == pb.DECISION_ALLOWED
    ledger.clock.advance_to(NOON)
    top_up = (await ledger.grants())[1]
    assert (top_up.captured_micros, top_up.expired_micros) == (20 * CREDIT, 100 * CREDIT)
    await ledger.assert_adds_up()


async def test_a_void_resolves_a_low_balance_and_a_spend_alarm(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.watch(100)
    spend = {"alert_id": "alr_2", "watch_kind": peer_pb.WATCH_KIND_SPEND, "group_key": "user_id"}
    await ledger.watch(200, group_value="ann", **spend)
    await report(ledger, an_event("tx-1", "30"))
    question = "SELECT alert_id, in_alarm FROM ledger.watch_states ORDER BY 1"
    before = await sql.rows(question)

    await void(ledger, "tx-1")

    assert [row["in_alarm"] for row in before] == [True, True]
    assert [row["in_alarm"] for row in await sql.rows(question)] == [False, False]


async def test_a_void_counts_in_the_windows_of_the_usage(ledger: RunningLedger) -> None:
    await ledger.top_up(1_000)
    ledger.clock.advance_to(NOON)
    await report(ledger, an_event("today", "5", at=NOON), an_event("yesterday", "5", at=NOON - DAY))
    await ledger.set_cap(1_000, user="ann", window=admin.CAP_WINDOW_DAY)

    await void(ledger, "yesterday")
    of_today = (await ledger.authorize(5_000, user="ann")).affordable_credits_micros // CREDIT
    await void(ledger, "today")
    after = (await ledger.authorize(5_000, user="ann")).affordable_credits_micros // CREDIT

    assert (of_today, after) == (940, 1_000)
    await ledger.assert_adds_up()


async def test_a_usage_summary_leaves_out_what_is_voided(ledger: RunningLedger) -> None:
    await report(ledger, an_event("tx-1", "2"), an_event("tx-2", "3"))
    await void(ledger, "tx-1")

    asked = admin.GetUsageSummaryRequest(
        customer="acme", start_time=timestamp(JUNE), end_time=timestamp(JULY)
    )
    (row,) = (await ledger.admin.GetUsageSummary(asked)).rows

    assert (row.captured_micros, row.shortfall_micros) == (36 * CREDIT, 0)
