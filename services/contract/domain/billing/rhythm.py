# SPDX-License-Identifier: Apache-2.0
"""When billing periods begin and end. Source: services/contract/README.md, "Billing rhythms"."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meshkit.period import Cadence, Period, add_months
from services.contract.domain.contract import BillingFrequency, Contract, Subscription
from services.contract.domain.errors.contracts import AnchorAfterStart

# A billing period is at most ten years long.
INTERVAL_COUNT_MAX: Final = {
    BillingFrequency.WEEKLY: 100,
    BillingFrequency.MONTHLY: 100,
    BillingFrequency.QUARTERLY: 40,
    BillingFrequency.ANNUAL: 10,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Periods of one cadence, counted from `anchor_time`."""

    cadence: Cadence
    anchor_time: datetime

    def nth(self, index: int) -> Period:
        """Return a period by its number; 0 begins at the anchor."""
        return self.cadence.nth_period(self.anchor_time, index)

    def index_at(self, at: datetime) -> int:
        """Return the number of the period that contains `at`; negative before the anchor."""
        return self.cadence.index_at(self.anchor_time, at)

    def period_at(self, at: datetime) -> Period:
        """Return the period that contains `at`."""
        return self.nth(self.index_at(at))


def rhythm_of(contract: Contract, subscription: Subscription) -> Rhythm:
    """Return the rhythm of a subscription. Without an anchor, periods are counted from the contract's start."""
    return Rhythm(
        cadence=subscription.billing_frequency.cadence.times(subscription.interval_count),
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
