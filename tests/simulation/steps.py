# SPDX-License-Identifier: Apache-2.0
"""The steps of a simulation: what can be drawn, and how it is applied to a world.

A drawn step is plain data that makes sense in any world: "the 7th of the open holds", "a microsecond before the next
instant at which the clock changes something". So the same steps can be applied to two worlds.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as Thing
from typing import Any

from google.protobuf.duration_pb2 import Duration
from hypothesis import strategies as st

from meshkit.rpc.fields import optional_timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from tests.simulation.model import TICK
from tests.simulation.shadow import AI, CUSTOMERS, IMAGES, POOLS, PRODUCTS
from tests.simulation.world import PRICES, SOLD, World
from tests.support.ledger import CREDIT
from tests.support.postgres import Databases

Drawn = dict[str, Any]
Step = tuple[str, Drawn]  # a method of Steps, and its arguments
Instant = tuple[str, int, int]

NOW = datetime(2025, 6, 10, 8, 30, tzinfo=UTC)
STARTS = [  # of contracts
    datetime(2025, 6, 1, tzinfo=UTC),
    datetime(2025, 1, 31, 10, 30, 0, 1, tzinfo=UTC),
    datetime(2024, 2, 29, tzinfo=UTC),
    NOW,
    NOW + timedelta(hours=30),
]
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
LINE_PRODUCTS = ["prd_assistant", "prd_preview"]
NO_HOLD = Thing(is_open=False)


@asynccontextmanager
async def begun(databases: Databases, beginning: Drawn) -> AsyncIterator[World]:
    """Open a world on 10 June with the contracts, schedules, seats, top-ups and overage that were drawn."""
    changes = [(LONG_AGO, beginning["seats"])]
    schedules = [
        Thing(
            **one,
            name=f"sch_{number}",
            seats=changes if one["is_per_seat"] else [(LONG_AGO, 1)],
            next=0,
        )
        for number, one in enumerate(beginning["terms"])
    ]
    starts = dict(zip(CUSTOMERS, beginning["starts"], strict=True))
    async with World.opened(databases, NOW, starts, schedules) as world:
        for (customer, credit_type), amount in zip(POOLS, beginning["top_ups"], strict=True):
            if amount:
                await world.grant(
                    apb.IssueGrantRequest(
                        request_id=f"first-{customer}-{credit_type}",
                        customer=customer,
                        credit_type_id=credit_type,
                        grant_kind=pb.GRANT_KIND_TOP_UP,
                        amount_micros=amount,
                        priority=100,
                        cost_basis_micros=80 * CREDIT,
                    ),
                    0,
                )
        for (customer, credit_type), cap in zip(POOLS, beginning["overage"], strict=True):
            if cap != -1:
                await world.allow_overage(customer, credit_type, cap, 0)
        yield world


class Steps:
    """Applies drawn steps to a world. Each method is a kind of step; `_steps` says how its arguments are drawn."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = itertools.count(1)

    async def do(self, step: Step) -> None:
        kind, drawn = step
        await getattr(self, kind)(**drawn)

    # The gate

    async def authorize(self, replica: int, twice: bool, **drawn: Any) -> None:
        await self._world.ask(self._authorize(**drawn), replica, twice=twice)

    async def debit(self, replica: int, twice: bool, ask: Drawn) -> None:
        await self._world.ask(self._debit(ask), replica, twice=twice)

    async def capture(self, replica: int, twice: bool, hold: Drawn) -> None:
        await self._world.ask(self._capture(hold), replica, twice=twice)

    async def authorize_lines(
        self, replica: int, twice: bool, ask: Drawn, amounts: list[int], ttl: int | None
    ) -> None:
        request = pb.AuthorizeRequest(**self._asking_lines(ask, amounts), hold_ttl=_seconds(ttl))
        await self._world.ask(request, replica, twice=twice)

    async def debit_lines(self, replica: int, twice: bool, ask: Drawn, amounts: list[int]) -> None:
        await self._world.ask(pb.DebitRequest(**self._asking_lines(ask, amounts)), replica, twice=twice)

    async def capture_lines(self, replica: int, twice: bool, number: int, amounts: list[int]) -> None:
        """Capture some lines of one of the open holds that have several."""
        found = [
            (customer, hold_id, hold)
            for (customer, _), pool in self._world.shadow.pools.items()
            for hold_id, hold in pool.holds.items()
            if hold.is_open and hold.lines
        ]
        if found:
            customer, hold_id, hold = found[number % len(found)]
            request = pb.CaptureRequest(request_id=self._request_id(), customer=customer, hold_id=hold_id)
            for line, amount in zip(hold.lines, amounts, strict=False):
                request.lines.add(product_id=line.product, quantity_micros=amount)
            await self._world.ask(request, replica, twice=twice)

    async def release(self, replica: int, twice: bool, hold: Drawn) -> None:
        await self._world.ask(self._release(hold), replica, twice=twice)

    async def extend(self, replica: int, twice: bool, hold: Drawn, ttl: int | None) -> None:
        await self._world.ask(self._extend(hold, ttl), replica, twice=twice)

    async def lease(self, replica: int, twice: bool, lease: Drawn) -> None:
        await self._world.ask(self._lease(**lease), replica, twice=twice)

    async def settle_lease(self, replica: int, twice: bool, settlement: Drawn) -> None:
        for request in self._settlements([settlement]):
            await self._world.ask(request, replica, twice=twice)

    def _lease(self, ask: Drawn, ttl: int | None) -> pb.LeaseRequest:
        return pb.LeaseRequest(**self._asking(ask | {"in_units": False}), ttl=_seconds(ttl))

    def _settlements(self, drawn: list[Drawn]) -> list[pb.SettleLeaseRequest | pb.EndLeaseRequest]:
        """Return settlements of leases that there were; none if there was none."""
        found = [
            (customer, hold_id)
            for (customer, _), pool in self._world.shadow.pools.items()
            for hold_id in pool.holds
            if hold_id.startswith("lse_")
        ]
        return [self._settlement(*found[one["number"] % len(found)], **one) for one in drawn if found]

    def _settlement(
        self, customer: str, lease_id: str, number: int, uses: list[Drawn], renewal: int | None, ends: bool
    ) -> pb.SettleLeaseRequest | pb.EndLeaseRequest:
        """Settle a lease, with new uses and sometimes with those of an earlier call."""
        of_lease = {"request_id": self._request_id(), "customer": customer, "lease_id": lease_id}
        made = [self._use(use) for use in uses]
        made += [
            use
            for one in self._world.asked
            if number % 3 == 0 and getattr(one, "lease_id", "") == lease_id
            for use in one.uses
        ][:2]
        if ends:
            return pb.EndLeaseRequest(**of_lease, uses=made)
        request = pb.SettleLeaseRequest(**of_lease, uses=made)
        if renewal is not None:
            request.renewal.credits_micros = renewal
        return request

    def _use(self, use: Drawn) -> pb.LeaseUse:
        amount = {"quantity_micros" if use["in_units"] else "credits_micros": use["amount"]}
        group_values = {"user_id": use["user"]} if use["user"] else {}
        return pb.LeaseUse(request_id=self._request_id(), group_values=group_values, **amount)

    async def together(
        self,
        replica: int,
        asks: list[Drawn],
        holds: list[Drawn],
        leases: list[Drawn],
        settlements: list[Drawn],
    ) -> None:
        """Send debits, captures, releases, and calls about leases to both replicas at the same time."""
        requests: list[Any] = [self._lease(**one) for one in leases] + self._settlements(settlements)
        requests += self._debits(asks)
        requests += [(self._capture, self._release)[number % 2](hold) for number, hold in enumerate(holds)]
        await self._world.ask_together(requests, replica)

    async def authorize_batch(self, replica: int, items: list[Drawn], repeats: list[int]) -> None:
        requests = [self._authorize(**item) for item in items]
        requests += [requests[number % len(requests)] for number in repeats]
        await self._world.ask_batch(pb.AuthorizeBatchRequest(items=requests), replica)

    async def debit_batch(self, replica: int, asks: list[Drawn], repeats: list[int], reuses: bool) -> None:
        requests = self._debits(asks)
        if reuses:
            requests[-1].request_id = requests[0].request_id
        requests += [requests[number % len(requests)] for number in repeats]
        await self._world.ask_batch(pb.DebitBatchRequest(items=requests), replica)

    async def capture_batch(self, replica: int, holds: list[Drawn]) -> None:
        requests = [self._capture(hold) for hold in holds]
        await self._world.ask_batch(pb.CaptureBatchRequest(items=requests), replica)

    async def told_behind(self, replica: int, ask: Drawn, telling: Step) -> None:
        """Let a replica cache a pool, apply a change at the other, and call the first again at once."""
        for _ in range(2):
            await self._world.ask(self._debit(ask), replica)
        kind, drawn = telling
        await self.do((kind, drawn | {"replica": 1 - replica}))
        await self._world.ask(self._debit(ask), replica)

    async def take_turns(
        self, replica: int, customer: str, names: list[str], ask: Drawn, telling: Step
    ) -> None:
        """Let both replicas write about a customer in turn, change prices or names at one, and call the other again.

        In between, the other caches the customer's pool again by another name and for another product of the same pool;
        then it is called with the name and the product that it knew before.
        """
        earlier, later = ({**ask, "name": name.format(customer.removeprefix("cus_"))} for name in names)
        later["product"] = "prd_preview" if ask["product"] == "prd_assistant" else "prd_assistant"
        for asked in (replica, 1 - replica, replica):
            await self._world.ask(self._debit(earlier), asked)
        kind, drawn = telling
        await self.do((kind, drawn | {"customer": customer, "replica": 1 - replica}))
        for asked in (later, later, later, earlier):
            await self._world.ask(self._debit(asked), replica)

    async def at_the_end(self, replica: int, number: int, ticks: int, kind: str) -> None:
        """Let a replica cache an open hold, and call it at the instant of the hold's expiry, or a microsecond off."""
        pools = self._world.shadow.pools
        alive = [
            (place, name)
            for place, pool in pools.items()
            for name in pool.holds
            if pool.holds[name] in pool.alive()
        ]
        if not alive:
            return
        (customer, credit_type), hold_id = alive[number % len(alive)]
        pool = pools[customer, credit_type]
        of_hold = {"customer": customer, "hold_id": hold_id}
        far_too_much = pb.ExtendHoldRequest(request_id=self._request_id(), credits_micros=10**15, **of_hold)
        await self._world.ask(far_too_much, replica)
        self._world.wait_until(pool.holds[hold_id].end + ticks * TICK)
        requests = {
            "capture": pb.CaptureRequest(**of_hold),
            "release": pb.ReleaseRequest(**of_hold),
            "extend": pb.ExtendHoldRequest(**of_hold, hold_ttl=_seconds(60)),
            "debit": pb.DebitRequest(
                customer=customer,
                product_id=pool.holds[hold_id].product,
                credits_micros=max(1, pool.room(pool.holds[hold_id].product, "")[0]),
            ),
        }
        requests[kind].request_id = self._request_id()
        await self._world.ask(requests[kind], replica)

    async def repeat(self, replica: int, number: int, changes: bool) -> None:
        """Send an earlier request once more, or a different one with its id."""
        if not self._world.asked:
            return
        request = type(first := self._world.asked[number % len(self._world.asked)])()
        request.CopyFrom(first)
        if isinstance(request, apb.IssueGrantRequest):
            await self._world.grant(request, replica)
            return
        if changes:
            request.customer = "acme" if request.customer != "acme" else "cus_acme"
        await self._world.ask(request, replica)

    # Time

    async def wait(self, instant: Instant) -> None:
        self._world.wait_until(max(self._world.now, self._at(instant)))

    async def wait_in_two(self, instant: Instant, *, sweeps: bool) -> None:
        """Let the same time pass in two parts, with a sweep in between if `sweeps`."""
        now, until = self._world.now, self._at(instant)
        if until > now:
            self._world.wait_until(now + (until - now) // 2)
            if sweeps:
                await self._world.sweep(0)
            self._world.wait_until(until)

    async def sweep(self, replica: int) -> None:
        await self._world.sweep(replica)

    async def restart(self, replica: int) -> None:
        await self._world.restart(replica)

    # Operators and the other services

    async def grant(self, replica: int, **drawn: Any) -> None:
        start = None if drawn["start"] is None else self._at(drawn["start"])
        end = None if drawn["life"] is None else (start or self._world.now) + timedelta(seconds=drawn["life"])
        request = apb.IssueGrantRequest(
            request_id=self._request_id(),
            customer=drawn["name"],
            credit_type_id=drawn["credit_type"],
            grant_kind=pb.GRANT_KIND_TOP_UP if drawn["cost"] else pb.GRANT_KIND_PROMOTIONAL,
            amount_micros=drawn["amount"],
            priority=drawn["priority"],
            cost_basis_micros=drawn["cost"],
            effective_time=optional_timestamp(start),
            expire_time=optional_timestamp(end),
            scope_product_ids=drawn["scope"],
        )
        await self._world.grant(request, replica)

    async def seats(self, replica: int, delta: int, instant: Instant) -> None:
        await self._world.change_seats(delta, self._at(instant), replica)

    async def cap(
        self, replica: int, customer: str, credit_type: str, user: str, limit: int, window: str
    ) -> None:
        await self._world.cap(customer, credit_type, user, limit, window, replica)

    async def limit_holds(self, replica: int, customer: str, credit_type: str, who: str, most: int) -> None:
        await self._world.limit_holds(customer, credit_type, who, most, replica)

    async def overage(self, replica: int, customer: str, credit_type: str, cap: int | None) -> None:
        await self._world.allow_overage(customer, credit_type, cap, replica)

    async def lift_cap(self, replica: int, customer: str, credit_type: str, user: str, window: str) -> None:
        await self._world.lift_cap(customer, credit_type, user, window, replica)

    async def suspend(self, replica: int, customer: str, is_suspended: bool) -> None:
        await self._world.tell_customer(customer, replica, is_suspended=is_suspended)

    async def move_alias(self, replica: int, customer: str, drops: bool) -> None:
        """Move the alias "joker" to a customer, whoever had it, or remove it."""
        if drops:
            self._world.aliases[customer] -= {"joker"}
        else:
            self._world.aliases[customer] |= {"joker"}
        await self._world.tell_customer(customer, replica)

    async def price(self, replica: int, customer: str, product: str, price: tuple[int, int] | None) -> None:
        await self._world.price(customer, _prices(customer, product, price), replica)

    async def move_card(
        self, replica: int, customer: str, product: str, price: tuple[int, int] | None
    ) -> None:
        """Give a customer's contract a new rate card."""
        await self._world.move_card(customer, _prices(customer, product, price), replica)

    async def end_contract(self, replica: int, customer: str, instant: Instant) -> None:
        at = max(self._at(instant), self._world.now, self._world.starts[customer])
        await self._world.end_contract(customer, at, replica)

    async def watch(self, **drawn: Any) -> None:
        await self._world.watch(**drawn)

    # Requests made of drawn data

    def _request_id(self) -> str:
        return f"step-{next(self._ids)}"

    def _at(self, instant: Instant) -> datetime:
        kind, number, ticks = instant
        now = self._world.now
        match kind:
            case "next":
                upcoming = self._world.next_instants()
                return upcoming[min(number, len(upcoming) - 1)] + ticks * TICK
            case "past":
                return now - timedelta(hours=number)
            case "future":
                return now + timedelta(seconds=number**2)
            case _:
                return now

    def _amount(self, ask: Drawn) -> Drawn:
        customer = self._world.shadow.names.get(ask["name"])
        if ask["edge"] is not None and customer is not None and ask["product"] in PRODUCTS:
            quarters, micros = ask["edge"]
            pool = self._world.shadow.pools[customer, PRODUCTS[ask["product"]]]
            available, _ = pool.room(ask["product"], "")
            return {"credits_micros": max(1, available * quarters // 4 + micros)}
        return {"quantity_micros" if ask["in_units"] else "credits_micros": ask["amount"]}

    def _asking(self, ask: Drawn) -> Drawn:
        return {
            "request_id": self._request_id(),
            "customer": ask["name"],
            "product_id": ask["product"],
            "group_values": {"user_id": ask["user"], "team": "red"} if ask["user"] else {},
            **self._amount(ask),
        }

    def _asking_lines(self, ask: Drawn, amounts: list[int]) -> Drawn:
        """Ask for units of each product of the AI pool, the drawn one first."""
        products = sorted(LINE_PRODUCTS, key=lambda one: one != ask["product"])
        asked = self._asking(ask | {"edge": None, "in_units": True})
        del asked["product_id"], asked["quantity_micros"]
        lines = [
            pb.UsageLine(product_id=product, quantity_micros=amount)
            for product, amount in zip(products, amounts, strict=False)
        ]
        return asked | {"lines": lines}

    def _authorize(self, ask: Drawn, ttl: int | None, takes_part: bool) -> pb.AuthorizeRequest:
        return pb.AuthorizeRequest(**self._asking(ask), hold_ttl=_seconds(ttl), allow_partial=takes_part)

    def _debit(self, ask: Drawn) -> pb.DebitRequest:
        return pb.DebitRequest(**self._asking(ask))

    def _debits(self, asks: list[Drawn]) -> list[pb.DebitRequest]:
        """Debit asks one by one, every second one in lines."""
        return [
            pb.DebitRequest(**self._asking_lines(ask, [ask["amount"], CREDIT]))
            if number % 2
            else self._debit(ask)
            for number, ask in enumerate(asks)
        ]

    def _capture(self, hold: Drawn) -> pb.CaptureRequest:
        return pb.CaptureRequest(**self._of_hold(hold))

    def _release(self, hold: Drawn) -> pb.ReleaseRequest:
        return pb.ReleaseRequest(**self._of_hold(hold | {"amount": None}))

    def _extend(self, hold: Drawn, ttl: int | None) -> pb.ExtendHoldRequest:
        seconds = 1 if ttl is None and hold["amount"] is None else ttl
        return pb.ExtendHoldRequest(**self._of_hold(hold), hold_ttl=_seconds(seconds))

    def _of_hold(self, hold: Drawn) -> Drawn:
        """Refer to a hold (an open one, or any if `is_any`) with its customer, or sometimes with another one."""
        pools = self._world.shadow.pools
        known = [(customer, hold_id) for (customer, _), pool in pools.items() for hold_id in pool.holds]
        still_open = [
            one for one in known if any(pool.holds.get(one[1], NO_HOLD).is_open for pool in pools.values())
        ]
        found = known if hold["is_any"] else still_open or known
        customer, hold_id = found[hold["number"] % len(found)] if found else ("cus_acme", "hld_none")
        if hold["is_any"] and hold["number"] % 7 == 0:
            customer = "joker"
        asked = {"request_id": self._request_id(), "customer": customer, "hold_id": hold_id}
        if hold["amount"] is not None:
            asked["quantity_micros" if hold["in_units"] else "credits_micros"] = hold["amount"]
        return asked


def _prices(customer: str, product: str, price: tuple[int, int] | None) -> dict[str, tuple[int, int]]:
    """Return the usual prices of a customer's card with one changed, or without one product (None)."""
    prices = {one: PRICES[one] for one in SOLD[customer] if one != product}
    return prices if price is None else prices | {product: price}


def _seconds(ttl: int | None) -> Duration | None:
    return None if ttl is None else Duration(seconds=ttl)


def _drawn(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Drawn]:
    return st.fixed_dictionaries(fields)


_replicas = st.integers(0, 1)
_numbers = st.integers(0, 999)
_flags = st.booleans()
_customers = st.sampled_from(CUSTOMERS)
_names = st.sampled_from(2 * ["acme", "cus_acme", "acme", "globex", "cus_globex"] + ["joker"])
_products = st.sampled_from(6 * ["prd_assistant", "prd_preview"] + 3 * ["prd_painter"] + ["prd_unheard_of"])
_users = st.sampled_from(["", "ann", "bob"])
_windows = st.sampled_from(["BILLING_PERIOD", "DAY", "WEEK", "MONTH"])
_credit_types = st.sampled_from([AI, AI, IMAGES])
_ttls = st.sampled_from([None, 1, 30, 300, 3_600, 86_400])
_amounts = st.one_of(
    st.sampled_from([1, 999_999, 5 * CREDIT, 25 * CREDIT, 40 * CREDIT, 100 * CREDIT]),
    st.integers(1, 60 * CREDIT),
)
_grants = st.one_of(_amounts, st.sampled_from([250 * CREDIT, 1_000 * CREDIT, 1_000 * CREDIT]))
# (quarters of the available credits, micros added to them)
_edges = st.sampled_from(4 * [None] + 3 * [(1, 0)] + [(2, 0), (4, -1), (4, 0), (4, 1)])
_asks = _drawn(name=_names, product=_products, user=_users, amount=_amounts, edge=_edges, in_units=_flags)
_rarely = st.sampled_from([False, False, False, False, True])
_holds = _drawn(number=_numbers, is_any=_rarely, amount=st.none() | _amounts, in_units=_flags)
_leases = _drawn(ask=_asks, ttl=st.sampled_from([None, None, 1, 300, 600]))
_settlements = _drawn(
    number=_numbers,
    uses=st.lists(_drawn(user=_users, amount=_amounts, in_units=_flags), max_size=4),
    renewal=st.none() | st.just(0) | _amounts,
    ends=_rarely,
)
_nexts = st.tuples(st.just("next"), st.integers(0, 3), st.integers(-1, 1))
_instants = st.one_of(_nexts, st.tuples(st.sampled_from(["now", "past", "future"]), _numbers, st.just(0)))
_pricings = _drawn(
    replica=_replicas,
    customer=_customers,
    product=st.sampled_from(list(PRODUCTS)),
    price=st.sampled_from([None, (0, 1), (1, 1), (1, 1), (12 * CREDIT, CREDIT), (1, 1_000_000), (7, 3)]),
)
_authorizations = _drawn(ask=_asks, ttl=_ttls, takes_part=_flags)

_terms = _drawn(
    credit_type=_credit_types,
    per_seat=st.sampled_from([100 * CREDIT, 33_333_333, 1, 7 * CREDIT]),
    months=st.sampled_from([1, 1, 12]),
    lives=st.sampled_from([1, 1, 2]),
    prorates=_flags,
    is_per_seat=_flags,
    scope=st.sampled_from([(), (), ("prd_assistant",), ("prd_assistant", "prd_painter")]),
)
BEGINNINGS = _drawn(
    starts=st.tuples(*(st.sampled_from(2 * STARTS[:-1] + STARTS[-1:]) for _ in CUSTOMERS)),
    terms=st.lists(_terms, max_size=3),
    seats=st.integers(0, 4),
    top_ups=st.tuples(*(st.sampled_from([1_000_000_001, 300 * CREDIT, 0]) for _ in POOLS)),
    overage=st.tuples(*(st.sampled_from([-1, -1, -1, 50 * CREDIT]) for _ in POOLS)),
)
# Of the two products of the AI pool; the second may be 0.
_lines = st.tuples(_amounts, st.just(0) | _amounts).map(list)
_used = st.lists(st.just(0) | _amounts, min_size=1, max_size=2)
_steps: dict[str, st.SearchStrategy[Drawn]] = {
    "authorize_lines": _drawn(replica=_replicas, twice=_flags, ask=_asks, amounts=_lines, ttl=_ttls),
    "debit_lines": _drawn(replica=_replicas, twice=_flags, ask=_asks, amounts=_lines),
    "capture_lines": _drawn(replica=_replicas, twice=_flags, number=_numbers, amounts=_used),
    "authorize": _drawn(replica=_replicas, twice=_flags, ask=_asks, ttl=_ttls, takes_part=_flags),
    "debit": _drawn(replica=_replicas, twice=_flags, ask=_asks),
    "capture": _drawn(replica=_replicas, twice=_flags, hold=_holds),
    "release": _drawn(replica=_replicas, twice=_flags, hold=_holds),
    "extend": _drawn(replica=_replicas, twice=_flags, hold=_holds, ttl=_ttls),
    "lease": _drawn(replica=_replicas, twice=_flags, lease=_leases),
    "settle_lease": _drawn(replica=_replicas, twice=_flags, settlement=_settlements),
    "together": _drawn(
        replica=_replicas,
        asks=st.lists(_asks, min_size=1, max_size=2),
        holds=st.lists(_holds, max_size=2),
        leases=st.lists(_leases, max_size=1),
        settlements=st.lists(_settlements, max_size=2),
    ),
    "authorize_batch": _drawn(
        replica=_replicas,
        items=st.lists(_authorizations, min_size=1, max_size=5),
        repeats=st.lists(_numbers, max_size=2),
    ),
    "debit_batch": _drawn(
        replica=_replicas,
        asks=st.lists(_asks, min_size=1, max_size=5),
        repeats=st.lists(_numbers, max_size=2),
        reuses=_flags,
    ),
    "capture_batch": _drawn(replica=_replicas, holds=st.lists(_holds, min_size=1, max_size=4)),
    "repeat": _drawn(replica=_replicas, number=_numbers, changes=_flags),
    "at_the_end": _drawn(
        replica=_replicas,
        number=_numbers,
        ticks=st.integers(-1, 1),
        kind=st.sampled_from(["capture", "release", "extend", "debit"]),
    ),
    "wait": _drawn(instant=_instants),
    "sweep": _drawn(replica=_replicas),
    "restart": _drawn(replica=_replicas),
    "grant": _drawn(
        replica=_replicas,
        name=_names,
        credit_type=_credit_types,
        amount=_grants,
        priority=st.sampled_from([1, 1, 2, 100]),
        cost=st.sampled_from([0, 80 * CREDIT]),
        scope=st.sampled_from([(), (), ("prd_preview",), ("prd_assistant", "prd_painter")]),
        start=st.none() | _instants,
        life=st.sampled_from([None, None, 1, 3_600, 86_400, 40 * 86_400]),
    ),
    "seats": _drawn(replica=_replicas, delta=st.sampled_from([1, 1, 2, -1, -3]), instant=_instants),
    "cap": _drawn(
        replica=_replicas,
        customer=_customers,
        credit_type=_credit_types,
        user=_users,
        limit=st.just(0) | _amounts,
        window=_windows,
    ),
    "lift_cap": _drawn(
        replica=_replicas, customer=_customers, credit_type=_credit_types, user=_users, window=_windows
    ),
    "limit_holds": _drawn(
        replica=_replicas,
        customer=_customers,
        credit_type=_credit_types,
        who=_users | st.just("*"),
        most=st.sampled_from([0, 1, 1, 2, 2, 3, 1_000]),
    ),
    "overage": _drawn(
        replica=_replicas,
        customer=_customers,
        credit_type=_credit_types,
        cap=st.sampled_from([-1, None, 0]) | _amounts,
    ),
    "suspend": _drawn(
        replica=_replicas, customer=_customers, is_suspended=st.sampled_from([True, False, False, False])
    ),
    "move_alias": _drawn(replica=_replicas, customer=_customers, drops=_flags),
    "price": _pricings,
    "move_card": _pricings,
    "end_contract": _drawn(
        replica=_replicas,
        customer=_customers,
        instant=_nexts | st.tuples(st.just("future"), st.integers(500, 3_000), st.just(0)),
    ),
    "watch": _drawn(
        replica=_replicas, customer=st.sampled_from(["", *CUSTOMERS]), threshold=_amounts, is_of_spend=_flags
    ),
}


def one_of(*kinds: str) -> st.SearchStrategy[Step]:
    """Draw one step of these kinds; a kind that is named more often is drawn more often."""
    return st.sampled_from(kinds).flatmap(lambda kind: st.tuples(st.just(kind), _steps[kind]))


ASKING = one_of(
    *3 * ["authorize"],
    *2 * ["debit"],
    *2 * ["authorize_lines"],
    "debit_lines",
    "authorize_batch",
    "debit_batch",
    "repeat",
    "together",
    *2 * ["lease"],
)
HOLDING = one_of(
    *2 * ["capture"],
    *2 * ["capture_lines"],
    *2 * ["at_the_end"],
    *4 * ["settle_lease"],
    "release",
    "extend",
    "capture_batch",
    "together",
)
TELLING = one_of(
    *3 * ["grant"],
    *2 * ["seats"],
    "cap",
    "lift_cap",
    "limit_holds",
    *2 * ["overage"],
    "suspend",
    "move_alias",
    "price",
    "move_card",
    "end_contract",
    "watch",
)
TELLING_BEHIND = st.tuples(st.just("told_behind"), _drawn(replica=_replicas, ask=_asks, telling=TELLING))
TAKING_TURNS = st.tuples(
    st.just("take_turns"),
    _drawn(
        replica=_replicas,
        customer=_customers,
        names=st.permutations(["{}", "cus_{}", "joker"]).map(lambda names: names[:2]),
        ask=_drawn(
            product=st.sampled_from(["prd_assistant", "prd_preview"]),
            user=st.sampled_from(["", "", "ann"]),
            amount=st.sampled_from([1, 999_999, 5 * CREDIT]),
            edge=st.none(),
            in_units=_flags,
        ),
        telling=one_of(*2 * ["move_card"], "price", *2 * ["move_alias"], "suspend"),
    ),
)
OPERATING = one_of(*3 * ["sweep"], "restart")
WAITING = one_of("wait")
# Steps with the same outcome each time: nothing concurrent.
ORDERLY = one_of(
    *6 * ["authorize"],
    *3 * ["debit"],
    *3 * ["capture"],
    *2 * ["authorize_lines", "capture_lines"],
    "debit_lines",
    *2 * ["debit_batch"],
    *2 * ["grant"],
    *3 * ["seats"],
    *6 * ["wait"],
    *2 * ["lease", "settle_lease"],
    *["release", "extend", "capture_batch", "cap", "overage", "suspend", "end_contract"],
)
