# SPDX-License-Identifier: Apache-2.0
"""A model of one pool in 220 plain statements, to compare the Ledger with.

No store, no events, no jobs: it computes from the clock at each call what is held, expired or used up. There is one
contract with its months. Amounts are in micros, a price is (credits, units), a refusal is its reason.
"""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as Thing
from typing import Any

from meshkit.period import add_months

NEVER, TICK, WITHOUT_END = datetime.max.replace(tzinfo=UTC), timedelta(microseconds=1), 2**63 - 1
BILLION = 10**15  # credits: the overage that a month may have without a cap


def cost(amount: int, in_units: bool, price: tuple[int, int]) -> int:
    return -(-amount * price[0] // price[1]) if in_units else amount


def worth(credits: int, in_units: bool, price: tuple[int, int]) -> int:
    units = min(WITHOUT_END, credits * price[1] // price[0]) if price[0] else WITHOUT_END
    return units if in_units else credits


def total(draws: Any) -> int:
    return sum(amount for _, amount in draws)


def spend(draws: Any, left: int) -> int:
    for grant, amount in draws:
        grant.captured, left = grant.captured + min(amount, left), left - min(amount, left)
    return left


class Pool:
    def __init__(self, now: datetime, start: datetime) -> None:
        self.now, self.start, self.end, self.is_suspended, self.shortfall = now, start, NEVER, False, 0
        # By product: (credits, units). Limits by user ("" for users without a cap) and window. By hold_id.
        # By user, or "*" for all calls together: the most open holds.
        self.prices, self.caps, self.holds, self.most = (
            *(dict[str, Any](), dict[Any, int](), dict[str, Thing]()),
            dict[str, int](),
        )
        self.card = ""  # a rate, and so its meter, belongs to one card
        self.meters = dict[Any, int]()  # units used, by product, price, month and card
        # The cap on overage: None if there is none, -1 if there is no overage. By month: what was overage.
        self.overage_cap, self.overage = -1, dict[Any, int]()
        # grants: name granted captured priority scope is_paid start end made schedule number
        # schedules: name per_seat months lives prorates scope seats=[(when, delta)] next
        self.grants, self.schedules, self.spends = list[Thing](), list[Thing](), list[Any]()

    def advance(self, to: datetime) -> None:
        for one in self.schedules:
            for grant in (grant for grant in self.grants if grant.schedule is one and self.now < grant.end):
                grant.granted = max(grant.granted, self.earned(one, grant.number, to))
            while (begin := add_months(self.start, one.months * one.next)) <= to and begin < self.end:
                grant = Thing(name=one.name, captured=0, priority=1, scope=one.scope, is_paid=False)
                grant.start, grant.made, grant.schedule, grant.number = begin, begin, one, one.next
                grant.granted, one.next = self.earned(one, one.next, to), one.next + 1
                grant.end = add_months(self.start, one.months * (grant.number + one.lives))
                self.grants.append(grant)
        self.now = to

    def end_at(self, end: datetime) -> None:
        for grant in (one for one in self.grants if one.schedule and end <= one.start < self.end):
            grant.granted = grant.captured + self.held(grant) if self.now < grant.end else grant.granted
        self.end = end

    def earned(self, one: Thing, number: int, through: datetime) -> int:
        first, last = (add_months(self.start, one.months * index) for index in (number, number + 1))
        close, whole, highest, earned = min(last, self.end), (last - first) // TICK, 0, 0
        for at in sorted(
            {first} | {when for when, _ in one.seats if first < when < close and when <= through}
        ):
            more = max(0, sum(delta for when, delta in one.seats if when <= at) - highest)
            left = close - at if one.prorates else close - first
            earned, highest = earned + one.per_seat * more * (left // TICK) // whole, highest + more
        return earned

    def alive(self) -> list[Thing]:
        return [hold for hold in self.holds.values() if hold.is_open and self.now < hold.end]

    def held(self, grant: Thing) -> int:
        return total(draw for hold in self.alive() for draw in hold.draws if draw[0] is grant)

    def active(self, product: str = "") -> list[Thing]:
        order = lambda g: (g.priority, len(g.scope) or 99, g.is_paid, g.end, g.start, g.made)  # noqa: E731
        active = [g for g in self.grants if g.start <= self.now < g.end]
        return sorted((g for g in active if not product or not g.scope or product in g.scope), key=order)

    def draw(self, product: str, amount: int) -> list[tuple[Thing, int]]:
        draws: list[tuple[Thing, int]] = []
        for grant in self.active(product):
            draws.append(
                (grant, min(grant.granted - grant.captured - self.held(grant), amount - total(draws)))
            )
        return draws

    def month(self) -> datetime:
        return max(at for at in (add_months(self.start, n) for n in range(-1, 99)) if at <= self.now)

    def meter(self, product: str) -> tuple[str, tuple[int, int], datetime, str]:
        return product, self.prices.get(product, (0, 1)), self.month(), self.card

    def charge(self, meter: Any, amount: int, in_units: bool) -> int:
        units = self.meters.get(meter, 0)
        return cost(units + amount, True, meter[1]) - cost(units, True, meter[1]) if in_units else amount

    def used(self, user: str, window: str) -> int:
        held, midnight = (
            sum(self.reserved(hold) for hold in self.alive() if hold.user == user),
            self.now.replace(hour=0, minute=0, second=0, microsecond=0),
        )
        since = {
            "DAY": midnight,
            "WEEK": midnight - timedelta(days=midnight.weekday()),
            "MONTH": midnight.replace(day=1),
            "BILLING_PERIOD": self.month(),
        }[window]
        return held + total((who, spent) for when, who, spent in self.spends if who == user and when >= since)

    def reserved(self, hold: Thing) -> int:
        return total(hold.draws) + hold.overage

    def overage_room(self) -> int:
        used = sum(hold.overage for hold in self.alive()) + self.overage.get(self.month(), 0)
        return max(0, (BILLION if self.overage_cap is None else self.overage_cap) - used)

    def bill(self, uncovered: int, reserved: int = 0) -> int:
        """Return what is overage of it. reserved: as much may be, whatever the cap is by now."""
        billed = min(uncovered, max(reserved, self.overage_room()))
        self.overage[self.month()] = self.overage.get(self.month(), 0) + billed
        return billed

    def payable(self, product: str, user: str) -> int:
        """Return the most that credits, overage and caps allow."""
        available, headroom = self.room(product, user)
        return min(available + self.overage_room(), headroom)

    def headrooms(self, user: str) -> list[tuple[int, str, int]]:
        """Return what each cap on a user leaves, its window and its limit, the tightest first."""
        return sorted(
            (max(0, limit - self.used(user, window)), window, limit)
            for (who, window), limit in self.caps.items()
            if user and (who == user or (not who and (user, window) not in self.caps))
        )

    def room(self, product: str, user: str) -> tuple[int, int]:
        return total(self.draw(product, WITHOUT_END)), min(
            (left for left, _, _ in self.headrooms(user)), default=WITHOUT_END
        )

    def bar(self, product: str) -> str:
        if self.is_suspended:
            return "CUSTOMER_SUSPENDED"
        is_priced = product in self.prices and self.start <= self.now < self.end
        return "" if is_priced else "NOT_ENTITLED"

    def crowd(self, user: str) -> str:
        return (
            "TOO_MANY_IN_FLIGHT"
            if any(
                sum(who in (hold.user, "*") for hold in self.alive()) >= most
                for who, most in self.limits(user).items()
            )
            else ""
        )

    def limits(self, user: str) -> dict[str, int]:
        """Return the most open holds of a user's calls, and ("*") of all calls."""
        return {"*": self.most.get("*", WITHOUT_END)} | (
            {user: self.most.get(user, self.most.get("", WITHOUT_END))} if user else {}
        )

    def refusal(self, product: str, user: str, credits: int) -> str:
        if reason := self.bar(product):
            return reason
        available, headroom = self.room(product, user)
        return (
            "SPEND_CAP_REACHED"
            if credits > headroom
            else "INSUFFICIENT_CREDITS"
            if credits > available + self.overage_room()
            else ""
        )

    def authorize(self, hold_id: str, ask: Thing, ttl: timedelta, takes_part: bool) -> str:
        meter, amount = self.meter(ask.product), ask.amount
        reason = (
            self.bar(ask.product)
            or self.crowd(ask.user)
            or self.refusal(ask.product, ask.user, cost(amount, ask.in_units, meter[1]))
        )
        part = worth(self.payable(ask.product, ask.user), ask.in_units, meter[1])
        if takes_part and part and reason in ("SPEND_CAP_REACHED", "INSUFFICIENT_CREDITS"):
            amount, reason = part, ""
        if not reason:
            hold = Thing(product=ask.product, user=ask.user, meter=meter, end=self.now + ttl, is_open=True)
            hold.amount, hold.draws = amount, self.draw(ask.product, cost(amount, ask.in_units, meter[1]))
            hold.units, hold.lines = amount if ask.in_units else 0, []
            hold.overage = cost(amount, ask.in_units, meter[1]) - total(hold.draws)
            self.holds[hold_id] = hold
        return reason

    def reserve(self, asks: list[Thing], costs: list[int], ttl: timedelta) -> tuple[str, Thing]:
        """Return a hold of several lines, and why it cannot be held. Each line draws what those before it left."""
        hold = Thing(product=asks[0].product, user=asks[0].user, end=self.now + ttl, is_open=True, draws=[])
        hold.units, hold.lines, hold.meter, self.holds[""] = 0, [], self.meter(hold.product), hold
        hold.overage = 0
        rooms = [self.room(ask.product, ask.user) for ask in asks]
        for ask, credits in zip(asks, costs, strict=True):
            line = Thing(product=ask.product, meter=self.meter(ask.product), amount=ask.amount)
            line.draws = self.draw(ask.product, credits)
            line.overage = credits - total(line.draws)
            hold.lines, hold.draws = [*hold.lines, line], hold.draws + line.draws
        del self.holds[""]
        hold.overage = sum(line.overage for line in hold.lines)
        if sum(costs) > min(headroom for _, headroom in rooms):
            return "SPEND_CAP_REACHED", hold
        return "INSUFFICIENT_CREDITS" if hold.overage > self.overage_room() else "", hold

    def authorize_lines(
        self, hold_id: str, asks: list[Thing], ttl: timedelta
    ) -> tuple[str, list[int], list[int]]:
        costs = [cost(ask.amount, True, self.meter(ask.product)[1]) for ask in asks]
        reason = next(filter(None, (*(self.bar(ask.product) for ask in asks), self.crowd(asks[0].user))), "")
        if not reason:
            reason, hold = self.reserve(asks, costs, ttl)
        if not reason:
            self.holds[hold_id] = hold
        return reason, costs, [] if reason else [line.overage for line in hold.lines]

    def debit_lines(self, asks: list[Thing]) -> tuple[str, list[int], list[int]]:
        costs = [self.charge(self.meter(ask.product), ask.amount, True) for ask in asks]
        reason = next(filter(None, (self.bar(ask.product) for ask in asks)), "")
        if not reason:
            reason, hold = self.reserve(asks, costs, TICK)
        if not reason:
            for line, credits in zip(hold.lines, costs, strict=True):
                line.overage = self.bill(spend(line.draws, credits))
                self.shortfall += line.overage
                self.meters[line.meter] = self.meters.get(line.meter, 0) + line.amount
            self.spends = [*self.spends, (self.now, hold.user, sum(costs))]
        return reason, costs, [] if reason else [line.overage for line in hold.lines]

    def capture_lines(self, hold_id: str, used: list[int]) -> tuple[list[tuple[int, int, int]], int, bool]:
        """Return cost, shortfall and overage of each line, and what was released."""
        hold, short, billed = self.open_hold(hold_id), list[int](), list[int]()
        before = {id(draw[0]): draw[0].captured for draw in hold.draws}
        costs = [self.charge(one.meter, amount, True) for one, amount in zip(hold.lines, used, strict=True)]
        hold.is_open, is_late, left = False, hold.end <= self.now, list[Any]()
        if is_late:
            excess = costs
        else:
            excess = [spend(one.draws, credits) for one, credits in zip(hold.lines, costs, strict=True)]
            for one, credits in zip(hold.lines, costs, strict=True):
                for grant, amount in one.draws:
                    left.append((grant, max(0, amount - max(0, credits))))
                    credits -= amount
        dead = [draw for draw in left if draw[0].end <= self.now]
        for number, one in enumerate(hold.lines):
            for place, (grant, amount) in enumerate(dead):
                if not grant.scope or one.product in grant.scope:
                    rest = spend([(grant, amount)], excess[number])
                    dead[place], excess[number] = (grant, amount - (excess[number] - rest)), rest
        for number, (one, amount) in enumerate(zip(hold.lines, used, strict=True)):
            uncovered = spend(self.draw(one.product, excess[number]), excess[number])
            billed.append(self.bill(uncovered, 0 if is_late else max(0, hold.overage - sum(billed))))
            short.append(uncovered - billed[-1])
            self.meters[one.meter] = self.meters.get(one.meter, 0) + amount
        self.spends = [*self.spends, (self.now, hold.user, sum(costs))]
        self.shortfall += sum(short) + sum(billed)
        held = {id(grant): self.held_in(hold, grant) - grant.captured for grant, _ in hold.draws}
        released = sum(max(0, held[key] + before[key]) for key in held) + max(0, hold.overage - sum(billed))
        return list(zip(costs, short, billed, strict=True)), 0 if is_late else released, is_late

    def held_in(self, hold: Thing, grant: Thing) -> int:
        return total(draw for draw in hold.draws if draw[0] is grant)

    def extend(self, hold_id: str, amount: int, in_units: bool, ttl: timedelta) -> str:
        hold = self.open_hold(hold_id)
        if hold.end <= self.now:
            raise LookupError("HOLD_EXPIRED")
        if amount and hold.lines:
            raise LookupError("HOLD_HAS_LINES")
        credits = cost(amount, in_units, hold.meter[1])
        reason = self.refusal(hold.product, hold.user, credits) if amount else ""
        if not reason:
            is_in_units = in_units and (hold.units or not self.reserved(hold))
            hold.units = hold.units + amount if is_in_units or not amount else 0
            more = self.draw(hold.product, credits)
            hold.overage += credits - total(more)
            hold.draws, hold.end = hold.draws + more, max(hold.end, self.now + ttl)
        return reason

    def capture(self, hold_id: str, amount: int | None, in_units: bool) -> tuple[int, int, int, int, bool]:
        """Return what was captured, its overage, what was released, the shortfall, and whether it is late."""
        hold = self.open_hold(hold_id)
        if hold.lines and amount is not None:
            raise LookupError("HOLD_HAS_LINES")
        if amount is None:
            amount, in_units = hold.units or self.reserved(hold), bool(hold.units)
        used = self.charge(hold.meter, amount, in_units)
        self.meters[hold.meter] = self.meters.get(hold.meter, 0) + (amount if in_units else 0)
        hold.is_open, is_late = False, hold.end <= self.now
        excess = used if is_late else spend(hold.draws, used)
        short = spend(self.draw(hold.product, excess), excess)
        self.spends, self.shortfall = [*self.spends, (self.now, hold.user, used)], self.shortfall + short
        billed = self.bill(short, 0 if is_late else hold.overage)
        released = max(0, total(hold.draws) - used) + max(0, hold.overage - billed)
        return used - short + billed, billed, 0 if is_late else released, short - billed, is_late

    def debit(self, ask: Thing) -> tuple[str, int, int]:
        """Return why it is denied, what was debited, and its overage."""
        meter = self.meter(ask.product)
        used = self.charge(meter, ask.amount, ask.in_units)
        reason = self.refusal(ask.product, ask.user, used)
        billed = 0
        if not reason:
            billed = self.bill(spend(self.draw(ask.product, used), used))
            self.shortfall += billed
            self.spends = [*self.spends, (self.now, ask.user, used)]
            self.meters[meter] = self.meters.get(meter, 0) + (ask.amount if ask.in_units else 0)
        return reason, 0 if reason else used, billed

    def release(self, hold_id: str) -> int:
        hold = self.open_hold(hold_id)
        hold.is_open = hold.end <= self.now  # an expired hold stays as it is
        return 0 if hold.is_open else self.reserved(hold)

    def open_hold(self, hold_id: str) -> Thing:
        if not self.holds[hold_id].is_open:
            raise LookupError("HOLD_ALREADY_RESOLVED")
        return self.holds[hold_id]
