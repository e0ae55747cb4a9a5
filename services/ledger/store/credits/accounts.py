# SPDX-License-Identifier: Apache-2.0
"""Reads whole accounts under the pools' locks, and saves the difference to what was read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.commands import AdjustBalance
from services.ledger.domain.credits.due import Reading, ScheduleProgress
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantId,
    ProductId,
    ScheduleId,
    SlotId,
)
from services.ledger.domain.credits.plan_change import PaidCredits
from services.ledger.domain.credits.seats import SeatName, SeatRule
from services.ledger.domain.credits.unit_of_work import (
    AccountSelection,
    Change,
    NewEvent,
    NewResponse,
    PoolKey,
    with_new_entries,
)
from services.ledger.domain.errors import HoldNotFound
from services.ledger.domain.gate.hold import HoldId, HoldPlace
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.rating.metric import UniqueValue
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.credits.grants import credit_type_of_grant
from services.ledger.store.credits.reading import PoolLocks, read_accounts
from services.ledger.store.credits.rows import GRANT_COLUMNS, Row, grant_from_row
from services.ledger.store.credits.slots import read_rules
from services.ledger.store.credits.writing import write_changes, write_extras


class Accounts:
    """The accounts of one transaction. locks: how reading an account locks its pool.

    has_new_entries: the pools of which it has written entries.
    """

    def __init__(self, connection: Connection, *, wall: Clock, ids: Ids, locks: PoolLocks) -> None:
        self._connection = connection
        self._locks = locks
        self._wall = wall
        self._ids = ids
        self.has_new_entries: set[PoolKey] = set()

    async def lock_all(self, customer_id: CustomerId) -> None:
        """Lock all pools of a customer, in the order of their keys, and wait for those that are locked."""
        await self._connection.execute(
            "SELECT FROM ledger.pools WHERE customer_id = $1 ORDER BY credit_type_id FOR UPDATE", customer_id
        )

    async def paid_credits(
        self, customer_id: CustomerId, schedule_id: ScheduleId, period: Period, *, change_time: datetime
    ) -> PaidCredits:
        """Return what a schedule granted for its periods that began in `period`, and what was used of later ones.

        What late notices took back is not counted. change_time: see PaidCredits.expired_since.
        """
        row = await self._connection.fetchrow(
            "SELECT coalesce(sum(granted_micros - taken_back_micros) FILTER (WHERE period_start < $4), 0)::bigint,"
            " coalesce(sum(captured_micros + held_micros) FILTER (WHERE period_start >= $4), 0)::bigint,"
            " coalesce((array_agg("
            "CASE WHEN period_start < least($4, $5) AND expire_time > $5 THEN expired_micros ELSE 0 END"
            " ORDER BY period_start DESC))[1], 0)::bigint"
            " FROM ledger.grants WHERE customer_id = $1 AND schedule_id = $2 AND period_start >= $3",
            customer_id,
            schedule_id,
            period.start,
            period.end,
            change_time,
        )
        assert row is not None
        return PaidCredits(Credits(row[0]), Credits(row[1]), Credits(row[2]))

    async def places_of_holds(
        self, asked: Iterable[tuple[CustomerId, HoldId]]
    ) -> dict[tuple[CustomerId, HoldId], HoldPlace]:
        """Return the pool and products of each hold; unknown holds are left out."""
        pairs = sorted(asked)
        rows = await fetch_by_customer(
            self._connection,
            "SELECT h.customer_id, h.hold_id, h.credit_type_id, h.product_id, h.lines"
            " FROM unnest($1::text[], $2::text[]) AS q (customer_id, hold_id)"
            " JOIN ledger.holds h USING (customer_id, hold_id)",
            [customer_id for customer_id, _ in pairs],
            [hold_id for _, hold_id in pairs],
        )
        return {
            (CustomerId(row["customer_id"]), HoldId(row["hold_id"])): HoldPlace(
                CreditTypeId(row["credit_type_id"]), _products_of(row)
            )
            for row in rows
        }

    async def credit_type_of_hold(self, customer_id: CustomerId, hold_id: HoldId) -> CreditTypeId:
        """Return the credit type of the pool that a hold is in. Raises HoldNotFound."""
        places = await self.places_of_holds([(customer_id, hold_id)])
        if not places:
            raise HoldNotFound(hold_id=hold_id)
        return places[customer_id, hold_id].credit_type_id

    async def read(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        *,
        at: datetime,
        group_values: Iterable[GroupValue] = (),
        hold_id: HoldId | None = None,
        prices: Iterable[MeteredPrice] = (),
        values: Iterable[tuple[MeterKey, UniqueValue]] = (),
        used_times: Iterable[datetime] = (),
        pays_late: bool = False,
        settles: bool = False,
        only_grants: frozenset[GrantId] | None = None,
        seats: Iterable[SeatName] = (),
        slot_ids: Iterable[SlotId] = (),
    ) -> Reading:
        """Lock a pool and return its account, with what may have fallen due at `at`.

        For a pool that does not exist yet, the account is empty. group_values: whose spends to read; hold_id: a hold
        to read too, with its meter; prices: whose meters to read; values to slot_ids: see AccountSelection.
        """
        hold_ids = set() if hold_id is None else {hold_id}
        selection = AccountSelection(
            group_values=set(group_values),
            hold_ids=hold_ids,
            prices=list(prices),
            values=set(values),
            used_times=set(used_times),
            pays_late=pays_late,
            settles=settles,
            only_grants=only_grants,
            seats=set(seats),
            slot_ids=frozenset(slot_ids),
        )
        key = (customer_id, credit_type_id)
        return (await self.read_many({key: selection}, at=at))[key]

    async def read_many(
        self, selections: Mapping[PoolKey, AccountSelection], *, at: datetime
    ) -> dict[PoolKey, Reading]:
        """Lock these pools in the order of their keys, and return for each what `read` returns.

        With PoolLocks.AVAILABLE, pools that another transaction has locked are left out.
        """
        return await read_accounts(self._connection, selections, at=at, locks=self._locks)

    async def seat_rules(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> tuple[SeatRule, ...]:
        """Return which usage is paid by seats in a pool."""
        key = (customer_id, credit_type_id)
        return (await read_rules(self._connection, [key]))[key]

    async def due_pools(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId | None, *, at: datetime
    ) -> list[CreditTypeId]:
        """Return those of a customer's pools (or of one pool) in which something is due at `at`."""
        rows = await self._connection.fetch(
            "SELECT credit_type_id FROM ledger.pools WHERE customer_id = $1 AND next_due_time <= $2"
            " AND ($3::text IS NULL OR credit_type_id = $3) ORDER BY credit_type_id",
            customer_id,
            at,
            credit_type_id,
        )
        return [CreditTypeId(row["credit_type_id"]) for row in rows]

    async def make(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> None:
        """Create a pool unless it exists, so that it can be locked."""
        await self._connection.execute(
            "INSERT INTO ledger.pools (customer_id, credit_type_id, version, sequence, shortfall_micros)"
            " VALUES ($1, $2, 1, 0, 0) ON CONFLICT DO NOTHING",
            customer_id,
            credit_type_id,
        )

    async def save(
        self, before: Account, after: Account, schedules: Mapping[ScheduleId, ScheduleProgress]
    ) -> None:
        """Write what has changed since the account was read in this transaction."""
        await self.save_many([Change(before, after, tuple(schedules.values()))], ())

    async def save_many(
        self, changes: Sequence[Change], answers: Sequence[NewResponse], events: Sequence[NewEvent] = ()
    ) -> None:
        """Write what has changed since the accounts were read in this transaction, with answers and charged events."""
        answered = {answer.key for answer in answers}
        changed = [change for change in changes if change.key in answered or not change.is_empty]
        if not changed:
            return
        await write_extras(
            self._connection,
            [change for change in changed if not change.is_plain],
            wall=self._wall,
            ids=self._ids,
        )
        written = await write_changes(self._connection, changed, answers, events, epoch=None)
        assert written == {change.key for change in changed}  # their locks are ours
        self.has_new_entries |= with_new_entries(changed)

    async def insert_adjustment(
        self, customer_id: CustomerId, command: AdjustBalance, grant_id: GrantId | None, *, at: datetime
    ) -> None:
        """Store that a balance was adjusted, why and by whom. grant_id: of the credits that were added."""
        await self._connection.execute(
            "INSERT INTO ledger.balance_adjustments (customer_id, request_id, credit_type_id, amount_micros, grant_id,"
            " reason, actor, create_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            customer_id,
            command.request_id,
            command.credit_type_id,
            command.amount.micros,
            grant_id,
            command.reason,
            command.actor,
            at,
        )

    async def credit_type_of_grant(self, customer_id: CustomerId, grant_id: GrantId) -> CreditTypeId:
        """Return the credit type of the pool that a grant is in. Raises GrantNotFound."""
        return await credit_type_of_grant(self._connection, customer_id, grant_id)

    async def granted_for(self, customer_id: CustomerId, source_id: str) -> tuple[Grant, CreditTypeId] | None:
        """Return the grant issued for a source, if any, and the credit type of its pool."""
        row = await self._connection.fetchrow(
            f"SELECT credit_type_id, {GRANT_COLUMNS} FROM ledger.grants WHERE customer_id = $1 AND source_id = $2",
            customer_id,
            source_id,
        )
        return None if row is None else (grant_from_row(row), CreditTypeId(row["credit_type_id"]))


def _products_of(hold: Row) -> tuple[ProductId, ...]:
    return tuple(ProductId(line["product_id"]) for line in hold["lines"] or (hold,))
