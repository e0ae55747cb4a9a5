# SPDX-License-Identifier: Apache-2.0
"""What operations need from outside: a store, the Catalog, the Ledger. Real ones: store/, peers.py, relay.py."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeVar

from meshkit.page import Page
from services.contract.domain.billing.price import SeatRate
from services.contract.domain.billing.state import Account, BilledPeriod
from services.contract.domain.commands import ListedSeatChange, ScheduleCredits
from services.contract.domain.contract import BillingFrequency, Contract, Subscription
from services.contract.domain.customer import Customer
from services.contract.domain.ids import (
    ContractId,
    CustomerId,
    InvoiceId,
    ProductId,
    RateCardId,
    SubscriptionId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.invoice import Invoice, InvoiceStatus
from services.contract.domain.notices import Payload
from services.contract.domain.offer import Offer, Wanted
from services.contract.domain.seats.timeline import SeatChange
from services.contract.domain.top_up import TopUp, TopUpStatus, TopUpTerms

T = TypeVar("T")


class Command(Protocol):
    @property
    def request_id(self) -> str: ...


class CustomerStore(Protocol):
    async def insert(self, customer: Customer) -> None: ...
    async def update(self, customer: Customer) -> None: ...
    async def find(self, customer: str) -> Customer: ...
    async def lock(self, customer: str) -> Customer: ...
    async def lock_id(self, customer_id: CustomerId) -> None: ...
    async def listed(self, page: Page) -> list[Customer]: ...


class ContractStore(Protocol):
    async def insert(self, contract: Contract) -> None: ...
    async def customer_of(self, contract_id: ContractId) -> CustomerId: ...
    async def find(self, contract_id: ContractId) -> Contract: ...
    async def lock(self, contract_id: ContractId) -> Contract: ...
    async def listed(self, customer_id: CustomerId | None, page: Page) -> list[Contract]: ...
    async def save_terms(self, contract: Contract) -> None: ...
    async def save_due(self, contract_id: ContractId, next_due_time: datetime | None) -> None: ...
    async def save_subscription(self, subscription: Subscription) -> None: ...
    async def due(
        self, *, at: datetime, after: tuple[datetime, ContractId] | None, rows_max: int
    ) -> list[tuple[datetime, ContractId]]: ...


class SeatStore(Protocol):
    async def insert_change(self, change: SeatChange) -> None: ...
    async def insert_period(self, subscription_id: SubscriptionId, billed: BilledPeriod) -> None: ...
    async def accounts(self, contracts: Sequence[Contract]) -> list[list[Account]]: ...
    async def listed_changes(self, subscription: Subscription, page: Page) -> list[ListedSeatChange]: ...


class InvoiceStore(Protocol):
    async def insert(self, invoice: Invoice) -> None: ...
    async def resolve(
        self, invoice_id: InvoiceId, status: InvoiceStatus, finalize_time: datetime | None
    ) -> None: ...
    async def find(self, invoice_id: InvoiceId) -> Invoice: ...
    async def listed(
        self, customer_id: CustomerId, contract_id: ContractId | None, page: Page
    ) -> list[Invoice]: ...


class TopUpStore(Protocol):
    async def insert(self, top_up: TopUp) -> None: ...
    async def resolve(
        self, top_up_id: TopUpId, outcome: TopUpStatus, *, payment_reference: str, at: datetime
    ) -> TopUp | None: ...
    async def find(self, top_up_id: TopUpId) -> TopUp: ...
    async def listed(self, contract_id: ContractId, page: Page) -> list[TopUp]: ...


class Transaction(Protocol):
    """All or nothing. `claim` comes first and `remember` last: meshkit/requests.py."""

    @property
    def customers(self) -> CustomerStore: ...
    @property
    def contracts(self) -> ContractStore: ...
    @property
    def seats(self) -> SeatStore: ...
    @property
    def invoices(self) -> InvoiceStore: ...
    @property
    def top_ups(self) -> TopUpStore: ...
    async def claim(self, command: Command, answer_type: type[T]) -> T | None: ...
    async def remember(self, command: Command, answer: object) -> None: ...
    async def tell(self, payload: Payload) -> None: ...


class Store(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[Transaction]: ...
    async def answered(self, command: Command, answer_type: type[T]) -> T | None: ...


class Catalog(Protocol):
    """Every method raises PeerUnavailable when the Catalog is away."""

    async def offer(self, wanted: Wanted) -> Offer:
        """Read all that is wanted. Raises RateCardNotFound, ProductNotFound, CreditTypeNotFound."""
        ...

    async def rates(
        self, rate_card_id: RateCardId, product_id: ProductId
    ) -> Mapping[BillingFrequency, tuple[SeatRate, ...]]:
        """Read all prices of a seat there ever were; none where the Catalog does not know the card."""
        ...

    async def pack_terms(self, top_up_pack_id: TopUpPackId) -> TopUpTerms:
        """Read what a pack brings and costs. Raises TopUpPackNotFound."""
        ...


class Ledger(Protocol):
    async def preview_seat_change(
        self,
        *,
        customer_id: CustomerId,
        subscription_id: SubscriptionId,
        effective_time: datetime,
        quantity_delta: int,
    ) -> Collection[ScheduleCredits]:
        """Ask which credits a seat change would bring. Raises PeerUnavailable."""
        ...


class Relay(Protocol):
    async def deliver_now(self, key: str) -> None:
        """Try at once what is enqueued under `key`. Raises nothing for an absent peer."""
        ...
