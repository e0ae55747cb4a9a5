# SPDX-License-Identifier: Apache-2.0
"""Calls that the gate decides in process, from leases of a real Ledger."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser_client import Credits, Denied, Gate, GateUnreachable, LeasePolicy, Quantity
from tests.rpc.purser_client.asks import ASK, LONG, SHORT, credits_of
from tests.support.cutting_proxy import CuttingProxy
from tests.support.ledger import AI, RunningLedger

CALLS_MAX = 500  # before so many calls there is a lease
CALL: dict[str, Any] = {**ASK, "credits": "0.1"}


@pytest.fixture
async def gate(ledger: RunningLedger) -> AsyncIterator[Gate]:
    async with Gate(ledger.address, deadline=LONG, lease=True) as opened:
        yield opened


async def until_leased(gate: Gate, call: dict[str, Any] = CALL) -> int:
    """Debit until a call is decided in process; return the number of debits."""
    for number in range(1, CALLS_MAX):
        if (await gate.debit(**call)).is_leased:
            return number
    raise AssertionError(f"{CALLS_MAX} calls, and no lease")


async def leases_of(ledger: RunningLedger) -> list[apb.Hold]:
    holds = (await ledger.admin.ListHolds(apb.ListHoldsRequest(customer="acme", is_open=True))).holds
    return [hold for hold in holds if hold.hold_id.startswith("lse_")]


async def test_frequent_calls_are_decided_in_process_and_charged_to_the_micro(
    gate: Gate, ledger: RunningLedger
) -> None:
    debits = await until_leased(gate)
    async with gate.authorize(**ASK, quantity="0.05", user_id="ann") as hold:
        assert hold.is_leased
        assert hold.ledger_hold is not None
        assert hold.ledger_hold.hold_id.startswith("lse_")
        assert (hold.ledger_hold.credits, hold.ledger_hold.credit_type_id) == (Credits.of("0.6"), AI)
        hold.capture("0.025")
    await gate.flush()

    assert hold.capture_result is not None
    assert (hold.capture_result.captured, hold.capture_result.released) == (
        Credits.of("0.3"),
        Credits.of("0.3"),
    )
    captured = sum(grant.captured_micros for grant in await ledger.grants())
    assert captured == debits * MICROS // 10 + 3 * MICROS // 10
