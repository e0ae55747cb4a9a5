# SPDX-License-Identifier: Apache-2.0
"""Writes changes of accounts, and responses: one statement for any number of pools.

The guard: a pool is written only if its version is still the one that was read, and all other rows of the account only
together with the pool. So a decision on an account, or on prices, that have changed since writes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Final
from zlib import crc32

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.outbox import enqueue_sql
from meshkit.quantity import INT64_MAX
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import ScheduleProgress
from services.ledger.domain.credits.entry import Entry, Usage
from services.ledger.domain.credits.grant import Grant, SlotId
from services.ledger.domain.credits.seats import number_of, subscription_of
from services.ledger.domain.credits.unit_of_work import (
    Change,
    NewEvent,
    NewResponse,
    PoolKey,
    is_plain_change,
)
from services.ledger.domain.crossings.watch import Crossing, LevelCrossing
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.spend_cap import Spend, WindowSpend
from services.ledger.domain.rating.metric import UniqueValue
from services.ledger.domain.retention import places_at
from services.ledger.domain.usage.meter import Meter, MeterKey
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import GRANT_COLUMNS, grant_to_row, void_to_row, windows_to_column
from services.ledger.store.credits.signing import Signatures
from services.ledger.store.credits.writing_on_citus import Answered, PartSql, Rows, Slots, write_by_customer
from services.ledger.store.formats import NOTICES
from services.ledger.store.gate.hold_lines import lines_to_column
from services.ledger.store.gate.shadow import shadow_rows
from services.ledger.store.rates import conversion_to_row, price_to_row
from services.ledger.store.usage.events import event_to_row
from services.ledger.tables import outbox

_ENQUEUE = enqueue_sql(outbox)
CONTRACT_LANES: Final = 4


async def write_changes(
    connection: Connection,
    changes: Sequence[Change],
    answers: Sequence[NewResponse],
    events: Sequence[NewEvent],
    *,
    epoch: int | None,
) -> set[PoolKey]:
    """Write plain changes with their responses and events; returns the pools whose versions were unchanged.

    epoch: of the cached copies of Catalog's data. None: copies and stored responses were read in this transaction.
    With an epoch, a pool is not written either if one of its requests has a response in the earlier slot. All responses
    are of one instant. Raises UniqueViolationError, and writes nothing, if one of the requests has a response in a slot
    that is written to, or one of the events is stored. Slots: domain/retention.py.
    """
    written = _rows(changes, answers, events)
    if connection.is_citus:
        return await _write_on_citus(connection, written, answers, epoch)
    statement = _statement(tuple(part for part, _ in written), looks_back=epoch is not None)
    arguments: list[object] = [epoch, *(rows for _, rows in written)]
    if answers:
        places = places_at(answers[0].create_time)
        arguments += [places.written, places.earlier][: 2 if epoch is not None else 1]
    guarded = await connection.fetch(statement, *arguments)
    return {(row["customer_id"], row["credit_type_id"]) for row in guarded}


async def _write_on_citus(
    connection: Connection,
    written: Sequence[tuple[PartSql, Rows]],
    answers: Sequence[NewResponse],
    epoch: int | None,
) -> set[PoolKey]:
    places = places_at(answers[0].create_time) if answers else None
    return await write_by_customer(
        connection,
        written,
        epoch=epoch,
        answered=Answered(_ANSWERS.row, _ANSWERED, _UNLESS_ANSWERED),
        slots=None if places is None else Slots(places.written, None if epoch is None else places.earlier),
    )


async def write_extras(connection: Connection, changes: Sequence[Change], *, wall: Clock, ids: Ids) -> None:
    """Write rare changes, in the transaction of write_changes: new pools, grants, voids, watches, crossings, progress.

    If the pools are locked, call it before write_changes. A guess holds no locks: then call write_changes first, and
    this only for the pools it has written, whose versions were unchanged and which that UPDATE has locked. A new pool
    is made here; if another transaction has made it, UniqueViolationError is raised.
    """
    for change in changes:
        if change.before.version == 0:
            await _make_pool(connection, change.key)
        await _insert_grants(connection, change)
        await _save_voids(connection, change)
        await _save_watch_states(connection, change)
        await _save_crossings(connection, change.after, wall=wall, ids=ids)
        await _save_progress(connection, change)


_POOLS = PartSql(
    "guard",
    "pool_change",
    """
    UPDATE ledger.pools p SET version = p.version + 1, sequence = d.sequence, shortfall_micros = d.shortfall_micros,
        next_due_time = d.next_due_time, settled_time = d.settled_time
    FROM {rows}
    WHERE p.customer_id = d.customer_id AND p.credit_type_id = d.credit_type_id AND p.version = d.version
        AND ($1::bigint IS NULL OR $1 = (SELECT e.version FROM ledger.epochs e)) {unless_answered}
    RETURNING p.customer_id, p.credit_type_id
    """,
)
_CHANGED_GRANTS = PartSql(
    "changed_grants",
    "grant_change",
    """
    UPDATE ledger.grants g SET granted_micros = d.granted_micros, captured_micros = d.captured_micros,
        held_micros = d.held_micros, expired_micros = d.expired_micros, voided_micros = d.voided_micros,
        is_closed = d.is_closed
    FROM {rows} JOIN guard USING (customer_id, credit_type_id)
    WHERE g.customer_id = d.customer_id AND g.grant_id = d.grant_id
    """,
)
_NEW_HOLDS = PartSql(
    "new_holds",
    "new_hold_32",
    """
    INSERT INTO ledger.holds (customer_id, credit_type_id, hold_id, product_id, contract_id, anchor_time,
        rate_type, price_micros, per_micros, tiers, conversion, rate_id, root_rate_id, dimension_values,
        quantity_micros, group_values, counted_group_values, state, draw_grant_ids, draw_micros, captured_micros,
        create_time, expire_time, lines, overage_micros, subject)
    SELECT d.customer_id, d.credit_type_id, d.hold_id, d.product_id, d.contract_id, d.anchor_time,
        d.rate_type, d.price_micros, d.per_micros, d.tiers, d.conversion, d.rate_id, d.root_rate_id,
        d.dimension_values, d.quantity_micros, d.group_values, d.counted_group_values, d.state, d.draw_grant_ids,
        d.draw_micros, d.captured_micros, d.create_time, d.expire_time, d.lines, d.overage_micros,
        d.subject
    FROM {rows} JOIN guard USING (customer_id, credit_type_id)
    """,
)
_CHANGED_HOLDS = PartSql(
    "changed_holds",
    "hold_change_32",
    """
    UPDATE ledger.holds h SET state = d.state, quantity_micros = d.quantity_micros,
        draw_grant_ids = d.draw_grant_ids, draw_micros = d.draw_micros, captured_micros = d.captured_micros,
        expire_time = d.expire_time, overage_micros = d.overage_micros
    FROM {rows} JOIN guard USING (customer_id, credit_type_id)
    WHERE h.customer_id = d.customer_id AND h.hold_id = d.hold_id
    """,
)
_SPENDS = PartSql(
    "changed_spends",
    "spend_change_42",
    """
    INSERT INTO ledger.spends AS s (customer_id, credit_type_id, group_key, group_value, held_micros,
        period_start, period_spent_micros, period_ahead_micros, day_start, day_spent_micros, day_ahead_micros, windows)
    SELECT d.* FROM {rows} JOIN guard USING (customer_id, credit_type_id)
    ON CONFLICT (customer_id, credit_type_id, group_key, group_value) DO UPDATE SET
        held_micros = excluded.held_micros, period_start = excluded.period_start,
        period_spent_micros = excluded.period_spent_micros, period_ahead_micros = excluded.period_ahead_micros,
        day_start = excluded.day_start, day_spent_micros = excluded.day_spent_micros,
        day_ahead_micros = excluded.day_ahead_micros, windows = excluded.windows
    """,
)
_METERS = PartSql(
    "changed_meters",
    "meter_change_12",
    """
    INSERT INTO ledger.meters (customer_id, credit_type_id, root_rate_id, period_start, product_id, rate_id,
        quantity_micros, cost_micros, largest_micros)
    SELECT d.* FROM {rows} JOIN guard USING (customer_id, credit_type_id)
    ON CONFLICT (customer_id, credit_type_id, root_rate_id, period_start) DO UPDATE SET
        rate_id = excluded.rate_id, quantity_micros = excluded.quantity_micros, cost_micros = excluded.cost_micros,
        largest_micros = excluded.largest_micros
    """,
)
_ENTRIES = PartSql(
    "new_entries",
    "new_entry_28",
    """
    INSERT INTO ledger.entries (customer_id, credit_type_id, sequence, kind, grant_id, amount_micros,
        shortfall_micros, effective_time, create_time, cause_id, hold_id, product_id, group_values, contract_id,
        quantity_micros, root_rate_id, usage_period_start, dimension_values, transaction_id, meter_quantity_micros,
        meter_cost_micros, corrects_sequence, subject)
    SELECT d.customer_id, d.credit_type_id, d.sequence, d.kind, d.grant_id, d.amount_micros,
        d.shortfall_micros, d.effective_time, d.create_time, d.cause_id, d.hold_id, d.product_id,
        d.group_values, d.contract_id, d.quantity_micros, d.root_rate_id, d.usage_period_start,
        d.dimension_values, d.transaction_id, d.meter_quantity_micros, d.meter_cost_micros,
        d.corrects_sequence, d.subject
    FROM {rows} JOIN guard USING (customer_id, credit_type_id)
    """,
)
_VALUES = PartSql(
    "changed_values",
    "value_change",
    """
    INSERT INTO ledger.meter_values (customer_id, credit_type_id, root_rate_id, period_start, value, events)
    SELECT d.* FROM {rows} JOIN guard USING (customer_id, credit_type_id)
    ON CONFLICT (customer_id, credit_type_id, root_rate_id, period_start, value) DO UPDATE SET
        events = excluded.events
    """,
)
_SHADOW = PartSql(
    "shadow_denials",
    "new_shadow_denial",
    f"""
    INSERT INTO ledger.shadow_denials AS s (customer_id, credit_type_id, day, reason, cap_id, product_id, group_key,
        group_value, denials, credits_micros, first_time, last_time)
    SELECT d.* FROM {{rows}} JOIN guard USING (customer_id, credit_type_id)
    ON CONFLICT (customer_id, day, credit_type_id, reason, cap_id, product_id, group_key, group_value) DO UPDATE SET
        denials = s.denials + excluded.denials,
        credits_micros = least({INT64_MAX}, s.credits_micros::numeric + excluded.credits_micros)::bigint,
        first_time = least(s.first_time, excluded.first_time), last_time = greatest(s.last_time, excluded.last_time)
    """,
)
_EVENTS = PartSql(
    "new_events",
    "new_event_28",
    """
    INSERT INTO ledger.usage_events (customer_id, transaction_id, body_hash, event_type, event_time, receive_time,
        properties, status, result, subject)
    SELECT d.customer_id, d.transaction_id, d.body_hash, d.event_type, d.event_time, d.receive_time,
        d.properties, d.status, d.result, d.subject
    FROM {rows} JOIN guard USING (customer_id, credit_type_id)
    """,
)
_ANSWERS = PartSql(
    "new_answers",
    "new_answer",
    """
    INSERT INTO ledger.requests (customer_id, request_id, slot, body_hash, answer, create_time)
    SELECT d.customer_id, d.request_id, s.slot, d.body_hash, d.answer, d.create_time
    FROM {rows} JOIN guard USING (customer_id, credit_type_id) CROSS JOIN unnest({slots}::smallint[]) AS s (slot)
    """,
)
# Customers with a request that has a response in the earlier slot: see domain/retention.py.
_ANSWERED = """answered AS MATERIALIZED (
    SELECT r.customer_id FROM {rows}
    JOIN ledger.requests r ON r.customer_id = d.customer_id AND r.request_id = d.request_id
    WHERE r.slot = {earlier}::smallint
)"""
_UNLESS_ANSWERED = "AND NOT EXISTS (SELECT FROM answered a WHERE a.customer_id = p.customer_id)"


@cache
def _statement(parts: tuple[PartSql, ...], *, looks_back: bool) -> str:
    """Return the statement that writes these parts. Parts without rows are left out, because each costs time.

    Arguments: the epoch, the rows of each part, the slots of the responses and, if looks_back, the earlier slot.
    """
    written = []
    places = {"slots": f"${len(parts) + 2}", "earlier": f"${len(parts) + 3}", "unless_answered": ""}
    if looks_back and _ANSWERS in parts:
        places["unless_answered"] = _UNLESS_ANSWERED
        written.append(_ANSWERED.format(rows=_unnested(_ANSWERS, parts), **places))
    for part in parts:
        written.append(f"{part.name} AS ({part.sql.format(rows=_unnested(part, parts), **places)})")
    return f"WITH {', '.join(written)} SELECT customer_id, credit_type_id FROM guard"


def _unnested(part: PartSql, parts: tuple[PartSql, ...]) -> str:
    return f"unnest(${parts.index(part) + 2}::ledger.{part.row}[]) AS d"  # $1 is the epoch


def _rows(
    changes: Sequence[Change], answers: Sequence[NewResponse], events: Sequence[NewEvent]
) -> list[tuple[PartSql, Rows]]:
    """Return the rows of each part that has any. The pools come first."""
    pools: Rows = []
    grants: Rows = []
    new_holds: Rows = []
    holds: Rows = []
    spends: Rows = []
    meters: Rows = []
    values: Rows = []
    entries: Rows = []
    shadow: Rows = []
    signed = Signatures(answers, events)
    for change in changes:
        before, after, key = change.before, change.after, change.key
        pools.append(
            (
                *key,
                before.version or 1,
                after.sequence,
                after.shortfall.micros,
                after.next_due_time,
                after.settled_time,
            )
        )
        for grant_id in dict.fromkeys(after.changed_grants):
            if grant_id in before.grants:
                grants.append((*key, *_changed_grant(after.grants[grant_id])))
        for hold_id in dict.fromkeys(after.changed_holds):
            if hold_id in before.holds:
                holds.append((*key, *_changed_hold(after.holds[hold_id])))
            else:
                new_holds.append((*key, *_new_hold(after.holds[hold_id]), signed.of_hold(hold_id)))
        for group_value in dict.fromkeys(after.changed_spends):
            spends.append((*key, *group_value, *_spend(after.spends[group_value])))
        for meter_key in dict.fromkeys(after.changed_meters):
            meters.append((*key, *_meter(meter_key, after.meters[meter_key])))
        for meter_key, value in dict.fromkeys(after.changed_values):
            values.append((*key, *_value(meter_key, value, after.values[meter_key, value])))
        if after.shadow_records:
            shadow += [(*key, *row) for row in shadow_rows(after.shadow_records)]
        entries += [(*key, *_entry(entry), signed.of_entry(key[0], entry)) for entry in after.entries]
    remembered: Rows = [
        (*one.key, one.request_id, one.fingerprint, one.response, one.create_time) for one in answers
    ]
    parts = (
        (_CHANGED_GRANTS, grants),
        (_NEW_HOLDS, new_holds),
        (_CHANGED_HOLDS, holds),
        (_SPENDS, spends),
        (_METERS, meters),
        (_VALUES, values),
        (_ENTRIES, entries),
        (_SHADOW, shadow),
        (_EVENTS, [(*new.key, *event_to_row(new)) for new in events if new.key is not None]),
        (_ANSWERS, remembered),
    )
    return [(_POOLS, pools), *((part, rows) for part, rows in parts if rows)]


def _changed_grant(grant: Grant) -> tuple[object, ...]:
    return (
        grant.grant_id,
        grant.granted.micros,
        grant.captured.micros,
        grant.held.micros,
        grant.expired.micros,
        grant.voided.micros,
        grant.is_closed,
    )


def _spend(spend: Spend) -> tuple[object, ...]:
    return (
        spend.held.micros,
        *_window_spend(spend.period),
        *_window_spend(spend.day),
        windows_to_column(spend.windows),
    )


def _window_spend(last: WindowSpend | None) -> tuple[object, ...]:
    return (None, 0, 0) if last is None else (last.start, last.spent.micros, last.ahead.micros)


def _meter(key: MeterKey, meter: Meter) -> tuple[object, ...]:
    return (
        key.root_rate_id,
        key.period_start,
        meter.product_id,
        meter.rate_id,
        meter.position.micros,
        meter.cost.micros,
        meter.largest.micros,
    )


def _value(key: MeterKey, value: UniqueValue, events: int) -> tuple[object, ...]:
    return (key.root_rate_id, key.period_start, value, events)


def _entry(entry: Entry) -> tuple[object, ...]:
    return (*_line(entry), *(_NO_USAGE if entry.usage is None else _usage(entry.usage)), entry.corrects)


def _line(entry: Entry) -> tuple[object, ...]:
    return (
        entry.sequence,
        entry.kind.value,
        entry.grant_id,
        entry.amount.micros,
        entry.shortfall.micros,
        entry.effective_time,
        entry.create_time,
        entry.cause_id,
    )


_NO_USAGE = (None, None, None, None, 0, None, None, None, None, None, None)


def _usage(usage: Usage) -> tuple[object, ...]:
    meter_key = usage.meter_key
    return (
        usage.hold_id,
        usage.product_id,
        usage.group_values,
        usage.contract_id,
        usage.quantity.micros,
        meter_key.root_rate_id if meter_key else None,
        meter_key.period_start if meter_key else None,
        usage.dimension_values or None,
        usage.transaction_id,
        usage.meter_position.micros if usage.meter_position is not None else None,
        usage.meter_cost.micros if usage.meter_cost is not None else None,
    )


def _new_hold(hold: Hold) -> tuple[object, ...]:
    return (
        hold.hold_id,
        hold.product_id,
        hold.contract_id,
        hold.anchor,
        *price_to_row(hold.price.pricing.price),
        conversion_to_row(hold.price.pricing.conversion),
        hold.price.rate_id,
        hold.price.meter_key.root_rate_id if hold.price.meter_key else None,
        hold.dimension_values or None,
        hold.quantity.micros,
        hold.group_values,
        hold.counted_group_values,
        hold.state.value,
        *_draws(hold),
        hold.captured.micros,
        hold.create_time,
        hold.expire_time,
        lines_to_column(hold.lines),
        _overage(hold),
    )


def _changed_hold(hold: Hold) -> tuple[object, ...]:
    return (
        hold.hold_id,
        hold.state.value,
        hold.quantity.micros,
        *_draws(hold),
        hold.captured.micros,
        hold.expire_time,
        _overage(hold),
    )


def _overage(hold: Hold) -> list[int] | None:
    return [part.overage.micros for part in hold.parts] if hold.overage else None


def _draws(hold: Hold) -> tuple[list[str], list[int]]:
    return [draw.grant_id for draw in hold.draws], [draw.amount.micros for draw in hold.draws]


async def _make_pool(connection: Connection, key: PoolKey) -> None:
    # Fails if another transaction has created the pool meanwhile. Then the decision, based on no pool, is repeated.
    await connection.execute(
        "INSERT INTO ledger.pools (customer_id, credit_type_id, version, sequence, shortfall_micros)"
        " VALUES ($1, $2, 1, 0, 0)",
        *key,
    )


async def _insert_grants(connection: Connection, change: Change) -> None:
    new = [
        change.after.grants[grant_id]
        for grant_id in dict.fromkeys(change.after.changed_grants)
        if grant_id not in change.before.grants
    ]
    if new:
        await connection.executemany(
            f"INSERT INTO ledger.grants (customer_id, credit_type_id, {GRANT_COLUMNS})"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,"
            " $21, $22, $23, $24, $25, $26, $27, $28, $29, $30)",
            [(*change.key, *grant_to_row(grant)) for grant in new],
        )


async def _save_voids(connection: Connection, change: Change) -> None:
    """Write voids, what late notices took back, rolled over, withheld and to void; other amounts are plain."""
    before, after = change.before.grants, change.after.grants
    voided = [
        after[grant_id]
        for grant_id in dict.fromkeys(change.after.changed_grants)
        if grant_id in before and not is_plain_change(before[grant_id], after[grant_id])
    ]
    if voided:
        await connection.executemany(
            "UPDATE ledger.grants SET void_time = $3, void_reason = $4, void_actor = $5, void_rolls_to = $6,"
            " taken_back_micros = $7, rolled_over_micros = $8, withheld_micros = $9, to_void_micros = $10"
            " WHERE customer_id = $1 AND grant_id = $2",
            [
                (
                    change.key[0],
                    grant.grant_id,
                    *void_to_row(grant.void),
                    grant.taken_back.micros,
                    grant.rolled_over.micros,
                    None if grant.withheld is None else grant.withheld.micros,
                    None if grant.to_void is None else grant.to_void.micros,
                )
                for grant in voided
            ],
        )


async def _save_watch_states(connection: Connection, change: Change) -> None:
    before, after = change.before.watch_states, change.after.watch_states
    changed = [(key, state) for key, state in after.items() if before.get(key) != state]
    if changed:
        await connection.executemany(
            "INSERT INTO ledger.watch_states (customer_id, credit_type_id, alert_id, group_value, in_alarm,"
            " sequence, version) VALUES ($1, $2, $3, $4, $5, $6, $7)"
            " ON CONFLICT (customer_id, credit_type_id, alert_id, group_value) DO UPDATE SET"
            " in_alarm = $5, sequence = $6, version = $7",
            [(*change.key, *key, state.in_alarm, state.sequence, state.version) for key, state in changed],
        )
    if forgotten := before.keys() - after.keys():
        await connection.executemany(
            "DELETE FROM ledger.watch_states WHERE customer_id = $1 AND credit_type_id = $2 AND alert_id = $3"
            " AND group_value = $4",
            [(*change.key, *key) for key in sorted(forgotten)],
        )


async def _save_crossings(connection: Connection, after: Account, *, wall: Clock, ids: Ids) -> None:
    """Write the crossings into the outbox, each behind all those of its customer for the same peer."""
    if after.crossings:
        now = wall.now()
        rows = []
        for crossing in after.crossings:
            stored = NOTICES.of(type(crossing))
            rows.append((_lane(crossing), ids.new("ntc"), stored.name, stored.encode(crossing), now))
        await connection.executemany(_ENQUEUE, rows)


def _lane(crossing: Crossing | LevelCrossing) -> str:
    """Return the key of a notice. Contract has other lanes than Alert: a peer that is down delays only its own notices.

    They are few, so that a Contract that hangs occupies few of the relay's places.
    """
    if isinstance(crossing, LevelCrossing):
        return f"top_ups/{crc32(crossing.customer_id.encode()) % CONTRACT_LANES}"
    return crossing.customer_id


async def _save_progress(connection: Connection, change: Change) -> None:
    """Write up to which period each schedule has granted, and of each slot when something falls due in it next."""
    of_pool = [one for one in change.schedules if one.schedule.slot_id is None]
    if of_pool:
        await connection.executemany(
            "UPDATE ledger.grant_schedules SET next_index = $3, latest_grant_id = $4"
            " WHERE customer_id = $1 AND schedule_id = $2",
            [(change.key[0], one.schedule.schedule_id, one.next_index, one.latest) for one in of_pool],
        )
    if change.after.changed_slots:
        await connection.executemany(
            "UPDATE ledger.slots SET next_due_time = least(next_due_time, $5)"
            " WHERE customer_id = $1 AND credit_type_id = $2 AND subscription_id = $3 AND slot = $4",
            [
                (
                    *change.key,
                    subscription_of(slot_id),
                    number_of(slot_id),
                    change.after.slots[slot_id].next_due_time,
                )
                for slot_id in change.after.changed_slots
            ],
        )
    of_slots: dict[SlotId, list[ScheduleProgress]] = defaultdict(list)
    for one in change.schedules:
        if one.schedule.slot_id is not None:
            of_slots[one.schedule.slot_id].append(one)
    if of_slots:
        await connection.executemany(
            "INSERT INTO ledger.slots (customer_id, credit_type_id, subscription_id, slot, next_due_time,"
            " schedule_ids, next_indices) VALUES ($1, $2, $3, $4, $5, $6, $7)"
            " ON CONFLICT (customer_id, credit_type_id, subscription_id, slot) DO UPDATE SET"
            " next_due_time = $5, schedule_ids = $6, next_indices = $7",
            [
                (
                    *change.key,
                    subscription_of(slot_id),
                    number_of(slot_id),
                    change.after.slots[slot_id].next_due_time,
                    [one.schedule.schedule_id for one in schedules],
                    [one.next_index for one in schedules],
                )
                for slot_id, schedules in of_slots.items()
            ],
        )
