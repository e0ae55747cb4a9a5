# SPDX-License-Identifier: Apache-2.0
"""The shortfall of a pool in its usage periods: usage that no credits cover, and that nobody pays.

It is counted like the spends of group values, under a name that no metric can have: see overage.py.
Source: services/ledger/README.md, "Watches and crossings".
"""

from datetime import datetime
from typing import Final

from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.gate.spend_cap import GroupValue, Spend, spend_less, spend_more

SHORTFALL: Final[GroupValue] = ("", "shortfall")


def shortfall_more(
    account: Account, amount: Credits, *, used_time: datetime, at: datetime
) -> dict[GroupValue, Spend]:
    """Return the shortfall after `amount` more of usage of `used_time`; nothing for 0.

    The account has what there is: a pool that has had no shortfall yet has none in any usage period.
    """
    if not amount or account.usage_anchor is None:
        return {}
    before = account.spends.get(SHORTFALL, Spend())
    return {SHORTFALL: spend_more(before, amount, anchor=account.usage_anchor, at=at, used_time=used_time)}


def shortfall_less(
    account: Account, amount: Credits, *, used_time: datetime, at: datetime
) -> dict[GroupValue, Spend]:
    """Return the shortfall after `amount` of usage of `used_time` was taken back; nothing for 0."""
    if not amount or account.usage_anchor is None:
        return {}
    before = account.spends.get(SHORTFALL, Spend())
    return {SHORTFALL: spend_less(before, amount, anchor=account.usage_anchor, at=at, used_time=used_time)}
