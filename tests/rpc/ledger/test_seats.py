# SPDX-License-Identifier: Apache-2.0
"""ApplySeatChange and PreviewSeatChange: seats over time, and the credits they bring."""

from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, AUGUST, CREDIT, JULY, JUNE, RunningLedger, a_schedule
from tests.support.ledger_sql import Sql

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
SHARE_FROM_3_JULY = 93_548_387  # 100 × 29/31


def _july(day: int) -> datetime:
    return datetime(2025, 7, day, tzinfo=UTC)


def _told(answer: peer_pb.ApplySeatChangeResponse | peer_pb.PreviewSeatChangeResponse) -> list[int]:
    return [one.amount_micros for one in answer.credits]


async def _preview(
    ledger: RunningLedger, delta: int, at: datetime, **more: object
) -> peer_pb.PreviewSeatChangeResponse:
    asked: dict[str, object] = {
        "customer_id": "cus_acme",
        "subscription_id": "sub_1",
        "effective_time": timestamp(at),
        "quantity_delta": delta,
    }
    return await ledger.peer.PreviewSeatChange(
        peer_pb.PreviewSeatChangeRequest(**(asked | more))  # type: ignore[arg-type]
    )


async def test_a_seat_dated_ahead_brings_its_credits_when_it_takes_effect(ledger: RunningLedger) -> None:
    added = await ledger.change_seats(1, _july(3), sequence=1)
    ledger.clock.advance_to(_july(3) - TICK)
    before = await ledger.pool()
    ledger.clock.advance_to(_july(3))
    after = await ledger.pool()

    assert _told(added) == []
    assert before.available_micros == 400 * CREDIT
    assert after.available_micros == 400 * CREDIT + SHARE_FROM_3_JULY
    entry = (await ledger.entries())[0]
    assert (entry.entry_kind, entry.amount_micros, entry.effective_time, entry.cause_id) == (
        admin.ENTRY_KIND_SEAT_ADJUSTMENT,
        SHARE_FROM_3_JULY,
        timestamp(_july(3)),
        "sch_1",
    )
    await ledger.assert_adds_up()


