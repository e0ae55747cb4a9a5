# SPDX-License-Identifier: Apache-2.0
"""ListInvoices, GetInvoice. What changes an invoice: test_invoice_life.py."""

from grpc import StatusCode

from purser.contract.v1 import contract_pb2 as pb
from tests.support.contract import MONTHLY, ContractStub, Desk, RunningContract, day
from tests.support.faults import bad_fields, fault


async def test_invoices_are_listed_by_their_date_for_a_customer_or_one_contract(
    desk: Desk, running: RunningContract
) -> None:
    await desk.customer("Acme", "acme")
    running.clock.advance_to(day(8, 15))
    monthly = await desk.sign(desk.seats(4, frequency=MONTHLY), customer="acme")
    annual = await desk.sign(desk.seats(4), customer="acme")
    stranger = await desk.sign(desk.seats(1))
    request = pb.ListInvoicesRequest(customer="acme", page_size=3)

    first = await desk.contract.ListInvoices(request)
    request.page_token = first.next_page_token
    rest = await desk.contract.ListInvoices(request)
    of_one = await desk.contract.ListInvoices(
        pb.ListInvoicesRequest(customer=annual.contract.customer_id, contract_id=annual.contract.contract_id)
    )

    listed = [*first.invoices, *rest.invoices]
    assert [(one.issue_time.ToDatetime().month, one.contract_id) for one in listed] == [
        (6, monthly.contract.contract_id),
        (6, annual.contract.contract_id),
        (7, monthly.contract.contract_id),
        (8, monthly.contract.contract_id),
    ]
    assert rest.next_page_token == ""
    assert list(of_one.invoices) == list(annual.invoices)
    assert stranger.invoices[0] not in listed
    request.contract_id = annual.contract.contract_id
    with bad_fields("page_token"):
        await desk.contract.ListInvoices(request)


async def test_an_invoice_is_read_as_it_was_issued(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    [invoice] = signed.invoices

    read = await desk.contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=invoice.invoice_id))

    assert read.invoice == invoice
    assert invoice.invoice_id.startswith("inv_")
    assert invoice.lines[0].invoice_line_id.startswith("lin_")
    assert (invoice.customer_id, invoice.contract_id) == (
        signed.contract.customer_id,
        signed.contract.contract_id,
    )


async def test_unknown_invoices_and_customers_are_faults(contract: ContractStub) -> None:
    with fault(StatusCode.NOT_FOUND, "INVOICE_NOT_FOUND", invoice_id="inv_unknown"):
        await contract.GetInvoice(pb.GetInvoiceRequest(invoice_id="inv_unknown"))
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await contract.ListInvoices(pb.ListInvoicesRequest(customer="nobody"))


async def test_all_bad_fields_are_named_at_once(contract: ContractStub) -> None:
    with bad_fields("invoice_id"):
        await contract.GetInvoice(pb.GetInvoiceRequest())
    with bad_fields("customer", "contract_id", "page_size", "page_token"):
        await contract.ListInvoices(
            pb.ListInvoicesRequest(contract_id="x" * 201, page_size=-1, page_token="x")
        )
