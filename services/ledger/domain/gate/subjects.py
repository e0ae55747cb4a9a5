# SPDX-License-Identifier: Apache-2.0
"""Whose spending is counted: group values, and subjects of the Ledger's own: the customer, products, and groups.

The own ones have a group key that no metric can have, as the totals of overage do. They are counted only while a cap or
a watch needs them. Source: services/ledger/README.md, "Spend caps".
"""

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Protocol

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.spend_cap import OWN_KEY, GroupValue

CUSTOMER: GroupValue = (OWN_KEY, "customer")
_PRODUCT = "product "
_GROUP = "group "


class CapScope(Enum):
    """What a cap limits."""

    GROUP_VALUE = "GROUP_VALUE"
    PRODUCT = "PRODUCT"
    CUSTOMER = "CUSTOMER"
    GROUP = "GROUP"


class Counting(Protocol):
    """What decides whose spending a call is. own_subjects: those of the Ledger's own that are counted now.

    groups: of the group values of the present calls, the group that each is in; None if no group is counted.
    """

    @property
    def own_subjects(self) -> Collection[GroupValue]: ...

    @property
    def groups(self) -> Mapping[GroupValue, GroupValue | None] | None: ...


def of_product(product_id: ProductId) -> GroupValue:
    """Return where it is counted what is spent on one product."""
    return OWN_KEY, f"{_PRODUCT}{product_id}"


def scope_of(subject: GroupValue) -> CapScope:
    """Return what a subject is."""
    if subject[0] != OWN_KEY:
        return CapScope.GROUP_VALUE
    if subject == CUSTOMER:
        return CapScope.CUSTOMER
    return CapScope.GROUP if is_group(subject) else CapScope.PRODUCT


def product_of(subject: GroupValue) -> ProductId | None:
    """Return the product that a subject is; None for any other."""
    key, value = subject
    is_product = key == OWN_KEY and value.startswith(_PRODUCT)
    return ProductId(value.removeprefix(_PRODUCT)) if is_product else None


def of_group(cap_group_id: str) -> GroupValue:
    """Return where it is counted what the values of a group spend together."""
    return OWN_KEY, f"{_GROUP}{cap_group_id}"


def is_group(subject: GroupValue) -> bool:
    """Whether a subject is a group of values."""
    return subject[0] == OWN_KEY and subject[1].startswith(_GROUP)


def group_of(subject: GroupValue) -> str:
    """Return the id of the group that a subject is; '' for any other."""
    return subject[1].removeprefix(_GROUP) if is_group(subject) else ""


def subjects_of(
    counting: Counting, group_values: Mapping[str, str], product_id: ProductId
) -> tuple[GroupValue, ...]:
    """Return the subjects of usage of a product. The groups of its values must be known, if any is counted."""
    own = counting.own_subjects
    if not own:
        return tuple(group_values.items())
    candidates = (CUSTOMER, of_product(product_id), *_groups_of(counting, group_values.items()))
    return (*group_values.items(), *(subject for subject in candidates if subject in own))


def held_by(counting: Counting, hold: Hold) -> dict[GroupValue, Credits]:
    """Return what a hold counts as held, by subject: of a product its own lines, of any other all of it."""
    held = dict.fromkeys(hold.counted(), hold.amount)
    own = counting.own_subjects
    if not own:
        return held
    held |= {group: hold.amount for group in _groups_of(counting, hold.counted()) if group in own}
    for part in hold.parts:
        for subject in (CUSTOMER, of_product(part.product_id)):
            if subject in own:
                held[subject] = held.get(subject, Credits(0)) + part.amount
    return held


def _groups_of(counting: Counting, group_values: Iterable[GroupValue]) -> set[GroupValue]:
    if counting.groups is None:
        return set()
    found = (counting.groups[group_value] for group_value in group_values)
    return {group for group in found if group is not None}
