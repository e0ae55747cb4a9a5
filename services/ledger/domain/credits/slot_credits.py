# SPDX-License-Identifier: Apache-2.0
"""The credits of slots: of those that were read, and of those that nobody has used, whose grants are not issued yet.

Source: services/ledger/README.md, "Named seats".
"""

import itertools
from collections.abc import Iterable
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import DueSources, ScheduleProgress, settle
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId, SlotId
from services.ledger.domain.credits.proration import Seats
from services.ledger.domain.credits.schedule import Schedule, credits_of_period
from services.ledger.domain.credits.seat_plan import SeatPlan
from services.ledger.domain.credits.seats import slot_id_of

_UNREAD = slot_id_of("unread", 1)


def rest_of(account: Account, slot_id: SlotId, *, at: datetime) -> Credits:
    """Return the rest of a slot's active grants in an account that is up to date at `at`; 0 if it was not read."""
    slot = account.slots.get(slot_id)
    if slot is None:
        return Credits(0)
    return _rest(map(account.grants.__getitem__, slot.grant_ids), at)


def rest_of_unread(schedules: Iterable[Schedule], seats: Seats, *, at: datetime) -> Credits:
    """Return what a slot has at `at` that nobody has used, of all these schedules together."""
    return _rest(grants_of_unread(schedules, seats, at=at), at)


def grants_of_unread(schedules: Iterable[Schedule], seats: Seats, *, at: datetime) -> list[Grant]:
    """Return the grants that a slot gets if it is read at `at` for the first time."""
    progress = {
        one.schedule_id: ScheduleProgress(schedule=one, seats=seats, next_index=one.first_index, latest=None)
        for one in (schedule.for_slot(_UNREAD) for schedule in schedules)
    }
    numbers = itertools.count(1)
    settled = settle(
        Account(customer_id=CustomerId(""), credit_type_id=CreditTypeId("")),
        DueSources(schedules=progress, first_unread=None, anchor=None),
        at=at,
        new_grant_id=lambda: GrantId(f"unread_{next(numbers)}"),
    )
    return list(settled.account.grants.values())


def added_by_plan(schedule: Schedule, before: SeatPlan, after: SeatPlan, *, through: datetime) -> Credits:
    """Return what a new plan of slots adds to the grants that live at `through`, whether they are issued yet or not."""
    indices = _living(schedule, through)
    micros = 0
    for first, last in after.differing_from(before):
        seats = (before.seats_of(first), after.seats_of(first))
        was, now = (_granted(schedule, indices, one, through=through) for one in seats)
        micros += max(0, now - was) * (last - first + 1)
    return Credits(micros)


def _living(schedule: Schedule, at: datetime) -> list[int]:
    """Return the periods whose grants live at `at`."""
    latest = schedule.index_at(at)
    return [
        index
        for index in range(schedule.first_index, latest + 1)
        if schedule.active_period(index) is not None
        and schedule.nominal_period(index + schedule.terms_of(index).commit_duration - 1).end > at
    ]


def _granted(schedule: Schedule, indices: Iterable[int], seats: Seats, *, through: datetime) -> int:
    return sum(credits_of_period(schedule, index, seats, through=through).micros for index in indices)


def _rest(grants: Iterable[Grant], at: datetime) -> Credits:
    return Credits(sum(grant.rest.micros for grant in grants if grant.is_active(at)))
