# SPDX-License-Identifier: Apache-2.0
"""Faults: what a service raises when it cannot answer. A "no" that is an answer is never one of these.

One subclass per reason, in each service's domain/errors.py. A reason is a promise in the proto; every
changing word of the message is in the metadata too, so callers never parse text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

_TOLD_MAX = 3  # violations spelled out in the message; all of them are beside it


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
    """Something the request names is not known here."""

    kind = Kind.NOT_FOUND


class AlreadyExists(MeshError):
    """A natural key or a request_id is taken by something else."""

    kind = Kind.ALREADY_EXISTS


class FailedPrecondition(MeshError):
    """The state forbids it; the caller must change something first."""

    kind = Kind.FAILED_PRECONDITION


class Aborted(MeshError):
    """Lost a race and changed nothing; the same call may simply be made again."""

    kind = Kind.ABORTED


class ResourceExhausted(MeshError):
    """Overload, never an empty pool; the caller should wait `retry_after` before it asks again."""

    kind = Kind.RESOURCE_EXHAUSTED
    retry_after = timedelta(seconds=1)


class Unavailable(MeshError):
    """A peer or the database is away; the same call with the same request_id is safe to make again."""

    kind = Kind.UNAVAILABLE


class Unimplemented(MeshError):
    """This server does not offer that, for instance sandbox calls in production."""

    kind = Kind.UNIMPLEMENTED


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field: its path in the request (`grants[2].amount_micros`) and what would be right."""

    field: str
    description: str


class InvalidFields(Invalid):
    """All the bad fields of a request at once."""

    reason = "INVALID_FIELDS"

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        self.violations = tuple(violations)
        told = [f"{violation.field} {violation.description}" for violation in self.violations[:_TOLD_MAX]]
        more = len(self.violations) - len(told)
        super().__init__("; ".join(told) + (f"; and {more} more" if more else ""), count=str(len(violations)))


class RequestIdReused(AlreadyExists):
    """The request_id already stands for another request."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, *, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used for another request; use a new id for a new request",
            request_id=request_id,
        )
