# SPDX-License-Identifier: Apache-2.0
"""Refunds of top-ups, from Contract, and what is owed of them."""

from collections.abc import Sequence

from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.credits.debt import Debt, DebtEntry
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.refund import GrantRefunded, RefundGrant, RefundReversed, ReverseRefund
from services.ledger.domain.gate.decision import CREDITS_MAX
from services.ledger.wire.amounts import total_to_wire
from services.ledger.wire.copies.values import customer_id_from_wire
from services.ledger.wire.credits.reports import ListQuery


def refund_from_wire(request: pb.RefundGrantRequest) -> RefundGrant:
    fields = Fields()
    has_least = request.HasField("voided_at_least_micros")
    least = request.voided_at_least_micros
    maximum = CREDITS_MAX.micros
    command = RefundGrant(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RefundGrant", request),
        customer_id=customer_id_from_wire(fields, request.customer_id),
        top_up_id=fields.text("top_up_id", request.top_up_id),
        refund_id=fields.text("refund_id", request.refund_id, required=request.accept_debt),
        voided_at_least=Credits(fields.micros("voided_at_least_micros", least, maximum=maximum))
        if has_least
        else None,
        accept_debt=request.accept_debt,
        currency_code=fields.text("currency_code", request.currency_code, required=request.accept_debt),
    )
    fields.check()
    return command


def refund_to_wire(refunded: GrantRefunded) -> pb.RefundGrantResponse:
    return pb.RefundGrantResponse(
        granted_micros=refunded.granted.micros,
        spent_micros=refunded.spent.micros,
        held_micros=refunded.held.micros,
        expired_micros=refunded.expired.micros,
        voided_micros=refunded.voided.micros,
        is_refused=refunded.is_refused,
        apply_time=timestamp(refunded.apply_time),
        owed_micros=refunded.owed.micros,
    )


def reversal_from_wire(request: pb.ReverseRefundRequest) -> ReverseRefund:
    fields = Fields()
    command = ReverseRefund(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ReverseRefund", request),
        customer_id=customer_id_from_wire(fields, request.customer_id),
        top_up_id=fields.text("top_up_id", request.top_up_id),
        refund_id=fields.text("refund_id", request.refund_id),
    )
    fields.check()
    return command


def reversal_to_wire(response: RefundReversed) -> pb.ReverseRefundResponse:
    return pb.ReverseRefundResponse(
        cancelled_micros=response.cancelled.micros,
        grant_id=response.grant_id,
        granted_micros=total_to_wire(response.granted),
        apply_time=timestamp(response.apply_time),
    )


def debts_from_wire(request: admin.ListDebtsRequest) -> ListQuery:
    fields = Fields()
    filters = {"list": "debts", "customer": request.customer}
    query = ListQuery(
        customer=fields.text("customer", request.customer),
        page=page_from_wire(fields, request, filters),
        filters=filters,
    )
    fields.check()
    return query


def owed_from_wire(request: pb.GetOwedRequest) -> tuple[CustomerId, str]:
    """Return the customer and the currency that are asked about."""
    fields = Fields()
    customer_id = customer_id_from_wire(fields, request.customer_id)
    currency_code = fields.text("currency_code", request.currency_code)
    fields.check()
    return customer_id, currency_code


def debts_to_wire(
    debts: Sequence[Debt], rows: Sequence[tuple[str, DebtEntry]], query: ListQuery
) -> admin.ListDebtsResponse:
    shown, token = page_to_wire(
        rows, query.page, query.filters, lambda row: (row[0],), lambda row: _entry_to_wire(*row)
    )
    return admin.ListDebtsResponse(
        debts=[
            admin.Debt(
                grant_id=one.grant.grant_id,
                source_id=one.grant.source_id,
                credit_type_id=one.credit_type_id,
                owed_micros=one.owed.micros,
                owed_money_micros=one.money_micros,
                currency_code=one.currency_code,
            )
            for one in debts
        ],
        entries=shown,
        next_page_token=token,
    )


def _entry_to_wire(debt_entry_id: str, entry: DebtEntry) -> admin.DebtEntry:
    return admin.DebtEntry(
        debt_entry_id=debt_entry_id,
        kind=f"DEBT_ENTRY_KIND_{entry.kind.name}",
        grant_id=entry.grant_id,
        credit_type_id=entry.credit_type_id,
        refund_id=entry.refund_id,
        to_void_micros=entry.to_void.micros,
        refunded_micros=entry.refunded.micros,
        recovered_micros=entry.recovered.micros,
        taken_micros=entry.taken.micros,
        given_back_micros=entry.given_back.micros,
        other_grant_id=entry.other_grant_id,
        currency_code=entry.currency_code,
        create_time=timestamp(entry.create_time),
    )
