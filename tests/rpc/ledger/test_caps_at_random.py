# SPDX-License-Identifier: Apache-2.0
"""Caps of all kinds in random order with all that spends: each counts as a plain list would.

The model is a list of spends (when used, by whom, on which product, how much) and of open holds, and sums them anew for
each question. It knows windows by the calendar only: no starts, no steps, no totals that could drift.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.duration_pb2 import Duration

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.rpc.ledger.test_void_usage import void
from tests.support.ledger import AI, CREDIT, RunningLedger, a_rate, two_ledgers
from tests.support.postgres import Databases
from tests.support.reported import an_event, record

ACTIONS = 90
USERS = ("ann", "bob", "cid")
PRODUCTS = ("prd_assistant", "prd_search")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
# How far the clock goes at once: also across days, weeks, months, and the changes of the clocks in between.
PASSING = [
    timedelta(minutes=7),
    timedelta(hours=1, minutes=1),
    timedelta(hours=9),
    timedelta(days=2, hours=3),
]
STARTS = [datetime(2025, 6, 2), datetime(2025, 10, 22), datetime(2026, 3, 5), datetime(2026, 3, 26)]
NAMES: dict[int, Callable[[datetime], object]] = {
    admin.CAP_WINDOW_DAY: lambda at: at.date(),
    admin.CAP_WINDOW_WEEK: lambda at: at.isocalendar()[:2],
    admin.CAP_WINDOW_MONTH: lambda at: (at.year, at.month),
}


@dataclass(frozen=True, slots=True)
class Spent:
    """A spend; event: the transaction that reported it."""

    at: datetime
    user: str
    product: str
    credits: int
    event: str = ""


@dataclass(slots=True)
class Held:
    """An open hold."""

    user: str
    product: str
    credits: int
    expires: datetime


@dataclass(slots=True)
class Story:
    """Acme on two replicas, and what a list knows of it. caps: as they were answered, by id."""

    replicas: tuple[RunningLedger, RunningLedger]
    dice: Random
    zone: str = "UTC"
    spends: list[Spent] = field(default_factory=list)
    holds: dict[str, Held] = field(default_factory=dict)
    caps: dict[str, admin.SpendCap] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)
    events: int = 0
    compared: int = 0

    @property
    def ledger(self) -> RunningLedger:
        return self.dice.choice(self.replicas)

    @property
    def now(self) -> datetime:
        return self.replicas[0].clock.now()

    async def act(self) -> None:
        """Do something."""
        actions: list[tuple[Callable[[], Awaitable[object]], int]] = [
            (self.debit, 8),
            (self.hold, 5),
            (self.end_hold, 5),
            (self.report, 6),
            (self.void, 2),
            (self.set_cap, 5),
            (self.lift_cap, 1),
            (self.set_zone, 1),
            (self.set_group, 2),
            (self.pass_time, 7),
        ]
        (action,) = self.dice.choices([one for one, _ in actions], [weight for _, weight in actions])
        await action()

    async def debit(self) -> None:
        user, product, credits = self._use()
        answer = await self.ledger.debit(credits, user=user, product_id=product)
        assert self._is_allowed(user, product, credits) in (answer.decision == pb.DECISION_ALLOWED, None)
        if answer.decision == pb.DECISION_ALLOWED:
            self.spends.append(Spent(self.now, user, product, credits))

    async def hold(self) -> None:
        user, product, credits = self._use()
        seconds = self.dice.choice([60, 3_000, 80_000])
        answer = await self.ledger.authorize(
            credits, user=user, product_id=product, hold_ttl=Duration(seconds=seconds)
        )
        assert self._is_allowed(user, product, credits) in (answer.decision == pb.DECISION_ALLOWED, None)
        if answer.decision == pb.DECISION_ALLOWED:
            self.holds[answer.hold_id] = Held(user, product, credits, self.now + timedelta(seconds=seconds))

    async def end_hold(self) -> None:
        """Capture less or more than a hold has, also late, or release it."""
        if not self.holds:
            return
        hold_id = self.dice.choice(sorted(self.holds))
        hold = self.holds.pop(hold_id)
        if self.dice.random() < 0.3:
            await self.ledger.release(hold_id)
            return
        used = self.dice.randrange(1, 2 * hold.credits + 1)
        await self.ledger.capture(hold_id, used)
        self.spends.append(Spent(self.now, hold.user, hold.product, used))

    async def report(self) -> None:
        """Report usage of up to 9 days ago, or up to a day ahead: a unit of prd_assistant, at 12 credits."""
        self.events += 1
        used = self.now + timedelta(
            minutes=self.dice.choice([0, -1, self.dice.randrange(-9 * 24 * 60, 24 * 60)])
        )
        if used < datetime(2025, 6, 1, tzinfo=self.now.tzinfo):
            used = self.now
        user, name = self.dice.choice(USERS), f"tx-{self.events}"
        await record(self.ledger, an_event(name, "1", at=used, user=user))
        self.spends.append(Spent(used, user, PRODUCTS[0], 12, name))

    async def void(self) -> None:
        reported = [one for one in self.spends if one.event]
        if reported:
            one = self.dice.choice(reported)
            await void(self.ledger, one.event)
            self.spends.remove(one)

    async def set_cap(self) -> None:
        """Set a cap of either owner; what was spent before it counts too."""
        window = self.dice.choice(list(admin.CapWindow.values())[1:])
        asked: dict[str, object] = {"window": window}
        if window == admin.CAP_WINDOW_ROLLING:
            asked["window_hours"] = self.dice.choice([1, 24, 168])
        scope = self.dice.choice(["value", "value", "each", "product", "customer", "group"])
        if scope == "group" and not self.groups:
            scope = "value"
        if scope in ("value", "each"):
            asked |= {
                "group_key": "user_id",
                "group_value": self.dice.choice(USERS) if scope == "value" else "",
            }
        elif scope == "product":
            asked |= {
                "group_key": "",
                "scope": pb.CAP_SCOPE_PRODUCT,
                "product_id": self.dice.choice(PRODUCTS),
            }
        elif scope == "group":
            group = self.dice.choice(sorted(self.groups))
            asked |= {"group_key": "", "scope": pb.CAP_SCOPE_GROUP, "cap_group_id": group}
        else:
            asked |= {"group_key": "", "scope": pb.CAP_SCOPE_CUSTOMER}
        limit, ledger = self.dice.randrange(20, 400), self.ledger
        is_own = self.dice.random() < 0.3
        cap = await (ledger.cap_own(limit, **asked) if is_own else ledger.set_cap(limit, **asked))
        self.caps[cap.spend_cap_id] = cap

    async def lift_cap(self) -> None:
        if self.caps:
            spend_cap_id = self.dice.choice(sorted(self.caps))
            await self.ledger.lift_cap(spend_cap_id)
            del self.caps[spend_cap_id]

    async def set_zone(self) -> None:
        self.zone = self.dice.choice(ZONES)
        await self.ledger.set_time_zone(self.zone)

    async def set_group(self) -> None:
        """Make one of at most two groups, or change who is in it: whoever is in none, or in it."""
        group_id = self.dice.choice([*sorted(self.groups), ""][:2])
        taken = {user for one, users in self.groups.items() if one != group_id for user in users}
        users = {user for user in USERS if user not in taken and self.dice.random() < 0.6}
        group = await self.ledger.set_group("a group", *sorted(users), cap_group_id=group_id)
        self.groups[group.cap_group_id] = users

    async def pass_time(self) -> None:
        self.replicas[0].clock.advance(self.dice.choice(PASSING))

    async def compare(self) -> None:
        """Compare each cap that applies to a call with the list, on either replica."""
        user, product = self.dice.choice(USERS), self.dice.choice(PRODUCTS)
        ask = pb.DecisionAsk(product_id=product, group_values={"user_id": user}, credits_micros=CREDIT)
        answer = await self.ledger.gate.GetDecision(pb.GetDecisionRequest(customer="acme", ask=ask))
        applying = {cap.spend_cap_id: cap for cap in self._applying(user, product)}

        assert {use.spend_cap_id for use in answer.spend_caps} == set(applying)
        for use in answer.spend_caps:
            at_least, at_most = self._used(applying[use.spend_cap_id], user, product)
            assert at_least * CREDIT <= use.used_micros <= at_most * CREDIT, applying[use.spend_cap_id]
            self.compared += 1

    def _use(self) -> tuple[str, str, int]:
        return self.dice.choice(USERS), self.dice.choice(PRODUCTS), self.dice.randrange(1, 60)

    def _is_allowed(self, user: str, product: str, credits: int) -> bool | None:
        """Whether a call is within all caps; None if that depends on the step of a rolling window."""
        caps = [
            (cap.limit_micros // CREDIT, *self._used(cap, user, product))
            for cap in self._applying(user, product)
        ]
        if all(credits <= limit - at_most for limit, _, at_most in caps):
            return True
        return None if all(credits <= limit - at_least for limit, at_least, _ in caps) else False

    def _applying(self, user: str, product: str) -> list[admin.SpendCap]:
        """Return the caps that apply: of an owner and window, the one on the user rather than the one on each."""
        found = []
        for cap in self.caps.values():
            if cap.scope == pb.CAP_SCOPE_PRODUCT and cap.product_id != product:
                continue
            if cap.scope == pb.CAP_SCOPE_GROUP and user not in self.groups[cap.cap_group_id]:
                continue
            if cap.scope == pb.CAP_SCOPE_GROUP_VALUE and cap.group_value not in ("", user):
                continue
            is_replaced = cap.scope == pb.CAP_SCOPE_GROUP_VALUE and any(
                not cap.group_value
                and other.scope == cap.scope
                and other.group_value == user
                and (other.owner, other.window, other.window_hours)
                == (cap.owner, cap.window, cap.window_hours)
                for other in self.caps.values()
            )
            if not is_replaced:
                found.append(cap)
        return found

    def _used(self, cap: admin.SpendCap, user: str, product: str) -> tuple[int, int]:
        """Return what is spent in a cap's window and held: at least, and at most."""

        def counts(one: Spent | Held) -> bool:
            match cap.scope:
                case pb.CAP_SCOPE_PRODUCT:
                    return one.product == product
                case pb.CAP_SCOPE_CUSTOMER:
                    return True
                case pb.CAP_SCOPE_GROUP:
                    return one.user in self.groups[cap.cap_group_id]
                case _:
                    return one.user == user

        now = self.now
        held = sum(one.credits for one in self.holds.values() if counts(one) and one.expires > now)
        spends = [one for one in self.spends if counts(one)]
        if cap.window == admin.CAP_WINDOW_ROLLING:
            length, step = timedelta(hours=cap.window_hours), timedelta(minutes=cap.window_hours)
            at_least = sum(one.credits for one in spends if one.at > now - length)
            return held + at_least, held + sum(one.credits for one in spends if one.at > now - length - step)
        zone, name = ZoneInfo(self.zone), NAMES.get(cap.window)
        if name is None:  # usage periods are months from 1 June, UTC
            zone, name = ZoneInfo("UTC"), NAMES[admin.CAP_WINDOW_MONTH]
        present = name(now.astimezone(zone))
        spent = sum(one.credits for one in spends if name(one.at.astimezone(zone)) == present)
        return held + spent, held + spent


@pytest.mark.parametrize("seed", range(6))
async def test_caps_count_as_a_list_would(databases: Databases, seed: int) -> None:
    async with two_ledgers(databases) as replicas:
        first, _ = replicas
        await first.tell_product("prd_search", version=1, event_type="search")
        await first.tell_card(
            a_rate(), a_rate("prd_search", rate_id="rat_search", price_micros=CREDIT), version=2
        )
        first.clock.advance_to(STARTS[seed % len(STARTS)].replace(tzinfo=first.clock.now().tzinfo))
        await first.top_up(1_000_000, credit_type_id=AI)
        story = Story(replicas, Random(seed))

        for _ in range(ACTIONS):
            await story.act()
            await story.compare()

        await first.assert_adds_up()
        assert story.compared > ACTIONS
