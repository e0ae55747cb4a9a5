# SPDX-License-Identifier: Apache-2.0
"""Prices of seats by tiers. Source: services/contract/README.md, "Tiers"."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from fractions import Fraction
from typing import TypeAlias, assert_never

from meshkit.quantity import MICROS, Money, Ratio, floor_div
from services.contract.domain.billing.price import SeatRate, plain_digits, price_times


class TierPricing(Enum):
    """GRADUATED: the seats in each tier cost its price. VOLUME: all seats cost the price of their number's tier."""

    GRADUATED = "GRADUATED"
    VOLUME = "VOLUME"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatTier:
    """The price of a seat up to number `up_to`, inclusive; None: without end. price: as in SeatRate."""

    up_to: int | None
    price: Ratio

    @property
    def unit_micros(self) -> Fraction:
        return Fraction(MICROS * self.price.numerator_micros, self.price.denominator_micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class TieredSeatRate:
    """The price of seats per billing period by tiers, a copy of the Catalog's rate.

    tiers: ascending; only the last one has no end.
    """

    rate_id: str
    currency_code: str
    pricing: TierPricing
    tiers: tuple[SeatTier, ...]
    effective_time: datetime
    end_time: datetime | None

    def cost_micros(self, seats: int) -> Fraction:
        """Return what so many seats cost for a whole period, in micros of the currency, exactly."""
        match self.pricing:
            case TierPricing.GRADUATED:
                parts = self.parts(0, seats)
                return sum((count * tier.unit_micros for count, tier in parts), Fraction(0))
            case TierPricing.VOLUME:
                return seats * self.tier_of(seats).unit_micros
            case _:
                assert_never(self.pricing)

    def unit_price_at(self, seats: int) -> Money:
        """The price of one seat in the tier of so many, rounded down to the micro."""
        price = self.tier_of(seats).unit_micros
        return Money(self.currency_code, floor_div(price.numerator, price.denominator))

    def times(self, interval_count: int) -> "TieredSeatRate":
        """Return the price of a billing period that has so many of the rate's periods. Raises AmountTooLarge."""
        tiers = tuple(replace(tier, price=price_times(tier.price, interval_count)) for tier in self.tiers)
        return replace(self, tiers=tiers)

    def tier_of(self, seats: int) -> SeatTier:
        """Return the tier in which a number of seats lies; of none, the first."""
        return next(tier for tier in self.tiers if tier.up_to is None or seats <= tier.up_to)

    def parts(self, before: int, seats: int) -> list[tuple[int, SeatTier]]:
        """Return how many of `seats` more seats than `before` lie in each tier."""
        found, start, end = [], before, before + seats
        for tier in self.tiers:
            until = end if tier.up_to is None else min(end, tier.up_to)
            if until > start:
                found.append((until - start, tier))
                start = until
        return found

    def described(self, before: int, seats: int) -> str:
        """Return how `seats` more seats than `before` are priced: "10 at 10, 2 at 8 USD", or "all 12 at 8 USD"."""
        match self.pricing:
            case TierPricing.GRADUATED:
                parts = (f"{count} at {_digits(tier)}" for count, tier in self.parts(before, seats))
                return f"{', '.join(parts)} {self.currency_code}"
            case TierPricing.VOLUME:
                total = before + seats
                return f"all {total} at {_digits(self.tier_of(total))} {self.currency_code}"
            case _:
                assert_never(self.pricing)


SeatPrice: TypeAlias = SeatRate | TieredSeatRate


def _digits(tier: SeatTier) -> str:
    """Return a price in whole units of its currency, with at most six decimals, rounded down."""
    micros = floor_div(tier.unit_micros.numerator, tier.unit_micros.denominator)
    return plain_digits(micros)
