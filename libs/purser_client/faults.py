# SPDX-License-Identifier: Apache-2.0
"""The client's exceptions, and how the gRPC status of a call or of a batch item becomes one of them."""

from collections.abc import Mapping
from datetime import timedelta

from google.rpc import status_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.errors import FieldViolation
from meshkit.quantity import Credits, Quantity
from purser_client.amounts import text_of
from purser_client.answers import Denial, DenialReason, FullCap

# The metadata key under which gRPC servers send a google.rpc.Status with its details.
DETAILS_KEY = "grpc-status-details-bin"

_CODES = {code.value[0]: code for code in StatusCode}


class PurserError(Exception):
    """The base of all exceptions of this library, except those for wrong arguments and wrong use. Can be pickled."""


class Denied(PurserError):
    """The Ledger denied the call. This is a decision, not a fault; the same call may be allowed a moment later."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial)
        self.denial = denial

    def __str__(self) -> str:
        denial = self.denial
        return (
            f"{denial.reason}: {text_of(denial.available)} credits are available;"
            f" {text_of(denial.affordable_credits)} of them, or {text_of(denial.affordable)} units, would be allowed"
            f"{_text_of_cap(denial)}"
        )

    @property
    def reason(self) -> DenialReason:
        return self.denial.reason

    @property
    def available(self) -> Credits:
        return self.denial.available

    @property
    def affordable(self) -> Quantity:
        return self.denial.affordable

    @property
    def affordable_credits(self) -> Credits:
        return self.denial.affordable_credits


def _text_of_cap(denial: Denial) -> str:
    if denial.full_cap is not None:
        return _text_of_full_cap(denial.full_cap)
    cap = denial.reached_cap
    if cap is None:
        return ""
    subject = cap.product or cap.cap_group_id or "the customer"
    if cap.group_key:
        subject = f"{cap.group_key} {cap.group_value!r}"
    return (
        f"; {subject} has used {text_of(cap.used)} of {text_of(cap.limit)} credits,"
        f" and can go on at {cap.reset_time.isoformat()}"
    )


def _text_of_full_cap(cap: FullCap) -> str:
    subject = f"{cap.group_key} {cap.group_value!r}" if cap.group_key else cap.product or "the customer"
    later = "" if cap.free_time is None else f", and can open one more at {cap.free_time.isoformat()}"
    return f"; {subject} has {cap.open_holds} of {cap.holds_max} holds open{later}"


class LedgerFault(PurserError):
    """The Ledger could not decide. `reason` is one that its proto documents, such as CUSTOMER_NOT_FOUND.

    metadata: every variable part of the message. violations: all invalid fields, for INVALID_FIELDS.
    retry_after: how long an overloaded Ledger asks callers to wait. is_renewable: the token was refused, and a new one
    may be had.
    """

    def __init__(
        self,
        code: StatusCode,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: tuple[FieldViolation, ...] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.reason = reason or code.name
        self.metadata = dict(metadata or {})
        self.violations = violations
        self.retry_after = retry_after
        self.is_renewable = False

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"

    def copy(self) -> "LedgerFault":
        """Return an equal fault for another caller: a raised exception object belongs to one caller."""
        return LedgerFault(
            self.code,
            self.message,
            reason=self.reason,
            metadata=self.metadata,
            violations=self.violations,
            retry_after=self.retry_after,
        )


class GateUnreachable(PurserError):
    """No answer within the deadline: the Ledger is unreachable, overloaded or too slow. The gate failed closed.

    Whether a write was carried out is unknown. `fault` is the fault of the last of `attempts` failed attempts.
    """

    def __init__(self, fault: LedgerFault, attempts: int = 1) -> None:
        super().__init__(fault, attempts)
        self.fault = fault
        self.attempts = attempts

    def __str__(self) -> str:
        tried = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return f"the Ledger gave no answer in {tried}; the last fault: {self.fault}"


class SpoolFull(GateUnreachable):
    """No answer within the deadline, and the spool has no room for another record: failed closed instead of open."""

    def __str__(self) -> str:
        return f"{super().__str__()}; and the spool is full: failed closed"


class SpoolBroken(PurserError):
    """The spool's file is in use by another process, damaged, or cannot be written."""


def gate_closed_fault() -> LedgerFault:
    """Return the fault of a call whose gate was closed before it was answered."""
    return LedgerFault(StatusCode.FAILED_PRECONDITION, "the gate was closed", reason="GATE_CLOSED")


def fault_of_call(error: AioRpcError) -> LedgerFault:
    """Return the fault that ended a call."""
    code, text = error.code(), error.details()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return _fault(code, status_pb2.Status.FromString(value))
    return LedgerFault(code, text or code.name)


def fault_of_status(status: status_pb2.Status) -> LedgerFault:
    """Return the fault of one batch item: the same one that a single call would have raised."""
    return _fault(_CODES.get(status.code, StatusCode.UNKNOWN), status)


def _fault(code: StatusCode, status: status_pb2.Status) -> LedgerFault:
    info, request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    asks_to_wait = False
    for detail in status.details:
        if detail.Unpack(retry):
            asks_to_wait = True
        else:
            detail.Unpack(info) or detail.Unpack(request)
    return LedgerFault(
        code,
        status.message,
        reason=info.reason,
        metadata=info.metadata,
        violations=tuple(FieldViolation(v.field, v.description) for v in request.field_violations),
        retry_after=retry.retry_delay.ToTimedelta() if asks_to_wait else None,
    )
