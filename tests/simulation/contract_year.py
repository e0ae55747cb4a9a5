# SPDX-License-Identifier: Apache-2.0
"""An independent model of one customer's contracts: what each instant bills, and what is left to spend.

Plain exact fractions, written from services/contract/README.md and services/ledger/README.md; it shares no code with
the services. Seats are billed monthly, in advance and prorated, and bring credits that expire with their month. Usage
is shown by plan and usage period, which is a month from the start of the first plan. What no credits cover is overage:
a credit costs a dollar, and a plan's overage is rounded as a whole.
"""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

CREDIT = 1_000_000
CENT = 10_000


def month(anchor: datetime, index: int) -> datetime:
    """Return the start of a month, counted from the anchor; a day that the month lacks becomes its last day."""
    years, zero_based = divmod(anchor.month - 1 + index, 12)
    year, number = anchor.year + years, zero_based + 1
    return anchor.replace(year=year, month=number, day=min(anchor.day, monthrange(year, number)[1]))


def share(end: datetime, at: datetime, start: datetime) -> Fraction:
    tick = timedelta(microseconds=1)
    return Fraction((end - at) // tick, (end - start) // tick)


def half_up(micros: Fraction) -> int:
    return floor(micros / CENT + Fraction(1, 2)) * CENT


@dataclass
class Bought:
    """Credits of one top-up."""

    expires: datetime
    left: int


@dataclass
class Month:
    """One month of the seats: what it cost so far, and what is left of its credits."""

    start: datetime
    end: datetime
    price: int
    mark: int = 0
    exact: Fraction = Fraction(0)
    charged: int = 0
    granted: int = 0
    spent: int = 0


@dataclass
class Plan:
    """prices: micro-dollars by the instant from which they are in force. credits: whole ones per seat and month."""

    start: datetime
    seats: int
    prices: dict[datetime, int]
    credits: int
    end: datetime | None = None
    index: int = 0
    now: Month | None = None


@dataclass
class Used:
    """Credits that one user used under a plan, and where they came from."""

    plan: Plan
    at: datetime
    user: str
    source: str
    micros: int


Shown = dict[tuple[str, str], int]


@dataclass
class Customer:
    """invoices: (date, line totals in micro-dollars), by date; the last plan is in force."""

    plans: list[Plan] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)
    invoices: list[tuple[datetime, list[int]]] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)

    def begin(self, plan: Plan) -> None:
        self.plans.append(plan)

    def advance(self, at: datetime) -> None:
        """Bill every month that begins up to `at`."""
        plan = self.plans[-1]
        while (start := month(plan.start, plan.index)) <= at:
            price = plan.prices[max(since for since in plan.prices if since <= start)]
            plan.now = Month(start, month(plan.start, plan.index + 1), price)
            plan.index += 1
            self._invoice(start, [self._add_seats(plan, plan.seats, start)])

    def change_seats(self, delta: int, at: datetime) -> None:
        plan = self.plans[-1]
        assert plan.now is not None
        plan.seats += delta
        if plan.seats > plan.now.mark:
            self._invoice(at, [self._add_seats(plan, plan.seats - plan.now.mark, at)])

    def _add_seats(self, plan: Plan, seats: int, at: datetime) -> int:
        now = plan.now
        assert now is not None
        left = share(now.end, at, now.start)
        now.mark += seats
        now.exact += seats * now.price * left
        total = half_up(now.exact) - now.charged
        now.charged += total
        now.granted += floor(seats * plan.credits * CREDIT * left)
        return total

    def change_plan(self, plan: Plan, at: datetime) -> None:
        """End the plan in force; what was paid and not used comes back on the first invoice of the next."""
        now = self.plans[-1].now
        assert now is not None
        unused = Fraction(now.granted - now.spent, now.granted)
        back = floor(now.charged * min(share(now.end, at, now.start), unused) / CENT) * CENT
        self.plans[-1].end = at
        self.begin(plan)
        self.advance(at)
        if back:
            self.invoices[-1][1].append(-back)

    def top_up(self, credits: int, price: int, lifetime: timedelta, at: datetime) -> None:
        self.bought.append(Bought(at + lifetime, credits * CREDIT))
        self._invoice(at, [price])

    def spend(self, micros: int, at: datetime, user: str) -> None:
        """Draw included credits first, then bought ones, those that expire earliest first; the rest is overage."""
        now = self.plans[-1].now
        assert now is not None
        taken = min(micros, now.granted - now.spent)
        now.spent += taken
        self._use(at, user, "INCLUDED", taken)
        for one in sorted(self.bought, key=lambda one: one.expires):
            if one.expires > at:
                part = min(micros - taken, one.left)
                one.left -= part
                taken += part
                self._use(at, user, "TOP_UP", part)
        self._use(at, user, "OVERAGE", micros - taken)

    def close_usage(self, at: datetime) -> None:
        """Bill the overage of every usage period that was over a day before `at`."""
        totals = [0] * len(self.plans)
        for (service, plan), shown in sorted(self.usage().items()):
            overage = sum(micros for (_, source), micros in shown.items() if source == "OVERAGE")
            before = half_up(Fraction(totals[plan]))
            totals[plan] += overage
            if overage and service + timedelta(days=1) <= at:
                self._invoice(service, [half_up(Fraction(totals[plan])) - before])

    def usage(self) -> dict[tuple[datetime, int], Shown]:
        """Return credits by user and source, by the service date and the plan of the invoice that shows them."""
        found: dict[tuple[datetime, int], Shown] = {}
        for one in self.used:
            index = 1
            while (end := month(self.plans[0].start, index)) <= one.at:
                index += 1
            service = end if one.plan.end is None else min(end, one.plan.end)
            shown = found.setdefault((service, self.plans.index(one.plan)), {})
            shown[one.user, one.source] = shown.get((one.user, one.source), 0) + one.micros
        return found

    def _use(self, at: datetime, user: str, source: str, micros: int) -> None:
        if micros:
            self.used.append(Used(self.plans[-1], at, user, source, micros))

    def available(self, at: datetime) -> int:
        now = self.plans[-1].now
        assert now is not None
        return now.granted - now.spent + sum(one.left for one in self.bought if one.expires > at)

    def _invoice(self, at: datetime, totals: list[int]) -> None:
        if any(totals):
            self.invoices.append((at, totals))
