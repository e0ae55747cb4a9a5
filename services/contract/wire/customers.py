# SPDX-License-Identifier: Apache-2.0
"""Customers on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.customers import (
    ArchiveCustomer,
    CreateCustomer,
    RenameCustomer,
    ResendCustomer,
    ResumeCustomer,
    SetCustomerAliases,
    SuspendCustomer,
    UnarchiveCustomer,
)
from services.contract.domain.customer import (
    ALIASES_MAX,
    NOTE_LENGTH_MAX,
    Customer,
    Suspension,
    SuspensionReason,
    is_customer_id,
)
from services.contract.domain.ids import CUSTOMER_PREFIX
from services.contract.domain.invoice_parties import BillingDetails
from services.contract.wire.parties import billing_details_to_wire
from services.contract.wire.values import by_number

_REASONS: Final = {
    SuspensionReason.OPERATOR: pb.SUSPENSION_REASON_OPERATOR,
    SuspensionReason.PAYMENT_OVERDUE: pb.SUSPENSION_REASON_PAYMENT_OVERDUE,
    SuspensionReason.PAYMENT_DISPUTED: pb.SUSPENSION_REASON_PAYMENT_DISPUTED,
    SuspensionReason.INVOICE_UNPAID: pb.SUSPENSION_REASON_INVOICE_UNPAID,
    SuspensionReason.IN_DEBT: pb.SUSPENSION_REASON_IN_DEBT,
}


def create_from_wire(request: pb.CreateCustomerRequest) -> CreateCustomer:
    fields = Fields()
    command = CreateCustomer(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateCustomer", request),
        name=fields.text("name", request.name),
        aliases=_aliases(fields, request.aliases),
    )
    fields.check()
    return command


def get_from_wire(request: pb.GetCustomerRequest) -> str:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    fields.check()
    return customer


def list_from_wire(request: pb.ListCustomersRequest) -> tuple[Page, str]:
    fields = Fields()
    page = page_from_wire(fields, request, _list_of(request))
    search = fields.text("search", request.search.strip(), required=False)
    fields.check()
    return page, search


def set_aliases_from_wire(request: pb.SetCustomerAliasesRequest) -> SetCustomerAliases:
    fields = Fields()
    command = SetCustomerAliases(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetCustomerAliases", request),
        customer=fields.text("customer", request.customer),
        aliases=_aliases(fields, request.aliases),
    )
    fields.check()
    return command


def rename_from_wire(request: pb.RenameCustomerRequest) -> RenameCustomer:
    fields = Fields()
    command = RenameCustomer(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RenameCustomer", request),
        customer=fields.text("customer", request.customer),
        name=fields.text("name", request.name),
    )
    fields.check()
    return command


def suspend_from_wire(request: pb.SuspendCustomerRequest) -> SuspendCustomer:
    fields = Fields()
    command = SuspendCustomer(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SuspendCustomer", request),
        customer=fields.text("customer", request.customer),
        reason=_reason(fields, request.reason) or SuspensionReason.OPERATOR,
        note=fields.text("note", request.note, required=False, max_length=NOTE_LENGTH_MAX),
    )
    fields.check()
    return command


def resume_from_wire(request: pb.ResumeCustomerRequest) -> ResumeCustomer:
    fields = Fields()
    command = ResumeCustomer(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ResumeCustomer", request),
        customer=fields.text("customer", request.customer),
        reason=_reason(fields, request.reason),
    )
    fields.check()
    return command


def archive_from_wire(request: pb.ArchiveCustomerRequest) -> ArchiveCustomer:
    fields = Fields()
    command = ArchiveCustomer(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ArchiveCustomer", request),
        customer=fields.text("customer", request.customer),
    )
    fields.check()
    return command


def unarchive_from_wire(request: pb.UnarchiveCustomerRequest) -> UnarchiveCustomer:
    fields = Fields()
    command = UnarchiveCustomer(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("UnarchiveCustomer", request),
        customer=fields.text("customer", request.customer),
    )
    fields.check()
    return command


def resend_from_wire(request: pb.ResendCustomerRequest) -> ResendCustomer:
    fields = Fields()
    command = ResendCustomer(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ResendCustomer", request),
        customer=fields.text("customer", request.customer),
    )
    fields.check()
    return command


def create_to_wire(customer: Customer) -> pb.CreateCustomerResponse:
    return pb.CreateCustomerResponse(customer=customer_to_wire(customer))


def get_to_wire(customer: Customer, billing: BillingDetails | None) -> pb.GetCustomerResponse:
    return pb.GetCustomerResponse(
        customer=customer_to_wire(customer),
        billing_details=None if billing is None else billing_details_to_wire(billing),
    )


def list_to_wire(
    rows: Sequence[Customer], page: Page, request: pb.ListCustomersRequest
) -> pb.ListCustomersResponse:
    shown, token = page_to_wire(
        rows, page, _list_of(request), lambda row: (row.customer_id,), customer_to_wire
    )
    return pb.ListCustomersResponse(customers=shown, next_page_token=token)


def set_aliases_to_wire(customer: Customer) -> pb.SetCustomerAliasesResponse:
    return pb.SetCustomerAliasesResponse(customer=customer_to_wire(customer))


def rename_to_wire(customer: Customer) -> pb.RenameCustomerResponse:
    return pb.RenameCustomerResponse(customer=customer_to_wire(customer))


def suspend_to_wire(customer: Customer) -> pb.SuspendCustomerResponse:
    return pb.SuspendCustomerResponse(customer=customer_to_wire(customer))


def resume_to_wire(customer: Customer) -> pb.ResumeCustomerResponse:
    return pb.ResumeCustomerResponse(customer=customer_to_wire(customer))


def archive_to_wire(customer: Customer) -> pb.ArchiveCustomerResponse:
    return pb.ArchiveCustomerResponse(customer=customer_to_wire(customer))


def unarchive_to_wire(customer: Customer) -> pb.UnarchiveCustomerResponse:
    return pb.UnarchiveCustomerResponse(customer=customer_to_wire(customer))


def resend_to_wire(customer: Customer) -> pb.ResendCustomerResponse:
    return pb.ResendCustomerResponse(customer=customer_to_wire(customer))


def customer_to_wire(customer: Customer) -> pb.Customer:
    return pb.Customer(
        customer_id=customer.customer_id,
        name=customer.name,
        aliases=customer.aliases,
        is_suspended=customer.is_suspended,
        create_time=timestamp(customer.create_time),
        suspensions=[_suspension_to_wire(one) for one in customer.suspensions],
        archive_time=optional_timestamp(customer.archive_time),
    )


def _suspension_to_wire(suspension: Suspension) -> pb.Suspension:
    return pb.Suspension(
        reason=_REASONS[suspension.reason],
        note=suspension.note,
        create_time=optional_timestamp(suspension.create_time),
    )


def _reason(fields: Fields, reason: int) -> SuspensionReason | None:
    """Return a reason; None if it is left out."""
    return fields.choice("reason", reason, by_number(_REASONS)) if reason else None


def _list_of(request: pb.ListCustomersRequest) -> dict[str, str]:
    return (
        {"list": "customers"}
        | ({"with_archived": "1"} if request.with_archived else {})
        | ({"search": request.search} if request.search else {})
    )


def _aliases(fields: Fields, aliases: Sequence[str]) -> tuple[str, ...]:
    if len(aliases) > ALIASES_MAX:
        fields.add("aliases", f"must have at most {ALIASES_MAX} elements")
        return ()
    for position, alias in enumerate(aliases):
        field = f"aliases[{position}]"
        fields.text(field, alias)
        if is_customer_id(alias):
            fields.add(field, f"must not begin with {CUSTOMER_PREFIX}: it would look like an id")
        if alias in aliases[:position]:
            fields.add(field, "is a duplicate")
    return tuple(aliases)
