# SPDX-License-Identifier: Apache-2.0
"""A model of usage in one pool: metering, rating, late funding and corrections, to compare the Ledger with.

It keeps a list of uses, and computes each meter again from all of them, as an exact fraction. What is held or expired
it computes from the clock. Quantities and credits are in micros, prices in credits per unit.
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
    """Reason, and the property that is wrong."""


def add_months(start: datetime, count: int) -> datetime:
    year, month = divmod(start.year * 12 + start.month - 1 + count, 12)
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))


def number(properties: dict[str, str], name: str) -> int:
    if name not in properties:
        raise Refused("PROPERTY_MISSING", name)
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", properties[name]):
        raise Refused("PROPERTY_NOT_A_NUMBER", name)
    return ceil(Fraction(properties[name]) * UNIT)


def measured(product: Thing, properties: dict[str, str]) -> Any:
    if product.aggregation == "COUNT":
        return UNIT
    if product.aggregation == "UNIQUE" and product.property in properties:
        return properties[product.property]
    if (quantity := number(properties, product.property)) < 0:
        raise Refused("QUANTITY_NEGATIVE", product.property)
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


class Book:
    """One customer. monthly: the credits of its schedule, which live a month."""

    def __init__(self, now: datetime, start: datetime, monthly: int, products: Any, rates: Any) -> None:
        self.now, self.start, self.monthly, self.products, self.rates = now, start, monthly, products, rates
        self.events, self.holds, self.voided = dict[str, Any](), dict[str, Thing](), set[str]()
        # uses: name product meter user amount time is_event. lines, what was paid for them: use grant left.
        self.grants, self.uses, self.lines, self.months = list[Thing](), list[Thing](), list[Thing](), 0
        self.times = dict[str, datetime]()  # of events, as amended
        self.advance(now)

    def advance(self, to: datetime) -> None:
        self.now = to
        while (begin := add_months(self.start, self.months)) <= to:
            self.months += 1
            self.grant("", self.monthly, begin, add_months(self.start, self.months), priority=1)

    def grant(self, name: str, amount: int, start: datetime, end: datetime, **more: Any) -> None:
        one = Thing(name=name, granted=amount, captured=0, voided=0, start=start, end=end, made=self.now)
        more = {"scope": (), "is_paid": False, "is_void": False} | more
        self.grants.append(Thing(**vars(one) | more))

    def period(self, at: datetime) -> datetime:
        return max(begin for n in range(-3, 30) if (begin := add_months(self.start, n)) <= at)

    # Rating

    def rate(self, product: Thing, at: datetime, properties: dict[str, str]) -> Thing | None:
        values = {}
        for key, bands in product.dimensions.items():
            if bands:
                size = number(properties, key)
                values[key] = next(name for name, top in bands if top is None or size <= top * UNIT)
            elif key in properties:
                values[key] = properties[key]
        keys, period = list(product.dimensions), self.period(at)
        found, any_priced = [], False
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

    def quantity(self, meter: Any) -> int:
        """meter: product, rate and usage period."""
        product = self.products[meter[0]]
        told = [use.amount for use in self.uses if use.meter == meter and use.is_event]
        gated = sum(use.amount for use in self.uses if use.meter == meter and not use.is_event)
        if product.aggregation == "UNIQUE":
            return gated + UNIT * len(set(told))
        return gated + (max(told, default=0) if product.aggregation == "MAX" else sum(told))

    def cost(self, meter: Any) -> int:
        rate = next(rate for rate in self.rates if rate.name == meter[1])
        return ceil(exact(rate, priced(self.products[meter[0]], self.quantity(meter))) * UNIT)

    # Funding

    def rest(self, grant: Thing) -> int:
        """Return what is neither spent, held nor voided; what has expired too."""
        rest = grant.granted - grant.captured - grant.voided - self.held(grant)
        return 0 if grant.is_void else int(rest)

    def held(self, grant: Thing) -> int:
        alive = [hold for hold in self.holds.values() if hold.is_open and self.now < hold.end]
        return sum(amount for hold in alive for owner, amount in hold.draws if owner is grant)

    def active(self, at: datetime, product: str = "") -> list[Thing]:
        order = lambda g: (g.priority, len(g.scope) or 99, g.is_paid, g.end, g.start, g.made)  # noqa: E731
        active = [g for g in self.grants if g.start <= at < g.end]
        return sorted((g for g in active if not product or not g.scope or product in g.scope), key=order)

    def draws(self, product: str, amount: int, time: datetime) -> list[tuple[Thing | None, int]]:
        then = self.active(min(time, self.now), product)
        found: list[tuple[Thing | None, int]] = []
        for grant in then + [one for one in self.active(self.now, product) if one not in then]:
            taken = min(amount, self.rest(grant) if self.now - DAY < grant.end else 0) if amount else 0
            found, amount = found + [(grant, taken)] * (taken > 0), amount - taken
        return found + [(None, amount)] * (amount > 0)

    def spend(self, use: Thing, draws: Any) -> int:
        for grant, amount in draws:
            self.lines.append(Thing(use=use, grant=grant, left=amount))
            if grant:
                grant.captured += amount
        return sum(amount for grant, amount in draws if not grant)

    def add(self, use: Thing) -> tuple[int, int]:
        """Count a use; returns by how much its meter and the meter's cost grow."""
        quantity, cost = self.figures(use.meter)
        self.uses.append(use)
        more, dearer = self.figures(use.meter)
        return (more - quantity, dearer - cost) if use.meter else (0, use.amount)

    def figures(self, meter: Any) -> tuple[int, int]:
        return (self.quantity(meter), self.cost(meter)) if meter else (0, 0)

    # Requests

    def record(self, event: Thing) -> dict[str, Any]:
        content = (event.type, event.time, event.properties)
        if event.name in self.events:
            first, result = self.events[event.name]
            return result | {"is_duplicate": True, "differs": first != content}
        result = {"status": "REJECTED", "lines": [], "is_duplicate": False, "differs": False, "field": ""}
        if not self.now - 34 * DAY <= event.time <= self.now + DAY:
            late = event.time < self.now
            return result | {"reason": "TOO_OLD" if late else "IN_FUTURE", "field": "timestamp"}
        try:
            uses = self.measure(event)
        except Refused as refused:
            reason, name = refused.args
            return result | {"reason": reason, "field": f"properties[{name}]" if name else ""}
        result |= {"reason": "UNSPECIFIED", "status": "ACCEPTED" if uses else "NO_MATCH"}
        if uses and event.time < self.start:
            uses, result["status"] = [], "NO_CONTRACT"
        for use in uses:
            quantity, cost = self.add(use)
            shortfall = self.spend(use, self.draws(use.product, cost, event.time))
            result["lines"].append((use.product, quantity, cost, shortfall))
        self.events[event.name], self.times[event.name] = (content, result), event.time
        return result

    def measure(self, event: Thing) -> list[Thing]:
        matching = [
            one
            for one in sorted(self.products.values(), key=lambda one: one.name)
            if one.event == event.type and all(event.properties.get(n) in v for n, v in one.filters.items())
        ]
        uses, is_before = [], event.time < self.start
        for product in matching:
            rate = self.rate(product, event.time, event.properties)
            if rate or is_before:
                meter = rate and (product.name, rate.name, self.period(event.time))
                amount = 0 if is_before else measured(product, event.properties)
                use = Thing(name=event.name, product=product.name, meter=meter, amount=amount, is_event=True)
                use.user, use.time = event.properties.get("user_id", ""), event.time
                uses.append(use)
        if matching and not uses:
            raise Refused("RATE_NOT_FOUND", "")
        return uses

    def void(self, name: str) -> list[tuple[str, int, int, int]]:
        """name: of an event or a hold. Returns product and changes of quantity, cost and shortfall."""
        if name in self.voided:
            raise LookupError("USAGE_ALREADY_VOIDED")
        if name not in self.events and not any(use.name == name for use in self.uses):
            raise LookupError("USAGE_NOT_FOUND")
        self.voided.add(name)
        told = []
        for use in [use for use in self.uses if use.name == name]:
            told.append(self.change(use, None))
        return told

    def change(self, use: Thing, amount: Any) -> tuple[str, int, int, int]:
        """Give a use another amount, None: it did not happen; what its meter costs less comes back, or is drawn."""
        own = [line for line in reversed(self.lines) if line.use is use]
        others = [one for one in reversed(self.lines) if one.use.meter == use.meter and one.use is not use]
        quantity, cost = self.figures(use.meter)
        use.amount = use.amount if amount is None else amount
        if amount is None:
            self.uses.remove(use)
        less, cheaper = self.figures(use.meter)
        back = cost - cheaper if use.meter else sum(line.left for line in own)
        if back < 0:
            short = -self.spend(use, self.draws(use.product, -back, use.time))
        else:
            short = self.take_back(sorted(own, key=lambda line: line.grant is not None) + others, back)
        return use.product, less - quantity, -back, -short

    def amend(self, event: Thing) -> list[tuple[str, int, int, int]]:
        """event: as it is now."""
        if event.name in self.voided:
            raise LookupError("USAGE_ALREADY_VOIDED")
        if event.name not in self.events:
            raise LookupError("USAGE_NOT_FOUND")
        try:
            uses = self.measure(event)
        except Refused:
            raise LookupError("INVALID_FIELDS") from None
        moved = event.time != self.times[event.name]
        if moved and not self.now - 34 * DAY <= event.time <= self.now + DAY:
            raise LookupError("INVALID_FIELDS")
        self.times[event.name] = event.time
        was = {use.product: use for use in self.uses if use.name == event.name}
        now = {use.product: use for use in uses if event.time >= self.start}
        place = lambda use: use and (use.meter, use.user, use.time)  # noqa: E731
        kept = [one for one in was if place(was[one]) == place(now.get(one))]
        told = [self.change(was[one], None) for one in was if one not in kept]
        told += [self.change(was[one], now[one].amount) for one in kept]
        for product in sorted(set(now) - set(kept)):
            quantity, cost = self.add(now[product])
            short = self.spend(now[product], self.draws(product, cost, event.time))
            told.append((product, quantity, cost, short))
        return told

    def take_back(self, lines: list[Thing], back: int) -> int:
        """Take `back` from what was paid, in this order; returns how much of it was shortfall."""
        short = 0
        for line in lines:
            taken = min(line.left, back)
            line.left, back = line.left - taken, back - taken
            if line.grant:
                line.grant.captured -= taken
            else:
                short += taken
        assert back == 0
        return short

    # The gate

    def available(self, product: str = "") -> int:
        return sum(self.rest(grant) for grant in self.active(self.now, product))

    def meter(self, product: str, properties: dict[str, str]) -> Any:
        rate = self.rate(self.products[product], self.now, properties)
        return rate and (product, rate.name, self.period(self.now))

    def quote(self, meter: Any, quantity: int) -> int:
        """Return the dearest cost from any position at or above the meter's: one end of it is at a tier's edge."""
        rate, product = next(rate for rate in self.rates if rate.name == meter[1]), self.products[meter[0]]
        factor, rounding = product.conversion
        added = priced(Thing(conversion=(factor, rounding and "UP")), quantity)
        if rate.kind == "PACKAGE":
            return ceil(exact(rate, added) * UNIT)
        at = priced(product, self.quantity(meter))
        turns = [spot for end, _ in rate.tiers if end for spot in (end, end - added) if spot > at]
        return max(ceil((exact(rate, spot + added) - exact(rate, spot)) * UNIT) for spot in [at, *turns])

    def debit(self, use: Thing) -> tuple[str, int]:
        _, cost = self.add(use)
        if cost > self.available(use.product):
            self.uses.remove(use)
            return "INSUFFICIENT_CREDITS", 0
        self.spend(use, self.draws(use.product, cost, self.now))
        return "", cost

    def authorize(self, use: Thing, ttl: timedelta) -> str:
        credits = self.quote(use.meter, use.amount) if use.meter else use.amount
        if credits > self.available(use.product):
            return "INSUFFICIENT_CREDITS"
        draws = self.draws(use.product, credits, self.now)
        self.holds[use.name] = Thing(use=use, draws=draws, end=self.now + ttl, is_open=True)
        return ""

    def capture(self, name: str, amount: int) -> tuple[int, int, int, bool]:
        """Returns captured, released, shortfall, and whether it was late."""
        hold = self.holds[name]
        if not hold.is_open:
            raise LookupError("HOLD_ALREADY_RESOLVED")
        hold.is_open, is_late = False, hold.end <= self.now
        hold.use.amount, hold.use.time = amount, self.now
        _, used = self.add(hold.use)
        left, draws, held = used, [], sum(amount for _, amount in hold.draws)
        for grant, reserved in hold.draws if not is_late else ():
            draws, left = [*draws, (grant, min(reserved, left))], left - min(reserved, left)
        self.spend(hold.use, draws)
        short = self.spend(hold.use, self.draws(hold.use.product, left, self.now))
        return used - short, 0 if is_late else max(0, held - used), short, is_late

    def release(self, name: str) -> int:
        hold = self.holds[name]
        if not hold.is_open:
            raise LookupError("HOLD_ALREADY_RESOLVED")
        hold.is_open = hold.end <= self.now  # an expired hold stays as it is
        return 0 if hold.is_open else sum(amount for _, amount in hold.draws)

    # Operators

    def void_grant(self, name: str) -> int:
        grant = next(one for one in self.grants if one.name == name)
        rest, grant.is_void = self.rest(grant), True
        return rest

    def take_away(self, amount: int) -> None:
        if amount > self.available():
            raise LookupError("ADJUSTMENT_TOO_LARGE")
        for grant in self.active(self.now):
            taken = min(amount, self.rest(grant))
            grant.voided, amount = grant.voided + taken, amount - taken

    def used(self, user: str, is_daily: bool) -> int:
        """Return what counts towards a cap now."""
        window = (lambda at: at.date()) if is_daily else self.period
        alive = [hold for hold in self.holds.values() if hold.is_open and self.now < hold.end]
        held = sum(amount for hold in alive if hold.use.user == user for _, amount in hold.draws)
        lines = [line for line in self.lines if window(line.use.time) == window(self.now)]
        return held + sum(line.left for line in lines if line.use.user == user)
