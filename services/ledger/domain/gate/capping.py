# SPDX-License-Identifier: Apache-2.0
"""Which spend caps apply to a call, and how much of each is used. Source: services/ledger/README.md, "Spend caps"."""

from collections.abc import Collection
from datetime import datetime

from services.ledger.domain.credits.account import Account
from services.ledger.domain.gate.spend_cap import OWN_KEY, CapUse, GroupValue, Spend, SpendCap, used_in


def cap_uses(
    account: Account, subjects: Collection[GroupValue], *, anchor: datetime, at: datetime
) -> tuple[CapUse, ...]:
    """Return the caps that apply to subjects: of an owner and window, that on a value, else on each one."""
    if not account.caps:
        return ()
    values = dict(iter(subjects))  # of the own subjects one remains, which is not looked up
    applying: dict[_Slot, SpendCap] = {}
    for cap in account.caps:
        value = cap.group_value if cap.group_key == OWN_KEY else values.get(cap.group_key)
        if value is None or cap.group_value not in (value, ""):
            continue
        if cap.group_key != OWN_KEY or (OWN_KEY, value) in subjects:
            slot = ((cap.group_key, value), cap.owner.value, cap.window.value, cap.hours)
            known = applying.get(slot)
            if known is None or _rank(cap) < _rank(known):
                applying[slot] = cap
    return tuple(
        _use(cap, slot[0], account, anchor=anchor, at=at)
        for slot, cap in sorted(applying.items(), key=lambda item: item[0])
    )


def _rank(cap: SpendCap) -> tuple[bool, int]:
    """A cap on a value comes before one on each value. Two of one identity (store/gate/caps.py): the stricter first."""
    return not cap.group_value, cap.limit.micros


# Of the caps on one subject, one per owner and window applies: subject, owner, window, hours.
_Slot = tuple[GroupValue, str, str, int]


def _use(cap: SpendCap, subject: GroupValue, account: Account, *, anchor: datetime, at: datetime) -> CapUse:
    spend = account.spends.get(subject, Spend())
    spent, period = used_in(spend, cap.window, cap.hours, zone=account.time_zone, anchor=anchor, at=at)
    return CapUse(cap, subject[1], spend.held + spent, period)
