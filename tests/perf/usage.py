# SPDX-License-Identifier: Apache-2.0
"""Reported usage: P15, its write, and P16, the gate during a flood of events."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tests.perf.bench import Bench, Shop, by_round, raw
from tests.perf.goals import Figure, Spread
from tests.perf.load import Generator, Kind, Load, Run
from tests.perf.paired_writes import HOT, paired_writes
from tests.perf.usage_path import EVENT_WRITES
from tests.perf.world import customer

OTHER = (customer(2),)
EVENTS = 500
CALLERS = 16
# Calls with 500 events each: as many as keep the queue of events full.
FLOOD_IN_FLIGHT = 8


async def event_writes(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P15: the Ledger's write of 500 events, compared with an insert of their entries and events only."""
    async with bench.databases.fresh() as database:
        writes = await paired_writes(bench, database, EVENT_WRITES, items=EVENTS, many=bench.scale.spread)
        async with bench.shop(database=database) as shop:
            found = await shop.stubs.verify()
            events = bench.calls(shop, Kind.RECORD_USAGE, in_flight=4, names=HOT, items=EVENTS)
            runs = [await events() for _ in range(bench.scale.rounds)]
    per_second = Spread.of([run.calls_per_second * EVENTS for run in runs])
    detail: dict[str, Any] = {
        "briefly": f"{writes.briefly()}; events per second by RecordUsage: {per_second.median:,.0f}",
        "items": EVENTS,
        "milliseconds": writes.milliseconds(),
        "events_per_second": per_second.as_json(),
        "audit": {"is_consistent": found.is_consistent, "entries": found.entries},
    }
    return {"P15": Figure(writes.ratios(), detail, holds=found.is_consistent)}


async def flood(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P16: p99 of Authorize, 16 in flight, while events of one customer flood in, compared with no flood."""
    async with (
        bench.shop() as shop,
        Generator(warm_seconds=bench.scale.warm_seconds, seconds=bench.scale.seconds) as reporters,
    ):
        await shop.open_for([*HOT, *OTHER])
        runs: dict[str, list[Run]] = {name: [] for name in ("hot", "hot flooded", "other", "other flooded")}
        floods: list[Run] = []
        await bench.databases.settle()
        for _ in range(bench.scale.rounds):
            for part, names in (("hot", HOT), ("other", OTHER)):
                runs[part].append(await _gate(bench, shop, names))
                gated, reported = await asyncio.gather(
                    _gate(bench, shop, names), reporters.run(_events(shop))
                )
                runs[f"{part} flooded"].append(gated)
                floods.append(reported)
        audit = await shop.audit([run for series in runs.values() for run in series])
    parts = {
        name: by_round(
            lambda flooded, usual: flooded.p99_ms / usual.p99_ms, runs[f"{part} flooded"], runs[part]
        )
        for name, part in (("flooded customer", "hot"), ("another", "other"))
    }
    rate = Spread.of([run.calls_per_second * EVENTS for run in floods])
    p99s = ", ".join(f"{name} {_p99(series):.3g}" for name, series in runs.items())
    detail = {
        "briefly": f"p99 ms: {p99s}; {rate.median:,.0f} events per second",
        "events_per_second": rate.as_json(),
        "events_in_flight": FLOOD_IN_FLIGHT * EVENTS,
        "series": raw(runs),
        "audit": audit,
    }
    return {"P16": Figure(parts, detail, holds=bool(audit["is_consistent"] and not audit["refused_calls"]))}


async def _gate(bench: Bench, shop: Shop, names: Sequence[str]) -> Run:
    return await bench.calls(shop, Kind.AUTHORIZE, in_flight=CALLERS, names=names)()


def _events(shop: Shop) -> Load:
    return Load(
        kind=Kind.RECORD_USAGE,
        in_flight=FLOOD_IN_FLIGHT,
        addresses=shop.addresses,
        customers=HOT,
        items=EVENTS,
    )


def _p99(series: Sequence[Run]) -> float:
    return Spread.of([run.p99_ms for run in series]).median
