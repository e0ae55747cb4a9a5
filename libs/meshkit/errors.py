# SPDX-License-Identifier: Apache-2.0
"""Faults: what a service raises when it cannot answer. A denial is an answer and never one of these.

Each service has one subclass per reason, in domain/errors. The proto documents each reason. Every variable
part of a message is also in the metadata, so callers never parse text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

_MESSAGE_VIOLATIONS_MAX = 3  # named in the message; `violations` has all of them


class Kind(Enum):
    """How a caller must treat the fault; each is one gRPC status code (meshkit/rpc/status.py)."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"


class MeshError(Exception):
    """A fault with a kind, a reason (UPPER_SNAKE) and metadata for programs; `message` is for people."""

    kind: Kind
    reason: str

    def __init__(self, message: str, /, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class Invalid(MeshError):
    """The request is malformed, whatever the state; sending it again cannot help."""

    kind = Kind.INVALID_ARGUMENT


class NotFound(MeshError):
    """Something that the request names is unknown to this service."""

    kind = Kind.NOT_FOUND


class AlreadyExists(MeshError):
    """A natural key or a request_id is already used for something else."""

    kind = Kind.ALREADY_EXISTS


class FailedPrecondition(MeshError):
    """The current state does not allow the request; the caller must change something first."""

    kind = Kind.FAILED_PRECONDITION


class Aborted(MeshError):
    """Lost a race and changed nothing; the same call can be retried."""

    kind = Kind.ABORTED


class ResourceExhausted(MeshError):
    """The service is overloaded (never: a pool is empty). The caller should wait `retry_after` before it retries."""

    kind = Kind.RESOURCE_EXHAUSTED
    retry_after = timedelta(seconds=1)


class Unavailable(MeshError):
    """A peer or the database is unavailable; retrying with the same request_id is safe."""

    kind = Kind.UNAVAILABLE


class Unimplemented(MeshError):
    """This server does not support the call, for instance a sandbox call in production."""

    kind = Kind.UNIMPLEMENTED


class Unauthenticated(MeshError):
    """The caller has no identity, or its credentials are not accepted."""

    kind = Kind.UNAUTHENTICATED


class PermissionDenied(MeshError):
    """The caller's identity does not allow this rpc. The text reveals nothing about what exists."""

    kind = Kind.PERMISSION_DENIED


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One invalid field: its path in the request (`grants[2].amount_micros`) and what is expected."""

    field: str
    description: str


class InvalidFields(Invalid):
    """All invalid fields of a request together."""

    reason = "INVALID_FIELDS"

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        self.violations = tuple(violations)
        named = [
            f"{violation.field} {violation.description}"
            for violation in self.violations[:_MESSAGE_VIOLATIONS_MAX]
        ]
        more = len(self.violations) - len(named)
        super().__init__(
            "; ".join(named) + (f"; and {more} more" if more else ""), count=str(len(violations))
        )


class RequestIdReused(AlreadyExists):
    """The request_id was already used for another request."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, *, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used for another request; use a new id for a new request",
            request_id=request_id,
        )


class PortTaken(Unavailable):
    """Another process listens on the address."""

    reason = "PORT_TAKEN"

    def __init__(self, *, name: str, address: str) -> None:
        super().__init__(
            f"{name} cannot listen on {address}: the port is taken (or the address is not of this machine)",
            address=address,
        )


def error_text(error: Exception) -> str:
    """Return an error as text for a log event: a fault's reason and message, otherwise class, message and notes."""
    notes = " ".join(getattr(error, "__notes__", ()))
    kind = error.reason if isinstance(error, MeshError) else type(error).__name__
    return f"{kind}: {error} {notes}".rstrip()
