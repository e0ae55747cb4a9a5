# SPDX-License-Identifier: Apache-2.0
"""Setups: how a customer saves a payment method in the browser, without paying anything yet.

Source: services/contract/README.md, "Payments through Stripe".
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NewType

from services.contract.domain.ids import CustomerId
from services.contract.domain.payments import CHECK_AFTER_MAX, FIRST_CHECK_AFTER, PayerAction

PaymentSetupId = NewType("PaymentSetupId", str)

CHECKS_MAX: Final = 30  # about a day; a webhook or GetPaymentSetup makes it asked about even later


class SetupState(Enum):
    """NEW → OPEN ⇄ ACTION_REQUIRED → SUCCEEDED | CANCELLED. NEW: perhaps unknown to the provider."""

    NEW = "NEW"
    OPEN = "OPEN"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    SUCCEEDED = "SUCCEEDED"
    CANCELLED = "CANCELLED"


ENDED: Final = frozenset({SetupState.SUCCEEDED, SetupState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSetup:
    """One attempt of a customer to save a payment method.

    provider_customer_id, provider_setup_id: the provider's ids; empty until it knows them. checks: how often the
    provider was asked in vain, because it was due.
    """

    payment_setup_id: PaymentSetupId
    customer_id: CustomerId
    provider_customer_id: str
    provider_setup_id: str
    state: SetupState
    checks: int
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSetup:
    """What the provider says about a setup now. payment_method_id: of one that SUCCEEDED. state: never NEW."""

    provider_setup_id: str
    state: SetupState
    payment_method_id: str
    action: PayerAction


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupNow:
    """A setup as it is now. action: what the payer's browser needs; None if the setup has ended."""

    setup: PaymentSetup
    action: PayerAction | None
    publishable_key: str


def new_setup(
    payment_setup_id: PaymentSetupId, customer_id: CustomerId, provider_customer_id: str, *, at: datetime
) -> PaymentSetup:
    """Return a setup that the provider does not know yet. provider_customer_id: empty: it has no customer yet."""
    return PaymentSetup(
        payment_setup_id=payment_setup_id,
        customer_id=customer_id,
        provider_customer_id=provider_customer_id,
        provider_setup_id="",
        state=SetupState.NEW,
        checks=0,
        create_time=at,
    )


def created(setup: PaymentSetup, provider_customer_id: str, said: ProviderSetup) -> PaymentSetup:
    """Return a setup that the provider knows; the same if it was known already."""
    if setup.state is not SetupState.NEW:
        return setup
    return replace(
        setup,
        provider_customer_id=provider_customer_id,
        provider_setup_id=said.provider_setup_id,
        state=SetupState.OPEN,
    )


def followed(setup: PaymentSetup, said: ProviderSetup) -> PaymentSetup:
    """Return a setup after what the provider says. One that has ended stays as it is."""
    if setup.state in ENDED or said.provider_setup_id != setup.provider_setup_id:
        return setup
    return replace(setup, state=said.state, checks=setup.checks if said.state is setup.state else 0)


def check_after(setup: PaymentSetup) -> timedelta | None:
    """Return how long to wait before the provider is asked again, unless a webhook comes first; None: until then."""
    if setup.state in ENDED or setup.checks >= CHECKS_MAX:
        return None
    return min(FIRST_CHECK_AFTER * (1 << min(setup.checks, 10)), CHECK_AFTER_MAX)
