# SPDX-License-Identifier: Apache-2.0
"""Files of usage events, and `purser usage import` as a separate process."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.local.database import SOURCE_ROOT
from purser_cli.importing.journal import Counts

COMMAND_SECONDS_MAX = 60.0
UNITS_MICROS = 10_000


def an_event(number: int | str, *, at: datetime, customer: str = "acme", **more: object) -> dict[str, object]:
    """Return an event of ann's ai_call, of 0.01 units."""
    event: dict[str, object] = {
        "transaction_id": f"tx-{number}",
        "customer": customer,
        "event_type": "ai_call",
        "timestamp": at.isoformat(),
        "properties": {"units": 0.01, "user_id": "ann"},
    }
    return event | more


def write_lines(path: Path, lines: Iterable[dict[str, object] | str]) -> Path:
    """Write events as JSON, and texts as they are."""
    with path.open("w") as file:
        for line in lines:
            file.write(f"{line if isinstance(line, str) else json.dumps(line)}\n")
    return path


def write_events(path: Path, count: int, *, at: datetime) -> Path:
    return write_lines(path, (an_event(number, at=at) for number in range(count)))


def rejected_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of FILE.rejected.jsonl; none when there is no such file."""
    rejected = path.with_name(f"{path.stem}.rejected.jsonl")
    return [json.loads(line) for line in rejected.read_text().splitlines()] if rejected.exists() else []


def stored_counts(path: Path) -> Counts:
    """Return what an import that has not ended yet has acknowledged."""
    try:
        return Counts(**json.loads(path.with_name(f"{path.stem}.progress.json").read_bytes())["counts"])
    except FileNotFoundError:
        return Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a command ended. counts: the table of its output, by label."""

    status: int
    counts: dict[str, int]
    output: str
    errors: str


class ImportCommand:
    """A running import."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._finished: Finished | None = None

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    async def ended(self, *, seconds_max: float = COMMAND_SECONDS_MAX) -> Finished:
        """Return how it ended; may be called again. Raises TimeoutError when it does not end in time."""
        if self._finished is not None:
            return self._finished
        async with asyncio.timeout(seconds_max):
            output, errors = await self._process.communicate()
        assert self._process.returncode is not None
        self._finished = Finished(
            status=self._process.returncode,
            counts=_counts_of(output.decode()),
            output=output.decode(),
            errors=errors.decode(),
        )
        return self._finished


@asynccontextmanager
async def importing(path: Path, address: str, *options: str) -> AsyncIterator[ImportCommand]:
    """Import a file; the process is killed at the end of the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "purser_cli", "usage", "import", str(path), "--ledger", address, *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "100"},
        cwd=SOURCE_ROOT,
    )
    try:
        yield ImportCommand(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def import_file(path: Path, address: str, *options: str) -> Finished:
    """Import a file to the end."""
    async with importing(path, address, *options) as command:
        return await command.ended()


def _counts_of(output: str) -> dict[str, int]:
    counts = {}
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.split("│")]
        if len(cells) == 4 and cells[2].replace(",", "").isdigit():
            counts[cells[1]] = int(cells[2].replace(",", ""))
    return counts
