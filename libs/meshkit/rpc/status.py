# SPDX-License-Identifier: Apache-2.0
"""The one table between faults and gRPC statuses, both ways (google.rpc.Status with ErrorInfo, AIP-193)."""

import asyncio
from collections.abc import Sequence

import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    Invalid,
    InvalidFields,
    Kind,
    MeshError,
    NotFound,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)
from meshkit.faults import fault_of

log = structlog.get_logger(__name__)

INTERNAL_TEXT = "internal error; it was logged"
DETAILS_KEY = "grpc-status-details-bin"

# A status travels in HTTP/2 headers, and gRPC clients refuse more than 8 KiB of them.
TEXT_BYTES_MAX = 800
VIOLATIONS_BYTES_MAX = 2_500

CODES = {
    Kind.INVALID_ARGUMENT: StatusCode.INVALID_ARGUMENT,
    Kind.NOT_FOUND: StatusCode.NOT_FOUND,
    Kind.ALREADY_EXISTS: StatusCode.ALREADY_EXISTS,
    Kind.FAILED_PRECONDITION: StatusCode.FAILED_PRECONDITION,
    Kind.ABORTED: StatusCode.ABORTED,
    Kind.RESOURCE_EXHAUSTED: StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: StatusCode.UNAVAILABLE,
    Kind.UNIMPLEMENTED: StatusCode.UNIMPLEMENTED,
}

_FAULTS: dict[StatusCode, type[MeshError]] = {
    StatusCode.INVALID_ARGUMENT: Invalid,
    StatusCode.NOT_FOUND: NotFound,
    StatusCode.ALREADY_EXISTS: AlreadyExists,
    StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    StatusCode.ABORTED: Aborted,
    StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    StatusCode.UNIMPLEMENTED: Unimplemented,
}
_AWAY = (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED)


class PeerUnavailable(Unavailable):
    """A peer did not answer, or not in time; whether it acted is unknown until the call is made again."""

    reason = "PEER_UNAVAILABLE"

    def __init__(self, *, peer: str, details: str) -> None:
        super().__init__(f"{peer} did not answer ({details}); safe to retry", peer=peer)


class PeerFailed(Unavailable):
    """A peer answered with a fault of its own making (INTERNAL and the like); its text stays there."""

    reason = "PEER_FAILED"

    def __init__(self, *, peer: str, code: str) -> None:
        super().__init__(f"{peer} failed with {code}; safe to retry", peer=peer, code=code)


def to_status(error: MeshError, domain: str) -> status_pb2.Status:
    """Return what goes over the wire. domain: who promises the reason, such as "ledger.purser"."""
    status = status_pb2.Status(code=_number(CODES[error.kind]), message=_cut(error.message))
    metadata = {key: _cut(value) for key, value in error.metadata.items()}
    _attach(status, ErrorInfo(reason=error.reason, domain=domain, metadata=metadata))
    if isinstance(error, InvalidFields):
        _attach(status, _bad_request(error.violations))
    if isinstance(error, ResourceExhausted):
        wait = Duration()
        wait.FromTimedelta(error.retry_after)
        _attach(status, RetryInfo(retry_delay=wait))
    return status


def item_status_of(error: BaseException, *, domain: str) -> status_pb2.Status:
    """Return the status of one item of a batch: as the item's own call would be answered.

    An item that was dropped because its caller's time was up is DEADLINE_EXCEEDED; a bug of ours is INTERNAL, its
    text hidden and logged.
    """
    if isinstance(error, asyncio.CancelledError):
        return status_pb2.Status(
            code=_number(StatusCode.DEADLINE_EXCEEDED), message="not carried out: time is up"
        )
    fault = error if isinstance(error, MeshError) else fault_of(error)
    if fault is None:
        log.error("batch_item_failed", exc_info=error)
        return status_pb2.Status(code=_number(StatusCode.INTERNAL), message=INTERNAL_TEXT)
    return to_status(fault, domain)


def from_rpc_error(error: AioRpcError, *, peer: str = "a peer") -> MeshError:
    """Return a peer's fault in our words: away or late is PeerUnavailable, its bug PeerFailed, else the same.

    "The same" keeps kind, reason, metadata and field violations, so that callers may match on the class.
    """
    code, details = error.code(), error.details() or ""
    fault = _FAULTS.get(code)
    if code in _AWAY:
        return PeerUnavailable(peer=peer, details=details or code.name)
    if fault is None:
        return PeerFailed(peer=peer, code=code.name)
    info, violations = _details(error)
    if fault is Invalid and violations:
        return InvalidFields(violations)
    same = fault(details, **info.metadata)
    same.reason = info.reason or code.name
    return same


def _details(error: AioRpcError) -> tuple[ErrorInfo, list[FieldViolation]]:
    info, request = ErrorInfo(), BadRequest()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                detail.Unpack(info) or detail.Unpack(request)
    return info, [FieldViolation(v.field, v.description) for v in request.field_violations]


def _bad_request(violations: Sequence[FieldViolation]) -> BadRequest:
    request = BadRequest()
    for violation in violations:
        if request.ByteSize() < VIOLATIONS_BYTES_MAX:
            request.field_violations.add(field=violation.field, description=_cut(violation.description))
    return request


def _cut(text: str) -> str:
    return text.encode()[:TEXT_BYTES_MAX].decode(errors="ignore")


def _attach(status: status_pb2.Status, detail: ErrorInfo | BadRequest | RetryInfo) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)


def _number(code: StatusCode) -> int:
    number: int = code.value[0]
    return number
