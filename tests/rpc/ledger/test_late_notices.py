# SPDX-License-Identifier: Apache-2.0
"""ApplySeatChange and ApplyContract that come late: every living grant follows, and a recount agrees."""

from datetime import UTC, datetime, timedelta

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, a_schedule, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
LAST_OF_JUNE = JULY - DAY
SECOND = JULY + DAY


async def _available(ledger: RunningLedger) -> int:
    pool = await ledger.pool()
    await ledger.assert_adds_up()
    return pool.available_micros


async def test_golden_a_seat_dated_back_reaches_every_grant_that_is_alive(databases: Databases) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.tell_customer("cus_acme", "acme")
        await ledger.apply_contract(start=JUNE, schedules=[a_schedule(commit_duration=3)])
        ledger.clock.advance_to(datetime(2025, 8, 5, tzinfo=UTC))
        asked = {"customer_id": "cus_acme", "subscription_id": "sub_1", "quantity_delta": 1}
        seat = timestamp(datetime(2025, 7, 16, tzinfo=UTC))

        previewed = await ledger.peer.PreviewSeatChange(
            peer_pb.PreviewSeatChangeRequest(effective_time=seat, **asked)  # type: ignore[arg-type]
        )
        added = await ledger.change_seats(1, datetime(2025, 7, 16, tzinfo=UTC), sequence=1)

        assert [one.amount_micros for one in added.credits] == [151_612_903]  # 100 × 16/31 + 100
        assert previewed.credits == added.credits
        granted = [one.granted_micros for one in await ledger.grants()]
        assert granted == [400 * CREDIT, 451_612_903, 500 * CREDIT]
        assert await _available(ledger) == 1_351_612_903


async def test_a_seat_given_up_in_june_and_told_in_july_voids_what_july_has_not_spent(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(SECOND)
    await ledger.debit(350)

    told = await ledger.change_seats(
        -1, LAST_OF_JUNE, sequence=1, accept_time=timestamp(LAST_OF_JUNE), request_id="late"
    )

    assert list(told.credits) == []
    newest = (await ledger.entries())[0]
    assert (newest.entry_kind, newest.amount_micros, newest.cause_id) == (
        admin.ENTRY_KIND_VOID,
        -50 * CREDIT,
        "sch_1",
    )
    assert await _available(ledger) == 0
    added = await ledger.change_seats(1, SECOND, sequence=2)
    # 300 for July's seats and 100 × 30/31 are 46.774193 more than the 350 that were spent.
    assert [one.amount_micros for one in added.credits] == [46_774_193]
    assert await _available(ledger) == 46_774_193


async def test_a_seat_given_up_after_the_month_began_takes_nothing_though_it_is_told_late(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(SECOND)

    await ledger.change_seats(-1, LAST_OF_JUNE, sequence=1, accept_time=timestamp(JULY))

    assert await _available(ledger) == 400 * CREDIT


async def test_without_a_time_of_acceptance_a_change_counts_from_its_arrival(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(SECOND)

    await ledger.change_seats(-1, LAST_OF_JUNE, sequence=1)
    # A clock ahead of the Ledger's does not delay it.
    await ledger.change_seats(1, SECOND, sequence=2, accept_time=timestamp(SECOND + 40 * DAY))

    assert await _available(ledger) == 400 * CREDIT
    ledger.clock.advance_to(datetime(2025, 8, 1, tzinfo=UTC))
    await ledger.change_seats(-1, datetime(2025, 8, 1, tzinfo=UTC), sequence=3)
    assert await _available(ledger) == 400 * CREDIT


async def test_what_is_taken_back_can_make_a_balance_low(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    watched.clock.advance_to(SECOND)
    await watched.watch(350)
    await watched.flush()
    before = len(alert.heard)

    await watched.change_seats(-1, LAST_OF_JUNE, sequence=1, accept_time=timestamp(LAST_OF_JUNE))
    await watched.flush()

    assert [one.in_alarm for one in alert.heard[before:]] == [True]


async def test_golden_a_contract_that_ends_on_11_july_brings_its_share_and_seats_bring_theirs(
    ledger: RunningLedger,
) -> None:
    await ledger.apply_contract(start=JUNE, end=JULY + 10 * DAY, version=2)
    ledger.clock.advance_to(SECOND)
    assert await _available(ledger) == 129_032_258  # 400 × 10/31

    added = await ledger.change_seats(1, SECOND, sequence=1)

    assert [one.amount_micros for one in added.credits] == [29_032_258]  # 100 × 9/31
    assert await _available(ledger) == 158_064_516


async def test_an_end_that_is_removed_brings_the_rest_of_the_month(ledger: RunningLedger) -> None:
    await ledger.apply_contract(start=JUNE, end=JULY + 10 * DAY, version=2)
    ledger.clock.advance_to(SECOND)

    await ledger.apply_contract(start=JUNE, version=3)

    assert await _available(ledger) == 400 * CREDIT
    ledger.clock.advance_to(datetime(2025, 8, 1, tzinfo=UTC))
    assert await _available(ledger) == 400 * CREDIT


async def test_an_end_accepted_in_june_and_told_in_july_voids_the_rest_of_july(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(SECOND)
    end, accepted = JULY + 10 * DAY, timestamp(JULY - TICK)

    await ledger.apply_contract(start=JUNE, end=end, version=2, accept_time=accepted)

    assert await _available(ledger) == 129_032_258


async def test_an_end_accepted_in_july_leaves_july_as_it_is(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(SECOND)

    await ledger.apply_contract(start=JUNE, end=JULY + 10 * DAY, version=2, accept_time=timestamp(JULY))

    assert await _available(ledger) == 400 * CREDIT


async def test_a_contract_that_ended_when_it_renewed_has_no_credits_of_the_new_month(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(SECOND)
    hold = await ledger.authorize(100)
    await ledger.debit(50)

    await ledger.apply_contract(start=JUNE, end=JULY, version=2)

    assert await _available(ledger) == 0
    newest = (await ledger.entries())[0]
    assert (newest.entry_kind, newest.amount_micros) == (admin.ENTRY_KIND_VOID, -250 * CREDIT)
    captured = await ledger.capture(hold.hold_id, 100)
    assert (captured.captured_micros, captured.shortfall_micros) == (100 * CREDIT, 0)
    await ledger.apply_contract(start=JUNE, version=3)
    assert await _available(ledger) == 250 * CREDIT


async def test_a_recount_finds_what_was_taken_back_without_an_entry(ledger: RunningLedger, sql: Sql) -> None:
    ledger.clock.advance_to(SECOND)
    await ledger.change_seats(-1, LAST_OF_JUNE, sequence=1, accept_time=timestamp(LAST_OF_JUNE))
    await ledger.assert_adds_up()

    await sql.execute("UPDATE ledger.grants SET taken_back_micros = 99000000 WHERE taken_back_micros > 0")

    found = await ledger.admin.VerifyLedger(admin.VerifyLedgerRequest())
    assert [(one.figure, one.stored_micros, one.recomputed_micros) for one in found.discrepancies] == [
        ("taken_back_micros", 99 * CREDIT, 100 * CREDIT)
    ]
