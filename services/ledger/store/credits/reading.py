# SPDX-License-Identifier: Apache-2.0
"""Reads whole accounts, many at once: each table is read by one statement for all of them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any

import asyncpg

from meshkit.evolve import evolve
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import DueSources, Reading
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import AccountSelection, PoolKey
from services.ledger.domain.crossings.watch import Watch, WatchKind, WatchState, needed
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.overage import totals_for
from services.ledger.domain.gate.shortfall import SHORTFALL
from services.ledger.domain.gate.spend_cap import (
    GroupValue,
    Spend,
    own_subjects,
    stepped_windows_of,
)
from services.ledger.domain.gate.subjects import is_group
from services.ledger.domain.gate.windows import ZONE_DEFAULT, CapWindow, window_at
from services.ledger.domain.usage.meter import MeteredPrice
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.credits.free_credits import free_credits
from services.ledger.store.credits.grants import read_grants, read_slot_grants, with_unread
from services.ledger.store.credits.pools import POOLS, fetch_by_pool
from services.ledger.store.credits.rows import (
    HOLD_COLUMNS,
    SPEND_COLUMNS,
    hold_from_row,
    prefixed,
    spend_from_row,
)
from services.ledger.store.credits.schedules import progress_of
from services.ledger.store.credits.slots import SeatsRead, read_rules, read_seats
from services.ledger.store.credits.watches import (
    pools_with_grants,
    read_watch_states,
    read_watches,
    unobserved_balances,
    unobserved_keys,
    watched_values,
)
from services.ledger.store.gate.cap_groups import read_groups
from services.ledger.store.gate.concurrency_caps import read_in_flight
from services.ledger.store.gate.limits import Limits, read_limits
from services.ledger.store.gate.standings import USAGE_ANCHOR
from services.ledger.store.usage.meters import read_meters, read_values


class PoolLocks(Enum):
    """How the pools are locked when accounts are read; the value is SQL.

    WAIT: until other transactions release them. NOWAIT: if one is locked, the statement fails. AVAILABLE: leave out
    those that are locked; it takes a statement for each pool. NONE: not at all; the transaction must see one snapshot.
    """

    WAIT = "FOR UPDATE OF p"
    NOWAIT = "FOR UPDATE OF p NOWAIT"
    AVAILABLE = "each FOR UPDATE OF p NOWAIT"
    NONE = ""


async def read_accounts(
    connection: Connection, selections: Mapping[PoolKey, AccountSelection], *, at: datetime, locks: PoolLocks
) -> dict[PoolKey, Reading]:
    """Return the accounts of these pools, and what may have fallen due in them.

    locks: the pools are locked first, in the order of their keys; one that is left out has no account here.
    For a pool that does not exist yet, the account is empty, of version 0, with the caps set on the pool. settles and
    only_grants: see AccountSelection.
    """
    if locks is PoolLocks.AVAILABLE:
        pools, locked = await _available_pools(connection, sorted(selections))
        selections = {key: selection for key, selection in selections.items() if key not in locked}
    else:
        pools = await _pools(connection, sorted(selections), locks=locks)
    limits = await read_limits(connection, list(selections))
    if not pools:
        return {
            key: await _empty_reading(connection, key, selection, limits[key], at=at)
            for key, selection in selections.items()
        }
    keys = list(pools)
    columns = ([customer_id for customer_id, _ in keys], [credit_type_id for _, credit_type_id in keys])
    due = [key for key in keys if selections[key].settles or _is_due(pools[key], at)]
    partial = {key for key in keys if selections[key].only_grants is not None and key not in due}
    grants = dict(await read_grants(connection, selections, keys, partial, at=at))
    holds = await _holds(connection, selections, due, at)
    watches = await read_watches(connection, *columns)
    seats = await _seats(connection, selections, pools, holds, watches, at)
    for key, read in seats.items():
        found = grants.get(key, {})
        drawn = {draw.grant_id for hold in holds.get(key, ()) for draw in hold.draws} - found.keys()
        of_slots = await read_slot_grants(
            connection, key, read.slots, drawn, pays_late=selections[key].pays_late, at=at
        )
        grants[key] = {**found, **of_slots}
    due_slots = {key for key, read in seats.items() if read.progress}
    states = await read_watch_states(connection, keys) if any(watches.values()) else {}
    granted = await pools_with_grants(connection, unobserved_balances(grants, watches, states, at), at)
    # While the pool's lock was waited for, the first contract may have come.
    anchors = {key: pool["usage_anchor"] or await _anchor(connection, key[0]) for key, pool in pools.items()}
    totals = {
        key: _overage_totals(selections[key], limits[key].overage_caps, anchor, at)
        | ({SHORTFALL} if pools[key]["shortfall_micros"] else set())
        for key, anchor in anchors.items()
    }
    watched = {*due, *partial, *due_slots}
    needs = {key: needed(limits[key].caps, watches.get(key, ())) for key in selections}
    subjects = {key: own_subjects(of_pool) for key, of_pool in needs.items() if of_pool}
    for key, own in subjects.items():
        totals[key] = totals.get(key, set()) | own
    groups = await _groups(connection, selections, subjects, holds)
    spends = await _spends(connection, selections, totals, watched, holds, watches, states)
    meters = await read_meters(connection, _prices(selections, holds))
    values = await read_values(connection, selections)
    in_flight = await read_in_flight(
        connection, {key: one.concurrency_caps for key, one in limits.items() if one.concurrency_caps}
    )
    readings = {}
    for key, selection in selections.items():
        pool = pools.get(key)
        if pool is None:
            readings[key] = await _empty_reading(connection, key, selection, limits[key], at=at)
            continue
        customer_id, credit_type_id = key
        account = Account(
            customer_id=customer_id,
            credit_type_id=credit_type_id,
            version=pool["version"],
            sequence=pool["sequence"],
            usage_anchor=anchors[key],
            time_zone=pool["time_zone"] or ZONE_DEFAULT,
            shortfall=Credits(pool["shortfall_micros"]),
            next_due_time=pool["next_due_time"],
            settled_time=pool["settled_time"],
            grants=grants.get(key, {}),
            holds={hold.hold_id: hold for hold in holds.get(key, ())},
            caps=tuple(limits[key].caps),
            concurrency_caps=limits[key].concurrency_caps,
            in_flight=in_flight.get(key, {}),
            shadow_products=frozenset(limits[key].shadow_products),
            overage_caps=limits[key].overage_caps,
            windows=stepped_windows_of(needs[key], pool["time_zone"] or ZONE_DEFAULT),
            own_subjects=subjects.get(key, frozenset()),
            groups=groups.get(key),
            spends=spends.get(key, {}),
            meters=meters.get(key, {}),
            values=values.get(key, {}),
            had_grants=key in granted,
            pays_late=selection.pays_late,
            watches=watches.get(key, ()),
            watch_states=states.get(key, {}),
        )
        if (of_seats := seats.get(key)) is not None:
            account = evolve(
                account,
                seat_rules=of_seats.rules,
                seats=of_seats.seats,
                slots=of_seats.with_grants(account.grants.values()),
            )
        sources = await _due_sources(connection, key, at, selection) if key in due else None
        if key in partial:
            account = evolve(await with_unread(connection, account, at=at), is_partial=True)
            anchor = await _anchor(connection, customer_id)
            sources = DueSources(schedules={}, first_unread=account.next_due_time, anchor=anchor)
        if of_seats is not None and of_seats.progress:
            sources = await _with_slots(connection, account, sources, of_seats)
        if sources is not None and (since := sources.free_since(account, at=at)) is not None:
            sources = replace(sources, free=await free_credits(connection, key, since=since))
        readings[key] = Reading(account=account, sources=sources)
    return readings


async def _seats(
    connection: Connection,
    selections: Mapping[PoolKey, AccountSelection],
    pools: Mapping[PoolKey, Any],
    holds: Mapping[PoolKey, Sequence[Hold]],
    watches: Mapping[PoolKey, tuple[Watch, ...]],
    at: datetime,
) -> dict[PoolKey, SeatsRead]:
    """Return what is needed of the named seats of these pools: those of the selections and of the selected holds."""
    with_seats = [key for key, pool in pools.items() if pool["has_seats"]]
    if not with_seats:
        return {}
    rules = await read_rules(connection, with_seats)
    return {
        key: await read_seats(
            connection,
            key,
            rules[key],
            names=selections[key].seats
            | selections[key].group_values
            | {
                name
                for hold in holds.get(key, ())
                if hold.hold_id in selections[key].hold_ids
                for name in hold.group_values.items()
            },
            slot_ids=selections[key].slot_ids,
            watches_seats=any(one.kind is WatchKind.LOW_SEAT_BALANCE for one in watches.get(key, ())),
            settles=selections[key].settles,
            at=at,
        )
        for key in with_seats
    }


async def _with_slots(
    connection: Connection, account: Account, sources: DueSources | None, seats: SeatsRead
) -> DueSources:
    """Return what may have fallen due in an account and in its slots. sources: None if nothing is due in the pool."""
    if sources is None:
        anchor = await _anchor(connection, account.customer_id)
        return DueSources(schedules=seats.progress, first_unread=account.next_due_time, anchor=anchor)
    return replace(sources, schedules={**sources.schedules, **seats.progress})


async def _pools(connection: Connection, keys: Sequence[PoolKey], *, locks: PoolLocks) -> dict[PoolKey, Any]:
    rows = await fetch_by_customer(
        connection,
        "SELECT p.customer_id, p.credit_type_id, p.version, p.sequence, p.shortfall_micros,"
        f" p.next_due_time, p.settled_time, p.has_seats, {USAGE_ANCHOR} AS usage_anchor, u.time_zone"
        f" FROM {POOLS} JOIN ledger.pools p USING (customer_id, credit_type_id)"
        " JOIN ledger.customers u USING (customer_id)"
        f" ORDER BY p.customer_id, p.credit_type_id {locks.value}",
        [customer_id for customer_id, _ in keys],
        [credit_type_id for _, credit_type_id in keys],
    )
    return {(row["customer_id"], row["credit_type_id"]): row for row in rows}


async def _available_pools(
    connection: Connection, keys: Sequence[PoolKey]
) -> tuple[dict[PoolKey, Any], set[PoolKey]]:
    """Lock the pools that are not locked; return them, and the keys of those that are."""
    # So that below only a row can be locked: a locked table would cost a timeout for each pool.
    await connection.execute("LOCK TABLE ledger.pools IN ROW SHARE MODE NOWAIT")
    pools: dict[PoolKey, Any] = {}
    locked: set[PoolKey] = set()
    for key in keys:
        try:
            async with connection.transaction():
                pools |= await _pools(connection, [key], locks=PoolLocks.NOWAIT)
        except asyncpg.LockNotAvailableError:
            locked.add(key)
    return pools, locked


async def _holds(
    connection: Connection,
    selections: Mapping[PoolKey, AccountSelection],
    due: Sequence[PoolKey],
    at: datetime,
) -> dict[PoolKey, list[Hold]]:
    found: dict[PoolKey, list[Hold]] = defaultdict(list)
    named = [
        (customer_id, hold_id)
        for (customer_id, _), selection in selections.items()
        for hold_id in selection.hold_ids
    ]
    columns = f"h.customer_id, h.credit_type_id, {prefixed('h', HOLD_COLUMNS)}"
    if named:
        rows = await fetch_by_pool(
            connection,
            f"SELECT {columns} FROM unnest($1::text[], $2::text[]) AS q (customer_id, hold_id)"
            " JOIN ledger.holds h USING (customer_id, hold_id)",
            [customer_id for customer_id, _ in named],
            [hold_id for _, hold_id in named],
        )
        for key, group in rows.items():
            found[key] += map(hold_from_row, group)
    if due:
        rows = await fetch_by_pool(
            connection,
            f"SELECT {columns} FROM {POOLS} JOIN ledger.holds h USING (customer_id, credit_type_id)"
            " WHERE h.state = 'HELD' AND h.expire_time <= $3",
            [customer_id for customer_id, _ in due],
            [credit_type_id for _, credit_type_id in due],
            at,
        )
        for key, group in rows.items():
            found[key] += map(hold_from_row, group)
    return found


async def _groups(
    connection: Connection,
    selections: Mapping[PoolKey, AccountSelection],
    own: Mapping[PoolKey, Collection[GroupValue]],
    holds: Mapping[PoolKey, Sequence[Hold]],
) -> dict[PoolKey, dict[GroupValue, GroupValue | None]]:
    """Return which groups the selected group values, and those of the holds, are in; only where a group is counted."""
    wanted = {
        key: {*selections[key].group_values, *(one for hold in holds.get(key, ()) for one in hold.counted())}
        for key, subjects in own.items()
        if any(map(is_group, subjects))
    }
    return await read_groups(connection, wanted) if wanted else {}


def _overage_totals(
    selection: AccountSelection,
    overage_caps: Mapping[str, Credits | None],
    anchor: datetime | None,
    at: datetime,
) -> set[GroupValue]:
    """Return the totals of overage to read. A pool's time may be in the next usage period already."""
    if not overage_caps or anchor is None:
        return set()
    upcoming = window_at(CapWindow.BILLING_PERIOD, anchor=anchor, at=at).end
    return totals_for(overage_caps, anchor, {at, upcoming, *selection.used_times})


