# SPDX-License-Identifier: Apache-2.0
"""AuthorizeBatch, CaptureBatch and DebitBatch on the wire: each item is read, answered or refused by itself."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from google.rpc.status_pb2 import Status

from meshkit.errors import FieldViolation, InvalidFields, MeshError
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.domain.gate.commands import (
    Authorize,
    AuthorizeLines,
    Capture,
    CaptureLines,
    Debit,
    DebitLines,
)
from services.ledger.domain.gate.decision import Authorized, Captured, Debited
from services.ledger.wire.gate import gate

ITEMS_MAX = 1_000

Request = TypeVar("Request")
Command = TypeVar("Command")

ToStatus = Callable[[BaseException], Status]


def authorize_from_wire(request: pb.AuthorizeBatchRequest) -> list[Authorize | AuthorizeLines | MeshError]:
    return _items(request.items, gate.authorize_from_wire)


def authorize_to_wire(
    outcomes: Sequence[Authorized | BaseException], to_status: ToStatus
) -> pb.AuthorizeBatchResponse:
    return pb.AuthorizeBatchResponse(
        results=[
            pb.AuthorizeBatchResult(error=to_status(outcome))
            if isinstance(outcome, BaseException)
            else pb.AuthorizeBatchResult(response=gate.authorize_to_wire(outcome))
            for outcome in outcomes
        ]
    )


def capture_from_wire(request: pb.CaptureBatchRequest) -> list[Capture | CaptureLines | MeshError]:
    return _items(request.items, gate.capture_from_wire)


def capture_to_wire(
    outcomes: Sequence[Captured | BaseException], to_status: ToStatus
) -> pb.CaptureBatchResponse:
    return pb.CaptureBatchResponse(
        results=[
            pb.CaptureBatchResult(error=to_status(outcome))
            if isinstance(outcome, BaseException)
            else pb.CaptureBatchResult(response=gate.capture_to_wire(outcome))
            for outcome in outcomes
        ]
    )


def debit_from_wire(request: pb.DebitBatchRequest) -> list[Debit | DebitLines | MeshError]:
    return _items(request.items, gate.debit_from_wire)


def debit_to_wire(outcomes: Sequence[Debited | BaseException], to_status: ToStatus) -> pb.DebitBatchResponse:
    return pb.DebitBatchResponse(
        results=[
            pb.DebitBatchResult(error=to_status(outcome))
            if isinstance(outcome, BaseException)
            else pb.DebitBatchResult(response=gate.debit_to_wire(outcome))
            for outcome in outcomes
        ]
    )


def _items(items: Sequence[Request], from_wire: Callable[[Request], Command]) -> list[Command | MeshError]:
    """Return each item's command, or its error in its place. Raises InvalidFields if there are no or too many items."""
    if not 1 <= len(items) <= ITEMS_MAX:
        raise InvalidFields([FieldViolation("items", f"must have 1 to {ITEMS_MAX} items, has {len(items)}")])
    return [_item(item, from_wire) for item in items]


def _item(item: Request, from_wire: Callable[[Request], Command]) -> Command | MeshError:
    try:
        return from_wire(item)
    except MeshError as fault:
        return fault
