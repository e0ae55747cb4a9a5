# SPDX-License-Identifier: Apache-2.0
"""What a run found: as data, as a table, and in words."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rich.table import Table

from tests.simulation.chaos.callers import Deeds
from tests.simulation.crash_book import Book

FINDINGS_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault. lasted_seconds: until it was healed. gap_seconds: the longest time without an answer of the gate.

    back_seconds: from its end until every replica answered writes again. errors: attempts of callers without an answer,
    by status, until then.
    """

    fault: str
    struck: str
    lasted_seconds: float
    gap_seconds: float
    back_seconds: float
    errors: Mapping[str, int]


@dataclass(slots=True)
class Outcome:
    """wrong: the findings, one line each. checked: what was compared at the end, as text and number.

    left_out: faults that this machine does not allow, and why. stopped: why the run ended early, "" when it did not.
    logs: the folder of the logs, "" when it is removed.
    """

    seed: int
    seconds: float = 0.0
    book: Book = field(default_factory=Book)
    deeds: Deeds = field(init=False)
    strikes: list[Strike] = field(default_factory=list)
    left_out: Mapping[str, str] = field(default_factory=dict)
    verified: int = 0
    drained_seconds: float = 0.0
    checked: dict[str, int] = field(default_factory=dict)
    stopped: str = ""
    logs: str = ""
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.deeds = Deeds(self.book.retries)

    @property
    def is_good(self) -> bool:
        return bool(self.checked) and not self.stopped and not self.wrong


def table_of(outcome: Outcome) -> Table:
    """Return the strikes by fault."""
    table = Table(title=f"seed {outcome.seed}: {len(outcome.strikes):,} faults, {outcome.seconds:,.0f} s")
    for heading in (
        "fault",
        "times",
        "lasted, s",
        "longest gap, s",
        "back after, s",
        "attempts without answer",
    ):
        table.add_column(heading, justify="left" if heading.startswith(("fault", "attempts")) else "right")
    strikes = defaultdict(list)
    for strike in outcome.strikes:
        strikes[strike.fault].append(strike)
    for fault, those in sorted(strikes.items()):
        errors: Counter[str] = Counter()
        for one in those:
            errors.update(one.errors)
        back = [one.back_seconds for one in those]
        table.add_row(
            fault,
            f"{len(those):,}",
            f"{statistics.median(one.lasted_seconds for one in those):.1f}",
            f"{max(one.gap_seconds for one in those):.1f}",
            f"{statistics.median(back):.1f} (slowest {max(back):.1f})",
            _counts(errors),
        )
    return table


def _counts(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(errors.items())) or "0"


def verdict(outcome: Outcome) -> list[str]:
    """Say in words what was checked and what was found, one line each; the first line is the result."""
    count = len(outcome.strikes)
    notes = [f"Left out: {why}." for why in dict.fromkeys(outcome.left_out.values())]
    if outcome.logs:
        notes.append(f"The logs of all processes are in {outcome.logs}.")
    shown = outcome.wrong[:FINDINGS_SHOWN]
    if len(outcome.wrong) > FINDINGS_SHOWN:
        shown.append(f"and {len(outcome.wrong) - FINDINGS_SHOWN:,} more")
    if outcome.stopped:
        return [f"Stopped after {count:,} faults: {outcome.stopped}.", *shown, *notes]
    if shown:
        return [f"{count:,} faults: {len(outcome.wrong):,} findings:", *shown, *notes]
    if not outcome.checked:
        return [f"{count:,} faults: nothing was checked, so nothing is known.", *notes]
    return [
        f"{count:,} faults: nothing acknowledged was lost, nothing was done twice.",
        *_figures(outcome),
        *notes,
    ]


def _figures(outcome: Outcome) -> Iterator[str]:
    book, deeds = outcome.book, outcome.deeds
    kinds = Counter(type(request).__name__.removesuffix("Request") for request, _ in book.answers.values())
    yield "Answered: " + ", ".join(f"{many:,} {kind}" for kind, many in sorted(kinds.items())) + ";"
    yield (
        f"gates: {deeds.gated:,} AI calls, {deeds.recorded:,} of them recorded in the spool and billed later, "
        f"{deeds.unreachable:,} not made; {len(deeds.seat_changes):,} seat changes, {len(deeds.top_ups):,} top-ups, "
        f"{deeds.sent_again:,} sent again; {book.replayed:,} answered requests were repeated, same answers."
    )
    yield f"VerifyLedger, under load and at the end, {outcome.verified:,} times: consistent."
    yield f"All outboxes were empty {outcome.drained_seconds:.0f} s after the last call."
    yield (
        "Compared, each once: "
        + ", ".join(f"{many:,} {what}" for what, many in outcome.checked.items())
        + "."
    )


def longest_gap(times: Sequence[float], began: float, ended: float) -> float:
    """Return the longest time without an answer, of those that touch the time from `began` to `ended`."""
    earlier = [at for at in times if at < began][-1:]
    later = [at for at in times if at > ended][:1]
    within = [at for at in times if began <= at <= ended]
    marks = [*(earlier or [began]), *within, *(later or [ended])]
    return max(after - before for before, after in pairwise(marks))
