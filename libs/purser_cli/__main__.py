# SPDX-License-Identifier: Apache-2.0
"""`python -m purser_cli`: the commands of all subjects."""

import typer

from meshkit.clock import SystemClock
from purser_cli import certs, token, usage

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Purser's command line for operators.",
)
cli.add_typer(usage.cli, name="usage")
cli.add_typer(token.commands(SystemClock()), name="token")
cli.add_typer(certs.command(SystemClock()))

if __name__ == "__main__":
    cli()
