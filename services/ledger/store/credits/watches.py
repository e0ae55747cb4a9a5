# SPDX-License-Identifier: Apache-2.0
"""Reads the watches of pools with their states, and says what must be read so that they can be observed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.crossings.watch import OF_SPEND, Watch, WatchKind, WatchState
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.credits.pools import POOLS, fetch_by_pool
from services.ledger.store.credits.rows import ACTIVE_WATCHES, WATCH_COLUMNS, prefixed, watch_from_row


async def read_watches(
    connection: Connection, customer_ids: list[CustomerId], credit_type_ids: list[CreditTypeId]
) -> dict[PoolKey, tuple[Watch, ...]]:
    """Return the watches of pools, by alert. Those on every customer are read once, not once for each pool."""
    rows = await connection.fetch(
        f"SELECT {prefixed('w', WATCH_COLUMNS)} FROM {ACTIVE_WATCHES} w WHERE w.credit_type_id = ANY ($2)"
        " AND (w.customer_id = ANY ($1) OR w.customer_id IS NULL) ORDER BY w.alert_id",
        customer_ids,
        credit_type_ids,
    )
    of_one: dict[PoolKey, list[Watch]] = defaultdict(list)
    of_all: dict[CreditTypeId, tuple[Watch, ...]] = {}
    for watch in map(watch_from_row, rows):
        if watch.customer_id is None:
            of_all[watch.credit_type_id] = (*of_all.get(watch.credit_type_id, ()), watch)
        else:
            of_one[watch.customer_id, watch.credit_type_id].append(watch)
    found = {}
    for key in zip(customer_ids, credit_type_ids, strict=True):
        watches = of_all.get(key[1], ())
        if key in of_one:
            watches = tuple(sorted((*watches, *of_one[key]), key=lambda watch: watch.alert_id))
        if watches:
            found[key] = watches
    return found


def unobserved_balances(
    grants: Mapping[PoolKey, Mapping[GrantId, Grant]],
    watches: Mapping[PoolKey, tuple[Watch, ...]],
    states: Mapping[PoolKey, Mapping[tuple[str, str], WatchState]],
    at: datetime,
) -> list[PoolKey]:
    """Return the pools with a watch whose first observation depends on whether a grant has begun that was not read."""
    return [
        key
        for key, of_pool in watches.items()
        if not any(grant.effective_time <= at for grant in grants.get(key, {}).values())
        and any(
            watch.kind is WatchKind.LOW_BALANCE and (watch.alert_id, "") not in states.get(key, {})
            for watch in of_pool
        )
    ]


async def pools_with_grants(connection: Connection, keys: Sequence[PoolKey], at: datetime) -> set[PoolKey]:
    """Return those of the pools in which a grant has begun."""
    if not keys:
        return set()
    rows = await fetch_by_customer(
        connection,
        f"SELECT q.customer_id, q.credit_type_id FROM {POOLS} WHERE EXISTS (SELECT FROM ledger.grants g"
        " WHERE g.customer_id = q.customer_id AND g.credit_type_id = q.credit_type_id AND g.effective_time <= $3)",
        [customer_id for customer_id, _ in keys],
        [credit_type_id for _, credit_type_id in keys],
        at,
    )
    return {(row["customer_id"], row["credit_type_id"]) for row in rows}


async def read_watch_states(
    connection: Connection, keys: Sequence[PoolKey]
) -> dict[PoolKey, dict[tuple[str, str], WatchState]]:
    rows = await fetch_by_pool(
        connection,
        "SELECT s.customer_id, s.credit_type_id, s.alert_id, s.group_value, s.in_alarm, s.sequence, s.version"
        f" FROM {POOLS} JOIN ledger.watch_states s USING (customer_id, credit_type_id)",
        [customer_id for customer_id, _ in keys],
        [credit_type_id for _, credit_type_id in keys],
    )
    return {
        key: {
            (row["alert_id"], row["group_value"]): WatchState(
                row["in_alarm"], row["sequence"], row["version"]
            )
            for row in group
        }
        for key, group in rows.items()
    }


def watched_values(watches: Iterable[Watch], states: Mapping[tuple[str, str], WatchState]) -> set[GroupValue]:
    """Return the group values in alarm, whose alarms may end by the clock, and those named by a watch."""
    spend_watches = {watch.alert_id: watch for watch in watches if watch.kind in OF_SPEND}
    named = {(watch.group_key, watch.group_value) for watch in spend_watches.values() if watch.group_value}
    in_alarm = {
        (spend_watches[alert_id].group_key, group_value)
        for (alert_id, group_value), state in states.items()
        if state.in_alarm and group_value and alert_id in spend_watches
    }
    return named | in_alarm


def unobserved_keys(watches: Iterable[Watch], states: Mapping[tuple[str, str], WatchState]) -> set[str]:
    """Return the group keys of watches on every value of one customer whose version is not observed yet.

    All values of these keys must be read.
    """
    fan_outs = (
        watch
        for watch in watches
        if watch.kind in OF_SPEND and watch.customer_id is not None and not watch.group_value
    )
    return {watch.group_key for watch in fan_outs if not _is_observed(watch, states)}


def _is_observed(watch: Watch, states: Mapping[tuple[str, str], WatchState]) -> bool:
    state = states.get((watch.alert_id, ""))
    return state is not None and state.version >= watch.version
