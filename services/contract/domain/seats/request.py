# SPDX-License-Identifier: Apache-2.0
"""Turns a caller's seat request into a dated seat change. Source: services/contract/README.md, "Seats"."""

from datetime import datetime

from meshkit.errors import FieldViolation, InvalidFields
from services.contract.domain.billing.price import refuse_unpayable
from services.contract.domain.billing.state import BillingState, current_period, known_price
from services.contract.domain.commands.seats import ListedSeatChange, SeatRequest
from services.contract.domain.contract import Subscription, refuse_over
from services.contract.domain.errors.contracts import EffectiveAfterContractEnd, OutsideOpenPeriod
from services.contract.domain.errors.seats import SeatsNotNamed
from services.contract.domain.ids import SeatChangeId, SeatId
from services.contract.domain.seats.naming import SeatNames
from services.contract.domain.seats.timeline import SEATS_MAX, SeatChange, Timeline


def planned_change(
    request: SeatRequest, state: BillingState, *, seat_change_id: SeatChangeId, at: datetime
) -> tuple[SeatChange, Timeline]:
    """Return the seat change of a request received at `at`, and the timeline including it.

    Raises ContractEnded, OutsideOpenPeriod, EffectiveAfterContractEnd, SeatsNotNamed, SeatsBelowZero, TooFewSeats;
    InvalidFields if there would be more than SEATS_MAX seats, or a larger amount than an invoice can hold.
    """
    if request.names and state.subscription.named is None:
        raise SeatsNotNamed(subscription_id=state.subscription.subscription_id)
    effective_time = at if request.effective_time is None else request.effective_time
    _refuse_closed_times(state, effective_time, at=at)
    before = state.timeline
    if request.new_quantity is not None:
        field, delta = "new_quantity", request.new_quantity - before.quantity_at(effective_time)
    else:
        field, delta = "quantity_delta", request.quantity_delta or 0
    change = SeatChange(
        seat_change_id=seat_change_id,
        subscription_id=state.subscription.subscription_id,
        sequence=state.subscription.changes + 1,
        effective_time=effective_time,
        quantity_delta=delta,
        create_time=at,
        new_quantity=request.new_quantity,
        assigned_delta=request.names.assigned_delta,
    )
    after = before.with_change(change)
    if (peak := after.peak()) > SEATS_MAX:
        raise InvalidFields([FieldViolation(field, f"would make {peak} seats; the maximum is {SEATS_MAX}")])
    first = current_period(state.contract, state.subscription, state.contract.start_time)
    rate = (
        state.billed.rate if state.billed is not None else known_price(state, first, state.subscription.rates)
    )
    if rate is not None:
        refuse_unpayable(rate, peak, field=field)
    return change, after


def first_change(
    subscription: Subscription,
    seat_ids: tuple[SeatId, ...],
    *,
    start_time: datetime,
    seat_change_id: SeatChangeId,
    at: datetime,
) -> ListedSeatChange:
    """Return the change by which seat ids have seats from a new contract's start. Raises TooFewSeats."""
    names = SeatNames(assign=seat_ids)
    change = SeatChange(
        seat_change_id=seat_change_id,
        subscription_id=subscription.subscription_id,
        sequence=1,
        effective_time=start_time,
        quantity_delta=0,
        create_time=at,
        assigned_delta=names.assigned_delta,
    )
    quantity = subscription.initial_quantity
    Timeline(opening_quantity=quantity).with_change(change)
    return ListedSeatChange(change=change, quantity_after=quantity, names=names)


def quantity_after(timeline: Timeline, change: SeatChange) -> int:
    """Return the seats in force right after a change of the timeline."""
    return next(quantity for one, quantity in timeline.running() if one == change)


def _refuse_closed_times(state: BillingState, effective_time: datetime, *, at: datetime) -> None:
    contract = state.contract
    refuse_over(contract, at=at)
    open_from = max(current_period(contract, state.subscription, at).start, contract.start_time)
    if effective_time < open_from:
        raise OutsideOpenPeriod(
            effective_time=effective_time.isoformat(), open_from_time=open_from.isoformat()
        )
    if contract.end_time is not None and effective_time >= contract.end_time:
        raise EffectiveAfterContractEnd(
            effective_time=effective_time.isoformat(), end_time=contract.end_time.isoformat()
        )
