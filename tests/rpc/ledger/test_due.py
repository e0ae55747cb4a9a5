# SPDX-License-Identifier: Apache-2.0
"""What the clock alone makes so: the same whether somebody asks, the sweeper looks, or the sandbox jumps."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from meshkit.clock import ManualClock
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import span, timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.sandbox.v1 import clock_pb2, clock_pb2_grpc
from tests.support.ledger import AUGUST, CREDIT, JULY, JUNE, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


def _july(day: int) -> datetime:
    return datetime(2025, 7, day, tzinfo=UTC)


class Steps:
    """Moves the clock from one thing to do to the next; `sweeps` looks at what is due several times on the way."""

    def __init__(self, ledger: RunningLedger, *, sweeps: bool) -> None:
        self._ledger = ledger
        self._sweeps = sweeps

    async def to(self, at: datetime) -> None:
        clock = self._ledger.clock
        while self._sweeps and clock.now() + DAY / 2 < at:
            clock.advance(DAY / 2)
            await self._ledger.app.run_due(clock.now())
        clock.advance_to(at)


async def _summer(ledger: RunningLedger, *, sweeps: bool) -> None:
    """Seats that come and go, top-ups that begin and end, holds across the month's end, alarms, a lean August."""
    steps = Steps(ledger, sweeps=sweeps)
    await ledger.sell_assistant()
    await ledger.sign_acme(end=datetime(2025, 9, 10, tzinfo=UTC))
    await ledger.watch(150)
    await ledger.watch(200, alert_id="alr_2", watch_kind=peer_pb.WATCH_KIND_SPEND, group_key="user_id")
    await ledger.change_seats(1, _july(3), sequence=1)
    await ledger.change_seats(-2, _july(10), sequence=2)
    await ledger.top_up(
        100, request_id="ahead", effective_time=timestamp(_july(5)), expire_time=timestamp(_july(15))
    )
    await ledger.debit(250, user="ann", request_id="june")
    await steps.to(JULY - timedelta(hours=1))
    hold = await ledger.authorize(120, user="ann", request_id="across", hold_ttl=span(DAY))
    await ledger.authorize(20, user="bob", request_id="forgotten", hold_ttl=span(DAY))
    await steps.to(JULY + timedelta(hours=1))
    await ledger.capture(hold.hold_id, 50, request_id="captured")
    await steps.to(_july(20))
    await ledger.debit(250, user="bob", request_id="july")
    await steps.to(AUGUST + DAY * 19)
    await ledger.debit(10, request_id="august")
    await steps.to(datetime(2025, 9, 20, tzinfo=UTC))


def _lines(entries: list[admin.Entry], grants: list[pb.Grant]) -> list[dict[str, Any]]:
    """Entries in order, without when they happened to be written, grants and holds by number."""
    number = {grant.grant_id: n for n, grant in enumerate(sorted(grants, key=_age))}
    return [
        {
            "sequence": one.sequence,
            "kind": admin.EntryKind.Name(one.entry_kind),
            "amount": one.amount_micros,
            "grant": number[one.grant_id],
            "at": one.effective_time.ToDatetime(UTC),
            "cause": number.get(one.cause_id, one.cause_id),
        }
        for one in reversed(entries)
    ]


def _age(grant: pb.Grant) -> tuple[datetime, int]:
    return grant.effective_time.ToDatetime(UTC), grant.priority


async def test_a_summer_is_the_same_whether_read_late_or_swept_twice_a_day(
    databases: Databases, sql: Sql
) -> None:
    told = []
    for sweeps in (False, True):
        async with (
            RecordingAlert() as alert,
            running_ledger(databases, alert_address=alert.address) as ledger,
        ):
            await _summer(ledger, sweeps=sweeps)
            entries, grants = await ledger.entries(page_size=500), await ledger.grants()
            await ledger.flush()
            await ledger.assert_adds_up()
        crossings = [
            (one.alert_id, one.group_value, one.in_alarm, one.value_micros, one.observe_time.ToDatetime(UTC))
            for one in alert.heard
        ]
        told.append((_lines(entries, grants), sorted(crossings, key=lambda one: (one[4], one))))
        await sql.forget_everything()

    late, swept = told
    assert late == swept
    lines, crossings = late
    assert {line["kind"] for line in lines} == {
        "ENTRY_KIND_GRANT",
        "ENTRY_KIND_SEAT_ADJUSTMENT",
        "ENTRY_KIND_CAPTURE",
        "ENTRY_KIND_EXPIRY",
    }
    assert {(alert_id, in_alarm) for alert_id, _, in_alarm, _, _ in crossings} == {
        ("alr_1", False),
        ("alr_1", True),
        ("alr_2", False),
        ("alr_2", True),
    }


async def test_the_sweeper_looks_without_being_asked(databases: Databases, sql: Sql) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme()

    async with running_ledger(databases, at=JULY):
        await sql.until("SELECT count(*) = 2 FROM ledger.grants")

    assert await sql.value("SELECT next_due_time FROM ledger.pools") == AUGUST


