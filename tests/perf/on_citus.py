# SPDX-License-Identifier: Apache-2.0
"""The Ledger on Citus beside one on plain PostgreSQL: P25."""

import os
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.citus import cluster
from deploy.local import database
from tests.perf.bench import IN_FLIGHT, Bench, by_round, highest, holds, p50s, rates, raw
from tests.perf.database import Database, inside
from tests.perf.goals import Figure, NotMeasured
from tests.perf.load import Kind
from tests.perf.unary import CALLS, HOT
from tests.perf.world import customers
from tests.support.postgres import CITUS_URL

SHARDS = 32  # as deploy/citus/README.md advises


async def beside_plain(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P25: one call at a time, and 64 in flight over many customers, on both by turns."""
    coordinator_url = os.environ.get(CITUS_URL)
    if coordinator_url is None:
        raise NotMeasured(cluster.HOW_TO_GET_CITUS)
    many = customers(bench.scale.spread, first=2)
    kinds = {"authorize": Kind.AUTHORIZE, "debit": Kind.DEBIT}
    async with (
        _database(coordinator_url, bench.folder) as spread,
        bench.shop() as plain,
        bench.shop(database=spread) as citus,
    ):
        shops = {"plain": plain, "Citus": citus}
        series = {}
        for call, kind in kinds.items():
            for name, shop in shops.items():
                series[f"{call} alone, {name}"] = bench.calls(shop, kind, in_flight=1, names=HOT)
            for name, shop in shops.items():
                series[f"{call}, {name}"] = bench.calls(shop, kind, in_flight=IN_FLIGHT, names=many)
        for shop in shops.values():
            await shop.open_for([*HOT, *many])
            await shop.stubs.warm(many)
        runs = await bench.interleaved(series)
        audits = {
            name: await shop.audit(
                [run for called, of_one in runs.items() if called.endswith(name) for run in of_one]
            )
            for name, shop in shops.items()
        }
    ratios = [
        by_round(
            lambda citus, plain: citus.p50_ms / plain.p50_ms,
            *(runs[f"{call} alone, Citus"], runs[f"{call} alone, plain"]),
        )
        for call in CALLS
    ]
    alone = [f"{call} alone, {name}" for call in CALLS for name in shops]
    crowded = [f"{call}, {name}" for call in CALLS for name in shops]
    detail = {
        "briefly": f"{p50s(runs, *alone, *crowded)}; {rates(runs, *crowded)}",
        "series": raw(runs),
        "audit": audits,
    }
    return {"P25": Figure({"": highest(ratios)}, detail, holds=all(map(holds, audits.values())))}


@asynccontextmanager
async def _database(coordinator_url: str, folder: Path) -> AsyncIterator[Database]:
    """A database on all nodes with the Ledger's tables spread over the workers, dropped at the end of the block."""
    name = f"purser_perf_{secrets.token_hex(4)}"
    try:
        urls = await cluster.prepare(
            coordinator_url, name, state_folder=folder / "citus", role_prefix=name, shards=SHARDS
        )
        yield Database(admin_url=inside(coordinator_url, name), urls=urls.runtime)
    finally:
        await cluster.drop_database(coordinator_url, name)
        await database.drop(coordinator_url, name, role_prefix=name)
