# SPDX-License-Identifier: Apache-2.0
"""Whose spending is counted: group values, and subjects of the Ledger's own: the customer as a whole, and products.

The own ones have a group key that no metric can have, as the totals of overage do. They are counted only while a cap or
a watch needs them. Source: services/ledger/README.md, "Spend caps".
"""

from collections.abc import Collection, Mapping
from enum import Enum

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.spend_cap import OWN_KEY, GroupValue

CUSTOMER: GroupValue = (OWN_KEY, "customer")
_PRODUCT = "product "


class CapScope(Enum):
    """What a cap limits."""

    GROUP_VALUE = "GROUP_VALUE"
    PRODUCT = "PRODUCT"
    CUSTOMER = "CUSTOMER"


def of_product(product_id: ProductId) -> GroupValue:
    """Return where it is counted what is spent on one product."""
    return OWN_KEY, f"{_PRODUCT}{product_id}"


def scope_of(subject: GroupValue) -> CapScope:
    """Return what a subject is."""
    if subject[0] != OWN_KEY:
        return CapScope.GROUP_VALUE
    return CapScope.CUSTOMER if subject == CUSTOMER else CapScope.PRODUCT


def product_of(subject: GroupValue) -> ProductId | None:
    """Return the product that a subject is; None for any other."""
    key, value = subject
    is_product = key == OWN_KEY and value.startswith(_PRODUCT)
    return ProductId(value.removeprefix(_PRODUCT)) if is_product else None


def subjects_of(
    own: Collection[GroupValue], group_values: Mapping[str, str], product_id: ProductId
) -> tuple[GroupValue, ...]:
    """Return the subjects of usage of a product. own: the Ledger's own subjects that are counted now."""
    if not own:
        return tuple(group_values.items())
    candidates = (CUSTOMER, of_product(product_id))
    return (*group_values.items(), *(subject for subject in candidates if subject in own))


def held_by(own: Collection[GroupValue], hold: Hold) -> dict[GroupValue, Credits]:
    """Return what a hold counts as held, by subject. A group value counts all of it, a product its own lines."""
    held = dict.fromkeys(hold.counted(), hold.amount)
    if not own:
        return held
    for part in hold.parts:
        for subject in subjects_of(own, {}, part.product_id):
            held[subject] = held.get(subject, Credits(0)) + part.amount
    return held
