# SPDX-License-Identifier: Apache-2.0
"""How the leases of a gate end when the gate does."""

import asyncio
from datetime import timedelta

import pytest
from grpc import StatusCode

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import Credits
from purser_client.leases.book import LeaseBook
from purser_client.leases.keeper import REPORTS_AT_ONCE, LeaseKeeper
from purser_client.leases.policy import LeasePolicy
from purser_client.leases.unreported import Unreported
from purser_client.ledger_client import LedgerClient
from tests.unit.purser_client.leasing_ledger import EXPIRE_TIME, LeasingLedger
from tests.unit.purser_client.memory_ledger import CREDIT

NOW = 1_000.0
CUSTOMERS = [f"cus_{number}" for number in range(3 * REPORTS_AT_ONCE)]


async def spend_from_leases(ledger: LeasingLedger) -> LeaseKeeper:
    """Return a keeper with a lease for each customer, and one use of each."""
    ids = Ids(ManualClock(EXPIRE_TIME))
    book = LeaseBook(now=lambda: NOW)
    keeper = LeaseKeeper(
        book,
        LedgerClient(ledger.stub, coalesce=False),
        policy=LeasePolicy(),
        ids=ids,
        deadline=timedelta(0),
        unreported=Unreported(ids=ids, reporter=None, journal=None),
    )
    others = asyncio.all_tasks()
    for customer in CUSTOMERS:
        for _ in range(3):
            slot = book.note(customer, "prd_assistant", {}, micros=CREDIT, available_micros=400 * CREDIT)
        assert slot is not None
        keeper.consider(slot)
    await asyncio.wait(asyncio.all_tasks() - others)
    for customer in CUSTOMERS:
        lease = book.find(customer, "prd_assistant", {})
        assert lease is not None
        assert lease.spend(CREDIT, Credits(CREDIT), {}, NOW)
    return keeper


async def test_a_ledger_that_does_not_answer_is_waited_for_once_however_many_leases_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = LeasingLedger(StatusCode.DEADLINE_EXCEEDED)
    keeper = await spend_from_leases(ledger)

    await keeper.close()

    assert len(ledger.asked_of(pb.EndLeaseRequest)) == REPORTS_AT_ONCE
    assert sum("were not reported" in line for line in caplog.messages) == len(CUSTOMERS)


async def test_a_ledger_that_refuses_one_lease_is_asked_about_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = LeasingLedger(StatusCode.NOT_FOUND)
    keeper = await spend_from_leases(ledger)

    await keeper.close()

    assert len(ledger.asked_of(pb.EndLeaseRequest)) == len(CUSTOMERS)
    assert sum("were not reported" in line for line in caplog.messages) == len(CUSTOMERS)
