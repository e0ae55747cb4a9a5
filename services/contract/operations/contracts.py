# SPDX-License-Identifier: Apache-2.0
"""CreateContract, GetContract, ListContracts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.billing.price import refuse_unpayable
from services.contract.domain.billing.rhythm import anchor_from
from services.contract.domain.billing.state import BillingState, contract_now, next_due_of
from services.contract.domain.collection import refuse_uncollectable
from services.contract.domain.commands.contracts import (
    ContractCreated,
    CreateContract,
    GrantScheduleTerms,
    SubscriptionTerms,
)
from services.contract.domain.commands.seats import ListedSeatChange
from services.contract.domain.contract import (
    Contract,
    ContractNow,
    Subscription,
)
from services.contract.domain.customer import refuse_archived
from services.contract.domain.ids import (
    ContractId,
    CustomerId,
    GrantScheduleId,
    SeatChangeId,
    SubscriptionId,
)
from services.contract.domain.invoice import Invoice
from services.contract.domain.notices import contract_changed, seats_changed
from services.contract.domain.offer import CatalogQuery, Offer
from services.contract.domain.overage import limits_at
from services.contract.domain.schedules import GrantAlignment, GrantSchedule
from services.contract.domain.seats.request import first_change
from services.contract.domain.seats.timeline import Timeline
from services.contract.domain.term import end_of_only_term
from services.contract.operations.billing.due_run import Billing
from services.contract.operations.billing.instant import bill_instant
from services.contract.operations.billing.issuing import issue
from services.contract.operations.ports import Catalog, Relay
from services.contract.store import PostgresStore, Transaction

# For a contract that began long ago: the due run bills the rest within a second.
INSTANTS_AT_SIGNING_MAX = 60
TICK = timedelta(microseconds=1)


class Contracts:
    """Signs contracts, and notifies the Ledger."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        catalog: Catalog,
        relay: Relay,
        billing: Billing,
        takes_payments: bool,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._relay = relay
        self._billing = billing
        self._takes_payments = takes_payments
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateContract) -> ContractCreated:
        """Sign a contract and bill what is due, including past periods if it started in the past.

        Raises CustomerNotFound, CustomerArchived, RateCardNotFound, ProductNotFound, CreditTypeNotFound, RateNotFound,
        ProductNotSubscription, ProductNotFixed, AnchorAfterStart, TooFewSeats, ConversionMissing, CurrencyDiffers,
        PaymentsNotSetUp, PeerUnavailable.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, ContractCreated)) is not None:
            return first
        refuse_uncollectable(command.collection, takes_payments=self._takes_payments)
        async with self._store.transaction() as tx:
            customer = await tx.customers.find(command.customer)
        offer = await self._catalog.offer(catalog_query(command))
        contract = self.new_contract(command, customer.customer_id, offer, at=at)
        first_changes = self.first_changes(command, contract, at=at)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, ContractCreated)) is not None:
                return first
            refuse_archived(await tx.customers.lock(contract.customer_id))
            created = await self.begin(tx, contract, first_changes, at=at)
            await tx.outbox.enqueue(contract_changed(contract), key=contract.customer_id)
            await tell_first_changes(tx, contract, first_changes)
            invoices = await issue(tx, created.invoices, at=at, ids=self._ids)
            created = replace(created, invoices=tuple(invoices))
            await tx.responses.store(command, created)
        await self._relay.deliver_now(contract.customer_id)
        return created

    async def get(self, contract_id: ContractId) -> ContractNow:
        """Raises ContractNotFound."""
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(contract_id)
            [states] = await tx.billing.states([contract])
        return contract_now(contract, states, self._clock.now())

    async def list(self, customer: str, page: Page) -> Sequence[ContractNow]:
        """Return a page in order of creation, and one more if there is one. customer: "" means all customers.

        Raises CustomerNotFound.
        """
        async with self._store.transaction() as tx:
            customer_id = (await tx.customers.find(customer)).customer_id if customer else None
            contracts = await tx.contracts.listed(customer_id, page)
            states = await tx.billing.states(contracts)
        at = self._clock.now()
        return [contract_now(one, its, at) for one, its in zip(contracts, states, strict=True)]

    def new_contract(
        self, command: CreateContract, customer_id: CustomerId, offer: Offer, *, at: datetime
    ) -> Contract:
        """Return the contract of these terms, with new ids.

        Raises RateNotFound, ProductNotSubscription, ProductNotFixed, ConversionMissing, CurrencyDiffers.
        """
        seats = tuple(
            self._subscription(command, position, terms, offer)
            for position, terms in enumerate(command.subscriptions)
        )
        term = command.term
        return Contract(
            contract_id=ContractId(self._ids.new("con")),
            customer_id=customer_id,
            version=1,
            name=command.name,
            rate_card_id=command.rate_card_id,
            start_time=command.start_time,
            end_time=command.end_time if term is None else end_of_only_term(term, command.start_time),
            subscriptions=seats,
            grant_schedules=tuple(
                self._schedule(terms, seats, offer, default_anchor=command.start_time)
                for terms in command.grant_schedules
            ),
            create_time=at,
            accept_time=at,
            term=term,
            overage=limits_at(command.overage, offer.money, command.rate_card_id),
            collection=command.collection,
        )

    def _subscription(
        self, command: CreateContract, position: int, terms: SubscriptionTerms, offer: Offer
    ) -> Subscription:
        product = offer.seat(terms.product_id)
        rates, first_rate = offer.seat_rates(
            command.rate_card_id, terms.product_id, terms.billing_frequency, at=command.start_time
        )
        path = f"subscriptions[{position}]"
        price = first_rate.times(terms.interval_count)
        refuse_unpayable(price, terms.initial_quantity, field=f"{path}.initial_quantity")
        anchor_time = anchor_from(
            terms.anchor_time,
            terms.anchor_day,
            start_time=command.start_time,
            field=f"{path}.anchor_time",
        )
        return Subscription(
            subscription_id=SubscriptionId(self._ids.new("sub")),
            product_id=terms.product_id,
            product_name=product.name,
            billing_frequency=terms.billing_frequency,
            proration=terms.proration,
            initial_quantity=terms.initial_quantity,
            rates=rates,
            collection_schedule=terms.collection_schedule,
            interval_count=terms.interval_count,
            anchor_time=anchor_time,
            named=terms.named,
            changes=1 if terms.initial_seat_ids else 0,
        )

    def _schedule(
        self,
        terms: GrantScheduleTerms,
        seats: Sequence[Subscription],
        offer: Offer,
        *,
        default_anchor: datetime,
    ) -> GrantSchedule:
        offer.fixed(terms.product_id)
        linked = None if terms.subscription_index is None else seats[terms.subscription_index]
        anchor_time = terms.anchor_time
        if linked is not None and terms.alignment is GrantAlignment.BILLING_PERIODS:
            anchor_time = linked.anchor_time
        return GrantSchedule(
            grant_schedule_id=GrantScheduleId(self._ids.new("sch")),
            product_id=terms.product_id,
            credit_type_id=terms.credit_type_id,
            subscription_id=None if linked is None else linked.subscription_id,
            frequency=terms.frequency,
            interval_count=terms.interval_count,
            anchor_time=anchor_time or default_anchor,
            end_time=None,
            terms=terms.terms,
            allocation=terms.allocation,
        )

    def first_changes(
        self, command: CreateContract, contract: Contract, *, at: datetime
    ) -> tuple[ListedSeatChange, ...]:
        """Return the seat changes by which the seat ids of a new contract get their seats. Raises TooFewSeats."""
        return tuple(
            first_change(
                seats,
                terms.initial_seat_ids,
                start_time=contract.start_time,
                seat_change_id=SeatChangeId(self._ids.new("chg")),
                at=at,
            )
            for seats, terms in zip(contract.subscriptions, command.subscriptions, strict=True)
            if terms.initial_seat_ids
        )

    async def begin(
        self,
        tx: Transaction,
        contract: Contract,
        first_changes: Sequence[ListedSeatChange],
        *,
        at: datetime,
    ) -> ContractCreated:
        """Insert a new contract, and bill what it has due up to `at`. The caller issues the drafts."""
        await tx.contracts.insert(contract)
        for one in first_changes:
            await tx.seats.insert_change(one.change, one.names)
        rates = {one.subscription_id: one.rates for one in contract.subscriptions}
        states = states_at_start(contract, first_changes)
        invoices: list[Invoice] = []
        due_time = next_due_of(states)
        for _ in range(INSTANTS_AT_SIGNING_MAX):
            if due_time is None or due_time > at:
                break
            states, invoice, due_time = await bill_instant(
                tx, contract, states, due_time, rates, ids=self._ids
            )
            if invoice is not None:
                invoices.append(invoice)
        await tx.contracts.save_due(contract.contract_id, due_time)
        return ContractCreated(contract=contract_now(contract, states, at), invoices=tuple(invoices))


async def tell_first_changes(
    tx: Transaction, contract: Contract, first_changes: Sequence[ListedSeatChange]
) -> None:
    """Write the notices about the seat ids of a new contract, behind the one about the contract."""
    for one in first_changes:
        notice = seats_changed(contract.customer_id, one.change, one.names)
        await tx.outbox.enqueue(notice, key=contract.customer_id)


def states_at_start(contract: Contract, first_changes: Sequence[ListedSeatChange]) -> list[BillingState]:
    """Return the billing states of a contract of which nothing was billed yet."""
    return [
        BillingState(
            contract=contract,
            subscription=seats,
            timeline=Timeline(
                opening_quantity=seats.initial_quantity,
                changes=tuple(
                    one.change for one in first_changes if one.change.subscription_id == seats.subscription_id
                ),
            ),
            billed=None,
        )
        for seats in contract.subscriptions
    ]


def catalog_query(command: CreateContract) -> CatalogQuery:
    seats, schedules = command.subscriptions, command.grant_schedules
    return CatalogQuery(
        rate_card_id=command.rate_card_id,
        product_ids=frozenset(
            [
                *(one.product_id for one in seats),
                *(one.product_id for one in schedules),
                *(product_id for one in schedules for product_id in one.scope_product_ids),
            ]
        ),
        credit_type_ids=frozenset(one.credit_type_id for one in schedules),
        priced=frozenset(one.product_id for one in seats),
    )