async def test_a_pool_that_cannot_be_swept_does_not_keep_others_from_it(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    await ledger.top_up(5, customer="globex", expire_time=timestamp(JULY + DAY))
    await ledger.authorize(10)
    await sql.execute("UPDATE ledger.holds SET draw_micros = '{99000000}'")  # more than its grant holds
    ledger.clock.advance_to(JULY + DAY)

    with pytest.raises(AssertionError):
        await ledger.app.run_due(ledger.clock.now())

    swept = await sql.rows("SELECT expired_micros FROM ledger.grants WHERE customer_id = 'cus_globex'")
    assert swept == [{"expired_micros": 5 * CREDIT}]


async def test_a_sandbox_jumps_over_months_and_stands_there_after_a_restart(databases: Databases) -> None:
    at = datetime(2025, 9, 15, tzinfo=UTC)
    async with running_ledger(databases, sandbox=True) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        async with open_channel(ledger.address) as channel:
            clock = clock_pb2_grpc.ClockServiceStub(channel)
            await clock.AdvanceTime(clock_pb2.AdvanceTimeRequest(new_time=timestamp(at), local_only=True))
        swept = await ledger.entries()
    async with running_ledger(databases, sandbox=True) as restarted:
        grants = await restarted.grants()
        pool = await restarted.pool()

    assert [one.entry_kind for one in reversed(swept)] == [
        *(admin.ENTRY_KIND_GRANT, admin.ENTRY_KIND_EXPIRY) * 3,
        admin.ENTRY_KIND_GRANT,
    ]
    assert restarted.clock.now() == at
    assert [one.effective_time.ToDatetime(UTC).month for one in grants] == [6, 7, 8, 9]
    assert pool.available_micros == 400 * CREDIT


async def test_the_clock_service_is_not_there_outside_the_sandbox(ledger: RunningLedger) -> None:
    async with open_channel(ledger.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await clock_pb2_grpc.ClockServiceStub(channel).GetTime(clock_pb2.GetTimeRequest())

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


class SteppingBack(ManualClock):
    """A system's clock that is set back for a while."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self._back = timedelta(0)

    def now(self) -> datetime:
        return super().now() - self._back

    @contextmanager
    def back_by(self, back: timedelta) -> Iterator[None]:
        self._back = back
        yield
        self._back = timedelta(0)


async def test_a_clock_set_back_over_the_months_end_breaks_nothing(databases: Databases) -> None:
    clock = SteppingBack(JUNE)
    async with running_ledger(databases, clock=clock) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        await ledger.set_cap(300, user="ann")
        await ledger.debit(100, user="ann")
        clock.advance_to(JULY + timedelta(seconds=1))
        await ledger.debit(200, user="ann")
        held = await ledger.authorize(50, user="ann")

        with clock.back_by(timedelta(seconds=2)):
            over_cap = await ledger.debit(51, user="ann")
            within = await ledger.debit(10, user="ann")
            captured = await ledger.capture(held.hold_id, 5)
            another = await ledger.authorize(20)
            balance = await ledger.pool()
            await ledger.top_up(7)
            await ledger.app.run_due(clock.now())
        after = await ledger.pool()
        released = await ledger.release(another.hold_id)

        assert over_cap.denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
        assert within.decision == another.decision == pb.DECISION_ALLOWED
        assert captured.captured_micros == 5 * CREDIT
        assert (balance.available_micros, balance.held_micros) == (165 * CREDIT, 20 * CREDIT)
        assert [one.available_micros for one in balance.grants] == [165 * CREDIT]
        assert (after.available_micros, released.available_micros) == (172 * CREDIT, 192 * CREDIT)
        assert (await ledger.debit(86, user="ann")).denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
        assert (await ledger.debit(85, user="ann")).decision == pb.DECISION_ALLOWED
        await ledger.assert_adds_up()


async def test_a_month_that_turns_between_two_asks_counts_for_the_second_only(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(JULY - TICK)
    june = await ledger.authorize(400)
    ledger.clock.advance_to(JULY)
    july = await ledger.authorize(400)

    assert june.decision == july.decision == pb.DECISION_ALLOWED
    balance = await ledger.pool()
    assert (balance.available_micros, balance.held_micros) == (0, 400 * CREDIT)
    assert [one.held_micros // CREDIT for one in await ledger.grants()] == [400, 400]
    ledger.clock.advance_to(JULY + timedelta(minutes=5))
    assert [one.held_micros // CREDIT for one in await ledger.grants()] == [0, 0]
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


@pytest.mark.parametrize("somebody_looked", [True, False])
async def test_an_end_told_inside_a_period_takes_nothing_of_it_back_whoever_looked_before(
    ledger: RunningLedger, somebody_looked: bool
) -> None:
    ledger.clock.advance_to(JULY + DAY)
    if somebody_looked:
        await ledger.pool()

    await ledger.apply_contract(start=JUNE, end=JULY + 2 * DAY, version=2)

    assert (await ledger.pool()).available_micros == 400 * CREDIT
    ledger.clock.advance_to(AUGUST)
    assert (await ledger.pool()).available_micros == 0
    await ledger.assert_adds_up()
