# SPDX-License-Identifier: Apache-2.0
"""RefundGrant: Contract takes back the unspent credits of a top-up, and hears where all of them are."""

import asyncio

from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, two_ledgers
from tests.support.postgres import Databases


async def _bought(ledger: RunningLedger, credits: int = 1_000, **more: object) -> str:
    """Grant a paid top-up to acme, whose other credits are spent; returns the id of the grant."""
    await ledger.debit(400)
    request = peer_pb.IssueTopUpGrantRequest(
        request_id=ledger.request_id(),
        customer_id="cus_acme",
        credit_type_id=AI,
        top_up_id="top_1",
        amount_micros=credits * CREDIT,
        cost_basis_micros=80 * CREDIT,
        effective_time=timestamp(JUNE),
        **more,  # type: ignore[arg-type]
    )
    return (await ledger.peer.IssueTopUpGrant(request)).grant.grant_id


def _request(ledger: RunningLedger, least: int | None = None, **more: str) -> peer_pb.RefundGrantRequest:
    asked = {"request_id": ledger.request_id(), "customer_id": "cus_acme", "top_up_id": "top_1"} | more
    return peer_pb.RefundGrantRequest(
        **asked, voided_at_least_micros=None if least is None else least * CREDIT
    )


async def test_the_rest_is_voided_and_the_answer_says_where_all_credits_are(ledger: RunningLedger) -> None:
    grant_id = await _bought(ledger)
    await ledger.debit(250)
    hold = await ledger.authorize(50)
    request = _request(ledger)

    refunded = await ledger.peer.RefundGrant(request)

    assert refunded == peer_pb.RefundGrantResponse(
        granted_micros=1_000 * CREDIT,
        spent_micros=250 * CREDIT,
        held_micros=50 * CREDIT,
        voided_micros=700 * CREDIT,
        apply_time=timestamp(JUNE),
    )
    assert (await ledger.pool()).available_micros == 0
    entry = (await ledger.entries(grant_id=grant_id))[0]
    assert (entry.entry_kind, entry.amount_micros, entry.cause_id) == (
        admin.ENTRY_KIND_VOID,
        -700 * CREDIT,
        request.request_id,
    )
    # What the hold returns is void; a repetition says what was, and a new refund what is now.
    await ledger.release(hold.hold_id)
    assert (await ledger.pool()).available_micros == 0
    assert await ledger.peer.RefundGrant(request) == refunded
    assert (await ledger.peer.RefundGrant(_request(ledger))).voided_micros == 750 * CREDIT
    await ledger.assert_adds_up()


async def test_what_is_held_can_be_captured_after_the_refund_and_what_that_leaves_is_void(
    ledger: RunningLedger,
) -> None:
    await _bought(ledger)
    hold = await ledger.authorize(50)
    await ledger.peer.RefundGrant(_request(ledger))

    await ledger.capture(hold.hold_id, 30)

    again = await ledger.peer.RefundGrant(_request(ledger))
    assert (again.spent_micros, again.voided_micros) == (30 * CREDIT, 970 * CREDIT)
    await ledger.assert_adds_up()


async def test_a_part_is_voided_or_refused_and_the_rest_can_be_drawn(ledger: RunningLedger) -> None:
    await _bought(ledger)
    await ledger.debit(250)

    refused = await ledger.peer.RefundGrant(_request(ledger, 751))
    assert (refused.is_refused, refused.voided_micros) == (True, 0)
    part = await ledger.peer.RefundGrant(_request(ledger, 750))

    assert (part.is_refused, part.voided_micros) == (False, 750 * CREDIT)
    assert (await ledger.pool()).available_micros == 0
    await ledger.assert_adds_up()


async def test_what_has_expired_is_not_refunded(ledger: RunningLedger) -> None:
    await _bought(ledger, expire_time=timestamp(JULY))
    ledger.clock.advance_to(JULY)

    refunded = await ledger.peer.RefundGrant(_request(ledger))

    assert (refunded.expired_micros, refunded.voided_micros) == (1_000 * CREDIT, 0)
    await ledger.assert_adds_up()


async def test_refunds_and_debits_at_once_on_two_replicas_never_give_a_credit_twice(
    databases: Databases,
) -> None:
    async with two_ledgers(databases) as (first, second):
        await _bought(first, 100)
        # Known to the second's cache.
        await second.debit(1)

        spent, refunded = await asyncio.gather(
            asyncio.gather(*(second.debit(10) for _ in range(10))),
            asyncio.gather(*(first.peer.RefundGrant(_request(first, 10 * n)) for n in range(1, 11))),
        )

        last = await first.peer.RefundGrant(_request(first, 0))
        assert len(spent) == len(refunded) == 10
        assert last.spent_micros + last.voided_micros <= 100 * CREDIT
        assert last.voided_micros == max(one.voided_micros for one in refunded)
        await first.assert_adds_up()


async def test_a_top_up_without_a_grant_is_not_known(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "TOP_UP_NOT_GRANTED"):
        await ledger.peer.RefundGrant(_request(ledger))
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await ledger.peer.RefundGrant(_request(ledger, customer_id="cus_other"))


async def test_bad_fields_are_named_together_and_an_id_is_used_once(ledger: RunningLedger) -> None:
    with bad_fields("request_id", "customer_id", "top_up_id", "voided_at_least_micros"):
        await ledger.peer.RefundGrant(peer_pb.RefundGrantRequest(voided_at_least_micros=-1))
    await _bought(ledger)
    request = _request(ledger, 1)
    await ledger.peer.RefundGrant(request)
    request.voided_at_least_micros = 2
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await ledger.peer.RefundGrant(request)
