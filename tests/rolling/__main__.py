# SPDX-License-Identifier: Apache-2.0
"""`make rolling`: restarts two replicas of every service in turn under load, and prints what callers saw."""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.children import SOURCE_ROOT
from tests.rolling.run import Outcome, roll
from tests.support.postgres import PostgresServer, open_server, own_database


def main(
    rounds: Annotated[int, typer.Option(min=1, help="how often each replica is restarted")] = 3,
    drain_seconds: Annotated[float, typer.Option(min=0, help="of each replica, after SIGTERM")] = 1.0,
    age_seconds: Annotated[float, typer.Option(min=1, help="of connections")] = 5.0,
    previous: Annotated[str, typer.Option(help="a commit: its version runs first, and is upgraded")] = "",
    rollback: Annotated[str, typer.Option(help="a commit: this version goes back to its, then forward")] = "",
) -> None:
    """Exit with status 1 if a caller saw an error or a figure is wrong."""
    with open_server() as server, tempfile.TemporaryDirectory(prefix="purser-rolling-") as folder:
        before = _code_of(previous, Path(folder) / "previous") if previous else None
        after = _code_of(rollback, Path(folder) / "rollback") if rollback else None
        outcome = asyncio.run(_roll(server, Path(folder), rounds, drain_seconds, age_seconds, before, after))
    console = Console()
    console.print(_table(outcome))
    console.print(
        f"{len(outcome.restarts)} restarts in {outcome.seconds:.0f} s; units captured: {outcome.units_told} told,"
        f" {outcome.units_spent} spent; VerifyLedger: {outcome.is_consistent}; died: {list(outcome.deaths)}"
    )
    for line in outcome.errors:
        console.print(line, markup=False)
    is_right = outcome.is_consistent and outcome.units_told == outcome.units_spent
    sys.exit(0 if is_right and not outcome.errors and not outcome.deaths else 1)


async def _roll(
    server: PostgresServer,
    folder: Path,
    rounds: int,
    drain_seconds: float,
    age_seconds: float,
    previous: Path | None,
    rollback: Path | None,
) -> Outcome:
    async with own_database(server) as databases:
        return await roll(
            databases,
            folder,
            rounds=rounds,
            drain_seconds=drain_seconds,
            age_seconds=age_seconds,
            previous=previous,
            rollback=rollback,
        )


def _code_of(commit: str, folder: Path) -> Path:
    """Return the folder with the code of a commit of this repository."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=SOURCE_ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    return folder


def _table(outcome: Outcome) -> Table:
    table = Table("callers", "answered", "errors", "longest, ms", title="A rolling restart of every service")
    for caller, tally in outcome.tallies.items():
        table.add_row(
            caller, f"{tally.answered:,}", f"{tally.errors.total()}", f"{tally.seconds_max * 1_000:.0f}"
        )
    return table


if __name__ == "__main__":
    typer.run(main)
