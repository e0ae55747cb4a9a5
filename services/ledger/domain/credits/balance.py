# SPDX-License-Identifier: Apache-2.0
"""A customer's balances at one instant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from meshkit.quantity import Credits, floor_div
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId, Grant, SlotId
from services.ledger.domain.credits.seats import Purse
from services.ledger.domain.gate.overage import OverageNow, overage_now


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBalance:
    """A pool at one instant. grants: active ones, in burn-down order. overage: of the present usage period.

    owed: credits that were used and whose money went back. owed_money_micros: what they cost, rounded down.
    """

    credit_type_id: CreditTypeId
    available: Credits
    held: Credits
    remaining: Credits
    shortfall: Credits
    grants: tuple[Grant, ...]
    next_expire_time: datetime | None
    next_expiring: Credits
    overage: tuple[OverageNow, ...]
    owed: Credits
    owed_money_micros: int


def balance_of(account: Account, *, at: datetime) -> PoolBalance:
    """Return the balance of an account that is up to date at `at`."""
    ranking = account.ranking(at)
    active = tuple(account.drawable(at))
    mortal = [g for g in active if g.expire_time is not None and g.remaining]
    next_expire_time = min((g.expire_time for g in mortal if g.expire_time is not None), default=None)
    owed_money = sum((one.money_micros for one in account.owed), start=Fraction(0))
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
        overage=overage_now(account, at),
        owed=Credits(sum(one.credits.micros for one in account.owed)),
        owed_money_micros=floor_div(owed_money.numerator, owed_money.denominator),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OccupiedSlot:
    """A slot of a pool, and who has it now. draws_shared_pool: whether the seat may draw shared credits too."""

    subscription_id: str
    seat_id: str
    slot_id: SlotId
    credit_type_id: CreditTypeId
    draws_shared_pool: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatBalance:
    """What a seat has of its own in one pool. grants: active ones, in burn-down order."""

    seat: OccupiedSlot
    available: Credits
    held: Credits
    grants: tuple[Grant, ...]


def balance_of_seat(account: Account, seat: OccupiedSlot, *, at: datetime) -> SeatBalance:
    """Return what a seat has in an account that has its slot and is up to date at `at`."""
    grants = tuple(account.drawable(at, purse=Purse((seat.slot_id,), is_shared=False)))
    return SeatBalance(
        seat=seat,
        available=Credits(sum(grant.rest.micros for grant in grants)),
        held=Credits(sum(grant.held.micros for grant in grants)),
        grants=grants,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """A customer's pools at one instant."""

    pools: tuple[PoolBalance, ...]
    at: datetime


def balances_of(accounts: Sequence[Account], *, at: datetime) -> Balances:
    """Return the balances of a customer's accounts that are up to date at `at`.

    Pools settled after `at` are reported at their settled time.
    """
    times = [account.time_at(at) for account in accounts]
    pools = [balance_of(account, at=time) for account, time in zip(accounts, times, strict=True)]
    return Balances(pools=tuple(pools), at=max([at, *times]))
