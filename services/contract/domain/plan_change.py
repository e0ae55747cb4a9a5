# SPDX-License-Identifier: Apache-2.0
"""A change of plan: one contract ends and another begins at one instant, and what was paid but not used comes back.

The same settles the money of a contract that ends without another one (settlement.py). Source:
services/contract/README.md, "Change of plan".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction
from math import floor

from meshkit.period import Period
from meshkit.quantity import Money
from services.contract.domain.billing.coverage import Charge, level_at
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.billing.state import (
    BilledPeriod,
    BillingState,
    covered_span,
    open_period,
    uncharged_increases,
    with_voids,
)
from services.contract.domain.contract import (
    Contract,
    MoneyBack,
    Subscription,
)
from services.contract.domain.errors.catalog import CurrencyDiffers
from services.contract.domain.errors.contracts import EndBeforeNow, PlanNotProrated, PlanUnchanged
from services.contract.domain.ids import (
    ContractId,
    CreditNoteId,
    CustomerId,
    InvoiceId,
    PlanChangeId,
    ProductId,
    SubscriptionId,
)
from services.contract.domain.invoice import InvoiceLine, InvoiceLineKind, Share, line
from services.contract.domain.invoice_credits import account_credit_line
from services.contract.domain.schedules import GrantSchedule, PeriodProration

_TICK = timedelta(microseconds=1)


class IncludedCredits(Enum):
    """What becomes of the included credits of the current period. ROLL: the rest keeps its expiry in the new plan."""

    VOID = "VOID"
    KEEP = "KEEP"
    ROLL = "ROLL"


class PlanChangeStatus(Enum):
    """PENDING: the Ledger has not answered yet, so the first invoice is a draft. APPLIED: the money is settled."""

    PENDING = "PENDING"
    APPLIED = "APPLIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidSeats:
    """The open billing period of a subscription of the contract that ends: what was charged for it, and what is left.

    seats: paid for until the end of the span. charged: 0 if nothing of it may come back. left: the share of the charged
    span after the change; all of it, if the period is not wanted. unbilled: what seats that are not billed yet would
    cost until the end of the span: increases that wait for it, and all seats in arrears. unbilled_passed: the share of
    it that the old contract charges at its end, by time.
    """

    subscription_id: SubscriptionId
    product_id: ProductId
    product_name: str
    period: Period
    span: Period
    seats: int
    charged: Money
    left: Share
    unbilled: Money
    unbilled_passed: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedShare:
    """The share of a subscription's credits that is unused: the Ledger's answer."""

    subscription_id: SubscriptionId
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """change_time: when one contract ends and the other begins. invoice_id: the first invoice of the new contract.

    begun_contract_id None: no other one begins; then invoice_id is the last invoice of the contract that ended, and
    money comes back by credit notes. unused: of the subscriptions with schedules; empty while PENDING. apply_time: when
    the Ledger applied it.
    """

    plan_change_id: PlanChangeId
    customer_id: CustomerId
    ended_contract_id: ContractId
    begun_contract_id: ContractId | None
    change_time: datetime
    included_credits: IncludedCredits
    money_back: MoneyBack
    paid: tuple[PaidSeats, ...]
    status: PlanChangeStatus
    invoice_id: InvoiceId | None
    unused: tuple[UnusedShare, ...]
    apply_time: datetime | None
    credit_note_ids: tuple[CreditNoteId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisedSeats:
    """Seats of a billing period that are not billed, for a span in which they have credits although the contract ends.

    An earlier end takes back no credits of a period that has begun. period_start: of the billing period.
    """

    subscription_id: SubscriptionId
    period_start: datetime
    charge: Charge


def promised_seats(
    state: BillingState, promised: Sequence[PromisedSeats], *, end_time: datetime | None, at: datetime
) -> list[PromisedSeats]:
    """Return what an end that is set `at` leaves unbilled of the open billing period, although it has credits already.

    state: before the end is set. promised: by earlier ends. end_time None: the contract does not end.
    """
    opened = open_period(state, at)
    if opened is None or end_time is None:
        return []
    span = covered_span(state.contract, opened.period)
    if span is None or not span.contains(at):
        return []
    known = _with_promised(state, opened, promised)
    # What is added at this very instant is added under the new end.
    unbilled = uncharged_increases(state, known, through=at - _TICK)
    return [
        PromisedSeats(
            subscription_id=state.subscription.subscription_id,
            period_start=opened.period.start,
            charge=charge,
        )
        for charge in unbilled
        if charge.span.end > end_time
    ]


def paid_seats(
    state: BillingState, *, end_time: datetime, at: datetime, promised: Sequence[PromisedSeats] = ()
) -> PaidSeats | None:
    """Return what a subscription costs for its open billing period; None if nothing, or if that is over at `at`.

    state: before the end was set, or with an end that was set before. end_time: when its contract ends; at the start of
    the period, if that is not wanted. at: the instant at which what is left counts. promised: by ends set before.
    """
    opened = open_period(state, at)
    if opened is None or (covered := covered_span(state.contract, opened.period)) is None:
        return None
    # What a void gives back, the end does not give back again.
    opened = with_voids(opened, state.pending)
    known = _with_promised(state, opened, promised)
    unbilled = (*known.charges[len(opened.charges) :], *uncharged_increases(state, known, through=at))
    charges = (*opened.charges, *unbilled)
    # An end that was set inside the period leaves it charged, or promised, for longer.
    span = Period(covered.start, max([covered.end, *(one.span.end for one in charges)]))
    if not span.contains(at):
        return None
    full = _exact(opened, unbilled)
    if not opened.charged_micros and not full:
        return None
    ended = replace(state, contract=replace(state.contract, end_time=end_time))
    passed = _exact(opened, uncharged_increases(ended, opened, through=at))
    subscription, currency = state.subscription, opened.rate.currency_code
    return PaidSeats(
        subscription_id=subscription.subscription_id,
        product_id=subscription.product_id,
        product_name=subscription.product_name,
        period=opened.period,
        span=span,
        seats=_seats_to_come(charges, span, at),
        # In arrears only what voids of seat changes have charged, of which nothing comes back.
        charged=Money(currency, 0 if state.is_in_arrears else opened.charged_micros),
        left=Share.of(Fraction(1) if is_unwanted(span, end_time) else _left(opened, span, at)),
        unbilled=Money(currency, floor(full)),
        unbilled_passed=Share.of(passed / full if full else Fraction(0)),
    )


def _seats_to_come(charges: Sequence[Charge], span: Period, at: datetime) -> int:
    """Return how many seats are paid for throughout what is left of a billing period.

    What is still to be granted for a seat is counted until the end of the span, so it must be paid until then.
    """
    starts = {at, *(time for one in charges for time in (one.span.start, one.span.end) if time > at)}
    return min(level_at(charges, time) for time in starts if time < span.end)


def _with_promised(
    state: BillingState, opened: BilledPeriod, promised: Sequence[PromisedSeats]
) -> BilledPeriod:
    """Return a billing period as if what earlier ends left unbilled of it were charged."""
    of_period = (
        one.charge
        for one in promised
        if one.subscription_id == state.subscription.subscription_id
        and one.period_start == opened.period.start
    )
    return replace(opened, charges=(*opened.charges, *of_period))


def _left(opened: BilledPeriod, span: Period, at: datetime) -> Fraction:
    """Return the share of a charged period that is left: of its time, and of what its charges pay for.

    A seat that was added when the end was known is charged until then only, so nothing of it is left there.
    """
    left = span.fraction_left(at)
    if all(one.span.end == span.end for one in opened.charges) or not opened.exact_micros:
        return left
    later = (
        replace(one, span=Period(max(one.span.start, at), one.span.end))
        for one in opened.charges
        if one.span.end > at
    )
    return min(left, replace(opened, charges=tuple(later)).exact_micros / opened.exact_micros)


def is_unwanted(span: Period, end_time: datetime) -> bool:
    """Return whether a contract that ends at `end_time` does not want a billing period, of which it covers `span`."""
    return end_time == span.start


def _exact(opened: BilledPeriod, more: Sequence[Charge]) -> Fraction:
    """Return what more charges of a billing period come to, exactly."""
    return replace(opened, charges=(*opened.charges, *more)).exact_micros - opened.exact_micros


def refuse_other_currency(change: PlanChange, currency_code: str) -> None:
    """Raise CurrencyDiffers if money would come back on an invoice in another currency than it was paid in."""
    for paid in change.paid:
        moves_money = change.money_back is MoneyBack.CREDIT_UNUSED or paid.unbilled
        if moves_money and paid.charged.currency_code != currency_code:
            raise CurrencyDiffers(
                currency_code=currency_code,
                expected=f"{paid.charged.currency_code}, in which money comes back; change without it by NONE",
            )


def balanced(lines: Sequence[InvoiceLine], currency_code: str) -> tuple[InvoiceLine, ...]:
    """Return the lines of an invoice, whose total is never negative: what exceeds it becomes account credit."""
    total = sum((one.total for one in lines), start=Money.zero(currency_code))
    moved = account_credit_line(total, Money.zero(currency_code))
    return tuple(lines) if moved is None else (*lines, moved)


def charge_line(
    paid: PaidSeats, unused: Share | None, *, event: str = "the plan changed"
) -> InvoiceLine | None:
    """Return the line for seats that are not billed yet and of whose credits more was used than of their time.

    The old contract charges the time that has passed. This adds price × (share of credits used − share of time passed):
    otherwise credits could be used at once and the plan changed, for next to nothing. None: there is nothing to add.
    event: what has happened, for people.
    """
    if unused is None:
        return None
    used = 1 - unused.fraction
    share = used - paid.unbilled_passed.fraction
    what = f"{used} of the credits used when {event}, beyond the time passed"
    return unbilled_line(paid, max(share, Fraction(0)), what)


def unbilled_line(paid: PaidSeats, share: Fraction, what: str) -> InvoiceLine | None:
    """Return the line that charges a share of seats that are not billed yet; None if it comes to nothing."""
    exact = paid.unbilled.micros * share
    total = rounded(exact, Rounding.HALF_UP, paid.unbilled.currency_code)
    if not total:
        return None
    return line(
        kind=InvoiceLineKind.PLAN_CHARGE,
        product_id=paid.product_id,
        description=f"{paid.product_name}: {what}",
        quantity=1,
        unit_price=paid.unbilled,
        share=Share.of(share),
        exact=exact,
        total=total,
        span=paid.span,
    )


def credit_line(
    paid: PaidSeats, unused: Share | None, back: Money, *, event: str = "the plan changed"
) -> InvoiceLine | None:
    """Return the negative line for what was paid and not used; None if nothing comes back.

    back: at most money_back_of, less if some of it reduces what is due. event: see charge_line.
    """
    if not back:
        return None
    share = share_back(paid, unused)
    is_whole = back == money_back_of(paid, unused)
    what = "of the time left" if share == paid.left.fraction else "of the credits unused"
    return line(
        kind=InvoiceLineKind.PLAN_CREDIT,
        product_id=paid.product_id,
        description=f"{paid.product_name}: {share} {what} when {event}",
        quantity=-1,
        unit_price=paid.charged,
        share=Share.of(share),
        exact=-paid.charged.micros * share if is_whole else Fraction(-back.micros),
        total=-back,
        span=paid.span,
    )


def money_back_of(paid: PaidSeats, unused: Share | None) -> Money:
    """Return what comes back at most: charged × the lesser share, of time left or credits unused, rounded down.

    unused None: the subscription has no schedules, so time alone counts.
    """
    exact = paid.charged.micros * share_back(paid, unused)
    return rounded(exact, Rounding.FLOOR, paid.charged.currency_code)


def share_back(paid: PaidSeats, unused: Share | None) -> Fraction:
    """Return the lesser of the shares of time left and of credits unused; None: the time left."""
    left = paid.left.fraction
    return left if unused is None else min(left, unused.fraction)


def refuse_past_end(end_time: datetime | None, *, at: datetime) -> None:
    """Raise EndBeforeNow if a plan that begins at `at` would have ended by then."""
    if end_time is not None and end_time <= at:
        raise EndBeforeNow(end_time=end_time.isoformat(), now_time=at.isoformat())


def refuse_unchanged(old: Contract, new: Contract, quantities: Mapping[SubscriptionId, int]) -> None:
    """Raise PlanUnchanged if the new contract has the terms of the old one. quantities: its seats in force now."""
    now = [replace(one, initial_quantity=quantities[one.subscription_id]) for one in old.subscriptions]
    is_same = (
        old.rate_card_id == new.rate_card_id
        and [_seat_terms(one) for one in now] == [_seat_terms(one) for one in new.subscriptions]
        and _all_schedule_terms(old) == _all_schedule_terms(new)
    )
    if is_same:
        raise PlanUnchanged(contract_id=old.contract_id)


def refuse_unprorated(old: Contract, new: Contract) -> None:
    """Raise PlanNotProrated if a plan's credits are not prorated like its money, or are granted for longer.

    Changing such plans back and forth could bring more credits than were paid for.
    """
    refuse_unprorated_plan(old, is_new=False)
    refuse_unprorated_plan(new, is_new=True)


def refuse_unprorated_plan(contract: Contract, *, is_new: bool) -> None:
    """Raise PlanNotProrated for one of the plans. is_new: so that its schedules have no ids that a caller knows."""
    seats = {one.subscription_id: one for one in contract.subscriptions}
    for position, schedule in enumerate(contract.grant_schedules):
        linked = None if schedule.subscription_id is None else seats[schedule.subscription_id]
        if linked is not None and not _is_prorated_alike(schedule, linked):
            of_new = f"grant_schedules[{position}] of the new plan"
            name = of_new if is_new else f"grant schedule {schedule.grant_schedule_id!r}"
            raise PlanNotProrated(grant_schedule=name)


def _is_prorated_alike(schedule: GrantSchedule, seats: Subscription) -> bool:
    return _is_no_longer(schedule, seats) and all(
        terms.prorates_increases == seats.proration.is_prorated
        and terms.period_proration is PeriodProration.FIRST_AND_LAST
        for terms in (schedule.terms, *(edition.terms for edition in schedule.editions))
    )


def _is_no_longer(schedule: GrantSchedule, seats: Subscription) -> bool:
    """Return whether a period of a schedule is never longer than a billing period of its seats."""
    granted = schedule.frequency.cadence.times(schedule.interval_count)
    billed = seats.billing_frequency.cadence.times(seats.interval_count)
    if granted.months and billed.months:
        return granted.months <= billed.months
    # A month has 28 to 31 days.
    return granted.days + 31 * granted.months <= billed.days + 28 * billed.months


def _seat_terms(one: Subscription) -> tuple[object, ...]:
    return (
        one.product_id,
        one.billing_frequency,
        one.interval_count,
        one.collection_schedule,
        one.proration,
        one.initial_quantity,
        one.named,
    )


def _all_schedule_terms(contract: Contract) -> list[tuple[object, ...]]:
    """Return the terms of all schedules, each linked by position: ids and anchors differ in every contract."""
    positions = {one.subscription_id: n for n, one in enumerate(contract.subscriptions)}
    return [
        (
            one.product_id,
            one.credit_type_id,
            None if one.subscription_id is None else positions[one.subscription_id],
            one.frequency,
            one.interval_count,
            one.end_time,
            one.terms,
            one.editions,
            one.allocation,
        )
        for one in contract.grant_schedules
    ]
