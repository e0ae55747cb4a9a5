# SPDX-License-Identifier: Apache-2.0
"""Accounts: read whole under the pool's lock, and saved as the difference between what was read and what is now."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from meshkit.clock import Clock
from meshkit.encoding import to_json
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.account import Account
from services.ledger.domain.due import Dues, Reading, ScheduleProgress
from services.ledger.domain.errors import HoldNotFound
from services.ledger.domain.grant import CreditTypeId, CustomerId, Grant, GrantId, ScheduleId
from services.ledger.domain.hold import Hold, HoldId
from services.ledger.domain.spend_cap import GroupValue, Spend, SpendCap
from services.ledger.domain.watch import Watch, WatchKind, WatchState
from services.ledger.store.connection import Connection
from services.ledger.store.rows import (
    ENTRY_COLUMNS,
    GRANT_COLUMNS,
    HOLD_COLUMNS,
    cap_from_row,
    entry_to_row,
    grant_from_row,
    grant_to_row,
    hold_from_row,
    hold_to_row,
    spend_from_row,
    watch_from_row,
)
from services.ledger.store.schedules import progress_of

_TICK = timedelta(microseconds=1)


class Accounts:
    """The accounts of one transaction."""

    def __init__(self, connection: Connection, *, wall: Clock, ids: Ids) -> None:
        self._connection = connection
        self._wall = wall
        self._ids = ids

    async def credit_type_of_hold(self, customer_id: CustomerId, hold_id: HoldId) -> CreditTypeId:
        """Return which pool a hold is in. Raises HoldNotFound."""
        found = await self._connection.fetchval(
            "SELECT credit_type_id FROM ledger.holds WHERE customer_id = $1 AND hold_id = $2",
            customer_id,
            hold_id,
        )
        if found is None:
            raise HoldNotFound(hold_id=hold_id)
        return CreditTypeId(found)

    async def read(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        *,
        at: datetime,
        group_values: Iterable[GroupValue] = (),
        hold_id: HoldId | None = None,
        settles: bool = False,
    ) -> Reading:
        """Lock a pool and return its account, with what may have fallen due at `at`.

        A pool that is not there yet is an empty account. group_values: whose spends matter; hold_id: a hold to
        read too. settles: read what can fall due even if the pool says that nothing has.
        """
        pool = await self._connection.fetchrow(
            "SELECT sequence, shortfall_micros, next_due_time, settled_time FROM ledger.pools"
            " WHERE customer_id = $1 AND credit_type_id = $2 FOR UPDATE",
            customer_id,
            credit_type_id,
        )
        if pool is None:
            return Reading(account=Account(customer_id=customer_id, credit_type_id=credit_type_id), dues=None)
        next_due_time = pool["next_due_time"]
        is_due = settles or (next_due_time is not None and next_due_time <= at)
        grants = await self._grants(customer_id, credit_type_id)
        holds = await self._holds(customer_id, credit_type_id, hold_id, dead_at=at if is_due else None)
        watches = await self._watches(customer_id, credit_type_id)
        states = await self._watch_states(customer_id, credit_type_id) if watches else {}
        wanted = {*group_values, *(value for hold in holds.values() for value in hold.counted())}
        if is_due:
            wanted |= _watched_values(watches, states)
        spends = await self._spends(
            customer_id, credit_type_id, wanted, all_of=_unobserved_keys(watches, states) if is_due else ()
        )
        account = Account(
            customer_id=customer_id,
            credit_type_id=credit_type_id,
            sequence=pool["sequence"],
            shortfall=Credits(pool["shortfall_micros"]),
            next_due_time=next_due_time,
            settled_time=pool["settled_time"],
            grants=grants,
            holds=holds,
            caps=await self._caps(customer_id, credit_type_id) if wanted else (),
            spends=spends,
            watches=watches,
            watch_states=states,
        )
        dues = await self._dues(customer_id, credit_type_id, at) if is_due else None
        return Reading(account=account, dues=dues)

    async def make(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> None:
        """Make sure that a pool is there, so that it can be locked."""
        await self._connection.execute(
            "INSERT INTO ledger.pools (customer_id, credit_type_id, version, sequence, shortfall_micros)"
            " VALUES ($1, $2, 1, 0, 0) ON CONFLICT DO NOTHING",
            customer_id,
            credit_type_id,
        )

    async def save(
        self, before: Account, after: Account, schedules: Mapping[ScheduleId, ScheduleProgress]
    ) -> None:
        """Write what has changed since the account was read."""
        if after is before:
            return
        await self._save_pool(after)
        await self._save_grants(before, after)
        await self._save_holds(before, after)
        await self._save_spends(before, after)
        await self._save_entries(after)
        await self._save_watch_states(before, after)
        await self._save_crossings(after)
        await self._save_progress(after.customer_id, schedules)

    async def granted_for(self, customer_id: CustomerId, source_id: str) -> GrantId | None:
        """Return the grant that was made for a source, if any."""
        found: GrantId | None = await self._connection.fetchval(
            "SELECT grant_id FROM ledger.grants WHERE customer_id = $1 AND source_id = $2",
            customer_id,
            source_id,
        )
        return found

    async def _grants(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> dict[GrantId, Grant]:
        rows = await self._connection.fetch(
            f"SELECT {GRANT_COLUMNS} FROM ledger.grants"
            " WHERE customer_id = $1 AND credit_type_id = $2 AND (NOT is_closed OR held_micros > 0)",
            customer_id,
            credit_type_id,
        )
        return {grant.grant_id: grant for grant in map(grant_from_row, rows)}

    async def _holds(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        hold_id: HoldId | None,
        *,
        dead_at: datetime | None,
    ) -> dict[HoldId, Hold]:
        if hold_id is None and dead_at is None:
            return {}
        rows = []
        if hold_id is not None:
            rows += await self._connection.fetch(
                f"SELECT {HOLD_COLUMNS} FROM ledger.holds WHERE customer_id = $1 AND hold_id = $2",
                customer_id,
                hold_id,
            )
        if dead_at is not None:
            rows += await self._connection.fetch(
                f"SELECT {HOLD_COLUMNS} FROM ledger.holds"
                " WHERE customer_id = $1 AND credit_type_id = $2 AND state = 'HELD' AND expire_time <= $3",
                customer_id,
                credit_type_id,
                dead_at,
            )
        return {hold.hold_id: hold for hold in map(hold_from_row, rows)}

    async def _caps(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> tuple[SpendCap, ...]:
        rows = await self._connection.fetch(
            "SELECT spend_cap_id, credit_type_id, group_key, group_value, limit_micros, cap_window, create_time"
            " FROM ledger.spend_caps WHERE customer_id = $1 AND credit_type_id = $2",
            customer_id,
            credit_type_id,
        )
        return tuple(map(cap_from_row, rows))

    async def _spends(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        wanted: set[GroupValue],
        *,
        all_of: Iterable[str],
    ) -> dict[GroupValue, Spend]:
        keys = list(all_of)
        if not wanted and not keys:
            return {}
        pairs = sorted(wanted)
        rows = await self._connection.fetch(
            "SELECT group_key, group_value, held_micros, period_start, period_spent_micros, day_start,"
            " day_spent_micros FROM ledger.spends WHERE customer_id = $1 AND credit_type_id = $2"
            " AND (group_key = ANY ($3) OR (group_key, group_value) IN"
            " (SELECT * FROM unnest($4::text[], $5::text[])))",
            customer_id,
            credit_type_id,
            keys,
            [key for key, _ in pairs],
            [value for _, value in pairs],
        )
        found = {(row["group_key"], row["group_value"]): spend_from_row(row) for row in rows}
        return {pair: Spend() for pair in pairs} | found

    async def _watches(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> tuple[Watch, ...]:
        rows = await self._connection.fetch(
            "SELECT alert_id, version, kind, customer_id, credit_type_id, threshold_micros, group_key, group_value"
            " FROM ledger.watches WHERE is_active AND credit_type_id = $2"
            " AND (customer_id = $1 OR customer_id IS NULL) ORDER BY alert_id",
            customer_id,
            credit_type_id,
        )
        return tuple(map(watch_from_row, rows))

    async def _watch_states(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId
    ) -> dict[tuple[str, str], WatchState]:
        rows = await self._connection.fetch(
            "SELECT alert_id, group_value, in_alarm, sequence, version FROM ledger.watch_states"
            " WHERE customer_id = $1 AND credit_type_id = $2",
            customer_id,
            credit_type_id,
        )
        return {
            (row["alert_id"], row["group_value"]): WatchState(
                row["in_alarm"], row["sequence"], row["version"]
            )
            for row in rows
        }

    async def _dues(self, customer_id: CustomerId, credit_type_id: CreditTypeId, at: datetime) -> Dues:
        earliest = await self._connection.fetchval(
            "SELECT min(expire_time) FROM ledger.holds"
            " WHERE customer_id = $1 AND credit_type_id = $2 AND state = 'HELD' AND expire_time > $3",
            customer_id,
            credit_type_id,
            at,
        )
        anchor = await self._connection.fetchval(
            "SELECT start_time FROM ledger.contracts WHERE customer_id = $1 AND start_time <= $2"
            " AND (end_time IS NULL OR end_time > $2) ORDER BY start_time, contract_id LIMIT 1",
            customer_id,
            at,
        )
        schedules = await progress_of(self._connection, customer_id, credit_type_id)
        return Dues(schedules=schedules, earliest_later_hold=earliest, anchor=anchor)

    async def _save_pool(self, after: Account) -> None:
        await self._connection.execute(
            "INSERT INTO ledger.pools (customer_id, credit_type_id, version, sequence, shortfall_micros,"
            " next_due_time, settled_time) VALUES ($1, $2, 1, $3, $4, $5, $6)"
            " ON CONFLICT (customer_id, credit_type_id) DO UPDATE SET version = pools.version + 1,"
            " sequence = $3, shortfall_micros = $4, next_due_time = $5, settled_time = $6",
            after.customer_id,
            after.credit_type_id,
            after.sequence,
            after.shortfall.micros,
            after.next_due_time,
            after.settled_time,
        )

    async def _save_grants(self, before: Account, after: Account) -> None:
        changed = [grant for key, grant in after.grants.items() if before.grants.get(key) is not grant]
        if changed:
            await self._connection.executemany(
                f"INSERT INTO ledger.grants (customer_id, credit_type_id, {GRANT_COLUMNS})"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)"
                " ON CONFLICT (customer_id, grant_id) DO UPDATE SET granted_micros = $10, captured_micros = $11,"
                " held_micros = $12, expired_micros = $13, voided_micros = $14, is_closed = $20",
                [(after.customer_id, after.credit_type_id, *grant_to_row(grant)) for grant in changed],
            )

    async def _save_holds(self, before: Account, after: Account) -> None:
        changed = [hold for key, hold in after.holds.items() if before.holds.get(key) is not hold]
        if changed:
            await self._connection.executemany(
                f"INSERT INTO ledger.holds (customer_id, credit_type_id, {HOLD_COLUMNS})"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
                " ON CONFLICT (customer_id, hold_id) DO UPDATE SET state = $11, draw_grant_ids = $12,"
                " draw_micros = $13, captured_micros = $14, expire_time = $16",
                [(after.customer_id, after.credit_type_id, *hold_to_row(hold)) for hold in changed],
            )

    async def _save_spends(self, before: Account, after: Account) -> None:
        changed = [(key, spend) for key, spend in after.spends.items() if before.spends.get(key) != spend]
        if changed:
            await self._connection.executemany(
                "INSERT INTO ledger.spends (customer_id, credit_type_id, group_key, group_value, held_micros,"
                " period_start, period_spent_micros, day_start, day_spent_micros)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                " ON CONFLICT (customer_id, credit_type_id, group_key, group_value) DO UPDATE SET"
                " held_micros = $5, period_start = $6, period_spent_micros = $7, day_start = $8,"
                " day_spent_micros = $9",
                [
                    (
                        after.customer_id,
                        after.credit_type_id,
                        *key,
                        spend.held.micros,
                        spend.period_start,
                        spend.period_spent.micros,
                        spend.day_start,
                        spend.day_spent.micros,
                    )
                    for key, spend in changed
                ],
            )

    async def _save_entries(self, after: Account) -> None:
        if after.entries:
            await self._connection.executemany(
                f"INSERT INTO ledger.entries (customer_id, credit_type_id, {ENTRY_COLUMNS})"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                [(after.customer_id, after.credit_type_id, *entry_to_row(entry)) for entry in after.entries],
            )

    async def _save_watch_states(self, before: Account, after: Account) -> None:
        changed = [
            (key, state) for key, state in after.watch_states.items() if before.watch_states.get(key) != state
        ]
        if changed:
            await self._connection.executemany(
                "INSERT INTO ledger.watch_states (customer_id, credit_type_id, alert_id, group_value, in_alarm,"
                " sequence, version) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                " ON CONFLICT (customer_id, credit_type_id, alert_id, group_value) DO UPDATE SET"
                " in_alarm = $5, sequence = $6, version = $7",
                [
                    (
                        after.customer_id,
                        after.credit_type_id,
                        *key,
                        state.in_alarm,
                        state.sequence,
                        state.version,
                    )
                    for key, state in changed
                ],
            )

    async def _save_crossings(self, after: Account) -> None:
        """Write the crossings into the outbox, each behind all those of its customer."""
        if not after.crossings:
            return
        last = await self._connection.fetchval(
            "SELECT max(create_time) FROM ledger.outbox WHERE customer_id = $1 AND sent_time IS NULL",
            after.customer_id,
        )
        now = self._wall.now()
        create_time = now if last is None else max(now, last + _TICK)
        await self._connection.executemany(
            "INSERT INTO ledger.outbox (customer_id, notice_id, kind, payload, create_time, due_time)"
            " VALUES ($1, $2, 'CROSSING', $3, $4, $5)",
            [
                (
                    after.customer_id,
                    self._ids.new("ntc"),
                    to_json(crossing),
                    create_time + number * _TICK,
                    now,
                )
                for number, crossing in enumerate(after.crossings)
            ],
        )

    async def _save_progress(
        self, customer_id: CustomerId, schedules: Mapping[ScheduleId, ScheduleProgress]
    ) -> None:
        if schedules:
            await self._connection.executemany(
                "UPDATE ledger.grant_schedules SET next_index = $3, latest_grant_id = $4"
                " WHERE customer_id = $1 AND schedule_id = $2",
                [(customer_id, key, one.next_index, one.latest) for key, one in schedules.items()],
            )


def _watched_values(
    watches: Iterable[Watch], states: Mapping[tuple[str, str], WatchState]
) -> set[GroupValue]:
    """Return the values whose spend alarms may end by the clock, and those named by a watch."""
    spend_watches = {watch.alert_id: watch for watch in watches if watch.kind is WatchKind.SPEND}
    named = {(watch.group_key, watch.group_value) for watch in spend_watches.values() if watch.group_value}
    in_alarm = {
        (spend_watches[alert_id].group_key, group_value)
        for (alert_id, group_value), state in states.items()
        if state.in_alarm and group_value and alert_id in spend_watches
    }
    return named | in_alarm


def _unobserved_keys(watches: Iterable[Watch], states: Mapping[tuple[str, str], WatchState]) -> set[str]:
    """Return the group keys of one customer's fan-out watches that were not observed yet: all values matter."""
    return {
        watch.group_key
        for watch in watches
        if watch.kind is WatchKind.SPEND
        and watch.customer_id is not None
        and not watch.group_value
        and (watch.alert_id, "") not in states
    }
