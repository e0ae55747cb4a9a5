# SPDX-License-Identifier: Apache-2.0
"""How far an import has come, stored beside its file: FILE.progress.json, and FILE.rejected.jsonl.

Only what the Ledger has acknowledged is stored, so an import that is killed sends at most its last call again, and the
Ledger recognizes those events by their transaction_id. Rejected events are not stored by the Ledger; so the place in
the file and the list of rejected lines must be stored together, here.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from purser_cli.importing.lines import Place, read_lines

VERSION = 1
_PIECE_BYTES = 1 << 20


class ImportInUse(Exception):
    """Another process imports the same file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of the lines. differing: duplicates of events with another content; they are in duplicate too."""

    accepted: int = 0
    no_match: int = 0
    no_contract: int = 0
    unattached: int = 0
    duplicate: int = 0
    differing: int = 0
    rejected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: count + getattr(other, name) for name, count in asdict(self).items()})

    @property
    def lines(self) -> int:
        """All lines with an event, or with what should have been one."""
        return (
            self.accepted
            + self.no_match
            + self.no_contract
            + self.unattached
            + self.duplicate
            + self.rejected
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedLine:
    """A line that is not recorded as it is. start: its place; its content may be long, and is read again when needed.

    reason: UPPER_SNAKE; field and detail: what is wrong.
    """

    start: Place
    reason: str
    field: str
    detail: str

    @property
    def number(self) -> int:
        return self.start.line_count + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is acknowledged: everything before `place`. rejected_bytes: the length of the list of rejected lines."""

    place: Place = field(default_factory=Place)
    counts: Counts = field(default_factory=Counts)
    rejected_bytes: int = 0


class Journal:
    """The progress of the import of one file. One process at a time."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        """file: the file at `path`, open for reading. Raises ImportInUse."""
        stem = path.name.removesuffix(".jsonl")
        self.rejected_path = path.with_name(f"{stem}.rejected.jsonl")
        self._path = path.with_name(f"{stem}.progress.json")
        self._file = file
        self._hash = hashlib.sha256()
        try:
            # Released by the kernel when the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImportInUse(f"another process imports {path}") from None
        except OSError:
            pass  # some network file systems cannot lock, and an import does not depend on it

    def begin(self) -> Progress:
        """Return the progress of an interrupted import; without one, or if its lines have changed since, none."""
        progress = self._stored()
        if progress is None:
            self._hash = hashlib.sha256()
            progress = Progress()
        if progress.rejected_bytes == 0:
            self.rejected_path.unlink(missing_ok=True)
        else:
            os.truncate(self.rejected_path, progress.rejected_bytes)
        return progress

    def advance(
        self, before: Progress, *, place: Place, counts: Counts, rejected: Sequence[RejectedLine]
    ) -> Progress:
        """Store that everything before `place` is acknowledged, and with which results; returns the new progress."""
        rejected_bytes = before.rejected_bytes + self._append(rejected)
        after = replace(
            before,
            place=place,
            counts=before.counts + counts,
            rejected_bytes=rejected_bytes,
        )
        self._hash_between(before.place.offset, place.offset)
        self._store(after)
        return after

    def finish(self) -> None:
        """Forget the progress: the next import of the file begins with its first line."""
        self._path.unlink(missing_ok=True)

    def _append(self, rejected: Sequence[RejectedLine]) -> int:
        """Add lines to the list of rejected lines; returns the bytes that were added."""
        if not rejected:
            return 0
        added = 0
        with self.rejected_path.open("ab") as list_of_rejected:
            for one in rejected:
                line = next(read_lines(self._file, one.start))
                told = {
                    "line": one.number,
                    "reason": one.reason,
                    "field": one.field,
                    "detail": one.detail,
                    "content": line.content.decode(errors="replace"),
                }
                added += list_of_rejected.write(f"{json.dumps(told, ensure_ascii=False)}\n".encode())
            _flush(list_of_rejected)
        return added

    def _store(self, progress: Progress) -> None:
        told = {"version": VERSION, "sha256": self._hash.hexdigest(), **asdict(progress)}
        new = self._path.with_name(f"{self._path.name}.new")
        with new.open("wb") as file:
            file.write(json.dumps(told).encode())
            _flush(file)
        new.replace(self._path)

    def _stored(self) -> Progress | None:
        """Return the stored progress if it is one of these lines."""
        try:
            told = json.loads(self._path.read_bytes())
            progress = Progress(
                place=Place(**told["place"]),
                counts=Counts(**told["counts"]),
                rejected_bytes=told["rejected_bytes"],
            )
            is_readable = told["version"] == VERSION and self._has_rejected(progress)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        if not is_readable:
            return None
        self._hash_between(0, progress.place.offset)
        return progress if self._hash.hexdigest() == told["sha256"] else None

    def _has_rejected(self, progress: Progress) -> bool:
        size = self.rejected_path.stat().st_size if self.rejected_path.exists() else 0
        return size >= progress.rejected_bytes

    def _hash_between(self, start: int, end: int) -> None:
        while start < end and (piece := os.pread(self._file.fileno(), min(_PIECE_BYTES, end - start), start)):
            self._hash.update(piece)
            start += len(piece)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
