# SPDX-License-Identifier: Apache-2.0
"""The cost of each layer of an Authorize: a bare echo, the infrastructure around it, and the whole Ledger, in turn."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from tests.perf.bench import IN_FLIGHT, Bench, Scale
from tests.perf.database import Databases
from tests.perf.load import Generator, Kind, Run
from tests.perf.servers import running_ledger
from tests.perf.world import customer

HOT = (customer(1),)
WHAT = {
    "echo": "grpc.aio gives back the bytes",
    "plumbing": "… requests are checked and answers made, in batches",
    "ledger": "… and decided, and written durably",
}


async def measure(databases: Databases, folder: Path, scale: Scale) -> Table:
    """Return calls per second and CPU per call of each layer, 64 in flight, one customer; rounds alternate."""
    async with (
        Generator(warm_seconds=scale.warm_seconds, seconds=scale.seconds) as generator,
        databases.fresh() as database,
    ):
        bench = Bench(scale=scale, databases=databases, generator=generator, folder=folder)
        async with (
            bench.echoes() as echoes,
            bench.shop(database=database) as shop,
            running_ledger(database.ledger_url, folder, decides=False) as undecided,
        ):
            await shop.open_for(HOT)
            plumbing = replace(shop, servers=(undecided,))
            series = {
                "echo": bench.echo_calls(echoes, in_flight=IN_FLIGHT, names=HOT),
                "plumbing": bench.calls(plumbing, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=HOT),
                "ledger": bench.calls(shop, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=HOT),
            }
            return _table(await bench.interleaved(series))


def _table(runs: Mapping[str, Sequence[Run]]) -> Table:
    table = Table("layer", "what it does", "calls/s", "× echo", "server µs", "PostgreSQL µs", "clients µs")
    for layer, series in runs.items():
        ratios = [
            ours.calls_per_second / echo.calls_per_second
            for ours, echo in zip(series, runs["echo"], strict=True)
        ]
        table.add_row(
            layer,
            WHAT[layer],
            f"{statistics.median(run.calls_per_second for run in series):,.0f}",
            f"{statistics.median(ratios):.2f}",
            *(_cpu(series, whose) for whose in ("server", "postgres", "client")),
        )
    return table


def _cpu(series: Sequence[Run], whose: str) -> str:
    told = [run.cpu_us[whose] for run in series if whose in run.cpu_us]
    return f"{statistics.median(told):,.0f}" if told else "–"
