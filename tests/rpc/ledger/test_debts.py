# SPDX-License-Identifier: Apache-2.0
"""Debt: RefundGrant with accept_debt, what pays for it, ReverseRefund, ListDebts."""

import asyncio

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.rpc.ledger.test_void_usage import void
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, two_ledgers
from tests.support.postgres import Databases


async def _buy(
    ledger: RunningLedger, credits: int, dollars: int, top_up_id: str = "top_1", **more: object
) -> pb.Grant:
    request = peer_pb.IssueTopUpGrantRequest(
        request_id=ledger.request_id(),
        customer_id="cus_acme",
        top_up_id=top_up_id,
        amount_micros=credits * CREDIT,
        cost_basis_micros=dollars * CREDIT,
        effective_time=timestamp(JUNE),
        **({"credit_type_id": AI, "currency_code": "USD"} | more),  # type: ignore[arg-type]
    )
    return (await ledger.peer.IssueTopUpGrant(request)).grant


async def _pack(ledger: RunningLedger) -> pb.Grant:
    """Sell 1,000 credits for $80 to acme, whose other credits are spent."""
    await ledger.debit(400)
    return await _buy(ledger, 1_000, 80)


def _charged_back(
    ledger: RunningLedger, credits: int | None = None, *, of: str = "rfd_1", top_up_id: str = "top_1"
) -> peer_pb.RefundGrantRequest:
    return peer_pb.RefundGrantRequest(
        request_id=ledger.request_id(),
        customer_id="cus_acme",
        top_up_id=top_up_id,
        voided_at_least_micros=None if credits is None else credits * CREDIT,
        accept_debt=True,
        refund_id=of,
        currency_code="USD",
    )


def _won(ledger: RunningLedger, of: str = "rfd_1") -> peer_pb.ReverseRefundRequest:
    return peer_pb.ReverseRefundRequest(
        request_id=ledger.request_id(), customer_id="cus_acme", top_up_id="top_1", refund_id=of
    )


async def _debts(ledger: RunningLedger) -> admin.ListDebtsResponse:
    return await ledger.admin.ListDebts(admin.ListDebtsRequest(customer="acme"))


async def test_golden_a_debt_is_seen_and_the_next_pack_pays_it(ledger: RunningLedger) -> None:
    old = await _pack(ledger)
    await ledger.debit(600)
    request = _charged_back(ledger)

    refunded = await ledger.peer.RefundGrant(request)

    assert (refunded.voided_micros, refunded.owed_micros) == (400 * CREDIT, 600 * CREDIT)
    assert await ledger.peer.RefundGrant(request) == refunded
    assert await ledger.peer.RefundGrant(_charged_back(ledger)) == refunded  # once per refund
    pool = await ledger.pool()
    assert (pool.available_micros, pool.owed_micros, pool.owed_money_micros) == (0, 600 * CREDIT, 48 * CREDIT)
    [debt] = (await _debts(ledger)).debts
    assert (debt.grant_id, debt.source_id, debt.owed_money_micros) == (old.grant_id, "top_1", 48 * CREDIT)
    await ledger.assert_adds_up()

    new = await _buy(ledger, 1_000, 100, "top_2")

    assert (new.voided_micros, new.available_micros) == (480 * CREDIT, 520 * CREDIT)
    pool = await ledger.pool()
    assert (pool.available_micros, pool.owed_micros, pool.owed_money_micros) == (520 * CREDIT, 0, 0)
    [entry] = [
        one for one in await ledger.entries(grant_id=new.grant_id) if one.entry_kind == admin.ENTRY_KIND_VOID
    ]
    assert (entry.amount_micros, entry.cause_id) == (-480 * CREDIT, old.grant_id)
    listed = await _debts(ledger)
    assert not listed.debts
    assert [(one.kind, one.to_void_micros, one.taken_micros) for one in listed.entries] == [
        (admin.DEBT_ENTRY_KIND_RECOVERY, -600 * CREDIT, 480 * CREDIT),
        (admin.DEBT_ENTRY_KIND_REFUND, 1_000 * CREDIT, 0),
    ]
    await ledger.assert_adds_up()


async def test_what_holds_and_corrections_return_makes_the_debt_less(ledger: RunningLedger) -> None:
    await _pack(ledger)
    hold = await ledger.authorize(200)
    other = await ledger.authorize(100)
    await ledger.capture(other.hold_id, 100)
    assert (await ledger.peer.RefundGrant(_charged_back(ledger))).owed_micros == 300 * CREDIT

    await ledger.capture(hold.hold_id, 50)

    pool = await ledger.pool()
    assert (pool.available_micros, pool.owed_micros) == (0, 150 * CREDIT)
    # $4.00 of the $12.00 are paid; so of the 100 that did not happen, all are voided, and then none is left to void.
    await _buy(ledger, 100, 4, "top_2")
    await void(ledger, hold_id=other.hold_id)
    pool = await ledger.pool()
    assert (pool.available_micros, pool.owed_micros) == (0, 0)
    await void(ledger, hold_id=hold.hold_id)
    assert (await ledger.pool()).available_micros == 50 * CREDIT
    await ledger.assert_adds_up()


async def test_a_debt_in_one_pool_is_paid_by_a_pack_of_another(ledger: RunningLedger) -> None:
    await _pack(ledger)
    await ledger.debit(600)
    await ledger.peer.RefundGrant(_charged_back(ledger))

    foreign = await _buy(ledger, 1_000, 100, "top_2", currency_code="EUR")
    unknown = await _buy(ledger, 1_000, 100, "top_3", currency_code="")
    new = await _buy(ledger, 1_000, 100, "top_4", credit_type_id="crt_other")

    assert (foreign.voided_micros, unknown.voided_micros, new.voided_micros) == (0, 0, 480 * CREDIT)
    assert not (await _debts(ledger)).debts
    await ledger.assert_adds_up()


