# SPDX-License-Identifier: Apache-2.0
"""`purser link`: a link to the pages, with a token in it."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from purser_cli import tokens
from purser_cli.exits import Failed
from purser_cli.rpc.asking import ask
from purser_cli.session.command_line import CommandLine
from purser_cli.session.surroundings import Surroundings

PORTAL = "http://127.0.0.1:7005"
ID_PREFIX = "cus_"


def add_to(cli: typer.Typer, surroundings: Surroundings) -> None:
    """Add the command."""

    @cli.command(short_help="Print a link to a customer's pages, or the operator's.")
    def link(
        context: typer.Context,
        key_folder: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of purser token key.")],
        customer: Annotated[str, typer.Argument(metavar="[CUSTOMER]", help="id or alias")] = "",
        operator: Annotated[bool, typer.Option("--operator", help="The operator's pages instead.")] = False,
        subject: Annotated[str, typer.Option(help="Who uses it; the records show this name.")] = "",
        hours: Annotated[float, typer.Option(min=0.01, max=24 * 31, help="How long it is valid.")] = 1.0,
        locale: Annotated[str, typer.Option(help="Language of the pages, such as de.")] = "",
        zone: Annotated[str, typer.Option(help="Time zone of the pages, such as Europe/Berlin.")] = "",
        portal: Annotated[
            str, typer.Option(metavar="URL", help="Address of the pages [PURSER_PORTAL_URL].")
        ] = "",
        issuer: Annotated[str, typer.Option(help="as PURSER_<SERVICE>_TOKEN_ISSUER")] = "purser",
        audience: Annotated[str, typer.Option(help="as PURSER_<SERVICE>_TOKEN_AUDIENCE")] = "purser",
    ) -> None:
        """Print a link to one customer's pages, or with --operator to the operator's.

        Whoever has the link can do what its token may, until it expires: send it as you would send a password.
        """
        line: CommandLine = context.obj
        if operator == bool(customer):
            raise Failed("name a customer, or give --operator")
        try:
            token = tokens.issue(
                key_folder,
                subject=subject or ("operator" if operator else f"administrator of {customer}"),
                roles=["operator"] if operator else ["customer"],
                now=surroundings.clock.now(),
                valid=timedelta(hours=hours),
                customer="" if operator else _id_of(line, customer),
                locale=locale,
                zone=zone,
                issuer=issuer,
                audience=audience,
            )
        except (tokens.SigningKeyMissing, OSError, ValueError) as error:
            raise Failed(str(error)) from None
        address = (portal or line.profile.portal or PORTAL).rstrip("/")
        typer.echo(f"{address}/enter?{urlencode({'token': token})}")


def _id_of(line: CommandLine, customer: str) -> str:
    """Return the id of a customer: an alias can move to another one, so no token has one."""
    return (
        customer
        if customer.startswith(ID_PREFIX)
        else str(ask(line, "GetCustomer", customer=customer).customer.customer_id)
    )
