# SPDX-License-Identifier: Apache-2.0
"""Voids of seat changes that are in effect: what of their seats was charged, what comes back, and what stays covered.

Source: services/contract/README.md, "Voids of changes in effect".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

from meshkit.period import Period
from meshkit.quantity import Money
from services.contract.domain.billing.coverage import Charge, beyond, owed, share_of
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.billing.state import (
    BilledPeriod,
    BillingState,
    VoidedCharges,
    covered_span,
    current_period,
    open_period,
)
from services.contract.domain.contract import MoneyBack
from services.contract.domain.errors.seats import (
    PeriodNotBilled,
    SeatChangeInEffect,
    SeatChangePeriodOver,
    SeatsPromised,
)
from services.contract.domain.ids import (
    ContractId,
    CreditNoteId,
    CustomerId,
    InvoiceId,
    SeatChangeId,
    SeatVoidId,
)
from services.contract.domain.invoice import WHOLE, InvoiceLine, Share
from services.contract.domain.plan_change import (
    PaidSeats,
    PlanChangeStatus,
    PromisedSeats,
    share_back,
    unbilled_line,
)
from services.contract.domain.seats.naming import SeatNames
from services.contract.domain.seats.timeline import SeatChange, Timeline

EVENT = "the seats were voided"
IN_FULL_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidAnswer:
    """The Ledger's answer to a void. unused: None without schedules. kept: the time whose credits stay granted."""

    unused: Share | None
    kept: tuple[Period, ...]
    apply_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatVoid:
    """The money of a void. PENDING until the Ledger has said what of the seats' credits was unused.

    paid: what the seats of the change were charged in the open billing period; `left` is all of it if they come back in
    full. gives_back: whether what was charged may come back. billed, unbilled: the seats that the period would not have
    needed without the change, as far as they are charged, and not. before: all that the period needed with it. charges:
    what the void changes of the period.
    """

    seat_void_id: SeatVoidId
    customer_id: CustomerId
    contract_id: ContractId
    seat_change_id: SeatChangeId
    void_time: datetime
    paid: PaidSeats
    billed: tuple[Charge, ...]
    unbilled: tuple[Charge, ...]
    before: tuple[Charge, ...]
    is_in_full: bool
    gives_back: bool
    status: PlanChangeStatus = PlanChangeStatus.PENDING
    unused: Share | None = None
    apply_time: datetime | None = None
    charges: VoidedCharges | None = None
    invoice_id: InvoiceId | None = None
    credit_note_ids: tuple[CreditNoteId, ...] = ()

    @property
    def has_money(self) -> bool:
        """Whether anything is to be settled: otherwise what was charged and granted stays."""
        return self.gives_back or bool(self.unbilled)


def refuse_not_voidable(
    change: SeatChange, names: SeatNames, state: BillingState, *, at: datetime
) -> BilledPeriod:
    """Return the open billing period, into which a change in effect must fall.

    Raises SeatChangeInEffect if it changed names only, SeatChangePeriodOver, PeriodNotBilled.
    """
    if names and not change.quantity_delta and change.new_quantity is None:
        raise SeatChangeInEffect(
            seat_change_id=change.seat_change_id, effective_time=change.effective_time.isoformat()
        )
    open_from = max(current_period(state.contract, state.subscription, at).start, state.contract.start_time)
    if change.effective_time < open_from:
        raise SeatChangePeriodOver(
            seat_change_id=change.seat_change_id,
            effective_time=change.effective_time.isoformat(),
            open_from_time=open_from.isoformat(),
        )
    opened = open_period(state, at)
    if opened is None:
        raise PeriodNotBilled(subscription_id=state.subscription.subscription_id)
    return opened


def refuse_promised(void: SeatVoid, promised: Iterable[PromisedSeats]) -> None:
    """Raise SeatsPromised if an end that was set ahead has left seats of the period unbilled, to charge them by use."""
    of_void = (void.paid.subscription_id, void.paid.period.start)
    if any((one.subscription_id, one.period_start) == of_void for one in promised):
        raise SeatsPromised(subscription_id=void.paid.subscription_id)


def opposite_delta(before: Timeline, after: Timeline, at: datetime) -> int:
    """Return the seats to add now so that the quantity is from now on what it would be without a change."""
    return after.quantity_at(at) - before.quantity_at(at)


def seat_void(
    state: BillingState,
    after: Timeline,
    opened: BilledPeriod,
    change: SeatChange,
    *,
    seat_void_id: SeatVoidId,
    money_back: MoneyBack,
    at: datetime,
) -> SeatVoid | None:
    """Return the money to settle when a change in effect is voided; None: it has added no seats to the open period.

    state, after: with the change, and the timeline without it. Accepted within 24 h of the change, its seats come back
    in full, whatever `money_back` says.
    """
    span = covered_span(state.contract, opened.period)
    assert span is not None

    def mark(timeline: Timeline) -> tuple[Charge, ...]:
        return owed(timeline, span, (), is_prorated=state.is_prorated, through=at)

    before, needed = mark(state.timeline), mark(after)
    of_others = (*needed, *beyond(opened.needed, needed, span))
    covered = (*opened.charges, *beyond(of_others, opened.charges, span))
    unbilled = beyond(before, covered, span)
    billed = beyond(before, (*needed, *unbilled), span)
    area = (*billed, *unbilled)
    if not area:
        return None
    is_in_full = at - change.effective_time <= IN_FULL_WITHIN
    subscription, currency = state.subscription, opened.rate.currency_code
    gives_back = is_in_full or money_back is MoneyBack.CREDIT_UNUSED
    charged = _charged_for(opened, billed, state) if gives_back else Money.zero(currency)
    price = replace(opened, charges=(*opened.charges, *unbilled)).exact_micros - opened.exact_micros
    return SeatVoid(
        seat_void_id=seat_void_id,
        customer_id=state.contract.customer_id,
        contract_id=state.contract.contract_id,
        seat_change_id=change.seat_change_id,
        void_time=at,
        paid=PaidSeats(
            subscription_id=subscription.subscription_id,
            product_id=subscription.product_id,
            product_name=subscription.product_name,
            period=opened.period,
            span=span,
            seats=sum(one.seats for one in area if one.span.contains(at)),
            charged=charged,
            left=WHOLE if is_in_full else Share.of(_left(area, opened.period, at)),
            unbilled=Money(currency, max(0, floor(price))),
            unbilled_passed=Share.of(Fraction(0)),
        ),
        billed=billed,
        unbilled=unbilled,
        before=before,
        is_in_full=is_in_full,
        gives_back=gives_back,
    )


