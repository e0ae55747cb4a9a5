# SPDX-License-Identifier: Apache-2.0
"""SettleLease: each use of a lease is recorded once, and counts as a debit does."""

import asyncio
from datetime import timedelta

from grpc import StatusCode

from meshkit.rpc.fields import span, timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import fault
from tests.support.leases import a_use, end, renewed, settle, take
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate, two_ledgers
from tests.support.postgres import Databases

SECOND = timedelta(seconds=1)


async def test_uses_are_captured_from_the_lease_one_by_one(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100)
    uses = [a_use(ledger, 30, user="ann"), a_use(ledger, 0, quantity_micros=1_500_000, user="bob")]

    settled = await settle(ledger, lease.lease_id, *uses)

    assert list(settled.results) == [
        pb.LeaseUseResult(captured_micros=30 * CREDIT),
        pb.LeaseUseResult(captured_micros=18 * CREDIT),
    ]
    assert (settled.leased_micros, settled.available_micros) == (52 * CREDIT, 300 * CREDIT)
    assert (settled.decision, settled.expire_time) == (pb.DECISION_UNSPECIFIED, lease.expire_time)
    spent = [one for one in await ledger.entries() if one.entry_kind == admin.ENTRY_KIND_CAPTURE]
    assert [(one.cause_id, one.amount_micros, one.group_values["user_id"]) for one in reversed(spent)] == [
        (uses[0].request_id, -30 * CREDIT, "ann"),
        (uses[1].request_id, -18 * CREDIT, "bob"),
    ]
    await ledger.assert_adds_up()


async def test_a_use_is_recorded_once_whichever_call_repeats_it(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100)
    first, second, third = a_use(ledger, 10), a_use(ledger, 20), a_use(ledger, 30)

    await settle(ledger, lease.lease_id, first, request_id="settle-1")
    again = await settle(ledger, lease.lease_id, first, request_id="settle-1")
    other = await settle(ledger, lease.lease_id, first, second, second)
    ended = await end(ledger, lease.lease_id, [first, second, third])

    assert [one.captured_micros for one in again.results] == [10 * CREDIT]
    assert [one.captured_micros for one in other.results] == [10 * CREDIT, 20 * CREDIT, 20 * CREDIT]
    assert [one.captured_micros for one in ended.results] == [10 * CREDIT, 20 * CREDIT, 30 * CREDIT]
    assert ended.released_micros == 40 * CREDIT
    assert (await ledger.pool()).available_micros == 340 * CREDIT
    await ledger.assert_adds_up()


async def test_a_use_that_cannot_be_recorded_keeps_no_other_from_it(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100)
    debit = await ledger.debit(1, request_id="debit-1")

    settled = await settle(
        ledger,
        lease.lease_id,
        a_use(ledger, 1, request_id="debit-1"),
        a_use(ledger, 0),
        a_use(ledger, 5),
    )

    assert debit.debited_micros == CREDIT
    reused, malformed, good = settled.results
    assert reused.error.code == StatusCode.ALREADY_EXISTS.value[0]
    assert malformed.error.code == StatusCode.INVALID_ARGUMENT.value[0]
    assert (good.HasField("error"), good.captured_micros) == (False, 5 * CREDIT)


async def test_a_settle_under_a_request_id_of_another_one_is_refused_also_with_a_malformed_use(
    ledger: RunningLedger,
) -> None:
    lease = await take(ledger, 100)
    await settle(ledger, lease.lease_id, a_use(ledger, 5), request_id="settle-1")

    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await settle(ledger, lease.lease_id, a_use(ledger, 0), request_id="settle-1")
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await end(ledger, lease.lease_id, [a_use(ledger, 0)], request_id="settle-1")


async def test_uses_of_a_lease_that_has_ended_are_late_and_never_refused(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100)
    ended = await take(ledger, 50)
    await end(ledger, ended.lease_id)
    ledger.clock.advance(40 * SECOND)

    late = await settle(ledger, lease.lease_id, a_use(ledger, 390), renewal=renewed(10))
    later = await settle(ledger, ended.lease_id, a_use(ledger, 15))

    assert late.results[0] == pb.LeaseUseResult(captured_micros=390 * CREDIT, is_late=True)
    assert (late.decision, late.leased_micros, late.ttl) == (pb.DECISION_UNSPECIFIED, 0, span(timedelta(0)))
    assert later.results[0] == pb.LeaseUseResult(
        captured_micros=10 * CREDIT, shortfall_micros=5 * CREDIT, is_late=True
    )
    await ledger.assert_adds_up()


async def test_uses_beyond_the_lease_draw_what_is_available(ledger: RunningLedger) -> None:
    lease = await take(ledger, 100)

    settled = await settle(ledger, lease.lease_id, a_use(ledger, 150), a_use(ledger, 300))

    assert [(one.captured_micros, one.shortfall_micros) for one in settled.results] == [
        (150 * CREDIT, 0),
        (250 * CREDIT, 50 * CREDIT),
    ]
    assert settled.leased_micros == 0
    await ledger.assert_adds_up()


