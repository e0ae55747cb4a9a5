# SPDX-License-Identifier: Apache-2.0
"""A file of the uses of leases that are not known to be recorded, for the process after a crash of this one.

A line is written before a block ends, without fsync: it outlives the process, and a crash of the machine loses what
its file system had not written yet. Files are numbered; one is deleted when the Ledger has recorded all its uses.
"""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.faults import SpoolBroken
from purser_client.leases.lease import USES_MAX, Use
from purser_client.leases.wire import settle_to_wire
from purser_client.spool import log

FILE_BYTES_MAX: Final = 1 << 20

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class UseJournal:
    """The journal beside a spool file: `path` with a number. Any thread may write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._number = 0
        self._file = -1
        self._length = 0
        self._file_of: dict[str, int] = {}
        self._uses_in: dict[int, int] = {}

    def write(self, customer: str, lease_id: str, use: Use) -> None:
        """Write a use; when this returns, it outlives the process. A full disk is logged, and raises nothing."""
        line = _encode([customer, lease_id, *use]).encode() + b"\n"
        with self._lock:
            try:
                if self._file < 0 or self._length > FILE_BYTES_MAX:
                    self._open_next()
                self._length += len(line)
                if os.write(self._file, line) < len(line):
                    raise OSError("the disk is full")
            except OSError as error:
                log.critical(
                    "%s cannot be written: a crash now would lose uses of leases: %s", self._path, error
                )
                self._close()
                return
            self._file_of[use.request_id] = self._number
            self._uses_in[self._number] += 1

    def done(self, uses: Sequence[Use]) -> None:
        """Forget uses; deletes the files that have no others."""
        with self._lock:
            for use in uses:
                number = self._file_of.pop(use.request_id, None)
                if number is not None:
                    self._uses_in[number] -= 1
            for number in [one for one, count in self._uses_in.items() if not count]:
                if number != self._number or self._length > FILE_BYTES_MAX // 2:
                    self._delete(number)

    def close(self) -> None:
        """Close the journal. Uses that nobody has recorded stay in its files."""
        with self._lock:
            for number in [one for one, count in self._uses_in.items() if not count]:
                self._delete(number)
            self._close()

    def _open_next(self) -> None:
        self._close()
        self._number += 1
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._file = os.open(_file(self._path, self._number), flags, 0o600)
        self._length = 0
        self._uses_in[self._number] = 0

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _delete(self, number: int) -> None:
        if number == self._number:
            self._close()
        del self._uses_in[number]
        _file(self._path, number).unlink(missing_ok=True)


def left_uses(path: Path) -> Iterator[pb.SettleLeaseRequest]:
    """Yield the uses that an earlier process left, as reports; repeating one changes nothing. Raises SpoolBroken."""
    found: dict[tuple[str, str], list[Use]] = {}
    for file in left_files(path):
        *lines, torn = file.read_bytes().split(b"\n")
        if torn:
            log.warning("%s: dropped %d bytes of a line whose write never finished", file, len(torn))
        for number, line in enumerate(lines, start=1):
            try:
                customer, lease_id, use = _use_of(json.loads(line))
            except (ValueError, TypeError) as error:
                raise SpoolBroken(f"{file}:{number} cannot be read ({error}); repair it by hand") from error
            found.setdefault((customer, lease_id), []).append(use)
    for (customer, lease_id), uses in found.items():
        for start in range(0, len(uses), USES_MAX):
            part = uses[start : start + USES_MAX]
            yield settle_to_wire(
                request_id=f"{part[0].request_id}-left", customer=customer, lease_id=lease_id, uses=part
            )


def left_files(path: Path) -> list[Path]:
    """Return the files of a journal that an earlier process left, oldest first."""
    if not path.parent.exists():
        return []
    numbered = [
        file for file in path.parent.iterdir() if file.stem == path.name and file.suffix[1:].isdigit()
    ]
    return sorted(numbered, key=lambda file: int(file.suffix[1:]))


def _file(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _use_of(line: Any) -> tuple[str, str, Use]:
    customer, lease_id, *fields = line
    return str(customer), str(lease_id), Use(*fields)
