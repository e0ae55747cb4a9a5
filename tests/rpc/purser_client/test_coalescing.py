# SPDX-License-Identifier: Apache-2.0
"""A real Ledger answers coalesced calls like single calls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from purser_client import Denial, Gate, GateUnreachable, LedgerFault
from tests.rpc.purser_client.asks import ASK, LONG, SHORT, credits_of
from tests.support.cutting_proxy import CuttingProxy
from tests.support.failing_front import Away, Busy, FailingFront, hangs_after, held_up, refused, unheard
from tests.support.ledger import RunningLedger

# The calls of one caller, and the part of their answers that does not depend on the order of callers.
MIXED: list[dict[str, Any]] = [
    {"credits": 1},
    {"quantity": "0.5", "user_id": "ann"},
    {"customer": "nobody", "credits": 1},
    {"credits": 100_000},
    {"product": "prd_none", "quantity": 1},
    {"customer": "", "product": "", "credits": 1},
    {"credits": 1, "group_values": {"user_id": ""}},
    {"credits": 1, "user_id": "capped"},
    {"credits": 1, "request_id": "twin"},
    {"credits": 1, "request_id": "twin"},
    {"credits": 2, "request_id": "taken"},
    {"credits": 1, "request_id": "not valid!"},
]


@pytest.fixture
async def together(front: FailingFront) -> AsyncIterator[Gate]:
    async with Gate(front.address, deadline=LONG, coalesce=True) as gate:
        yield gate


async def _told(answer: Awaitable[Any]) -> object:
    try:
        told = await answer
    except LedgerFault as fault:
        return fault.code, fault.reason, fault.message, fault.metadata, fault.violations
    return ("denied", told.reason) if isinstance(told, Denial) else ("spent", told.debited)


def _sizes(front: FailingFront, rpc: str) -> list[int]:
    return [len(request.items) for request in front.asked_of(f"{rpc}Batch")]


async def test_a_debit_gets_the_same_answer_alone_and_together(
    together: Gate, front: FailingFront, ledger: RunningLedger
) -> None:
    await ledger.set_cap(0, user="capped")
    await ledger.debit(1, request_id="taken")
    async with Gate(ledger.address, deadline=LONG) as alone:
        expected = [await _told(alone.try_debit(**(ASK | more))) for more in MIXED]

        again = [more if "request_id" not in more else more | {"customer": "cus_acme"} for more in MIXED]
        told = await asyncio.gather(*(_told(together.try_debit(**(ASK | more))) for more in again))

    assert _sizes(front, "Debit") == [len(MIXED)]
    for more, alone_told, together_told in zip(again, expected, told, strict=True):
        if more.get("request_id") == "twin":
            # An id instead of an alias is another request body.
            assert together_told[1] == "REQUEST_ID_REUSED"  # type: ignore[index]
        else:
            assert together_told == alone_told


async def test_holds_authorized_together_are_captured_together(
    together: Gate, front: FailingFront, ledger: RunningLedger
) -> None:
    async def call() -> bool:
        async with together.try_authorize(**ASK, credits=75) as answer:
            if isinstance(answer, Denial):
                return False
            answer.capture(50)
        assert answer.capture_result is not None
        return answer.capture_result.captured.micros == 50_000_000

    allowed = await asyncio.gather(*(call() for _ in range(20)))

    # 5 × 75 are held at the same time; none is captured before all 20 are decided.
    assert sum(allowed) == 5
    assert _sizes(front, "Authorize") == [20]
    assert _sizes(front, "Capture") == [5]
    assert await credits_of(ledger) == (150, 0, 250)


async def test_a_single_call_is_a_single_rpc(together: Gate, front: FailingFront) -> None:
    await together.debit(**ASK, credits=1)

    assert [rpc for rpc, _ in front.asked] == ["Debit"]


async def test_four_hundred_callers_spend_four_hundred_credits_and_not_one_more(
    together: Gate, front: FailingFront, ledger: RunningLedger
) -> None:
    async def caller() -> int:
        spent = 0
        for _ in range(10):
            spent += not isinstance(await together.try_debit(**ASK, credits=1), Denial)
        return spent

    assert sum(await asyncio.gather(*(caller() for _ in range(60)))) == 400
    assert await credits_of(ledger) == (0, 0, 400)
    assert max(_sizes(front, "Debit")) == 60


FAILURES: dict[str, Callable[[], Any]] = {
    "refused": lambda: refused(Away("away")),
    "unheard": lambda: unheard(Away("away")),
    "busy": lambda: refused(Busy(timedelta(milliseconds=30))),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_batch_that_fails_is_retried_item_by_item_and_takes_effect_once(
    together: Gate, front: FailingFront, ledger: RunningLedger, failure: Callable[[], Any]
) -> None:
    front.will("DebitBatch", failure())

    await asyncio.gather(*(together.debit(**ASK, credits=1) for _ in range(30)))

    sent = [item.request_id for batch in front.asked_of("DebitBatch")[:1] for item in batch.items]
    again = [item.request_id for batch in front.asked_of("DebitBatch")[1:] for item in batch.items]
    again += [request.request_id for request in front.asked_of("Debit")]
    assert sorted(sent) == sorted(again)
    assert await credits_of(ledger) == (370, 0, 30)


async def test_a_batch_whose_response_is_lost_takes_effect_once(
    proxy: CuttingProxy, ledger: RunningLedger
) -> None:
    async with Gate(proxy.address, deadline=LONG, coalesce=True) as gate:
        proxy.cut_next_answers()
        await asyncio.gather(*(gate.debit(**ASK, credits=1) for _ in range(30)))

    assert proxy.cuts == 1
    assert await credits_of(ledger) == (370, 0, 30)


async def test_a_cancelled_caller_affects_no_other_and_leaves_no_hold(
    together: Gate, front: FailingFront, ledger: RunningLedger
) -> None:
    taken, go_on = asyncio.Event(), asyncio.Event()
    front.will("AuthorizeBatch", held_up(taken, go_on))

    async def call() -> None:
        async with together.authorize(**ASK, credits=10) as hold:
            hold.capture()

    leaves, stays = asyncio.create_task(call()), asyncio.create_task(call())
    await taken.wait()
    assert await credits_of(ledger) == (380, 20, 0)
    leaves.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaves
    go_on.set()
    await stays
    await together.close()

    assert await credits_of(ledger) == (390, 0, 10)


async def test_each_caller_has_its_own_deadline(
    together: Gate, front: FailingFront, ledger: RunningLedger
) -> None:
    front.will("DebitBatch", hangs_after(asyncio.Event()))

    hasty = asyncio.create_task(together.debit(**ASK, credits=1, deadline=SHORT))
    patient = asyncio.create_task(together.debit(**ASK, credits=1, deadline=2 * SHORT))
    with pytest.raises(GateUnreachable):
        await hasty
    assert not patient.done()
    with pytest.raises(GateUnreachable):
        await patient
    await together.debit(**ASK, credits=1)

    assert await credits_of(ledger) == (397, 0, 3)
