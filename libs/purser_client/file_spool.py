# SPDX-License-Identifier: Apache-2.0
"""A spool that outlives the process: an append-only file of JSON lines, used by one process at a time.

Uses of leases are written to a journal beside it, until they are reported or recorded here.
A line is a record (fsynced before `add` returns) or the outcome of a record (not fsynced: if a crash loses it, the
record is reported again, which bills nothing twice). An incomplete last line is dropped: its `add` never returned.
Any other line that cannot be read raises SpoolBroken; it is not skipped.
"""

import fcntl
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.faults import SpoolBroken
from purser_client.leases.journal import UseJournal, left_files, left_uses
from purser_client.spool import RECORDS_MAX, Record, SpoolState, UnbilledUsage, log
from purser_client.wire import BillingRequest

DEAD_LINES_MAX = 1_000

_MESSAGES: dict[str, type[BillingRequest]] = {
    "Debit": pb.DebitRequest,
    "Capture": pb.CaptureRequest,
    "SettleLease": pb.SettleLeaseRequest,
}


class FileSpool:
    """A spool in the file `path`, which is created if needed. Its folder must exist, on durable storage.

    records_max: with so many records pending or unbilled, the gate fails closed. Usage of calls that were let through
    before is stored nevertheless. POSIX only.
    """

    is_durable = True

    def __init__(self, path: str | os.PathLike[str], *, records_max: int = RECORDS_MAX) -> None:
        self.records_max = records_max
        self._path = Path(path)
        self._uses_path = self._path.with_name(f"{self._path.name}.uses")
        self._lock = threading.Lock()
        self._state = SpoolState()
        self._lock_file = self._file = -1
        self._length = self._lines = 0

    def open(self) -> None:
        with self._lock:
            self._lock_file = self._open_lock_file()
            try:
                self._load()
                self._take_over_uses()
            except BaseException:
                self._close_files()
                raise

    def close(self) -> None:
        with self._lock:
            self._close_files()

    def use_journal(self) -> UseJournal:
        """Return a journal for the uses of leases, which the next process takes over when it opens this spool."""
        return UseJournal(self._uses_path)

    def __len__(self) -> int:
        return len(self._state)

    def add(self, request: BillingRequest, *, at: datetime) -> None:
        with self._lock:
            record = Record(number=self._state.next_number(), request=request, recorded_time=at)
            self._append(_line_of(record), is_synced=True)
            self._state.put(record)

    def mark_billed(self, number: int) -> None:
        with self._lock:
            self._state.mark_billed(number)
            self._append_outcome(number, "BILLED")

    def mark_unbilled(self, number: int, reason: str) -> UnbilledUsage:
        with self._lock:
            unbilled = self._state.mark_unbilled(number, reason)
            self._append_outcome(number, "UNBILLED", reason=reason)
            return unbilled

    def retry(self, number: int) -> None:
        with self._lock:
            self._state.retry(number)
            self._append_outcome(number, "PENDING")

    def forgive(self, number: int) -> None:
        with self._lock:
            self._state.forgive(number)
            self._append_outcome(number, "FORGIVEN")

    def pending(self) -> tuple[Record, ...]:
        with self._lock:
            return self._state.pending()

    def pending_count(self) -> int:
        return self._state.pending_count()

    def unbilled(self) -> tuple[UnbilledUsage, ...]:
        with self._lock:
            return self._state.unbilled()

    def _open_lock_file(self) -> int:
        # A separate file: a rewrite replaces the spool's own file, and a lock on it would be lost.
        try:
            lock_file = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolBroken(f"{self._path} cannot be opened: {error}") from error
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock_file)
            raise SpoolBroken(
                f"{self._path} is another gate's spool; give each process its own file"
            ) from None
        return lock_file

    def _load(self) -> None:
        self._state = SpoolState()
        if not self._path.exists():
            return
        *lines, torn = self._path.read_bytes().split(b"\n")
        if torn:
            log.warning(
                "%s: dropped %d bytes of an incomplete last line, whose write never finished",
                self._path,
                len(torn),
            )
        for number, line in enumerate(lines, start=1):
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError, ParseError) as error:
                raise SpoolBroken(
                    f"{self._path}:{number} cannot be read ({error}); repair it by hand"
                ) from error

    def _take_over_uses(self) -> None:
        """Make records of the uses of leases that the last process left, then delete its journal."""
        files = left_files(self._uses_path)
        for request in left_uses(self._uses_path):
            at = request.uses[0].use_time.ToDatetime(tzinfo=UTC)
            self._state.put(Record(number=self._state.next_number(), request=request, recorded_time=at))
        self._rewrite()
        for file in files:
            file.unlink()

    def _apply(self, line: dict[str, Any]) -> None:
        number = int(line["number"])
        match line.get("outcome"):
            case None:
                request = ParseDict(line["request"], _MESSAGES[line["rpc"]]())
                at = datetime.fromisoformat(line["recorded_time"])
                self._state.put(Record(number=number, request=request, recorded_time=at))
            case "BILLED":
                self._state.mark_billed(number)
            case "UNBILLED":
                self._state.mark_unbilled(number, line["reason"])
            case "PENDING":
                self._state.retry(number)
            case "FORGIVEN":
                self._state.forgive(number)
            case other:
                raise ValueError(f"outcome {other!r} is not known")

    def _append_outcome(self, number: int, outcome: str, **more: str) -> None:
        self._append(_line({"number": number, "outcome": outcome, **more}), is_synced=False)
        if self._lines > 2 * len(self._state) + DEAD_LINES_MAX:
            self._rewrite()

    def _append(self, line: bytes, *, is_synced: bool) -> None:
        if self._file < 0:
            raise SpoolBroken(f"{self._path} is not open")
        try:
            _write_all(self._file, line)
            if is_synced:
                os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._length)
            raise SpoolBroken(f"{self._path} cannot be written: {error}") from error
        self._length += len(line)
        self._lines += 1

    def _rewrite(self) -> None:
        """Replace the file atomically by one that contains only pending and unbilled records."""
        lines = [_line_of(record) for record in self._state.pending()]
        for record, reason in self._state.refused():
            lines.append(_line_of(record))
            lines.append(_line({"number": record.number, "outcome": "UNBILLED", "reason": reason}))
        new_path = self._path.with_name(f"{self._path.name}.new")
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        file = -1
        try:
            file = os.open(new_path, flags, 0o600)
            _write_all(file, b"".join(lines))
            os.fsync(file)
            new_path.replace(self._path)
            _fsync_folder(self._path.parent)
        except OSError as error:
            if file >= 0:
                os.close(file)
            raise SpoolBroken(f"{self._path} cannot be written: {error}") from error
        if self._file >= 0:
            os.close(self._file)
        self._file, self._length, self._lines = file, sum(map(len, lines)), len(lines)

    def _close_files(self) -> None:
        for file in (self._file, self._lock_file):
            if file >= 0:
                os.close(file)
        self._file = self._lock_file = -1


def _line_of(record: Record) -> bytes:
    rpc = next(name for name, message in _MESSAGES.items() if isinstance(record.request, message))
    return _line(
        {
            "number": record.number,
            "recorded_time": record.recorded_time.isoformat(),
            "rpc": rpc,
            "request": MessageToDict(record.request, preserving_proto_field_name=True),
        }
    )


def _line(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _write_all(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
