# SPDX-License-Identifier: Apache-2.0
"""The import of a large file by the command line: P17, its rate and the memory of either side."""

import asyncio
import json
import random
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.local.database import SOURCE_ROOT
from tests.perf.bench import Bench, Shop
from tests.perf.goals import Figure, NotMeasured, Spread
from tests.perf.servers import peak_memory_mb
from tests.perf.world import CALL_MICROS, USERS, customers, used_micros

LOOK_SECONDS = 0.2
# Events are dated at most so long ago; the customers' contracts began a day ago.
DATED_BACK = timedelta(hours=12)


async def large_file(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P17: `purser_cli usage import` of a file of events, each of a random customer; one Ledger process."""
    count = bench.scale.lines
    names = customers(bench.scale.spread)
    path = bench.folder / "usage.jsonl"
    write_events(path, count, names)
    async with bench.shop() as shop:
        await shop.open_for(names)
        await bench.databases.settle()
        began = time.perf_counter()
        importer_mb = await _import(path, shop.servers[0].address)
        seconds = time.perf_counter() - began
        ledger_mb = peak_memory_mb(shop.servers[0].pid)
        audit = await _audit(shop, count)
    rate = count / seconds
    detail = {
        "briefly": f"{count:,} lines of {path.stat().st_size / 1e6:.0f} MB in {seconds:.0f} s: {rate:,.0f} per second",
        "lines_per_second": round(rate, 1),
        "seconds": round(seconds, 2),
        "audit": audit,
    }
    parts = {"importer": Spread.of([importer_mb]), "Ledger": Spread.of([ledger_mb])}
    return {"P17": Figure(parts, detail, holds=audit["is_exact"] and audit["is_consistent"])}


def write_events(path: Path, count: int, names: Sequence[str]) -> None:
    """Write `count` events of one unit each, by random customers and users within the last hours."""
    chance = random.Random(count)
    now = datetime.now(UTC)
    with path.open("w") as file:
        for _ in range(count):
            event = {
                "transaction_id": f"{chance.getrandbits(128):032x}",
                "customer": chance.choice(names),
                "event_type": "ai.assistant",
                "timestamp": (now - DATED_BACK * chance.random()).isoformat(),
                "properties": {"units": 1, "user_id": chance.choice(USERS)},
            }
            file.write(f"{json.dumps(event)}\n")


async def _import(path: Path, address: str) -> float:
    """Import a file; returns the importer's highest memory, in MB. Raises NotMeasured when it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "purser_cli", "usage", "import", str(path), "--ledger", address),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=SOURCE_ROOT,
    )
    ended = asyncio.create_task(process.communicate())
    highest_mb = 0.0
    try:
        # The kernel's high-water mark never falls, but it is gone when the process has ended.
        while not (await asyncio.wait([ended], timeout=LOOK_SECONDS))[0]:
            with suppress(NotMeasured):
                highest_mb = max(highest_mb, peak_memory_mb(process.pid))
    except BaseException:
        process.kill()
        await ended
        raise
    output, _ = await ended
    if process.returncode != 0:
        raise NotMeasured(f"the import ended with status {process.returncode}: {output.decode()[-500:]}")
    if not highest_mb:
        raise NotMeasured("the importer ended before its memory was read, or there is no /proc")
    return highest_mb


async def _audit(shop: Shop, count: int) -> dict[str, Any]:
    """Compare what is stored with the file, and recount everything."""
    stored = await used_micros(shop.database.ledger_url)
    found = await shop.stubs.verify()
    return {
        "told_micros": count * CALL_MICROS,
        "stored_micros": stored,
        "is_exact": stored == count * CALL_MICROS,
        "is_consistent": found.is_consistent,
        "entries": found.entries,
    }
