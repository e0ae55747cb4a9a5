# SPDX-License-Identifier: Apache-2.0
"""Invoices: Contract's."""

from purser.contract.v1 import contract_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.faults import Refused
from services.edge.pages import page_of
from services.edge.wire import invoices as wire
from services.edge.wire.fields import IdBody, id_to_json

REASON = "voided through /v1/invoices"


async def list_invoices(ask: Ask) -> object:
    query = ask.query_of(wire.ListInvoices)
    listed = await ask.mesh.contract.ListInvoices(
        pb.ListInvoicesRequest(
            customer=ask.path_values["customer_id"],
            contract_id=query.contract_id,
            page_size=query.limit or 0,
            page_token=query.next_page,
        )
    )
    invoices = [one for one in listed.invoices if wire.is_listed(one, query)]
    credit_types = await ask.names.credit_types(
        ask.mesh, (credit_type_id for one in invoices for credit_type_id in wire.credit_type_ids_of(one))
    )
    return page_of([wire.invoice_to_json(one, credit_types) for one in invoices], listed.next_page_token)


async def get_invoice(ask: Ask) -> object:
    found = await ask.mesh.contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=ask.path_values["invoice_id"]))
    customer = await ask.mesh.contract.GetCustomer(
        pb.GetCustomerRequest(customer=ask.path_values["customer_id"])
    )
    if found.invoice.customer_id != customer.customer.customer_id:
        raise Refused(404, f"the customer has no invoice {found.invoice.invoice_id!r}")
    usage = found.usage if found.HasField("usage") else None
    credit_types = await ask.names.credit_types(ask.mesh, wire.credit_type_ids_of(found.invoice, usage))
    return {"data": wire.invoice_to_json(found.invoice, credit_types, usage)}


async def void_invoice(ask: Ask) -> object:
    voided = await _void(ask, regenerate=False)
    return id_to_json(voided.invoice.invoice_id)


async def regenerate_invoice(ask: Ask) -> object:
    voided = await _void(ask, regenerate=True)
    return id_to_json(voided.regenerated.invoice_id)


async def _void(ask: Ask, *, regenerate: bool) -> pb.VoidInvoiceResponse:
    return await ask.mesh.contract.VoidInvoice(
        pb.VoidInvoiceRequest(
            request_id=ask.request_id(),
            invoice_id=ask.body(IdBody).id,
            reason=REASON,
            regenerate=regenerate,
        )
    )


async def preview_events(_: Ask) -> object:
    raise Refused(501, "Purser has no preview of events; GetDecision says what a call would cost now")


ENTRIES = (
    Entry("GET", "/v1/customers/{customer_id}/invoices", list_invoices),
    Entry("GET", "/v1/customers/{customer_id}/invoices/{invoice_id}", get_invoice),
    Entry("POST", "/v1/invoices/void", void_invoice),
    Entry("POST", "/v1/invoices/regenerate", regenerate_invoice),
    Entry("POST", "/v1/customers/{customer_id}/previewEvents", preview_events),
)
