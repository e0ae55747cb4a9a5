# SPDX-License-Identifier: Apache-2.0
"""LOW_SEAT_BALANCE: what is left to one named seat, or to each."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, running_ledger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert

SEAT = {"watch_kind": peer_pb.WATCH_KIND_LOW_SEAT_BALANCE, "group_key": "user_id"}
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


@pytest.fixture
async def named(databases: Databases, alert: RecordingAlert) -> AsyncIterator[RunningLedger]:
    """On 1 June: acme's 3 named seats have 100 credits a month each; ann and bob have two of them."""
    async with running_ledger(databases, alert_address=alert.address) as running:
        await running.sell_assistant()
        await running.sign_named_seats(seats=3)
        await running.assign("ann", "bob", sequence=1)
        yield running


async def told(ledger: RunningLedger, alert: RecordingAlert) -> list[tuple[str, bool, int]]:
    """Return what Alert has heard, all that waits included: of which seat, in alarm, whole credits."""
    await ledger.flush()
    return [(one.group_value, one.in_alarm, one.value_micros // CREDIT) for one in alert.heard]


async def test_one_seat_is_told_of_at_the_threshold_and_beyond_its_rearm_level(
    named: RunningLedger, alert: RecordingAlert
) -> None:
    await named.watch(20, group_value="ann", rearm_micros=25 * CREDIT, **SEAT)
    assert await told(named, alert) == [("ann", False, 100)]

    await named.debit(100, user="bob")
    await named.debit(79, user="ann")
    assert len(await told(named, alert)) == 1
    await named.debit(1, user="ann")
    await named.debit(5, user="ann")
    assert (await told(named, alert))[1:] == [("ann", True, 20)]


@pytest.mark.parametrize("customer_id", ["cus_acme", ""])
async def test_each_seat_has_its_own_alarm_which_the_next_period_resolves_though_nobody_asks(
    named: RunningLedger, alert: RecordingAlert, customer_id: str
) -> None:
    await named.watch(20, customer_id=customer_id, **SEAT)
    first = [("", False, 0)] if customer_id else []
    await named.debit(81, user="bob")
    await named.debit(80, user="ann")
    assert await told(named, alert) == [*first, ("bob", True, 19), ("ann", True, 20)]

    named.clock.advance_to(JULY - TICK)
    assert len(await told(named, alert)) == len(first) + 2
    named.clock.advance_to(JULY)
    assert sorted((await told(named, alert))[len(first) + 2 :]) == [("ann", False, 100), ("bob", False, 100)]
    assert alert.heard[-1].observe_time == timestamp(JULY)


@pytest.mark.parametrize("customer_id", ["cus_acme", ""])
async def test_a_new_watch_finds_the_seats_that_are_low(
    named: RunningLedger, alert: RecordingAlert, customer_id: str
) -> None:
    await named.debit(80, user="ann")
    await named.debit(79, user="bob")

    await named.watch(20, customer_id=customer_id, **SEAT)

    first = [("", False, 0)] if customer_id else []
    assert await told(named, alert) == [*first, ("ann", True, 20)]


async def test_holds_do_not_make_a_seat_low_until_they_are_captured(
    named: RunningLedger, alert: RecordingAlert
) -> None:
    await named.watch(20, group_value="ann", **SEAT)
    hold = await named.authorize(90, user="ann")
    assert len(await told(named, alert)) == 1

    await named.capture(hold.hold_id)

    assert (await told(named, alert))[1:] == [("ann", True, 10)]


async def test_whoever_gets_a_seat_with_little_left_is_told_of_when_it_is_used(
    named: RunningLedger, alert: RecordingAlert
) -> None:
    await named.watch(20, group_value="carol", **SEAT)
    await named.debit(90, user="ann")
    named.clock.advance_to(JUNE + DAY)
    await named.flush()
    assert await told(named, alert) == []  # carol has no seat

    await named.change_seats(
        0,
        JUNE + DAY,
        sequence=2,
        transfers=[peer_pb.SeatTransfer(from_seat_id="ann", to_seat_id="carol")],
    )

    await named.debit(1, user="carol")

    assert await told(named, alert) == [("carol", True, 9)]


async def test_a_seat_watch_needs_its_key(named: RunningLedger) -> None:
    with bad_fields("group_key"):
        await named.watch(20, watch_kind=peer_pb.WATCH_KIND_LOW_SEAT_BALANCE)
