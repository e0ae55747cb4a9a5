# SPDX-License-Identifier: Apache-2.0
"""EndContract with an option: at the period's end or start, and never."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from meshkit.rpc.status import PeerUnavailable
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2 import (
    ApplyContractRequest,
    ApplyPlanChangeRequest,
    ApplyPlanChangeResponse,
    UnusedShare,
)
from tests.support.catalog import JUNE, Shop, a_rate
from tests.support.contract import MONTHLY, Desk, RunningContract, day, dollars
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger

PERIOD_END = pb.END_OPTION_PERIOD_END
PERIOD_START = pb.END_OPTION_PERIOD_START
NEVER = pb.END_OPTION_NEVER


async def _end(desk: Desk, signed: pb.CreateContractResponse, option: pb.EndOption) -> pb.Contract:
    request = pb.EndContractRequest(
        request_id=desk.request_id(), contract_id=signed.contract.contract_id, end_option=option
    )
    return (await desk.contract.EndContract(request)).contract


async def _free(desk: Desk, shop: Shop) -> pb.SubscriptionTerms:
    product = await shop.seats()
    rate = a_rate(product, price_micros=0, frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY)
    await shop.add(desk.sells.rate_card, rate)
    return desk.seats(4, product_id=product.product_id, frequency=MONTHLY)


async def test_a_contract_can_end_with_its_open_period(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(7, 3))

    assert (await _end(desk, signed, PERIOD_END)).end_time == timestamp(day(8, 1))

    await running.advance_to(day(9, 1))
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["40.00", "40.00"]


async def test_of_several_periods_the_last_one_to_end_counts(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), desk.seats(1))
    await running.advance_to(day(7, 3))

    assert (await _end(desk, signed, PERIOD_END)).end_time == timestamp(day(6, 1, 2026))


async def test_the_end_of_the_period_may_be_later_than_the_end_before(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), end=day(7, 11))
    await running.advance_to(day(7, 3))

    assert (await _end(desk, signed, PERIOD_END)).end_time == timestamp(day(8, 1))
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["40.00", "12.90", "27.10"]


async def test_a_removed_end_charges_the_difference_and_the_contract_renews(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), end=day(7, 11))
    await running.advance_to(day(7, 3))

    removed = await _end(desk, signed, NEVER)

    assert not removed.HasField("end_time")
    told = ledger.told_of(ApplyContractRequest)[-1]
    assert (told.HasField("end_time"), told.version) == (False, 2)
    await running.advance_to(day(8, 1))
    totals = [dollars(one.total) for one in await desk.invoices(signed)]
    assert totals == ["40.00", "12.90", "27.10", "40.00"]


async def test_the_ledger_is_told_when_an_end_was_accepted_also_when_it_is_sent_again(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(6, 20))
    await _end(desk, signed, PERIOD_END)
    await running.advance_to(day(6, 25))

    await desk.contract.ResendCustomer(
        pb.ResendCustomerRequest(request_id="again", customer=signed.contract.customer_id)
    )

    told = ledger.told_of(ApplyContractRequest)
    assert [one.accept_time for one in told] == [timestamp(at) for at in (JUNE, day(6, 20), day(6, 20))]


async def test_an_end_that_has_passed_is_not_removed(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), end=day(7, 11))
    await running.advance_to(day(7, 11))

    for option in (NEVER, PERIOD_END, PERIOD_START):
        with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
            await _end(desk, signed, option)


@pytest.mark.parametrize(
    ("at", "is_possible"),
    [
        (day(7, 1), True),
        (day(7, 2), True),
        (day(7, 2) + timedelta(microseconds=1), False),
    ],
)
async def test_a_period_is_unwanted_within_24_hours_of_its_start(
    desk: Desk, shop: Shop, running: RunningContract, at: datetime, is_possible: bool
) -> None:
    signed = await desk.sign(await _free(desk, shop))
    await running.advance_to(at)

    if is_possible:
        assert (await _end(desk, signed, PERIOD_START)).end_time == timestamp(day(7, 1))
        with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
            await desk.add_seats(signed, 1, at)
    else:
        with fault(
            StatusCode.FAILED_PRECONDITION,
            "PERIOD_STARTED_TOO_LONG_AGO",
            period_start=day(7, 1).isoformat(),
        ):
            await _end(desk, signed, PERIOD_START)


async def test_the_option_of_an_end_is_shown_replaced_and_dropped(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), end=day(9, 1))
    contract_id = signed.contract.contract_id

    async def shown() -> "pb.MoneyBack":
        request = pb.GetContractRequest(contract_id=contract_id)
        return (await desk.contract.GetContract(request)).contract.end_money_back

    async def end(**more: Any) -> pb.EndContractResponse:
        request = pb.EndContractRequest(request_id=desk.request_id(), contract_id=contract_id, **more)
        return await desk.contract.EndContract(request)

    assert await shown() == pb.MONEY_BACK_UNSPECIFIED
    await end(end_time=timestamp(day(6, 16)), money_back=pb.MONEY_BACK_CREDIT_UNUSED)
    assert await shown() == pb.MONEY_BACK_CREDIT_UNUSED
    await end(end_option=PERIOD_END)
    assert await shown() == pb.MONEY_BACK_NONE
    await end(end_option=PERIOD_END, money_back=pb.MONEY_BACK_CREDIT_UNUSED)
    await end(end_option=NEVER)
    assert await shown() == pb.MONEY_BACK_UNSPECIFIED
    with bad_fields("money_back"):
        await end(end_option=NEVER, money_back=pb.MONEY_BACK_CREDIT_UNUSED)


async def test_an_end_to_come_asks_the_ledger_when_it_passes_and_is_settled_once(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    request = pb.EndContractRequest(
        request_id="r1",
        contract_id=signed.contract.contract_id,
        end_time=timestamp(day(6, 16)),
        money_back=pb.MONEY_BACK_CREDIT_UNUSED,
    )
    ledger.answers["ApplyPlanChange"] = lambda told: ApplyPlanChangeResponse(
        unused=[
            UnusedShare(subscription_id=told.paid_periods[0].subscription_id, numerator=1, denominator=4)
        ],
        apply_time=told.ended.end_time,
    )
    ahead = await desk.contract.EndContract(request)
    await running.advance_to(day(6, 16) - timedelta(microseconds=1))
    assert not ledger.told_of(ApplyPlanChangeRequest)
    ledger.fault = PeerUnavailable(peer="ledger", details="down")
    await running.advance_to(day(6, 16))
    listed = pb.ListPlanChangesRequest(contract_id=signed.contract.contract_id)
    (pending,) = (await desk.contract.ListPlanChanges(listed)).plan_changes
    ledger.fault = None

    await running.advance_to(day(7, 1))

    (settled,) = (await desk.contract.ListPlanChanges(listed)).plan_changes
    assert (pending.status, settled.status) == (
        pb.PLAN_CHANGE_STATUS_PENDING,
        pb.PLAN_CHANGE_STATUS_APPLIED,
    )
    (told,) = ledger.told_of(ApplyPlanChangeRequest)
    assert not told.HasField("begun")
    assert told.ended.version == ledger.told_of(ApplyContractRequest)[-1].version
    assert told.paid_periods[0].end_time == timestamp(day(7, 1))
    invoice = await desk.contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=signed.invoices[0].invoice_id))
    assert [dollars(one.amount) for one in invoice.credit_notes] == ["10.00"]
    again = await desk.contract.EndContract(request)
    assert (again.contract, again.settlement) == (ahead.contract, settled)


async def test_the_money_of_an_end_waits_for_the_ledger_s_answer_and_is_settled_once(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(6, 16))
    request = pb.EndContractRequest(
        request_id="r1",
        contract_id=signed.contract.contract_id,
        money_back=pb.MONEY_BACK_CREDIT_UNUSED,
    )
    ledger.answers["ApplyPlanChange"] = lambda told: ApplyPlanChangeResponse(
        unused=[
            UnusedShare(subscription_id=told.paid_periods[0].subscription_id, numerator=1, denominator=4)
        ],
        apply_time=told.ended.end_time,
    )
    ledger.fault = PeerUnavailable(peer="ledger", details="down")

    pending = (await desk.contract.EndContract(request)).settlement
    ledger.fault = None
    settled = (await desk.contract.EndContract(request)).settlement
    again = (await desk.contract.EndContract(request)).settlement

    assert (pending.status, settled.status) == (
        pb.PLAN_CHANGE_STATUS_PENDING,
        pb.PLAN_CHANGE_STATUS_APPLIED,
    )
    assert not pending.credit_note_ids
    assert again == settled
    (told,) = ledger.told_of(ApplyPlanChangeRequest)
    assert not told.HasField("begun")
    invoice = await desk.contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=signed.invoices[0].invoice_id))
    assert [dollars(one.amount) for one in invoice.credit_notes] == ["10.00"]
    assert list(settled.credit_note_ids) == [invoice.credit_notes[0].credit_note_id]


async def test_at_the_instant_of_renewal_the_new_period_is_unwanted_before_it_is_billed(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    running.clock.advance_to(day(7, 1))

    assert (await _end(desk, signed, PERIOD_START)).end_time == timestamp(day(7, 1))
    await running.advance_to(day(8, 1))
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["40.00"]


async def test_a_contract_without_seats_has_no_period_to_end_with(desk: Desk) -> None:
    signed = await desk.sign()

    for option in (PERIOD_END, PERIOD_START):
        with fault(StatusCode.FAILED_PRECONDITION, "NO_BILLING_PERIOD"):
            await _end(desk, signed, option)


async def test_a_time_and_an_option_exclude_each_other(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    request = pb.EndContractRequest(
        request_id="r1", contract_id=signed.contract.contract_id, end_option=NEVER, end_time=timestamp(JUNE)
    )

    with bad_fields("end_time"):
        await desk.contract.EndContract(request)
    request.end_option = 9  # type: ignore[assignment]
    request.ClearField("end_time")
    with bad_fields("end_option"):
        await desk.contract.EndContract(request)
