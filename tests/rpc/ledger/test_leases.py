# SPDX-License-Identifier: Apache-2.0
"""Lease, renewals and EndLease: what is reserved, for how long, and at which prices."""

import asyncio
from datetime import timedelta

from grpc import StatusCode

from meshkit.rpc.fields import span, timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.leases import a_use, end, renewed, settle, take
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, a_rate, running_ledger, two_ledgers
from tests.support.postgres import Databases

SECOND = timedelta(seconds=1)
TTL = 30 * SECOND
GRACE = 10 * SECOND
TICK = timedelta(microseconds=1)


async def test_a_lease_reserves_credits_that_nobody_else_can_spend(ledger: RunningLedger) -> None:
    lease = await take(ledger, 300)

    assert lease.decision == pb.DECISION_ALLOWED
    assert lease.lease_id.startswith("lse_")
    assert lease == pb.LeaseResponse(
        decision=pb.DECISION_ALLOWED,
        lease_id=lease.lease_id,
        leased_micros=300 * CREDIT,
        expire_time=timestamp(JUNE + TTL),
        ttl=span(TTL),
        credit_type_id=AI,
        available_micros=100 * CREDIT,
        prices=[pb.LeasePrice(price_micros=12, per_micros=1)],
    )
    assert (await ledger.authorize(101)).denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert (await ledger.authorize(100)).decision == pb.DECISION_ALLOWED
    assert (await ledger.pool()).held_micros == 400 * CREDIT
    assert {one.hold_id for one in await ledger.holds()} >= {lease.lease_id}
    await ledger.assert_adds_up()


async def test_a_lease_gets_what_is_affordable_and_a_denial_near_zero(ledger: RunningLedger) -> None:
    part = await take(ledger, 1_000)
    denied = await take(ledger, 1)

    assert (part.leased_micros, part.available_micros) == (400 * CREDIT, 0)
    assert denied == pb.LeaseResponse(
        decision=pb.DECISION_DENIED,
        denial_reason=pb.DENIAL_REASON_INSUFFICIENT_CREDITS,
        credit_type_id=AI,
        prices=part.prices,
    )


async def test_a_repeated_lease_is_the_same_one_with_what_is_left_of_its_ttl(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100, request_id="lease-1")
    ledger.clock.advance(20 * SECOND)

    again = await take(ledger, 100, request_id="lease-1")

    assert (again.lease_id, again.expire_time) == (lease.lease_id, lease.expire_time)
    assert again.ttl == span(10 * SECOND)
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await take(ledger, 101, request_id="lease-1")
    assert (await ledger.pool()).held_micros == 100 * CREDIT


async def test_a_lease_returns_by_itself_after_its_ttl_and_grace(ledger: RunningLedger) -> None:
    lease = await take(ledger, 300)

    ledger.clock.advance(TTL + GRACE - TICK)
    assert (await ledger.pool()).available_micros == 100 * CREDIT
    ledger.clock.advance(TICK)
    assert (await ledger.pool()).available_micros == 400 * CREDIT

    (hold,) = await ledger.holds()
    assert (hold.hold_id, hold.hold_state) == (lease.lease_id, admin.HOLD_STATE_EXPIRED)
    await ledger.assert_adds_up()


async def test_a_renewal_adds_what_is_affordable_and_lengthens_the_life(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100)
    ledger.clock.advance(10 * SECOND)

    more = await settle(ledger, lease.lease_id, a_use(ledger, 60), renewal=renewed(200))
    rest = await settle(ledger, lease.lease_id, renewal=renewed(1_000))
    denied = await settle(ledger, lease.lease_id, renewal=renewed(1_000))

    assert (more.decision, more.leased_micros) == (pb.DECISION_ALLOWED, 200 * CREDIT)
    assert more.expire_time == timestamp(JUNE + 10 * SECOND + TTL)
    assert (more.ttl, more.prices) == (span(TTL), lease.prices)
    assert (rest.leased_micros, rest.available_micros) == (340 * CREDIT, 0)
    assert (denied.decision, denied.denial_reason) == (
        pb.DECISION_DENIED,
        pb.DENIAL_REASON_INSUFFICIENT_CREDITS,
    )
    assert (denied.leased_micros, denied.expire_time) == (340 * CREDIT, rest.expire_time)
    await ledger.assert_adds_up()


