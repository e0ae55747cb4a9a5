# SPDX-License-Identifier: Apache-2.0
"""The only mapping between faults and gRPC statuses, in both directions (google.rpc.Status with ErrorInfo, AIP-193)."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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

# A status is sent in HTTP/2 headers, and gRPC clients refuse more than 8 KiB of headers.
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
    Kind.UNAUTHENTICATED: StatusCode.UNAUTHENTICATED,
    Kind.PERMISSION_DENIED: StatusCode.PERMISSION_DENIED,
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
_UNANSWERED = (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED)


class PeerUnavailable(Unavailable):
    """A peer did not answer in time. Whether it acted is unknown until the call is repeated."""

    reason = "PEER_UNAVAILABLE"

    def __init__(self, *, peer: str, details: str) -> None:
        super().__init__(f"{peer} did not answer ({details}); safe to retry", peer=peer)


class PeerFailed(Unavailable):
    """A peer answered with an internal fault (INTERNAL and the like). Its text is not passed on."""

    reason = "PEER_FAILED"

    def __init__(self, *, peer: str, code: str) -> None:
        super().__init__(f"{peer} failed with {code}; safe to retry", peer=peer, code=code)


def to_status(error: MeshError, domain: str) -> status_pb2.Status:
    """Return the wire form of a fault. domain: who defines the reason, such as "ledger.purser"."""
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
    """Return the status of one batch item: the same that a single call would return.

    An item that was dropped because the caller's deadline passed is DEADLINE_EXCEEDED. A bug of ours is INTERNAL; its
    text is logged and not sent.
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
    """Translate a peer's status to a fault: no answer to PeerUnavailable, an internal error to PeerFailed.

    Any other status keeps its kind, reason, metadata and field violations, so that callers can match on the class.
    """
    code, details = error.code(), error.details() or ""
    fault = _FAULTS.get(code)
    if code in _UNANSWERED:
        return PeerUnavailable(peer=peer, details=details or code.name)
    if fault is None:
        return PeerFailed(peer=peer, code=code.name)
    info, violations = _details(error)
    if fault is Invalid and violations:
        return InvalidFields(violations)
    translated = fault(details, **info.metadata)
    translated.reason = info.reason or code.name
    return translated


@contextmanager
def faults_of(peer: str) -> Iterator[None]:
    """Raise what a call of a peer raises as the fault that from_rpc_error makes of it."""
    try:
        yield
    except AioRpcError as error:
        raise from_rpc_error(error, peer=peer) from error


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
