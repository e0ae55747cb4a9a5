# SPDX-License-Identifier: Apache-2.0
"""A voided grant of seats: what was drawn or held before the void returns to nobody, what seats brought later does."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from purser.ledger.v1 import ledger_admin_pb2 as admin
from tests.rpc.ledger.test_amend_usage import amend, properties
from tests.rpc.ledger.test_hold_events import of_hold
from tests.rpc.ledger.test_void_usage import RISING, graduated, void
from tests.support.ledger import CREDIT, JUNE, RunningLedger, a_schedule, running_ledger
from tests.support.postgres import Databases
from tests.support.reported import an_event, report

TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def ledger(databases: Databases) -> AsyncIterator[RunningLedger]:
    """On 1 June: acme's 4 seats bring 400 credits a month, and each seat that is added 100."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.tell_customer("cus_acme", "acme")
        await running.apply_contract(start=JUNE, schedules=[a_schedule(prorates_increases=False)])
        yield running


async def void_seats(ledger: RunningLedger) -> None:
    await ledger.void((await ledger.grants())[0].grant_id)
    ledger.clock.advance_to(ledger.clock.now() + TICK)


async def available(ledger: RunningLedger) -> int:
    """Return what can be drawn, in whole credits, after a recount."""
    await ledger.assert_adds_up()
    return (await ledger.pool()).available_micros // CREDIT


async def test_what_was_held_before_the_void_and_captured_after_it_is_voided_when_it_comes_back(
    ledger: RunningLedger,
) -> None:
    hold = await ledger.authorize(300)
    await void_seats(ledger)
    await ledger.capture(hold.hold_id, 120)

    await void(ledger, hold_id=hold.hold_id)

    assert await available(ledger) == 0
    newest = (await ledger.entries())[0]
    assert (newest.entry_kind, newest.amount_micros) == (admin.ENTRY_KIND_VOID, -120 * CREDIT)


async def test_seats_added_after_the_void_do_not_bring_back_what_was_held_before_it(
    ledger: RunningLedger,
) -> None:
    hold = await ledger.authorize(300)
    await void_seats(ledger)
    await ledger.change_seats(1, JUNE, sequence=1)
    await ledger.capture(hold.hold_id, 120)

    await void(ledger, hold_id=hold.hold_id)

    assert await available(ledger) == 100


async def test_what_a_hold_took_after_the_void_can_be_drawn_again(ledger: RunningLedger) -> None:
    await void_seats(ledger)
    await ledger.change_seats(1, JUNE, sequence=1)
    hold = await ledger.authorize(70)
    await ledger.capture(hold.hold_id)

    await void(ledger, hold_id=hold.hold_id)

    assert await available(ledger) == 100


async def test_of_a_capture_above_its_hold_only_what_was_held_is_voided(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(300)
    await void_seats(ledger)
    await ledger.change_seats(1, JUNE, sequence=1)
    await ledger.capture(hold.hold_id, 370)
    before = await available(ledger)

    await void(ledger, hold_id=hold.hold_id)

    assert (before, await available(ledger)) == (30, 100)


# Each row: how long before the hold's expiry it is captured, and what can be drawn after the void of the usage.
@pytest.mark.parametrize(("before", "left"), [(TICK, 100), (timedelta(0), 100)])
async def test_a_late_capture_draws_what_seats_brought_and_that_comes_back(
    ledger: RunningLedger, before: timedelta, left: int
) -> None:
    hold = await ledger.authorize(80, hold_ttl=Duration(seconds=60))
    await void_seats(ledger)
    await ledger.change_seats(1, JUNE, sequence=1)
    ledger.clock.advance_to(JUNE + MINUTE - before)
    captured = await ledger.capture(hold.hold_id)
    drawn = 100 - await available(ledger)

    await void(ledger, hold_id=hold.hold_id)

    assert (captured.is_late, drawn) == ((True, 80) if before == timedelta(0) else (False, 0))
    assert await available(ledger) == left


async def test_an_event_that_captured_a_hold_is_amended_and_the_difference_is_voided(
    ledger: RunningLedger,
) -> None:
    hold = await ledger.authorize(0, quantity_micros=20 * 10**6, user="ann")
    await void_seats(ledger)
    await report(ledger, of_hold(hold.hold_id, "20"))

    lines = await amend(ledger, "tx-1", properties("5"))

    # 20 units at 12 credits came back and were voided, so that 5 units find nothing in the grant.
    assert sum(shortfall for _, _, shortfall in lines) == 60 * CREDIT
    assert await available(ledger) == 0


async def test_what_comes_back_from_other_usage_of_the_meter_is_voided_too(ledger: RunningLedger) -> None:
    """10 units at 1 credit, above at 5: without the 10 of the event, the 10 of the hold cost 50 less 40."""
    await graduated(ledger, RISING)
    await report(ledger, an_event("e1", "10"))
    hold = await ledger.authorize(0, quantity_micros=10 * 10**6, user="bob")
    await void_seats(ledger)
    await ledger.capture(hold.hold_id, quantity_micros=10 * 10**6)

    await void(ledger, "e1")

    assert await available(ledger) == 0
    lines = [(one.entry_kind, one.amount_micros // CREDIT) for one in (await ledger.entries())[:4]]
    assert lines == [
        (admin.ENTRY_KIND_VOID, -40),
        (admin.ENTRY_KIND_CORRECTION, 40),
        (admin.ENTRY_KIND_VOID, -10),
        (admin.ENTRY_KIND_CORRECTION, 10),
    ]


async def test_a_second_void_takes_what_seats_brought_and_what_returns_of_it(ledger: RunningLedger) -> None:
    await void_seats(ledger)
    await ledger.change_seats(1, JUNE, sequence=1)
    hold = await ledger.authorize(70)
    await void_seats(ledger)
    await ledger.capture(hold.hold_id, 50)
    before = await available(ledger)

    await void(ledger, hold_id=hold.hold_id)

    assert (before, await available(ledger)) == (0, 0)


async def test_a_second_void_when_all_is_spent_takes_what_returns_later(ledger: RunningLedger) -> None:
    await void_seats(ledger)
    await ledger.change_seats(1, JUNE, sequence=1)
    await report(ledger, an_event("e1", "9"))
    spent = await available(ledger)
    await void_seats(ledger)

    await void(ledger, "e1")

    assert (spent, await available(ledger)) == (0, 0)


async def test_fewer_seats_after_the_void_bring_nothing_back(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(300)
    await void_seats(ledger)
    await ledger.change_seats(-2, JUNE, sequence=1)
    await ledger.change_seats(2, JUNE + TICK, sequence=2)
    await ledger.release(hold.hold_id)

    assert await available(ledger) == 0


async def test_what_an_adjustment_took_does_not_return_to_a_voided_grant(ledger: RunningLedger) -> None:
    await ledger.authorize(300, hold_ttl=Duration(seconds=60))
    await ledger.admin.AdjustBalance(
        admin.AdjustBalanceRequest(
            request_id=ledger.request_id(),
            customer="acme",
            credit_type_id="crt_ai",
            amount_micros=-100 * CREDIT,
            reason="granted too much",
            actor="ops@seatsco.example",
        )
    )
    await void_seats(ledger)
    ledger.clock.advance_to(JUNE + MINUTE)

    assert await available(ledger) == 0
    assert (await ledger.pool()).remaining_micros == 0
