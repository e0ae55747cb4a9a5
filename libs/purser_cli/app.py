# SPDX-License-Identifier: Apache-2.0
"""`purser`: all commands, those of the rpcs and those written by hand."""

import typer

from purser_cli import certs, link, token
from purser_cli.catalog import commands as catalog_commands
from purser_cli.demo import commands as demo_commands
from purser_cli.exits import Failed
from purser_cli.rpc import commands as rpc_commands
from purser_cli.session import command_line, login
from purser_cli.session.surroundings import Surroundings
from purser_cli.story import commands as story_commands


def build(surroundings: Surroundings) -> typer.Typer:
    """Return the command line."""
    cli = command_line.root(surroundings)
    groups = rpc_commands.groups(surroundings)
    login.add_to(cli, surroundings)
    story_commands.add_to(cli, surroundings)
    link.add_to(cli, surroundings)
    demo_commands.add_to(cli)
    if surroundings.words is None or "usage" in surroundings.words:
        # Loaded when it is meant only: what it needs takes as long as all other commands together.
        from purser_cli.importing import command as importing

        importing.add_to(groups["usage"])
    groups["catalog"] = catalog_commands.commands()
    groups["token"] = token.commands(surroundings.clock)
    cli.add_typer(certs.command(surroundings.clock))
    for noun, group in sorted(groups.items()):
        cli.add_typer(group, name=noun)
    return cli


def run(surroundings: Surroundings, words: list[str] | None = None) -> int:
    """Run one command and return its exit status. words: None: those of the process."""
    try:
        build(surroundings)(words, prog_name="purser")
    except Failed as failed:
        typer.echo(f"purser: {failed}", err=True)
        return failed.status
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0
