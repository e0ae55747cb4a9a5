# SPDX-License-Identifier: Apache-2.0
"""Repairs of copies on the wire."""

from collections.abc import Mapping
from typing import Final

from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import ledger_admin_pb2 as pb
from services.ledger.domain.copy_repair import CopyKind, RepairCopy, RepairedCopy
from services.ledger.domain.credits.grant import CustomerId

_KINDS: Final[Mapping[int, CopyKind]] = {
    pb.COPY_KIND_CUSTOMER: CopyKind.CUSTOMER,
    pb.COPY_KIND_PRODUCT: CopyKind.PRODUCT,
    pb.COPY_KIND_RATE_CARD: CopyKind.RATE_CARD,
    pb.COPY_KIND_CONTRACT: CopyKind.CONTRACT,
    pb.COPY_KIND_WATCH: CopyKind.WATCH,
    pb.COPY_KIND_SEAT_CHANGE: CopyKind.SEAT_CHANGE,
}
_OF_A_CUSTOMER: Final = (CopyKind.CONTRACT, CopyKind.SEAT_CHANGE)


def repair_from_wire(request: pb.RepairCopyRequest) -> RepairCopy:
    fields = Fields()
    kind = fields.choice("copy_kind", request.copy_kind, _KINDS)
    is_known = request.copy_kind in _KINDS
    customer_id = _only_of(
        fields, "customer_id", request.customer_id, wanted=kind in _OF_A_CUSTOMER, checked=is_known
    )
    subscription_id = _only_of(
        fields,
        "subscription_id",
        request.subscription_id,
        wanted=kind is CopyKind.SEAT_CHANGE,
        checked=is_known,
    )
    command = RepairCopy(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RepairCopy", request),
        kind=kind,
        copy_id=fields.text("copy_id", request.copy_id),
        customer_id=None if customer_id is None else CustomerId(customer_id),
        subscription_id=subscription_id,
        reason=fields.text("reason", request.reason),
        actor=fields.text("actor", request.actor),
    )
    fields.check()
    return command


def repair_to_wire(repaired: RepairedCopy) -> pb.RepairCopyResponse:
    return pb.RepairCopyResponse(number_before=repaired.number_before)


def _only_of(fields: Fields, field: str, value: str, *, wanted: bool, checked: bool) -> str | None:
    """Return a part of the id that some kinds have and others have not."""
    if wanted:
        return fields.text(field, value)
    if value and checked:
        fields.add(field, "must be empty for this copy_kind")
    return None
