# SPDX-License-Identifier: Apache-2.0
"""The slots of a contract that ends by a change of plan: what must be read of them, and where their rests roll to.

Source: services/ledger/README.md, "Named seats".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.ended_slots import UnreadSlots
from services.ledger.domain.credits.grant import CreditTypeId, Grant, ScheduleId, SlotId
from services.ledger.domain.credits.plan_change import IncludedCredits, PlanChange
from services.ledger.domain.credits.schedule import Allocation, Schedule
from services.ledger.domain.credits.seat_plan import SeatPlan, SeatSpan
from services.ledger.domain.credits.seats import slot_id_of
from services.ledger.domain.credits.slot_credits import grants_of_unread
from services.ledger.store import Transaction


@dataclass(frozen=True, slots=True)
class EndedSlots:
    """The slots of one pool that end. schedules: INDIVIDUAL ones, with the terms from before the change.

    slot_ids: slots that were read, or that somebody has. occupants: who has each of them. unread: of the others, by
    schedule.
    """

    schedules: tuple[Schedule, ...] = ()
    slot_ids: tuple[SlotId, ...] = ()
    occupants: Mapping[SlotId, str] = field(default_factory=dict)
    unread: Mapping[ScheduleId, UnreadSlots] = field(default_factory=dict)


async def slots_that_end(
    tx: Transaction, change: PlanChange, credit_type_id: CreditTypeId, *, at: datetime
) -> EndedSlots:
    """Return the slots of the contract that ends. The contracts must not be written yet."""
    rules = [
        rule
        for rule in await tx.accounts.seat_rules(change.customer_id, credit_type_id)
        if rule.schedule.contract_id == change.ended.contract_id
    ]
    slot_ids: list[SlotId] = []
    occupants: dict[SlotId, str] = {}
    unread: dict[ScheduleId, UnreadSlots] = {}
    for subscription_id in sorted({rule.subscription_id for rule in rules}):
        plan = await tx.seat_plans.find(change.customer_id, subscription_id)
        known = await tx.seat_plans.known_slots(change.customer_id, credit_type_id, subscription_id)
        read = known | {span.slot for span in plan.spans if span.is_in_force(at)}
        if change.included is IncludedCredits.ROLL and any(rule.schedule.is_free for rule in rules):
            # Free credits that roll must be granted first, so that the new contract's are known to exceed them.
            read |= set(range(1, plan.slots_max + 1))
        slot_ids += [slot_id_of(subscription_id, number) for number in sorted(read)]
        occupants |= {
            slot_id_of(subscription_id, span.slot): span.seat_id
            for span in plan.spans
            if span.is_in_force(at)
        }
        for rule in rules:
            if rule.subscription_id == subscription_id:
                unread[rule.schedule.schedule_id] = _unread(rule.schedule, plan, read, change, at)
    return EndedSlots(tuple(rule.schedule for rule in rules), tuple(slot_ids), occupants, unread)


def _unread(
    schedule: Schedule, plan: SeatPlan, read: set[int], change: PlanChange, at: datetime
) -> UnreadSlots:
    """Return what all slots that nobody has read were granted in the paid period, and what is left of it."""
    paid = change.paid_period(schedule)
    before = change.granted_before(paid)
    granted = rest = 0
    active = None
    for first, last in plan.alike(plan):
        count = last - first + 1 - len([number for number in read if first <= number <= last])
        if not count:
            continue
        grants = [
            grant
            for grant in grants_of_unread([schedule], plan.seats_of(first), at=at)
            if grant.period_start is not None and grant.period_start < before
        ]
        for grant in grants:
            assert grant.period_start is not None
            if paid is not None and grant.period_start >= paid.period.start:
                granted += count * grant.counted.micros
        latest = max(grants, key=schedule.index_of, default=None)
        if latest is not None and latest.is_active(at):
            active = latest  # all are of one period
            rest += count * latest.rest.micros
        elif latest is not None and _has_expired_since(latest, schedule, change):
            rest += count * latest.expired.micros
    return UnreadSlots(Credits(granted), Credits(rest), active)


def _has_expired_since(grant: Grant, schedule: Schedule, change: PlanChange) -> bool:
    """Return whether the last grant of a schedule, whose end was known, expired between the end and its notice."""
    was_known = schedule.end_time is not None and schedule.end_time <= change.change_time
    return was_known and not grant.is_over(change.change_time)


def first_spans(change: PlanChange) -> Mapping[str, SeatPlan]:
    """Return who has which slot from the start of the contract that begins, if one does, by subscription."""
    begun = change.begun
    if begun is None:
        return {}
    return {
        one.subscription_id: SeatPlan(
            one.initial_quantity,
            (),
            tuple(
                SeatSpan(seat_id, number, begun.start_time)
                for number, seat_id in enumerate(one.named.first_seat_ids[: one.initial_quantity], start=1)
            ),
        )
        for one in begun.subscriptions
        if one.named is not None
    }


def slots_rolled_to(
    change: PlanChange, slots: EndedSlots, credit_type_id: CreditTypeId
) -> tuple[SlotId, ...]:
    """Return the slots of the contract that begins that get what rolls from seats."""
    if change.included is not IncludedCredits.ROLL:
        return ()
    seats = rolls_to(change, credit_type_id)
    return tuple(seats[seat_id] for seat_id in slots.occupants.values() if seat_id in seats)


def rolls_to(change: PlanChange, credit_type_id: CreditTypeId) -> Mapping[str, SlotId]:
    """Return which slot of the contract that begins gets what rolls from a seat id."""
    if change.begun is None:
        return {}
    with_slots = {
        one.subscription_id
        for one in change.begun.schedules
        if one.allocation is Allocation.INDIVIDUAL and one.credit_type_id == credit_type_id
    }
    return {
        span.seat_id: slot_id_of(subscription_id, span.slot)
        for subscription_id, plan in first_spans(change).items()
        if subscription_id in with_slots
        for span in plan.spans
    }
