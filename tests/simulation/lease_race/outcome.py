# SPDX-License-Identifier: Apache-2.0
"""What a race has found: as data, as a table, and in words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.table import Table

from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_admin_pb2 as apb
from tests.simulation.lease_race.call_log import Call, CallLog, CallLogs
from tests.simulation.lease_race.pool import History, Stored

FINDINGS_SHOWN = 40
SETTLE_SECONDS = 1.0  # the gate's settle_interval by default


@dataclass(frozen=True, slots=True)
class Loss:
    """The uses that a killed process had not reported.

    seconds: from the first of them to the kill; for outage_seconds of these, the Ledger could not be reached as usual.
    """

    name: str
    calls: Sequence[Call]
    seconds: float
    outage_seconds: float

    @property
    def micros(self) -> int:
        return sum(call.used for call in self.calls)


@dataclass(slots=True)
class Outcome:
    """struck: how often by name. late_seconds: a loss may be so much older than a second; a machine may stand still.

    stopped: why the race ended early, "" when it did not; then nothing was compared.
    """

    seed: int
    planned: int
    late_seconds: float
    seconds: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    logs: CallLogs = field(default_factory=CallLogs)
    outages: list[tuple[float, float]] = field(default_factory=list)
    stored: Stored | None = None
    verified: apb.VerifyLedgerResponse | None = None
    losses: list[Loss] = field(default_factory=list)
    overspent: int = 0
    false_denials: int = 0
    stopped: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return self.stored is not None and not self.stopped and not self.wrong

    def calls(self, outcome: str) -> list[Call]:
        return [call for log in self.logs for call in log.ended(outcome)]

    def compare(self, stored: Stored, verified: apb.VerifyLedgerResponse) -> None:
        """Compare what the clients have said with what is stored."""
        self.stored, self.verified = stored, verified
        if not verified.is_consistent:
            self.wrong += [str(one) for one in verified.discrepancies] or ["VerifyLedger: inconsistent"]
        for log in self.logs:
            self._compare_uses(log, stored.uses.get(log.name, Counter()))
            self._look_for_false_denials(log, stored.history)
        strangers = stored.uses.keys() - {log.name for log in self.logs}
        self.wrong += [f"uses of {name}, who does not exist, were charged" for name in strangers]
        self._compare_sums(stored)
        self._look_for_late_reports(stored)

    def _compare_sums(self, stored: Stored) -> None:
        """What nobody has reported was returned to the pool, and what came too late was not reserved any more."""
        used = sum(call.used for call in self.calls("used"))
        used -= sum(loss.micros for loss in self.losses) + sum(stored.late.values())
        self.overspent = max(0, used - stored.granted, stored.captured - stored.granted, stored.shortfall)
        if self.overspent:
            self.wrong.append(
                f"overspent: granted {stored.granted:,}, used and reported in time {used:,}, captured"
                f" {stored.captured:,}, shortfall {stored.shortfall:,} micro-credits"
            )

    def _look_for_late_reports(self, stored: Stored) -> None:
        """Only what a killed process has left in its spool may come too late, if its successor starts too late."""
        killed = {log.name for log in self.logs if log.killed is not None and log.has_spool}
        self.wrong += [
            f"{name} has reported uses after the grace of their lease: {micros:,} were not paid"
            for name, micros in stored.late.items()
            if name not in killed
        ]

    def _compare_uses(self, log: CallLog, charged: Counter[int]) -> None:
        """What was charged is what was used, once; only a killed process without a spool may have lost something."""
        twice = charged - Counter(charged.keys())
        self.wrong += [f"{log.name}: a use of {micros:,} was charged twice" for micros in twice]
        never = charged - log.perhaps_used() - twice
        self.wrong += [f"{log.name}: {micros:,} were charged, and never used" for micros in never]
        lost = log.used() - charged
        if not lost:
            return
        calls = [call for call in log.ended("used") if call.used in lost]
        if log.killed is None or log.has_spool:
            whose = "a spool" if log.has_spool else "not killed"
            self.wrong += [f"{log.name} ({whose}) lost a use of {call.used:,}" for call in calls]
            return
        first = min(call.answered for call in calls)
        loss = Loss(log.name, calls, log.killed - first, _overlap(self.outages, first, log.killed))
        self.losses.append(loss)
        if loss.seconds - loss.outage_seconds > SETTLE_SECONDS + self.late_seconds:
            self.wrong.append(f"{log.name} lost what it had used {loss.seconds:.2f} s before it was killed")
        if not all(call.is_leased for call in calls):
            self.wrong.append(f"{log.name} lost a use that the Ledger itself had decided")

    def _look_for_false_denials(self, log: CallLog, history: History) -> None:
        for denied in log.denied:
            least = history.least(denied.asked, denied.answered)
            if denied.micros <= max(least, denied.available):
                self.false_denials += 1
                what = "an extension by" if denied.is_extension else "a call of"
                self.wrong.append(
                    f"{log.name} was denied {what} {denied.micros:,} ({denied.reason}) while {least:,} were available,"
                    f" by an answer that says {denied.available:,}"
                )


def table_of(outcome: Outcome) -> Table:
    """Return the figures of a race."""
    strikes = sum(outcome.struck.values())
    table = Table(
        "what", "how many", title=f"seed {outcome.seed}: {strikes:,} strikes, {outcome.seconds:,.0f} s"
    )
    for what, how_many in _figures(outcome):
        table.add_row(what, how_many)
    return table


def _figures(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for name, count in sorted(outcome.struck.items()):
        yield name, f"{count:,}"
    used = outcome.calls("used")
    denied = Counter(one.reason for log in outcome.logs for one in log.denied)
    leased = sum(call.is_leased for call in used)
    yield "calls that used something", f"{len(used):,}, {leased / max(1, len(used)):.0%} decided in process"
    yield "calls and extensions denied", _counts(denied)
    failed = Counter(call.why.split()[0] for call in outcome.calls("failed"))
    yield "calls without a known outcome", _counts(failed)
    if (stored := outcome.stored) is None:
        return
    yield "credits granted", _credits(stored.granted)
    yield "credits charged", _credits(stored.captured)
    yield "credits that leases of killed processes still hold", _credits(stored.held)
    yield "credits overspent", _credits(outcome.overspent)
    yield "credits reported too late, by successors", _credits(sum(stored.late.values()))
    yield "versions of the pool that denials were compared with", f"{len(stored.history.times):,}"
    yield "false denials", f"{outcome.false_denials:,}"
    for is_cut_off in (False, True):
        losses = [loss for loss in outcome.losses if bool(loss.outage_seconds) == is_cut_off]
        where = "while the network was cut" if is_cut_off else "with an answering Ledger"
        worst = max((loss.seconds for loss in losses), default=0.0)
        yield (
            f"lost by kills without a spool, {where}",
            f"{sum(len(loss.calls) for loss in losses):,} uses, {_credits(sum(loss.micros for loss in losses))} credits"
            f" of {len(losses):,} processes; the first {worst:.2f} s before the kill",
        )
    yield "findings", f"{len(outcome.wrong):,}"


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in found.items()) or "0"


def _credits(micros: int) -> str:
    return f"{micros / MICROS:,.2f}"


def verdict(outcome: Outcome) -> list[str]:
    """Say in words what was found; the first line is the result."""
    shown = outcome.wrong[:FINDINGS_SHOWN]
    if len(outcome.wrong) > FINDINGS_SHOWN:
        shown.append(f"and {len(outcome.wrong) - FINDINGS_SHOWN:,} more")
    strikes = sum(outcome.struck.values())
    if outcome.stopped:
        return [f"Stopped after {strikes:,} of {outcome.planned:,} strikes: {outcome.stopped}.", *shown]
    if shown:
        return [f"{strikes:,} strikes: {len(outcome.wrong):,} findings:", *shown]
    return [
        f"{strikes:,} strikes: nothing overspent, nobody denied while credits were available, nothing charged twice."
    ]


def _overlap(outages: Sequence[tuple[float, float]], begins: float, ends: float) -> float:
    """Return how many of the seconds between two times were during outages, which do not overlap."""
    return sum(max(0.0, min(ends, ended) - max(begins, began)) for began, ended in outages)
