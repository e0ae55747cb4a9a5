# SPDX-License-Identifier: Apache-2.0
"""Many callers of two replicas: their answers fit one order of their calls, and the order of the pool's entries.

Each pool must be linearizable by itself. For debits, the entries give the order. Holds write no entries until they are
captured, so with holds an order is searched for.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import accumulate

import pytest

from meshkit.clock import ManualClock
from meshkit.service import App
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser.ledger.v1.ledger_peer_pb2_grpc import LedgerPeerServiceStub
from purser.ledger.v1.self_service_pb2_grpc import SelfServiceStub
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from tests.simulation import looks
from tests.simulation.callers import KINDS, Caller, call_together
from tests.simulation.conftest import Plan
from tests.simulation.total_order import Observed, total_order
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, running_ledger
from tests.support.ledger_process import fresh_channel, ledger_process
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]

Open = Callable[[Databases], AbstractAsyncContextManager[list[RunningLedger]]]

CALLERS = 10
CALLS_EACH = 30
HOT = ["cus_hot"]
SEVERAL = ["cus_a", "cus_b", "cus_c", "cus_d", "cus_e"]


@asynccontextmanager
async def _in_this_process(databases: Databases) -> AsyncIterator[list[RunningLedger]]:
    async with running_ledger(databases) as first, running_ledger(databases, clock=first.clock) as second:
        yield [first, second]


@asynccontextmanager
async def _in_two_processes(databases: Databases) -> AsyncIterator[list[RunningLedger]]:
    async with AsyncExitStack() as stack:
        replicas = []
        for _ in range(2):
            process = await stack.enter_async_context(ledger_process(databases.url("ledger")))
            channel = await stack.enter_async_context(fresh_channel(process.address))
            replicas.append(
                RunningLedger(
                    app=App(port=0, peer_port=0, run_due=_by_itself, wake=_asleep, drain=_drained),
                    address=process.address,
                    gate=LedgerServiceStub(channel),
                    usage=UsageServiceStub(channel),
                    admin=LedgerAdminServiceStub(channel),
                    peer=LedgerPeerServiceStub(channel),
                    own=SelfServiceStub(channel),
                    clock=ManualClock(JUNE),
                )
            )
        yield replicas


async def _drained() -> None:
    """A process drains when it is stopped."""


async def _by_itself(at: object) -> None:
    """A process finds due work by its own clock."""


def _asleep() -> None:
    """Nothing wakes the work of another process."""


REPLICAS = pytest.mark.parametrize(
    "replicas", [_in_this_process, _in_two_processes], ids=["in this process", "in two processes"]
)


async def _fund(ledger: RunningLedger, customers: Sequence[str], credits: int) -> None:
    """Give every customer a contract and `credits` in two grants."""
    await ledger.sell_assistant()
    for customer in customers:
        await ledger.tell_customer(customer)
        await ledger.apply_contract(
            customer_id=customer, contract_id=f"con_{customer}", start=JUNE, subscriptions=[], schedules=[]
        )
        await ledger.top_up(credits // 3, customer=customer, priority=1)
        await ledger.top_up(credits - credits // 3, customer=customer)


def _callers(
    replicas: Sequence[RunningLedger], customers: Sequence[str], plan: Plan, *kinds: str
) -> list[Caller]:
    gates = [replica.gate for replica in replicas]
    return [
        Caller(f"caller-{n}", gates, customers, seed=plan.seed, kinds=kinds or KINDS) for n in range(CALLERS)
    ]


@REPLICAS
async def test_debits_of_a_hot_pool_are_the_order_of_its_entries(
    databases: Databases, plan: Plan, replicas: Open
) -> None:
    async with replicas(databases) as running:
        await _fund(running[0], HOT, 2_000 * plan.times)

        observed = (
            await call_together(_callers(running, HOT, plan, "debit", "batch"), times=CALLS_EACH * plan.times)
        )[HOT[0]]

        entries = await looks.entries_of(running[1], HOT[0], AI)
        await running[0].assert_adds_up()
    looks.assert_is_a_chain(entries)
    _assert_fits_the_entries(observed, entries)


@REPLICAS
@pytest.mark.parametrize("customers", [HOT, SEVERAL], ids=["one hot pool", "several pools"])
async def test_all_answers_about_a_pool_fit_one_order(
    databases: Databases, plan: Plan, replicas: Open, customers: list[str]
) -> None:
    credits = 4_000 * plan.times // len(customers)
    async with replicas(databases) as running:
        await _fund(running[0], customers, credits)

        observed = await call_together(_callers(running, customers, plan), times=CALLS_EACH * plan.times)

        entries = {customer: await looks.entries_of(running[1], customer, AI) for customer in customers}
        await running[0].assert_adds_up()
    for customer in customers:
        looks.assert_is_a_chain(entries[customer])
        total_order(credits * CREDIT, observed[customer])


def _assert_fits_the_entries(observed: Sequence[Observed], entries: Sequence[apb.Entry]) -> None:
    left = list(accumulate(entry.amount_micros for entry in entries))
    places = {entry.cause_id: place for place, entry in enumerate(entries) if entry.amount_micros < 0}
    firsts = {
        entry.cause_id: place for place, entry in reversed([*enumerate(entries)]) if entry.amount_micros < 0
    }
    allowed = [one for one in observed if one.change]
    assert places.keys() == {one.name for one in allowed}
    for one in allowed:
        assert one.after == left[places[one.name]]
        assert {entry.cause_id for entry in entries[firsts[one.name] : places[one.name] + 1]} == {one.name}
    for one in observed:
        earlier = [places[other.name] for other in allowed if other.ended < one.began]
        later = [firsts[other.name] for other in allowed if one.ended < other.began]
        seen = (
            {places[one.name]} if one.change else {n for n, micros in enumerate(left) if micros == one.after}
        )
        assert any(max(earlier, default=-1) <= n < min(later, default=len(left)) for n in seen), one
    for caller in {one.name.rpartition("-")[0] for one in allowed}:
        own = [name for name in places if name.startswith(f"{caller}-")]
        assert sorted(own, key=places.__getitem__) == sorted(own, key=_number)


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([("a", 0, 1, -40, 60), ("b", 0, 1, -40, 60)], id="two take the same credits"),
        pytest.param([("a", 0, 1, -40, 60), ("b", 2, 3, 0, 100)], id="a later call sees what was before"),
        pytest.param([("a", 2, 3, -40, 60), ("b", 0, 1, 0, 60)], id="an earlier call sees what comes"),
        pytest.param([("a", 0, 9, -40, 60), ("b", 0, 9, -10, 80)], id="something was spent that nobody did"),
        pytest.param(
            [("a", 0, 9, -40, 60), ("b", 0, 1, 0, 60), ("c", 2, 3, 0, 100)],
            id="what was seen is unseen again",
        ),
    ],
)
def test_answers_that_fit_no_order_are_found(told: list[tuple[str, float, float, int, int]]) -> None:
    with pytest.raises(AssertionError, match="can be placed"):
        total_order(100, [Observed(*one) for one in told])


def test_an_order_is_found_also_behind_a_wrong_turn() -> None:
    told = [
        ("a", 0, 9, -10, 90),
        ("b", 0, 9, -10, 90),
        ("c", 0, 9, 10, 100),
        ("d", 0, 1, 0, 90),
        ("e", 0, 9, 0, 100),
    ]

    order = total_order(100, [Observed(*one) for one in told])

    assert sorted(one.name for one in order) == list("abcde")
