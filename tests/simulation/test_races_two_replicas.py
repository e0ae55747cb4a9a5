# SPDX-License-Identifier: Apache-2.0
"""Two replicas that both cache a pool's present state are called at the same instant: one guess holds, the other fails.

A replica caches a pool without changing it when it denies a request, because it then reads the whole pool.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc.aio import AioRpcError
from prometheus_client import REGISTRY

from meshkit.rpc.fields import timestamp
from meshkit.rpc.status import from_rpc_error
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as apb
from tests.support.ledger import CREDIT, JUNE, RunningLedger, a_rate, running_ledger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]

ALLOWED, DENIED = pb.DECISION_ALLOWED, pb.DECISION_DENIED
FAR_TOO_MUCH = 1_000_000

Replicas = tuple[RunningLedger, RunningLedger]
Race = Callable[[RunningLedger, str, dict[str, Any]], Awaitable[Any]]


@pytest.fixture
async def alert() -> AsyncIterator[RecordingAlert]:
    async with RecordingAlert() as listening:
        yield listening


@pytest.fixture
async def replicas(databases: Databases, alert: RecordingAlert) -> AsyncIterator[Replicas]:
    """Acme has 400 credits; both replicas cache it and ann's spend."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_ledger(databases, alert_address=alert.address))
        second = await stack.enter_async_context(
            running_ledger(databases, alert_address=alert.address, clock=first.clock)
        )
        await first.sell_assistant()
        await first.sign_acme()
        await _know(first, second)
        yield first, second
        await first.assert_adds_up()


async def _know(*ledgers: RunningLedger) -> None:
    """Let replicas cache the present state of acme's pool and ann's spend."""
    for ledger in ledgers:
        assert (await ledger.debit(FAR_TOO_MUCH, user="ann")).decision == DENIED


async def _know_hold(hold_id: str, *ledgers: RunningLedger, **of: str) -> None:
    for ledger in ledgers:
        assert (await ledger.extend(hold_id, FAR_TOO_MUCH, **of)).decision == DENIED


def _decided_again() -> dict[str, float]:
    """Return how many requests were decided again, by cause.

    A guess that another replica's write precedes is outrun, or finds the pool locked if that write takes longer.
    """
    causes = {"unknown", "due", "denied", "outrun", "locked", "behind"}
    counts = {
        one: REGISTRY.get_sample_value("ledger_decided_again_total", {"cause": one}) or 0 for one in causes
    }
    counts["outrun"] += counts.pop("locked")
    return counts


async def _outcome(call: Awaitable[Any]) -> Any:
    """Return an answer, or the reason of an error."""
    try:
        return await call
    except AioRpcError as error:
        return from_rpc_error(error).reason


async def test_of_two_guesses_on_one_pool_one_fails_and_is_decided_on_a_fresh_read(
    replicas: Replicas,
) -> None:
    before = _decided_again()

    answers = await asyncio.gather(*(replica.debit(300, user="ann") for replica in replicas))

    assert sorted(answer.decision for answer in answers) == [ALLOWED, DENIED]
    assert {answer.available_micros for answer in answers} == {100 * CREDIT}
    assert _decided_again() == before | {"outrun": before["outrun"] + 1}


RACES: dict[str, Race] = {
    "capture all": lambda ledger, hold_id, of: ledger.capture(hold_id, **of),
    "capture less": lambda ledger, hold_id, of: ledger.capture(hold_id, 30, **of),
    "capture more": lambda ledger, hold_id, of: ledger.capture(hold_id, 350, **of),
    "release": lambda ledger, hold_id, of: ledger.release(hold_id, **of),
    "extend": lambda ledger, hold_id, of: ledger.extend(hold_id, 200, **of),
    "lengthen": lambda ledger, hold_id, of: ledger.extend(hold_id, hold_ttl=Duration(seconds=3_600), **of),
    "debit": lambda ledger, hold_id, of: ledger.debit(200, **of),
}


@pytest.mark.parametrize("one", list(RACES))
async def test_of_two_calls_on_one_hold_the_second_sees_the_effect_of_the_first(
    replicas: Replicas, one: str
) -> None:
    first, second = replicas
    for number, other in enumerate(RACES):
        of: dict[str, Any] = {"customer": await _another_customer(first, number)}
        hold = await first.authorize(100, user="ann", **of)
        await _know_hold(hold.hold_id, *replicas, **of)
        before = _decided_again()

        told = await asyncio.gather(
            _outcome(RACES[one](first, hold.hold_id, of)), _outcome(RACES[other](second, hold.hold_id, of))
        )

        assert _decided_again() == before | {"outrun": before["outrun"] + 1}
        (pool,) = (await second.gate.GetBalance(pb.GetBalanceRequest(**of))).pools
        assert (*map(_told, told), pool.available_micros // CREDIT, pool.held_micros // CREDIT) in [
            (*ends, *left) for ends, left in _ends(one, other)
        ]


