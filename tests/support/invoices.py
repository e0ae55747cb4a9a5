# SPDX-License-Identifier: Apache-2.0
"""Requests about invoices, as operators make them."""

from datetime import datetime

from meshkit.rpc.fields import optional_timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.type.v1 import money_pb2
from tests.support.contract import ContractStub, Desk

CENT = 10_000
CREDIT = 1_000_000


def usd(cents: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="USD", micros=cents * CENT)


def payment(
    desk: Desk, invoice: pb.Invoice, cents: int, reference: str = "transfer-1", at: datetime | None = None
) -> pb.RecordInvoicePaymentRequest:
    return pb.RecordInvoicePaymentRequest(
        request_id=desk.request_id(),
        invoice_id=invoice.invoice_id,
        amount=usd(cents),
        reference=reference,
        payment_time=optional_timestamp(at),
    )


def void(desk: Desk, invoice: pb.Invoice, *, regenerate: bool = False) -> pb.VoidInvoiceRequest:
    return pb.VoidInvoiceRequest(
        request_id=desk.request_id(),
        invoice_id=invoice.invoice_id,
        reason="wrong address",
        regenerate=regenerate,
    )


def finalize(desk: Desk, invoice: pb.Invoice) -> pb.FinalizeInvoiceRequest:
    return pb.FinalizeInvoiceRequest(request_id=desk.request_id(), invoice_id=invoice.invoice_id)


async def read(contract: ContractStub, invoice: pb.Invoice) -> pb.GetInvoiceResponse:
    return await contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=invoice.invoice_id))


def external_top_up(desk: Desk, signed: pb.CreateContractResponse) -> pb.OrderTopUpRequest:
    return pb.OrderTopUpRequest(
        request_id=desk.request_id(),
        contract_id=signed.contract.contract_id,
        top_up_pack_id=desk.sells.pack.top_up_pack_id,
        payment_gate=pb.PAYMENT_GATE_EXTERNAL,
    )


def credit(desk: Desk, invoice: pb.Invoice, cents: int) -> pb.CreateCreditNoteRequest:
    return pb.CreateCreditNoteRequest(
        request_id=desk.request_id(), invoice_id=invoice.invoice_id, amount=usd(cents), reason="goodwill"
    )


def credit_line(desk: Desk, invoice: pb.Invoice, line: int, cents: int) -> pb.CreateCreditNoteRequest:
    taken = pb.CreditNoteLine(invoice_line_id=invoice.lines[line].invoice_line_id, amount=usd(cents))
    return pb.CreateCreditNoteRequest(
        request_id=desk.request_id(), invoice_id=invoice.invoice_id, lines=[taken], reason="goodwill"
    )


def billing(desk: Desk, customer: str, **details: object) -> pb.SetBillingDetailsRequest:
    """Return details of Acme GmbH in Vienna."""
    party = pb.Party(name="Acme GmbH", address_lines=["Ring 1", "1010 Wien", "Austria"], tax_ids=["UID ATU1"])
    return pb.SetBillingDetailsRequest(
        request_id=desk.request_id(),
        customer=customer,
        billing_details=pb.BillingDetails(party=party, **details),  # type: ignore[arg-type]
    )


def vat(percent: int) -> pb.TaxTerms:
    return pb.TaxTerms(name="VAT", rate_micros=percent * 10_000)


async def usage_invoices(desk: Desk, signed: pb.CreateContractResponse) -> list[pb.GetInvoiceResponse]:
    """Return the invoices that show usage."""
    details = [await read(desk.contract, one) for one in await desk.invoices(signed)]
    return [one for one in details if one.HasField("usage")]


def shown_usage(usage: pb.InvoiceUsage) -> list[tuple[str, str, int]]:
    """Return user, payer and whole credits of each amount."""
    rows = []
    for line in usage.lines:
        for one in line.paid_by:
            source = pb.CreditSource.Name(one.credit_source).removeprefix("CREDIT_SOURCE_")
            rows.append((line.group_value, source, one.credits_micros // CREDIT))
        if line.overage_micros:
            rows.append((line.group_value, "OVERAGE", line.overage_micros // CREDIT))
        if line.uncovered_micros:
            rows.append((line.group_value, "UNCOVERED", line.uncovered_micros // CREDIT))
    return rows
