# SPDX-License-Identifier: Apache-2.0
"""Stripe, through its SDK. A payment is a PaymentIntent: https://docs.stripe.com/payments/payment-intents"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import stripe
import structlog

from meshkit.quantity import MICROS, Money
from services.contract.domain.errors.payments import PaymentMethodUnknown, PaymentProviderUnavailable
from services.contract.domain.ids import CustomerId
from services.contract.domain.money_back import MoneyBack
from services.contract.domain.payment_setups import PaymentSetup, ProviderSetup, SetupState
from services.contract.domain.payments import (
    Payable,
    PayerAction,
    PaymentMethod,
    PaymentState,
    ProviderPayment,
    Refusal,
)
from services.contract.domain.refunds import DisputeOutcome

TIMEOUT_SECONDS = 20.0
# How many decimal places Stripe's amounts have; not always those of ISO 4217. https://docs.stripe.com/currencies
DECIMALS_DEFAULT: Final = 2
DECIMALS: Final = {
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3),
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "JPY",
            "KMF",
            "KRW",
            "MGA",
            "PYG",
            "RWF",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
}
# In Stripe's unit. Where a currency is missing, Stripe decides by the account's own currency.
# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
MINIMUM: Final = {
    **dict.fromkeys(("AUD", "BRL", "CAD", "CHF", "EUR", "INR", "JPY", "NZD", "SGD", "USD"), 50),
    **dict.fromkeys(("AED", "MYR", "PLN", "RON"), 200),
    **dict.fromkeys(("NOK", "SEK"), 300),
    **dict.fromkeys(("MXN", "THB"), 1_000),
    "BGN": 100,
    "CZK": 1_500,
    "DKK": 250,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17_500,
}
# What no later attempt with the same method can change. https://docs.stripe.com/declines/codes, and of bank debits
# https://docs.stripe.com/error-codes
HARD_DECLINES: Final = frozenset(
    {
        "account_closed",
        "bank_account_restricted",
        "bank_account_unusable",
        "debit_not_authorized",
        "do_not_try_again",
        "fraudulent",
        "highest_risk_level",
        "incorrect_number",
        "invalid_account",
        "invalid_number",
        "lost_card",
        "no_account",
        "payment_method_not_available",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    }
)
_STATES: Final = {
    "requires_payment_method": PaymentState.OPEN,
    "requires_confirmation": PaymentState.OPEN,
    "requires_action": PaymentState.ACTION_REQUIRED,
    "processing": PaymentState.PROCESSING,
    # We never ask for a separate capture; somebody else did.
    "requires_capture": PaymentState.PROCESSING,
    "succeeded": PaymentState.SUCCEEDED,
    "canceled": PaymentState.CANCELLED,
}
_SETUP_STATES: Final = {
    "requires_payment_method": SetupState.OPEN,
    "requires_confirmation": SetupState.OPEN,
    "processing": SetupState.OPEN,
    "requires_action": SetupState.ACTION_REQUIRED,
    "succeeded": SetupState.SUCCEEDED,
    "canceled": SetupState.CANCELLED,
}
# The bank wants the payer, who was not present.
AUTHENTICATION_REQUIRED: Final = "authentication_required"
REFUNDS_READ_MAX = 100  # of one payment; Stripe returns no more at once
AMOUNT_TOO_SMALL: Final = "amount_too_small"
ALREADY_REFUNDED: Final = "charge_already_refunded"

PAGE_SIZE = 100
# Stripe's statuses of refunds whose money did not leave.
_NOT_RETURNED: Final = ("failed", "canceled")
# A dispute in another status, such as an inquiry (warning_…), has taken no money.
_DISPUTES: Final[dict[str, DisputeOutcome]] = {
    "needs_response": DisputeOutcome.OPENED,
    "under_review": DisputeOutcome.OPENED,
    "won": DisputeOutcome.WON,
    "lost": DisputeOutcome.LOST,
}

log = structlog.get_logger(__name__)


class StripeProvider:
    """Implements the port PaymentProvider. Never logs what Stripe says in words: it may contain parts of a key."""

    def __init__(self, *, api_key: str, api_base: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._http = stripe.HTTPXClient(timeout=timeout_seconds)
        self._client = stripe.StripeClient(
            api_key, base_addresses={"api": api_base}, http_client=self._http, max_network_retries=0
        )

    async def close(self) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def create(self, payment: Payable, *, provider_customer_id: str) -> ProviderPayment | Refusal:
        units = to_minor(payment.amount)
        if units is None:
            return Refusal(code="amount_not_whole", message="Stripe takes whole units of this currency only")
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": units,
            "currency": payment.amount.currency_code.lower(),
            "metadata": payment.metadata,
        }
        if provider_customer_id:
            params["customer"] = provider_customer_id
        async with _asking():
            try:
                intent = await self._client.v1.payment_intents.create_async(
                    params, {"idempotency_key": payment.payment_id}
                )
            except stripe.InvalidRequestError as error:
                return Refusal(
                    code=error.code or "invalid_request",
                    message=error.user_message or "",
                    is_too_little=error.code == AMOUNT_TOO_SMALL,
                )
        return _from_stripe(intent)

    async def find(self, provider_payment_id: str) -> ProviderPayment:
        async with _asking():
            return _from_stripe(await self._client.v1.payment_intents.retrieve_async(provider_payment_id))

    async def charge(
        self,
        provider_payment_id: str,
        payment_method_id: str,
        *,
        provider_customer_id: str,
        key: str,
        return_url: str,
    ) -> ProviderPayment:
        intents = self._client.v1.payment_intents
        params: stripe.params.PaymentIntentConfirmParams = {"payment_method": payment_method_id}
        if return_url:
            params["return_url"] = return_url
        else:
            params["off_session"] = True
        async with _asking():
            try:
                known = await intents.retrieve_async(provider_payment_id)
                if provider_customer_id and known.customer != provider_customer_id:
                    await intents.update_async(provider_payment_id, {"customer": provider_customer_id})
                intent = await intents.confirm_async(provider_payment_id, params, {"idempotency_key": key})
            except stripe.CardError:
                intent = await intents.retrieve_async(provider_payment_id)
            except stripe.InvalidRequestError as error:
                if error.code != "payment_intent_unexpected_state":
                    raise PaymentMethodUnknown(
                        payment_method_id=payment_method_id, provider_code=error.code or "invalid_request"
                    ) from None
                intent = await intents.retrieve_async(provider_payment_id)
        return _from_stripe(intent)

    async def cancel(self, provider_payment_id: str) -> ProviderPayment:
        intents = self._client.v1.payment_intents
        async with _asking():
            try:
                intent = await intents.cancel_async(provider_payment_id)
            except stripe.InvalidRequestError:
                # It has succeeded, is cancelled already, or is under way.
                intent = await intents.retrieve_async(provider_payment_id)
        return _from_stripe(intent)

    async def refund(self, payment: Payable, *, amount: Money | None, key: str) -> None:
        params: stripe.params.RefundCreateParams = {
            "payment_intent": payment.provider_payment_id,
            "metadata": {"refund_id": key},
        }
        if amount is not None:
            units = to_minor(amount)
            if units is None:
                raise PaymentProviderUnavailable(details="Stripe returns whole units of this currency only")
            params["amount"] = units
        refunds = self._client.v1.refunds
        async with _asking():
            # Stripe forgets an idempotency key after a day, and a part could be returned again.
            known = await refunds.list_async(
                {"payment_intent": payment.provider_payment_id, "limit": REFUNDS_READ_MAX}
            )
            if any(_text(one.metadata, "refund_id") == key for one in known.data):
                return
            try:
                await refunds.create_async(params, {"idempotency_key": key})
            except stripe.InvalidRequestError as error:
                if error.code != ALREADY_REFUNDED:
                    raise PaymentProviderUnavailable(details=f"it refuses the refund: {error.code}") from None

    async def went_back(self, provider_payment_id: str) -> Sequence[MoneyBack]:
        of_payment: stripe.params.RefundListParams = {
            "payment_intent": provider_payment_id,
            "limit": REFUNDS_READ_MAX,
        }
        async with _asking():
            refunds = await self._client.v1.refunds.list_async(of_payment)
            disputes = await self._client.v1.disputes.list_async(
                {"payment_intent": provider_payment_id, "limit": REFUNDS_READ_MAX}
            )
        return [
            *(_refund_from_stripe(one) for one in refunds.data if one.status not in _NOT_RETURNED),
            *(_dispute_from_stripe(one) for one in disputes.data if one.status in _DISPUTES),
        ]

    async def went_back_since(self, since: datetime) -> AsyncIterator[tuple[str, MoneyBack]]:
        params: stripe.params.RefundListParams = {
            "created": {"gte": int(since.timestamp())},
            "limit": PAGE_SIZE,
        }
        async with _asking():
            async for refund in (await self._client.v1.refunds.list_async(params)).auto_paging_iter():
                payment_id = _id(refund.payment_intent)
                if payment_id and refund.status not in _NOT_RETURNED:
                    yield payment_id, _refund_from_stripe(refund)
            disputes = await self._client.v1.disputes.list_async(
                {"created": {"gte": int(since.timestamp())}, "limit": PAGE_SIZE}
            )
            async for dispute in disputes.auto_paging_iter():
                payment_id = _id(dispute.payment_intent)
                if payment_id and dispute.status in _DISPUTES:
                    yield payment_id, _dispute_from_stripe(dispute)

    async def method(
        self, customer_id: CustomerId, provider_customer_id: str, payment_method_id: str, *, at: datetime
    ) -> PaymentMethod:
        methods = self._client.v1.payment_methods
        async with _asking():
            try:
                # Attaching it again changes nothing; attaching it to another customer is refused.
                method = await methods.attach_async(payment_method_id, {"customer": provider_customer_id})
            except (stripe.InvalidRequestError, stripe.CardError) as error:
                raise PaymentMethodUnknown(
                    payment_method_id=payment_method_id, provider_code=error.code or "invalid_request"
                ) from None
        card = getattr(method, "card", None)
        return PaymentMethod(
            customer_id=customer_id,
            provider_customer_id=provider_customer_id,
            payment_method_id=method.id,
            label=method.type if card is None else f"{card.brand} ···· {card.last4}",
            update_time=at,
        )

    def minimum(self, currency_code: str) -> Money:
        return from_minor(MINIMUM.get(currency_code, 0), currency_code)

    async def create_customer(self, customer_id: CustomerId) -> str:
        async with _asking():
            customer = await self._client.v1.customers.create_async(
                {"metadata": {"customer_id": customer_id}}, {"idempotency_key": f"customer/{customer_id}"}
            )
        return customer.id

    async def create_setup(self, setup: PaymentSetup, *, provider_customer_id: str) -> ProviderSetup:
        params: stripe.params.SetupIntentCreateParams = {
            "customer": provider_customer_id,
            "usage": "off_session",
            "metadata": {"payment_setup_id": setup.payment_setup_id},
        }
        async with _asking():
            intent = await self._client.v1.setup_intents.create_async(
                params, {"idempotency_key": setup.payment_setup_id}
            )
        return _setup_from_stripe(intent)

    async def find_setup(self, provider_setup_id: str) -> ProviderSetup:
        async with _asking():
            return _setup_from_stripe(await self._client.v1.setup_intents.retrieve_async(provider_setup_id))


def to_minor(amount: Money) -> int | None:
    """Return an amount in Stripe's unit; None if it is not whole, because ISO 4217 has more decimals than Stripe."""
    units, rest = divmod(amount.micros * 10 ** _decimals(amount.currency_code), MICROS)
    return None if rest else units


