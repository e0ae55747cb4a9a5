# SPDX-License-Identifier: Apache-2.0
"""One transaction of Contract, with the statements of each noun."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit import AuditRecorder
from meshkit import outbox, requests
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.outbox import Outbox
from meshkit.requests import Command
from services.contract import tables
from services.contract.domain.commands.responses import Response
from services.contract.store.audit import DueRecords
from services.contract.store.auto_top_ups import StoredAutoTopUps
from services.contract.store.billing import StoredBilling
from services.contract.store.contracts import StoredContracts
from services.contract.store.credits import StoredAccountCredits, StoredCreditNotes
from services.contract.store.customers import StoredCustomers
from services.contract.store.dunning import StoredDunning
from services.contract.store.formats import NOTICES, RESPONSES
from services.contract.store.invoice_charges import StoredInvoiceCharges
from services.contract.store.invoice_refunds import StoredInvoiceRefunds
from services.contract.store.invoices import StoredInvoices
from services.contract.store.money_back import StoredMoneyBack
from services.contract.store.numbers import StoredNumbers
from services.contract.store.open_payments import OpenPayments, open_payments
from services.contract.store.parties import StoredParties
from services.contract.store.payment_setups import StoredPaymentSetups
from services.contract.store.payments import StoredPayments
from services.contract.store.plan_changes import StoredPlanChanges
from services.contract.store.plan_offers import StoredPlanOffers
from services.contract.store.refunds import StoredRefunds
from services.contract.store.responses import OwnResponses
from services.contract.store.seat_voids import StoredSeatVoids
from services.contract.store.seats import StoredSeats
from services.contract.store.top_ups import StoredTopUps
from services.contract.store.usage import StoredUsage

R = TypeVar("R", bound=Response)


class Transaction:
    """The statements of one transaction. READ COMMITTED: lock what must not change before the commit.

    Locks are taken in this order: the customer (if the Ledger gets a notice), the contract, the invoice, the
    account credit, and last the series of numbers.
    """

    def __init__(self, connection: AsyncConnection, *, wall: Clock, ids: Ids) -> None:
        recorder = AuditRecorder(tables.audit_events, wall=wall, ids=ids)
        self.responses = OwnResponses(connection, tables.requests, RESPONSES, wall=wall, recorder=recorder)
        self.due_records = DueRecords(connection, recorder)
        self.outbox = Outbox(connection, tables.outbox, NOTICES, wall=wall, ids=ids)
        self.customers = StoredCustomers(connection)
        self.contracts = StoredContracts(connection)
        self.seats = StoredSeats(connection)
        self.seat_voids = StoredSeatVoids(connection)
        self.billing = StoredBilling(connection)
        self.invoices = StoredInvoices(connection)
        self.parties = StoredParties(connection)
        self.credit_notes = StoredCreditNotes(connection)
        self.account_credits = StoredAccountCredits(connection)
        self.numbers = StoredNumbers(connection)
        self.top_ups = StoredTopUps(connection)
        self.payments = StoredPayments(connection)
        self.dunning = StoredDunning(connection)
        self.invoice_charges = StoredInvoiceCharges(connection)
        self.invoice_refunds = StoredInvoiceRefunds(connection)
        self.payment_setups = StoredPaymentSetups(connection)
        self.refunds = StoredRefunds(connection)
        self.money_back = StoredMoneyBack(connection)
        self.auto_top_ups = StoredAutoTopUps(connection, wall=wall)
        self.plan_changes = StoredPlanChanges(connection)
        self.plan_offers = StoredPlanOffers(connection)
        self.usage = StoredUsage(connection)


class PostgresStore:
    """Opens transactions. wall: dates requests and notices; sandbox time must not affect them."""

    def __init__(self, engine: AsyncEngine, *, wall: Clock, ids: Ids) -> None:
        self._engine = engine
        self._wall = wall
        self._ids = ids

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit when the block ends, roll back when it raises."""
        async with self._engine.begin() as connection:
            yield Transaction(connection, wall=self._wall, ids=self._ids)

    async def find_response(self, command: Command, response_type: type[R]) -> R | None:
        """Return the stored response to a request if there is one. Claims nothing. Raises RequestIdReused.

        For operations that call a peer before their transaction: a retry does not need the peer.
        """
        async with self._engine.connect() as connection:
            transaction = Transaction(connection, wall=self._wall, ids=self._ids)
            return await transaction.responses.find(command, response_type)

    async def open_payments(self) -> list[OpenPayments]:
        """Return how many payments the provider is still asked about."""
        async with self._engine.connect() as connection:
            return await open_payments(connection)

    async def forget(self, *, requests_before: datetime, notices_before: datetime) -> int:
        """Delete requests and delivered notices older than an instant, a limited number. Returns the number of rows."""
        async with self._engine.begin() as connection:
            forgotten = await requests.forget(connection, tables.requests, before=requests_before)
        async with self._engine.begin() as connection:
            forgotten += await outbox.forget_sent(connection, tables.outbox, before=notices_before)
        return forgotten
