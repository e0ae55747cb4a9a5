# SPDX-License-Identifier: Apache-2.0
"""`purser token …`: bearer tokens, for installations without an identity provider."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from meshkit.clock import Clock
from purser.access.v1 import access_pb2
from purser_cli import tokens
from purser_cli.exits import fail

# Not from access.policy: its package also loads what only services need, and every command would wait for that.
ROLES = frozenset(name.removeprefix("ROLE_").lower() for name in access_pb2.Role.keys()[1:])
ROLES_TEXT = ", ".join(sorted(ROLES))
FOLDER = Annotated[Path, typer.Argument(help="folder with the signing key and jwks.json", file_okay=False)]


def commands(clock: Clock) -> typer.Typer:
    """Return the commands. clock: what the times in tokens are counted from."""
    cli = typer.Typer(
        no_args_is_help=True, help="Bearer tokens, for installations without an identity provider."
    )

    @cli.command("key")
    def key(folder: FOLDER) -> None:
        """Create a signing key, and list it in jwks.json, which PURSER_<SERVICE>_JWKS names.

        Run it again for a new key: tokens of the two keys before stay valid until they expire.
        """
        key_id = f"{clock.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        try:
            tokens.create_key(folder, key_id=key_id)
        except (OSError, ValueError, KeyError) as error:
            raise fail(str(error)) from None
        typer.echo(f"{key_id} signs from now on; public keys: {folder / tokens.JWKS_FILE}")

    @cli.command("issue")
    def issue(
        folder: FOLDER,
        role: Annotated[list[str], typer.Option(help=f"what it may do, repeatable: {ROLES_TEXT}")],
        subject: Annotated[str, typer.Option(help="who uses it; the records show this name")],
        hours: Annotated[float, typer.Option(min=0.01, max=24 * 366, help="how long it is valid")] = 1.0,
        customer: Annotated[str, typer.Option(help="cus_… of the role customer")] = "",
        only: Annotated[
            list[str] | None, typer.Option(help="cus_… to which the token is restricted; repeatable")
        ] = None,
        issuer: Annotated[str, typer.Option(help="as PURSER_<SERVICE>_TOKEN_ISSUER")] = "purser",
        audience: Annotated[str, typer.Option(help="as PURSER_<SERVICE>_TOKEN_AUDIENCE")] = "purser",
    ) -> None:
        """Print a token."""
        unknown = sorted(set(role) - ROLES)
        if unknown:
            raise fail(f"no role is named {', '.join(unknown)}; there are {ROLES_TEXT}")
        if ("customer" in role) != bool(customer):
            raise fail("the role customer and --customer go together")
        if any(not one.startswith("cus_") for one in (*([customer] if customer else []), *(only or ()))):
            raise fail("customers are named by their ids (cus_…), because aliases can move")
        try:
            token = tokens.issue(
                folder,
                subject=subject,
                roles=role,
                now=clock.now(),
                valid=timedelta(hours=hours),
                customer=customer,
                customers=only or (),
                issuer=issuer,
                audience=audience,
            )
        except (tokens.SigningKeyMissing, OSError, ValueError) as error:
            raise fail(str(error)) from None
        typer.echo(token)

    return cli
