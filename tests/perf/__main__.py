# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.perf run` and `… picture`: the Ledger's speed relative to the limits of the machine."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.local import postgres
from deploy.local.fault import Fault
from tests.perf import results
from tests.perf.bench import Scale
from tests.perf.database import Databases, open_databases
from tests.perf.goals import PROMISES, Figure, NotMeasured
from tests.perf.load import SOURCE_ROOT
from tests.perf.run import run as measure
from tests.support.postgres import CITUS_URL

STATE_FOLDER = SOURCE_ROOT / ".purser"
PICTURE = results.LATEST.with_name("bench.png")
DEFAULT = Scale()
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
# In a file, the table has its full width.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 132)


@app.command()
def run(
    only: Annotated[
        str, typer.Option(help="such as P1,P4; empty: P1 to P28, P25 only with PURSER_CITUS_URL")
    ] = "",
    rounds: Annotated[int, typer.Option(min=1, help="rounds of each series")] = DEFAULT.rounds,
    seconds: Annotated[float, typer.Option(min=0.1, help="seconds measured in each round")] = DEFAULT.seconds,
    entries: Annotated[
        int, typer.Option(min=100_000, help="entries of the long history (P10, P12, P18)")
    ] = DEFAULT.entries,
    lines: Annotated[int, typer.Option(min=1_000, help="of the imported file (P17)")] = DEFAULT.lines,
    into: Annotated[Path, typer.Option(help="where the results are kept")] = results.LATEST,
) -> None:
    """Measure, print the table, and store the results. Figures that were not requested keep their values.

    Exits with 1 when a figure could not be measured; a goal that is not met does not change the exit code.
    """
    wanted = _wanted(only)
    scale = Scale(rounds=rounds, seconds=seconds, entries=entries, lines=lines)
    with _server() as (admin_url, folder):
        measured = asyncio.run(_measured(admin_url, folder, wanted, scale, into))
    console.print(results.table(measured))
    console.print(f"[dim]kept in {into}[/]", soft_wrap=True)
    if any("not_measured" in result["detail"] for result in measured.values()):
        raise typer.Exit(1)


@app.command()
def layers(
    rounds: Annotated[int, typer.Option(min=1, help="rounds of each series")] = DEFAULT.rounds,
    seconds: Annotated[float, typer.Option(min=0.1, help="seconds measured in each round")] = DEFAULT.seconds,
) -> None:
    """Print the cost of each layer of an Authorize, from a bare echo to the whole Ledger."""
    from tests.perf.layers import measure as measure_layers

    _print(measure_layers, Scale(rounds=rounds, seconds=seconds))


@app.command()
def lane(
    rounds: Annotated[int, typer.Option(min=1, help="rounds")] = DEFAULT.rounds,
    seconds: Annotated[float, typer.Option(min=0.1, help="CPU seconds of each round")] = DEFAULT.seconds,
) -> None:
    """Print the CPU time of an Authorize in the gate's lane, without gRPC, and which code spends it."""
    from tests.perf.lane_cpu import measure as measure_lane

    _print(measure_lane, Scale(rounds=rounds, seconds=seconds))


def _print(measure: Callable[[Databases, Path, Scale], Awaitable[Table]], scale: Scale) -> None:
    """Print what is measured on databases of its own."""

    async def measured(admin_url: str, folder: Path) -> Table:
        async with open_databases(admin_url, folder) as databases:
            return await measure(databases, folder, scale)

    with _server() as (admin_url, folder):
        table = asyncio.run(measured(admin_url, folder))
    console.print(table)


@contextmanager
def _server() -> Iterator[tuple[str, Path]]:
    """A PostgreSQL to measure on and a folder, both removed when the block ends."""
    # SIGTERM acts like Ctrl-C: blocks end, servers stop, the folder is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # On the disk where `make up` keeps its data; /tmp may be a RAM disk.
    STATE_FOLDER.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=STATE_FOLDER))
    try:
        with postgres.open_server(folder / "postgres") as admin_url:
            yield admin_url, folder
    except Fault as fault:
        console.print(f"purser: {escape(str(fault))}")
        raise typer.Exit(1) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measured(
    admin_url: str, folder: Path, wanted: Collection[str], scale: Scale, into: Path
) -> results.Results:
    measured: results.Results = {}
    here: dict[str, object] = {}
    async with open_databases(admin_url, folder) as databases:

        def begin(names: Collection[str]) -> None:
            here.update(results.environment(databases.settings, scale))
            console.print(f"[dim]measuring {', '.join(names)} …[/]")

        def heard(name: str, figure: Figure) -> None:
            measured[name] = results.told(name, figure, here)
            # At once, so that an interrupted run keeps its figures.
            results.keep({**results.kept(into), name: measured[name]}, into)

        await measure(databases, folder, wanted, scale, begin=begin, heard=heard)
    return measured


@app.command()
def picture(
    of: Annotated[Path, typer.Option("--from", help="results to draw")] = results.LATEST,
    into: Annotated[Path, typer.Option(help="the PNG")] = PICTURE,
) -> None:
    """Draw throughput and latency next to those of the echo."""
    # Imported here, because measuring needs no drawing library.
    from tests.perf.picture import draw

    try:
        draw(results.kept(of), into)
    except NotMeasured as reason:
        console.print(f"purser: {escape(str(reason))}")
        raise typer.Exit(1) from None
    console.print(f"[dim]drawn into {into}[/]", soft_wrap=True)


def _wanted(only: str) -> list[str]:
    names = [name.strip().upper() for name in only.split(",") if name.strip()]
    if unknown := [name for name in names if name not in PROMISES]:
        console.print(f"purser: there is no {', '.join(unknown)}; choose among {', '.join(PROMISES)}")
        sys.exit(2)
    return names or [name for name in PROMISES if name != "P25" or CITUS_URL in os.environ]


if __name__ == "__main__":
    app()