async def _another_customer(ledger: RunningLedger, number: int) -> str:
    """Apply a customer with 400 credits."""
    customer = f"cus_{number}"
    await ledger.tell_customer(customer)
    await ledger.apply_contract(customer_id=customer, start=JUNE, subscriptions=[], schedules=[])
    await ledger.top_up(400, customer=customer)
    return customer


def _told(answer: Any) -> Any:
    """Reduce an answer to the part that the race decides."""
    match answer:
        case pb.CaptureResponse():
            return answer.captured_micros // CREDIT, answer.shortfall_micros // CREDIT
        case pb.ReleaseResponse():
            return answer.released_micros // CREDIT
        case pb.ExtendHoldResponse():
            return answer.decision, answer.held_micros // CREDIT
        case pb.DebitResponse():
            return answer.debited_micros // CREDIT
        case _:
            return answer


def _ends(*kinds: str) -> list[tuple[tuple[Any, Any], tuple[int, int]]]:
    """Return the possible answers of the two, with what is then available and held, for both orders of the calls."""
    return [_one_after_the_other(kinds, order) for order in permutations((0, 1))]


def _one_after_the_other(kinds: tuple[str, ...], order: tuple[int, ...]) -> Any:
    available, held, is_open = 300, 100, True
    told: dict[int, Any] = {}
    for number in order:
        kind = kinds[number]
        if kind == "debit":
            told[number] = 200 if available >= 200 else 0
            available -= told[number]
        elif not is_open:
            told[number] = "HOLD_ALREADY_RESOLVED"
        elif kind == "extend":
            told[number] = (ALLOWED, held + 200) if available >= 200 else (DENIED, held)
            available, held = (available - 200, held + 200) if available >= 200 else (available, held)
        elif kind == "lengthen":
            told[number] = (ALLOWED, held)
        else:
            actual = {"capture all": held, "capture less": 30, "capture more": 350, "release": 0}[kind]
            captured = min(actual, held + available)
            told[number] = held if kind == "release" else (captured, actual - captured)
            available, held, is_open = available + held - captured, 0, False
    return (told[0], told[1]), (available, held)


async def test_a_watch_set_at_one_replica_is_crossed_at_the_other(
    replicas: Replicas, alert: RecordingAlert
) -> None:
    first, second = replicas
    await first.watch(100)
    await first.watch(150, alert_id="alr_all", customer_id="")
    await first.watch(
        200, alert_id="alr_ann", watch_kind=apb.WATCH_KIND_SPEND, group_key="user_id", group_value="ann"
    )
    assert [one.in_alarm for one in await alert.until_heard(2)] == [False, False]
    await _know(first)

    await second.debit(300, user="ann")

    heard = (await alert.until_heard(5))[2:]
    assert {(one.alert_id, one.in_alarm) for one in heard} == {
        ("alr_1", True),
        ("alr_all", True),
        ("alr_ann", True),
    }


async def test_a_percentage_watched_at_one_replica_is_crossed_at_the_other(
    replicas: Replicas, alert: RecordingAlert
) -> None:
    first, second = replicas
    await _know(first, second)
    await first.watch(0, watch_kind=apb.WATCH_KIND_LOW_PERCENTAGE, threshold_micros=25_000_000)
    assert [one.in_alarm for one in await alert.until_heard(1)] == [False]

    await second.debit(299, user="ann")
    await second.debit(1, user="ann")

    heard = (await alert.until_heard(2))[1:]
    assert [(one.in_alarm, one.value_micros) for one in heard] == [(True, 25_000_000)]


async def test_a_grant_issued_at_one_replica_is_told_of_by_the_clock_of_the_other_before_it_expires(
    replicas: Replicas, alert: RecordingAlert
) -> None:
    first, second = replicas
    await _know(first, second)
    within = {"watch_kind": apb.WATCH_KIND_GRANT_EXPIRING, "within_days": 3}
    await first.watch(50, customer_id="", **within)
    ends = JUNE + timedelta(days=9)
    grant = await second.top_up(50, expire_time=timestamp(ends))
    first.clock.advance_to(ends - timedelta(days=3, microseconds=1))
    await first.flush()
    assert alert.heard == []

    first.clock.advance_to(ends - timedelta(days=3))
    await first.flush()
    await first.debit(400, user="ann")
    await second.debit(1, user="ann")
    await second.flush()

    told = [(one.group_value, one.in_alarm, one.value_micros) for one in alert.heard]
    assert (grant.grant_id, True, 50 * CREDIT) in told
    assert len(told) == len(set(told))


async def test_seats_added_at_one_replica_are_credits_at_the_other(replicas: Replicas) -> None:
    first, second = replicas
    await _know(first, second)

    await first.change_seats(1, JUNE, sequence=1)

    assert (await second.debit(500, user="ann")).decision == ALLOWED


