# SPDX-License-Identifier: Apache-2.0
"""Prices of seats, and how an exact amount is rounded to money.

Source: services/README.md, "Amounts and rounding".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from fractions import Fraction
from math import floor
from typing import Protocol, TypeVar, assert_never

from meshkit.currency import minor_unit_micros
from meshkit.errors import FieldViolation, InvalidFields
from meshkit.quantity import INT64_MAX, MICROS, Money, Ratio, ceil_div, floor_div, half_up_div
from services.contract.domain.errors.invoices import AmountTooLarge

USD = "USD"
MONEY_MICROS_MAX = (
    INT64_MAX // MICROS * MICROS
)  # the maximum of an invoice: about nine trillion, whole in any currency


class Rounding(Enum):
    """How a prorated amount becomes whole minor units of its currency."""

    HALF_UP = "HALF_UP"
    FLOOR = "FLOOR"
    CEILING = "CEILING"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatRate:
    """The price of a seat per billing period, a copy of the Catalog's rate. In force in [effective_time, end_time).

    price: micros of the currency per micro-seats; one seat is 1_000_000.
    """

    rate_id: str
    currency_code: str
    price: Ratio
    effective_time: datetime
    end_time: datetime | None

    @property
    def unit_price(self) -> Money:
        """The price of one seat, rounded down to the micro. Sums use the exact price."""
        return Money(
            self.currency_code, floor_div(MICROS * self.price.numerator_micros, self.price.denominator_micros)
        )

    def times(self, interval_count: int) -> "SeatRate":
        """Return the price of a billing period that has so many of the rate's periods. Raises AmountTooLarge."""
        return replace(self, price=price_times(self.price, interval_count))

    def cost_micros(self, seats: int) -> Fraction:
        """Return what so many seats cost for a whole period, in micros of the currency, exactly."""
        return self.exact_micros(seats, Fraction(1))

    def unit_price_at(self, seats: int) -> Money:
        """The price of one seat, of however many, rounded down to the micro."""
        return self.unit_price

    def described(self) -> str:
        """Return the price of one seat for people, such as "10 USD"."""
        return f"{plain_digits(self.unit_price.micros)} {self.currency_code}"

    def exact_micros(self, seats: int, share: Fraction) -> Fraction:
        """Return seats × price × share of the period, in micros of the currency, exactly."""
        return Fraction(seats * MICROS * self.price.numerator_micros, self.price.denominator_micros) * share


class Dated(Protocol):
    """A price in force in [effective_time, end_time)."""

    @property
    def effective_time(self) -> datetime: ...
    @property
    def end_time(self) -> datetime | None: ...


R = TypeVar("R", bound=Dated)


class Costing(Protocol):
    """A price of seats."""

    def cost_micros(self, seats: int) -> Fraction: ...


def price_times(price: Ratio, interval_count: int) -> Ratio:
    """Return the price of so many periods as one. Raises AmountTooLarge."""
    price_micros = interval_count * price.numerator_micros
    if interval_count > 1 and price_micros > INT64_MAX:
        raise AmountTooLarge(micros=price_micros)
    return Ratio(price_micros, price.denominator_micros)


def plain_digits(micros: int) -> str:
    """Return an amount (≥ 0) in whole units, with at most six decimals: "10", "0.5"."""
    return f"{micros // MICROS}.{micros % MICROS:06d}".rstrip("0").rstrip(".")


def rate_at(rates: Iterable[R], at: datetime) -> R | None:
    """Return the rate in force at `at`. rates: of one product and frequency, so there is at most one."""
    in_force = (r for r in rates if r.effective_time <= at and (r.end_time is None or at < r.end_time))
    return next(in_force, None)


def rates_from(rates: Iterable[R], at: datetime) -> tuple[R, ...]:
    """Return the rates that are in force at `at` or later: the ones to store."""
    return tuple(rate for rate in rates if rate.end_time is None or rate.end_time > at)


def refuse_unpayable(rate: Costing, seats: int, *, field: str) -> None:
    """Raise InvalidFields for the request's `field` if the seats cost more than an invoice can hold."""
    if (cost := rate.cost_micros(seats)) > MONEY_MICROS_MAX:
        message = f"{seats} seats cost {floor(cost)} micros, more than an invoice can hold"
        raise InvalidFields([FieldViolation(field, message)])


def rounded(exact_micros: Fraction, rounding: Rounding, currency_code: str) -> Money:
    """Return an exact amount (≥ 0) in whole minor units of its currency."""
    minor = minor_unit_micros(currency_code)
    numerator, denominator = exact_micros.numerator, exact_micros.denominator * minor
    match rounding:
        case Rounding.HALF_UP:
            units = half_up_div(numerator, denominator)
        case Rounding.FLOOR:
            units = floor_div(numerator, denominator)
        case Rounding.CEILING:
            units = ceil_div(numerator, denominator)
        case _:
            assert_never(rounding)
    return Money(currency_code, units * minor)
