# SPDX-License-Identifier: Apache-2.0
"""What is told about an account: its balance, its usage, and whether its figures add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.account import Account
from services.ledger.domain.burn_down import Draw
from services.ledger.domain.gate import DenialReason, Entitlement
from services.ledger.domain.grant import CreditTypeId, CustomerId, Grant, GrantId
from services.ledger.domain.spend_cap import CapUse


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBalance:
    """A pool at one instant. grants: active ones, in burn-down order."""

    credit_type_id: CreditTypeId
    available: Credits
    held: Credits
    remaining: Credits
    shortfall: Credits
    grants: tuple[Grant, ...]
    next_expire_time: datetime | None
    next_expiring: Credits


def balance_of(account: Account, *, at: datetime) -> PoolBalance:
    """Return the balance of an account that is up to date at `at`."""
    ranking = account.ranking(at)
    active = tuple(account.drawable(at))
    mortal = [g for g in active if g.expire_time is not None and g.remaining]
    next_expire_time = min((g.expire_time for g in mortal if g.expire_time is not None), default=None)
    expiring = [g.remaining.micros for g in mortal if g.expire_time == next_expire_time]
    return PoolBalance(
        credit_type_id=account.credit_type_id,
        available=ranking.rest,
        held=ranking.held,
        remaining=account.remaining(at),
        shortfall=account.shortfall,
        grants=active,
        next_expire_time=next_expire_time,
        next_expiring=Credits(sum(expiring)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """A customer's pools at one instant."""

    pools: tuple[PoolBalance, ...]
    at: datetime


def balances_of(accounts: Sequence[Account], *, at: datetime) -> Balances:
    """Return the balances of a customer's accounts that are up to date at `at`.

    What is settled already past `at` is told as of then.
    """
    times = [account.time_at(at) for account in accounts]
    pools = [balance_of(account, at=time) for account, time in zip(accounts, times, strict=True)]
    return Balances(pools=tuple(pools), at=max([at, *times]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why the gate decides as it does. grants: active and in scope, in burn-down order; none for a hold."""

    reason: DenialReason | None
    credits: Credits
    credit_type_id: CreditTypeId | None
    entitlement: Entitlement | None
    draws: tuple[Draw, ...]
    grants: tuple[Grant, ...]
    caps: tuple[CapUse, ...]
    decide_time: datetime
    expire_time: datetime | None
    available: Credits


class SummaryWindow(Enum):
    """How finely usage is told apart in time."""

    PERIOD = "PERIOD"
    DAY = "DAY"
    HOUR = "HOUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one group value used of one product in one window."""

    window: Period
    product_id: str
    credit_type_id: CreditTypeId
    group_value: str
    captured: Credits
    shortfall: Credits
    captures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """A stored figure that is not what entries and open holds say. grant_id None: of the pool itself."""

    customer_id: CustomerId
    credit_type_id: CreditTypeId
    grant_id: GrantId | None
    figure: str
    stored_micros: int
    recomputed_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a recount found, and how much it read."""

    discrepancies: tuple[Discrepancy, ...]
    pools: int
    grants: int
    entries: int
    holds: int
