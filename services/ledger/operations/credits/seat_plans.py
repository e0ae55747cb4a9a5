# SPDX-License-Identifier: Apache-2.0
"""Plans the slots of a subscription with named seats anew, in a transaction that has its customer and pools locked."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.copies import ContractUpdate
from services.ledger.domain.credits import slot_credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, SlotId
from services.ledger.domain.credits.proration import SeatChange, Seats
from services.ledger.domain.credits.schedule import Allocation, ScheduleCredits
from services.ledger.domain.credits.seat_plan import NO_MOVES, NamedChange, SeatPlan, SlotNumber, plan_seats
from services.ledger.domain.credits.seats import SeatRule, slot_id_of
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import Transaction


@dataclass(frozen=True, slots=True)
class Replanned:
    """The plan of a subscription before and after. slots: of each pool, known slots whose seats differ."""

    before: SeatPlan
    after: SeatPlan
    slots: dict[CreditTypeId, list[SlotId]]


async def replan(
    tx: Transaction,
    customer_id: CustomerId,
    subscription_id: str,
    pools: Iterable[CreditTypeId],
    *,
    at: datetime,
    ids: Ids,
    seat_change_id: str = "",
) -> Replanned:
    """Plan the slots with all changes that are stored, and save the plan.

    pools: of the subscription's schedules. seat_change_id: of the change that the plan does not contain yet.
    """
    before = await tx.seat_plans.find(customer_id, subscription_id)
    changes = await tx.seat_plans.changes(customer_id, subscription_id)
    leaving = {
        seat_id
        for one in changes
        if one.change.seat_change_id == seat_change_id or one.change.effective_time > at
        for seat_id in one.moves.unassign
    }
    kept = {span.slot for span in before.spans if span.is_in_force(at) and span.seat_id not in leaving}
    rests: dict[SlotNumber, Credits] = {}
    rules: list[SeatRule] = []
    known: dict[CreditTypeId, set[SlotNumber]] = {}
    for credit_type_id in pools:
        known[credit_type_id] = await tx.seat_plans.known_slots(customer_id, credit_type_id, subscription_id)
        free = known[credit_type_id] - kept
        opened = await open_account(
            tx,
            customer_id,
            credit_type_id,
            at=at,
            ids=ids,
            slot_ids=[slot_id_of(subscription_id, number) for number in free],
        )
        await opened.save(tx, opened.now)
        rules += [rule for rule in opened.now.seat_rules if rule.subscription_id == subscription_id]
        for number in known[credit_type_id]:
            slot_id = slot_id_of(subscription_id, number)
            rest = slot_credits.rest_of(opened.now, slot_id, at=opened.at)
            rests[number] = rests.get(number, Credits(0)) + rest
    after = plan_seats(changes, before, at=at, rests=rests, rest_of_unread=_rest_of_unread(rules, at))
    await tx.seat_plans.save(customer_id, subscription_id, before, after)
    changed = after.differing_from(before)
    slots = {
        credit_type_id: [
            slot_id_of(subscription_id, number)
            for number in sorted(numbers)
            if any(first <= number <= last for first, last in changed)
        ]
        for credit_type_id, numbers in known.items()
    }
    return Replanned(before, after, slots)


async def changed_slots(
    tx: Transaction,
    customer_id: CustomerId,
    subscription_id: str,
    pools: Iterable[CreditTypeId],
    before: SeatPlan,
    after: SeatPlan,
) -> dict[CreditTypeId, list[SlotId]]:
    """Return, of each pool, the known slots whose seats differ between two plans."""
    changed = after.differing_from(before)
    return {
        credit_type_id: [
            slot_id_of(subscription_id, number)
            for number in sorted(
                await tx.seat_plans.known_slots(customer_id, credit_type_id, subscription_id)
            )
            if any(first <= number <= last for first, last in changed)
        ]
        for credit_type_id in pools
    }


async def slots_under_new_terms(
    tx: Transaction, update: ContractUpdate, credit_type_id: CreditTypeId, *, at: datetime
) -> list[SlotId]:
    """Return the slots of a pool that must be settled before and after an update that changes terms or ends.

    Those that were read. If a period that has begun is cut by the old or the new end, also those that somebody has:
    an end takes nothing back of such a period, so its grants must be there before the end is known.
    """
    slot_ids: list[SlotId] = []
    for subscription_id, is_cut in (
        await _subscriptions_with_new_terms(tx, update, credit_type_id, at)
    ).items():
        numbers = await tx.seat_plans.known_slots(update.customer_id, credit_type_id, subscription_id)
        if is_cut:
            plan = await tx.seat_plans.find(update.customer_id, subscription_id)
            numbers |= {span.slot for span in plan.spans if span.is_in_force(at)}
        slot_ids += [slot_id_of(subscription_id, number) for number in sorted(numbers)]
    return slot_ids


async def _subscriptions_with_new_terms(
    tx: Transaction, update: ContractUpdate, credit_type_id: CreditTypeId, at: datetime
) -> dict[str, bool]:
    """Return the subscriptions whose INDIVIDUAL schedules change, and whether that cuts a period that has begun."""
    told = {
        one.schedule_id: one
        for one in update.schedules
        if one.allocation is Allocation.INDIVIDUAL and one.credit_type_id == credit_type_id
    }
    rules = await tx.accounts.seat_rules(update.customer_id, credit_type_id)
    new = told.keys() - {rule.schedule.schedule_id for rule in rules}
    changed = {told[one].subscription_id or "": False for one in new}
    for rule in rules:
        before, after = rule.schedule, told.get(rule.schedule.schedule_id)
        if after is None:
            continue
        ends = (before.end_time, update.end_of(after))
        if ends[0] == ends[1] and before.editions == after.editions:
            continue
        period = before.nominal_period(before.index_at(at))
        is_cut = ends[0] != ends[1] and any(end is not None and end < period.end for end in ends)
        changed[rule.subscription_id] = changed.get(rule.subscription_id, False) or is_cut
    return changed


async def preview_plan(
    tx: Transaction, customer_id: CustomerId, subscription_id: str, change: SeatChange, *, at: datetime
) -> Replanned:
    """Return the plan with a change of quantity that is not stored."""
    before = await tx.seat_plans.find(customer_id, subscription_id)
    changes = await tx.seat_plans.changes(customer_id, subscription_id)
    after = plan_seats(
        [*changes, NamedChange(change, NO_MOVES)],
        before,
        at=at,
        rests={},
        rest_of_unread=lambda _: Credits(0),
    )
    return Replanned(before, after, {})


def credits_of_slots(
    account: Account,
    subscription_id: str,
    planned: Replanned,
    *,
    through: datetime,
    has_zeros: bool = False,
) -> list[ScheduleCredits]:
    """Return what a plan adds to the credits of slots, per schedule: of all slots, also of those not issued yet."""
    credits = [
        ScheduleCredits(
            rule.schedule.schedule_id,
            account.credit_type_id,
            slot_credits.added_by_plan(rule.schedule, planned.before, planned.after, through=through),
        )
        for rule in account.seat_rules
        if rule.subscription_id == subscription_id
    ]
    return [one for one in credits if has_zeros or one.amount]


def _rest_of_unread(rules: list[SeatRule], at: datetime) -> Callable[[Seats], Credits]:
    """Return what a slot has that was never read, by its seats over time."""
    known: dict[Seats, Credits] = {}

    def rest(seats: Seats) -> Credits:
        if seats not in known:
            known[seats] = slot_credits.rest_of_unread([rule.schedule for rule in rules], seats, at=at)
        return known[seats]

    return rest
