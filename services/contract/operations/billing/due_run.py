# SPDX-License-Identifier: Apache-2.0
"""The due run: bills every period and every dated increase once, in due order, dated when it was due."""

from dataclasses import replace
from datetime import datetime

import structlog

from meshkit.errors import MeshError
from meshkit.ids import Ids
from services.contract.domain.contract import Contract
from services.contract.domain.errors.catalog import PeerUnavailable
from services.contract.domain.free_credits import free_schedules, may_charge_free_seats, with_prices
from services.contract.domain.ids import ContractId
from services.contract.operations.billing.instant import bill_instant
from services.contract.operations.billing.issuing import issue
from services.contract.operations.billing.passed_ends import settle_passed_end
from services.contract.operations.billing.prices import Rates, SeatPrices
from services.contract.operations.ports import Catalog
from services.contract.operations.terms import lock_contract, save_terms
from services.contract.store import PostgresStore, Transaction

CONTRACTS_PER_READ_MAX = 200
INSTANTS_PER_CONTRACT_MAX = 10_000

log = structlog.get_logger(__name__)


class Billing:
    """Bills what is due. Any number of replicas may do so at once: the lock of the contract and the unique key of
    billed periods make each charge happen once.
    """

    def __init__(self, *, store: PostgresStore, catalog: Catalog, ids: Ids) -> None:
        self._store = store
        self._catalog = catalog
        self._ids = ids
        # Contracts whose last attempt failed. Each is logged once, not every second.
        self._waiting: set[ContractId] = set()

    async def run_due(self, at: datetime) -> None:
        """Bill everything due up to `at`. A contract without a price waits for the next run.

        Raises PeerUnavailable if the Catalog was down and a contract waits for it.
        """
        prices = SeatPrices(self._catalog)
        unavailable: PeerUnavailable | None = None
        after: tuple[datetime, ContractId] | None = None
        while due := await self._due(at, after):
            first_due = due[0][0]
            for due_time, contract_id in due:
                if due_time > first_due:
                    break  # a contract billed just now may be due again before this one
                after = (due_time, contract_id)
                # A contract without a price waits and does not block the others.
                fault = await self._try_instant(contract_id, due_time, prices, at=at)
                unavailable = fault if isinstance(fault, PeerUnavailable) else unavailable
        if unavailable is not None:
            raise unavailable

    async def catch_up(self, contract_id: ContractId, at: datetime) -> None:
        """Bill what one contract has due up to `at`, as far as it can be priced.

        Raises nothing if the Catalog is down: a seat change does not have to wait for it.
        """
        prices = SeatPrices(self._catalog)
        for _ in range(INSTANTS_PER_CONTRACT_MAX):
            async with self._store.transaction() as tx:
                contract = await tx.contracts.find(contract_id)
            due_time = contract.next_due_time
            if due_time is None or due_time > at:
                return
            if await self._try_instant(contract_id, due_time, prices, at=at) is not None:
                return

    async def _due(
        self, at: datetime, after: tuple[datetime, ContractId] | None
    ) -> list[tuple[datetime, ContractId]]:
        async with self._store.transaction() as tx:
            return await tx.contracts.due(at=at, after=after, rows_max=CONTRACTS_PER_READ_MAX)

    async def _try_instant(
        self, contract_id: ContractId, due_time: datetime, prices: SeatPrices, *, at: datetime
    ) -> MeshError | None:
        """Bill one instant of a contract. Returns the fault if the contract must wait."""
        try:
            await self._bill_instant(contract_id, due_time, prices, at=at)
        except MeshError as fault:
            if contract_id not in self._waiting:
                self._waiting.add(contract_id)
                log.warning("contract_not_billed", contract_id=contract_id, reason=fault.reason)
            return fault
        self._waiting.discard(contract_id)
        return None

    async def _bill_instant(
        self, contract_id: ContractId, due_time: datetime, prices: SeatPrices, *, at: datetime
    ) -> None:
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(contract_id)
        # Read before the lock is taken: no rpc inside a transaction.
        rates = await prices.of(contract, due_time)
        ends = _passes_end(contract, due_time)
        tells = ends or may_charge_free_seats(contract, rates)
        async with self._store.transaction() as tx:
            # A notice to the Ledger is written under the lock of the customer.
            contract = await (lock_contract(tx, contract_id) if tells else tx.contracts.lock(contract_id))
            if contract.next_due_time != due_time or _passes_end(contract, due_time) != ends:
                return  # another replica, or a seat change, billed it meanwhile
            [states] = await tx.billing.states([contract])
            if ends:
                contract, states = await settle_passed_end(tx, contract, states, rates, ids=self._ids)
            after, invoice, next_due_time = await bill_instant(
                tx, contract, states, due_time, rates, ids=self._ids
            )
            if tells:
                billed = replace(contract, subscriptions=tuple(one.subscription for one in after))
                await _tell_free_schedules(tx, contract, rates, billed)
            await tx.contracts.save_due(contract_id, next_due_time)
            await tx.due_records.billed(contract, invoice)
            await issue(tx, [] if invoice is None else [invoice], at=at, ids=self._ids)


async def _tell_free_schedules(tx: Transaction, contract: Contract, rates: Rates, billed: Contract) -> None:
    """Tell the Ledger from when on free seats have a price, and which seats have none any more.

    contract: locked, after its customer, and not billed yet. rates: read now. billed: the contract afterwards.
    """
    known = with_prices(contract, rates)
    told = free_schedules(contract)
    if free_schedules(known) != told:
        billed = replace(billed, version=(await save_terms(tx, known)).version)
    if {one.grant_schedule_id for one in free_schedules(billed)} - {one.grant_schedule_id for one in told}:
        await save_terms(tx, billed)


def _passes_end(contract: Contract, due_time: datetime) -> bool:
    """Return whether what is due is also the end of a contract, whose money is then settled."""
    return contract.settles_end and contract.end_time == due_time
