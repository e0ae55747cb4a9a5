# SPDX-License-Identifier: Apache-2.0
"""Watched thresholds: the transaction that moves a value across a threshold writes the crossing; nothing polls."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.gate.spend_cap import Need
from services.ledger.domain.gate.windows import CapWindow


class WatchKind(Enum):
    """What a watch measures."""

    LOW_BALANCE = "LOW_BALANCE"
    SPEND = "SPEND"
    TOP_UP_LEVEL = "TOP_UP_LEVEL"
    LOW_PERCENTAGE = "LOW_PERCENTAGE"
    SHORTFALL = "SHORTFALL"
    OVERAGE = "OVERAGE"
    GRANT_EXPIRING = "GRANT_EXPIRING"
    LOW_SEAT_BALANCE = "LOW_SEAT_BALANCE"
    SPEND_IN_DAY = "SPEND_IN_DAY"
    SPEND_IN_WEEK = "SPEND_IN_WEEK"
    SPEND_IN_MONTH = "SPEND_IN_MONTH"


# What remains in the pool, in credits. Crossings of a LOW_BALANCE go to Alert, those of a TOP_UP_LEVEL to Contract.
OF_REMAINING: Final = frozenset({WatchKind.LOW_BALANCE, WatchKind.TOP_UP_LEVEL})
OF_BALANCE: Final = OF_REMAINING | {WatchKind.LOW_PERCENTAGE}
# What issuing, voiding and expiring of grants changes.
OF_GRANTS: Final = OF_BALANCE | {WatchKind.GRANT_EXPIRING}
_SPEND_WINDOWS: Final = {
    WatchKind.SPEND: CapWindow.BILLING_PERIOD,
    WatchKind.SPEND_IN_DAY: CapWindow.DAY,
    WatchKind.SPEND_IN_WEEK: CapWindow.WEEK,
    WatchKind.SPEND_IN_MONTH: CapWindow.MONTH,
}
# What a subject has spent, in a window.
OF_SPEND: Final = frozenset(_SPEND_WINDOWS)
# What begins again at 0 with the usage period or the day.
OF_WINDOW: Final = OF_SPEND | {WatchKind.SHORTFALL, WatchKind.OVERAGE}
# In alarm at or below the threshold; the others at or above it.
LOW: Final = OF_BALANCE | {WatchKind.LOW_SEAT_BALANCE}
# With an empty group_value, they observe each value, grant or seat. On one customer, that is confirmed to Alert once.
OF_MANY: Final = OF_SPEND | {WatchKind.GRANT_EXPIRING, WatchKind.LOW_SEAT_BALANCE}
PERCENT: Final = 1_000_000  # one percent, as threshold and value of a LOW_PERCENTAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A threshold of one alert, for one customer, or for every customer if customer_id is None.

    alert_id: of a TOP_UP_LEVEL, which is always for one customer, the automatic top-up. threshold, rearm: of a
    LOW_PERCENTAGE, millionths of a percent. rearm: the level on the side of OK beyond which an alarm ends; equal to the
    threshold: it ends as it began. group_key and group_value: of LOW_SEAT_BALANCE, and the subject of spends, which may
    be one of the Ledger's own (gate/subjects.py); an empty group_value watches each value separately. within: of a
    GRANT_EXPIRING, how long before its expiry a grant is watched.
    """

    alert_id: str
    version: int
    kind: WatchKind
    customer_id: CustomerId | None
    credit_type_id: CreditTypeId
    threshold: Credits
    rearm: Credits
    group_key: str
    group_value: str
    within: timedelta = timedelta(0)

    @property
    def window(self) -> CapWindow:
        """The window of what begins again at 0."""
        return _SPEND_WINDOWS.get(self.kind, CapWindow.BILLING_PERIOD)

    @property
    def is_of_own_subject(self) -> bool:
        """Whether it observes what a subject of the Ledger's own spends. Its crossings name no group value."""
        return self.kind in OF_SPEND and not self.group_key

    @property
    def is_counted_for_it(self) -> bool:
        """Whether what it observes may be counted only because of it: not every subject, window and time zone is."""
        return self.kind in OF_SPEND and (not self.group_key or self.window is not CapWindow.BILLING_PERIOD)

    @property
    def hours(self) -> int:
        """Of a rolling window, which no watch has."""
        return 0

    def confirms_with(self, group_value: str) -> bool:
        """Whether an observation of this group value only says that the watch is in place."""
        return self.customer_id is not None and self.kind in OF_MANY and not (self.group_value or group_value)

    def is_crossed(self, value: Credits) -> bool:
        """A low value: at or below the threshold. A high one: at or above it.

        Source: services/ledger/README.md, "Watches and crossings".
        """
        return value <= self.threshold if self.kind in LOW else value >= self.threshold

    def is_in_alarm(self, value: Credits, *, before: bool) -> bool:
        """Whether the watch is in alarm at a value. before: whether it was in alarm at the last one.

        An alarm begins at the threshold and ends beyond the rearm level: what moves between the two changes nothing.
        """
        return not self._is_rearmed(value) if before else self.is_crossed(value)

    def _is_rearmed(self, value: Credits) -> bool:
        return value > self.rearm if self.kind in LOW else value < self.rearm

    def watches_value(self, group_key: str, group_value: str) -> bool:
        return self.group_key == group_key and self.group_value in ("", group_value)


def needed(caps: Iterable[Need], watches: Iterable[Watch]) -> tuple[Need, ...]:
    """Return all for which spends must be counted: caps, and watches of spends."""
    return (*caps, *(watch for watch in watches if watch.kind in OF_SPEND))


@dataclass(frozen=True, slots=True)
class WatchState:
    """The last observation of a watch for one group value. sequence: increases with every crossing sent."""

    in_alarm: bool
    sequence: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """An observation for the Alert service: the first one, or a value that moved across its threshold."""

    alert_id: str
    customer_id: CustomerId
    group_value: str
    in_alarm: bool
    value_micros: int
    sequence: int
    observe_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCrossing:
    """An observation of a TOP_UP_LEVEL for Contract. version: of the watch; Contract ignores those of earlier ones."""

    auto_top_up_id: str
    customer_id: CustomerId
    credit_type_id: CreditTypeId
    version: int
    in_alarm: bool
    remaining: Credits
    sequence: int
    observe_time: datetime
