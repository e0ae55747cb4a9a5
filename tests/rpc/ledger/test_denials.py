# SPDX-License-Identifier: Apache-2.0
"""A replica denies again without reading the account again, and never longer than the denial is right."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.rpc.ledger.test_void_usage import void
from tests.support import leases
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate, running_ledger, two_ledgers
from tests.support.postgres import Databases
from tests.support.reported import an_event, record

Ask = Callable[[RunningLedger], Awaitable[Any]]
Change = Callable[[RunningLedger], Awaitable[object]]

INSTANT = timedelta(microseconds=1)
UNITS = 1_000_000


@pytest.fixture
async def replicas(databases: Databases) -> AsyncIterator[tuple[RunningLedger, RunningLedger]]:
    async with two_ledgers(databases) as both:
        yield both


def _reads() -> float:
    """Return how often accounts were read to decide, by all replicas."""
    return REGISTRY.get_sample_value("ledger_step_seconds_count", {"step": "read"}) or 0.0


async def _assert_denied_from_memory(ledger: RunningLedger, ask: Ask) -> None:
    """Deny once by what is read, and then by what is remembered of it."""
    first = await ask(ledger)
    reads = _reads()
    second = await ask(ledger)

    assert first.decision == pb.DECISION_DENIED
    assert second == first
    assert _reads() == reads


def _debit(credits: int) -> Ask:
    return lambda ledger: ledger.debit(credits, user="ann")


def _authorize(credits: int) -> Ask:
    return lambda ledger: ledger.authorize(credits, user="ann")


async def _top_up(ledger: RunningLedger) -> Change:
    return lambda other: other.top_up(100)


async def _release(ledger: RunningLedger) -> Change:
    hold_id = (await ledger.authorize(300)).hold_id
    return lambda other: other.release(hold_id)


async def _capture(ledger: RunningLedger) -> Change:
    hold_id = (await ledger.authorize(300)).hold_id
    return lambda other: other.capture(hold_id, 0)


async def _end_a_lease(ledger: RunningLedger) -> Change:
    lease_id = (await leases.take(ledger, 300)).lease_id
    return lambda other: leases.end(other, lease_id)


async def _leave_a_group(ledger: RunningLedger) -> Change:
    group = await ledger.set_group("Support", "ann", "bob")
    of_group = {"group_key": "", "scope": pb.CAP_SCOPE_GROUP, "cap_group_id": group.cap_group_id}
    await ledger.set_cap(5, **of_group)
    return lambda other: other.set_group("Support", "bob", cap_group_id=group.cap_group_id)


async def _void_usage(ledger: RunningLedger) -> Change:
    await record(ledger, an_event("tx-1", "30"))
    return lambda other: void(other, "tx-1")


async def _lift_cap(ledger: RunningLedger) -> Change:
    cap_id = (await ledger.set_cap(5, user="ann")).spend_cap_id
    return lambda other: other.lift_cap(cap_id)


async def _raise_cap(ledger: RunningLedger) -> Change:
    await ledger.set_cap(5, user="ann")
    return lambda other: other.set_cap(6, user="ann")


async def _lift_concurrency_cap(ledger: RunningLedger) -> Change:
    cap_id = (await ledger.set_concurrency_cap(1)).concurrency_cap_id
    await ledger.authorize(1)
    return lambda other: other.lift_concurrency_cap(cap_id)


async def _end_a_call_in_flight(ledger: RunningLedger) -> Change:
    await ledger.set_concurrency_cap(1)
    hold_id = (await ledger.authorize(1)).hold_id
    return lambda other: other.release(hold_id)


async def _begin_shadow_mode(ledger: RunningLedger) -> Change:
    return lambda other: other.set_shadow()


async def _add_a_seat(ledger: RunningLedger) -> Change:
    return lambda other: other.change_seats(1, JUNE, sequence=1)


async def _allow_overage(ledger: RunningLedger) -> Change:
    limit = peer_pb.OverageLimit(credit_type_id=AI, cap_micros=100 * CREDIT)
    policy = peer_pb.OveragePolicy(limits=[limit])
    return lambda other: other.apply_contract(start=JUNE, version=2, overage=policy)


async def _cut_the_price(ledger: RunningLedger) -> Change:
    return lambda other: other.tell_card(a_rate(price_micros=10 * CREDIT), version=2)


@pytest.mark.parametrize(
    ("ask", "prepare"),
    [
        (_debit(500), _top_up),
        (_authorize(101), _release),
        (_debit(101), _capture),
        (_authorize(101), _end_a_lease),
        (_debit(41), _void_usage),
        (_debit(6), _leave_a_group),
        (_debit(6), _lift_cap),
        (_authorize(6), _raise_cap),
        (_authorize(1), _lift_concurrency_cap),
        (_authorize(1), _end_a_call_in_flight),
        (_debit(500), _begin_shadow_mode),
        (_authorize(500), _add_a_seat),
        (_debit(500), _allow_overage),
        (lambda ledger: ledger.debit(0, quantity_micros=40 * UNITS), _cut_the_price),
    ],
)
async def test_a_denial_ends_with_what_another_replica_changes(
    replicas: tuple[RunningLedger, RunningLedger],
    ask: Ask,
    prepare: Callable[[RunningLedger], Awaitable[Change]],
) -> None:
    first, second = replicas
    change = await prepare(first)
    await _assert_denied_from_memory(first, ask)

    await change(second)

    assert (await ask(first)).decision == pb.DECISION_ALLOWED
    await first.assert_adds_up()


async def _hold_all(ledger: RunningLedger) -> datetime:
    await ledger.authorize(400)
    return JUNE + timedelta(minutes=5)


async def _spend_all(ledger: RunningLedger) -> datetime:
    await ledger.debit(400)
    return JULY


async def _reach_the_cap_of_a_day(ledger: RunningLedger) -> datetime:
    await ledger.set_cap(1, user="ann", window=apb.CAP_WINDOW_DAY)
    await ledger.debit(1, user="ann")
    return JUNE + timedelta(days=1)


async def _reach_the_cap_of_any_hour(ledger: RunningLedger) -> datetime:
    await ledger.set_cap(1, user="ann", window=apb.CAP_WINDOW_ROLLING, window_hours=1)
    await ledger.debit(1, user="ann")
    return JUNE + timedelta(hours=1, minutes=1)  # it rolls by the minute


async def _lease_all(ledger: RunningLedger) -> datetime:
    await leases.take(ledger, 400)
    return JUNE + timedelta(seconds=40)  # its ttl and grace


async def _price_of_tomorrow(ledger: RunningLedger) -> datetime:
    await ledger.debit(399)
    begin = JUNE + timedelta(days=1)
    dear, cheap = a_rate(end=begin), a_rate(start=begin, price_micros=CREDIT)
    await ledger.tell_card(dear, cheap, version=2)
    return begin


async def _grant_for_tomorrow(ledger: RunningLedger) -> datetime:
    await ledger.debit(400)
    begin = JUNE + timedelta(days=1)
    await ledger.top_up(1, effective_time=timestamp(begin))
    return begin


@pytest.mark.parametrize(
    ("ask", "prepare"),
    [
        (_debit(1), _hold_all),
        (_debit(1), _lease_all),
        (_debit(1), _spend_all),
        (_debit(1), _reach_the_cap_of_a_day),
        (_debit(1), _reach_the_cap_of_any_hour),
        (_debit(1), _grant_for_tomorrow),
        (lambda ledger: ledger.debit(0, quantity_micros=UNITS), _price_of_tomorrow),
    ],
)
async def test_a_denial_ends_at_the_instant_at_which_the_clock_ends_it(
    ledger: RunningLedger, ask: Ask, prepare: Callable[[RunningLedger], Awaitable[datetime]]
) -> None:
    end = await prepare(ledger)
    await _assert_denied_from_memory(ledger, ask)
    ledger.clock.advance_to(end - INSTANT)
    await _assert_denied_from_memory(ledger, ask)

    ledger.clock.advance_to(end)

    assert (await ask(ledger)).decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_who_has_no_seat_is_denied_until_another_replica_assigns_one_or_its_time_comes(
    databases: Databases,
) -> None:
    async with (
        running_ledger(databases) as first,
        running_ledger(databases, clock=first.clock) as second,
    ):
        await first.sell_assistant()
        await first.sign_named_seats()
        tomorrow = JUNE + timedelta(days=1)
        await first.assign("bob", sequence=1, at=tomorrow)
        for user in ("ann", "bob"):
            await _assert_denied_from_memory(first, lambda ledger, user=user: ledger.debit(1, user=user))

        await second.assign("ann", sequence=2)
        decisions = [(await first.debit(1, user=user)).decision for user in ("ann", "bob")]
        first.clock.advance_to(tomorrow)
        decisions.append((await first.debit(1, user="bob")).decision)

        await first.assert_adds_up()
    assert decisions == [pb.DECISION_ALLOWED, pb.DECISION_DENIED, pb.DECISION_ALLOWED]


@pytest.mark.parametrize("is_hold", [True, False])
async def test_a_suspension_that_another_replica_lifts_denies_nothing_afterwards(
    replicas: tuple[RunningLedger, RunningLedger], is_hold: bool
) -> None:
    first, second = replicas
    hold_id = (await first.authorize(1)).hold_id
    ask: Ask = (lambda ledger: ledger.extend(hold_id, 1)) if is_hold else _debit(1)
    await second.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    denied = [await ask(first) for _ in range(2)]

    await second.tell_customer("cus_acme", "acme", version=3)

    assert {one.denial_reason for one in denied} == {pb.DENIAL_REASON_CUSTOMER_SUSPENDED}
    assert (await ask(first)).decision == pb.DECISION_ALLOWED


async def test_a_request_that_took_the_last_credits_is_repeated_and_not_denied(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    taken = await second.debit(400, request_id="the-last")
    await _assert_denied_from_memory(first, _debit(400))

    assert await first.debit(400, request_id="the-last") == taken
    assert await second.debit(400, request_id="the-last") == taken


async def test_a_hold_that_could_not_be_extended_can_be_when_another_replica_has_granted_more(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    hold_id = (await first.authorize(300)).hold_id
    await _assert_denied_from_memory(first, lambda ledger: ledger.extend(hold_id, 101))

    await second.top_up(1)

    assert (await first.extend(hold_id, 101)).held_micros == 401 * CREDIT
