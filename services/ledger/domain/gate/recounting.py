# SPDX-License-Identifier: Apache-2.0
"""What a subject has spent so far, from its entries: when a cap or a watch begins to need what was not counted.

Source: services/ledger/README.md, "Spend caps".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.gate.spend_cap import (
    OWN_KEY,
    GroupValue,
    Need,
    Spend,
    WindowSpend,
    stepped_windows_of,
    windows_to_count,
)
from services.ledger.domain.gate.windows import CapWindow, SteppedWindow, Tally, steps_from, window_at

# The starts of steps, in order. The first one is the earliest that counts; the last one has no end.
Steps = tuple[datetime, ...]
# What one subject has spent in each step.
Sums = Mapping[datetime, Credits]


@dataclass(frozen=True, slots=True)
class PoolPosition:
    """How far a pool's entries go, and what its customer's windows depend on."""

    sequence: int
    zone: str
    anchor: datetime | None


@dataclass(frozen=True, slots=True)
class GroupMembers:
    """The values of a group."""

    group_key: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class EarlierSums:
    """What each value of a subject has spent, by steps, in the entries up to `sequence`. members: of a group."""

    sequence: int
    by_steps: Mapping[Steps, Mapping[str, Sums]]
    members: "GroupMembers | None" = None


@dataclass(frozen=True, slots=True)
class Recount:
    """Which steps to sum for a subject; an empty value: of each value of its key.

    period, day: only of the Ledger's own subjects. Of group values they are counted anyway. members: of a group.
    """

    subject: GroupValue
    windows: Mapping[SteppedWindow, Steps]
    period: Steps | None = None
    day: Steps | None = None
    members: GroupMembers | None = None

    def all_steps(self) -> set[Steps]:
        """Return each of the steps to sum, once."""
        return {*self.windows.values(), *(steps for steps in (self.period, self.day) if steps is not None)}

    def values(self, sums: Mapping[Steps, Mapping[str, Sums]]) -> set[str]:
        """Return the values that have spent anything."""
        return {value for by_value in sums.values() for value in by_value}

    def spend_of(
        self, value: str, sums: Mapping[Steps, Mapping[str, Sums]], held: Credits = Credits(0)
    ) -> Spend:
        """Return what one value has spent. sums: by the steps that all_steps returns, and by value."""
        return self._spend({steps: by_value.get(value, {}) for steps, by_value in sums.items()}, held)

    def _spend(self, sums: Mapping[Steps, Sums], held: Credits) -> Spend:
        windows = {
            window: Tally(
                steps[0], {step: spent for step, spent in sums[steps].items() if spent > Credits(0)}
            )
            for window, steps in self.windows.items()
        }
        return Spend(
            held=held,
            period=None if self.period is None else _window_spend(self.period, sums[self.period]),
            day=None if self.day is None else _window_spend(self.day, sums[self.day]),
            windows=windows or None,
        )


def recount_of(
    subject: GroupValue,
    needs: Iterable[Need],
    *,
    zone: str,
    anchor: datetime | None,
    at: datetime,
    members: GroupMembers | None = None,
) -> Recount:
    """Return what to recount of a subject at `at`. needs: all of it. anchor: None before the first contract."""
    windows = windows_to_count(stepped_windows_of(needs, zone), subject)
    steps = {window: tuple(steps_from(window, at)) for window in windows}
    if subject[0] != OWN_KEY or anchor is None:
        return Recount(subject, steps, members=members)
    period = window_at(CapWindow.BILLING_PERIOD, anchor=anchor, at=at)
    day = window_at(CapWindow.DAY, anchor=anchor, at=at)
    return Recount(subject, steps, (period.start, period.end), (day.start, day.end), members)


def added(one: Mapping[str, Sums], other: Mapping[str, Sums]) -> dict[str, Sums]:
    """Return the sums of both, by value."""
    return {
        value: {
            step: one.get(value, {}).get(step, Credits(0)) + other.get(value, {}).get(step, Credits(0))
            for step in {**one.get(value, {}), **other.get(value, {})}
        }
        for value in {**one, **other}
    }


def _window_spend(steps: Steps, sums: Sums) -> WindowSpend:
    start, end = steps
    return WindowSpend(start, _spent(sums, start), _spent(sums, end))


def _spent(sums: Sums, step: datetime) -> Credits:
    return max(Credits(0), sums.get(step, Credits(0)))
