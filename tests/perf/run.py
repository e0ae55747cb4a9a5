# SPDX-License-Identifier: Apache-2.0
"""A whole run: which measurement brings which figures, and in what order."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path

from tests.perf import batches, growth, mesh_latency, races, unary
from tests.perf.bench import Bench, Scale
from tests.perf.database import Databases
from tests.perf.goals import Figure, NotMeasured
from tests.perf.load import Generator

Measurement = Callable[[Bench, Collection[str]], Awaitable[Mapping[str, Figure]]]

# In one measurement stand the figures that rest on the same runs.
MEASUREMENTS: Mapping[tuple[str, ...], Measurement] = {
    ("P1", "P2", "P4", "P5", "P6"): unary.one_ledger,
    ("P3",): unary.slow_commit,
    ("P7",): batches.debit_batches,
    ("P8",): batches.write_path,
    ("P9",): unary.replicas,
    ("P10", "P12"): growth.long_history,
    ("P11",): growth.many_grants,
    ("P13",): races.past_zero,
    ("P14",): mesh_latency.between_services,
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

    folder: for the servers' logs. begin: told before each measurement which figures it brings. heard: given each
    figure. What cannot be measured says why, and the others are measured all the same.
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
            except Exception as error:  # what is not measured is told, and must not take the rest with it
                why = f"{type(error).__name__}: {error}"
            for name in chosen:
                heard(name, figures.get(name) or Figure.not_measured(name, why))
