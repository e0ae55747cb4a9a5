# SPDX-License-Identifier: Apache-2.0
"""Accounts and answers, written as what has changed: one statement for any number of pools.

The guard: a pool is written only if its version is still the one that was read, and everything else of it only
together with it. So what was decided on an account that has changed since, or on prices that have, writes nothing.
"""

import json
from collections.abc import Sequence
from datetime import timedelta

from meshkit.clock import Clock
from meshkit.encoding import to_json, to_json_text
from meshkit.ids import Ids
from services.ledger.domain.account import Account
from services.ledger.domain.due import ScheduleProgress
from services.ledger.domain.entry import Entry
from services.ledger.domain.grant import CustomerId, Grant
from services.ledger.domain.hold import Hold
from services.ledger.domain.spend_cap import Spend
from services.ledger.domain.unit_of_work import Change, PoolKey, Remembered
from services.ledger.store.connection import Connection
from services.ledger.store.rows import GRANT_COLUMNS, grant_to_row

_TICK = timedelta(microseconds=1)


async def write_changes(
    connection: Connection, changes: Sequence[Change], answers: Sequence[Remembered], *, epoch: int | None
) -> set[PoolKey]:
    """Write plain changes and their answers; returns the pools whose version was still as read.

    epoch: of the Catalog's copies, when they were not read in this transaction; None: they were.
    Raises UniqueViolationError, and writes nothing, when one of the requests has an answer already.
    """
    rows = await connection.fetch(_WRITE, *_arguments(changes, answers, epoch))
    return {(row["customer_id"], row["credit_type_id"]) for row in rows}


async def write_extras(connection: Connection, changes: Sequence[Change], *, wall: Clock, ids: Ids) -> None:
    """Write what is rare, in the same transaction before the rest: pools, grants, watch states, crossings.

    The pools of these changes must be locked, or made here.
    """
    for change in changes:
        if change.before.version == 0:
            await _make_pool(connection, change.key)
        await _insert_grants(connection, change)
        await _save_watch_states(connection, change)
        await _save_crossings(connection, change.after, wall=wall, ids=ids)
        await _save_progress(connection, change.after.customer_id, change.schedules)


