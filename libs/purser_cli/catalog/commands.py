# SPDX-License-Identifier: Apache-2.0
"""`purser catalog plan`, `diff`, `apply` and `export`."""

from pathlib import Path
from typing import Annotated

import typer

from meshkit.files import PUBLIC, replace_file
from purser_cli.catalog import document, export, state
from purser_cli.catalog.kinds import KINDS
from purser_cli.catalog.plan import Ids, plan_of
from purser_cli.catalog.steps import Plan, Step, count_of, request_key
from purser_cli.exits import NEGATIVE, Failed
from purser_cli.rpc.asking import send
from purser_cli.rpc.output import rows_of
from purser_cli.session.command_line import CommandLine

FILE = Annotated[Path, typer.Argument(metavar="FILE.yaml", dir_okay=False)]


def commands() -> typer.Typer:
    """Return the commands."""
    cli = typer.Typer(no_args_is_help=True, help="The catalog as a file under version control.")

    @cli.command("plan", short_help="Show what apply would do, in order.")
    def show_plan(context: typer.Context, file: FILE) -> None:
        """Show what apply would do, in order. Changes nothing. Exits with 2 if the file cannot be applied."""
        plan, _ = _planned(context.obj, file)
        for step in plan.steps:
            typer.echo(_line(step))
        typer.echo(_summary(plan))

    @cli.command(short_help="Show how the Catalog differs from a file.")
    def diff(context: typer.Context, file: FILE) -> None:
        """Show how the Catalog differs from a file, and what it has that the file does not name. Changes nothing.

        Exits with 0 if it is as the file says, with 1 if something is to do, and with 2 if the file cannot be applied.
        """
        plan, _ = _planned(context.obj, file)
        for step in plan.steps:
            typer.echo(_line(step))
            for detail in step.details:
                typer.echo(f"    {detail}")
        for note in plan.notes:
            typer.echo(f"  {note}")
        typer.echo(_summary(plan))
        if plan.steps:
            raise typer.Exit(NEGATIVE)

    @cli.command(short_help="Make the Catalog as a file says.")
    def apply(context: typer.Context, file: FILE) -> None:
        """Make the Catalog as a file says: validate everything first, then make the calls in order.

        Applied again, it changes nothing. What it does not name stays. An interrupted apply is repeated.
        """
        plan, ids = _planned(context.obj, file)
        for step in plan.steps:
            _take(context.obj, step, ids)
            typer.echo(_line(step))
        typer.echo(_summary(plan, is_done=True))

    @cli.command("export", short_help="Write the Catalog as a file.")
    def write(
        context: typer.Context,
        out: Annotated[
            Path | None, typer.Option(metavar="FILE.yaml", help="Otherwise the standard output.")
        ] = None,
    ) -> None:
        """Write the Catalog, without what is archived or withdrawn, as a file that plan and apply take."""
        text = export.text_of(state.read(context.obj))
        if out is None:
            typer.echo(text, nl=False)
            return
        try:
            replace_file(out, text.encode(), mode=PUBLIC)
        except OSError as error:
            raise Failed(f"--out: {error}") from None
        typer.echo(f"{out} is written")

    return cli


def _planned(line: CommandLine, file: Path) -> tuple[Plan, Ids]:
    """Return the plan of a file. Raises Failed with everything that is wrong."""
    told, found = document.read(file), state.read(line)
    ids = Ids(told, found)
    plan = plan_of(told, found, ids)
    if plan.problems:
        raise Failed("\n  ".join([f"{file} cannot be applied; nothing was changed:", *plan.problems]))
    return plan, ids


def _take(line: CommandLine, step: Step, ids: Ids) -> None:
    request = step.build()
    request.request_id = request_key(step, request)  # type: ignore[attr-defined]
    try:
        response = send(line, step.rpc, request)
    except Failed as failed:
        again = "the steps before it are done; mend the cause and apply the file again"
        raise Failed(f"{step.what}: {failed}\n  {again}", status=failed.status) from None
    for warning in getattr(response, "warnings", ()):
        typer.echo(f"purser: warning: {warning.description}", err=True)
    if step.made is not None:
        section, name = step.made
        [made] = rows_of(response)
        ids.add(section, name, KINDS[section].id_of(made))


def _line(step: Step) -> str:
    return f"{step.sign} {step.what}"


def _summary(plan: Plan, *, is_done: bool = False) -> str:
    unchanged = f"{plan.unchanged:,} as the file says"
    if not plan.steps:
        return f"nothing to do: {unchanged}"
    return f"{count_of(len(plan.steps), 'step')} {'done' if is_done else 'to do'}, {unchanged}"
