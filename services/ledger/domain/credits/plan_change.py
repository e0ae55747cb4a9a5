# SPDX-License-Identifier: Apache-2.0
"""A change of plan: what becomes of the included credits of the contract that ends, and how much of them was unused.

Source: services/ledger/README.md, "Change of plan".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction

from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.copies import ContractUpdate
from services.ledger.domain.credits import issuing
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import ScheduleProgress
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantId,
    GrantKind,
    GrantVoid,
    ScheduleId,
)
from services.ledger.domain.credits.proration import ONE, Seats
from services.ledger.domain.credits.schedule import Schedule, ScheduleCredits, credits_of_period

VOID_REASON = "change of plan"
_TICK = timedelta(microseconds=1)


class IncludedCredits(Enum):
    """What becomes of the current period's included credits. ROLL: the rest becomes a grant with the same expiry."""

    KEEP = "KEEP"
    VOID = "VOID"
    ROLL = "ROLL"


@dataclass(frozen=True, slots=True)
class PaidPeriod:
    """The open billing period of a subscription of the contract that ends, and the seats that were charged for it."""

    subscription_id: str
    period: Period
    seats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """One contract ends and another begins at one instant; begun None: none begins. From Contract."""

    request_id: str
    fingerprint: bytes
    customer_id: CustomerId
    ended: ContractUpdate
    begun: ContractUpdate | None
    included: IncludedCredits
    paid: tuple[PaidPeriod, ...]

    @property
    def change_time(self) -> datetime:
        assert self.ended.end_time is not None
        return self.ended.end_time

    def granted_before(self, paid: PaidPeriod | None) -> datetime:
        """Return the instant before which periods of the ended plan began.

        A plan that ends at the instant at which it began, or at which a billing period began that was paid, had that
        period: otherwise its credits could be spent for nothing.
        """
        began = self.ended.start_time if paid is None else paid.period.start
        return max(self.change_time, self.ended.start_time + _TICK, began + _TICK)

    def paid_period(self, schedule: Schedule) -> PaidPeriod | None:
        """Return the open billing period of the seats that a schedule is linked to."""
        return next((one for one in self.paid if one.subscription_id == schedule.subscription_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSchedule:
    """What a schedule of the contract that ends has granted for the paid period, and what is taken back of it.

    to_come: what it would still have granted for the seats that were paid for.
    """

    schedule_id: ScheduleId
    subscription_id: str | None
    credit_type_id: CreditTypeId
    granted: Credits
    voided: Credits
    rolled: Credits
    to_come: Credits


@dataclass(frozen=True, slots=True)
class PaidCredits:
    """What a schedule granted for its periods that began in the paid period, and what was used of later ones.

    Later ones began before the notice arrived; nobody has paid for them.
    """

    granted: Credits = Credits(0)
    used_later: Credits = Credits(0)


@dataclass(frozen=True, slots=True)
class EndedCredits:
    """A schedule that ended, and how much of what it granted, or would have granted, for the paid period is unused."""

    schedule: EndedSchedule
    unused: Credits


@dataclass(frozen=True, slots=True)
class UnusedShare:
    """The share of a subscription's credits that comes back unused: the least of its schedules."""

    subscription_id: str
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged:
    """What a change of plan has done. begun: credits that the new contract brings at once."""

    ended: tuple[EndedSchedule, ...]
    unused: tuple[UnusedShare, ...]
    begun: tuple[ScheduleCredits, ...]
    apply_time: datetime


def end_schedule(
    account: Account,
    progress: ScheduleProgress,
    change: PlanChange,
    *,
    of_paid: PaidCredits,
    at: datetime,
    new_grant_id: Callable[[], GrantId],
) -> tuple[Account, EndedCredits]:
    """Return the account without the credits that a schedule's current grant takes back, and what that came to.

    The account must be up to date at `at`.
    """
    schedule = progress.schedule
    paid = change.paid_period(schedule)
    latest = None if progress.latest is None else account.grants.get(progress.latest)
    included, voided = change.included, Credits(0)
    period_start = None if latest is None else latest.period_start
    if period_start is not None and period_start >= change.granted_before(paid):
        # Of a period that the contract was not in force for, whatever was chosen.
        included = IncludedCredits.VOID
    if latest is not None and not latest.is_over(at) and included is not IncludedCredits.KEEP:
        void = GrantVoid(time=at, reason=VOID_REASON, actor="")
        account, voided = issuing.void_grant(
            account, latest.grant_id, void, cause_id=change.request_id, at=at
        )
        if included is IncludedCredits.ROLL and voided:
            rolled = _rolled(latest, voided, grant_id=new_grant_id(), at=at)
            account = issuing.issue_grant(account, rolled, cause_id=change.request_id, at=at)
    to_come = Credits(0) if paid is None else _to_come(schedule, progress.next_index, paid)
    voided_unused = voided if included is IncludedCredits.VOID else Credits(0)
    ended = EndedSchedule(
        schedule_id=schedule.schedule_id,
        subscription_id=schedule.subscription_id,
        credit_type_id=schedule.credit_type_id,
        granted=of_paid.granted,
        voided=voided_unused,
        rolled=voided if included is IncludedCredits.ROLL else Credits(0),
        to_come=to_come,
    )
    is_paid = paid is not None and period_start is not None and period_start < paid.period.end
    unused = (voided_unused.micros if is_paid else 0) + to_come.micros - of_paid.used_later.micros
    return account, EndedCredits(ended, Credits(max(0, unused)))


def unused_shares(ended: Iterable[EndedCredits]) -> tuple[UnusedShare, ...]:
    """Return, for each paid subscription with schedules, the least share of its credits that comes back unused.

    Credits that were spent, held, kept, rolled or have expired do not come back. ended: all schedules of the contract.
    """
    shares: dict[str, Fraction] = {}
    for one in ended:
        schedule = one.schedule
        whole = schedule.granted + schedule.to_come
        if schedule.subscription_id is None or not whole:
            continue
        # Less than the period's seats may have been granted for if one of them was taken back, so the share is bounded.
        share = min(Fraction(1), Fraction(one.unused.micros, whole.micros))
        shares[schedule.subscription_id] = min(share, shares.get(schedule.subscription_id, share))
    return tuple(
        UnusedShare(subscription_id, share.numerator, share.denominator)
        for subscription_id, share in shares.items()
    )


def first_credits(begun: ContractUpdate | None) -> tuple[ScheduleCredits, ...]:
    """Return what each schedule of a new contract grants at its start."""
    if begun is None:
        return ()
    seats = {one.subscription_id: Seats(one.initial_quantity, ()) for one in begun.subscriptions}
    return tuple(
        ScheduleCredits(
            one.schedule_id,
            one.credit_type_id,
            credits_of_period(
                one,
                one.first_index,
                ONE if one.subscription_id is None else seats[one.subscription_id],
                through=one.start_time,
            ),
        )
        for one in begun.schedules
    )


def _rolled(grant: Grant, amount: Credits, *, grant_id: GrantId, at: datetime) -> Grant:
    return Grant(
        grant_id=grant_id,
        kind=GrantKind.INCLUDED,
        product_id=grant.product_id,
        priority=grant.priority,
        effective_time=at,
        expire_time=grant.expire_time,
        create_time=at,
        granted=amount,
        scope_product_ids=grant.scope_product_ids,
    )


def _to_come(schedule: Schedule, next_index: int, paid: PaidPeriod) -> Credits:
    """Return what the periods that have not begun would grant until the end of the paid period, rounded down."""
    micros = Fraction(0)
    index = next_index
    while (period := schedule.nominal_period(index)).start < paid.period.end:
        share = period.fraction_left(period.start) - period.fraction_left(min(period.end, paid.period.end))
        micros += schedule.terms_of(index).unit_amount.micros * paid.seats * share
        index += 1
    return Credits(int(micros))
