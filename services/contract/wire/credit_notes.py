# SPDX-License-Identifier: Apache-2.0
"""Credit notes and account credit on the wire."""

from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.invoices import AccountCredit, CreateCreditNote, InvoiceCredited
from services.contract.domain.ids import InvoiceId, InvoiceLineId
from services.contract.domain.invoice_credits import (
    CREDIT_NOTE_LINES_MAX,
    AccountCreditCause,
    AccountCreditEntry,
    CreditNoteLine,
)
from services.contract.wire.invoices import credit_note_to_wire, invoice_to_wire
from services.contract.wire.values import each, money, money_to_wire

_CAUSES: Final = {
    AccountCreditCause.CREDIT_NOTE: pb.ACCOUNT_CREDIT_CAUSE_CREDIT_NOTE,
    AccountCreditCause.USED: pb.ACCOUNT_CREDIT_CAUSE_USED,
    AccountCreditCause.RETURNED: pb.ACCOUNT_CREDIT_CAUSE_RETURNED,
    AccountCreditCause.EXCESS: pb.ACCOUNT_CREDIT_CAUSE_EXCESS,
    AccountCreditCause.PAID_OUT: pb.ACCOUNT_CREDIT_CAUSE_PAID_OUT,
    AccountCreditCause.OVERPAID: pb.ACCOUNT_CREDIT_CAUSE_OVERPAID,
}


def create_from_wire(request: pb.CreateCreditNoteRequest) -> CreateCreditNote:
    fields = Fields()
    has_amount = request.HasField("amount")
    lines = each(fields, "lines", request.lines, CREDIT_NOTE_LINES_MAX, _line)
    for position, line in enumerate(lines):
        if line.invoice_line_id in [other.invoice_line_id for other in lines[:position]]:
            fields.add(f"lines[{position}].invoice_line_id", "is a duplicate")
    if has_amount == bool(request.lines):
        fields.add("amount", "is required, or lines are; not both")
    command = CreateCreditNote(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateCreditNote", request),
        invoice_id=InvoiceId(fields.text("invoice_id", request.invoice_id)),
        amount=money(fields, "amount", request.amount, has=True, minimum=1) if has_amount else None,
        lines=lines,
        reason=fields.text("reason", request.reason),
    )
    fields.check()
    return command


def list_from_wire(request: pb.ListAccountCreditsRequest) -> tuple[str, Page]:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    page = page_from_wire(fields, request, _list_of(request))
    fields.check()
    return customer, page


def create_to_wire(result: InvoiceCredited) -> pb.CreateCreditNoteResponse:
    return pb.CreateCreditNoteResponse(
        credit_note=credit_note_to_wire(result.credit_note), invoice=invoice_to_wire(result.invoice)
    )


def list_to_wire(
    credit: AccountCredit, page: Page, request: pb.ListAccountCreditsRequest
) -> pb.ListAccountCreditsResponse:
    entries, token = page_to_wire(
        credit.entries,
        page,
        _list_of(request),
        lambda entry: (entry.change.account_credit_entry_id,),
        _entry_to_wire,
    )
    return pb.ListAccountCreditsResponse(
        balances=[money_to_wire(balance) for balance in credit.balances],
        entries=entries,
        next_page_token=token,
    )


def _line(fields: Fields, path: str, line: pb.CreditNoteLine) -> CreditNoteLine:
    return CreditNoteLine(
        invoice_line_id=InvoiceLineId(fields.text(f"{path}.invoice_line_id", line.invoice_line_id)),
        amount=money(fields, f"{path}.amount", line.amount, line.HasField("amount"), minimum=1),
    )


def _entry_to_wire(entry: AccountCreditEntry) -> pb.AccountCreditEntry:
    change = entry.change
    return pb.AccountCreditEntry(
        account_credit_entry_id=change.account_credit_entry_id,
        amount=money_to_wire(change.amount),
        balance_after=money_to_wire(entry.balance_after),
        cause=_CAUSES[change.cause],
        document_id=change.document_id,
        create_time=timestamp(change.create_time),
    )


def _list_of(request: pb.ListAccountCreditsRequest) -> dict[str, str]:
    return {"list": "account_credits", "customer": request.customer}
