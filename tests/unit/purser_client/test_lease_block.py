# SPDX-License-Identifier: Apache-2.0
"""Blocks that a lease of 1,000 micro-credits serves, while the Ledger does not answer."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from grpc import StatusCode

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from purser_client import Credits, GateUnreachable, Hold, Quantity
from purser_client.blocks import HoldBlock
from purser_client.leases.block import LeasedBlock
from purser_client.leases.book import LeaseBook
from purser_client.leases.keeper import LeaseKeeper
from purser_client.leases.lease import Lease
from purser_client.leases.policy import LeasePolicy
from purser_client.leases.spending import Spender
from purser_client.leases.unreported import Unreported
from purser_client.ledger_client import LedgerClient
from tests.unit.purser_client.leasing_ledger import EXPIRE_TIME, LeasingLedger
from tests.unit.purser_client.test_lease import a_lease

NOW = 1.0
AT_ONCE = timedelta(0)


class Desk:
    """One lease, and what spends it."""

    def __init__(self) -> None:
        ids = Ids(ManualClock(EXPIRE_TIME))
        self.book = LeaseBook(now=lambda: NOW)
        self.unreported = Unreported(ids=ids, reporter=None, journal=None)
        self.keeper = LeaseKeeper(
            self.book,
            LedgerClient(LeasingLedger(StatusCode.UNAVAILABLE).stub, coalesce=False),
            policy=LeasePolicy(),
            ids=ids,
            deadline=AT_ONCE,
            unreported=self.unreported,
        )
        self.lease: Lease = a_lease(1_000)

    def block(self, micros: int, *, fails_open: bool) -> LeasedBlock:
        spender = Spender(self.book, self.keeper, self.unreported, fails_open=fails_open)
        return LeasedBlock(spender, self.lease, Credits(micros), {}, no_single_block)


def no_single_block() -> HoldBlock:
    raise AssertionError("the lease serves this block")


def entered(block: LeasedBlock) -> Hold:
    hold = block.enter_now()
    assert hold is not None
    return hold


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.keeper.close()


async def test_what_a_gate_that_fails_open_has_not_reserved_is_not_given_back(desk: Desk) -> None:
    block = desk.block(600, fails_open=True)
    entered(block)

    assert await block.extend(Credits(700), AT_ONCE) is None
    assert block.leave_now(None)

    assert desk.lease.left_micros == 1_000
    assert not desk.lease.reserve(1_001, NOW)
    assert desk.lease.reserve(1_000, NOW)


@pytest.mark.parametrize("additional", [Credits(700), Quantity(700)])
async def test_a_block_that_was_extended_without_an_answer_captures_all_that_it_asked_for(
    desk: Desk, additional: Credits | Quantity
) -> None:
    block = desk.block(600, fails_open=True)
    hold = entered(block)
    assert await block.extend(additional, AT_ONCE) is None
    hold.capture()

    assert block.leave_now(None)

    assert desk.lease.left_micros == 1_000 - 1_300
    assert [use.cost_micros for use in desk.lease.begin_report()] == [1_300]


async def test_a_gate_that_fails_closed_does_not_extend_without_an_answer(desk: Desk) -> None:
    block = desk.block(600, fails_open=False)
    hold = entered(block)
    with pytest.raises(GateUnreachable):
        await block.extend(Credits(700), AT_ONCE)
    hold.capture()

    assert block.leave_now(None)

    assert [use.cost_micros for use in desk.lease.begin_report()] == [600]


async def test_a_block_is_extended_from_its_lease_without_the_ledger(desk: Desk) -> None:
    block = desk.block(600, fails_open=False)
    entered(block)

    assert await block.extend(Credits(400), AT_ONCE) is None

    assert desk.lease.left_micros == 0
    assert block.leave_now(None)
    assert desk.lease.left_micros == 1_000


async def test_a_block_is_entered_once(desk: Desk) -> None:
    block = desk.block(600, fails_open=False)
    await block.enter()

    for enter in (block.enter, block.enter_or_raise):
        with pytest.raises(RuntimeError, match="was entered before"):
            await enter()
    assert desk.lease.left_micros == 400
