# SPDX-License-Identifier: Apache-2.0
"""How the invoices of a contract are collected. Source: services/contract/README.md, "Collecting invoices"."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from services.contract.domain.errors.payments import PaymentsNotSetUp

RETRY_DAYS_DEFAULT: Final = (2, 7, 14, 21)
RETRIES_MAX: Final = 10
RETRY_DAY_MAX: Final = 90


class CollectionMethod(Enum):
    """SEND: the vendor reports payments. CHARGE_AUTOMATICALLY: the saved payment method is charged."""

    SEND = "SEND"
    CHARGE_AUTOMATICALLY = "CHARGE_AUTOMATICALLY"


class AfterLastRetry(Enum):
    """What happens to the customer when an invoice is not retried any more. SUSPEND: until it is paid."""

    NOTHING = "NOTHING"
    SUSPEND = "SUSPEND"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceCollection:
    """How invoices that are issued from now on are collected. retry_days: after the first attempt, rising, each > 0.

    suspend_in_debt: the customer is suspended while it owes credits of this contract's top-ups whose money went back.
    """

    method: CollectionMethod = CollectionMethod.SEND
    retry_days: tuple[int, ...] = RETRY_DAYS_DEFAULT
    after_last_retry: AfterLastRetry = AfterLastRetry.NOTHING
    suspend_in_debt: bool = False


SEND: Final = InvoiceCollection()


def refuse_uncollectable(collection: InvoiceCollection, *, takes_payments: bool) -> None:
    """Raise PaymentsNotSetUp if invoices shall be charged, and there is no provider."""
    if collection.method is CollectionMethod.CHARGE_AUTOMATICALLY and not takes_payments:
        raise PaymentsNotSetUp()
