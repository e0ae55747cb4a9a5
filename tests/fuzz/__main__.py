# SPDX-License-Identifier: Apache-2.0
"""`make fuzz`: fuzz every method of a mesh of four processes, from a seed, for some seconds."""

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.fuzz import corpus
from tests.fuzz.report import Outcome, table_of, verdict
from tests.fuzz.run import Run
from tests.support.postgres import PostgresServer, make_database, open_server


async def _run(seed: int, seconds: float, server: PostgresServer, folder: Path) -> tuple[Run, Outcome]:
    run = Run(seed, await make_database(server), folder)
    return run, await run.run(seconds)


def main(
    seed: Annotated[
        int | None, typer.Option(help="the same seed makes the same choices; without it, a random one")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="how long to call")] = 60.0,
) -> None:
    """Fuzz every method, and check that nothing is stuck. Exits with 1 when there is a finding."""
    console = Console(highlight=False, width=240)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    console.print(f"SEED={chosen} SECONDS={seconds:g}")
    folder = Path(tempfile.mkdtemp(prefix="purser-fuzz-"))
    with open_server() as server:
        run, outcome = asyncio.run(_run(chosen, seconds, server, folder))
    console.print(table_of(outcome))
    for line in verdict(outcome):
        console.print(line, style="green" if outcome.is_good else "red", markup=False)
    for finding in outcome.findings:
        console.print(f"saved {corpus.save(finding.attempt, finding.fault, run.knowledge)}")
    console.print(f"logs of the services: {folder}")
    raise typer.Exit(0 if outcome.is_good else 1)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
