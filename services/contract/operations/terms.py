# SPDX-License-Identifier: Apache-2.0
"""What changes of a signed contract have in common: locks in one order, a new version, a notice to the Ledger."""

from dataclasses import replace

from services.contract.domain.contract import Contract
from services.contract.domain.ids import ContractId
from services.contract.domain.notices import contract_changed
from services.contract.store import Transaction


async def lock_contract(tx: Transaction, contract_id: ContractId) -> Contract:
    """Lock a contract, and before it its customer, so that the customer's notices are written in one order.

    Raises ContractNotFound.
    """
    await tx.customers.lock_id(await tx.contracts.customer_of(contract_id))
    return await tx.contracts.lock(contract_id)


async def save_terms(tx: Transaction, contract: Contract) -> Contract:
    """Save the changed terms of a locked contract as its next version, and write the notice to the Ledger."""
    contract = replace(contract, version=contract.version + 1)
    await tx.contracts.save_terms(contract)
    await tx.outbox.enqueue(contract_changed(contract), key=contract.customer_id)
    return contract
