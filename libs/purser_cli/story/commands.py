# SPDX-License-Identifier: Apache-2.0
"""`purser explain`, `tail` and `verify`."""

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from purser_cli.exits import NEGATIVE
from purser_cli.rpc import output
from purser_cli.rpc.asking import ask
from purser_cli.session.command_line import CommandLine
from purser_cli.session.faults import CallFailed
from purser_cli.session.surroundings import Surroundings
from purser_cli.story import explain as explaining
from purser_cli.story import tail as tailing
from purser_cli.story.customers import customers, product_names

CUSTOMER = Annotated[str | None, typer.Option(metavar="ID|ALIAS", help="Only this customer.")]
WAIT_SECONDS_MAX = 15.0


def add_to(cli: typer.Typer, surroundings: Surroundings) -> None:
    """Add the commands."""

    @cli.command(short_help="Tell why a hold was allowed, who paid, and what became of it.")
    def explain(
        context: typer.Context,
        hold: Annotated[str, typer.Argument(metavar="HOLD", help="hld_…")],
        customer: Annotated[
            str | None, typer.Option(metavar="ID|ALIAS", help="Whose it is; otherwise it is looked for.")
        ] = None,
    ) -> None:
        """Tell why a hold was allowed, by which rate, from which grants, under which caps, and what became of it."""
        story = explaining.story_of(context.obj, hold, customer)
        out = output.console()
        out.print(f"[bold]{escape(hold)}[/]", soft_wrap=True)
        for title, text in explaining.lines_of(story):
            out.print(f"[bold]{escape(title):10}[/] {escape(text)}", soft_wrap=True)

    @cli.command(short_help="Follow holds and entries as they happen.")
    def tail(
        context: typer.Context,
        customer: CUSTOMER = None,
        last: Annotated[int, typer.Option(min=0, max=500, help="How many of the past are shown first.")] = 10,
        follow: Annotated[
            bool, typer.Option("--follow/--no-follow", help="Whether it waits for more.")
        ] = True,
        seconds: Annotated[float, typer.Option(min=0.2, max=60, help="How often it asks.")] = 1.0,
    ) -> None:
        """Follow the gate: holds that are taken, captured, released or expire, debits, grants and other entries.

        Denials change nothing, so the Ledger does not store them. Ends with Ctrl-C.
        """
        line: CommandLine = context.obj
        watched = [tailing.Watched(customer=one) for one in customers(line, customer)]
        products, out = product_names(line), output.console()
        past = [news for one in watched for news in _patiently(line, one, products)]
        past.sort(key=lambda news: news.order)
        for news in past[-last:] if last else ():
            _print(out, news)
        wait = seconds
        while follow:
            surroundings.pause(wait)
            try:
                for one in watched:
                    for news in tailing.news(line, one, products):
                        _print(out, news)
                wait = seconds
            except CallFailed as failed:
                if not tailing.is_away(failed):
                    raise
                typer.echo(f"purser: {failed}; asking again", err=True)
                wait = min(2 * wait, WAIT_SECONDS_MAX)

    @cli.command(short_help="Recompute every balance from the entries.")
    def verify(context: typer.Context, customer: CUSTOMER = None) -> None:
        """Recompute every stored amount from the entries and open holds.

        Exits with 0 if everything agrees, and with 1 if an amount differs.
        """
        found = ask(context.obj, "VerifyLedger", customer=customer or "")
        read = (
            (found.pools, "pools"),
            (found.grants, "grants"),
            (found.entries, "entries"),
            (found.holds, "open holds"),
        )
        counts = ", ".join(f"{count:,} {what}" for count, what in read)
        if found.is_consistent:
            typer.echo(f"all sums agree: {counts}")
            return
        output.show_rows(list(found.discrepancies), output.console())
        typer.echo(
            f"purser: {len(found.discrepancies):,} amounts differ from their entries; {counts}", err=True
        )
        raise typer.Exit(NEGATIVE)


def _patiently(
    line: CommandLine, watched: tailing.Watched, products: Mapping[str, str]
) -> list[tailing.Line]:
    try:
        return tailing.news(line, watched, products)
    except CallFailed as failed:
        if failed.reason == "CUSTOMER_NOT_FOUND":
            return []
        raise


def _print(out: Console, news: tailing.Line) -> None:
    at = tailing.time_text(news.order[0])
    cells = (
        f"{at}  {news.what:14} {news.credits:>14}  {news.customer:12} {news.product}  {news.who}  {news.id}"
    )
    out.print(escape(cells.rstrip()), soft_wrap=True)
