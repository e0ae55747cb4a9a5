# SPDX-License-Identifier: Apache-2.0
"""Two replicas and many readers follow the same usage: each entry is on one invoice."""

import asyncio
import random
from datetime import timedelta

import pytest

from purser.contract.v1 import contract_pb2 as pb
from tests.support.catalog import RunningCatalog
from tests.support.contract import Desk, RunningContract, day, running_contract
from tests.support.faults import outcome
from tests.support.invoices import finalize, read, usage_invoices
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.usage_entries import UsageEntries

JUNE = day(6, 1)
CREDIT = 1_000_000


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_entry_is_on_one_invoice(
    databases: Databases,
    running_catalog_service: RunningCatalog,
    running: RunningContract,
    ledger: RecordingLedger,
    desk: Desk,
    seed: int,
) -> None:
    chance = random.Random(seed)
    used = UsageEntries(desk.sells.credits.credit_type_id, JUNE)
    used.answer_for(ledger)
    signed = await desk.sign(desk.seats(4))
    async with running_contract(
        databases,
        catalog_address=running_catalog_service.address,
        ledger_address=ledger.address,
        clock=running.clock,
    ) as other:
        at = JUNE
        while at < day(7, 20):
            at += timedelta(hours=chance.randrange(6, 60))
            running.clock.advance_to(at)
            for _ in range(chance.randrange(4)):
                late = timedelta(hours=chance.randrange(200))
                paid = chance.choice(["INCLUDED", "TOP_UP", "OVERAGE"])
                used.use(max(JUNE, at - late), chance.randrange(1, 9), user=chance.choice("abc"), paid=paid)
            drafts = [one for one in await desk.invoices(signed) if one.status == pb.INVOICE_STATUS_DRAFT]
            work = [running.app.run_due(at), other.app.run_due(at)]
            work += [read(stub, one) for one in drafts for stub in (running.stub, other.stub)]
            if drafts and chance.random() < 0.2:
                work.append(outcome(other.stub.FinalizeInvoice(finalize(desk, drafts[0]))))
            await asyncio.gather(*work)
        running.clock.advance_to(day(9, 3))
        await asyncio.gather(running.app.run_due(day(9, 3)), other.app.run_due(day(9, 3)))

    found = await usage_invoices(desk, signed)

    shown = sum(line.credits_micros for one in found for line in one.usage.lines)
    assert shown == sum(micros for _, _, micros, _ in used.entries)
    beyond = sum(micros for _, _, micros, paid in used.entries if paid == "OVERAGE")
    assert sum(one.invoice.total.micros for one in found) == beyond
    numbers = sorted(one.number for one in await desk.invoices(signed) if one.number)
    assert numbers == [f"{n:06d}" for n in range(1, len(numbers) + 1)]
