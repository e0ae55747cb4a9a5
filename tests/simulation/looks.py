# SPDX-License-Identifier: Apache-2.0
"""Checks that the Ledger's data equals that of the models."""

from typing import Any

from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_peer_pb2
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from tests.simulation.model import NEVER, Pool
from tests.simulation.shadow import AI, CUSTOMERS, PRODUCTS
from tests.simulation.world import World
from tests.support.ledger import RunningLedger

PAGE_SIZE = 500
Line = tuple[Any, ...]
NOTHING = alert_peer_pb2.ObserveCrossingRequest()


async def balances_agree(world: World, replica: int) -> None:
    """Check that every figure of GetBalance is the model's. The call also writes what is due by the clock."""
    for customer in CUSTOMERS:
        told = await world.replicas[replica].gate.GetBalance(pb.GetBalanceRequest(customer=customer))
        seen = {pool.credit_type_id: pool for pool in told.pools}
        for (owner, credit_type), pool in world.shadow.pools.items():
            if owner == customer:
                of_ledger = seen.get(credit_type, pb.PoolBalance(credit_type_id=credit_type))
                assert (customer, _pool_seen(of_ledger)) == (customer, _pool_wanted(pool))


async def decision_agrees(world: World, product: str, user: str, replica: int) -> None:
    """Check that GetDecision, which writes nothing, returns for every customer what the model says."""
    for customer in CUSTOMERS:
        pool = world.shadow.pools[customer, PRODUCTS[product]]
        ask = pb.DecisionAsk(
            product_id=product, credits_micros=1, group_values={"user_id": user} if user else {}
        )
        told = await world.replicas[replica].gate.GetDecision(
            pb.GetDecisionRequest(customer=customer, ask=ask)
        )
        reason = pool.bar(product) or pool.crowd(user) or pool.refusal(product, user, 1)
        assert (customer, _reason(told.denial_reason)) == (customer, reason)
        if reason not in ("CUSTOMER_SUSPENDED", "NOT_ENTITLED"):
            assert told.available_micros == pool.room(product, user)[0]
            assert [_grant_seen(one) for one in told.grants] == _grants_wanted(pool, product)
            caps = sorted(
                (window, limit, pool.used(user, window)) for _, window, limit in pool.headrooms(user)
            )
            assert [(one.limit_micros, one.used_micros) for one in told.spend_caps] == [
                (limit, used) for _, limit, used in caps
            ]
            assert {one.open_holds for one in told.concurrency_caps} <= {
                sum(who in (hold.user, "*") for hold in pool.alive()) for who in (user, "*")
            }


async def histories_agree(world: World, replica: int) -> None:
    """Check that all grants and holds, past and present, are the model's and that the entries add up to them."""
    for pool in world.shadow.pools.values():
        pool.advance(world.now)
    ledger = world.replicas[replica]
    for customer in CUSTOMERS:
        pools = [(name[1], pool) for name, pool in world.shadow.pools.items() if name[0] == customer]
        grants = await _grants(ledger, customer)
        for credit_type, pool in pools:
            seen = [_whole_grant_seen(one) for one in grants if one.credit_type_id == credit_type]
            assert sorted(seen) == sorted(_whole_grant_wanted(pool, one) for one in pool.grants)
            entries = await entries_of(ledger, customer, credit_type)
            assert_is_a_chain(entries)
            left = sum(one.granted - one.captured - _expired(pool, one) for one in pool.grants)
            assert sum(entry.amount_micros for entry in entries) == left
            assert sum(entry.shortfall_micros for entry in entries) == pool.shortfall
        holds = {one.hold_id: one for one in await _holds(ledger, customer)}
        kept = {hold_id: (pool, hold) for _, pool in pools for hold_id, hold in pool.holds.items()}
        assert holds.keys() == kept.keys()
        for hold_id, (pool, hold) in kept.items():
            state = holds[hold_id].hold_state
            wanted = apb.HOLD_STATE_HELD if pool.now < hold.end else apb.HOLD_STATE_EXPIRED
            is_open = state in (apb.HOLD_STATE_HELD, apb.HOLD_STATE_EXPIRED)
            assert (is_open, holds[hold_id].amount_micros) == (hold.is_open, pool.reserved(hold))
            assert state == wanted or not is_open
    await ledger.assert_adds_up()


async def crossings_agree(world: World) -> None:
    """Check that Alert received the crossings of every watch in order, and last its present state."""
    for replica in world.replicas:
        await replica.flush()
    heard: dict[tuple[str, str, str], list[alert_peer_pb2.ObserveCrossingRequest]] = {}
    for one in world.alert.heard:
        heard.setdefault((one.alert_id, one.customer_id, one.group_value), []).append(one)
    for told in heard.values():
        assert [one.sequence for one in told] == list(range(1, len(told) + 1))
    for alert_id, (customer, threshold, is_of_spend) in world.watches.items():
        pool = world.shadow.pools.get((customer, AI))
        if pool is None or not pool.start <= pool.now < pool.end:
            continue
        if is_of_spend:
            wanted = {
                user: pool.used(user, "BILLING_PERIOD") - _held_by(pool, user) >= threshold
                for user in ("ann", "bob")
            }
            seen = {
                user: (heard.get((alert_id, customer, user)) or [NOTHING])[-1].in_alarm for user in wanted
            }
            assert (alert_id, seen) == (alert_id, wanted)
        elif not any(one.start <= pool.now for one in pool.grants):
            assert (alert_id, customer, "") not in heard  # nothing was granted yet, so it is not low
        else:
            remaining = sum(one.granted - one.captured for one in pool.active())
            assert (alert_id, heard[alert_id, customer, ""][-1].in_alarm) == (
                alert_id,
                remaining <= threshold,
            )


