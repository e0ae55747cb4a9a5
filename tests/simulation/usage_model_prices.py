# SPDX-License-Identifier: Apache-2.0
"""Metering and rating in the model of usage: what an event reports, which rate applies, what a meter costs.

Quantities are in micros, prices in credits per unit, and costs are exact fractions until a meter's is rounded up.
"""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from types import SimpleNamespace as Thing
from typing import Any

NEVER, DAY, UNIT = datetime.max.replace(tzinfo=UTC), timedelta(days=1), 1_000_000


class Refused(Exception):
    """Reason, and the field that is wrong."""


def add_months(start: datetime, count: int) -> datetime:
    year, month = divmod(start.year * 12 + start.month - 1 + count, 12)
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))


def number(properties: dict[str, str], name: str) -> int:
    if name not in properties:
        raise Refused("PROPERTY_MISSING", f"properties[{name}]")
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", properties[name]):
        raise Refused("PROPERTY_NOT_A_NUMBER", f"properties[{name}]")
    return ceil(Fraction(properties[name]) * UNIT)


def matches(product: Thing, event: Thing) -> bool:
    accepted = all(event.properties.get(name) in values for name, values in product.filters.items())
    return product.event == event.type and accepted


def measured(product: Thing, properties: dict[str, str]) -> Any:
    if product.aggregation == "COUNT":
        return UNIT
    if product.aggregation == "UNIQUE" and product.property in properties:
        return properties[product.property]
    if (quantity := number(properties, product.property)) < 0:
        raise Refused("QUANTITY_NEGATIVE", f"properties[{product.property}]")
    return quantity


def priced(product: Thing, quantity: int) -> Fraction:
    """Convert a meter's quantity, and round it to whole units."""
    factor, rounding = product.conversion
    units = Fraction(quantity, UNIT) * factor
    return {"": units, "UP": ceil(units), "DOWN": floor(units), "HALF_UP": floor(units + Fraction(1, 2))}[
        rounding
    ] * Fraction(1)


def exact(rate: Thing, units: Fraction) -> Fraction:
    if rate.kind == "PACKAGE":
        return rate.price * ceil(units / rate.block)
    cost, start = Fraction(0), Fraction(0)
    for end, price in rate.tiers:  # FLAT has one
        top = units if end is None else min(units, end)
        cost, start = cost + max(0, top - start) * price, Fraction(end or 0)
    return cost


class Prices:
    """What one customer's usage costs. start: of its contract and of its usage periods."""

    def __init__(self, start: datetime, products: dict[str, Thing], rates: list[Thing]) -> None:
        self.start, self.products, self.rates = start, products, rates

    def period(self, at: datetime) -> datetime:
        return max(begin for n in range(-3, 30) if (begin := add_months(self.start, n)) <= at)

    def rate(self, product: Thing, at: datetime, values: dict[str, str]) -> Thing | None:
        """values: of the pricing dimensions."""
        keys, period, found, any_priced = list(product.dimensions), self.period(at), [], False
        for rate in self.rates:
            is_kept = rate.kind != "FLAT" or product.aggregation in ("MAX", "UNIQUE")
            end = max(rate.end, add_months(period, 1)) if is_kept and rate.end > period else rate.end
            if rate.product == product.name and rate.start <= at < end and at >= self.start:
                any_priced = True
                if rate.dimensions.items() <= values.items():
                    places = sorted(keys.index(key) for key in rate.dimensions)
                    found.append((-len(places), places, rate.start, rate))
        if any_priced and not found:
            raise Refused("RATE_NOT_FOUND", "")
        return min(found, key=lambda one: one[:3])[3] if found else None

    def use(self, name: str, product: Thing, at: datetime, properties: dict[str, str]) -> Thing:
        """Return a use that costs nothing yet, on its meter: product, rate and usage period; None without a rate."""
        values = {}
        for key, bands in product.dimensions.items():
            if bands:
                size = number(properties, key)
                values[key] = next(name for name, top in bands if top is None or size <= top * UNIT)
            elif key in properties:
                values[key] = properties[key]
        rate = self.rate(product, at, values)
        meter = rate and (product.name, rate.name, self.period(at))
        told = {"values": values, "pool": rate and rate.pool, "meter": meter, "amount": 0, "is_event": False}
        return Thing(name=name, event="", product=product.name, time=at, **told)

    def cost(self, meter: Any, quantity: int) -> int:
        rate = next(rate for rate in self.rates if rate.name == meter[1])
        return ceil(exact(rate, priced(self.products[meter[0]], quantity)) * UNIT)

    def quote(self, meter: Any, position: int, quantity: int) -> int:
        """Return the dearest cost from any position at or above the meter's: one end of it is at a tier's edge."""
        rate, product = next(rate for rate in self.rates if rate.name == meter[1]), self.products[meter[0]]
        factor, rounding = product.conversion
        added = priced(Thing(conversion=(factor, rounding and "UP")), quantity)
        if rate.kind == "PACKAGE":
            return ceil(exact(rate, added) * UNIT)
        at = priced(product, position)
        turns = [spot for end, _ in rate.tiers if end for spot in (end, end - added) if spot > at]
        return max(ceil((exact(rate, spot + added) - exact(rate, spot)) * UNIT) for spot in [at, *turns])