async def _spends(
    connection: Connection,
    selections: Mapping[PoolKey, AccountSelection],
    totals: Mapping[PoolKey, set[GroupValue]],
    due: set[PoolKey],
    holds: Mapping[PoolKey, Sequence[Hold]],
    watches: Mapping[PoolKey, tuple[Watch, ...]],
    states: Mapping[PoolKey, Mapping[tuple[str, str], WatchState]],
) -> dict[PoolKey, dict[GroupValue, Spend]]:
    """Return the selected spends, those of the holds, totals, and those whose alarms may end by the clock.

    A spend that is not stored yet is empty.
    """
    values: list[tuple[PoolKey, GroupValue]] = []
    whole_keys: list[tuple[PoolKey, str]] = []
    for key, selection in selections.items():
        of_pool = {
            *selection.group_values,
            *totals.get(key, ()),
            *(value for hold in holds.get(key, ()) for value in hold.counted()),
        }
        if key in due:
            of_pool |= watched_values(watches.get(key, ()), states.get(key, {}))
            whole_keys += [(key, one) for one in unobserved_keys(watches.get(key, ()), states.get(key, {}))]
        values += [(key, value) for value in of_pool]
    if not values and not whole_keys:
        return {}
    columns = f"s.customer_id, s.credit_type_id, s.group_key, s.group_value, {prefixed('s', SPEND_COLUMNS)}"
    found: dict[PoolKey, dict[GroupValue, Spend]] = defaultdict(dict)
    for key, value in values:
        found[key][value] = Spend()
    rows = await fetch_by_customer(
        connection,
        f"SELECT {columns} FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])"
        " AS q (customer_id, credit_type_id, group_key, group_value)"
        " JOIN ledger.spends s USING (customer_id, credit_type_id, group_key, group_value)",
        [customer_id for (customer_id, _), _ in values],
        [credit_type_id for (_, credit_type_id), _ in values],
        [group_key for _, (group_key, _) in values],
        [group_value for _, (_, group_value) in values],
    )
    if whole_keys:
        rows += await fetch_by_customer(
            connection,
            f"SELECT {columns} FROM unnest($1::text[], $2::text[], $3::text[])"
            " AS q (customer_id, credit_type_id, group_key)"
            " JOIN ledger.spends s USING (customer_id, credit_type_id, group_key)",
            [customer_id for (customer_id, _), _ in whole_keys],
            [credit_type_id for (_, credit_type_id), _ in whole_keys],
            [group_key for _, group_key in whole_keys],
        )
    for row in rows:
        spend = spend_from_row(row)
        found[row["customer_id"], row["credit_type_id"]][row["group_key"], row["group_value"]] = spend
    return found