def from_minor(units: int, currency_code: str) -> Money:
    return Money(currency_code, units * MICROS // 10 ** _decimals(currency_code))


def _decimals(currency_code: str) -> int:
    return DECIMALS.get(currency_code, DECIMALS_DEFAULT)


def _from_stripe(intent: stripe.PaymentIntent) -> ProviderPayment:
    state = _STATES[intent.status]
    error = intent.last_payment_error
    code = _text(error, "code")
    if state is PaymentState.OPEN and code == AUTHENTICATION_REQUIRED:
        state = PaymentState.ACTION_REQUIRED
    received = intent.amount_received if state is PaymentState.SUCCEEDED else intent.amount
    redirect = getattr(intent.next_action, "redirect_to_url", None)
    return ProviderPayment(
        provider_payment_id=intent.id,
        state=state,
        amount=from_minor(received, intent.currency.upper()),
        # Why the bank declined it says more than that it did.
        error=None if error is None else (_text(error, "decline_code") or code, _text(error, "message")),
        is_hard=_text(error, "decline_code") in HARD_DECLINES or code in HARD_DECLINES,
        action=PayerAction(client_secret=intent.client_secret or "", redirect_url=_text(redirect, "url")),
    )


def _setup_from_stripe(intent: stripe.SetupIntent) -> ProviderSetup:
    method = intent.payment_method
    redirect = getattr(intent.next_action, "redirect_to_url", None)
    return ProviderSetup(
        provider_setup_id=intent.id,
        state=_SETUP_STATES[intent.status],
        payment_method_id=method if isinstance(method, str) else _text(method, "id"),
        action=PayerAction(client_secret=intent.client_secret or "", redirect_url=_text(redirect, "url")),
    )


def _refund_from_stripe(refund: stripe.Refund) -> MoneyBack:
    return MoneyBack(
        provider_refund_id=refund.id,
        amount=from_minor(refund.amount, refund.currency.upper()),
        key=_text(refund.metadata, "refund_id"),
        dispute=None,
    )


def _dispute_from_stripe(dispute: stripe.Dispute) -> MoneyBack:
    return MoneyBack(
        provider_refund_id=dispute.id,
        amount=from_minor(dispute.amount, dispute.currency.upper()),
        key="",
        dispute=_DISPUTES[dispute.status],
    )


def _id(part: object) -> str:
    """Return the id of what Stripe names by its id, or has put in whole; empty if there is none."""
    return part if isinstance(part, str) else _text(part, "id")


def _text(part: object, field: str) -> str:
    """Return a text of a part of Stripe's answer; empty if Stripe left out either."""
    return getattr(part, field, None) or ""


@asynccontextmanager
async def _asking() -> AsyncIterator[None]:
    """Raise PaymentProviderUnavailable if Stripe cannot be reached, or answers anything but what was asked."""
    try:
        yield
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        log.error("stripe_key_refused", status_code=error.http_status)
        raise PaymentProviderUnavailable(details="it refuses the API key") from None
    except stripe.StripeError as error:
        details = f"{type(error).__name__} {error.http_status or ''}".rstrip()
        raise PaymentProviderUnavailable(details=details) from None
