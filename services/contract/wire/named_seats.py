# SPDX-License-Identifier: Apache-2.0
"""NameSeats, SetSharedPoolAccess and ListSeats on the wire."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.page import Page
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.seats import (
    ListedSeats,
    NameSeats,
    SetSharedPoolAccess,
    SubscriptionChanged,
)
from services.contract.domain.ids import ContractId, SubscriptionId
from services.contract.domain.seats.naming import SeatStep
from services.contract.wire.seat_names import named_from_wire, seat_ids_from_wire, shared_pool_from_wire
from services.contract.wire.subscriptions import subscription_to_wire
from services.contract.wire.values import optional_subscription_id, optional_time


def name_from_wire(request: pb.NameSeatsRequest) -> NameSeats:
    fields = Fields()
    command = NameSeats(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("NameSeats", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        subscription_id=optional_subscription_id(fields, request.subscription_id),
        named=named_from_wire(fields, "", request.seat_group_key, request.shared_pool),
        seat_ids=seat_ids_from_wire(fields, "seat_ids", request.seat_ids),
    )
    fields.check()
    return command


def name_to_wire(changed: SubscriptionChanged) -> pb.NameSeatsResponse:
    return pb.NameSeatsResponse(subscription=subscription_to_wire(changed.subscription))


def set_shared_pool_from_wire(request: pb.SetSharedPoolAccessRequest) -> SetSharedPoolAccess:
    fields = Fields()
    command = SetSharedPoolAccess(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetSharedPoolAccess", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        subscription_id=optional_subscription_id(fields, request.subscription_id),
        shared_pool=shared_pool_from_wire(fields, "shared_pool", request.shared_pool),
    )
    if not request.shared_pool.access:
        fields.add("shared_pool.access", "is required")
    fields.check()
    return command


def set_shared_pool_to_wire(changed: SubscriptionChanged) -> pb.SetSharedPoolAccessResponse:
    return pb.SetSharedPoolAccessResponse(subscription=subscription_to_wire(changed.subscription))


@dataclass(frozen=True, slots=True)
class SeatsQuery:
    """Asks for a page of the ids that have a seat at `at`; None: now."""

    contract_id: ContractId
    subscription_id: SubscriptionId | None
    at: datetime | None
    page: Page


def list_from_wire(request: pb.ListSeatsRequest) -> SeatsQuery:
    fields = Fields()
    query = SeatsQuery(
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        subscription_id=optional_subscription_id(fields, request.subscription_id),
        at=optional_time(fields, "at_time", request.at_time, request.HasField("at_time")),
        page=page_from_wire(fields, request, _list_of(request)),
    )
    fields.check()
    return query


def list_to_wire(listed: ListedSeats, page: Page, request: pb.ListSeatsRequest) -> pb.ListSeatsResponse:
    shown, token = page_to_wire(
        listed.assigned, page, _list_of(request), lambda row: (row.seat_id,), _seat_to_wire
    )
    return pb.ListSeatsResponse(
        seats=shown,
        next_page_token=token,
        quantity=listed.counts.quantity,
        unassigned_quantity=listed.counts.quantity - listed.counts.assigned,
    )


def _seat_to_wire(step: SeatStep) -> pb.Seat:
    return pb.Seat(seat_id=step.seat_id, assign_time=timestamp(step.effective_time))


def _list_of(request: pb.ListSeatsRequest) -> dict[str, str]:
    return {
        "list": "seats",
        "contract_id": request.contract_id,
        "subscription_id": request.subscription_id,
        # As it was sent: it may be malformed.
        "at_time": f"{request.at_time.seconds}.{request.at_time.nanos}"
        if request.HasField("at_time")
        else "",
    }
