# SPDX-License-Identifier: Apache-2.0
"""Terms: for how long a contract is signed, whether it renews itself, and until when it can be ended.

Source: services/contract/README.md, "Terms and renewal".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meshkit.period import Period, add_months, nth_period, period_at, period_index
from services.contract.domain.errors.contracts import TermNotOver

TERM_MONTHS_MAX = 120
NOTICE_DAYS_MAX = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """months: of one term, counted from the contract's start. notice_days: before a term's end, to end with it."""

    months: int
    renews: bool
    notice_days: int


def end_of_only_term(term: Term, start_time: datetime) -> datetime | None:
    """Return when a contract of this term ends by itself; None: it renews."""
    return None if term.renews else add_months(start_time, term.months)


def current_term(term: Term, start_time: datetime, *, at: datetime) -> Period:
    """Return the term in force at `at`; before the contract's start the first."""
    return period_at(start_time, term.months, max(at, start_time))


def earliest_end(term: Term, start_time: datetime, *, at: datetime) -> datetime:
    """Return the first end of a term for which notice given at `at` is in time."""
    index = period_index(start_time, term.months, max(at, start_time))
    end = nth_period(start_time, term.months, index).end
    if at <= end - timedelta(days=term.notice_days):
        return end
    return nth_period(start_time, term.months, index + 1).end


def refuse_before_term_end(
    term: Term | None, start_time: datetime, end_time: datetime | None, *, at: datetime
) -> None:
    """Raise TermNotOver if a contract that renews would end before its term, or without notice. None: it never ends."""
    if term is None or not term.renews or end_time is None:
        return
    earliest = earliest_end(term, start_time, at=at)
    if end_time < earliest:
        raise TermNotOver(end_time=end_time.isoformat(), earliest_end_time=earliest.isoformat())
