# SPDX-License-Identifier: Apache-2.0
"""What an entry says about usage: quantity, contract, and usage that cost nothing."""

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, a_rate

UNIT = 1_000_000


@pytest.fixture
async def free(ledger: RunningLedger) -> RunningLedger:
    """The product prd_free costs nothing."""
    await ledger.tell_product("prd_free")
    await ledger.tell_card(a_rate(), a_rate("prd_free", price_micros=0), version=2)
    return ledger


async def _usage_entries(ledger: RunningLedger) -> list[tuple[str, int, int]]:
    """Return kind, amount and quantity of the entries about usage, oldest first."""
    return [
        (admin.EntryKind.Name(one.entry_kind)[11:], one.amount_micros, one.quantity_micros)
        for one in reversed(await ledger.entries())
        if one.product_id
    ]


async def _captures(ledger: RunningLedger) -> list[tuple[str, int]]:
    asked = admin.GetUsageSummaryRequest(
        customer="acme", start_time=timestamp(JUNE), end_time=timestamp(JULY)
    )
    return [(row.product_id, row.captures) for row in (await ledger.admin.GetUsageSummary(asked)).rows]


async def test_a_debit_that_costs_nothing_leaves_an_entry_and_is_counted(free: RunningLedger) -> None:
    await free.debit(0, product_id="prd_free", quantity_micros=3 * UNIT)

    assert await _usage_entries(free) == [("UNCHARGED", 0, 3 * UNIT)]
    assert await _captures(free) == [("prd_free", 1)]
    await free.assert_adds_up()


async def test_a_capture_that_costs_nothing_leaves_an_entry_with_what_was_held(free: RunningLedger) -> None:
    hold = await free.authorize(0, product_id="prd_free", quantity_micros=3 * UNIT)
    await free.extend(hold.hold_id, quantity_micros=2 * UNIT)
    await free.capture(hold.hold_id)

    assert await _usage_entries(free) == [("UNCHARGED", 0, 5 * UNIT)]


async def test_a_capture_of_nothing_is_no_usage(free: RunningLedger) -> None:
    hold = await free.authorize(0, product_id="prd_free", quantity_micros=3 * UNIT)
    await free.capture(hold.hold_id, quantity_micros=0)

    assert await _usage_entries(free) == []


async def test_the_quantity_is_on_the_first_entry_of_what_several_grants_pay(ledger: RunningLedger) -> None:
    await ledger.top_up(100)

    await ledger.debit(0, quantity_micros=35 * UNIT)

    assert await _usage_entries(ledger) == [
        ("CAPTURE", -400 * CREDIT, 35 * UNIT),
        ("CAPTURE", -20 * CREDIT, 0),
    ]


async def test_a_capture_above_its_hold_has_its_quantity_once(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(0, quantity_micros=30 * UNIT)
    await ledger.capture(hold.hold_id, quantity_micros=40 * UNIT)

    assert await _usage_entries(ledger) == [
        ("CAPTURE", -360 * CREDIT, 40 * UNIT),
        ("CAPTURE", -40 * CREDIT, 0),
        ("SHORTFALL", 0, 0),
    ]


async def test_usage_given_in_credits_has_no_quantity(ledger: RunningLedger) -> None:
    await ledger.debit(5)

    assert await _usage_entries(ledger) == [("CAPTURE", -5 * CREDIT, 0)]


async def test_entries_of_usage_name_the_contract_and_others_none(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(5)
    await ledger.capture(hold.hold_id)
    await ledger.debit(5)

    assert [one.contract_id for one in reversed(await ledger.entries())] == ["", "con_1", "con_1"]
    assert hold.decision == pb.DECISION_ALLOWED
