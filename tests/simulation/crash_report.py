# SPDX-License-Identifier: Apache-2.0
"""What a run of the crash test found: as data, as a table, and in words."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.table import Table

from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from tests.simulation.crash_book import Book
from tests.simulation.crash_recount import spent
from tests.simulation.fault_proxy import FaultProxy
from tests.simulation.own_postgres import PATIENCE_SECONDS

FINDINGS_SHOWN = 50


@dataclass(slots=True)
class Outcome:
    """What a run found.

    planned: kills that the run was asked for. back_seconds: for each kill, by target, the seconds until writes were
    answered again by as many processes as before. stopped: why the run ended early, "" when it did not; then nothing
    was recounted. wrong: the findings, one line each.
    """

    seed: int
    planned: int
    seconds: float = 0.0
    book: Book = field(default_factory=Book)
    back_seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    proxy: FaultProxy | None = None
    recounted: apb.VerifyLedgerResponse | None = None
    stopped: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return sum(map(len, self.back_seconds.values()))

    @property
    def slowest_seconds(self) -> float:
        return max((seconds for times in self.back_seconds.values() for seconds in times), default=0.0)

    @property
    def is_good(self) -> bool:
        return self.recounted is not None and not self.stopped and not self.wrong


def table_of(outcome: Outcome) -> Table:
    """Return the figures of a run."""
    title = f"seed {outcome.seed}: {outcome.kills:,} kills, {outcome.seconds:,.0f} s"
    table = Table("what", "how many", title=title)
    for what, how_many in _figures(outcome):
        table.add_row(what, how_many)
    return table


def _figures(outcome: Outcome) -> Iterator[tuple[str, str]]:
    book, proxy, recounted = outcome.book, outcome.proxy, outcome.recounted
    for target, times in sorted(outcome.back_seconds.items()):
        median, slowest = statistics.median(times), max(times)
        yield (
            f"kill -9 of a {target}",
            f"{len(times):,}; writes answered again after {median:.2f} s (median), {slowest:.2f} s (slowest)",
        )
    if proxy is not None:
        yield "replies cut by the proxy", f"{proxy.cuts:,} of {proxy.replies:,}"
    kinds = Counter(type(request).__name__ for request, _ in book.answers.values())
    for kind, count in sorted(kinds.items()):
        yield f"{kind.removesuffix('Request')} answered", f"{count:,}"
    decisions = [answer for _, answer in book.answers.values() if hasattr(answer, "decision")]
    yield "of these denied", f"{sum(one.decision == pb.DECISION_DENIED for one in decisions):,}"
    late = ", ".join(f"{count:,} {kind}" for kind, count in sorted(book.too_late.items()))
    yield "of these refused rightly, the expiry had passed", late or "0"
    yield "captures after the hold's expiry", f"{sum(a.is_late for _, a in book.of(pb.CaptureRequest)):,}"
    figures = spent(book).values()
    yield "credits acknowledged as spent", f"{sum(micros for micros, _ in figures) / 10**6:,.6f}"
    yield "credits acknowledged as shortfall", f"{sum(micros for _, micros in figures) / 10**6:,.6f}"
    yield (
        "attempts with an unknown outcome",
        ", ".join(f"{count:,} {code}" for code, count in book.retries.most_common()) or "0",
    )
    yield "answered requests sent again", f"{book.replayed:,}"
    if recounted is not None:
        rows = f"{recounted.pools:,}, {recounted.grants:,}, {recounted.entries:,}"
        yield "recounted: pools, grants, entries", rows
    yield "findings", f"{len(outcome.wrong):,}"


def verdict(outcome: Outcome) -> list[str]:
    """Say in words what was checked and what was found, one line each; the first line is the result."""
    shown = outcome.wrong[:FINDINGS_SHOWN]
    if len(outcome.wrong) > FINDINGS_SHOWN:
        shown.append(f"and {len(outcome.wrong) - FINDINGS_SHOWN:,} more")
    if outcome.stopped:
        return [
            f"Stopped after {outcome.kills:,} of {outcome.planned:,} kills: {outcome.stopped}.",
            "Nothing was recounted, so nothing is known about what is stored.",
            *shown,
        ]
    if outcome.recounted is None:
        return ["Nothing was recounted, so nothing is known about what is stored.", *shown]
    if shown:
        return [f"{outcome.kills:,} kills: {len(outcome.wrong):,} findings:", *shown]
    return [
        f"{outcome.kills:,} kills: nothing acknowledged was lost, nothing was done twice.",
        f"Checked: {len(outcome.book.answers):,} answers against the stored entries, holds, grants, pools, responses "
        "and alarms, each effect once and to the micro; VerifyLedger found no discrepancy;",
        f"{outcome.book.replayed:,} answered requests were sent again and got the same answer;",
        f"after each kill as many Ledgers as before answered writes within {PATIENCE_SECONDS:.0f} s "
        f"(slowest: {outcome.slowest_seconds:.2f} s), and no Ledger ended unless it was killed.",
    ]
