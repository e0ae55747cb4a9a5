# SPDX-License-Identifier: Apache-2.0
"""Requests of customers that are locked elsewhere: in order for each customer, and no customer waits for another."""

import asyncio
import itertools
from collections.abc import Callable, Sequence

import pytest

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CustomerId, ProductId
from services.ledger.domain.gate.commands import Debit
from services.ledger.operations.gate.locked import LaneRequest
from services.ledger.operations.gate.side_queues import BATCH_MAX, WAITING_MAX, SideQueues

ACME, GLOBEX = CustomerId("cus_acme"), CustomerId("cus_globex")

_calls = itertools.count(1)


class Deciding:
    """Decides batches when it is let, and notes them. "bug" breaks its batch.

    takes_late: it takes a batch when it is let, not before.
    """

    def __init__(self, *, takes_late: bool = False) -> None:
        self.takes_late = takes_late
        self.batches: list[list[str]] = []
        self.begun = asyncio.Event()
        self.locked = {ACME: asyncio.Event(), GLOBEX: asyncio.Event()}
        self.queues = SideQueues(self._decide, now_seconds=lambda: 100.0)

    async def _decide(self, customer_id: CustomerId, take: Callable[[], Sequence[LaneRequest]]) -> None:
        batch = () if self.takes_late else take()
        self.begun.set()
        await self.locked[customer_id].wait()
        batch = batch or take()
        self.batches.append([request.item.fingerprint.decode() for request in batch])
        for request in batch:
            if request.item.fingerprint == b"bug":
                raise ValueError("bug")
            request.future.set_result(None)


def _request(request_id: str, customer: str = "acme", *, expire_seconds: float | None = None) -> LaneRequest:
    item = Debit(
        request_id=request_id,
        fingerprint=request_id.encode(),
        customer=customer,
        product_id=ProductId("prd_assistant"),
        amount=Credits.of(1),
        group_values={},
    )
    future = asyncio.get_running_loop().create_future()
    return LaneRequest(item, future, call=next(_calls), arrived_seconds=0.0, expire_seconds=expire_seconds)


async def test_requests_of_one_customer_are_decided_in_order_and_together() -> None:
    deciding = Deciding()
    requests = [_request(name) for name in "abcd"]

    deciding.queues.add(ACME, requests[0])
    await deciding.begun.wait()
    assert all(deciding.queues.follow(request) for request in requests[1:])
    deciding.locked[ACME].set()
    await deciding.queues.finish()

    assert deciding.batches == [["a"], ["b", "c", "d"]]
    assert all(request.future.done() for request in requests)


async def test_what_arrives_until_the_locks_are_there_is_decided_with_what_waits_for_them() -> None:
    deciding = Deciding(takes_late=True)
    deciding.queues.add(ACME, _request("a"))
    await deciding.begun.wait()
    deciding.queues.follow(_request("b"))

    deciding.locked[ACME].set()
    await deciding.queues.finish()

    assert deciding.batches == [["a", "b"]]


async def test_no_customer_waits_for_another() -> None:
    deciding = Deciding()
    waits, answered = _request("a"), _request("b", "globex")
    deciding.queues.add(ACME, waits)
    deciding.queues.add(GLOBEX, answered)
    deciding.locked[GLOBEX].set()

    await answered.future

    assert not waits.future.done()
    deciding.locked[ACME].set()
    await deciding.queues.finish()


async def test_a_name_has_a_queue_until_all_of_its_customers_requests_are_decided() -> None:
    deciding = Deciding()
    deciding.queues.add(ACME, _request("a"))

    assert ACME in deciding.queues
    assert GLOBEX not in deciding.queues
    assert deciding.queues.follow(_request("b"))
    assert not deciding.queues.follow(_request("c", "cus_acme"))  # a name that nobody has asked by yet
    deciding.queues.add(ACME, _request("c", "cus_acme"))
    assert deciding.queues.follow(_request("d", "cus_acme"))

    deciding.locked[ACME].set()
    await deciding.queues.finish()
    assert ACME not in deciding.queues
    assert not deciding.queues.follow(_request("e"))
    assert not deciding.queues.follow(_request("f", "cus_acme"))
    assert deciding.batches == [["a", "b", "c", "d"]]


async def test_who_has_gone_or_whose_time_is_up_is_not_decided() -> None:
    deciding = Deciding()
    gone, late, in_time = (
        _request("b"),
        _request("c", expire_seconds=100.0),
        _request("d", expire_seconds=100.1),
    )
    deciding.queues.add(ACME, _request("a"))
    await deciding.begun.wait()
    for request in (gone, late, in_time):
        deciding.queues.follow(request)
    gone.future.cancel()
    deciding.locked[ACME].set()
    await deciding.queues.finish()

    assert [batch for batch in deciding.batches if batch] == [["a"], ["d"]]
    assert late.future.cancelled()


async def test_a_bug_is_told_to_those_it_hit_and_the_queue_goes_on() -> None:
    deciding = Deciding()
    deciding.locked[ACME].set()
    hit, next_one = _request("bug"), _request("b")
    deciding.queues.add(ACME, hit)
    await deciding.begun.wait()
    deciding.queues.add(ACME, next_one)

    with pytest.raises(ValueError, match="bug"):
        await hit.future
    assert await next_one.future is None


async def test_a_batch_has_at_most_so_many() -> None:
    deciding = Deciding()
    deciding.locked[ACME].set()
    for n in range(BATCH_MAX + 1):
        deciding.queues.add(ACME, _request(str(n)))

    await deciding.queues.finish()

    assert [len(batch) for batch in deciding.batches] == [BATCH_MAX, 1]


async def test_what_waits_counts_for_its_own_customer_until_there_is_too_much_of_all() -> None:
    deciding = Deciding()
    for n in range(3):
        deciding.queues.add(ACME, _request(f"a-{n}"))
    assert deciding.queues.waiting_for(["acme", "globex"]) == 3
    assert deciding.queues.waiting_for(["globex"]) == 0

    for n in range(WAITING_MAX - 4):
        deciding.queues.add(GLOBEX, _request(f"b-{n}", "globex"))
    assert deciding.queues.waiting_for(["acme"]) == 3
    deciding.queues.add(GLOBEX, _request("last", "globex"))
    assert deciding.queues.waiting_for(["acme"]) == WAITING_MAX
    assert deciding.queues.waiting_for(["initech"]) == 0

    for locked in deciding.locked.values():
        locked.set()
    await deciding.queues.finish()


async def test_a_batch_that_reads_keeps_to_the_customers_that_had_a_queue_when_it_began() -> None:
    """Otherwise it would decide, at its end, on what it has not read for a customer whose queue ended meanwhile."""
    deciding = Deciding()
    deciding.queues.add(ACME, _request("a"))
    at_its_begin = deciding.queues.customers()

    deciding.locked[ACME].set()
    await deciding.queues.finish()

    assert at_its_begin == {ACME}
    assert deciding.queues.customers() == frozenset()
