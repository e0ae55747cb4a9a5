# SPDX-License-Identifier: Apache-2.0
"""The due run: bills every period and every dated increase once, in due order, dated when it was due."""

from collections.abc import Mapping
from datetime import datetime

import structlog

from meshkit.errors import MeshError
from meshkit.ids import Ids
from services.contract.domain.billing import state as billing
from services.contract.domain.billing.price import SeatRate
from services.contract.domain.billing.state import Account
from services.contract.domain.contract import BillingFrequency, Contract
from services.contract.domain.errors import PeerUnavailable
from services.contract.domain.ids import ContractId, ProductId, RateCardId, SubscriptionId
from services.contract.domain.invoice import Invoice, InvoiceStatus
from services.contract.operations.billing.invoicing import made_out
from services.contract.operations.ports import Catalog, Store, Transaction

CONTRACTS_PER_READ_MAX = 200
INSTANTS_PER_CONTRACT_MAX = 10_000

Rates = Mapping[SubscriptionId, tuple[SeatRate, ...]]

log = structlog.get_logger(__name__)


class Billing:
    """Brings about what is due. Any number of replicas may do it at once: the contract's lock and the key of
    billed periods let each thing happen once.
    """

    def __init__(self, *, store: Store, catalog: Catalog, ids: Ids) -> None:
        self._store = store
        self._catalog = catalog
        self._ids = ids
        # Contracts that could not be billed when tried last: each is logged once, not every second.
        self._waiting: set[ContractId] = set()

    async def run_due(self, at: datetime) -> None:
        """Bill everything due up to `at`. What cannot be priced waits for the next run.

        Raises PeerUnavailable when the Catalog was away and something waits for it.
        """
        prices = _Prices(self._catalog)
        away: PeerUnavailable | None = None
        after: tuple[datetime, ContractId] | None = None
        while due := await self._due(at, after):
            first_due = due[0][0]
            for due_time, contract_id in due:
                if due_time > first_due:
                    break  # a contract billed just now may be due again before this one
                after = (due_time, contract_id)
                # What has no price waits, and keeps nobody else from being billed.
                fault = await self._try_instant(contract_id, due_time, prices)
                away = fault if isinstance(fault, PeerUnavailable) else away
        if away is not None:
            raise away

    async def catch_up(self, contract_id: ContractId, at: datetime) -> None:
        """Bill what one contract has due up to `at`, as far as it can be priced.

        Raises nothing when the Catalog is away: whoever changes seats does not have to wait for it.
        """
        prices = _Prices(self._catalog)
        for _ in range(INSTANTS_PER_CONTRACT_MAX):
            async with self._store.transaction() as tx:
                contract = await tx.contracts.find(contract_id)
            due_time = contract.next_due_time
            if due_time is None or due_time > at:
                return
            if await self._try_instant(contract_id, due_time, prices) is not None:
                return

    async def _due(
        self, at: datetime, after: tuple[datetime, ContractId] | None
    ) -> list[tuple[datetime, ContractId]]:
        async with self._store.transaction() as tx:
            return await tx.contracts.due(at=at, after=after, rows_max=CONTRACTS_PER_READ_MAX)

    async def _try_instant(
        self, contract_id: ContractId, due_time: datetime, prices: "_Prices"
    ) -> MeshError | None:
        """Bill one instant of a contract; returns why it must wait, if it must."""
        try:
            await self._bill_instant(contract_id, due_time, prices)
        except MeshError as fault:
            if contract_id not in self._waiting:
                self._waiting.add(contract_id)
                log.warning("contract_not_billed", contract_id=contract_id, reason=fault.reason)
            return fault
        self._waiting.discard(contract_id)
        return None

    async def _bill_instant(self, contract_id: ContractId, due_time: datetime, prices: "_Prices") -> None:
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(contract_id)
        # Asked before the lock is taken: no rpc inside a transaction.
        rates = await prices.of(contract, due_time)
        async with self._store.transaction() as tx:
            contract = await tx.contracts.lock(contract_id)
            if contract.next_due_time != due_time:
                return  # another replica, or a change of seats, was here first
            [accounts] = await tx.seats.accounts([contract])
            _, _, next_due_time = await bill_instant(
                tx, contract, accounts, due_time, rates, ids=self._ids, finalize_time=due_time
            )
            await tx.contracts.save_due(contract_id, next_due_time)


async def bill_instant(
    tx: Transaction,
    contract: Contract,
    accounts: list[Account],
    due_time: datetime,
    rates: Rates,
    *,
    ids: Ids,
    finalize_time: datetime,
) -> tuple[list[Account], Invoice | None, datetime | None]:
    """Charge what a locked contract has to bill at an instant: the accounts after it, the invoice, what is next.

    rates: the Catalog's prices by subscription, for periods that begin. Raises RateNotFound.
    """
    settled = [
        billing.settle(account, due_time, rates.get(account.subscription.subscription_id, ()))
        for account in accounts
    ]
    for one in settled:
        if one.opened is not None:
            await tx.seats.insert_period(one.account.subscription.subscription_id, one.opened)
            await tx.contracts.save_subscription(one.account.subscription)
    after = [one.account for one in settled]
    lines = [line for one in settled for line in one.lines]
    invoice = None
    if lines:
        invoice = made_out(
            contract,
            lines,
            status=InvoiceStatus.FINALIZED,
            issue_time=due_time,
            at=finalize_time,
            ids=ids,
        )
        await tx.invoices.insert(invoice)
    return after, invoice, billing.next_due_of(after)


class _Prices:
    """The Catalog's seat prices, asked once per run and product; an absent Catalog is asked once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[tuple[RateCardId, ProductId], Mapping[BillingFrequency, tuple[SeatRate, ...]]] = {}
        self._away: PeerUnavailable | None = None

    async def of(self, contract: Contract, due_time: datetime) -> Rates:
        """Return the prices of those subscriptions for which a period begins. Raises PeerUnavailable."""
        return {
            one.subscription_id: (await self._of_product(contract.rate_card_id, one.product_id)).get(
                one.billing_frequency, ()
            )
            for one in contract.subscriptions
            if billing.begins_period(contract, one, due_time)
        }

    async def _of_product(
        self, rate_card_id: RateCardId, product_id: ProductId
    ) -> Mapping[BillingFrequency, tuple[SeatRate, ...]]:
        key = (rate_card_id, product_id)
        if key not in self._known:
            if self._away is not None:
                raise self._away
            try:
                self._known[key] = await self._catalog.rates(rate_card_id, product_id)
            except PeerUnavailable as fault:
                self._away = fault
                raise
        return self._known[key]