async def test_a_renewal_never_takes_from_a_lease(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100, ttl=span(60 * SECOND))

    less = await settle(ledger, lease.lease_id, renewal=renewed(10, ttl=span(SECOND)))

    assert (less.decision, less.leased_micros) == (pb.DECISION_ALLOWED, 100 * CREDIT)
    assert less.expire_time == lease.expire_time


async def test_a_suspended_customer_gets_no_lease_and_no_renewal(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100)
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)

    denied = await take(ledger, 100)
    kept = await settle(ledger, lease.lease_id, a_use(ledger, 1), renewal=renewed(200))

    assert denied.denial_reason == kept.denial_reason == pb.DENIAL_REASON_CUSTOMER_SUSPENDED
    assert (kept.leased_micros, kept.results[0].captured_micros) == (99 * CREDIT, CREDIT)


async def test_ending_a_lease_returns_what_is_left_once(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100)
    use = a_use(ledger, 30)

    ended = await end(ledger, lease.lease_id, [use], request_id="end-1")
    repeated = await end(ledger, lease.lease_id, [use], request_id="end-1")
    again = await end(ledger, lease.lease_id)
    renewal = await settle(ledger, lease.lease_id, renewal=renewed(50))

    assert ended == repeated
    assert (ended.released_micros, ended.available_micros) == (70 * CREDIT, 370 * CREDIT)
    assert again.released_micros == 0
    assert (renewal.decision, renewal.leased_micros) == (pb.DECISION_UNSPECIFIED, 0)
    await ledger.assert_adds_up()


