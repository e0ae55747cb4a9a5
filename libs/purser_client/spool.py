# SPDX-License-Identifier: Apache-2.0
"""A bounded store of usage that could not be reported. Every record ends billed, forgiven or listed as unbilled."""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.amounts import Amount
from purser_client.lines import Line
from purser_client.wire import BillingRequest, amount_from_wire, lines_from_wire

RECORDS_MAX = 100_000

log = logging.getLogger("purser_client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Usage to be reported. Its request_id never changes. number: assigned by the spool."""

    number: int
    request: BillingRequest
    recorded_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbilledUsage:
    """Reported usage that the Ledger refused to bill. It is kept until it is billed or forgiven.

    reason: of the denial (INSUFFICIENT_CREDITS) or of the fault (CUSTOMER_NOT_FOUND). hold_id: set for a capture, or
    the lease's for uses of a lease; product_id: set for a debit; otherwise empty. amount None: `lines` or, without any,
    all that was held, or uses of a lease.
    """

    number: int
    reason: str
    request_id: str
    customer: str
    product_id: str
    hold_id: str
    amount: Amount | None
    recorded_time: datetime
    lines: tuple[Line, ...] = ()


class Spool(Protocol):
    """What the gate requires of a spool. Called from any thread, by one gate at a time."""

    records_max: int
    is_durable: bool

    def open(self) -> None:
        """Open the spool with the records that an earlier process left. Raises SpoolBroken."""
        ...

    def close(self) -> None:
        """Close the spool. A durable spool keeps its records; any other logs each of them."""
        ...

    def __len__(self) -> int:
        """The number of records that are pending or unbilled."""
        ...

    def add(self, request: BillingRequest, *, at: datetime) -> None:
        """Store a record; when this returns it is stored. Raises SpoolBroken.

        Stores it even when the spool is full: the usage has happened.
        """
        ...

    def mark_billed(self, number: int) -> None:
        """Remove a record: the Ledger has billed it."""
        ...

    def mark_unbilled(self, number: int, reason: str) -> UnbilledUsage:
        """Make a pending record unbilled."""
        ...

    def retry(self, number: int) -> None:
        """Make an unbilled record pending again. An unknown number changes nothing."""
        ...

    def forgive(self, number: int) -> None:
        """Remove an unbilled record: nobody will be billed. An unknown number changes nothing."""
        ...

    def pending(self) -> tuple[Record, ...]:
        """The records to be reported, oldest first."""
        ...

    def pending_count(self) -> int:
        """The number of records to be reported."""
        ...

    def unbilled(self) -> tuple[UnbilledUsage, ...]:
        """The records that the Ledger refused to bill, oldest first."""
        ...


class SpoolState:
    """The pending and unbilled records of a spool, in memory; both spools use it."""

    def __init__(self) -> None:
        self._last_number = 0
        self._pending: dict[int, Record] = {}
        self._refused: dict[int, tuple[Record, str]] = {}

    def __len__(self) -> int:
        return len(self._pending) + len(self._refused)

    def next_number(self) -> int:
        return self._last_number + 1

    def put(self, record: Record) -> None:
        self._last_number = max(self._last_number, record.number)
        self._pending[record.number] = record

    def mark_billed(self, number: int) -> None:
        self._pending.pop(number, None)

    def forgive(self, number: int) -> None:
        self._refused.pop(number, None)

    def mark_unbilled(self, number: int, reason: str) -> UnbilledUsage:
        record = self._pending.pop(number)
        self._refused[number] = (record, reason)
        return _unbilled(record, reason)

    def retry(self, number: int) -> None:
        if number in self._refused:
            self._pending[number] = self._refused.pop(number)[0]

    def pending_count(self) -> int:
        return len(self._pending)

    def pending(self) -> tuple[Record, ...]:
        return tuple(self._pending[number] for number in sorted(self._pending))

    def refused(self) -> Iterable[tuple[Record, str]]:
        """Return the unbilled records with their reasons, oldest first."""
        return (self._refused[number] for number in sorted(self._refused))

    def unbilled(self) -> tuple[UnbilledUsage, ...]:
        return tuple(_unbilled(record, reason) for record, reason in self.refused())


class MemorySpool:
    """A spool in memory. Usage that was not reported when the process ends is lost.

    When the gate is closed, it reports once more, for one deadline, and logs what is left.
    """

    is_durable = False

    def __init__(self, *, records_max: int = RECORDS_MAX) -> None:
        self.records_max = records_max
        self._state = SpoolState()
        self._lock = threading.Lock()

    def open(self) -> None:
        pass

    def close(self) -> None:
        for record in self._state.pending():
            log.error("usage was never reported: %s", record)
        for unbilled in self._state.unbilled():
            log.error("usage was never billed: %s", unbilled)

    def __len__(self) -> int:
        return len(self._state)

    def add(self, request: BillingRequest, *, at: datetime) -> None:
        with self._lock:
            self._state.put(Record(number=self._state.next_number(), request=request, recorded_time=at))

    def mark_billed(self, number: int) -> None:
        with self._lock:
            self._state.mark_billed(number)

    def mark_unbilled(self, number: int, reason: str) -> UnbilledUsage:
        with self._lock:
            return self._state.mark_unbilled(number, reason)

    def retry(self, number: int) -> None:
        with self._lock:
            self._state.retry(number)

    def forgive(self, number: int) -> None:
        with self._lock:
            self._state.forgive(number)

    def pending(self) -> tuple[Record, ...]:
        with self._lock:
            return self._state.pending()

    def pending_count(self) -> int:
        return self._state.pending_count()

    def unbilled(self) -> tuple[UnbilledUsage, ...]:
        with self._lock:
            return self._state.unbilled()


def _hold_id(request: BillingRequest) -> str:
    match request:
        case pb.CaptureRequest():
            return request.hold_id
        case pb.SettleLeaseRequest():
            return request.lease_id
        case pb.DebitRequest():
            return ""


def _unbilled(record: Record, reason: str) -> UnbilledUsage:
    request = record.request
    return UnbilledUsage(
        number=record.number,
        reason=reason,
        request_id=request.request_id,
        customer=request.customer,
        product_id=request.product_id if isinstance(request, pb.DebitRequest) else "",
        hold_id=_hold_id(request),
        amount=amount_from_wire(request),
        recorded_time=record.recorded_time,
        lines=lines_from_wire(request),
    )
