# SPDX-License-Identifier: Apache-2.0
"""`purser demo-data`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any

import typer

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import usage_pb2 as usage
from purser_cli.demo.offer import sold_to
from purser_cli.demo.traffic import Use, traffic
from purser_cli.exits import NEGATIVE, Failed
from purser_cli.rpc.asking import ask, business_time
from purser_cli.rpc.output import amount, console, show_table
from purser_cli.rpc.values import WrongValue, decimal, enum_name
from purser_cli.session.command_line import CommandLine

# RecordUsage takes as many, and none that is older.
EVENTS_MAX = 1_000
DAYS_MAX = 34


def add_to(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command("demo-data", short_help="Record a month of plausible usage of a customer.")
    def demo_data(
        context: typer.Context,
        customer: Annotated[str, typer.Option(metavar="ID|ALIAS", help="Whose usage it is.")],
        days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="How many days up to now.")] = 30,
        users: Annotated[int, typer.Option(min=1, max=500, help="How many people.")] = 8,
        credits: Annotated[str, typer.Option(metavar="DECIMAL", help="What a workday costs, about.")] = "12",
        seed: Annotated[int, typer.Option(help="Another seed makes other traffic.")] = 1,
    ) -> None:
        """Record plausible usage of the last days: people at work, quiet weekends, a nightly job.

        It is reported usage, so neither caps nor missing credits stop it, and it is billed like any other usage. Do not
        record it for real customers. Repeated with the same options, it records nothing twice.
        """
        line: CommandLine = context.obj
        try:
            credits_per_day = decimal(credits)
        except WrongValue as error:
            raise Failed(f"--credits: {error}") from None
        if credits_per_day <= 0:
            raise Failed("--credits: must be more than 0")
        sold = sold_to(line, customer)
        if not sold:
            raise Failed(
                f"no contract of {customer!r} prices a usage product now; sign one, or move the clock to it"
            )
        now = business_time(line)
        uses = traffic(
            sold,
            customer=customer,
            seed=seed,
            users=users,
            credits_per_day=credits_per_day,
            start=now - timedelta(days=days),
            end=now,
        )
        counts, credits_micros, shortfall_micros = _record(line, customer, uses)
        show_table(
            [{"events": f"{count:,}", "became": what} for what, count in sorted(counts.items())], console()
        )
        spent = f"{amount(credits_micros)} credits, {amount(shortfall_micros)} of them not covered"
        typer.echo(f"{spent}; {users} people, {', '.join(one.name for one in sold)}")
        if counts["rejected"]:
            raise typer.Exit(NEGATIVE)


def _record(line: CommandLine, customer: str, uses: Iterable[Use]) -> tuple[Counter[str], int, int]:
    counts: Counter[str] = Counter()
    credits = shortfall = 0
    for result in _results(line, customer, uses):
        kind = result.DESCRIPTOR.fields_by_name["event_status"].enum_type
        status = enum_name(kind, result.event_status)
        counts["recorded before" if result.is_duplicate else status] += 1
        if not result.is_duplicate:
            credits += result.credits_micros
            shortfall += result.shortfall_micros
    return counts, credits, shortfall


def _results(line: CommandLine, customer: str, uses: Iterable[Use]) -> Iterator[Any]:
    every = list(uses)
    for begin in range(0, len(every), EVENTS_MAX):
        events = [
            usage.UsageEvent(
                transaction_id=one.transaction_id,
                customer=customer,
                event_type=one.event_type,
                timestamp=timestamp(one.at),
                properties=one.properties,
            )
            for one in every[begin : begin + EVENTS_MAX]
        ]
        yield from ask(line, "RecordUsage", events=events).results