_WRITE = """
    WITH guard AS (
        UPDATE ledger.pools p SET version = p.version + 1, sequence = d.sequence,
            shortfall_micros = d.shortfall_micros, next_due_time = d.next_due_time, settled_time = d.settled_time
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[],
            $7::timestamptz[])
            AS d (customer_id, credit_type_id, version, sequence, shortfall_micros, next_due_time, settled_time)
        WHERE p.customer_id = d.customer_id AND p.credit_type_id = d.credit_type_id AND p.version = d.version
            AND ($8::bigint IS NULL OR $8 = (SELECT e.version FROM ledger.epochs e))
        RETURNING p.customer_id, p.credit_type_id
    ), changed_grants AS (
        UPDATE ledger.grants g SET granted_micros = d.granted_micros, captured_micros = d.captured_micros,
            held_micros = d.held_micros, expired_micros = d.expired_micros, voided_micros = d.voided_micros,
            is_closed = d.is_closed
        FROM unnest($9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[],
            $15::bigint[], $16::bigint[], $17::boolean[])
            AS d (customer_id, credit_type_id, grant_id, granted_micros, captured_micros, held_micros,
                expired_micros, voided_micros, is_closed)
        JOIN guard USING (customer_id, credit_type_id)
        WHERE g.customer_id = d.customer_id AND g.grant_id = d.grant_id
    ), new_holds AS (
        INSERT INTO ledger.holds (customer_id, credit_type_id, hold_id, product_id, contract_id, anchor_time,
            price_micros, per_micros, group_values, counted_group_values, state, draw_grant_ids, draw_micros,
            captured_micros, create_time, expire_time)
        SELECT d.customer_id, d.credit_type_id, d.hold_id, d.product_id, d.contract_id, d.anchor_time,
            d.price_micros, d.per_micros, d.group_values::jsonb, d.counted_group_values::jsonb, d.state,
            d.draw_grant_ids::text[], d.draw_micros::bigint[], d.captured_micros, d.create_time, d.expire_time
        FROM unnest($18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::timestamptz[],
            $24::bigint[], $25::bigint[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[],
            $31::bigint[], $32::timestamptz[], $33::timestamptz[])
            AS d (customer_id, credit_type_id, hold_id, product_id, contract_id, anchor_time, price_micros,
                per_micros, group_values, counted_group_values, state, draw_grant_ids, draw_micros,
                captured_micros, create_time, expire_time)
        JOIN guard USING (customer_id, credit_type_id)
    ), changed_holds AS (
        UPDATE ledger.holds h SET state = d.state, draw_grant_ids = d.draw_grant_ids::text[],
            draw_micros = d.draw_micros::bigint[], captured_micros = d.captured_micros,
            expire_time = d.expire_time
        FROM unnest($34::text[], $35::text[], $36::text[], $37::text[], $38::text[], $39::text[], $40::bigint[],
            $41::timestamptz[])
            AS d (customer_id, credit_type_id, hold_id, state, draw_grant_ids, draw_micros, captured_micros,
                expire_time)
        JOIN guard USING (customer_id, credit_type_id)
        WHERE h.customer_id = d.customer_id AND h.hold_id = d.hold_id
    ), changed_spends AS (
        INSERT INTO ledger.spends AS s (customer_id, credit_type_id, group_key, group_value, held_micros,
            period_start, period_spent_micros, day_start, day_spent_micros)
        SELECT d.* FROM unnest($42::text[], $43::text[], $44::text[], $45::text[], $46::bigint[],
            $47::timestamptz[], $48::bigint[], $49::timestamptz[], $50::bigint[])
            AS d (customer_id, credit_type_id, group_key, group_value, held_micros, period_start,
                period_spent_micros, day_start, day_spent_micros)
        JOIN guard USING (customer_id, credit_type_id)
        ON CONFLICT (customer_id, credit_type_id, group_key, group_value) DO UPDATE SET
            held_micros = excluded.held_micros, period_start = excluded.period_start,
            period_spent_micros = excluded.period_spent_micros, day_start = excluded.day_start,
            day_spent_micros = excluded.day_spent_micros
    ), new_entries AS (
        INSERT INTO ledger.entries (customer_id, credit_type_id, sequence, kind, grant_id, amount_micros,
            shortfall_micros, effective_time, create_time, cause_id, hold_id, product_id, group_values)
        SELECT d.customer_id, d.credit_type_id, d.sequence, d.kind, d.grant_id, d.amount_micros,
            d.shortfall_micros, d.effective_time, d.create_time, d.cause_id, d.hold_id, d.product_id,
            d.group_values::jsonb
        FROM unnest($51::text[], $52::text[], $53::bigint[], $54::text[], $55::text[], $56::bigint[],
            $57::bigint[], $58::timestamptz[], $59::timestamptz[], $60::text[], $61::text[], $62::text[],
            $63::text[])
            AS d (customer_id, credit_type_id, sequence, kind, grant_id, amount_micros, shortfall_micros,
                effective_time, create_time, cause_id, hold_id, product_id, group_values)
        JOIN guard USING (customer_id, credit_type_id)
    ), new_answers AS (
        INSERT INTO ledger.requests (customer_id, request_id, body_hash, answer, create_time)
        SELECT d.customer_id, d.request_id, d.body_hash, d.answer::jsonb, d.create_time
        FROM unnest($64::text[], $65::text[], $66::text[], $67::bytea[], $68::text[], $69::timestamptz[])
            AS d (customer_id, credit_type_id, request_id, body_hash, answer, create_time)
        JOIN guard USING (customer_id, credit_type_id)
    )
    SELECT customer_id, credit_type_id FROM guard
"""