async def test_spend_caps_of_the_group_values_are_reserved_with_a_lease(ledger: RunningLedger) -> None:
    await ledger.set_cap(50, user="ann")

    lease = await take(ledger, 300, user="ann")
    denied = await take(ledger, 1, user="ann")
    await settle(ledger, lease.lease_id, a_use(ledger, 20, user="ann"))

    assert (lease.leased_micros, lease.capped_keys) == (50 * CREDIT, ["user_id"])
    assert denied.denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
    assert denied.reached_cap.used_micros == 50 * CREDIT
    assert (await ledger.authorize(1, user="ann")).denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
    assert (await ledger.authorize(1, user="bob")).decision == pb.DECISION_ALLOWED
    await end(ledger, lease.lease_id)
    assert (await ledger.authorize(31, user="ann")).reached_cap.used_micros == 20 * CREDIT
    assert (await ledger.authorize(30, user="ann")).decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_prices_come_in_the_order_in_which_they_decide(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_tokens", dimensions=("model", "kind"), version=2)
    large = {"model": "large"}
    tiers = [
        peer_pb.RateTier(price_micros=CREDIT, per_micros=1_000_000, up_to_micros=1_000_000),
        peer_pb.RateTier(price_micros=2 * CREDIT, per_micros=1_000_000),
    ]
    await ledger.tell_card(
        a_rate(),
        a_rate("prd_tokens", price_micros=3 * CREDIT),
        a_rate("prd_tokens", price_micros=5 * CREDIT, dimension_values=large),
        a_rate(
            "prd_tokens",
            price_micros=0,
            per_micros=0,
            rate_id="rat_tiers",
            rate_type=peer_pb.RATE_TYPE_GRADUATED,
            tiers=tiers,
            dimension_values={**large, "kind": "output"},
        ),
        version=2,
    )

    lease = await take(ledger, 100, product_id="prd_tokens")
    settled = await settle(
        ledger,
        lease.lease_id,
        a_use(ledger, 0, quantity_micros=1_000_000, properties=large),
        a_use(ledger, 0, quantity_micros=1_000_000, properties={"model": "small"}),
        a_use(ledger, 0, quantity_micros=2_000_000, properties={**large, "kind": "output"}),
    )

    assert list(lease.prices) == [
        pb.LeasePrice(properties={**large, "kind": "output"}),
        pb.LeasePrice(properties=large, price_micros=5, per_micros=1),
        pb.LeasePrice(price_micros=3, per_micros=1),
    ]
    assert [one.captured_micros for one in settled.results] == [5 * CREDIT, 3 * CREDIT, 3 * CREDIT]


async def test_what_a_client_cannot_decide_itself_is_not_leased(ledger: RunningLedger) -> None:
    cap = await ledger.set_concurrency_cap(5, product_id="prd_assistant")
    with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_NOT_LEASABLE", product_id="prd_assistant"):
        await take(ledger, 1)
    await ledger.lift_concurrency_cap(cap.concurrency_cap_id)

    await ledger.set_concurrency_cap(5, group_key="user_id", group_value="ann")
    with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_NOT_LEASABLE", product_id="prd_assistant"):
        await take(ledger, 1, user="ann")
    assert (await take(ledger, 1, user="bob")).capped_keys == ["user_id"]

    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_none"):
        await take(ledger, 1, product_id="prd_none")


async def test_products_that_seats_pay_for_are_not_leased(databases: Databases) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_named_seats()

        with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_NOT_LEASABLE", why="seats pay for it"):
            await take(ledger, 1)


async def test_a_lease_of_a_customer_without_a_contract_is_denied(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_new", "new")

    denied = await take(ledger, 1, customer="new")

    assert denied == pb.LeaseResponse(
        decision=pb.DECISION_DENIED, denial_reason=pb.DENIAL_REASON_NOT_ENTITLED
    )


async def test_a_customer_is_found_by_its_alias_whatever_its_id_looks_like(ledger: RunningLedger) -> None:
    await ledger.tell_customer("new-id", "new")

    assert (await take(ledger, 1, customer="new")).decision == pb.DECISION_DENIED
    with fault(StatusCode.NOT_FOUND, "LEASE_NOT_FOUND"):
        await settle(ledger, "lse_none", customer="new")
    for unknown in ("new-id", "cus_unknown"):
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer=unknown):
            await take(ledger, 1, customer=unknown)


async def test_malformed_requests_name_their_fields(ledger: RunningLedger) -> None:
    lease = await take(ledger, 10)

    with bad_fields("credits_micros", "ttl"):
        await take(ledger, 0, ttl=span(timedelta(minutes=10) + TICK))
    with bad_fields("product_id"):
        await take(ledger, 1, product_id="")
    with bad_fields("hold_id"):
        await ledger.capture(lease.lease_id)
    with bad_fields("hold_id"):
        await ledger.release(lease.lease_id)
    with bad_fields("hold_id"):
        await ledger.extend(lease.lease_id, 1)
    with bad_fields("uses"):
        await settle(ledger, lease.lease_id, *([a_use(ledger, 1)] * 1_001))
    with fault(StatusCode.NOT_FOUND, "LEASE_NOT_FOUND", lease_id="lse_none"):
        await settle(ledger, "lse_none")
    with fault(StatusCode.NOT_FOUND, "LEASE_NOT_FOUND"):
        await end(ledger, (await ledger.authorize(1)).hold_id)


async def test_a_lease_asked_for_twice_at_once_on_two_replicas_is_one(databases: Databases) -> None:
    async with two_ledgers(databases) as replicas:
        for number in range(10):
            asked = {"request_id": f"lease-{number}"}
            told = await asyncio.gather(*(take(one, 1_000, **asked) for one in replicas for _ in range(2)))

            assert len({one.lease_id for one in told}) == 1
            assert told[0].leased_micros == 400 * CREDIT
            await end(replicas[0], told[0].lease_id)
