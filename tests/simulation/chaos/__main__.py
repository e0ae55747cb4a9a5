# SPDX-License-Identifier: Apache-2.0
"""`make chaos`: `python -m tests.simulation.chaos --minutes 10 --seed 7`; --short: each cheap fault once."""

import asyncio
import logging
import os
import secrets
import sys
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console

from tests.simulation.chaos.disk import is_possible, restart_with_own_mounts
from tests.simulation.chaos.faults import FAULTS
from tests.simulation.chaos.outcome import table_of, verdict
from tests.simulation.chaos.run import chaos
from tests.simulation.chaos.strikes import Plan

COLUMNS = 150
TWO = {"catalog": 2, "contract": 2, "ledger": 2, "alert": 2}
SHORT = Plan(
    seed=0,
    rounds=1,
    faults=(
        "replica killed",
        "replica cut off",
        "database paused",
        "disk full",
        "clock wrong",
        "certificates expired",
    ),
    counts={"catalog": 1, "contract": 1, "ledger": 2, "alert": 1},
    lasts_seconds=(0.3, 0.8),
    pause_seconds=0.0,
    writers=2,
    disk_megabytes=400,
    ends_waits=True,
)


def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="for how long faults strike")] = 10.0,
    seed: Annotated[
        int | None,
        typer.Option(help="the same seed makes the same faults and requests; without it, a random one"),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="strike only with this fault; may be repeated")
    ] = None,
    keep: Annotated[bool, typer.Option(help="keep the logs, also of a run without findings")] = False,
    short: Annotated[bool, typer.Option(help="strike with each of the cheap faults once, and end")] = False,
) -> None:
    """Let faults strike a whole mesh under load, and compare everything. Exits with 1 when there is a finding."""
    # Refused handshakes and calls without an answer are what this run is about; the table counts them.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.getLogger("purser_client").setLevel(logging.ERROR)
    restart_with_own_mounts(("-m", "tests.simulation.chaos", *sys.argv[1:]))
    console = Console(highlight=False, width=COLUMNS)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    console.print(f"seed {chosen}")
    if unknown := set(only or ()) - FAULTS.keys():
        raise typer.BadParameter(f"no such fault: {', '.join(unknown)}; there are: {', '.join(FAULTS)}")
    plan = (
        replace(SHORT, seed=chosen)
        if short
        else Plan(seed=chosen, seconds=60 * minutes, counts=TWO, pair_share=0.4)
    )
    if only:
        plan = replace(plan, faults=tuple(only))
    if not is_possible():
        plan = replace(plan, disk_megabytes=None)
    outcome = asyncio.run(chaos(plan, say=console, keeps_logs=keep))
    console.print(table_of(outcome))
    for line in verdict(outcome):
        console.print(line, style="green" if outcome.is_good else "red", markup=False)
    raise typer.Exit(0 if outcome.is_good else 1)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