async def test_uses_move_meters_and_spends_as_debits_do(ledger: RunningLedger) -> None:
    await ledger.set_cap(100, user="ann")
    await ledger.tell_card(a_rate(price_micros=1, per_micros=3), version=2)
    lease = await take(ledger, 100)
    third = {"quantity_micros": 1_000_000, "user": "ann"}

    settled = await settle(ledger, lease.lease_id, *(a_use(ledger, 0, **third) for _ in range(3)))

    # Rounded up once, by the meter: 333,334 + 333,333 + 333,333.
    assert [one.captured_micros for one in settled.results] == [333_334, 333_333, 333_333]
    denied = await ledger.authorize(100, user="ann")
    assert denied.reached_cap.used_micros == CREDIT
    await ledger.assert_adds_up()


async def test_a_use_is_priced_by_the_rate_of_its_time(ledger: RunningLedger) -> None:
    await ledger.tell_card(
        a_rate(end=JUNE + 10 * SECOND), a_rate(start=JUNE + 10 * SECOND, price_micros=CREDIT), version=2
    )
    lease = await take(ledger, 100)
    ledger.clock.advance(20 * SECOND)
    unit = {"quantity_micros": 1_000_000}

    settled = await settle(
        ledger,
        lease.lease_id,
        a_use(ledger, 0, **unit, use_time=timestamp(JUNE + 9 * SECOND)),
        a_use(ledger, 0, **unit, use_time=timestamp(JUNE + 10 * SECOND)),
        a_use(ledger, 0, **unit, use_time=timestamp(JULY)),
        a_use(ledger, 0, **unit),
    )

    assert [one.captured_micros for one in settled.results] == [12 * CREDIT, CREDIT, CREDIT, CREDIT]


async def test_a_grant_that_expires_under_a_lease_still_pays_for_its_uses(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(JULY - SECOND)
    lease = await take(ledger, 100)
    ledger.clock.advance(2 * SECOND)

    settled = await settle(ledger, lease.lease_id, a_use(ledger, 60))
    ended = await end(ledger, lease.lease_id)

    assert settled.results[0].captured_micros == 60 * CREDIT
    assert ended.available_micros == 400 * CREDIT  # July's: June's paid, and lost the rest
    await ledger.assert_adds_up()


async def test_a_lease_reserves_overage_that_its_uses_capture(ledger: RunningLedger) -> None:
    await ledger.apply_contract(
        start=JUNE,
        version=2,
        overage=peer_pb.OveragePolicy(
            limits=[peer_pb.OverageLimit(credit_type_id=AI, cap_micros=50 * CREDIT)]
        ),
    )

    lease = await take(ledger, 1_000)
    settled = await settle(ledger, lease.lease_id, a_use(ledger, 420), a_use(ledger, 10))
    await end(ledger, lease.lease_id)

    assert lease.leased_micros == 450 * CREDIT
    assert [(one.captured_micros, one.overage_micros) for one in settled.results] == [
        (420 * CREDIT, 20 * CREDIT),
        (10 * CREDIT, 10 * CREDIT),
    ]
    assert (await ledger.authorize(21)).affordable_credits_micros == 20 * CREDIT
    await ledger.assert_adds_up()


async def test_a_balance_watch_hears_of_uses(watched: RunningLedger) -> None:
    await watched.watch(100)
    lease = await take(watched, 350)

    await settle(watched, lease.lease_id, a_use(watched, 299))
    before = await watched.pool()
    await settle(watched, lease.lease_id, a_use(watched, 1))

    assert before.remaining_micros == 101 * CREDIT
    await watched.assert_adds_up()


async def test_settles_on_two_replicas_at_once_record_each_use_once(databases: Databases) -> None:
    async with two_ledgers(databases) as (first, second):
        lease = await take(first, 200)
        uses = [a_use(first, 1) for _ in range(50)]

        answers = await asyncio.gather(
            *(settle(one, lease.lease_id, *uses) for one in (first, second, first, second)),
            *(one.authorize(1) for one in (first, second) * 10),
        )

        assert all(len(one.results) == 50 for one in answers[:4])
        pool = await first.pool()
        assert pool.held_micros == (150 + 20) * CREDIT
        assert pool.remaining_micros == 350 * CREDIT
        await first.assert_adds_up()


async def test_another_customer_s_lease_is_not_found(ledger: RunningLedger) -> None:
    lease = await take(ledger, 10)
    await ledger.tell_customer("cus_other", "other")

    with fault(StatusCode.NOT_FOUND, "LEASE_NOT_FOUND"):
        await settle(ledger, lease.lease_id, a_use(ledger, 1), customer="other")
