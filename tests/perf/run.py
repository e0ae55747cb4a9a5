# SPDX-License-Identifier: Apache-2.0
"""A whole run: which measurement yields which figures, and in which order."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path

from tests.perf import (
    affinity,
    authentication,
    batches,
    growth,
    imports,
    leases,
    mesh_latency,
    on_citus,
    overload,
    races,
    seats,
    traces,
    unary,
    usage,
    usage_reads,
    watches,
    webhooks,
)
from tests.perf.bench import Bench, Scale
from tests.perf.database import Databases
from tests.perf.goals import Figure, NotMeasured
from tests.perf.load import Generator

Measurement = Callable[[Bench, Collection[str]], Awaitable[Mapping[str, Figure]]]

# Each measurement has the figures that come from the same runs.
MEASUREMENTS: Mapping[tuple[str, ...], Measurement] = {
    ("P1", "P2", "P4", "P5", "P6"): unary.one_ledger,
    ("P3",): unary.slow_commit,
    ("P7",): batches.debit_batches,
    ("P8",): batches.write_path,
    ("P9",): unary.replicas,
    ("P28",): unary.denials,
    ("P10", "P12"): growth.long_history,
    ("P11",): growth.many_grants,
    ("P13",): races.past_zero,
    ("P14",): mesh_latency.between_services,
    ("P15",): usage.event_writes,
    ("P16",): usage.flood,
    ("P17",): imports.large_file,
    ("P18",): usage_reads.big_customer,
    ("P19",): authentication.tokens_and_tls,
    ("P20",): overload.overload,
    ("P21",): seats.named_seats,
    ("P22",): webhooks.crossings_and_hanging_endpoints,
    ("P23",): watches.alerts_on_everyone,
    ("P24",): affinity.one_replica_for_each_customer,
    ("P25",): on_citus.beside_plain,
    ("P26",): traces.sampled,
    ("P27",): leases.in_process,
}


async def run(
    databases: Databases,
    folder: Path,
    wanted: Collection[str],
    scale: Scale,
    *,
    begin: Callable[[Collection[str]], None],
    heard: Callable[[str, Figure], None],
) -> None:
    """Measure the wanted figures.

    folder: for the servers' logs. begin: called before each measurement with its figures. heard: called with each
    figure. A figure that cannot be measured says why, and the others are still measured.
    """
    async with Generator(warm_seconds=scale.warm_seconds, seconds=scale.seconds) as generator:
        bench = Bench(scale=scale, databases=databases, generator=generator, folder=folder)
        for names, measure in MEASUREMENTS.items():
            chosen = [name for name in names if name in wanted]
            if not chosen:
                continue
            begin(chosen)
            figures: Mapping[str, Figure] = {}
            why = "its measurement brought no such figure"
            try:
                figures = await measure(bench, chosen)
            except NotMeasured as reason:
                why = str(reason)
            except (
                Exception
            ) as error:  # a figure that is not measured is reported, and must not stop the rest
                why = f"{type(error).__name__}: {error}"
            for name in chosen:
                heard(name, figures.get(name) or Figure.not_measured(name, why))