async def lines(world: World, customer: str, credit_type: str) -> list[Line]:
    """Return a pool's entries, oldest first, in a form that is equal in equal worlds: grants by order of creation."""
    ledger = world.replicas[0]
    grants = [one for one in await _grants(ledger, customer) if one.credit_type_id == credit_type]
    numbers = {one.grant_id: number for number, one in enumerate(grants)}
    return [
        (
            entry.entry_kind,
            numbers.get(entry.grant_id),
            entry.amount_micros,
            entry.shortfall_micros,
            entry.effective_time.ToNanoseconds(),
        )
        for entry in await entries_of(ledger, customer, credit_type)
    ]


def assert_is_a_chain(entries: list[apb.Entry]) -> None:
    """Check entries, oldest first: they are numbered from 1 without gaps, and no grant ever gives more than it has."""
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    left: dict[str, int] = {}
    for entry in entries:
        left[entry.grant_id] = left.get(entry.grant_id, 0) + entry.amount_micros
        assert left[entry.grant_id] >= 0, entry


def _pool_seen(pool: pb.PoolBalance) -> dict[str, Any]:
    return {
        "available": pool.available_micros,
        "held": pool.held_micros,
        "remaining": pool.remaining_micros,
        "shortfall": pool.shortfall_micros,
        "grants": [_grant_seen(one) for one in pool.grants],
        "expires": pool.next_expire_time.ToNanoseconds(),
        "expiring": pool.next_expiring_micros,
    }


def _pool_wanted(pool: Pool) -> dict[str, Any]:
    active = pool.active()
    rests = {id(one): one.granted - one.captured for one in active}
    mortal = [one for one in active if one.end < NEVER and rests[id(one)]]
    first = min((one.end for one in mortal), default=None)
    return {
        "available": pool.room("", "")[0],
        "held": sum(map(pool.held, active)),
        "remaining": sum(rests.values()),
        "shortfall": pool.shortfall,
        "grants": _grants_wanted(pool, ""),
        "expires": timestamp(first).ToNanoseconds() if first else 0,
        "expiring": sum(rests[id(one)] for one in mortal if one.end == first),
    }


def _grant_seen(grant: pb.Grant) -> tuple[Any, ...]:
    """Return the figures of a grant; the model's grants lose what is voided."""
    name = grant.grant_schedule_id or grant.grant_id
    left = grant.granted_micros - grant.voided_micros
    return name, left, grant.captured_micros, grant.held_micros, grant.available_micros


def _grants_wanted(pool: Pool, product: str) -> list[tuple[Any, ...]]:
    """Return the grants that GetBalance shows: a spent one only if a schedule may still add to it."""
    return [
        (one.name, one.granted, one.captured, pool.held(one), one.granted - one.captured - pool.held(one))
        for one in pool.active(product)
        if one.granted > one.captured or one.name.startswith("sch_")
    ]


def _whole_grant_seen(grant: pb.Grant) -> tuple[Any, ...]:
    start = grant.effective_time.ToNanoseconds()
    return *_grant_seen(grant), start, grant.expired_micros


def _whole_grant_wanted(pool: Pool, one: Any) -> tuple[Any, ...]:
    held, expired = pool.held(one), _expired(pool, one)
    rest = one.granted - one.captured - held if one.start <= pool.now < one.end else 0
    start = timestamp(one.start).ToNanoseconds()
    return one.name, one.granted, one.captured, held, rest, start, expired


def _held_by(pool: Pool, user: str) -> int:
    return sum(pool.reserved(hold) for hold in pool.alive() if hold.user == user)


def _expired(pool: Pool, one: Any) -> int:
    return int(one.granted - one.captured - pool.held(one)) if one.end <= pool.now else 0


def _reason(reason: Any) -> str:
    return pb.DenialReason.Name(reason).removeprefix("DENIAL_REASON_").replace("UNSPECIFIED", "")


async def _grants(ledger: RunningLedger, customer: str) -> list[pb.Grant]:
    request = apb.ListGrantsRequest(customer=customer, page_size=PAGE_SIZE)
    told = await ledger.admin.ListGrants(request)
    assert not told.next_page_token
    return list(told.grants)


async def _holds(ledger: RunningLedger, customer: str) -> list[apb.Hold]:
    told = await ledger.admin.ListHolds(apb.ListHoldsRequest(customer=customer, page_size=PAGE_SIZE))
    assert not told.next_page_token
    return list(told.holds)


async def entries_of(ledger: RunningLedger, customer: str, credit_type: str) -> list[apb.Entry]:
    """Return all entries of a pool, oldest first."""
    request = apb.ListEntriesRequest(customer=customer, credit_type_id=credit_type, page_size=PAGE_SIZE)
    entries: list[apb.Entry] = []
    while True:
        told = await ledger.admin.ListEntries(request)
        entries += told.entries
        if not told.next_page_token:
            return entries[::-1]
        request.page_token = told.next_page_token
