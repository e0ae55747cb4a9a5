# SPDX-License-Identifier: Apache-2.0
"""Seat changes on the wire."""

from collections.abc import Sequence

from meshkit.page import Page
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import number_key, page_from_wire, page_to_wire, time_key
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.seats import (
    ChangeSeats,
    ListedSeatChange,
    SeatPreview,
    SeatRequest,
    SeatsMoved,
)
from services.contract.domain.ids import ContractId, SubscriptionId
from services.contract.domain.seats.naming import NO_NAMES, SeatNames
from services.contract.domain.seats.timeline import SEATS_MAX
from services.contract.wire.invoices import invoice_to_wire, line_to_wire
from services.contract.wire.seat_names import names_from_wire, transfers_to_wire
from services.contract.wire.subscriptions import subscription_to_wire
from services.contract.wire.values import money_to_wire, optional_subscription_id, optional_time


def change_from_wire(request: pb.ChangeSeatsRequest) -> ChangeSeats:
    fields = Fields()
    command = ChangeSeats(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ChangeSeats", request),
        seats=_seats_from_wire(
            fields,
            request,
            names_from_wire(fields, request.assign_seat_ids, request.unassign_seat_ids, request.transfers),
        ),
    )
    fields.check()
    return command


def preview_from_wire(request: pb.PreviewSeatChangeRequest) -> SeatRequest:
    fields = Fields()
    seats = _seats_from_wire(fields, request, NO_NAMES)
    fields.check()
    return seats


def list_from_wire(request: pb.ListSeatChangesRequest) -> tuple[ContractId, SubscriptionId | None, Page]:
    fields = Fields()
    contract_id = ContractId(fields.text("contract_id", request.contract_id))
    subscription_id = optional_subscription_id(fields, request.subscription_id)
    page = page_from_wire(fields, request, _list_of(request), keys=(time_key, number_key))
    fields.check()
    return contract_id, subscription_id, page


def change_to_wire(moved: SeatsMoved) -> pb.ChangeSeatsResponse:
    return pb.ChangeSeatsResponse(
        seat_change=_change_to_wire(moved.listed),
        subscription=subscription_to_wire(moved.subscription),
        invoice=None if moved.invoice is None else invoice_to_wire(moved.invoice),
    )


def preview_to_wire(preview: SeatPreview) -> pb.PreviewSeatChangeResponse:
    return pb.PreviewSeatChangeResponse(
        quantity_after=preview.quantity_after,
        lines=[line_to_wire(line) for line in preview.lines],
        total=money_to_wire(preview.total),
        credits=[
            pb.SeatChangeCredits(
                grant_schedule_id=one.grant_schedule_id,
                credit_type_id=one.credit_type_id,
                amount_micros=one.amount.micros,
            )
            for one in preview.credits
        ],
    )


def list_to_wire(
    rows: Sequence[ListedSeatChange], page: Page, request: pb.ListSeatChangesRequest
) -> pb.ListSeatChangesResponse:
    shown, token = page_to_wire(
        rows,
        page,
        _list_of(request),
        lambda row: (row.change.effective_time.isoformat(), str(row.change.sequence)),
        _change_to_wire,
    )
    return pb.ListSeatChangesResponse(seat_changes=shown, next_page_token=token)


def _seats_from_wire(
    fields: Fields, request: pb.ChangeSeatsRequest | pb.PreviewSeatChangeRequest, names: SeatNames
) -> SeatRequest:
    new_quantity = quantity_delta = None
    match request.WhichOneof("change"):
        case "new_quantity":
            new_quantity = fields.count("new_quantity", request.new_quantity, minimum=0, maximum=SEATS_MAX)
        case "quantity_delta":
            quantity_delta = fields.count(
                "quantity_delta", request.quantity_delta, minimum=-SEATS_MAX, maximum=SEATS_MAX
            )
            if request.quantity_delta == 0:
                fields.add("quantity_delta", "must not be 0")
        case _:
            if not _has_seat_ids(request):
                fields.add("change", "is required: new_quantity or quantity_delta, or seat ids")
    return SeatRequest(
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        subscription_id=optional_subscription_id(fields, request.subscription_id),
        new_quantity=new_quantity,
        quantity_delta=quantity_delta,
        effective_time=optional_time(
            fields, "effective_time", request.effective_time, request.HasField("effective_time")
        ),
        names=names,
    )


def _has_seat_ids(request: pb.ChangeSeatsRequest | pb.PreviewSeatChangeRequest) -> bool:
    return isinstance(request, pb.ChangeSeatsRequest) and bool(
        request.assign_seat_ids or request.unassign_seat_ids or request.transfers
    )


def _change_to_wire(listed: ListedSeatChange) -> pb.SeatChange:
    change = listed.change
    return pb.SeatChange(
        seat_change_id=change.seat_change_id,
        subscription_id=change.subscription_id,
        effective_time=timestamp(change.effective_time),
        quantity_delta=change.quantity_delta,
        quantity_after=listed.quantity_after,
        create_time=timestamp(change.create_time),
        new_quantity=change.new_quantity,
        assign_seat_ids=listed.names.assign,
        unassign_seat_ids=listed.names.unassign,
        transfers=transfers_to_wire(listed.names),
    )


def _list_of(request: pb.ListSeatChangesRequest) -> dict[str, str]:
    return {
        "list": "seat_changes",
        "contract_id": request.contract_id,
        "subscription_id": request.subscription_id,
    }
