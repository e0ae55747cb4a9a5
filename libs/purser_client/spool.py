# SPDX-License-Identifier: Apache-2.0
"""Where usage waits that the Ledger could not be told: bounded, and nothing leaves it unseen."""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.amounts import Amount
from purser_client.wire import Usage, amount_from_wire

RECORDS_MAX = 100_000

log = logging.getLogger("purser_client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Usage to be reported, with the request_id it has for ever. number: the spool's own."""

    number: int
    request: Usage
    recorded_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbilled:
    """Usage that the Ledger refused to bill when it was told. It stays until it is billed or forgiven.

    reason: of the denial (INSUFFICIENT_CREDITS) or of the fault (CUSTOMER_NOT_FOUND). hold_id: of a capture,
    product_id: of a debit, else empty. amount None: all that the hold held.
    """

    number: int
    reason: str
    request_id: str
    customer: str
    product_id: str
    hold_id: str
    amount: Amount | None
    recorded_time: datetime


class Spool(Protocol):
    """What the gate needs of a spool. It may be called from any thread, by one gate at a time."""

    records_max: int
    is_durable: bool

    def open(self) -> None:
        """Get ready; what an earlier process left is there again. Raises SpoolBroken."""
        ...

    def close(self) -> None:
        """Let go; what is left stays if the spool is durable, else it is logged, record by record."""
        ...

    def __len__(self) -> int:
        """Records that are pending or unbilled."""
        ...

    def add(self, request: Usage, *, at: datetime) -> None:
        """Keep usage; when this returns it is kept. Raises SpoolBroken; never for want of room: it was used."""
        ...

    def billed(self, number: int) -> None:
        """Forget a record: the Ledger has it."""
        ...

    def refused(self, number: int, reason: str) -> Unbilled:
        """Set a pending record aside as unbilled."""
        ...

    def retry(self, number: int) -> None:
        """Make an unbilled record pending again. An unknown number changes nothing."""
        ...

    def forgive(self, number: int) -> None:
        """Forget an unbilled record: nobody will be billed. An unknown number changes nothing."""
        ...

    def pending(self) -> tuple[Record, ...]:
        """What is to be reported, oldest first."""
        ...

    def pending_count(self) -> int:
        """How much that is."""
        ...

    def unbilled(self) -> tuple[Unbilled, ...]:
        """What was refused, oldest first."""
        ...


class Book:
    """The records of a spool and where each stands, in memory; the arithmetic of both spools."""

    def __init__(self) -> None:
        self._last = 0
        self._pending: dict[int, Record] = {}
        self._refused: dict[int, tuple[Record, str]] = {}

    def __len__(self) -> int:
        return len(self._pending) + len(self._refused)

    def next_number(self) -> int:
        return self._last + 1

    def put(self, record: Record) -> None:
        self._last = max(self._last, record.number)
        self._pending[record.number] = record

    def billed(self, number: int) -> None:
        self._pending.pop(number, None)

    def forgive(self, number: int) -> None:
        self._refused.pop(number, None)

    def refuse(self, number: int, reason: str) -> Unbilled:
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
        """Give the unbilled records with their reasons, oldest first."""
        return (self._refused[number] for number in sorted(self._refused))

    def unbilled(self) -> tuple[Unbilled, ...]:
        return tuple(_unbilled(record, reason) for record, reason in self.refused())


class MemorySpool:
    """A spool that dies with the process, and with it usage that was not reported by then.

    A gate that is closed tries once more to report it, for one deadline, and logs what is left.
    """

    is_durable = False

    def __init__(self, *, records_max: int = RECORDS_MAX) -> None:
        self.records_max = records_max
        self._book = Book()
        self._lock = threading.Lock()

    def open(self) -> None:
        pass

    def close(self) -> None:
        for record in self._book.pending():
            log.error("usage was never reported: %s", record)
        for unbilled in self._book.unbilled():
            log.error("usage was never billed: %s", unbilled)

    def __len__(self) -> int:
        return len(self._book)

    def add(self, request: Usage, *, at: datetime) -> None:
        with self._lock:
            self._book.put(Record(number=self._book.next_number(), request=request, recorded_time=at))

    def billed(self, number: int) -> None:
        with self._lock:
            self._book.billed(number)

    def refused(self, number: int, reason: str) -> Unbilled:
        with self._lock:
            return self._book.refuse(number, reason)

    def retry(self, number: int) -> None:
        with self._lock:
            self._book.retry(number)

    def forgive(self, number: int) -> None:
        with self._lock:
            self._book.forgive(number)

    def pending(self) -> tuple[Record, ...]:
        with self._lock:
            return self._book.pending()

    def pending_count(self) -> int:
        return self._book.pending_count()

    def unbilled(self) -> tuple[Unbilled, ...]:
        with self._lock:
            return self._book.unbilled()


def _unbilled(record: Record, reason: str) -> Unbilled:
    request = record.request
    return Unbilled(
        number=record.number,
        reason=reason,
        request_id=request.request_id,
        customer=request.customer,
        product_id=request.product_id if isinstance(request, pb.DebitRequest) else "",
        hold_id=request.hold_id if isinstance(request, pb.CaptureRequest) else "",
        amount=amount_from_wire(request),
        recorded_time=record.recorded_time,
    )
