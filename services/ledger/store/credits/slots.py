# SPDX-License-Identifier: Apache-2.0
"""Reads what accounts need of named seats: rules of pools, who occupies which slot, and slots that are due."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.ledger.domain.credits.due import ScheduleProgress
from services.ledger.domain.credits.grant import Grant, GrantId, ScheduleId, SlotId
from services.ledger.domain.credits.seat_plan import SeatPlan
from services.ledger.domain.credits.seats import (
    Assignment,
    NamedSeats,
    SeatKey,
    SeatName,
    SeatRule,
    SharedPoolAccess,
    Slot,
    number_of,
    slot_id_of,
    subscription_of,
)
from services.ledger.domain.credits.unit_of_work import DueSlot, PoolKey
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.credits.pools import POOLS
from services.ledger.store.credits.rows import Row, schedule_from_row
from services.ledger.store.credits.schedules import SCHEDULE_COLUMNS
from services.ledger.store.seat_plans import plan_of

# Usage is reported up to 34 days late; who had a seat before that is not asked for.
SEATS_LOOK_BACK = timedelta(days=36)


@dataclass(slots=True)
class SeatsRead:
    """What was read of the named seats of one pool. progress: of its slots in which something may be due."""

    rules: tuple[SeatRule, ...]
    seats: dict[SeatKey, tuple[Assignment, ...]] = field(default_factory=dict)
    slots: dict[SlotId, Slot] = field(default_factory=dict)
    progress: dict[ScheduleId, ScheduleProgress] = field(default_factory=dict)

    def with_grants(self, grants: Iterable[Grant]) -> dict[SlotId, Slot]:
        """Return the slots with their grants."""
        of_slot: dict[SlotId, list[GrantId]] = defaultdict(list)
        for grant in grants:
            if grant.slot_id is not None:
                of_slot[grant.slot_id].append(grant.grant_id)
        return {
            slot_id: Slot(slot.next_due_time, tuple(of_slot[slot_id])) for slot_id, slot in self.slots.items()
        }


async def read_rules(connection: Connection, keys: Sequence[PoolKey]) -> dict[PoolKey, tuple[SeatRule, ...]]:
    """Return which usage is paid by seats, in each of these pools."""
    rows = await fetch_by_customer(
        connection,
        f"SELECT s.customer_id, {SCHEDULE_COLUMNS}, u.seat_group_key, u.shared_pool_access, u.shared_pool_seat_ids"
        f" FROM {POOLS}"
        " JOIN ledger.grant_schedules s USING (customer_id, credit_type_id)"
        " JOIN ledger.contracts c ON c.customer_id = s.customer_id AND c.contract_id = s.contract_id"
        " JOIN ledger.subscriptions u ON u.customer_id = s.customer_id AND u.subscription_id = s.subscription_id"
        " WHERE s.allocation = 'INDIVIDUAL' AND u.seat_group_key IS NOT NULL ORDER BY s.schedule_id",
        [customer_id for customer_id, _ in keys],
        [credit_type_id for _, credit_type_id in keys],
    )
    rules: dict[PoolKey, tuple[SeatRule, ...]] = dict.fromkeys(keys, ())
    for row in rows:
        rules[row["customer_id"], row["credit_type_id"]] += (_rule_from_row(row),)
    return rules


async def read_seats(
    connection: Connection,
    key: PoolKey,
    rules: tuple[SeatRule, ...],
    *,
    names: Collection[SeatName],
    slot_ids: Collection[SlotId],
    watches_seats: bool,
    settles: bool,
    at: datetime,
) -> SeatsRead:
    """Return the slots of these seats, and these slots. names: group values, of which some may be seat ids.

    watches_seats: what seats have is observed, so the seats of these slots are read, too.
    settles: also what can fall due in them, even if their next_due_time is not reached.
    """
    read = SeatsRead(rules)
    asked: dict[SeatKey, None] = {
        (rule.subscription_id, value): None
        for rule in rules
        for group_key, value in names
        if group_key == rule.seats.group_key
    }
    if watches_seats and slot_ids:
        asked |= dict.fromkeys(await _occupants(connection, key, slot_ids, at=at))
    if asked:
        read.seats = await _assignments(connection, key, list(asked), since=at - SEATS_LOOK_BACK)
    wanted = {one.slot_id for spans in read.seats.values() for one in spans} | set(slot_ids)
    if not wanted:
        return read
    rows = await _slots(connection, key, sorted(wanted))
    plans: dict[str, SeatPlan] = {}
    for slot_id in sorted(wanted):
        row = rows.get(slot_id)
        read.slots[slot_id] = slot = Slot(None if row is None else row["next_due_time"])
        if row is not None and not settles and not slot.is_due(at):
            continue
        subscription_id = subscription_of(slot_id)
        if subscription_id not in plans:
            plans[subscription_id] = await plan_of(connection, key[0], subscription_id)
        read.progress |= _progress(rules, slot_id, row, plans[subscription_id])
    return read


async def due_slots(
    connection: Connection, *, at: datetime, after: DueSlot | None, slots_max: int
) -> list[DueSlot]:
    """Return slots in which something is due, the longest due first, starting after `after`."""
    rows = await connection.fetch(
        "SELECT next_due_time, customer_id, credit_type_id, subscription_id, slot FROM ledger.slots"
        " WHERE next_due_time <= $1 AND ($2::timestamptz IS NULL"
        " OR (next_due_time, customer_id, credit_type_id, subscription_id, slot) > ($2, $3, $4, $5, $6))"
        " ORDER BY next_due_time, customer_id, credit_type_id, subscription_id, slot LIMIT $7",
        at,
        *((None,) * 5 if after is None else astuple(after)),
        slots_max,
    )
    return [DueSlot(*row) for row in rows]


def _progress(
    rules: Iterable[SeatRule], slot_id: SlotId, row: Row | None, plan: SeatPlan
) -> dict[ScheduleId, ScheduleProgress]:
    known: Mapping[str, int] = {}
    if row is not None:
        known = dict(zip(row["schedule_ids"], row["next_indices"], strict=True))
    seats = plan.seats_of(number_of(slot_id))
    found: dict[ScheduleId, ScheduleProgress] = {}
    for rule in rules:
        if rule.subscription_id == subscription_of(slot_id):
            schedule = rule.schedule.for_slot(slot_id)
            found[schedule.schedule_id] = ScheduleProgress(
                schedule=schedule,
                seats=seats,
                next_index=known.get(schedule.schedule_id, schedule.first_index),
                latest=None,
            )
    return found


async def _occupants(
    connection: Connection, key: PoolKey, slot_ids: Collection[SlotId], *, at: datetime
) -> list[SeatKey]:
    """Return the seats that occupy these slots at `at`."""
    rows = await connection.fetch(
        "SELECT a.subscription_id, a.seat_id FROM unnest($2::text[], $3::bigint[]) AS q (subscription_id, slot)"
        " JOIN ledger.seat_assignments a USING (subscription_id, slot)"
        " WHERE a.customer_id = $1 AND a.start_time <= $4 AND (a.end_time IS NULL OR a.end_time > $4)",
        key[0],
        [subscription_of(one) for one in slot_ids],
        [number_of(one) for one in slot_ids],
        at,
    )
    return [(row["subscription_id"], row["seat_id"]) for row in rows]


async def _assignments(
    connection: Connection, key: PoolKey, asked: Sequence[SeatKey], *, since: datetime
) -> dict[SeatKey, tuple[Assignment, ...]]:
    rows = await connection.fetch(
        "SELECT a.subscription_id, a.seat_id, a.slot, a.start_time, a.end_time"
        " FROM unnest($2::text[], $3::text[]) AS q (subscription_id, seat_id)"
        " JOIN ledger.seat_assignments a USING (subscription_id, seat_id)"
        " WHERE a.customer_id = $1 AND (a.end_time IS NULL OR a.end_time > $4) ORDER BY a.start_time",
        key[0],
        [subscription_id for subscription_id, _ in asked],
        [seat_id for _, seat_id in asked],
        since,
    )
    found: dict[SeatKey, tuple[Assignment, ...]] = dict.fromkeys(asked, ())
    for row in rows:
        slot_id = slot_id_of(row["subscription_id"], row["slot"])
        found[row["subscription_id"], row["seat_id"]] += (
            Assignment(slot_id, row["start_time"], row["end_time"]),
        )
    return found


async def _slots(connection: Connection, key: PoolKey, slot_ids: Sequence[SlotId]) -> dict[SlotId, Any]:
    rows = await connection.fetch(
        "SELECT s.subscription_id, s.slot, s.next_due_time, s.schedule_ids, s.next_indices"
        " FROM unnest($3::text[], $4::bigint[]) AS q (subscription_id, slot)"
        " JOIN ledger.slots s USING (subscription_id, slot) WHERE s.customer_id = $1 AND s.credit_type_id = $2",
        *key,
        [subscription_of(one) for one in slot_ids],
        [number_of(one) for one in slot_ids],
    )
    return {slot_id_of(row["subscription_id"], row["slot"]): row for row in rows}


def named_seats_from_row(row: Row) -> NamedSeats:
    return NamedSeats(
        group_key=row["seat_group_key"],
        shared_pool_access=SharedPoolAccess(row["shared_pool_access"]),
        shared_seat_ids=frozenset(row["shared_pool_seat_ids"]),
    )


def named_seats_to_row(seats: NamedSeats | None) -> tuple[object, ...]:
    """Return the values of seat_group_key, shared_pool_access and shared_pool_seat_ids."""
    if seats is None:
        return None, SharedPoolAccess.NOBODY.value, []
    return seats.group_key, seats.shared_pool_access.value, sorted(seats.shared_seat_ids)


def _rule_from_row(row: Row) -> SeatRule:
    return SeatRule(
        schedule=schedule_from_row(row),
        subscription_id=row["subscription_id"],
        seats=named_seats_from_row(row),
    )
