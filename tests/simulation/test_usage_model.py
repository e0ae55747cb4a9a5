# SPDX-License-Identifier: Apache-2.0
"""Reported usage against its model: two replicas, one clock; the same results, meters and balances at every step."""

import ast
import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from types import ModuleType
from types import SimpleNamespace as Thing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.simulation import usage_model, usage_model_customers, usage_model_prices, usage_model_sums
from tests.simulation.conftest import STEPS_DEFAULT, Plan
from tests.simulation.usage_catalog import CHAT, PRODUCTS
from tests.simulation.usage_model import Book
from tests.simulation.usage_model_prices import DAY, NEVER, UNIT
from tests.simulation.usage_world import TICK, UsageWorld
from tests.support.ledger import AI, CREDIT, JULY
from tests.support.postgres import PostgresServer, own_database

STEPS_EACH = 40
# Below 10, Hypothesis draws each example independently.
EXAMPLES_EACH = 7
SHUFFLES_EACH = 4
STATEMENTS_MAX = 250
SETTINGS = settings(
    max_examples=EXAMPLES_EACH, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

Step = tuple[str, dict[str, Any]]
HOUR = timedelta(hours=1)
USERS = ["ann", "bob", "cid"]
# Few large amounts: in an empty pool every ask is denied.
AMOUNTS = [1, UNIT // 3, UNIT, UNIT, 2 * UNIT, 5 * UNIT, 13 * UNIT, 40 * UNIT, 2_500 * UNIT]
UNITS = 5 * ["1", "2.5", "0", "0.0000001", "7", "3.333333", "+4"] + ["40", "40", "150.1234567", "1000"]
BAD_UNITS = ["", "many", "-1", "1e3", "-0.0000001", "1.", None]
# An edge: a number of the world's edges, and the distance from it.
_edges = st.tuples(st.integers(0, 99), st.sampled_from([-TICK, timedelta(0), TICK]))
_ages = st.sampled_from([HOUR, 5 * HOUR, DAY, 3 * DAY, 12 * DAY, 33 * DAY])
_times = st.one_of(
    st.just(timedelta(0)),
    _ages,
    _ages,
    st.sampled_from([-HOUR, -DAY, -DAY - TICK, 34 * DAY, 34 * DAY + TICK]),
    _edges,
    st.just("before the latest expiry"),
)
_replicas = st.integers(0, 1)
# Before a step: many things happen at one instant, and many an instant later.
_pauses = st.sampled_from([timedelta(0), TICK])
_places = st.integers(0, 99)
_customers = st.sampled_from(["cus_acme", "cus_acme", "cus_globex"])
_pools = st.sampled_from([AI, CHAT])


def _drawn(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(parts)


_events = _drawn(
    type=st.sampled_from([*(one.event for one in PRODUCTS.values()), "chat", "login"]),
    units=st.sampled_from(UNITS + BAD_UNITS),
    tokens=st.sampled_from(["150", "200", "200.000001", "90000", "90000", None]),
    user=st.sampled_from([*USERS, None]),
    model=st.sampled_from(["large", "small", "small", "tiny", None]),
    plan=st.sampled_from(["pro", "max", "free", None]),
    time=_times,
    # Sent before, with the same or another content.
    again=st.sampled_from([None] * 8 + ["same", "changed"]),
    which=_places,
    # None: a name that nobody has yet.
    customer=st.sampled_from(["acme", "acme", "acme", "cus_acme", "globex", "globex", None]),
    hold=st.sampled_from([""] * 9 + ["unknown"]),
)
_asks = _drawn(
    customer=_customers,
    product=st.sampled_from(list(PRODUCTS)),
    user=st.sampled_from(USERS),
    amount=st.sampled_from(AMOUNTS),
    in_units=st.sampled_from([True, True, False]),
    ttl=st.sampled_from([None, 5, 23 * 60, 23 * 60]),
    is_large=st.booleans(),
    replica=_replicas,
)
STEPS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "record": _drawn(events=st.lists(_events, min_size=1, max_size=20), replica=_replicas),
    "name": _drawn(customer=_customers, replica=_replicas),
    "void": _drawn(customer=_customers, which=_places, is_hold=st.booleans(), replica=_replicas),
    "amend": _drawn(event=_events, keeps_time=st.booleans(), replica=_replicas),
    "grant": _drawn(
        customer=_customers,
        pool=_pools,
        amount=st.sampled_from([1, 7 * CREDIT, 30 * CREDIT]),
        start=st.sampled_from([-40 * DAY, -DAY, timedelta(0), HOUR, DAY]),
        life=st.sampled_from([HOUR, 2 * DAY, 40 * DAY, 41 * DAY, None]),
        priority=st.sampled_from([1, 50, 100]),
        is_paid=st.booleans(),
        scope=st.sampled_from([(), (), ("prd_tiers",), ("prd_flat", "prd_chat")]),
        replica=_replicas,
    ),
    "ask": _asks,
    "capture": _drawn(
        customer=_customers,
        which=_places,
        amount=st.sampled_from(AMOUNTS),
        # The event that is the capture; None: a Capture.
        event=st.one_of(st.none(), _events),
        replica=_replicas,
    ),
    "release": _drawn(customer=_customers, which=_places, replica=_replicas),
    "void_grant": _drawn(customer=_customers, which=_places, replica=_replicas),
    "add_seats": _drawn(customer=_customers, count=st.sampled_from([1, 2, -1]), replica=_replicas),
    "adjust": _drawn(
        customer=_customers,
        pool=_pools,
        amount=st.sampled_from([-CREDIT, 3, -3, 9 * CREDIT, -40 * CREDIT]),
        replica=_replicas,
    ),
    "wait": _drawn(age=_ages),
    "wait_to": _drawn(edge=_edges),
}
WEIGHTS = {"record": 6, "void": 4, "grant": 2, "ask": 8, "capture": 6, "wait": 1, "wait_to": 2}
WEIGHTS |= {"release": 1, "void_grant": 3, "add_seats": 2, "adjust": 1, "amend": 4, "name": 1}
_steps = st.sampled_from([kind for kind, weight in WEIGHTS.items() for _ in range(weight)]).flatmap(
    lambda kind: st.tuples(st.just(kind), STEPS[kind])
)


async def _do(world: UsageWorld, kind: str, drawn: dict[str, Any]) -> None:
    match kind:
        case "record":
            events = [_event(world, one) for one in drawn["events"]]
            await world.record(events, drawn["replica"])
        case "void":
            customer = drawn["customer"]
            book = world.books[customer]
            ended = [name for name, hold in book.holds.items() if hold.state != "HELD"] or list(book.holds)
            if drawn["which"] % 3:
                ended = _remarkable(book, [name for name in ended if name not in book.voided]) or ended
            sent = [one.name for one in world.events if world.owner(one) == customer]
            names = ended if drawn["is_hold"] else sent
            name = names[-1 - drawn["which"] % len(names)] if names else "unknown"
            await world.void(customer, name, drawn["replica"])
        case "amend" if world.events:
            first = world.events[-1 - drawn["event"]["which"] % len(world.events)]
            event = _event(world, drawn["event"] | {"again": None, "type": first.type, "hold": ""})
            event.name, event.customer = first.name, first.customer
            if drawn["keeps_time"]:
                event.time = first.time
                event.properties |= {"user_id": first.properties.get("user_id", "ann")}
            await world.amend(event, drawn["replica"])
        case "grant":
            start, life = world.now + drawn.pop("start"), drawn.pop("life")
            await world.grant(start=start, end=start + life if life else NEVER, **drawn)
        case "name":
            await world.name(**drawn)
        case "ask":
            ask = Thing(**drawn)
            ask.ttl = timedelta(minutes=ask.ttl) if ask.ttl else None
            large = "90000" if ask.is_large else "100"
            ask.properties = {"model": "large" if ask.is_large else "small", "tokens": large}
            if ask.product != "prd_chat":
                ask.properties = {}
            await world.ask(ask.customer, ask, ask.replica)
        case "capture" | "release" if holds := list(world.books[drawn["customer"]].holds):
            book = world.books[drawn["customer"]]
            held = _remarkable(book, [name for name in holds if book.holds[name].state == "HELD"])
            holds = held if held and drawn["which"] % 3 else holds
            name, event = holds[-1 - drawn.pop("which") % len(holds)], drawn.pop("event", None)
            if event is None:
                await (world.capture if kind == "capture" else world.release)(name=name, **drawn)
            else:
                await world.record([_capturing(world, drawn["customer"], name, event)], drawn["replica"])
        case "void_grant":
            book = world.books[drawn["customer"]]
            grants = [one for pool in book.monthly for one in book.active(world.now, pool)]
            grants = [one for one in grants if book.held(one)] or grants
            await world.void_grant(drawn["customer"], grants[drawn["which"] % len(grants)], drawn["replica"])
        case "add_seats" if world.books[drawn["customer"]].seats + drawn["count"] > 0:
            await world.add_seats(**drawn)
        case "adjust":
            await world.adjust(**drawn)
        case "wait":
            world.wait_until(world.now + drawn["age"])
        case "wait_to":
            later = [at for at in world.edges() if at > world.now]
            world.wait_until(max(world.now, later[drawn["edge"][0] % 3] + drawn["edge"][1]))


def _remarkable(book: Book, holds: list[str]) -> list[str]:
    """Return the holds on voided grants, if there are any: there the rules have most exceptions."""
    return [name for name in holds if any(grant.void for grant, _ in book.holds[name].draws)] or holds


def _event(world: UsageWorld, drawn: dict[str, Any]) -> Thing:
    recent = [one for one in world.events if one.sent > world.now - 30 * DAY]
    first = recent[drawn["which"] % len(recent)] if drawn["again"] and recent else None
    if first is not None and drawn["again"] == "same":
        return Thing(**vars(first) | {"customer": world.customers.owner(first.customer) or first.customer})
    edges = world.edges()
    time = drawn["time"]
    if isinstance(time, str):
        ends = [one.end for book in world.books.values() for one in book.grants if one.end <= world.now]
        at = max(ends, default=world.now) - TICK
    else:
        at = edges[time[0] % len(edges)] + time[1] if isinstance(time, tuple) else world.now - time
    customer = first.customer if first else drawn["customer"] or world.unknown
    named = {"user_id": drawn["user"], "model": drawn["model"], "plan": drawn["plan"]}
    named |= {"units": drawn["units"], "tokens": drawn["tokens"]}
    return Thing(
        name=first.name if first else f"tx-{next(world.numbers)}",
        customer=customer,
        type=drawn["type"],
        time=at,
        properties={key: value for key, value in named.items() if value is not None},
        sent=world.now,
        hold=drawn["hold"],
    )


def _capturing(world: UsageWorld, customer: str, hold: str, drawn: dict[str, Any]) -> Thing:
    """Return an event that is the capture of a hold, and in most cases one that its product's metric counts."""
    product = PRODUCTS[world.books[customer].holds[hold].use.product]
    counted = (
        {}
        if drawn["plan"] == "free"
        else {"type": product.event, "units": drawn["units"] or "7", "plan": "pro"}
    )
    return _event(world, drawn | counted | {"again": None, "customer": customer, "hold": hold})


# Enough to find a short example of a failure.
@pytest.mark.timeout(600)
def test_reported_and_gated_usage_cost_and_count_what_the_model_says(
    postgres_server: PostgresServer, plan: Plan
) -> None:
    with asyncio.Runner() as runner:

        @settings(SETTINGS)
        @given(drawn=st.lists(st.tuples(_steps, _pauses), min_size=STEPS_EACH, max_size=STEPS_EACH))
        def check(drawn: list[tuple[Step, timedelta]]) -> None:
            runner.run(_lived(postgres_server, drawn))

        _run(check, plan)


@pytest.mark.timeout(600)
def test_events_in_any_order_batching_and_repetition_give_the_same_meters_and_total_cost(
    postgres_server: PostgresServer, plan: Plan
) -> None:
    with asyncio.Runner() as runner:

        @settings(SETTINGS, max_examples=SHUFFLES_EACH)
        @given(
            drawn=st.lists(_events, min_size=20, max_size=60),
            random=st.randoms(use_true_random=False),
            batch_size=st.integers(1, 20),
        )
        def check(drawn: list[dict[str, Any]], random: Random, batch_size: int) -> None:
            runner.run(_shuffled(postgres_server, drawn, random, batch_size))

        _run(check, plan)


def _run(check: Callable[[], None], plan: Plan) -> None:
    for number in range(max(1, plan.steps // STEPS_DEFAULT)):
        try:
            seed(plan.seed + number)(check)()
        except BaseException as error:
            error.add_note(f"make simulate SEED={plan.seed + number} STEPS=1")
            raise


async def _shuffled(
    server: PostgresServer, drawn: list[dict[str, Any]], random: Random, batch_size: int
) -> None:
    """Record events in two halves, the second one later, each in many calls at once; a third of them is sent twice."""
    async with own_database(server) as databases, UsageWorld.opened(databases) as world:
        world.wait_until(JULY + 2 * DAY)
        events = [
            _event(world, one | {"again": None, "hold": "", "customer": one["customer"] or "acme"})
            for one in drawn
        ]
        timely = [one for one in events if -DAY <= world.now - one.time <= 33 * DAY]
        for event in sorted(timely, key=lambda one: one.time):
            world.customers.record(event, world.now)
        sent = timely + timely[::3]
        random.shuffle(sent)
        for half in (sent[::2], sent[1::2]):
            await world.record_at_once([half[at : at + batch_size] for at in range(0, len(half), batch_size)])
            world.clock.advance_to(world.now + DAY)
        recorded = [name for book in world.books.values() for name in book.events]
        assert world.news == dict.fromkeys(recorded, 1)
        await world.looks.meters_agree()
        await world.replicas[0].assert_adds_up()


async def _lived(server: PostgresServer, drawn: list[tuple[Step, timedelta]]) -> None:
    async with own_database(server) as databases, UsageWorld.opened(databases) as world:
        for number, ((kind, parts), pause) in enumerate(drawn):
            world.wait_until(world.now + pause)
            await _do(world, kind, dict(parts))
            await world.looks.agree(number % 2)
        await world.replicas[0].assert_adds_up()


@pytest.mark.parametrize("part", [usage_model, usage_model_customers, usage_model_prices, usage_model_sums])
def test_each_part_of_the_model_has_at_most_250_statements_and_imports_neither_services_nor_meshkit(
    part: ModuleType,
) -> None:
    assert part.__file__ is not None
    tree = ast.parse(Path(part.__file__).read_text())
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    imports = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
    docstrings = [node for node in statements if isinstance(node, ast.Expr)]

    assert len(statements) - len(imports) - len(docstrings) <= STATEMENTS_MAX
    assert [node for node in imports if "services" in ast.dump(node) or "meshkit" in ast.dump(node)] == []
