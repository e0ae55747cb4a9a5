# SPDX-License-Identifier: Apache-2.0
"""SetOveragePolicy."""

from dataclasses import replace

from meshkit.clock import Clock
from services.contract.domain.billing.state import contract_now
from services.contract.domain.commands.contracts import SetOveragePolicy
from services.contract.domain.contract import ContractNow, refuse_over
from services.contract.domain.overage import OverageLimit, limits_at
from services.contract.operations.ports import Catalog, Relay
from services.contract.operations.terms import lock_contract, save_terms
from services.contract.store import PostgresStore


class OveragePolicies:
    """Changes whether usage goes on when the credits of a contract run out, and notifies the Ledger, which decides."""

    def __init__(self, *, store: PostgresStore, catalog: Catalog, relay: Relay, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._relay = relay
        self._clock = clock

    async def set(self, command: SetOveragePolicy) -> ContractNow:
        """Replace the policy of a contract, from the next call on. What was overage before stays so.

        Raises ContractNotFound, ContractEnded, CurrencyDiffers, ConversionMissing, PeerUnavailable.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, ContractNow)) is not None:
            return first
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(command.contract_id)
        overage: tuple[OverageLimit, ...] = ()
        if command.overage:
            # A contract keeps its rate card.
            money = await self._catalog.card_money(contract.rate_card_id)
            overage = limits_at(command.overage, money, contract.rate_card_id)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, ContractNow)) is not None:
                return first
            contract = await lock_contract(tx, command.contract_id)
            refuse_over(contract, at=at)
            contract = await save_terms(tx, replace(contract, overage=overage))
            [states] = await tx.billing.states([contract])
            changed = contract_now(contract, states, at)
            await tx.responses.store(command, changed)
        await self._relay.deliver_now(contract.customer_id)
        return changed