async def test_a_dispute_that_is_won_is_undone_once(ledger: RunningLedger) -> None:
    await _pack(ledger)
    await ledger.debit(600)
    await ledger.peer.RefundGrant(_charged_back(ledger))
    await _buy(ledger, 1_000, 100, "top_2")

    first = await ledger.peer.ReverseRefund(_won(ledger))
    again = await ledger.peer.ReverseRefund(_won(ledger))

    assert first == again
    assert (first.cancelled_micros, first.granted_micros) == (0, 880 * CREDIT)
    assert (await ledger.pool()).available_micros == 1_400 * CREDIT
    await ledger.assert_adds_up()


async def test_a_dispute_that_is_won_before_anything_was_paid_cancels_the_debt(ledger: RunningLedger) -> None:
    await _pack(ledger)
    await ledger.debit(1_000)
    await ledger.peer.RefundGrant(_charged_back(ledger))

    undone = await ledger.peer.ReverseRefund(_won(ledger))

    assert (undone.cancelled_micros, undone.grant_id, undone.granted_micros) == (1_000 * CREDIT, "", 0)
    assert not (await _debts(ledger)).debts
    with fault(StatusCode.NOT_FOUND, "REFUND_UNKNOWN"):
        await ledger.peer.ReverseRefund(_won(ledger, "rfd_2"))


@pytest.mark.parametrize("round_number", range(3))
async def test_refunds_packs_and_debits_at_once_on_two_replicas(
    databases: Databases, round_number: int
) -> None:
    async with two_ledgers(databases) as (first, second):
        await _buy(first, 1_000, 80)
        await second.debit(400)

        await asyncio.gather(
            *(second.debit(10) for _ in range(10)),
            first.peer.RefundGrant(_charged_back(first, 900)),
            second.peer.RefundGrant(_charged_back(second, 1_000, of="rfd_2")),
            _buy(first, 300, 30, "top_2"),
            _buy(second, 300, 30, "top_3"),
        )
        await _buy(first, 1_000, 100, "top_4")

        # In dollars: what was bought, less what went back, is what was used and what is left.
        pool = await first.pool()
        assert pool.owed_micros == 0
        listed = (await _debts(first)).entries
        refunded = sum(one.refunded_micros for one in listed)
        assert refunded == 1_000 * CREDIT
        await first.assert_adds_up()


async def test_bad_fields_of_debts(ledger: RunningLedger) -> None:
    with bad_fields("request_id", "customer_id", "top_up_id", "refund_id", "currency_code"):
        await ledger.peer.RefundGrant(peer_pb.RefundGrantRequest(accept_debt=True))
    with bad_fields("request_id", "customer_id", "top_up_id", "refund_id"):
        await ledger.peer.ReverseRefund(peer_pb.ReverseRefundRequest())
    with bad_fields("customer"):
        await ledger.admin.ListDebts(admin.ListDebtsRequest())
    with fault(StatusCode.NOT_FOUND, "TOP_UP_NOT_GRANTED"):
        await ledger.peer.RefundGrant(_charged_back(ledger))


async def test_one_refund_id_is_of_one_grant(ledger: RunningLedger) -> None:
    old = await _pack(ledger)
    await _buy(ledger, 1_000, 100, "top_2")
    await ledger.peer.RefundGrant(_charged_back(ledger))

    with fault(StatusCode.ALREADY_EXISTS, "REFUND_ID_REUSED", refund_id="rfd_1", grant_id=old.grant_id):
        await ledger.peer.RefundGrant(_charged_back(ledger, top_up_id="top_2"))

    assert (await ledger.pool()).available_micros == 1_000 * CREDIT
    await ledger.peer.RefundGrant(_charged_back(ledger, of="rfd_2", top_up_id="top_2"))
    assert (await ledger.pool()).available_micros == 0
    await ledger.assert_adds_up()


async def test_contract_asks_what_is_owed_in_a_currency(ledger: RunningLedger) -> None:
    async def owed(currency_code: str = "USD") -> int:
        question = peer_pb.GetOwedRequest(customer_id="cus_acme", currency_code=currency_code)
        return (await ledger.peer.GetOwed(question)).owed_money_micros

    await _pack(ledger)
    await ledger.debit(600)
    before = await owed()
    await ledger.peer.RefundGrant(_charged_back(ledger))

    assert (before, await owed(), await owed("EUR")) == (0, 48 * CREDIT, 0)
    await _buy(ledger, 1_000, 100, "top_2")
    assert await owed() == 0
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await ledger.peer.GetOwed(peer_pb.GetOwedRequest(customer_id="cus_nobody", currency_code="USD"))
    with bad_fields("customer_id", "currency_code"):
        await ledger.peer.GetOwed(peer_pb.GetOwedRequest())


async def test_what_is_owed_is_rounded_up(ledger: RunningLedger) -> None:
    await ledger.debit(400)
    await _buy(ledger, 3, 1)
    await ledger.debit(1)

    await ledger.peer.RefundGrant(_charged_back(ledger))

    question = peer_pb.GetOwedRequest(customer_id="cus_acme", currency_code="USD")
    assert (await ledger.peer.GetOwed(question)).owed_money_micros == 333_334
