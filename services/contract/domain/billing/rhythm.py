# SPDX-License-Identifier: Apache-2.0
"""When billing periods begin and end. Source: services/contract/README.md, "Billing rhythms"."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from meshkit.period import Period, add_months, nth_period, period_index
from services.contract.domain.contract import BillingFrequency, Contract, Subscription
from services.contract.domain.errors import AnchorAfterStart

# A billing period is at most ten years long.
INTERVAL_COUNT_MAX: Final = {
    BillingFrequency.WEEKLY: 100,
    BillingFrequency.MONTHLY: 100,
    BillingFrequency.QUARTERLY: 40,
    BillingFrequency.ANNUAL: 10,
}
_WEEK: Final = timedelta(weeks=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Periods of `interval_count` weeks, months, quarters or years, counted from `anchor_time`."""

    frequency: BillingFrequency
    interval_count: int
    anchor_time: datetime

    def nth(self, index: int) -> Period:
        """Return a period by its number; 0 begins at the anchor."""
        if (months := self._months) is not None:
            return nth_period(self.anchor_time, months, index)
        length = self.interval_count * _WEEK
        start = self.anchor_time + index * length
        return Period(start, start + length)

    def index_at(self, at: datetime) -> int:
        """Return the number of the period that contains `at`; negative before the anchor."""
        if (months := self._months) is not None:
            return period_index(self.anchor_time, months, at)
        return (at - self.anchor_time) // (self.interval_count * _WEEK)

    def period_at(self, at: datetime) -> Period:
        """Return the period that contains `at`."""
        return self.nth(self.index_at(at))

    @property
    def _months(self) -> int | None:
        match self.frequency:
            case BillingFrequency.WEEKLY:
                return None
            case BillingFrequency.MONTHLY:
                return self.interval_count
            case BillingFrequency.QUARTERLY:
                return 3 * self.interval_count
            case BillingFrequency.ANNUAL:
                return 12 * self.interval_count
            case _:
                assert_never(self.frequency)


def rhythm_of(contract: Contract, subscription: Subscription) -> Rhythm:
    """Return the rhythm of a subscription. Without an anchor, periods are counted from the contract's start."""
    return Rhythm(
        frequency=subscription.billing_frequency,
        interval_count=subscription.interval_count,
        anchor_time=subscription.anchor_time or contract.start_time,
    )


def anchor_from(
    anchor_time: datetime | None, anchor_day: int | None, *, start_time: datetime, field: str
) -> datetime | None:
    """Return the instant from which a contract's periods are counted; None: its start.

    anchor_day: only fixes the day (1 to 31): the anchor is 00:00 of the last such day at or before `start_time`, in a
    month that has it. field: of the request, for the fault. Raises AnchorAfterStart.
    """
    if anchor_time is not None and anchor_time > start_time:
        raise AnchorAfterStart(
            field=field, anchor_time=anchor_time.isoformat(), start_time=start_time.isoformat()
        )
    if anchor_day is None:
        return anchor_time
    first = start_time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = (add_months(first, -months) for months in range(3))
    days = (
        month.replace(day=anchor_day)
        for month in months
        if anchor_day <= monthrange(month.year, month.month)[1]
    )
    return next(day for day in days if day <= start_time)
