# SPDX-License-Identifier: Apache-2.0
"""ApplyContract with schedules in every rhythm, with ends, editions and rollovers."""

from datetime import UTC, datetime, timedelta

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.ledger import AUGUST, CREDIT, JULY, JUNE, RunningLedger, a_schedule
from tests.support.ledger_sql import Sql
from tests.support.reported import an_event, record

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
HALF = peer_pb.RolloverTerms(fraction_millionths=500_000, duration=1)


def an_edition(at: datetime, **more: object) -> peer_pb.ScheduleEdition:
    terms: dict[str, object] = {
        "effective_time": timestamp(at),
        "unit_amount_micros": 250 * CREDIT,
        "priority": 1,
        "prorates_increases": True,
        "period_proration": peer_pb.PERIOD_PRORATION_FIRST_AND_LAST,
        "commit_duration": 1,
    }
    return peer_pb.ScheduleEdition(**(terms | more))  # type: ignore[arg-type]


async def replace_schedule(ledger: RunningLedger, *, version: int = 2, **terms: object) -> None:
    """Sign a second contract of acme, whose only schedule is sch_2, and end the first; or send it again."""
    if version == 2:
        await ledger.apply_contract(start=JUNE, end=JUNE, version=2)
    await ledger.apply_contract(
        contract_id="con_2",
        start=JUNE,
        version=version,
        subscriptions=[],
        schedules=[a_schedule(grant_schedule_id="sch_2", subscription_id="", **terms)],
    )


async def available(ledger: RunningLedger) -> int:
    pool = await ledger.pool()
    await ledger.assert_adds_up()
    return pool.available_micros


async def included(ledger: RunningLedger) -> list[pb.Grant]:
    return [one for one in await ledger.grants() if one.grant_schedule_id == "sch_2"]


async def test_credits_of_every_second_week_come_at_their_instant(ledger: RunningLedger) -> None:
    await replace_schedule(ledger, frequency=peer_pb.GRANT_FREQUENCY_WEEKLY, interval_count=2)
    await ledger.debit(30)

    ledger.clock.advance_to(JUNE + 14 * DAY - TICK)
    assert await available(ledger) == 70 * CREDIT
    ledger.clock.advance_to(JUNE + 14 * DAY)
    assert await available(ledger) == 100 * CREDIT
    ledger.clock.advance_to(JULY)
    starts = [one.effective_time.ToDatetime(UTC) for one in await included(ledger)]
    assert starts == [JUNE, JUNE + 14 * DAY, JUNE + 28 * DAY]


async def test_days_and_quarters_are_granted_to_the_first_who_asks(ledger: RunningLedger) -> None:
    await replace_schedule(ledger, frequency=peer_pb.GRANT_FREQUENCY_DAILY)
    await replace_schedule(ledger, frequency=peer_pb.GRANT_FREQUENCY_DAILY, version=3)

    ledger.clock.advance_to(JULY)
    await ledger.debit(100)

    assert await available(ledger) == 0
    assert len(await included(ledger)) == 31
    ledger.clock.advance_to(JULY + DAY)
    assert await available(ledger) == 100 * CREDIT


async def test_an_edition_changes_the_periods_that_begin_later(ledger: RunningLedger) -> None:
    await replace_schedule(ledger)
    ledger.clock.advance_to(JUNE + 10 * DAY)
    edition = an_edition(JUNE + 10 * DAY + TICK, commit_duration=2)
    await replace_schedule(ledger, version=3, editions=[edition])

    assert await available(ledger) == 100 * CREDIT
    ledger.clock.advance_to(JULY)
    assert await available(ledger) == 250 * CREDIT
    ledger.clock.advance_to(AUGUST)
    assert await available(ledger) == 500 * CREDIT


async def test_a_schedule_that_has_ended_grants_no_more_though_its_contract_goes_on(
    ledger: RunningLedger,
) -> None:
    await replace_schedule(ledger)
    await replace_schedule(ledger, version=3, end_time=timestamp(JULY + 10 * DAY))

    ledger.clock.advance_to(JULY)
    assert await available(ledger) == 32_258_064  # 100 × 10/31
    ledger.clock.advance_to(AUGUST)
    assert await available(ledger) == 0
    await ledger.top_up(5)
    await ledger.debit(5)


async def test_half_of_what_is_left_lives_on_for_a_month(ledger: RunningLedger) -> None:
    await replace_schedule(ledger, rollover=HALF)
    await ledger.debit(1)

    ledger.clock.advance_to(JULY)

    assert await available(ledger) == 149_500_000
    june, july, rolled = sorted(
        await ledger.grants(), key=lambda one: (one.grant_kind, one.create_time.seconds)
    )[-3:]
    assert (rolled.grant_kind, rolled.granted_micros) == (pb.GRANT_KIND_ROLLOVER, 49_500_000)
    assert (rolled.rolled_from_grant_id, june.rolled_over_micros) == (june.grant_id, 49_500_000)
    assert (june.expired_micros, july.granted_micros) == (99 * CREDIT, 100 * CREDIT)
    assert rolled.expire_time.ToDatetime(UTC) == AUGUST
    kinds = [(one.entry_kind, one.amount_micros, one.grant_id) for one in (await ledger.entries())[:3]]
    assert kinds == [
        (admin.ENTRY_KIND_GRANT, 100 * CREDIT, july.grant_id),
        (admin.ENTRY_KIND_GRANT, 49_500_000, rolled.grant_id),
        (admin.ENTRY_KIND_EXPIRY, -99 * CREDIT, june.grant_id),
    ]
    ledger.clock.advance_to(AUGUST)
    assert await available(ledger) == 150 * CREDIT


async def test_usage_of_june_reported_in_july_takes_first_what_has_not_rolled_over(
    ledger: RunningLedger,
) -> None:
    cap = peer_pb.RolloverTerms(fraction_millionths=1_000_000, cap_micros=40 * CREDIT, duration=1)
    await replace_schedule(ledger, rollover=cap)
    ledger.clock.advance_to(JULY + timedelta(hours=1))
    assert await available(ledger) == 140 * CREDIT

    await record(ledger, an_event("tx-1", "4", at=JULY - DAY))  # 48 of the 60 that did not roll over
    assert await available(ledger) == 140 * CREDIT
    await record(ledger, an_event("tx-2", "2", at=JULY - DAY))  # the other 12, and 12 of what is active now
    assert await available(ledger) == 128 * CREDIT


async def test_a_recount_finds_a_rollover_that_no_grant_has(ledger: RunningLedger, sql: Sql) -> None:
    await replace_schedule(ledger, rollover=HALF)
    ledger.clock.advance_to(JULY)
    assert await available(ledger) == 150 * CREDIT

    await sql.execute("UPDATE ledger.grants SET rolled_over_micros = 1 WHERE rolled_over_micros > 0")

    found = await ledger.admin.VerifyLedger(admin.VerifyLedgerRequest())
    assert [(one.figure, one.stored_micros, one.recomputed_micros) for one in found.discrepancies] == [
        ("rolled_over_micros", 1, 50 * CREDIT)
    ]
