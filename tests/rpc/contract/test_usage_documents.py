# SPDX-License-Identifier: Apache-2.0
"""Invoices with usage as documents for people."""

from datetime import timedelta

import pytest

from purser.contract.v1 import contract_pb2 as pb
from tests.rpc.contract.test_documents import PDF, document, texts
from tests.support.contract import Desk, RunningContract, day
from tests.support.invoices import billing, usage_invoices
from tests.support.ledger_peer import RecordingLedger
from tests.support.usage_entries import UsageEntries

JUNE, JULY = day(6, 1), day(7, 1)
PERIOD = "Usage Jun 1, 2025 to Jul 1, 2025 (UTC, end not included)"


@pytest.fixture
def used(ledger: RecordingLedger, desk: Desk) -> UsageEntries:
    entries = UsageEntries(desk.sells.credits.credit_type_id, JUNE)
    entries.answer_for(ledger)
    return entries


async def test_an_invoice_says_who_used_what_who_paid_and_what_overage_costs(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 300)
    used.use(day(6, 4), 100, user="bob")
    used.use(day(6, 5), 20.5, user="bob", paid="OVERAGE")
    await running.advance_to(JULY + timedelta(days=1))
    (invoice,) = await usage_invoices(desk, signed)

    said = await texts(desk, invoice.invoice)

    at = said.index("AI assistant: overage")
    period = "Jun 1, 2025 to Jul 1, 2025 (UTC, end not included)"
    assert said[at : at + 7] == ["AI assistant: overage", period, "20.5", "1.00", "1", "20.500000", "20.50"]
    usage = said[said.index(PERIOD) + 1 :]
    assert usage[:4] == ["Product", "User", "Credits", "Paid by"]
    assert usage[4:8] == ["AI assistant", "ada", "300", "Included credits of Jun 1, 2025: 300"]
    assert usage[8:12] == [
        "AI assistant",
        "bob",
        "120.5",
        "Included credits of Jun 1, 2025: 100; Overage, charged above: 20.5",
    ]
    assert usage[12:15] == ["All usage", "420.5", "Included credits: 400; Overage, charged above: 20.5"]
    pdf = await document(desk, invoice.invoice, PDF)
    assert pdf.content.startswith(b"%PDF-")


async def test_a_statement_is_not_called_an_invoice_and_names_no_amount(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 5, user="<b>ada</b>", paid="SHORTFALL")
    await running.advance_to(day(6, 4))
    (draft,) = await usage_invoices(desk, signed)
    assert f"{PERIOD}, as of Jun 4, 2025, 12:00:00 AM" in [
        one.replace("\u202f", " ") for one in await texts(desk, draft.invoice)
    ]

    await running.advance_to(JULY + timedelta(days=1))
    (statement,) = await usage_invoices(desk, signed)
    said = await texts(desk, statement.invoice)

    assert statement.invoice.status == pb.INVOICE_STATUS_STATEMENT
    assert said[:3] == ["Usage statement", "Usage statement", "Statement, nothing to pay"]
    assert said[said.index(PERIOD) + 5 :][:4] == [
        "AI assistant",
        "<b>ada</b>",
        "5",
        "Not covered, not charged: 5",
    ]
    assert "Total" not in said
    assert "Invoice" not in " ".join(said)


async def test_words_are_in_the_customer_s_language(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    await desk.contract.SetBillingDetails(billing(desk, signed.contract.customer_id, language="de"))
    used.use(day(6, 3), 1234.5)
    await running.advance_to(JULY + timedelta(days=1))
    (statement,) = await usage_invoices(desk, signed)

    said = await texts(desk, statement.invoice)

    assert said[1] == "Nutzungsaufstellung"
    assert said[-3:] == ["Gesamte Nutzung", "1.234,5", "Enthaltene Credits: 1.234,5"]
