# SPDX-License-Identifier: Apache-2.0
"""RepriceSeats: billed periods at prices that were corrected afterwards."""

from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.contract.domain.billing.repricing import has_paid_back, reprice
from services.contract.domain.commands.seats import RepriceSeats, SeatsRepriced
from services.contract.domain.contract import Contract
from services.contract.domain.invoice import InvoiceLine
from services.contract.operations.billing.invoicing import draft_of
from services.contract.operations.billing.issuing import issue
from services.contract.operations.billing.prices import Rates, SeatPrices
from services.contract.operations.ports import Catalog
from services.contract.store import PostgresStore, Transaction


class Repricing:
    """Charges billed seats at corrected prices. Source: services/contract/README.md, "Corrected prices"."""

    def __init__(self, *, store: PostgresStore, catalog: Catalog, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._ids = ids

    async def reprice(self, command: RepriceSeats) -> SeatsRepriced:
        """Invoice the differences of all billed periods of a contract. Raises ContractNotFound, PeerUnavailable."""
        at = self._clock.now()
        if (first := await self._store.find_response(command, SeatsRepriced)) is not None:
            return first
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(command.contract_id)
        # Read before the lock is taken: no rpc inside a transaction.
        rates = await SeatPrices(self._catalog).of_all(contract)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, SeatsRepriced)) is not None:
                return first
            contract = await tx.contracts.lock(command.contract_id)
            lines = await self._reprice_periods(tx, contract, rates, at=at)
            draft = await draft_of(tx, contract, lines, issue_time=at, ids=self._ids)
            issued = await issue(tx, [] if draft is None else [draft], at=at, ids=self._ids)
            response = SeatsRepriced(invoice=issued[0] if issued else None)
            await tx.responses.store(command, response)
        return response

    async def _reprice_periods(
        self, tx: Transaction, contract: Contract, rates: Rates, *, at: datetime
    ) -> list[InvoiceLine]:
        """Store the corrected prices of a locked contract's billed periods, and return the differences."""
        change = await tx.plan_changes.that_ended(contract.contract_id)
        lines = []
        [states] = await tx.billing.states([contract])
        for state in states:
            subscription_id = state.subscription.subscription_id
            for billed in await tx.billing.periods(subscription_id):
                if change is not None and has_paid_back(change, billed.period):
                    continue
                repriced = reprice(state, billed, rates.get(subscription_id, ()))
                if repriced is None:
                    continue
                await tx.billing.correct_price(subscription_id, repriced.billed, at=at)
                if repriced.line is not None:
                    lines.append(repriced.line)
        return lines
