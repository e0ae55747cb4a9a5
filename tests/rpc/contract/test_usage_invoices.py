# SPDX-License-Identifier: Apache-2.0
"""Usage on invoices: drafts follow it, each entry is on one invoice, and overage costs money."""

from datetime import timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from tests.support.contract import Desk, RunningContract, day, dollars
from tests.support.invoices import shown_usage, usage_invoices
from tests.support.ledger_peer import RecordingLedger
from tests.support.usage_entries import UsageEntries

TICK, DAY = timedelta(microseconds=1), timedelta(days=1)
JUNE, JULY, AUGUST = day(6, 1), day(7, 1), day(8, 1)


@pytest.fixture
def used(ledger: RecordingLedger, desk: Desk) -> UsageEntries:
    entries = UsageEntries(desk.sells.credits.credit_type_id, JUNE)
    entries.answer_for(ledger)
    return entries


async def test_a_draft_follows_the_usage_of_the_open_period_and_closes_a_day_after_it(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    await running.advance_to(JUNE)
    used.use(day(6, 3), 30)
    await running.advance_to(day(6, 4))

    (draft,) = await usage_invoices(desk, signed)
    assert draft.invoice.status == pb.INVOICE_STATUS_DRAFT
    assert shown_usage(draft.usage) == [("ada", "INCLUDED", 30)]
    assert draft.usage.period.start_time == timestamp(JUNE)
    assert draft.usage.period.end_time == timestamp(JULY)

    used.use(day(6, 4), 12, user="bob", paid="TOP_UP")
    running.clock.advance_to(day(6, 4) + timedelta(minutes=1))
    (draft,) = await usage_invoices(desk, signed)
    assert shown_usage(draft.usage) == [("ada", "INCLUDED", 30), ("bob", "TOP_UP", 12)]
    assert draft.usage.refresh_time == timestamp(running.clock.now())

    await running.advance_to(JULY + DAY - TICK)
    used.use(JULY - TICK, 5)  # reported late, within the grace period
    (draft,) = await usage_invoices(desk, signed)
    assert draft.invoice.status == pb.INVOICE_STATUS_DRAFT

    await running.advance_to(JULY + DAY)
    (closed,) = await usage_invoices(desk, signed)
    assert closed.invoice.status == pb.INVOICE_STATUS_STATEMENT
    assert closed.invoice.number == ""
    assert shown_usage(closed.usage) == [("ada", "INCLUDED", 35), ("bob", "TOP_UP", 12)]
    assert [(one.sequence) for one in closed.usage.covered] == [3]
    assert closed.invoice.issue_time == timestamp(JULY)


async def test_overage_costs_money(desk: Desk, running: RunningContract, used: UsageEntries) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 400)
    used.use(day(6, 4), 20.5, paid="OVERAGE")
    await running.advance_to(JULY + DAY)

    (invoice,) = await usage_invoices(desk, signed)
    assert invoice.invoice.status == pb.INVOICE_STATUS_OPEN
    assert invoice.invoice.number == "000002"
    (line,) = invoice.invoice.lines
    assert line.kind == pb.INVOICE_LINE_KIND_OVERAGE
    assert line.description == "AI assistant: overage"
    assert (line.quantity, line.fraction) == (41, pb.Fraction(numerator=1, denominator=2))
    assert dollars(invoice.invoice.total) == "20.50"