async def test_credits_released_at_one_replica_are_available_at_the_other(replicas: Replicas) -> None:
    first, second = replicas
    hold = await first.authorize(400, user="ann")
    await _know(first, second)

    await first.release(hold.hold_id)

    assert (await second.authorize(400, user="ann")).decision == ALLOWED


async def test_a_price_that_begins_by_the_clock_begins_in_every_cache(replicas: Replicas) -> None:
    first, second = replicas
    change = JUNE + timedelta(hours=1)
    await first.tell_card(a_rate(end=change), a_rate(price_micros=20 * CREDIT, start=change), version=2)
    await _know(first, second)
    unit = {"quantity_micros": 1_000_000}

    first.clock.advance_to(change - timedelta(microseconds=1))
    before = [(await replica.debit(0, user="ann", **unit)).debited_micros for replica in replicas]
    first.clock.advance(timedelta(microseconds=1))
    after = [(await replica.debit(0, user="ann", **unit)).debited_micros for replica in replicas]

    assert (before, after) == ([12 * CREDIT] * 2, [20 * CREDIT] * 2)


async def _take_turns(first: RunningLedger, second: RunningLedger) -> None:
    """Let the first replica write, so that the second's guess fails and it drops acme's pool from its cache."""
    before = _decided_again()
    for ledger in (first, second):
        await ledger.debit(1, user="ann")
    assert _decided_again() == before | {"outrun": before["outrun"] + 1}


async def _know_anew(ledger: RunningLedger) -> None:
    """Let a replica read acme's pool again, with another name and product, until it caches the pool."""
    for _ in range(3):
        await ledger.debit(1, customer="cus_acme", product_id="prd_preview")


async def test_a_card_changed_while_replicas_take_turns_changes_the_price_at_both(
    replicas: Replicas,
) -> None:
    first, second = replicas
    await first.tell_product("prd_preview")
    for card, price in (("rcd_main", 12), ("rcd_new", 20)):
        rates = [a_rate(one, price_micros=price * CREDIT) for one in ("prd_assistant", "prd_preview")]
        await first.tell_card(*rates, rate_card_id=card, version=2)
    await _know(*replicas)
    await _take_turns(*replicas)
    await first.apply_contract(start=JUNE, version=2, rate_card_id="rcd_new")

    await _know_anew(second)
    debited = await second.debit(0, quantity_micros=1_000_000)

    assert debited.debited_micros == 20 * CREDIT


async def test_an_alias_moved_while_replicas_take_turns_names_its_new_owner_at_both(
    replicas: Replicas,
) -> None:
    first, second = replicas
    await first.tell_product("prd_preview")
    await first.tell_card(a_rate(), a_rate("prd_preview"), version=2)
    await _another_customer(first, 1)
    await _know(*replicas)
    await _take_turns(*replicas)
    await first.tell_customer("cus_acme", version=2)
    await first.tell_customer("cus_1", "acme", version=2)

    await _know_anew(second)
    debited = await second.debit(5)

    assert debited.available_micros == 395 * CREDIT


async def test_a_customer_suspended_at_one_replica_may_end_holds_but_take_none_at_the_other(
    replicas: Replicas,
) -> None:
    first, second = replicas
    holds = [(await second.authorize(10, user="ann")).hold_id for _ in range(3)]
    await _know_hold(holds[0], first, second)
    await first.tell_customer("cus_acme", "acme", version=2, is_suspended=True)

    denied: list[Any] = [
        await second.authorize(1, user="ann"),
        await second.debit(1, user="ann"),
        await second.extend(holds[0], 1),
    ]
    lengthened = await second.extend(holds[0], hold_ttl=Duration(seconds=3_600))
    captured = await second.capture(holds[0], 10)
    released = await second.release(holds[1])
    await first.tell_customer("cus_acme", "acme", version=3)

    assert {answer.denial_reason for answer in denied} == {pb.DENIAL_REASON_CUSTOMER_SUSPENDED}
    assert lengthened.decision == ALLOWED
    assert (captured.captured_micros, released.released_micros) == (10 * CREDIT, 10 * CREDIT)
    assert (await second.extend(holds[2], 1)).decision == ALLOWED


async def test_a_hold_that_expires_is_expired_in_every_cache(replicas: Replicas) -> None:
    first, second = replicas
    hold = await first.authorize(400, user="ann", hold_ttl=Duration(seconds=60))
    await _know_hold(hold.hold_id, first, second)
    first.clock.advance(timedelta(seconds=60))

    answers = await asyncio.gather(
        first.debit(400, user="ann"), _outcome(second.extend(hold.hold_id, 1)), second.capture(hold.hold_id)
    )

    assert answers[1] == "HOLD_EXPIRED"
    assert answers[2].is_late
    assert sorted([answers[0].debited_micros, answers[2].captured_micros]) == [0, 400 * CREDIT]