async def _due_sources(
    connection: Connection, key: PoolKey, at: datetime, selection: AccountSelection
) -> DueSources:
    customer_id, credit_type_id = key
    earliest = await connection.fetchval(
        "SELECT min(expire_time) FROM ledger.holds"
        " WHERE customer_id = $1 AND credit_type_id = $2 AND state = 'HELD' AND expire_time > $3",
        customer_id,
        credit_type_id,
        at,
    )
    anchor = await _anchor(connection, customer_id)
    schedules = await progress_of(connection, customer_id, credit_type_id)
    return DueSources(schedules=schedules, first_unread=earliest, anchor=anchor, rechecks=selection.settles)


async def _anchor(connection: Connection, customer_id: CustomerId) -> datetime | None:
    """Return the start of the customer's usage periods."""
    anchor: datetime | None = await connection.fetchval(
        f"SELECT {USAGE_ANCHOR} FROM ledger.customers u WHERE u.customer_id = $1", customer_id
    )
    return anchor


def _prices(
    selections: Mapping[PoolKey, AccountSelection], holds: Mapping[PoolKey, Sequence[Hold]]
) -> dict[PoolKey, list[MeteredPrice]]:
    """Return the selected prices, and those of the selected holds."""
    return {
        key: selection.prices
        + [
            part.price
            for hold in holds.get(key, ())
            if hold.hold_id in selection.hold_ids
            for part in hold.parts
        ]
        for key, selection in selections.items()
    }


