# SPDX-License-Identifier: Apache-2.0
"""Many debits at once: P7 over gRPC, P8 in the database only."""

from collections.abc import Collection, Mapping
from typing import Any

from tests.perf.bench import IN_FLIGHT, Bench, by_round, holds, rates, raw
from tests.perf.goals import Figure, Spread
from tests.perf.load import Kind
from tests.perf.paired_writes import HOT, paired_writes
from tests.perf.world import customers
from tests.perf.write_path import DEBIT_WRITES

BATCHES_IN_FLIGHT = 4
WRITE_ITEMS = 1_000


async def debit_batches(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P7: debits per second by DebitBatch, compared with single echoes per second."""
    many, items = customers(bench.scale.spread, first=2), bench.scale.batch_items
    async with bench.echoes() as echo, bench.shop() as shop:
        await shop.open_for([*HOT, *many])
        series = {"echo": bench.echo_calls(echo, in_flight=IN_FLIGHT, names=HOT)}
        for name, names in (("hot", HOT), ("spread", many)):
            series[name] = bench.calls(
                shop, Kind.DEBIT_BATCH, in_flight=BATCHES_IN_FLIGHT, names=names, items=items
            )
        runs = await bench.interleaved(series)
        audit = await shop.audit([*runs["hot"], *runs["spread"]], items=items)
    ratios = {
        name: by_round(
            lambda ours, echo: ours.calls_per_second * items / echo.calls_per_second,
            *(runs[name], runs["echo"]),
        )
        for name in ("hot", "spread")
    }
    debits = {
        name: Spread.of([run.calls_per_second * items for run in runs[name]]).as_json() for name in ratios
    }
    detail = {
        "briefly": f"{rates(runs, 'echo')}; debits {rates(runs, 'hot', 'spread', items=items)}",
        "debits_per_second": debits,
        "items": items,
        "batches_in_flight": BATCHES_IN_FLIGHT,
        "customers": len(many),
        "series": raw(runs),
        "audit": audit,
    }
    parts = {"hot": ratios["hot"], "1,000 customers": ratios["spread"]}
    return {"P7": Figure(parts, detail, holds=holds(audit))}


async def write_path(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P8: the Ledger's write of 1,000 debits, compared with an insert of only their entries."""
    async with bench.databases.fresh() as database:
        writes = await paired_writes(bench, database, DEBIT_WRITES, items=WRITE_ITEMS, many=WRITE_ITEMS)
        async with bench.shop(database=database) as shop:
            found = await shop.stubs.verify()
    detail: dict[str, Any] = {
        "briefly": writes.briefly(),
        "items": WRITE_ITEMS,
        "milliseconds": writes.milliseconds(),
        "audit": {"is_consistent": found.is_consistent, "entries": found.entries},
    }
    return {"P8": Figure(writes.ratios(), detail, holds=found.is_consistent)}
