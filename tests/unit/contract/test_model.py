# SPDX-License-Identifier: Apache-2.0
"""What is charged equals an independent model: days instead of spans, a table of paid days instead of charges."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.contract.domain.billing import charges
from services.contract.domain.billing.state import BillingState
from services.contract.domain.contract import BillingFrequency, SeatInvoicing
from services.contract.domain.errors.seats import SeatsBelowZero
from services.contract.domain.invoice import InvoiceLine
from tests.unit.contract.builders import JUNE, a_billing_state, a_rate, billed_through, changed, counted

DAYS = 92  # June, July and August
PRICE = 10_000_000


@dataclass
class Model:
    """Monthly seats at $10, charged immediately. Day 0 is 1 June. paid: the seats charged for each day."""

    opening: int
    is_prorated: bool
    moves: list[tuple[int, int, str, int]] = field(default_factory=list)
    end: int | None = None
    paid: list[int] = field(default_factory=lambda: [0] * DAYS)

    def seats(self) -> list[int] | None:
        """The seats of each day; None if they were negative at any point."""
        seats, quantity = [], self.opening
        for day in range(DAYS):
            for _, _, kind, number in sorted(move for move in self.moves if move[0] == day):
                quantity = number if kind == "count" else quantity + number
                if quantity < 0:
                    return None
            seats.append(quantity)
        return seats

    def pay(self, now: int) -> None:
        """Charge what the days of each month that has begun need, by what is known and in effect on day `now`."""
        seats = self.seats()
        assert seats is not None
        for first, last in ((0, 30), (30, 61), (61, 92)):
            until = last if self.end is None else min(last, self.end)
            for day in range(first, until):
                effective = min(day, now) + 1 if self.is_prorated else min(now + 1, until)
                seen = seats[first:effective]
                if first <= now:
                    self.paid[day] = max(self.paid[day], *seen)

    def totals(self) -> list[int]:
        """What each month costs, in cents."""
        months = ((0, 30), (30, 61), (61, 92))
        exact = [Fraction(sum(self.paid[a:b]) * PRICE, (b - a) * 10_000) for a, b in months]
        return [int(amount + Fraction(1, 2)) for amount in exact]


def _day(number: int) -> datetime:
    return JUNE + timedelta(days=number)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 6),  # days that pass before it
        st.sampled_from(["delta", "count", "end"]),
        st.integers(-8, 30),  # how much later than now it is dated
        st.integers(-3, 5),
    ),
    max_size=14,
)


@given(st.integers(0, 4), st.booleans(), STEPS)
def test_every_month_costs_what_the_model_says(
    opening: int, is_prorated: bool, steps: list[tuple[int, str, int, int]]
) -> None:
    model = Model(opening, is_prorated)
    state = a_billing_state(
        opening,
        frequency=BillingFrequency.MONTHLY,
        is_prorated=is_prorated,
        invoicing=SeatInvoicing.BILL_IMMEDIATELY,
        rates=[a_rate(10)],
    )
    billed: dict[datetime, int] = {}
    now = 0
    for sequence, (pause, kind, later, number) in enumerate(steps):
        for today in range(now, min(now + pause, DAYS - 1) + 1):
            state = _advance(state, today, billed)
            model.pay(today)
        now = min(now + pause, DAYS - 1)
        month = max(first for first in (0, 30, 61) if first <= now)
        at = min(max(now + later, month), DAYS - 1)
        if model.end is not None and model.end <= now:
            break
        if kind == "end":
            model.end = None if number < 0 else max(at, now)
            contract = replace(state.contract, end_time=None if model.end is None else _day(model.end))
            state = replace(state, contract=contract)
        elif model.end is None or at < model.end:
            model.moves.append((at, sequence, kind, abs(number) if kind == "count" else number))
            try:
                change = counted if kind == "count" else changed
                state = change(state, _day(at), abs(number) if kind == "count" else number)
            except SeatsBelowZero:
                assert model.seats() is None
                model.moves.pop()
            assert model.seats() is not None
        result = charges.charge_increases(state, through=_day(now), due=_day(now))
        state = _add(result.state, result.lines, billed)
        model.pay(now)
    for today in range(now, DAYS):
        state = _advance(state, today, billed)
        model.pay(today)

    starts = [_day(first) for first in (0, 30, 61)]
    assert [billed.get(start, 0) // 10_000 for start in starts] == model.totals()


def _advance(state: BillingState, now: int, billed: dict[datetime, int]) -> BillingState:
    state, charged = billed_through(state, _day(now))
    return _add(state, [line for _, line in charged], billed)


def _add(state: BillingState, lines: Iterable[InvoiceLine], billed: dict[datetime, int]) -> BillingState:
    for line in lines:
        assert line.billing_period_start is not None
        assert line.total.micros >= 0
        billed[line.billing_period_start] = billed.get(line.billing_period_start, 0) + line.total.micros
    return state
