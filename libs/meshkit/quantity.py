# SPDX-License-Identifier: Apache-2.0
"""Amounts are integer micros (10⁻⁶) everywhere. No float, no Decimal; every division names its rounding direction."""

from typing import Self

from meshkit.values import value

MICROS = 1_000_000
INT64_MAX = 2**63 - 1

_FRACTION_DIGITS = 6


@value(frozen=True, slots=True)
class Credits:
    """An amount of one credit type, in micro-credits. May be negative (a signed entry)."""

    micros: int

    @classmethod
    def of(cls, whole: int | str) -> Self:
        """Return credits from a whole number or a decimal text: of(2), of("93.548387"). Raises ValueError."""
        return cls(_micros_of(whole))

    @classmethod
    def zero(cls) -> Self:
        return cls(0)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.micros + other.micros)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.micros - other.micros)

    def __neg__(self) -> Self:
        return type(self)(-self.micros)

    def __lt__(self, other: Self) -> bool:
        return self.micros < other.micros if type(other) is type(self) else NotImplemented

    def __le__(self, other: Self) -> bool:
        return self.micros <= other.micros if type(other) is type(self) else NotImplemented

    def __gt__(self, other: Self) -> bool:
        return self.micros > other.micros if type(other) is type(self) else NotImplemented

    def __ge__(self, other: Self) -> bool:
        return self.micros >= other.micros if type(other) is type(self) else NotImplemented

    def __bool__(self) -> bool:
        return self.micros != 0


@value(frozen=True, slots=True)
class Quantity:
    """Units of usage, in micro-units: 1.5 units are 1_500_000."""

    micros: int

    @classmethod
    def of(cls, whole: int | str) -> Self:
        """Return units from a whole number or a decimal text. Raises ValueError."""
        return cls(_micros_of(whole))

    @classmethod
    def zero(cls) -> Self:
        return cls(0)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.micros + other.micros)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.micros - other.micros)

    def __neg__(self) -> Self:
        return type(self)(-self.micros)

    def __lt__(self, other: Self) -> bool:
        return self.micros < other.micros if type(other) is type(self) else NotImplemented

    def __le__(self, other: Self) -> bool:
        return self.micros <= other.micros if type(other) is type(self) else NotImplemented

    def __gt__(self, other: Self) -> bool:
        return self.micros > other.micros if type(other) is type(self) else NotImplemented

    def __ge__(self, other: Self) -> bool:
        return self.micros >= other.micros if type(other) is type(self) else NotImplemented

    def __bool__(self) -> bool:
        return self.micros != 0


@value(frozen=True, slots=True)
class Money:
    """An amount of one currency (ISO 4217 code), in millionths of its unit. Different currencies cannot be combined."""

    currency_code: str
    micros: int

    @classmethod
    def of(cls, currency_code: str, whole: int | str) -> Self:
        """Return money from a whole number of currency units or a decimal text. Raises ValueError."""
        return cls(currency_code, _micros_of(whole))

    @classmethod
    def zero(cls, currency_code: str) -> Self:
        return cls(currency_code, 0)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.currency_code, self.micros + self._same_currency(other))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.currency_code, self.micros - self._same_currency(other))

    def __neg__(self) -> Self:
        return type(self)(self.currency_code, -self.micros)

    def __lt__(self, other: Self) -> bool:
        return self.micros < self._same_currency(other)

    def __le__(self, other: Self) -> bool:
        return self.micros <= self._same_currency(other)

    def __gt__(self, other: Self) -> bool:
        return self.micros > self._same_currency(other)

    def __ge__(self, other: Self) -> bool:
        return self.micros >= self._same_currency(other)

    def __bool__(self) -> bool:
        return self.micros != 0

    def _same_currency(self, other: Self) -> int:
        if self.currency_code == other.currency_code:
            return other.micros
        raise ValueError(f"{self.currency_code} and {other.currency_code} do not mix")


@value(frozen=True, slots=True)
class Ratio:
    """An exact price: a number of micros per a number of micros. Multiply first, divide last.

    USD 80 per 1,000 credits is Ratio(80_000_000, 1_000_000_000). Raises ValueError unless denominator > 0.
    """

    numerator_micros: int
    denominator_micros: int

    def __post_init__(self) -> None:
        if self.denominator_micros <= 0:
            raise ValueError(f"the denominator {self.denominator_micros} must be > 0")


def floor_div(a: int, b: int) -> int:
    """Return a / b rounded down (towards −∞). b: > 0."""
    assert b > 0
    return a // b


def ceil_div(a: int, b: int) -> int:
    """Return a / b rounded up (towards +∞). b: > 0."""
    assert b > 0
    return -(-a // b)


def half_up_div(a: int, b: int) -> int:
    """Return a / b rounded to the nearest, halves away from zero: a refund equals its charge. b: > 0."""
    assert b > 0
    half_up = (2 * abs(a) + b) // (2 * b)
    return half_up if a >= 0 else -half_up


def _micros_of(whole: int | str) -> int:
    if isinstance(whole, int):
        return whole * MICROS
    digits = whole.removeprefix("-")
    units, _, fraction = digits.partition(".")
    numeral = units.isascii() and units.isdigit()
    decimals = digits == units or (fraction.isascii() and fraction.isdigit())
    if numeral and decimals and len(fraction) <= _FRACTION_DIGITS:
        micros = int(units) * MICROS + int(fraction.ljust(_FRACTION_DIGITS, "0"))
        return -micros if digits != whole else micros
    raise ValueError(f"{whole!r} is not a number with at most {_FRACTION_DIGITS} decimals")