def _arguments(
    changes: Sequence[Change], answers: Sequence[Remembered], epoch: int | None
) -> tuple[object, ...]:
    pools, grants, new_holds, holds, spends, entries = [], [], [], [], [], []
    for change in changes:
        before, after = change.before, change.after
        key = change.key
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
                new_holds.append((*key, *_new_hold(after.holds[hold_id])))
        for group_value in dict.fromkeys(after.changed_spends):
            spends.append((*key, *group_value, *_spend(after.spends[group_value])))
        entries += [(*key, *_entry(entry)) for entry in after.entries]
    remembered = [
        (*one.key, one.request_id, one.fingerprint, to_json_text(one.answer), one.create_time)
        for one in answers
    ]
    return (
        *_columns(pools, 7),
        epoch,
        *_columns(grants, 9),
        *_columns(new_holds, 16),
        *_columns(holds, 8),
        *_columns(spends, 9),
        *_columns(entries, 13),
        *_columns(remembered, 6),
    )


def _columns(rows: Sequence[Sequence[object]], width: int) -> list[Sequence[object]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


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
        spend.period_start,
        spend.period_spent.micros,
        spend.day_start,
        spend.day_spent.micros,
    )


def _entry(entry: Entry) -> tuple[object, ...]:
    usage = entry.usage
    return (
        entry.sequence,
        entry.kind.value,
        entry.grant_id,
        entry.amount.micros,
        entry.shortfall.micros,
        entry.effective_time,
        entry.create_time,
        entry.cause_id,
        usage.hold_id if usage else None,
        usage.product_id if usage else None,
        json.dumps(dict(usage.group_values)) if usage else None,
    )


def _new_hold(hold: Hold) -> tuple[object, ...]:
    return (
        hold.hold_id,
        hold.product_id,
        hold.contract_id,
        hold.anchor,
        hold.price.numerator_micros,
        hold.price.denominator_micros,
        json.dumps(dict(hold.group_values)),
        json.dumps(dict(hold.counted_group_values)),
        hold.state.value,
        *_draws(hold),
        hold.captured.micros,
        hold.create_time,
        hold.expire_time,
    )


def _changed_hold(hold: Hold) -> tuple[object, ...]:
    return (hold.hold_id, hold.state.value, *_draws(hold), hold.captured.micros, hold.expire_time)


def _draws(hold: Hold) -> tuple[str, str]:
    """Write draws as array literals, since arrays of arrays cannot differ in length. Ids need no quotes."""
    grant_ids = ",".join(draw.grant_id for draw in hold.draws)
    micros = ",".join(str(draw.amount.micros) for draw in hold.draws)
    return f"{{{grant_ids}}}", f"{{{micros}}}"


async def _make_pool(connection: Connection, key: PoolKey) -> None:
    # Fails when another transaction has made it meanwhile: then what was decided on no pool is decided again.
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
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
            [(*change.key, *grant_to_row(grant)) for grant in new],
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


async def _save_crossings(connection: Connection, after: Account, *, wall: Clock, ids: Ids) -> None:
    """Write the crossings into the outbox, each behind all those of its customer."""
    if not after.crossings:
        return
    last = await connection.fetchval(
        "SELECT max(create_time) FROM ledger.outbox WHERE customer_id = $1 AND sent_time IS NULL",
        after.customer_id,
    )
    now = wall.now()
    create_time = now if last is None else max(now, last + _TICK)
    await connection.executemany(
        "INSERT INTO ledger.outbox (customer_id, notice_id, kind, payload, create_time, due_time)"
        " VALUES ($1, $2, 'CROSSING', $3, $4, $5)",
        [
            (after.customer_id, ids.new("ntc"), to_json(crossing), create_time + number * _TICK, now)
            for number, crossing in enumerate(after.crossings)
        ],
    )


async def _save_progress(
    connection: Connection, customer_id: CustomerId, schedules: Sequence[ScheduleProgress]
) -> None:
    if schedules:
        await connection.executemany(
            "UPDATE ledger.grant_schedules SET next_index = $3, latest_grant_id = $4"
            " WHERE customer_id = $1 AND schedule_id = $2",
            [(customer_id, one.schedule.schedule_id, one.next_index, one.latest) for one in schedules],
        )
