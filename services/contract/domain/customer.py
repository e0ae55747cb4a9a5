# SPDX-License-Identifier: Apache-2.0
"""Customers: who buys from the vendor."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from services.contract.domain.errors.customers import CustomerArchived
from services.contract.domain.ids import CUSTOMER_PREFIX, CustomerId

ALIASES_MAX = 20
NOTE_LENGTH_MAX = 500


class SuspensionReason(Enum):
    """Why a customer is suspended. Reasons are independent: each is lifted by itself."""

    OPERATOR = "OPERATOR"
    PAYMENT_OVERDUE = "PAYMENT_OVERDUE"
    PAYMENT_DISPUTED = "PAYMENT_DISPUTED"
    INVOICE_UNPAID = "INVOICE_UNPAID"
    IN_DEBT = "IN_DEBT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """One reason for which a customer is suspended. create_time None: from before reasons were stored."""

    reason: SuspensionReason
    note: str
    create_time: datetime | None


UNEXPLAINED = Suspension(reason=SuspensionReason.OPERATOR, note="", create_time=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer. An alias names one customer only.

    suspensions: by reason, at most one of each; while there is one, the gate denies everything. archive_time None: the
    customer is not archived. version: grows each time that the Ledger must receive it.
    """

    customer_id: CustomerId
    name: str
    aliases: tuple[str, ...]
    version: int
    create_time: datetime
    suspensions: tuple[Suspension, ...] = ()
    archive_time: datetime | None = None

    @property
    def is_suspended(self) -> bool:
        return bool(self.suspensions)


def is_customer_id(customer: str) -> bool:
    """Return whether a request's `customer` is an id. Otherwise it is an alias; no alias may look like an id."""
    return customer.startswith(CUSTOMER_PREFIX)


def with_aliases(customer: Customer, aliases: Collection[str]) -> Customer:
    return replace(customer, aliases=tuple(aliases), version=customer.version + 1)


def renamed(customer: Customer, name: str) -> Customer:
    """Return the customer with another name. The Ledger does not know names, so the version stays."""
    return replace(customer, name=name)


def suspended(customer: Customer, suspension: Suspension) -> Customer:
    """Return the customer suspended for one more reason; the same object if it is already suspended for this one."""
    if any(one.reason is suspension.reason for one in customer.suspensions):
        return customer
    return _with_suspensions(customer, (*customer.suspensions, suspension))


def resumed(customer: Customer, reason: SuspensionReason | None) -> Customer:
    """Return the customer without one reason for suspension (None: without any); the same object if nothing changes."""
    kept = tuple(one for one in customer.suspensions if reason is not None and one.reason is not reason)
    return customer if kept == customer.suspensions else _with_suspensions(customer, kept)


def archived(customer: Customer, *, at: datetime) -> Customer:
    """Return the customer archived; the same object if it is already."""
    return customer if customer.archive_time is not None else replace(customer, archive_time=at)


def unarchived(customer: Customer) -> Customer:
    return replace(customer, archive_time=None)


def refuse_archived(customer: Customer) -> None:
    """Raise CustomerArchived if nothing can be sold to the customer any more."""
    if customer.archive_time is not None:
        raise CustomerArchived(
            customer_id=customer.customer_id, archive_time=customer.archive_time.isoformat()
        )


def _with_suspensions(customer: Customer, suspensions: tuple[Suspension, ...]) -> Customer:
    # The Ledger hears only whether there is a reason.
    is_news = bool(suspensions) != customer.is_suspended
    return replace(customer, suspensions=suspensions, version=customer.version + is_news)


def renewed(customer: Customer) -> Customer:
    """Return the customer with its next version, under which the Ledger takes what it may have already."""
    return replace(customer, version=customer.version + 1)
