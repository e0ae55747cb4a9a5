# SPDX-License-Identifier: Apache-2.0
"""ChangePlan while the Ledger is away, answers late, or is asked twice: the money is settled once."""

from typing import Any

import pytest
from grpc import StatusCode

from meshkit.errors import Unavailable
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.catalog import JUNE
from tests.support.contract import Desk, RunningContract, away, day, dollars
from tests.support.faults import fault
from tests.support.ledger_peer import RecordingLedger

CREDIT = 1_000_000
MONTHLY = pb.BILLING_FREQUENCY_MONTHLY


class LedgerAway(Unavailable):
    reason = "DATABASE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("away")


def _half_unused(request: peer_pb.ApplyPlanChangeRequest) -> peer_pb.ApplyPlanChangeResponse:
    return peer_pb.ApplyPlanChangeResponse(
        unused=[
            peer_pb.UnusedShare(subscription_id=one.subscription_id, numerator=1, denominator=4)
            for one in request.paid_periods
        ],
        apply_time=timestamp(day(6, 17)),
    )


@pytest.fixture
async def signed(desk: Desk) -> pb.CreateContractResponse:
    made = await desk.sign(desk.seats(4, frequency=MONTHLY), schedules=(desk.schedule(),))
    await desk.pay(made.invoices[0])
    return made


def _request(desk: Desk, signed: pb.CreateContractResponse, **more: Any) -> pb.ChangePlanRequest:
    """Ask for 8 seats instead of 4."""
    terms: dict[str, Any] = {
        "request_id": "change",
        "contract_id": signed.contract.contract_id,
        "rate_card_id": desk.sells.rate_card.rate_card_id,
        "subscriptions": [desk.seats(8, frequency=MONTHLY)],
        "grant_schedules": [desk.schedule()],
    }
    return pb.ChangePlanRequest(**(terms | more))


async def test_the_ledger_is_told_of_both_contracts_and_of_what_was_paid(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, signed: pb.CreateContractResponse
) -> None:
    ledger.answers["ApplyPlanChange"] = _half_unused
    running.clock.advance_to(day(6, 16))

    changed = await desk.contract.ChangePlan(_request(desk, signed))

    (told,) = ledger.told_of(peer_pb.ApplyPlanChangeRequest)
    assert (told.ended.contract_id, told.begun.contract_id) == (
        signed.contract.contract_id,
        changed.contract.contract_id,
    )
    assert told.ended.end_time == told.begun.start_time == timestamp(day(6, 16))
    assert told.included_credits == peer_pb.INCLUDED_CREDITS_VOID
    (paid,) = told.paid_periods
    assert (paid.start_time, paid.end_time, paid.seats) == (timestamp(JUNE), timestamp(day(7, 1)), 4)
    assert dollars(changed.invoice.total) == "70.00"  # 8 × $10 less a quarter of $40


async def test_until_the_ledger_has_answered_the_change_is_pending_and_the_invoice_a_draft(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, signed: pb.CreateContractResponse
) -> None:
    ledger.answers["ApplyPlanChange"] = _half_unused
    running.clock.advance_to(day(6, 16))
    ledger.fault = LedgerAway()

    changed = await desk.contract.ChangePlan(_request(desk, signed))

    assert changed.plan_change.status == pb.PLAN_CHANGE_STATUS_PENDING
    assert (changed.invoice.status, changed.invoice.number) == (pb.INVOICE_STATUS_DRAFT, "")
    assert dollars(changed.invoice.total) == "80.00"
    with away("ledger"):
        await desk.contract.PreviewPlanChange(
            pb.PreviewPlanChangeRequest(
                contract_id=changed.contract.contract_id,
                rate_card_id=desk.sells.rate_card.rate_card_id,
                subscriptions=[desk.seats(9, frequency=MONTHLY)],
                grant_schedules=[desk.schedule()],
            )
        )

    ledger.fault = None
    again = await desk.contract.ChangePlan(_request(desk, signed))
    assert again.plan_change.status == pb.PLAN_CHANGE_STATUS_APPLIED
    assert again.plan_change.apply_time == timestamp(day(6, 17))
    assert (again.invoice.status, dollars(again.invoice.total)) == (pb.INVOICE_STATUS_OPEN, "70.00")


async def test_a_draft_of_a_pending_change_is_not_issued_by_hand(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, signed: pb.CreateContractResponse
) -> None:
    running.clock.advance_to(day(6, 16))
    ledger.fault = LedgerAway()
    changed = await desk.contract.ChangePlan(_request(desk, signed))

    with fault(StatusCode.FAILED_PRECONDITION, "PLAN_CHANGE_PENDING"):
        await desk.contract.FinalizeInvoice(
            pb.FinalizeInvoiceRequest(request_id="by-hand", invoice_id=changed.invoice.invoice_id)
        )
    with fault(StatusCode.FAILED_PRECONDITION, "PLAN_CHANGE_PENDING"):
        await desk.contract.VoidInvoice(
            pb.VoidInvoiceRequest(request_id="void", invoice_id=changed.invoice.invoice_id, reason="x")
        )


async def test_without_schedules_time_alone_counts(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    ledger.answers["ApplyPlanChange"] = lambda request: peer_pb.ApplyPlanChangeResponse(
        apply_time=timestamp(day(6, 16))
    )
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await desk.pay(signed.invoices[0])
    running.clock.advance_to(day(6, 16))

    changed = await desk.contract.ChangePlan(_request(desk, signed, grant_schedules=[]))

    assert dollars(changed.invoice.total) == "60.00"


async def test_of_an_increase_that_was_charged_the_same_share_comes_back(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, signed: pb.CreateContractResponse
) -> None:
    """4 × $10 and, from the 11th, 1 × $10 × 20/30 are $46.67; on the 16th half of the time is left."""
    ledger.answers["ApplyPlanChange"] = lambda request: peer_pb.ApplyPlanChangeResponse(
        apply_time=timestamp(day(6, 16))
    )
    running.clock.advance_to(day(6, 11))
    added = await desk.add_seats(signed, 1)
    await desk.pay(added.invoice)
    running.clock.advance_to(day(6, 16))

    changed = await desk.contract.ChangePlan(_request(desk, signed))

    (credit,) = changed.plan_change.credits
    assert dollars(credit.charged) == "46.67"
    assert dollars(changed.invoice.total) == "56.67"  # $80.00 less $23.33
    (told,) = ledger.told_of(peer_pb.ApplyPlanChangeRequest)
    assert told.paid_periods[0].seats == 5
