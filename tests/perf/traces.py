# SPDX-License-Identifier: Apache-2.0
"""What traces cost the gate: P26. Two Ledgers on one database, one of them with a collector, take turns."""

from collections.abc import Collection, Mapping

from tests.perf.bench import IN_FLIGHT, Bench, by_round, cpu_us, holds, lowest, rates, raw
from tests.perf.goals import Figure
from tests.perf.load import Kind
from tests.perf.servers import running_ledger
from tests.perf.unary import CALLS
from tests.perf.world import customer
from tests.support.trace_collector import trace_collector

# One for each Ledger, so that neither finds its cache outdated.
UNTRACED, TRACED = (customer(1),), (customer(2),)


async def sampled(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P26: the calls of P1 while 1 % of them, by default, are recorded and sent to a collector."""
    async with (
        trace_collector() as collector,
        bench.shop() as shop,
        running_ledger(
            shop.database.ledger_url, bench.folder, more={"TRACES_ENDPOINT": collector.address}
        ) as traced,
    ):
        await shop.open_for([*UNTRACED, *TRACED])
        kinds = {"authorize": Kind.AUTHORIZE, "debit": Kind.DEBIT}
        series = {}
        for call, kind in kinds.items():
            series[call] = bench.calls(shop, kind, in_flight=IN_FLIGHT, names=UNTRACED)
            series[f"{call} traced"] = bench.calls(
                shop, kind, in_flight=IN_FLIGHT, names=TRACED, server=traced
            )
        runs = await bench.interleaved(series)
        audit = await shop.audit([run for of_one in runs.values() for run in of_one])
    shares = [
        by_round(
            lambda traced, untraced: traced.calls_per_second / untraced.calls_per_second,
            *(runs[f"{call} traced"], runs[call]),
        )
        for call in CALLS
    ]
    briefly = f"{rates(runs, *runs)}; {cpu_us(runs, *runs)}; {len(collector.spans)} spans"
    detail = {"briefly": briefly, "series": raw(runs), "audit": audit}
    return {"P26": Figure({"": lowest(shares)}, detail, holds=holds(audit) and bool(collector.spans))}
