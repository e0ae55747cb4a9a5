# SPDX-License-Identifier: Apache-2.0
"""`purser login`, `logout` and `whoami`."""

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.message_factory import GetMessageClass
from rich.markup import escape

from purser_cli.exits import DENIED, NEGATIVE, Failed
from purser_cli.rpc import names, output
from purser_cli.session import profile as profiles
from purser_cli.session.command_line import CommandLine
from purser_cli.session.faults import CallFailed, claims, expiry
from purser_cli.session.profile import SERVICES, Profile, ProfileWrong
from purser_cli.session.surroundings import Surroundings

PROFILE = Annotated[str | None, typer.Option(metavar="NAME", help="Name of the profile; default: default.")]


def add_to(cli: typer.Typer, surroundings: Surroundings) -> None:
    """Add the commands."""

    @cli.command(short_help="Store how to reach a mesh, and the token.")
    def login(
        context: typer.Context,
        profile: PROFILE = None,
        host: Annotated[
            str, typer.Option(metavar="HOST[:FIRST_PORT]", help="Where the four services listen.")
        ] = "",
        address: Annotated[
            list[str] | None, typer.Option(metavar="SERVICE=HOST:PORT", help="Repeatable.")
        ] = None,
        ca: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Certificates of the mesh's authority.")
        ] = None,
        token_file: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Read the token from here at each call.")
        ] = None,
        token_command: Annotated[
            str, typer.Option(metavar="COMMAND", help="Run this for the token at each command.")
        ] = "",
        insecure: Annotated[bool, typer.Option("--insecure", help="Plaintext, without a token.")] = False,
        portal: Annotated[
            str, typer.Option(metavar="URL", help="Address of the pages, for purser link.")
        ] = "",
    ) -> None:
        """Store how to reach a mesh, and the token or where it comes from.

        Without --token-file and --token-command, the token is read from the standard input. It is tried at once.
        """
        line: CommandLine = context.obj
        name = profile or line.profile_name
        try:
            said = Profile(
                host=host,
                addresses=profiles.addresses_of(address or []),
                ca_file=_absolute(ca),
                is_insecure=insecure,
                token_file=_absolute(token_file),
                token_command=token_command,
                portal=portal,
            )
            stored = said.over(line.profile)
            if not (insecure or stored.token or stored.token_file or stored.token_command):
                stored = replace(stored, token=_typed_token())
            profiles.store(surroundings.profiles, name, stored)
        except (ProfileWrong, OSError) as error:
            raise Failed(str(error)) from None
        line.connection.use(stored)
        typer.echo(f"stored as profile {name} in {surroundings.profiles}")
        _report(line, name)

    @cli.command(short_help="Forget the stored token.")
    def logout(context: typer.Context) -> None:
        """Forget the token of the profile."""
        line: CommandLine = context.obj
        try:
            had_one = profiles.remove_token(surroundings.profiles, line.profile_name)
        except (ProfileWrong, OSError) as error:
            raise Failed(str(error)) from None
        typer.echo("the token is forgotten" if had_one else "there was no stored token")

    @cli.command(short_help="Show the token's subject and roles, and whether each service accepts it.")
    def whoami(context: typer.Context) -> None:
        """Show who the token says you are, until when, and whether each service answers and accepts it.

        Exits with 0 if all do, otherwise with 4 if the token is refused, or 5 if a service is away.
        """
        line: CommandLine = context.obj
        _report(line, line.profile_name)


def _report(line: CommandLine, name: str) -> None:
    out = output.console()
    out.print(f"profile   {escape(name)}")
    if line.profile.is_insecure:
        out.print("token     none: plaintext")
    else:
        said = claims(token := line.connection.token())
        out.print(f"subject   {escape(str(said.get('sub', 'unknown: the token is not a JWT')))}")
        out.print(f"roles     {escape(_words(said.get('roles')))}")
        if restricted := said.get("customers") or said.get("customer"):
            out.print(f"customers {escape(_words(restricted))}")
        out.print(f"expires   {_expires(expiry(token), line.surroundings.clock.now())}")
    worst = 0
    for service in SERVICES:
        state, status = _state(line, service)
        worst = max(worst, status)
        out.print(f"{service:9} {escape(line.profile.address(service))}: {escape(state)}", soft_wrap=True)
    if worst > NEGATIVE:
        raise typer.Exit(worst)


def _state(line: CommandLine, service: str) -> tuple[str, int]:
    """Return how a service answers, and the exit status that this means. A token without the role is still accepted."""
    rpc = names.rpc_named("ListAuditEvents")
    request = GetMessageClass(rpc.method.input_type)(page_size=1)
    try:
        line.connection.call(service, rpc.method, request)
    except CallFailed as failed:
        is_known = failed.reason in ("ACCESS_DENIED", "TOKEN_RESTRICTED")
        return ("serving", 0) if is_known else (str(failed), failed.status)
    return "serving", 0


def _expires(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "unknown"
    left = at - now
    hours, minutes = left.seconds // 3600, left.seconds // 60 % 60
    about = f"in {left.days} days" if left.days > 1 else f"in {left.days * 24 + hours} h {minutes} min"
    return f"{at:%Y-%m-%d %H:%M} UTC, {about if left.total_seconds() > 0 else 'which is past'}"


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "none")


def _absolute(path: Path | None) -> str:
    return str(path.expanduser().absolute()) if path else ""


def _typed_token() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Token", hide_input=True)).strip()
    token = sys.stdin.read().strip()
    if not token:
        raise Failed("no token on the standard input; pipe one into it, or give --token-file", status=DENIED)
    return token
