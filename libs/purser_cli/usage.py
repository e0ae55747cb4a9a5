# SPDX-License-Identifier: Apache-2.0
"""`python -m purser_cli usage …`: reported usage."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.markup import escape

from meshkit.rpc.client import open_channel
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from purser_cli.importer import Importer, ImportFailed
from purser_cli.journal import ImportInUse, Journal, Progress
from purser_cli.screen import ImportBar, summary

SOME_REJECTED = 1
FAILED = 2
INTERRUPTED = 130

cli = typer.Typer(no_args_is_help=True, help="Reported usage.")


@cli.callback()
def subject() -> None:
    """Reported usage."""


@cli.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", exists=True, dir_okay=False, readable=True)],
    ledger: Annotated[str, typer.Option(help="address of the Ledger")] = "127.0.0.1:7003",
    patience: Annotated[
        float, typer.Option(min=0, help="seconds without any success before it gives up")
    ] = 60.0,
) -> None:
    """Import a file of usage events, one JSON object a line. Run it again to go on after an interruption.

    Exits with 0 if every line is recorded, 1 if some were rejected (see FILE.rejected.jsonl), 2 if it could not finish.
    """
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    began = time.monotonic()
    try:
        with file.open("rb") as lines, ImportBar(err, total_bytes=file.stat().st_size) as bar:
            journal = Journal(file, lines)
            progress = asyncio.run(_import(ledger, lines, journal, bar, patience_seconds=patience))
    except (ImportFailed, ImportInUse, OSError) as error:
        err.print(f"purser: {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        err.print("purser: interrupted; run the same command again to go on")
        raise typer.Exit(INTERRUPTED) from None
    out.print(summary(progress.counts, file=file, seconds=time.monotonic() - began))
    journal.finish()
    if progress.rejected_bytes:
        out.print(f"rejected lines: {escape(str(journal.rejected_path))}", soft_wrap=True)
        raise typer.Exit(SOME_REJECTED)


async def _import(
    address: str, file: BinaryIO, journal: Journal, bar: ImportBar, *, patience_seconds: float
) -> Progress:
    async with open_channel(address) as channel:
        importer = Importer(UsageServiceStub(channel), patience_seconds=patience_seconds, heard=bar.show)
        return await importer.run(file, journal)