async def test_a_seat_dated_back_brings_what_was_left_at_its_date(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(_july(20))

    added = await ledger.change_seats(1, _july(3), sequence=1)

    assert added == peer_pb.ApplySeatChangeResponse(
        credits=[
            peer_pb.ScheduleCredits(
                grant_schedule_id="sch_1", credit_type_id=AI, amount_micros=SHARE_FROM_3_JULY
            )
        ]
    )
    await ledger.assert_adds_up()


async def test_a_seat_dated_back_before_the_period_counts_from_the_periods_start(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(_july(3))

    added = await ledger.change_seats(1, datetime(2025, 6, 20, tzinfo=UTC), sequence=1)

    assert _told(added) == [100 * CREDIT]
    june, july = await ledger.grants()
    assert (june.granted_micros, july.granted_micros) == (400 * CREDIT, 500 * CREDIT)
    await ledger.assert_adds_up()


async def test_what_a_seat_dated_back_lifts_twice_is_told_as_one_figure(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(_july(10))
    await ledger.change_seats(1, _july(3), sequence=1)

    # At the period's start it brings 6.451613 more than was granted, and from 3 July on the rest.
    added = await ledger.change_seats(1, JUNE, sequence=2)

    assert _told(added) == [100 * CREDIT]
    assert (await ledger.pool()).available_micros == 500 * CREDIT + SHARE_FROM_3_JULY
    await ledger.assert_adds_up()


async def test_what_comes_and_goes_in_one_instant_was_never_there(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(_july(3))

    removed = await ledger.change_seats(-1, _july(3), sequence=2)
    added_before = await ledger.change_seats(2, _july(3), sequence=1)

    assert (_told(removed), _told(added_before)) == ([], [SHARE_FROM_3_JULY])
    ledger.clock.advance_to(AUGUST)
    assert (await ledger.pool()).available_micros == 500 * CREDIT


async def test_what_was_granted_at_once_stays_though_the_same_instant_takes_the_seats_away(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(_july(3))

    told = [
        await ledger.change_seats(delta, _july(3), sequence=n) for n, delta in enumerate((2, -1, 1), start=1)
    ]

    assert [_told(one) for one in told] == [[187_096_774], [], []]
    await ledger.assert_adds_up()


async def test_a_change_told_twice_counts_once(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(_july(3))
    await ledger.change_seats(1, _july(3), sequence=1)

    again = await ledger.change_seats(1, _july(3), sequence=1)

    assert _told(again) == []
    assert (await ledger.pool()).available_micros == 400 * CREDIT + SHARE_FROM_3_JULY


async def test_seats_removed_leave_this_months_credits_and_lower_the_next(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(_july(10))

    removed = await ledger.change_seats(-3, _july(10), sequence=1)

    assert _told(removed) == []
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    ledger.clock.advance_to(AUGUST - TICK)
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    ledger.clock.advance_to(AUGUST)
    assert (await ledger.pool()).available_micros == 100 * CREDIT
    await ledger.assert_adds_up()


async def test_every_schedule_linked_to_the_seats_grants_by_its_own_rules(ledger: RunningLedger) -> None:
    await ledger.apply_contract(
        contract_id="con_2",
        start=JUNE,
        subscriptions=[peer_pb.SubscriptionSeats(subscription_id="sub_2", initial_quantity=1)],
        schedules=[
            a_schedule(grant_schedule_id="sch_2", subscription_id="sub_2"),
            a_schedule(
                grant_schedule_id="sch_3",
                subscription_id="sub_2",
                prorates_increases=False,
                credit_type_id="crt_image",
            ),
            a_schedule(
                grant_schedule_id="sch_4", subscription_id="sub_2", frequency=peer_pb.GRANT_FREQUENCY_ANNUAL
            ),
        ],
    )
    ledger.clock.advance_to(_july(3))

    previewed = await _preview(ledger, 1, _july(3), subscription_id="sub_2")
    added = await ledger.change_seats(1, _july(3), sequence=1, subscription_id="sub_2")

    assert {one.grant_schedule_id: one.amount_micros for one in added.credits} == {
        "sch_2": SHARE_FROM_3_JULY,
        "sch_3": 100 * CREDIT,
        "sch_4": 91_232_876,  # 100 × 333/365
    }
    assert sorted(previewed.credits, key=str) == sorted(added.credits, key=str)
    assert [one.credit_type_id for one in added.credits if one.grant_schedule_id == "sch_3"] == ["crt_image"]
    await ledger.assert_adds_up()


Changes = list[tuple[int, datetime]]


@pytest.mark.parametrize(
    ("earlier", "now", "delta", "effective"),
    [
        ([], _july(3), 1, _july(3)),
        ([], _july(20), 2, _july(3)),
        ([], _july(3), 1, datetime(2025, 6, 20, tzinfo=UTC)),
        ([], _july(3), -1, _july(3)),
        ([], JULY, 1, JULY),
        ([], JULY, 1, JULY - TICK),
        ([(1, _july(3)), (-1, _july(10))], _july(20), 1, _july(20)),
        ([(1, _july(3)), (-1, _july(10))], _july(20), 2, _july(12)),
        # Told late, a removal lowers what is due, but takes nothing back: the next seat is paid for by that.
        ([(1, _july(10)), (-1, _july(5))], _july(12), 1, _july(12)),
        ([(1, _july(10)), (-1, _july(5))], _july(12), 2, _july(12)),
        ([(2, _july(25))], _july(12), 1, _july(12)),
    ],
)
async def test_what_a_change_is_said_to_grant_it_grants(
    ledger: RunningLedger, sql: Sql, earlier: Changes, now: datetime, delta: int, effective: datetime
) -> None:
    for sequence, (one, at) in enumerate(earlier, start=1):
        ledger.clock.advance_to(max(at, ledger.clock.now()) if at < now else ledger.clock.now())
        await ledger.change_seats(one, at, sequence=sequence)
    ledger.clock.advance_to(now)
    await ledger.pool()
    before = await sql.everything()

    previewed = await _preview(ledger, delta, effective)

    assert await sql.everything() == before
    applied = await ledger.change_seats(delta, effective, sequence=9)
    assert sum(_told(previewed)) == sum(_told(applied))
    await ledger.assert_adds_up()


@pytest.mark.parametrize("delta", [1, -1])
@pytest.mark.parametrize("effective", [_july(3), JULY, AUGUST, AUGUST - TICK])
async def test_what_a_change_dated_ahead_is_said_to_grant_it_grants_in_its_period(
    ledger: RunningLedger, delta: int, effective: datetime
) -> None:
    previewed = await _preview(ledger, delta, effective)
    await ledger.change_seats(delta, effective, sequence=1)

    ledger.clock.advance_to(effective)
    pool = await ledger.pool()

    assert pool.available_micros == 400 * CREDIT + sum(_told(previewed)) - (
        100 * CREDIT if delta < 0 and effective in (JULY, AUGUST) else 0
    )
    assert [one.grant_schedule_id for one in previewed.credits] == ["sch_1"]
    await ledger.assert_adds_up()


async def test_golden_a_count_for_july_is_not_moved_by_a_later_one_for_june(ledger: RunningLedger) -> None:
    told = await ledger.change_seats(0, JULY, sequence=1, new_quantity=2)
    ledger.clock.advance_to(JUNE + 9 * DAY)
    previewed = await _preview(ledger, 0, JUNE + 9 * DAY, new_quantity=5)
    added = await ledger.change_seats(0, JUNE + 9 * DAY, sequence=2, new_quantity=5)

    assert (_told(told), _told(previewed), _told(added)) == ([], [70 * CREDIT], [70 * CREDIT])
    assert (await ledger.pool()).available_micros == 470 * CREDIT
    ledger.clock.advance_to(JULY)
    assert (await ledger.pool()).available_micros == 200 * CREDIT
    await ledger.assert_adds_up()


async def test_a_count_that_changes_nothing_yet_still_holds_against_what_comes_later(
    ledger: RunningLedger,
) -> None:
    await ledger.change_seats(0, JULY, sequence=1, new_quantity=4)

    await ledger.change_seats(-1, JUNE, sequence=2)

    ledger.clock.advance_to(JULY)
    assert (await ledger.pool()).available_micros == 400 * CREDIT


async def test_unknown_seats_are_faults(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="cus_nobody"):
        await ledger.change_seats(1, JULY, sequence=1, customer_id="cus_nobody")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="cus_nobody"):
        await _preview(ledger, 1, JULY, customer_id="cus_nobody")
    with fault(StatusCode.NOT_FOUND, "SUBSCRIPTION_NOT_FOUND", subscription_id="sub_9"):
        await ledger.change_seats(1, JULY, sequence=1, subscription_id="sub_9")
    with fault(StatusCode.NOT_FOUND, "SUBSCRIPTION_NOT_FOUND", subscription_id="sub_9"):
        await _preview(ledger, 1, JULY, subscription_id="sub_9")


async def test_every_bad_field_is_named_at_once(ledger: RunningLedger) -> None:
    common = ("customer_id", "subscription_id", "effective_time", "quantity_delta")
    with bad_fields("request_id", "seat_change_id", "sequence", *common):
        await ledger.peer.ApplySeatChange(peer_pb.ApplySeatChangeRequest())
    with bad_fields(*common):
        await ledger.peer.PreviewSeatChange(peer_pb.PreviewSeatChangeRequest())
    for delta in (1_000_001, -1_000_001):
        with bad_fields("quantity_delta"):
            await _preview(ledger, delta, JULY)


async def test_another_change_under_the_sequence_of_one_is_refused(ledger: RunningLedger) -> None:
    await ledger.change_seats(1, JULY, sequence=1)

    with bad_fields("sequence"):
        await ledger.change_seats(1, JULY, sequence=1, seat_change_id="chg_other")

    assert _told(await ledger.change_seats(1, JULY, sequence=2)) == []


async def test_more_seats_removed_than_there_are_stop_neither_credits_nor_calls(
    ledger: RunningLedger,
) -> None:
    await ledger.change_seats(-9, JUNE, sequence=1)
    ledger.clock.advance_to(JULY)

    assert (await ledger.pool()).available_micros == 0
    await ledger.top_up(5)
    await ledger.debit(5)
    await ledger.assert_adds_up()


async def _void(ledger: RunningLedger, seat_change_id: str = "chg_1", **more: str) -> None:
    told = {
        "request_id": "ntc_void",
        "customer_id": "cus_acme",
        "subscription_id": "sub_1",
        "seat_change_id": seat_change_id,
        **more,
    }
    await ledger.peer.VoidSeatChange(peer_pb.VoidSeatChangeRequest(**told))


async def test_a_void_seat_brings_nothing_when_it_would_have_taken_effect(ledger: RunningLedger) -> None:
    await ledger.change_seats(2, _july(3), sequence=1)
    await ledger.change_seats(1, _july(3), sequence=2)

    await _void(ledger)
    await _void(ledger)
    ledger.clock.advance_to(_july(3))

    assert (await ledger.pool()).available_micros == 400 * CREDIT + SHARE_FROM_3_JULY
    ledger.clock.advance_to(AUGUST)
    assert (await ledger.pool()).available_micros == 500 * CREDIT
    await ledger.assert_adds_up()


@pytest.mark.parametrize(("spent", "left"), [(0, 400), (450, 0), (493, 0)])
async def test_a_void_that_arrives_late_takes_back_what_is_unspent_of_what_the_change_brought(
    ledger: RunningLedger, spent: int, left: int
) -> None:
    await ledger.change_seats(1, _july(3), sequence=1)
    ledger.clock.advance_to(_july(3))
    if spent:
        await ledger.debit(spent)

    await _void(ledger)

    assert (await ledger.pool()).available_micros == left * CREDIT
    ledger.clock.advance_to(AUGUST)
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_a_void_of_an_unknown_change_is_ignored(ledger: RunningLedger) -> None:
    await ledger.change_seats(1, _july(3), sequence=1)

    await _void(ledger, "chg_other")
    await _void(ledger, subscription_id="sub_other")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await _void(ledger, customer_id="cus_other")
    with bad_fields("subscription_id", "seat_change_id"):
        await ledger.peer.VoidSeatChange(
            peer_pb.VoidSeatChangeRequest(request_id="ntc_2", customer_id="cus_acme")
        )

    ledger.clock.advance_to(_july(3))
    assert (await ledger.pool()).available_micros == 400 * CREDIT + SHARE_FROM_3_JULY
