# SPDX-License-Identifier: Apache-2.0
"""`purser usage import`."""

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
from purser_cli.exits import FAILED, INTERRUPTED, NEGATIVE, fail
from purser_cli.importing.importer import Importer, ImportFailed
from purser_cli.importing.journal import ImportInUse, Journal, Progress
from purser_cli.importing.screen import ImportBar, summary
from purser_cli.session.command_line import CommandLine


def add_to(usage: typer.Typer) -> None:
    """Add the command to those of reported usage."""
    usage.command("import", short_help="Import a file of usage events, one JSON object a line.")(import_file)


def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", exists=True, dir_okay=False, readable=True)],
    ledger: Annotated[
        str | None,
        typer.Option(
            help="address of the Ledger; then --ca and --token-file are its too", show_default=False
        ),
    ] = None,
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
    if ledger is None and ca is not None:
        raise fail(
            "--ca and --token-file belong to --ledger; without it, the profile says where the Ledger is"
        )
    address, credentials = (
        (ledger, _credentials(ca, token_file)) if ledger is not None else _by_profile(context.obj)
    )
    try:
        with file.open("rb") as lines, ImportBar(err, total_bytes=file.stat().st_size) as bar:
            journal = Journal(file, lines)
            progress = asyncio.run(
                _import(address, credentials, lines, journal, bar, patience_seconds=patience)
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
        raise typer.Exit(NEGATIVE)


def _by_profile(line: CommandLine) -> tuple[str, grpc.ChannelCredentials | None]:
    profile, credentials = line.profile, line.connection.credentials()
    if credentials is None:
        return profile.address("ledger"), None
    if not profile.token and profile.token_file:
        token = grpc.metadata_call_credentials(_FileToken(Path(profile.token_file).expanduser()))
    else:
        token = grpc.access_token_call_credentials(line.connection.token())
    return profile.address("ledger"), grpc.composite_channel_credentials(credentials, token)


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
