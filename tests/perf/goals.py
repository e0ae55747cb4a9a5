# SPDX-License-Identifier: Apache-2.0
"""The performance goals P1 to P28, and how a measured value is compared with them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class NotMeasured(Exception):
    """A figure that cannot be measured here; the text says why."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One number to reach. at_least: the value must not be below `limit`; otherwise it must not be above it."""

    limit: float
    of: str
    part: str = ""
    at_least: bool = False

    @property
    def text(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.of}".rstrip()

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Promise:
    """A line of the table."""

    title: str
    goals: tuple[Goal, ...]


def _at_least(limit: float, of: str, part: str = "") -> Goal:
    return Goal(limit, of, part, at_least=True)


PROMISES: Mapping[str, Promise] = {
    "P1": Promise("Authorize and Debit, 64 in flight, one hot pool", (_at_least(0.70, "× echo"),)),
    "P2": Promise(
        "the same over 1,000 customers",
        (_at_least(0.70, "× echo", "spread"), _at_least(0.90, "× spread", "hot")),
    ),
    "P3": Promise("P1 with commits 1 ms slower", (_at_least(0.70, "× echo"),)),
    "P4": Promise("1 in flight: p50", (Goal(1.0, "× (echo + 2 commits)"),)),
    "P5": Promise("64 in flight: latency", (Goal(1.5, "× echo", "p50"), Goal(2.5, "× echo", "p99"))),
    "P6": Promise(
        "CPU per call", (Goal(1.2, "× echo", "server"), Goal(0.6, "× echo's server", "PostgreSQL"))
    ),
    "P7": Promise(
        "DebitBatch(500): debits per second",
        (_at_least(10, "× echo calls", "hot"), _at_least(4, "× echo calls", "1,000 customers")),
    ),
    "P8": Promise(
        "the write of 1,000 debits",
        (_at_least(0.40, "× insert", "hot"), _at_least(0.25, "× insert", "1,000 customers")),
    ),
    "P9": Promise("two replicas on one hot pool", (_at_least(0.70, "× two echoes"),)),
    "P10": Promise("p50 with a long history, warm", (Goal(1.5, "× empty"),)),
    "P11": Promise("1,000 active grants in one pool", (Goal(2.0, "× the cost of 10"),)),
    "P12": Promise("in SQL: p50", (Goal(1.0, "ms", "last 50 entries"), Goal(0.2, "ms", "GetBalance"))),
    "P13": Promise(
        "32 callers race past zero, two replicas",
        (Goal(0, "", "credits overspent"), Goal(0, "", "false denials")),
    ),
    "P14": Promise(
        "the whole mesh: p99",
        (Goal(100, "ms", "seat change to credits"), Goal(1_000, "ms", "crossing to webhook")),
    ),
    "P15": Promise(
        "the write of 500 usage events",
        (_at_least(0.30, "× insert", "hot"), _at_least(0.30, "× insert", "1,000 customers")),
    ),
    "P16": Promise(
        "Authorize's p99 during a flood of events",
        (Goal(2.0, "× without", "flooded customer"), Goal(2.0, "× without", "another")),
    ),
    "P17": Promise(
        "import of a large file: peak memory",
        (Goal(200, "MB", "importer"), Goal(200, "MB", "Ledger")),
    ),
    "P18": Promise(
        "reads of usage, big customer, in SQL: p50",
        tuple(
            Goal(1.0, "ms", part)
            for part in (
                *("by day", "by user and day", "top spenders", "50 events", "an entry"),
                "50 uses of a grant",
            )
        ),
    ),
    "P19": Promise("P1's calls over TLS with a token", (_at_least(0.95, "× the same over plaintext"),)),
    "P20": Promise(
        "overload and broken clients",
        (
            Goal(2.0, "× at capacity", "accepted p99, 2 ×"),
            Goal(2.0, "× at capacity", "accepted p99, 10 ×"),
            Goal(50, "ms", "refused p99"),
            Goal(2.0, "s", "recovery"),
            Goal(150, "MB", "large messages"),
            Goal(150, "MB", "unread responses"),
            Goal(100, "ms", "beside half-open calls, p99"),
        ),
    ),
    "P21": Promise("10,000 named seats in one contract", (Goal(2.0, "× the cost of 10"),)),
    "P22": Promise(
        "webhooks: p99 of a crossing; 10,000 deliveries, 10 of 100 endpoints hang",
        (
            Goal(250, "ms", "crossing to webhook, idle"),
            Goal(250, "ms", "crossing to webhook, 2,000 debits/s"),
            _at_least(0.9, "× none hangs", "rate"),
            Goal(1.1, "× none hangs", "p99"),
        ),
    ),
    "P23": Promise("debits with 100 alerts on every customer", (_at_least(0.95, "× without alerts"),)),
    "P24": Promise(
        "one of two replicas for each of 1,000 customers",
        tuple(
            goal
            for whose in ("by Envoy", "by the client")
            for goal in (
                Goal(1.0, "%", f"{whose}, decided again"),
                Goal(1.1, "× one replica's", f"{whose}, CPU"),
            )
        ),
    ),
    "P25": Promise("1 in flight on Citus: p50", (Goal(3.0, "× plain PostgreSQL's"),)),
    "P26": Promise("P1's calls, 1 % of them traced", (_at_least(0.95, "× without traces"),)),
    "P27": Promise(
        "calls decided in process, from a lease", (Goal(10, "µs", "p50"), _at_least(50_000, "", "a second"))
    ),
    "P28": Promise("a denial, 1 in flight: p50", (Goal(1.5, "× a hold's"),)),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of the rounds, and their range."""

    median: float
    low: float
    high: float
    rounds: tuple[float, ...]

    @classmethod
    def of(cls, rounds: Sequence[float]) -> "Spread":
        """rounds: at least one."""
        return cls(statistics.median(rounds), min(rounds), max(rounds), tuple(rounds))

    def as_json(self) -> dict[str, Any]:
        return {"median": self.median, "min": self.low, "max": self.high, "rounds": list(self.rounds)}


@dataclass(frozen=True, slots=True)
class Figure:
    """The result of one line. parts: by the part's name, None when not measured. holds: every invariant.

    detail: raw numbers, as JSON.
    """

    parts: Mapping[str, Spread | None]
    detail: Mapping[str, Any] = field(default_factory=dict)
    holds: bool = True

    @classmethod
    def not_measured(cls, name: str, why: str) -> "Figure":
        return cls({goal.part: None for goal in PROMISES[name].goals}, {"not_measured": why})

    def is_met(self, name: str) -> bool | None:
        """Whether all goals are met; None when one was not measured."""
        verdicts = []
        for goal in PROMISES[name].goals:
            value = self.parts[goal.part]
            if value is None:
                return None
            verdicts.append(goal.is_met(value.median))
        return self.holds and all(verdicts)

    def as_json(self, name: str) -> dict[str, Any]:
        """`value` and `goal` are single values for a line with one goal, and mappings by part for a line with more."""
        goals = PROMISES[name].goals
        values = {part: None if value is None else value.median for part, value in self.parts.items()}
        texts = {goal.part: goal.text for goal in goals}
        spreads = {part: value.as_json() for part, value in self.parts.items() if value is not None}
        is_single = len(goals) == 1
        (first,) = goals[:1]
        return {
            "value": values[first.part] if is_single else values,
            "goal": texts[first.part] if is_single else texts,
            "met": self.is_met(name),
            "detail": {
                "title": PROMISES[name].title,
                "spread": spreads.get(first.part) if is_single else spreads,
                **self.detail,
            },
        }