def settled(void: SeatVoid, answer: VoidAnswer, billed: BilledPeriod, rounding: Rounding) -> SeatVoid:
    """Return a void with the Ledger's answer: its period stays charged for what was used, and no longer for the rest.

    The credits of the kept time stay granted. So seats that are added again are charged, and granted, beyond it. What
    the time that has passed cost is neither given back nor counts for such seats. billed: the period, without the void.
    """
    void = replace(void, status=PlanChangeStatus.APPLIED, unused=answer.unused, apply_time=answer.apply_time)
    added: tuple[Charge, ...] = _within(void.unbilled, answer.kept)
    removed: tuple[Charge, ...] = ()
    if void.gives_back:
        added += _within(void.billed, answer.kept)
        removed = _negative(void.billed)
    before = rounded(billed.exact_micros, rounding, billed.rate.currency_code)
    covered = replace(billed, charges=(*billed.charges, *removed, *added))
    change = rounded(covered.exact_micros, rounding, billed.rate.currency_code) - before
    if not void.unbilled:
        # With tiers for all seats, fewer of them can cost more.
        change = min(change, Money.zero(change.currency_code))
    area = (*void.billed, *void.unbilled)
    charges = VoidedCharges(
        charges=(*removed, *added),
        charged_micros=change.micros,
        needed=(
            *billed.needed,
            *beyond(void.before, billed.needed, void.paid.span),
            *_negative(area),
            *_within(area, answer.kept),
        ),
    )
    return replace(void, charges=charges)


def voided_charges(voids: Sequence[SeatVoid]) -> VoidedCharges | None:
    """Return what the settled voids of a billing period have changed of it; None: none has."""
    in_order = sorted((one.apply_time, one.seat_void_id, one.charges) for one in voids if one.apply_time)
    of_voids = [charges for _, _, charges in in_order if charges is not None]
    if not of_voids:
        return None
    return VoidedCharges(
        charges=tuple(charge for one in of_voids for charge in one.charges),
        charged_micros=sum(one.charged_micros for one in of_voids),
        needed=of_voids[-1].needed,
    )


def pending_charges(voids: Sequence[SeatVoid]) -> VoidedCharges | None:
    """Return the most that pending voids may give back of a billing period."""
    pending = [void for void in voids if void.charges is None and void.gives_back]
    if not pending:
        return None
    return VoidedCharges(
        charges=tuple(charge for void in pending for charge in _negative(void.billed)),
        charged_micros=-sum(void.paid.charged.micros for void in pending),
        needed=(),
    )


def charge_of(void: SeatVoid) -> InvoiceLine | None:
    """Return the line for seats that were not billed yet, once the Ledger has answered; None: it costs nothing.

    That is their price × the greater of the shares of time passed and of credits used; in full, of credits used.
    """
    paid = void.paid
    share = 1 - share_back(paid, void.unused)
    return unbilled_line(paid, share, f"{share} of seats not billed before, when {EVENT}")


def _charged_for(opened: BilledPeriod, billed: Sequence[Charge], state: BillingState) -> Money:
    """Return what was charged for these seats: what the period's lines come to beyond what the others cost."""
    others = replace(opened, charges=(*opened.charges, *_negative(billed))).exact_micros
    currency = opened.rate.currency_code
    cost = rounded(others, state.subscription.proration.rounding, currency)
    return Money(currency, max(0, opened.charged_micros - cost.micros))


def _negative(area: Iterable[Charge]) -> tuple[Charge, ...]:
    return tuple(replace(one, seats=-one.seats) for one in area)


def _left(area: Iterable[Charge], period: Period, at: datetime) -> Fraction:
    """Return the share of the time of seats that is left at an instant."""
    whole = left = Fraction(0)
    for one in area:
        whole += one.seats * share_of(one.span, period)
        if at < one.span.end:
            left += one.seats * share_of(Period(max(at, one.span.start), one.span.end), period)
    return left / whole


def _within(area: Iterable[Charge], spans: Iterable[Period]) -> tuple[Charge, ...]:
    """Return the part of seats' time that lies in spans that do not overlap."""
    found = []
    for span in spans:
        for one in area:
            start, end = max(one.span.start, span.start), min(one.span.end, span.end)
            if start < end:
                found.append(Charge(seats=one.seats, span=Period(start, end)))
    return tuple(found)
