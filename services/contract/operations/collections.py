# SPDX-License-Identifier: Apache-2.0
"""SetInvoiceCollection."""

from dataclasses import replace

from meshkit.clock import Clock
from services.contract.domain.billing.state import contract_now
from services.contract.domain.collection import refuse_uncollectable
from services.contract.domain.commands.contracts import SetInvoiceCollection
from services.contract.domain.contract import ContractNow
from services.contract.store import PostgresStore


class Collections:
    """Changes how the invoices of contracts are collected."""

    def __init__(self, *, store: PostgresStore, takes_payments: bool, clock: Clock) -> None:
        self._store = store
        self._takes_payments = takes_payments
        self._clock = clock

    async def set(self, command: SetInvoiceCollection) -> ContractNow:
        """Replace how invoices are collected that are issued from now on; SEND ends the retries of earlier ones, too.

        Raises ContractNotFound, PaymentsNotSetUp.
        """
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, ContractNow)) is not None:
                return first
            contract = await tx.contracts.lock(command.contract_id)
            refuse_uncollectable(command.collection, takes_payments=self._takes_payments)
            contract = replace(contract, collection=command.collection)
            await tx.contracts.save_collection(contract)
            [states] = await tx.billing.states([contract])
            changed = contract_now(contract, states, self._clock.now())
            await tx.responses.store(command, changed)
        return changed
