# SPDX-License-Identifier: Apache-2.0
"""A customer's standing for a product: what the gate checks before caps and credits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.ledger.domain.credits.grant import CustomerId, ProductId
from services.ledger.domain.gate.decision import Amount, Ask, DenialReason, Entitlement


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    """One rate of a product on the rate card of one contract; in force while both are."""

    entitlement: Entitlement
    start_time: datetime
    end_time: datetime | None
    effective_time: datetime
    rate_end_time: datetime | None

    def is_in_force(self, at: datetime) -> bool:
        return (
            self.start_time <= at
            and self.effective_time <= at
            and (self.end_time is None or at < self.end_time)
            and (self.rate_end_time is None or at < self.rate_end_time)
        )


def entitlement_at(lines: Iterable[PriceLine], at: datetime) -> Entitlement | None:
    """Return the entitlement at `at`: of several contracts that price the product, the one that started first.

    lines: by start_time and contract_id.
    """
    for line in lines:
        if line.is_in_force(at):
            return line.entitlement
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRecord:
    """What the gate needs to know of a customer."""

    customer_id: CustomerId
    is_suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What decides about a customer and a product before caps and credits.

    entitlement: None if no contract in force prices the product. group_keys: the properties by which the product's
    metric groups usage; only these are capped and watched.
    """

    customer_id: CustomerId
    is_suspended: bool
    product_id: ProductId
    group_keys: frozenset[str]
    entitlement: Entitlement | None


def standing_at(
    customer: CustomerRecord,
    product_id: ProductId,
    group_keys: frozenset[str],
    prices: Iterable[PriceLine],
    *,
    at: datetime,
) -> Standing:
    """Return a customer's standing towards a product. prices: its rates, by contract start_time and contract_id."""
    return Standing(
        customer_id=customer.customer_id,
        is_suspended=customer.is_suspended,
        product_id=product_id,
        group_keys=group_keys,
        entitlement=entitlement_at(prices, at),
    )


def ask_of(standing: Standing, amount: Amount, group_values: Mapping[str, str]) -> Ask | DenialReason:
    """Return the ask for caps and credits to decide, or the reason for an earlier denial.

    Source: services/ledger/README.md, "Order of checks".
    """
    if standing.is_suspended:
        return DenialReason.CUSTOMER_SUSPENDED
    if standing.entitlement is None:
        return DenialReason.NOT_ENTITLED
    return Ask(
        product_id=standing.product_id,
        entitlement=standing.entitlement,
        amount=amount,
        group_values=group_values,
        counted_group_values={
            key: value for key, value in group_values.items() if key in standing.group_keys
        },
    )
