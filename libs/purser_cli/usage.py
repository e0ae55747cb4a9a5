# SPDX-License-Identifier: Apache-2.0
"""`python -m purser_cli usage …`: reported usage."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, BinaryIO

import grpc
import typer
from rich.console import Console
from rich.markup import escape

from meshkit.rpc.client import open_channel
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from purser_cli.exits import FAILED, fail
from purser_cli.importer import Importer, ImportFailed
from purser_cli.journal import ImportInUse, Journal, Progress
from purser_cli.screen import ImportBar, summary

SOME_REJECTED = 1
INTERRUPTED = 130

cli = typer.Typer(no_args_is_help=True, help="Reported usage.")


@cli.callback()
def subject() -> None:
    """Reported usage."""


@cli.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", exists=True, dir_okay=False, readable=True)],
    ledger: Annotated[str, typer.Option(help="address of the Ledger")] = "127.0.0.1:7003",
    ca: Annotated[
        Path | None, typer.Option(help="certificates of the Ledger's authority; none: plaintext", exists=True)
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="file with a token of the role usage; needs --ca", exists=True)
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0, help="seconds without any success before it gives up")
    ] = 60.0,
) -> None:
    """Import a file of usage events, one JSON object a line. Run it again to go on after an interruption.

    Exits with 0 if every line is recorded, 1 if some were rejected (see FILE.rejected.jsonl), 2 if it could not finish.
    """
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    began = time.monotonic()
    if token_file is not None and ca is None:
        raise fail("a token is sent with TLS only; give --ca, the certificates of the Ledger's authority")
    try:
        with file.open("rb") as lines, ImportBar(err, total_bytes=file.stat().st_size) as bar:
            journal = Journal(file, lines)
            progress = asyncio.run(
                _import(ledger, _credentials(ca, token_file), lines, journal, bar, patience_seconds=patience)
            )
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


def _credentials(ca: Path | None, token_file: Path | None) -> grpc.ChannelCredentials | None:
    if ca is None:
        return None
    tls = grpc.ssl_channel_credentials(ca.read_bytes())
    if token_file is None:
        return tls

    return grpc.composite_channel_credentials(tls, grpc.metadata_call_credentials(_FileToken(token_file)))


class _FileToken(grpc.AuthMetadataPlugin):
    """Reads the token for each call: an import can take longer than a token is valid."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, _: grpc.AuthMetadataContext, send: grpc.AuthMetadataPluginCallback) -> None:
        try:
            send((("authorization", f"Bearer {self._file.read_text().strip()}"),), None)
        except OSError as error:
            send((), error)


async def _import(
    address: str,
    credentials: grpc.ChannelCredentials | None,
    file: BinaryIO,
    journal: Journal,
    bar: ImportBar,
    *,
    patience_seconds: float,
) -> Progress:
    async with open_channel(address, credentials) as channel:
        importer = Importer(UsageServiceStub(channel), patience_seconds=patience_seconds, heard=bar.show)
        return await importer.run(file, journal)
