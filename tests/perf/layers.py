# SPDX-License-Identifier: Apache-2.0
"""What each layer of an Authorize costs: a bare echo, our plumbing, the decision, and the whole Ledger in turn."""

import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from tests.perf.bench import IN_FLIGHT, Bench, Caller, Scale
from tests.perf.database import Databases
from tests.perf.layer_server import LAYERS
from tests.perf.load import Generator, Kind, Run
from tests.perf.servers import running_ledger
from tests.perf.world import customer

HOT = (customer(1),)
WHAT = {
    "echo": "grpc.aio gives back the bytes",
    "plumbing": "and counts the call, checks the request, makes an answer",
    "decision": "and decides in batches, from memory; nothing is written",
    "ledger": "and writes it durably",
}


async def measure(databases: Databases, folder: Path, scale: Scale) -> Table:
    """Return calls per second and CPU per call of each layer, 64 in flight, one customer; medians of rounds in turn."""
    async with Generator(warm_seconds=scale.warm_seconds, seconds=scale.seconds) as generator:
        bench = Bench(scale=scale, databases=databases, generator=generator, folder=folder)
        async with bench.echoes() as echoes, AsyncExitStack() as stack:
            series = {"echo": bench.echo_calls(echoes, in_flight=IN_FLIGHT, names=HOT)}
            for layer in (*LAYERS, "ledger"):
                series[layer] = await stack.enter_async_context(_calls(bench, layer))
            return _table(await bench.interleaved(series))


@asynccontextmanager
async def _calls(bench: Bench, layer: str) -> AsyncIterator[Caller]:
    """A series of Authorize calls at a server that does no more than a layer, over a shop of its own."""
    async with bench.shop() as shop:
        await shop.open_for(HOT)
        if layer == "ledger":
            yield bench.calls(shop, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=HOT)
            return
        async with running_ledger(shop.database.ledger_url, bench.folder, layer=layer) as server:
            cut_short = replace(shop, servers=(server,))
            yield bench.calls(cut_short, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=HOT)


def _table(runs: dict[str, list[Run]]) -> Table:
    table = Table("layer", "what it does", "calls/s", "× echo", "server µs", "PostgreSQL µs")
    for layer, series in runs.items():
        ratios = [
            ours.calls_per_second / echo.calls_per_second
            for ours, echo in zip(series, runs["echo"], strict=True)
        ]
        table.add_row(
            layer,
            WHAT[layer],
            f"{_median([run.calls_per_second for run in series]):,.0f}",
            f"{_median(ratios):.2f}",
            *(_cpu(series, whose) for whose in ("server", "postgres")),
        )
    return table


def _cpu(series: Sequence[Run], whose: str) -> str:
    told = [run.cpu_us[whose] for run in series if whose in run.cpu_us]
    return f"{_median(told):,.0f}" if told else "–"


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))
