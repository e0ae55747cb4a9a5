# SPDX-License-Identifier: Apache-2.0
"""`purser certs`: certificates of the services, for installations without an authority."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from meshkit.clock import Clock
from purser_cli import certificates
from purser_cli.exits import fail


def command(clock: Clock) -> typer.Typer:
    """Return the command. clock: what the times in certificates are counted from."""
    cli = typer.Typer()

    @cli.command()
    def certs(
        folder: Annotated[Path, typer.Argument(help="where the files are and will be", file_okay=False)],
        host: Annotated[
            list[str] | None,
            typer.Option(help="name or address at which callers reach the services; repeatable"),
        ] = None,
        trust_domain: Annotated[
            str, typer.Option(help="as PURSER_<SERVICE>_TRUST_DOMAIN")
        ] = "purser.internal",
        days: Annotated[int, typer.Option(min=1, max=3650, help="how long they are valid")] = 90,
    ) -> None:
        """Issue a certificate for each service, by an authority that is created at the first run.

        Run it again before they expire: running services notice within seconds, without a restart. Keep ca-key.pem
        offline: whoever has it can be any service.
        """
        try:
            certificates.issue(
                folder,
                trust_domain=trust_domain,
                hosts=host or ("localhost", "127.0.0.1", "::1"),
                valid=timedelta(days=days),
                now=clock.now(),
            )
        except (certificates.FilesIncomplete, OSError, ValueError) as error:
            raise fail(str(error)) from None
        typer.echo(f"{folder}: ca.pem, and for {', '.join(certificates.SERVICES)} NAME.pem and NAME-key.pem")

    return cli
