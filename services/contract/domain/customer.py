# SPDX-License-Identifier: Apache-2.0
"""Customers: who buys from the vendor."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from services.contract.domain.ids import CUSTOMER_PREFIX, CustomerId

ALIASES_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer. An alias names one customer only. version: grows each time that the Ledger must receive it."""

    customer_id: CustomerId
    name: str
    aliases: tuple[str, ...]
    is_suspended: bool
    version: int
    create_time: datetime


def is_customer_id(customer: str) -> bool:
    """Return whether a request's `customer` is an id. Otherwise it is an alias; no alias may look like an id."""
    return customer.startswith(CUSTOMER_PREFIX)


def with_aliases(customer: Customer, aliases: Collection[str]) -> Customer:
    return replace(customer, aliases=tuple(aliases), version=customer.version + 1)


def suspended(customer: Customer, *, is_suspended: bool) -> Customer:
    """Return the customer suspended or resumed; the same object if nothing changes."""
    if customer.is_suspended == is_suspended:
        return customer
    return replace(customer, is_suspended=is_suspended, version=customer.version + 1)


def renewed(customer: Customer) -> Customer:
    """Return the customer with its next version, under which the Ledger takes what it may have already."""
    return replace(customer, version=customer.version + 1)
