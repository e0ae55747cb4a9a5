# SPDX-License-Identifier: Apache-2.0
"""What can be leased, and what a client needs to know to decide calls itself.

Source: services/ledger/README.md, "Leases".
"""

from collections.abc import Iterator
from datetime import datetime
from math import gcd

from meshkit.quantity import INT64_MAX, Ratio
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId
from services.ledger.domain.errors import ProductNotLeasable
from services.ledger.domain.gate.decision import Ask, Entitlement
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.in_flight import in_flight_uses
from services.ledger.domain.gate.lease import LeasePrice, LeaseTerms
from services.ledger.domain.gate.spend_cap import OWN_KEY
from services.ledger.domain.gate.standing import PriceBook
from services.ledger.domain.gate.subjects import is_group
from services.ledger.domain.rating.price import FlatPrice, Pricing


def entitlement_of(book: PriceBook, at: datetime) -> Entitlement | None:
    """Return what entitles to lease a product: its first price that a client can apply. None: nothing prices it.

    Raises ProductNotLeasable if it is priced, but a client cannot tell which price or what a call costs.
    """
    product_id = book.product.product_id
    if any(dimension.bands for dimension in book.product.dimensions):
        raise ProductNotLeasable(product_id=product_id, why="its price depends on bands of a property")
    is_priced = False
    for entitlement in book.lines_at(at):
        is_priced = True
        if exact_price(entitlement.price.pricing) is not None:
            return entitlement
    if is_priced:
        raise ProductNotLeasable(product_id=product_id, why="it has no FLAT price without rounding to units")
    return None


def exact_price(pricing: Pricing) -> Ratio | None:
    """Return credits per units measured, if usage costs exactly in proportion; None otherwise."""
    if not isinstance(pricing.price, FlatPrice):
        return None
    numerator, denominator = pricing.price.ratio.numerator_micros, pricing.price.ratio.denominator_micros
    if pricing.conversion is not None:
        if pricing.conversion.rounding is not None:
            return None
        numerator *= pricing.conversion.ratio.numerator_micros
        denominator *= pricing.conversion.ratio.denominator_micros
    divisor = gcd(numerator, denominator)
    numerator, denominator = numerator // divisor, denominator // divisor
    return Ratio(numerator, denominator) if max(numerator, denominator) <= INT64_MAX else None


def require_leasable(account: Account, ask: Ask, at: datetime) -> None:
    """Raise ProductNotLeasable if seats or concurrency caps need to see each call."""
    product_id = ask.product_id
    if any(rule.schedule.covers(product_id, at) for rule in account.seat_rules):
        raise ProductNotLeasable(product_id=product_id, why="seats pay for it")
    if account.concurrency_caps and in_flight_uses(
        account.concurrency_caps, {}, ask.counted_group_values, (product_id,)
    ):
        raise ProductNotLeasable(product_id=product_id, why="a concurrency cap counts its open calls")


def terms_of(account: Account, book: PriceBook, at: datetime) -> LeaseTerms:
    """Return the prices of a product and the group keys with caps, in the account's credit type."""
    properties = {dimension.key: dimension.property for dimension in book.product.dimensions}
    prices = []
    for entitlement in book.lines_at(at):
        is_here = entitlement.credit_type_id == account.credit_type_id
        named = {properties[key]: value for key, value in entitlement.dimension_values.items()}
        is_plain = len(named) == len(entitlement.dimension_values)
        price = exact_price(entitlement.price.pricing) if is_here and is_plain else None
        prices.append(LeasePrice(properties=named, price=price))
    return LeaseTerms(prices=tuple(prices), capped_keys=tuple(_capped_keys(account, book)))


def _capped_keys(account: Account, book: PriceBook) -> Iterator[str]:
    """Yield the product's group keys that a cap limits: all of them if a group of values has one."""
    keys = {cap.group_key for cap in account.caps} | {key for key, _ in account.concurrency_caps}
    has_groups = any(is_group((cap.group_key, cap.group_value)) for cap in account.caps)
    return (
        key
        for key in sorted(book.product.metric.group_keys)
        if key != OWN_KEY and (has_groups or key in keys)
    )


def own_entitlement(lease: Hold, credit_type_id: CreditTypeId) -> Entitlement:
    """Return what a lease itself is priced by: for uses of a time at which nothing entitles any more."""
    return Entitlement(
        contract_id=lease.contract_id,
        anchor=lease.anchor,
        credit_type_id=credit_type_id,
        price=lease.price,
        dimension_values=lease.dimension_values,
    )
