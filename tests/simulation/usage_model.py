# SPDX-License-Identifier: Apache-2.0
"""A model of one customer's usage: late funding, the gate and corrections, to compare the Ledger with.

It keeps a list of uses, and computes each meter again from all of them. What is held or expired it computes from the
clock. Quantities and credits are in micros.
"""

from datetime import datetime, timedelta
from types import SimpleNamespace as Thing
from typing import Any

from tests.simulation.usage_model_prices import DAY, UNIT, Prices, Refused, add_months, matches, measured


def untimely(time: datetime, received: datetime) -> tuple[str, str] | None:
    if received - 34 * DAY <= time <= received + DAY:
        return None
    return ("TOO_OLD" if time < received else "IN_FUTURE"), "timestamp"


def order(g: Thing) -> Any:
    return g.priority, len(g.scope) or 99, g.is_paid, g.end, g.start, g.made


class Book:
    """One customer. monthly: by pool, what a seat brings there every month, for a month."""

    def __init__(self, now: datetime, monthly: dict[str, int], seats: int, prices: Prices) -> None:
        self.now, self.start, self.monthly, self.prices = now, prices.start, monthly, prices
        self.seats = self.most_seats = seats  # most: in this month
        self.events, self.holds, self.voided = dict[str, Any](), dict[str, Thing](), set[str]()
        # uses: see Prices.use, and user. lines, what was paid for them: use grant left. counts: use, units and times.
        self.grants, self.uses, self.lines, self.months = list[Thing](), list[Thing](), list[Thing](), 0
        self.counts = list[tuple[Thing, int, int]]()
        self.times = dict[str, datetime]()  # of events, as amended
        self.advance(now)

    def advance(self, to: datetime) -> None:
        self.now = to
        for hold in self.holds.values():
            if hold.state == "HELD" and hold.end <= to and not hold.is_over:
                hold.is_over = True
                for grant, amount in hold.draws:
                    self.give_back(grant, amount, hold.made)
        while (begin := add_months(self.start, self.months)) <= to:
            self.months, self.most_seats = self.months + 1, self.seats
            for pool, amount in self.monthly.items():
                self.grant(
                    "", pool, amount * self.seats, begin, add_months(self.start, self.months), priority=1
                )

    def grant(self, name: str, pool: str, amount: int, start: datetime, end: datetime, **more: Any) -> None:
        one = Thing(name=name, pool=pool, granted=amount, captured=0, voided=0, start=start, end=end)
        more = {"scope": (), "is_paid": False, "void": None, "made": self.now} | more
        self.grants.append(Thing(**vars(one) | more))

    # Meters

    def quantity(self, meter: Any) -> int:
        product = self.prices.products[meter[0]]
        told = [use.amount for use in self.uses if use.meter == meter and use.is_event]
        gated = sum(use.amount for use in self.uses if use.meter == meter and not use.is_event)
        if product.aggregation == "UNIQUE":
            return gated + UNIT * len(set(told))
        return gated + (max(told, default=0) if product.aggregation == "MAX" else sum(told))

    def figures(self, meter: Any) -> tuple[int, int]:
        quantity = self.quantity(meter) if meter else 0
        return quantity, self.prices.cost(meter, quantity) if meter else 0

    def add(self, use: Thing) -> tuple[int, int]:
        """Count a use; returns by how much its meter and the meter's cost grow."""
        quantity, cost = self.figures(use.meter)
        self.uses.append(use)
        more, dearer = self.figures(use.meter)
        return (more - quantity, dearer - cost) if use.meter else (0, use.amount)

    # Funding

    def rest(self, grant: Thing) -> int:
        """Return what is neither spent, held nor voided; what has expired too."""
        return int(grant.granted - grant.captured - grant.voided - self.held(grant))

    def give_back(self, grant: Thing, amount: int, drawn: datetime) -> None:
        """Void what returns, unless it was drawn after the void of its grant."""
        if grant.void and (grant.name or drawn <= grant.void):
            grant.voided += amount

    def alive(self) -> list[Thing]:
        return [hold for hold in self.holds.values() if hold.state == "HELD" and not hold.is_over]

    def held(self, grant: Thing) -> int:
        return sum(amount for hold in self.alive() for owner, amount in hold.draws if owner is grant)

    def active(self, at: datetime, pool: str, product: str = "") -> list[Thing]:
        active = [g for g in self.grants if g.pool == pool and g.start <= at < g.end]
        return sorted((g for g in active if not product or not g.scope or product in g.scope), key=order)

    def draws(self, use: Thing, amount: int, time: datetime) -> list[tuple[Thing | None, int]]:
        then = self.active(min(time, self.now), use.pool, use.product)
        found: list[tuple[Thing | None, int]] = []
        for grant in then + [one for one in self.active(self.now, use.pool, use.product) if one not in then]:
            is_late = self.now - DAY >= grant.end or (grant.void and self.now >= grant.end)
            taken = min(amount, 0 if is_late else self.rest(grant)) if amount else 0
            found, amount = found + [(grant, taken)] * (taken > 0), amount - taken
        return found + [(None, amount)] * (amount > 0)

    def spend(self, use: Thing, draws: Any, drawn: datetime | None = None) -> int:
        for grant, amount in draws:
            self.lines.append(Thing(use=use, grant=grant, left=amount, drawn=drawn or self.now))
            if grant:
                grant.captured += amount
        return sum(amount for grant, amount in draws if not grant)

    def charge(self, use: Thing, times: int) -> tuple[str, int, int, int]:
        """Count and pay for what an event reports; times: 0 if it was counted as a use before."""
        quantity, cost = self.add(use)
        self.counts.append((use, quantity, times))
        return use.product, quantity, cost, self.spend(use, self.draws(use, cost, use.time))

    # Events

    def record(self, event: Thing, received: datetime | None = None) -> dict[str, Any]:
        content = (event.type, event.time, event.properties, event.hold)
        if event.name in self.events:
            first, result = self.events[event.name]
            return result | {"is_duplicate": True, "differs": first != content}
        result = {"status": "REJECTED", "lines": [], "is_duplicate": False, "differs": False, "field": ""}
        hold = self.holds.get(event.hold)
        try:
            if hold and hold.state == "CAPTURED":
                same = {"status": "ACCEPTED", "reason": "UNSPECIFIED", "lines": [hold.line]}
                return (
                    result
                    | same
                    | {"is_duplicate": True, "differs": self.reported(hold, event) != hold.line[1]}
                )
            if late := untimely(event.time, received or self.now):
                raise Refused(*late)
            result |= self.captured_by(hold, event) if event.hold else self.charged(event)
        except Refused as refused:
            return result | dict(zip(("reason", "field"), refused.args, strict=True))
        result["reason"] = "UNSPECIFIED"
        self.events[event.name], self.times[event.name] = (content, result), event.time
        return result

    def charged(self, event: Thing) -> dict[str, Any]:
        uses = self.measure(event)
        if uses and event.time < self.start:
            return {"status": "NO_CONTRACT"}
        lines = [self.charge(use, 1) for use in uses]
        return {"status": "ACCEPTED" if uses else "NO_MATCH", "lines": lines}

    def captured_by(self, hold: Thing | None, event: Thing) -> dict[str, Any]:
        if hold is None:
            raise Refused("HOLD_NOT_FOUND", "hold_id")
        if isinstance(amount := self.reported(hold, event), Refused):
            raise amount
        if hold.state == "RELEASED":
            raise Refused("HOLD_RELEASED", "hold_id")
        hold.use.meter, hold.use.event = hold.meter, event.name
        self.spend_hold(hold, amount)
        return {"status": "ACCEPTED", "lines": [hold.line]}

    def reported(self, hold: Thing, event: Thing) -> Any:
        """Return the quantity that an event reports of a hold, or why it reports none."""
        product = self.prices.products[hold.use.product]
        try:
            if not matches(product, event) or isinstance(amount := measured(product, event.properties), str):
                raise Refused("INVALID_FIELD", "hold_id")
            return amount
        except Refused as refused:
            return refused

    def measure(self, event: Thing) -> list[Thing]:
        products = [self.prices.products[name] for name in sorted(self.prices.products)]
        matching = [one for one in products if matches(one, event)]
        uses, is_before = [], event.time < self.start
        for product in matching:
            use = self.prices.use(event.name, product, event.time, event.properties)
            if use.meter or is_before:
                use.amount = 0 if is_before else measured(product, event.properties)
                use.user, use.is_event = event.properties.get("user_id", ""), True
                uses.append(use)
        if matching and not uses:
            raise Refused("RATE_NOT_FOUND", "")
        return uses

    # Corrections

    def uses_of(self, name: str) -> list[Thing]:
        return [use for use in self.uses if name in (use.name, use.event)]

    def void(self, name: str) -> list[tuple[str, int, int, int]]:
        """name: of an event or a hold. Returns product and changes of quantity, cost and shortfall."""
        self.require_correctable(name)
        self.voided.add(name)
        return [self.change(use, None) for use in self.uses_of(name)]

    def require_correctable(self, name: str) -> None:
        if name in self.voided:
            raise LookupError("USAGE_ALREADY_VOIDED")
        if name not in self.events and (name not in self.holds or self.holds[name].state != "CAPTURED"):
            raise LookupError("USAGE_NOT_FOUND")

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
            short = -self.spend(use, self.draws(use, -back, use.time))
        else:
            short = self.take_back(sorted(own, key=lambda line: line.grant is not None) + others, back)
        self.counts.append((use, less - quantity, 0))
        return use.product, less - quantity, -back, -short

    def amend(self, event: Thing) -> list[tuple[str, int, int, int]]:
        """event: as it is now."""
        self.require_correctable(event.name)
        try:
            uses = self.measure(event)
        except Refused:
            raise LookupError("INVALID_FIELDS") from None
        if event.time != self.times[event.name] and untimely(event.time, self.now):
            raise LookupError("INVALID_FIELDS")
        self.times[event.name] = event.time
        was = {use.product: use for use in self.uses_of(event.name)}
        now = {use.product: use for use in uses if event.time >= self.start}
        place = lambda use: use and use.is_event and (use.meter, use.user, use.time, use.values)  # noqa: E731
        kept = [one for one in was if place(was[one]) == place(now.get(one))]
        told = [self.change(was[one], None) for one in was if one not in kept]
        told += [self.change(was[one], now[one].amount) for one in kept]
        return told + [self.charge(now[product], 0) for product in sorted(set(now) - set(kept))]

    def take_back(self, lines: list[Thing], back: int) -> int:
        """Take `back` from what was paid, in this order; returns how much of it was shortfall."""
        short, ended = 0, list[tuple[Thing, int]]()
        for line in lines:
            taken = min(line.left, back)
            line.left, back = line.left - taken, back - taken
            if line.grant:
                line.grant.captured -= taken
                self.give_back(line.grant, taken, line.drawn)
                ended += [(line.grant, taken)] * (line.grant.end <= self.now and not line.grant.void)
            else:
                short += taken
        assert back == 0
        for grant in dict.fromkeys(id(grant) for grant, _ in ended):
            self.replace([one for one in ended if id(one[0]) == grant])
        return short

    def replace(self, ended: list[tuple[Thing, int]]) -> None:
        """Let what came back to a grant that has ended pay for what later grants paid while it lived."""
        grant, rest = ended[0][0], sum(amount for _, amount in ended)
        later = [
            one for one in self.active(self.now, grant.pool) if order(one) > order(grant) and not one.void
        ]
        for line in list(reversed(self.lines)):
            is_in_life = grant.start <= line.use.time < grant.end
            is_in_scope = not grant.scope or line.use.product in grant.scope
            if line.grant in later and is_in_life and is_in_scope and (taken := min(line.left, rest)):
                line.left, rest = line.left - taken, rest - taken
                line.grant.captured, grant.captured = line.grant.captured - taken, grant.captured + taken
                self.lines.append(Thing(use=line.use, grant=grant, left=taken, drawn=self.now))

    # The gate

    def available(self, pool: str, product: str = "") -> int:
        return sum(self.rest(grant) for grant in self.active(self.now, pool, product))

    def debit(self, use: Thing) -> tuple[str, int]:
        quantity, cost = self.add(use)
        if cost > self.available(use.pool, use.product):
            self.uses.remove(use)
            return "INSUFFICIENT_CREDITS", 0
        self.counts.append((use, quantity, 1))
        self.spend(use, self.draws(use, cost, self.now))
        return "", cost

    def authorize(self, use: Thing, meter: Any, ttl: timedelta) -> str:
        """meter: of a capture in units, also if credits are asked for: then the use has none."""
        position = self.quantity(meter)
        credits = self.prices.quote(meter, position, use.amount) if use.meter else use.amount
        if credits > self.available(use.pool, use.product):
            return "INSUFFICIENT_CREDITS"
        draws = self.draws(use, credits, self.now)
        self.holds[use.name] = Thing(use=use, draws=draws, meter=meter, end=self.now + ttl, state="HELD")
        self.holds[use.name].in_units, self.holds[use.name].made = use.meter is not None, self.now
        self.holds[use.name].is_over = False
        return ""

    def spend_hold(self, hold: Thing, amount: int) -> None:
        hold.state, is_late, use = "CAPTURED", hold.is_over, hold.use
        use.amount, use.time = amount, self.now
        quantity, used = self.add(use)
        left, draws, held = used, [], sum(amount for _, amount in hold.draws)
        for grant, reserved in hold.draws if not is_late else ():
            draws, left = [*draws, (grant, min(reserved, left))], left - min(reserved, left)
            self.give_back(grant, reserved - draws[-1][1], hold.made)
        self.spend(use, draws, hold.made)
        short = self.spend(use, self.draws(use, left, self.now))
        self.counts.append((use, quantity, int(used > 0 or quantity > 0)))
        hold.line = (use.product, quantity, used, short)
        hold.told = (used - short, 0 if is_late else max(0, held - used), short, is_late)

    def capture(self, name: str, amount: int) -> tuple[Any, ...]:
        """Returns captured, released, shortfall, whether it was late, and whether it differs from an event's."""
        hold = self.holds[name]
        if hold.state == "CAPTURED" and hold.use.event and any(hold.line[1:]):
            return *hold.told, amount != hold.line[1 if hold.in_units else 2]
        if hold.state != "HELD":
            raise LookupError("HOLD_ALREADY_RESOLVED")
        self.spend_hold(hold, amount)
        return *hold.told, False

    def release(self, name: str) -> int:
        hold = self.holds[name]
        if hold.state != "HELD":
            raise LookupError("HOLD_ALREADY_RESOLVED")
        if hold.is_over:  # it stays as it is
            return 0
        hold.state = "RELEASED"
        for grant, amount in hold.draws:
            self.give_back(grant, amount, hold.made)
        return sum(amount for _, amount in hold.draws)

    # Operators

    def void_grant(self, grant: Thing) -> int:
        rest = self.rest(grant)
        if not grant.void or grant.voided < grant.granted:
            grant.void = self.now
        grant.voided += rest
        return rest

    def add_seats(self, count: int) -> None:
        """count: negative if there are fewer; that takes nothing back."""
        self.seats += count
        more, self.most_seats = max(0, self.seats - self.most_seats), max(self.seats, self.most_seats)
        for grant in [one for one in self.grants if not one.name][-len(self.monthly) :]:
            grant.granted += self.monthly[grant.pool] * more

    def take_away(self, pool: str, amount: int) -> None:
        if amount > self.available(pool):
            raise LookupError("ADJUSTMENT_TOO_LARGE")
        for grant in self.active(self.now, pool):
            taken = min(amount, self.rest(grant))
            grant.voided, amount = grant.voided + taken, amount - taken
