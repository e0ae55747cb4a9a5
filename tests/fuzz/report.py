# SPDX-License-Identifier: Apache-2.0
"""What a run did and found: counts per method and status, faults with their requests, tracebacks in the logs."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grpc import StatusCode
from rich.table import Column, Table

from tests.fuzz.calls import Answer
from tests.fuzz.methods import Method
from tests.fuzz.requests import Attempt, shown

SHOWN_LENGTH_MAX = 3_000
FINDINGS_EACH_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A call whose answer no call may get."""

    attempt: Attempt
    fault: str

    def text(self) -> str:
        """The request as text, to repeat it."""
        bodies = "\n---\n".join(shown(self.attempt.method, self.attempt.bodies))
        cut = (
            bodies
            if len(bodies) <= SHOWN_LENGTH_MAX
            else f"{bodies[:SHOWN_LENGTH_MAX]}… ({len(bodies)} characters)"
        )
        said = f"\nmetadata: {self.attempt.metadata}" if self.attempt.metadata else ""
        return f"{self.attempt.method.label} ({self.attempt.kind}): {self.fault}{said}\n{cut}"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """wrong: what is wrong apart from single answers, such as a notice that is stuck, or a sum that is off."""

    seed: int
    methods: list[Method] = field(default_factory=list)
    codes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    findings: list[Finding] = field(default_factory=list)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    notices: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return not self.faults and not self.wrong

    @property
    def calls(self) -> int:
        return sum(sum(counter.values()) for counter in self.codes.values())

    def count(self, attempt: Attempt, answer: Answer) -> None:
        label = attempt.method.label
        self.codes[label][answer.code.name if answer.code is not StatusCode.CANCELLED else answer.reason] += 1
        if answer.code is StatusCode.RESOURCE_EXHAUSTED:
            self.refused[f"{label}: {answer.reason}"] += 1
        if answer.fault:
            kind = (label, answer.fault[:120])
            self.faults[kind] += 1
            if self.faults[kind] <= FINDINGS_EACH_MAX:
                self.findings.append(Finding(attempt=attempt, fault=answer.fault))

    def per_code(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for counter in self.codes.values():
            total.update(counter)
        return total


def verdict(outcome: Outcome) -> list[str]:
    """Return the outcome in lines: first what was done, then everything that is wrong."""
    codes = ", ".join(f"{code} {count:,}" for code, count in outcome.per_code().most_common())
    notices = ", ".join(f"{how} {count:,}" for how, count in sorted(outcome.notices.items()))
    lines = [
        f"SEED={outcome.seed}: {outcome.calls:,} calls of {len(outcome.methods)} methods in {outcome.seconds:.0f} s",
        f"answers: {codes}",
        f"notices: {notices}",
        *(f"{count} × overloaded: {what}" for what, count in outcome.refused.most_common()),
    ]
    lines += [f"{count} × {label}: {fault}" for (label, fault), count in outcome.faults.most_common()]
    lines += outcome.wrong
    lines += [one.text() for one in outcome.findings]
    return lines


def table_of(outcome: Outcome) -> Table:
    """Return the counts per method and status."""
    codes = [code for code, _ in outcome.per_code().most_common()]
    table = Table(Column("method", no_wrap=True), *codes, title=f"SEED={outcome.seed}")
    for method in outcome.methods:
        counter = outcome.codes[method.label]
        table.add_row(method.label, *(str(counter[code] or "") for code in codes))
    return table


# An event of ours at its end of line, or Python's own words, that says that something failed that nobody expected.
_BROKEN_LINE = re.compile(
    r"Traceback \(most recent call last\)|exception was never retrieved|was never awaited|"
    r"rpc_failed|batch_item_failed|PEER_FAILED|CheckViolation|NumericValueOutOfRange"
)
# gRPC's own words for an answer to a caller that has hung up.
NOBODY_LISTENS = "ExecuteBatchError"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_LAST_LINE = re.compile(r"^[\w.]+(Error|Exception|Violation|Warning|Fault|[A-Z]\w+)(:|$)")


def broken_lines(logs: Iterable[Path]) -> list[str]:
    """Return each kind of unexpected failure in the services' logs once, with its traceback."""
    kinds: dict[str, tuple[int, str]] = {}
    for log in logs:
        for block in _blocks(log):
            if NOBODY_LISTENS in block[-1]:
                continue
            kind = re.sub(r"\d+|0x[0-9a-f]+|'[^']*'", "…", block[-1] + (block[-3] if len(block) > 2 else ""))[
                :300
            ]
            count, first = kinds.get(kind, (0, f"{log.name}: " + "\n".join(block)))
            kinds[kind] = (count + 1, first)
    return [f"{count} × in {first}" for count, first in sorted(kinds.values(), reverse=True)]


def _blocks(log: Path) -> Iterator[list[str]]:
    """Yield the lines of each unexpected failure: of a traceback, those up to the line with the exception."""
    block: list[str] = []
    for raw in log.read_text(errors="replace").splitlines():
        line = _ANSI.sub("", raw)
        if block:
            block.append(line[:400])
            if (_LAST_LINE.match(line) and "Traceback" not in line) or len(block) > 60:
                yield block[-14:]
                block = []
        elif _BROKEN_LINE.search(line):
            block = [line[:400]]
            if "Traceback" not in line and not line.rstrip().endswith(":") and "_failed" not in line:
                yield block
                block = []
    if block:
        yield block
