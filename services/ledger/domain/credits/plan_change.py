# SPDX-License-Identifier: Apache-2.0
"""A change of plan: what becomes of the included credits of the contract that ends, and how much of them was unused.

Source: services/ledger/README.md, "Change of plan".
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction

from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.copies import ContractUpdate
from services.ledger.domain.credits import issuing
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import ScheduleProgress
from services.ledger.domain.credits.free_credits import FreeAllowance
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantId,
    GrantKind,
    GrantVoid,
    ScheduleId,
    SlotId,
)
from services.ledger.domain.credits.proration import Seats
from services.ledger.domain.credits.schedule import (
    Allocation,
    Schedule,
    ScheduleCredits,
    credits_of_period,
)

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

    @property
    def credit_type_ids(self) -> list[CreditTypeId]:
        """The pools of both contracts, in the order of locking."""
        begun = () if self.begun is None else self.begun.schedules
        return sorted({one.credit_type_id for one in (*self.ended.schedules, *begun)})

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

    Later ones began before the notice arrived; nobody has paid for them. expired_since: what expired of the schedule's
    last grant between the change and the arrival of its notice.
    """

    granted: Credits = Credits(0)
    used_later: Credits = Credits(0)
    expired_since: Credits = Credits(0)

    def with_grants(self, grants: Iterable[Grant], period: Period) -> "PaidCredits":
        """Return it with grants that are not stored yet, which nobody has used."""
        starts = [(one.period_start, one.counted.micros) for one in grants]
        granted = sum(micros for start, micros in starts if start and period.start <= start < period.end)
        return replace(self, granted=self.granted + Credits(granted))


@dataclass(frozen=True, slots=True)
class EndedCredits:
    """A schedule that ended, and how much of what it granted, or would have granted, for the paid period is unused.

    Less than 0 if more than that was used of later periods.
    """

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
    rolls_to: SlotId | None = None,
) -> tuple[Account, EndedCredits]:
    """Return the account without the credits that a schedule's current grant takes back, and what that came to.

    rolls_to: the slot that gets what rolls; None: the pool does. What is still to come of a slot is left out: all_slots
    adds it for all paid seats. The account must be up to date at `at`.
    """
    schedule = progress.schedule
    paid = change.paid_period(schedule)
    latest = _latest_grant(account, progress)
    included, voided = change.included, Credits(0)
    period_start = None if latest is None else latest.period_start
    if period_start is not None and period_start >= change.granted_before(paid):
        # Of a period that the contract was not in force for, whatever was chosen.
        included = IncludedCredits.VOID
    # What is paid back is voided also if it has expired since the change: late usage must not draw it.
    void_from = change.change_time if included is IncludedCredits.VOID else at
    if latest is not None and not latest.is_over(void_from) and included is not IncludedCredits.KEEP:
        # What was held when the grant was voided before is voided when it returns, and does not roll.
        has_held = bool(latest.held) and latest.void is None
        rolled: Grant | None = None
        if included is IncludedCredits.ROLL and (latest.rest or has_held):
            rolled = rolled_grant(latest, latest.rest, slot_id=rolls_to, grant_id=new_grant_id(), at=at)
        follows_to = rolled.grant_id if rolled is not None and has_held else None
        void = GrantVoid(time=at, reason=VOID_REASON, actor="", rolls_to=follows_to)
        account, voided = issuing.void_grant(
            account, latest.grant_id, void, cause_id=change.request_id, at=at
        )
        if rolled is not None:
            account = issuing.issue_grant(account, rolled, cause_id=change.request_id, at=at)
    to_come = Credits(0)
    if paid is not None and schedule.slot_id is None:
        to_come = to_come_of(schedule, progress.next_index, paid)
    is_void = included is IncludedCredits.VOID
    voided_unused = voided if is_void else Credits(0)
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
    if is_void:
        unused += of_paid.expired_since.micros
    return account, EndedCredits(ended, Credits(unused))


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
        share = min(Fraction(1), Fraction(max(0, one.unused.micros), whole.micros))
        shares[schedule.subscription_id] = min(share, shares.get(schedule.subscription_id, share))
    return tuple(
        UnusedShare(subscription_id, share.numerator, share.denominator)
        for subscription_id, share in shares.items()
    )


def first_credits(
    begun: ContractUpdate | None, free: Mapping[CreditTypeId, FreeAllowance]
) -> tuple[ScheduleCredits, ...]:
    """Return what each schedule of a new contract grants at its start.

    free: what more of free credits would be granted, by credit type; not those of the new contract.
    """
    if begun is None:
        return ()
    seats = {one.subscription_id: one.initial_quantity for one in begun.subscriptions}
    found = []
    for one in begun.schedules:
        amount = _first_credits(one, seats)
        if one.is_free_at(one.start_time) and one.credit_type_id in free:
            amount -= free[one.credit_type_id].withhold(one, one.start_time, amount)
        found.append(ScheduleCredits(one.schedule_id, one.credit_type_id, amount))
    return tuple(found)


def _first_credits(schedule: Schedule, seats: Mapping[str, int]) -> Credits:
    quantity = 1 if schedule.subscription_id is None else seats[schedule.subscription_id]
    # Each slot is granted by itself, and rounded down.
    slots = quantity if schedule.allocation is Allocation.INDIVIDUAL else 1
    of_each = Seats(quantity if slots == 1 else 1, ())
    credits = credits_of_period(schedule, schedule.first_index, of_each, through=schedule.start_time)
    return Credits(credits.micros * slots)


def _latest_grant(account: Account, progress: ScheduleProgress) -> Grant | None:
    """Return the grant of a schedule's current period."""
    schedule = progress.schedule
    if schedule.slot_id is None:
        return None if progress.latest is None else account.grants.get(progress.latest)
    slot = account.slots[schedule.slot_id]
    grants = [account.grants[one] for one in slot.grant_ids]
    of_schedule = [one for one in grants if one.schedule_id == schedule.schedule_id]
    return max(of_schedule, key=schedule.index_of, default=None)


def rolled_grant(
    grant: Grant, amount: Credits, *, slot_id: SlotId | None, grant_id: GrantId, at: datetime
) -> Grant:
    """Return the grant that the rest of a grant becomes: it expires when that one would have."""
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
        slot_id=slot_id,
    )


def to_come_of(schedule: Schedule, next_index: int, paid: PaidPeriod) -> Credits:
    """Return what the periods that have not begun would grant until the end of the paid period, rounded down."""
    micros = Fraction(0)
    index = next_index
    while (period := schedule.nominal_period(index)).start < paid.period.end:
        share = period.fraction_left(period.start) - period.fraction_left(min(period.end, paid.period.end))
        micros += schedule.terms_of(index).unit_amount.micros * paid.seats * share
        index += 1
    return Credits(int(micros))
