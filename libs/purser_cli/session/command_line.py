# SPDX-License-Identifier: Apache-2.0
"""What stands before the command: `purser [--profile NAME] [--host …] NOUN VERB`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from purser_cli.exits import Failed
from purser_cli.session import profile as profiles
from purser_cli.session.connection import Connection
from purser_cli.session.profile import Profile, ProfileWrong
from purser_cli.session.surroundings import Surroundings

TIMEOUT_SECONDS = 30.0
TRUE = ("1", "true", "yes")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """What each command needs: the mesh, and the process that it runs in. profile_name: which profile was read."""

    connection: Connection
    surroundings: Surroundings
    profile_name: str

    @property
    def profile(self) -> Profile:
        """Return the profile with the environment and the options over it."""
        return self.connection.profile


def root(surroundings: Surroundings) -> typer.Typer:
    """Return the command without subcommands yet. It reads its options, and gives a CommandLine to the subcommand."""
    cli = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Purser's command line.",
    )

    @cli.callback()
    def options(
        context: typer.Context,
        profile: Annotated[
            str | None, typer.Option(metavar="NAME", help="Profile of purser login [PURSER_PROFILE].")
        ] = None,
        host: Annotated[
            str | None,
            typer.Option(
                metavar="HOST[:FIRST_PORT]",
                help="Where catalog, contract, ledger, alert listen [PURSER_HOST].",
            ),
        ] = None,
        address: Annotated[
            list[str] | None,
            typer.Option(metavar="SERVICE=HOST:PORT", help="Where one service listens; repeatable."),
        ] = None,
        ca: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="Certificates of the mesh's authority [PURSER_CA_FILE]."),
        ] = None,
        token_file: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="File with the token [the token itself: PURSER_TOKEN]."),
        ] = None,
        insecure: Annotated[
            bool, typer.Option("--insecure", help="Plaintext, without a token [PURSER_INSECURE=true].")
        ] = False,
        timeout: Annotated[
            float, typer.Option(min=0.001, max=3600, metavar="SECONDS", help="The limit of each call.")
        ] = TIMEOUT_SECONDS,
    ) -> None:
        """Purser's command line. Where no option says otherwise, the environment counts, then the profile."""
        name = profile or surroundings.variables.get("PURSER_PROFILE") or profiles.DEFAULT
        try:
            said = Profile(
                host=host or "",
                addresses=profiles.addresses_of(address or []),
                ca_file=str(ca or ""),
                is_insecure=insecure,
                token_file=str(token_file or ""),
            )
            # A login stores what is said here; what the environment has, such as a token, stays there.
            is_login = context.invoked_subcommand == "login"
            chosen = (
                said
                if is_login
                else said.over(_from_environment(surroundings)).over(
                    profiles.read(surroundings.profiles, name)
                )
            )
        except ProfileWrong as error:
            raise Failed(str(error)) from None
        connection = Connection(chosen, timeout_seconds=timeout)
        context.call_on_close(connection.close)
        context.obj = CommandLine(connection=connection, surroundings=surroundings, profile_name=name)

    return cli


def _from_environment(surroundings: Surroundings) -> Profile:
    variables = surroundings.variables
    return Profile(
        host=variables.get("PURSER_HOST", ""),
        ca_file=variables.get("PURSER_CA_FILE", ""),
        is_insecure=variables.get("PURSER_INSECURE", "").lower() in TRUE,
        token=variables.get("PURSER_TOKEN", ""),
        portal=variables.get("PURSER_PORTAL_URL", ""),
    )
