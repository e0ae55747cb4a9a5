# SPDX-License-Identifier: Apache-2.0
"""Dunning: when the payment of an invoice is tried, and what happens when it fails.

Source: services/contract/README.md, "Collecting invoices".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from services.contract.domain.collection import AfterLastRetry
from services.contract.domain.ids import CustomerId, InvoiceId
from services.contract.domain.top_up import PaymentError

METHOD_MISSING: Final = "payment_method_missing"
METHOD_UNKNOWN: Final = "payment_method_unknown"
CANCELLED_ELSEWHERE: Final = "payment_cancelled"
AUTHENTICATION_REQUIRED: Final = "authentication_required"


class DunningStatus(Enum):
    """COLLECTING ⇄ CARRIED, STOPPED; → SETTLED.

    CARRIED: too little to be charged alone; it is paid together with a later invoice. STOPPED: not tried any more by
    itself. SETTLED: nothing is due any more.
    """

    COLLECTING = "COLLECTING"
    CARRIED = "CARRIED"
    STOPPED = "STOPPED"
    SETTLED = "SETTLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dunning:
    """How the collection of one invoice goes.

    retry_days: after begin_time. next_time: when the payment is tried next, or the invoice is looked at; None: an
    attempt is under way, or nothing is planned. attempts: begun so far. refused_method: the payment method that must
    not be charged again. is_overdue: it was given up, and suspends the customer until it is settled.
    """

    invoice_id: InvoiceId
    customer_id: CustomerId
    currency_code: str
    status: DunningStatus
    retry_days: tuple[int, ...]
    after_last_retry: AfterLastRetry
    begin_time: datetime
    next_time: datetime | None
    attempts: int = 0
    last_error: PaymentError | None = None
    refused_method: str = ""
    is_overdue: bool = False


def next_retry(begin_time: datetime, retry_days: Sequence[int], *, after: datetime) -> datetime | None:
    """Return the first retry behind an instant; None if there is none. What was missed meanwhile is not made up for.

    Source: services/contract/README.md, "Collecting invoices".
    """
    retries = (begin_time + timedelta(days=days) for days in retry_days)
    return next((one for one in retries if one > after), None)


def begun_by_hand(
    invoice_id: InvoiceId, customer_id: CustomerId, currency_code: str, *, at: datetime
) -> Dunning:
    """Return the dunning of an invoice that is paid through the provider on request: nothing is tried by itself."""
    return Dunning(
        invoice_id=invoice_id,
        customer_id=customer_id,
        currency_code=currency_code,
        status=DunningStatus.COLLECTING,
        retry_days=(),
        after_last_retry=AfterLastRetry.NOTHING,
        begin_time=at,
        next_time=None,
    )


def attempted(dunning: Dunning) -> Dunning:
    """Return the dunning while one more attempt is under way."""
    return replace(dunning, status=DunningStatus.COLLECTING, attempts=dunning.attempts + 1, next_time=None)


def waiting(dunning: Dunning) -> Dunning:
    """Return the dunning while it waits for what becomes of a payment at the provider."""
    return replace(dunning, status=DunningStatus.COLLECTING, next_time=None)


def carried(dunning: Dunning) -> Dunning:
    """Return the dunning of an invoice that waits to be paid together with another one."""
    return replace(dunning, status=DunningStatus.CARRIED, next_time=None)


def stopped(dunning: Dunning) -> Dunning:
    """Return the dunning of an invoice whose contract does not charge any more."""
    return replace(dunning, status=DunningStatus.STOPPED, next_time=None)


def failed(
    dunning: Dunning,
    error: PaymentError,
    *,
    hard_method: str = "",
    is_replaced: bool = False,
    at: datetime,
) -> Dunning:
    """Return the dunning after an attempt that failed.

    hard_method: the payment method, if it must not be charged again; nothing is retried before another one is saved.
    is_replaced: another one was saved while the attempt was under way, so that one is tried at once.
    """
    next_time = at if is_replaced else None
    if not hard_method and not is_replaced:
        next_time = next_retry(dunning.begin_time, dunning.retry_days, after=at)
    is_last = next_time is None
    return replace(
        dunning,
        status=DunningStatus.STOPPED if is_last else DunningStatus.COLLECTING,
        next_time=next_time,
        attempts=max(1, dunning.attempts),  # the first may be the payer's own, in the browser
        last_error=error,
        refused_method=hard_method or dunning.refused_method,
        is_overdue=dunning.is_overdue or (is_last and dunning.after_last_retry is AfterLastRetry.SUSPEND),
    )


def woken(dunning: Dunning, *, at: datetime) -> Dunning:
    """Return the dunning after the customer has saved another payment method: it is tried at once.

    An attempt that is under way is not disturbed, and what is carried stays so.
    """
    is_under_way = dunning.status is DunningStatus.COLLECTING and dunning.next_time is None
    if is_under_way or dunning.status in (DunningStatus.CARRIED, DunningStatus.SETTLED):
        return dunning
    return replace(dunning, status=DunningStatus.COLLECTING, next_time=at)


def settled(dunning: Dunning) -> Dunning:
    """Return the dunning of an invoice of which nothing is due any more."""
    return replace(dunning, status=DunningStatus.SETTLED, next_time=None, is_overdue=False)