async def _empty_reading(
    connection: Connection,
    key: PoolKey,
    selection: AccountSelection,
    limits: Limits,
    *,
    at: datetime,
) -> Reading:
    customer_id, credit_type_id = key
    row = await connection.fetchrow(
        f"SELECT {USAGE_ANCHOR} AS anchor, u.time_zone FROM ledger.customers u WHERE u.customer_id = $1",
        customer_id,
    )
    anchor = row and row["anchor"]
    zone = (row and row["time_zone"]) or ZONE_DEFAULT
    own = own_subjects(limits.caps)
    groups = await _groups(connection, {key: selection}, {key: own}, {})
    totals = _overage_totals(selection, limits.overage_caps, anchor, at) | own
    account = Account(
        customer_id=customer_id,
        credit_type_id=credit_type_id,
        usage_anchor=anchor,
        time_zone=zone,
        caps=tuple(limits.caps),
        concurrency_caps=limits.concurrency_caps,
        shadow_products=frozenset(limits.shadow_products),
        windows=stepped_windows_of(limits.caps, zone),
        own_subjects=own,
        groups=groups.get(key),
        overage_caps=limits.overage_caps,
        spends={total: Spend() for total in totals},
        meters={
            price.meter_key: price.new_meter() for price in selection.prices if price.meter_key is not None
        },
        pays_late=True,
    )
    return Reading(account=account, sources=None)


def _is_due(pool: Any, at: datetime) -> bool:
    next_due_time: datetime | None = pool["next_due_time"]
    return next_due_time is not None and next_due_time <= at
