# SPDX-License-Identifier: Apache-2.0
"""The peers as operations see them, without gRPC. Implemented by peers and meshkit's outbox."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from meshkit.quantity import Money
from services.contract.domain.billing.tiers import SeatPrice
from services.contract.domain.commands.invoices import InvoiceDetails
from services.contract.domain.commands.plan_changes import PlanPreview
from services.contract.domain.commands.seats import ScheduleCredits
from services.contract.domain.contract import BillingFrequency, Contract
from services.contract.domain.ids import (
    ContractId,
    CustomerId,
    ProductId,
    RateCardId,
    SubscriptionId,
    TopUpPackId,
)
from services.contract.domain.invoice_document import DocumentFormat
from services.contract.domain.invoice_parties import BillingDetails
from services.contract.domain.money_back import MoneyBack
from services.contract.domain.notices import PlanChanged
from services.contract.domain.offer import CatalogQuery, Offer
from services.contract.domain.overage import CardMoney
from services.contract.domain.payment_setups import PaymentSetup, ProviderSetup
from services.contract.domain.payments import Payable, PaymentMethod, ProviderPayment, Refusal
from services.contract.domain.top_up import TopUpPack, TopUpTerms
from services.contract.domain.usage.progress import UsageAnswer, UsageProgress


class Catalog(Protocol):
    """Every method raises PeerUnavailable if the Catalog is down."""

    async def offer(self, query: CatalogQuery) -> Offer:
        """Read everything in the query. Raises RateCardNotFound, ProductNotFound, CreditTypeNotFound."""
        ...

    async def rates(
        self, rate_card_id: RateCardId, product_id: ProductId
    ) -> Mapping[BillingFrequency, tuple[SeatPrice, ...]]:
        """Read all past, present and future prices of a seat that apply; none if the Catalog does not know the card."""
        ...

    async def card_money(self, rate_card_id: RateCardId) -> CardMoney:
        """Read the currency of a card and what credits are worth in it, which never change. Raises RateCardNotFound."""
        ...

    async def packs(self) -> Sequence[TopUpPack]:
        """Read all packs, in order of creation."""
        ...

    async def pack_terms(self, top_up_pack_id: TopUpPackId) -> TopUpTerms:
        """Read the credits and the price of a pack. Raises TopUpPackNotFound."""
        ...


class Ledger(Protocol):
    async def preview_seat_change(
        self,
        *,
        customer_id: CustomerId,
        subscription_id: SubscriptionId,
        effective_time: datetime,
        quantity_delta: int,
        new_quantity: int | None,
    ) -> Collection[ScheduleCredits]:
        """Return the credits that a seat change would add. new_quantity None: quantity_delta adds.

        Raises PeerUnavailable.
        """
        ...

    async def owed(self, customer_id: CustomerId, currency_code: str) -> Money:
        """Return what a customer owes for credits whose money went back; the next bought ones pay for it.

        Raises PeerUnavailable.
        """
        ...

    async def preview_plan_change(self, changed: PlanChanged) -> PlanPreview:
        """Return what a change of plan would do now. Raises PeerUnavailable."""
        ...


class UsageSource(Protocol):
    async def contract_usage(
        self,
        contract: Contract,
        progress: UsageProgress,
        *,
        group_key: str,
        rows_max: int,
        positions_only: bool = False,
    ) -> UsageAnswer | None:
        """Return what a contract has used since the last answer, dated before the end of the open usage period.

        None: the Ledger has not received the customer's contract yet. positions_only: only where that usage begins.
        Raises PeerUnavailable.
        """
        ...


class UsageFollowing(Protocol):
    async def refresh(self, contract_id: ContractId) -> None:
        """Bring the draft that follows a contract's usage up to date. Raises nothing if a peer is down."""
        ...


class Documents(Protocol):
    async def render(
        self, details: InvoiceDetails, billing: BillingDetails, document_format: DocumentFormat
    ) -> bytes:
        """Return an invoice as a document. Raises PdfUnavailable, DocumentTooLarge."""
        ...


class PaymentProvider(Protocol):
    """A payment provider. Another provider is one more implementation of this.

    Every method raises PaymentProviderUnavailable if its outcome is not known; repeating it does nothing twice.
    """

    async def create(self, payment: Payable, *, provider_customer_id: str) -> ProviderPayment | Refusal:
        """Create a payment that nobody has paid yet. It moves no money.

        provider_customer_id: whose saved payment methods may pay; empty: nobody's.
        """
        ...

    async def find(self, provider_payment_id: str) -> ProviderPayment:
        """Return what became of a payment."""
        ...

    async def charge(
        self,
        provider_payment_id: str,
        payment_method_id: str,
        *,
        provider_customer_id: str,
        key: str,
        return_url: str,
    ) -> ProviderPayment:
        """Pay with a saved payment method. key: the same for a repetition of this attempt.

        return_url: where the payer comes back to after confirming; empty: nobody is present.
        Raises PaymentMethodUnknown.
        """
        ...

    async def cancel(self, provider_payment_id: str) -> ProviderPayment:
        """Make sure that nobody can pay any more. Returns what became of the payment: it may have SUCCEEDED before."""
        ...

    async def refund(self, payment: Payable, *, amount: Money | None, key: str) -> None:
        """Return an amount of a payment that SUCCEEDED; None: all of it. key: the same for a repetition."""
        ...

    async def went_back(self, provider_payment_id: str) -> Sequence[MoneyBack]:
        """Return all refunds and disputes of a payment, whoever made them. One that took no money is left out."""
        ...

    def went_back_since(self, since: datetime) -> AsyncIterator[tuple[str, MoneyBack]]:
        """Yield all refunds and disputes of the account that were made since then, each behind its payment's id."""
        ...

    async def method(
        self, customer_id: CustomerId, provider_customer_id: str, payment_method_id: str, *, at: datetime
    ) -> PaymentMethod:
        """Return a payment method that this customer of the provider may use. Raises PaymentMethodUnknown."""
        ...

    def minimum(self, currency_code: str) -> Money:
        """Return the least amount that can be taken; 0 if that is not known."""
        ...

    async def create_customer(self, customer_id: CustomerId) -> str:
        """Create the customer at the provider, and return its id there."""
        ...

    async def create_setup(self, setup: PaymentSetup, *, provider_customer_id: str) -> ProviderSetup:
        """Create a setup by which a customer of the provider can save a payment method."""
        ...

    async def find_setup(self, provider_setup_id: str) -> ProviderSetup:
        """Return what became of a setup."""
        ...


class Relay(Protocol):
    async def deliver_now(self, key: str) -> None:
        """Try now to deliver what is enqueued under `key`. Raises nothing if the peer is down."""
        ...
