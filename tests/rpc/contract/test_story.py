# SPDX-License-Identifier: Apache-2.0
"""The guide's figures, call by call: seats and their money, and what the Ledger hears of it."""

from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2
from tests.support.catalog import JUNE
from tests.support.contract import Desk, RunningContract, day, dollars
from tests.support.ledger_peer import RecordingLedger


async def test_four_annual_seats_at_100_dollars_are_invoiced_400_on_the_day_they_start(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))

    [invoice] = signed.invoices
    [line] = invoice.lines
    assert (dollars(invoice.total), invoice.status) == ("400.00", pb.INVOICE_STATUS_OPEN)
    assert invoice.issue_time.ToDatetime(tzinfo=JUNE.tzinfo) == JUNE
    assert (line.kind, line.quantity, dollars(line.unit_price)) == (
        pb.INVOICE_LINE_KIND_SUBSCRIPTION,
        4,
        "100.00",
    )
    assert (line.fraction.numerator, line.fraction.denominator) == (1, 1)
    assert line.description == "Team Plan: 4 seats"


async def test_the_guide_s_seat_changes_cost_what_the_guide_says(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4), schedules=(desk.schedule(),))

    await running.advance_to(day(7, 3))
    added = await desk.add_seats(signed, 1)
    await running.advance_to(day(7, 10))
    removed = await desk.add_seats(signed, -1)
    await running.advance_to(day(7, 20))
    again = await desk.add_seats(signed, 1)
    await running.advance_to(day(6, 1, 2026))

    [line] = added.invoice.lines
    assert (line.fraction.numerator, line.fraction.denominator) == (333, 365)
    assert line.exact_micros == 91_232_876
    assert dollars(line.total) == "91.23"
    assert line.description == "Team Plan: 1 seat added, 333/365 of the period"
    assert [change.seat_change.quantity_after for change in (added, removed, again)] == [5, 4, 5]
    assert not removed.HasField("invoice")
    assert not again.HasField("invoice")
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["400.00", "91.23", "500.00"]


async def test_the_ledger_hears_it_all_in_order(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    customer = await desk.customer("Acme", "acme")
    signed = await desk.sign(desk.seats(4), customer="acme", schedules=(desk.schedule(),))
    added = await desk.add_seats(signed, 1)

    told_customer, told_contract, told_seats = ledger.told
    assert isinstance(told_customer, ledger_peer_pb2.ApplyCustomerRequest)
    assert (told_customer.customer_id, told_customer.version) == (customer.customer_id, 1)
    assert isinstance(told_contract, ledger_peer_pb2.ApplyContractRequest)
    assert told_contract.contract_id == signed.contract.contract_id
    assert told_contract.subscriptions[0].initial_quantity == 4
    assert told_contract.grant_schedules[0].unit_amount_micros == 100_000_000
    assert isinstance(told_seats, ledger_peer_pb2.ApplySeatChangeRequest)
    assert (told_seats.seat_change_id, told_seats.sequence) == (added.seat_change.seat_change_id, 1)
    assert told_seats.quantity_delta == 1
