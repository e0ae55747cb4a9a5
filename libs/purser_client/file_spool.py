# SPDX-License-Identifier: Apache-2.0
"""A spool that outlives the process: an append-only file of JSON lines, one process at a time.

A line is a record (fsynced before `add` returns) or what became of one (not fsynced: a line lost in a crash is
found again by reporting once more, which bills nothing twice). A last line without its end was never promised and
is dropped; any other line that cannot be read is a reason to stop, not to skip.
"""

import fcntl
import json
import os
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.faults import SpoolBroken
from purser_client.spool import RECORDS_MAX, Book, Record, Unbilled, log
from purser_client.wire import Usage

DEAD_LINES_MAX = 1_000

_MESSAGES: dict[str, type[Usage]] = {"Debit": pb.DebitRequest, "Capture": pb.CaptureRequest}


class FileSpool:
    """A spool in the file `path`, made if need be. Its folder must be there and last as long as the usage.

    records_max: when so many are pending or unbilled, the gate fails closed again; usage of calls that were let
    through before is kept all the same. POSIX only.
    """

    is_durable = True

    def __init__(self, path: str | os.PathLike[str], *, records_max: int = RECORDS_MAX) -> None:
        self.records_max = records_max
        self._path = Path(path)
        self._lock = threading.Lock()
        self._book = Book()
        self._guard = self._file = -1
        self._length = self._lines = 0

    def open(self) -> None:
        with self._lock:
            self._guard = self._only_one()
            try:
                self._load()
                self._rewrite()
            except BaseException:
                self._let_go()
                raise

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def __len__(self) -> int:
        return len(self._book)

    def add(self, request: Usage, *, at: datetime) -> None:
        with self._lock:
            record = Record(number=self._book.next_number(), request=request, recorded_time=at)
            self._append(_line_of(record), is_promise=True)
            self._book.put(record)

    def billed(self, number: int) -> None:
        with self._lock:
            self._book.billed(number)
            self._note(number, "BILLED")

    def refused(self, number: int, reason: str) -> Unbilled:
        with self._lock:
            unbilled = self._book.refuse(number, reason)
            self._note(number, "UNBILLED", reason=reason)
            return unbilled

    def retry(self, number: int) -> None:
        with self._lock:
            self._book.retry(number)
            self._note(number, "PENDING")

    def forgive(self, number: int) -> None:
        with self._lock:
            self._book.forgive(number)
            self._note(number, "FORGIVEN")

    def pending(self) -> tuple[Record, ...]:
        with self._lock:
            return self._book.pending()

    def pending_count(self) -> int:
        return self._book.pending_count()

    def unbilled(self) -> tuple[Unbilled, ...]:
        with self._lock:
            return self._book.unbilled()

    def _only_one(self) -> int:
        # A file of its own: the spool itself is replaced when it is rewritten, and a lock would go with it.
        try:
            guard = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolBroken(f"{self._path} cannot be kept there: {error}") from error
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(guard)
            raise SpoolBroken(
                f"{self._path} is another gate's spool; give each process a file of its own"
            ) from None
        return guard

    def _load(self) -> None:
        self._book = Book()
        if not self._path.exists():
            return
        *lines, torn = self._path.read_bytes().split(b"\n")
        if torn:
            log.warning(
                "%s: %d bytes after the last whole line were never promised; dropped", self._path, len(torn)
            )
        for number, line in enumerate(lines, start=1):
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError, ParseError) as error:
                raise SpoolBroken(
                    f"{self._path}:{number} cannot be read ({error}); repair it by hand"
                ) from error

    def _apply(self, line: dict[str, Any]) -> None:
        number = int(line["number"])
        match line.get("outcome"):
            case None:
                request = ParseDict(line["request"], _MESSAGES[line["rpc"]]())
                at = datetime.fromisoformat(line["recorded_time"])
                self._book.put(Record(number=number, request=request, recorded_time=at))
            case "BILLED":
                self._book.billed(number)
            case "UNBILLED":
                self._book.refuse(number, line["reason"])
            case "PENDING":
                self._book.retry(number)
            case "FORGIVEN":
                self._book.forgive(number)
            case other:
                raise ValueError(f"outcome {other!r} is not known")

    def _note(self, number: int, outcome: str, **more: str) -> None:
        self._append(_line({"number": number, "outcome": outcome, **more}), is_promise=False)
        if self._lines > 2 * len(self._book) + DEAD_LINES_MAX:
            self._rewrite()

    def _append(self, line: bytes, *, is_promise: bool) -> None:
        if self._file < 0:
            raise SpoolBroken(f"{self._path} is not open")
        try:
            _write_all(self._file, line)
            if is_promise:
                os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._length)
            raise SpoolBroken(f"{self._path} cannot be written: {error}") from error
        self._length += len(line)
        self._lines += 1

    def _rewrite(self) -> None:
        """Replace the file, in one step, by one that holds only what is still pending or unbilled."""
        lines = [_line_of(record) for record in self._book.pending()]
        for record, reason in self._book.refused():
            lines.append(_line_of(record))
            lines.append(_line({"number": record.number, "outcome": "UNBILLED", "reason": reason}))
        fresh = self._path.with_name(f"{self._path.name}.new")
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        file = -1
        try:
            file = os.open(fresh, flags, 0o600)
            _write_all(file, b"".join(lines))
            os.fsync(file)
            fresh.replace(self._path)
            _fsync_folder(self._path.parent)
        except OSError as error:
            if file >= 0:
                os.close(file)
            raise SpoolBroken(f"{self._path} cannot be written: {error}") from error
        if self._file >= 0:
            os.close(self._file)
        self._file, self._length, self._lines = file, sum(map(len, lines)), len(lines)

    def _let_go(self) -> None:
        for file in (self._file, self._guard):
            if file >= 0:
                os.close(file)
        self._file = self._guard = -1


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
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
