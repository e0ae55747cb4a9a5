# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.simulation.lease_race --strikes 60 --seed 7`: clients with leases race one pool past zero."""

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.local import postgres
from tests.perf.database import open_databases
from tests.simulation.lease_race.outcome import Outcome, table_of, verdict
from tests.simulation.lease_race.run import race


def main(
    strikes: Annotated[int, typer.Option(min=1, help="how many kills and cuts")] = 60,
    seed: Annotated[int | None, typer.Option(help="of calls and strikes; without it, a random one")] = None,
    ttl: Annotated[float, typer.Option(min=1, max=600, help="of leases, in seconds")] = 5.0,
) -> None:
    """Race eight clients, and compare what they used with what is stored. Exits with 1 when there is a finding."""
    console = Console(highlight=False)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    console.print(f"seed {chosen}")

    async def run(admin_url: str, folder: Path) -> Outcome:
        async with open_databases(admin_url, folder) as databases, databases.fresh() as fresh:
            return await race(
                fresh.ledger_url,
                fresh.admin_url,
                folder,
                seed=chosen,
                strikes=strikes,
                ttl_seconds=ttl,
                say=console,
            )

    with tempfile.TemporaryDirectory(prefix="purser-lease-race-") as name:
        folder = Path(name)
        with postgres.open_server(folder / "postgres") as admin_url:
            outcome = asyncio.run(run(admin_url, folder))
    console.print(table_of(outcome))
    for line in verdict(outcome):
        console.print(line, style="green" if outcome.is_good else "red", markup=False)
    raise typer.Exit(0 if outcome.is_good else 1)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
