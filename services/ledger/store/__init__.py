# SPDX-License-Identifier: Apache-2.0
"""All SQL of the Ledger. Rows never leave it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from datetime import datetime
from typing import Any, TypeVar

import asyncpg

from meshkit.clock import Clock
from meshkit.connections import Connections
from meshkit.errors import MeshError
from meshkit.faults import fault_of
from meshkit.ids import Ids, first_id
from meshkit.turns import Turns
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.credits.unit_of_work import (
    AccountsMoved,
    Change,
    DuePool,
    DueSlot,
    GuessedDenial,
    LockHeld,
    NewEvent,
    NewResponse,
    PoolKey,
    with_new_entries,
)
from services.ledger.domain.credits.verification import Verification
from services.ledger.domain.retention import HOLDS_KEPT_AFTER_CREATION
from services.ledger.store import citus
from services.ledger.store.audit import Audit
from services.ledger.store.connection import ACQUIRE_SECONDS_MAX, Connection, Pool
from services.ledger.store.copies import Copies
from services.ledger.store.copy_repairs import CopyRepairs
from services.ledger.store.credits.accounts import Accounts
from services.ledger.store.credits.debts import Debts
from services.ledger.store.credits.denials import holding
from services.ledger.store.credits.reading import PoolLocks
from services.ledger.store.credits.reports import Reports
from services.ledger.store.credits.slots import due_slots
from services.ledger.store.credits.snapshot import read_snapshot
from services.ledger.store.credits.verification import verify
from services.ledger.store.credits.writing import write_changes, write_extras
from services.ledger.store.gate.cap_groups import CapGroups
from services.ledger.store.gate.caps import Caps
from services.ledger.store.gate.concurrency_caps import ConcurrencyCaps
from services.ledger.store.gate.recounts import Recounts
from services.ledger.store.gate.shadow import Shadows
from services.ledger.store.gate.standings import Standings
from services.ledger.store.responses import StoredResponses
from services.ledger.store.retention import Retention
from services.ledger.store.seat_changes import SeatChanges
from services.ledger.store.seat_plans import SeatPlans
from services.ledger.store.shares import Share, Shares
from services.ledger.store.usage.contract_usage import ContractUsages
from services.ledger.store.usage.corrections import Corrections
from services.ledger.store.usage.events import UsageEvents
from services.ledger.store.usage.history import UsageHistory
from services.ledger.store.usage.rerate_entries import RerateEntries
from services.ledger.store.usage.rerate_jobs import RerateJobs
from services.ledger.store.usage.rerate_meters import RerateMeters
from services.ledger.store.usage.rollups import Rollups
from services.ledger.store.usage.sums import UsageTotals
from services.ledger.store.usage.uncharged_events import UnchargedEvents
from services.ledger.store.watch_sweeps import WatchSweeps

T = TypeVar("T")

TRANSACTION_ATTEMPTS_MAX = 5
VERIFY_SECONDS_MAX = 600
# How long a write waits for earlier ones of the same customer.
TURN_SECONDS_MAX = 10.0
# The longest that the lane waits for a lock: while it waits, all customers do.
LANE_LOCK_TIMEOUT_MS = 50
_NO_TRANSACTION = nullcontext()

# Errors after which the whole transaction is retried: it lost a race against another one, or both deadlocked.
_RACES = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class Transaction:
    """One transaction, divided by subject. locks: how it locks the pools that it reads."""

    def __init__(
        self, connection: Connection, *, wall: Clock, ids: Ids, locks: PoolLocks = PoolLocks.WAIT
    ) -> None:
        self.accounts = Accounts(connection, wall=wall, ids=ids, locks=locks)
        self.debts = Debts(connection, ids)
        self.audit = Audit(connection, wall=wall, ids=ids)
        self.responses = StoredResponses(connection, self.audit)
        self.standings = Standings(connection)
        self.copies = Copies(connection, self.audit)
        self.seat_changes = SeatChanges(connection, self.audit)
        self.seat_plans = SeatPlans(connection)
        self.copy_repairs = CopyRepairs(connection, self.audit)
        self.watch_sweeps = WatchSweeps(connection)
        self.caps = Caps(connection)
        self.concurrency_caps = ConcurrencyCaps(connection)
        self.recounts = Recounts(connection)
        self.cap_groups = CapGroups(connection)
        self.shadows = Shadows(connection)
        self.reports = Reports(connection)
        self.retention = Retention(connection)
        self.events = UsageEvents(connection)
        self.corrections = Corrections(connection)
        self.history = UsageHistory(connection)
        self.rerate_jobs = RerateJobs(connection, self.audit)
        self.rerate_meters = RerateMeters(connection)
        self.rerate_entries = RerateEntries(connection)
        self.uncharged_events = UnchargedEvents(connection)
        self.rollups = Rollups(connection)
        self.totals = UsageTotals(connection)
        self.contract_usages = ContractUsages(connection)


class PostgresStore:
    """The Ledger's database. Its errors are raised as MeshErrors; any other exception is a bug.

    connections: what opens those of the pool; None: no pooler is between. has_new_entries: pools that this process has
    written entries of. Whoever has dealt with one takes it out.
    """

    def __init__(self, pool: Pool, *, wall: Clock, ids: Ids, connections: Connections | None = None) -> None:
        self._pool = pool
        self._connections = connections
        self._wall = wall
        self._ids = ids
        self._kept: Connection | None = None
        self._shares = Shares(pool.get_max_size(), wait_seconds=ACQUIRE_SECONDS_MAX)
        self._turns = Turns(seconds_max=TURN_SECONDS_MAX)
        self.has_new_entries: set[PoolKey] = set()

    async def run(self, work: Callable[[Transaction], Awaitable[T]], *, turn_of: str | None = None) -> T:
        """Run `work` in one transaction (READ COMMITTED); run it again from the start if it loses a race.

        So `work` must be free of side effects. Raises the error of the last of at most 5 attempts.
        turn_of: a customer, whose earlier writes are waited for without a connection. Raises DatabaseBusy.
        """
        if turn_of is None:
            return await self._run(work, lambda: self._connection(self._shares.writes))
        async with self._turns.take(turn_of):
            return await self._run(work, lambda: self._connection(self._shares.writes))

    async def run_in_lane(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Do what `run` does, on the lane's own connection and without waiting for pools that are locked.

        Reading accounts leaves those pools out. Raises LockHeld for any other lock that is held elsewhere.
        """
        with suppress(asyncpg.LockNotAvailableError):
            return await self._run(work, self._own_connection, locks=PoolLocks.NOWAIT)
        try:
            return await self._run(work, self._own_connection, locks=PoolLocks.AVAILABLE)
        except asyncpg.LockNotAvailableError:
            raise LockHeld from None

    async def run_beside_lane(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Do what `run` does, on connections that only decisions of the gate use."""
        return await self._run(work, lambda: self._connection(self._shares.beside))

    async def _run(
        self,
        work: Callable[[Transaction], Awaitable[T]],
        connect: Callable[[], AbstractAsyncContextManager[Connection]],
        *,
        locks: PoolLocks = PoolLocks.WAIT,
    ) -> T:
        for attempt in range(1, TRANSACTION_ATTEMPTS_MAX + 1):
            try:
                async with connect() as connection, citus.transaction(connection):
                    transaction = Transaction(connection, wall=self._wall, ids=self._ids, locks=locks)
                    found = await work(transaction)
                self.has_new_entries |= transaction.accounts.has_new_entries
                return found
            except (*_RACES, AccountsMoved):
                if attempt == TRANSACTION_ATTEMPTS_MAX:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def read(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` on one snapshot: it locks nothing, waits for no lock, and cannot write."""
        async with (
            self._connection(self._shares.reads) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await work(Transaction(connection, wall=self._wall, ids=self._ids, locks=PoolLocks.NONE))

    async def write_guess(
        self,
        changes: Sequence[Change],
        answers: Sequence[NewResponse],
        events: Sequence[NewEvent] = (),
        *,
        epoch: int,
    ) -> set[PoolKey] | None:
        """Write what was decided on cached accounts, for those pools whose versions are unchanged.

        Returns these pools; None, with nothing written, if one of the requests has a stored response already, or one of
        the events is stored. Raises LockHeld. Plain changes are one statement in its own implicit transaction.
        """
        try:
            if all(change.is_plain for change in changes):
                async with self._own_connection() as connection:
                    written = await write_changes(connection, changes, answers, events, epoch=epoch)
                self.has_new_entries |= with_new_entries(changes) & written
                return written
            async with self._own_connection() as connection, citus.transaction(connection):
                written = await write_changes(connection, changes, answers, events, epoch=epoch)
                extras = [change for change in changes if change.key in written and not change.is_plain]
                await write_extras(connection, extras, wall=self._wall, ids=self._ids)
            self.has_new_entries |= with_new_entries(changes) & written
            return written
        except asyncpg.UniqueViolationError:
            return None
        except asyncpg.LockNotAvailableError:
            raise LockHeld from None

    async def confirm_denials(self, denials: Sequence[GuessedDenial], *, epoch: int) -> set[GuessedDenial]:
        """Return those denials that were decided on what is stored now; nothing is locked. Raises LockHeld.

        Left out are those whose pools or prices have changed since, and requests that have a stored response.
        """
        try:
            async with self._own_connection() as connection:
                return await holding(connection, denials, epoch=epoch)
        except asyncpg.LockNotAvailableError:
            raise LockHeld from None

    async def due_pools(self, *, at: datetime, after: DuePool | None, pools_max: int) -> list[DuePool]:
        """Return pools in which something is due, the longest due first, starting after `after`."""
        async with self._connection(self._shares.writes) as connection:
            rows = await connection.fetch(
                "SELECT next_due_time, customer_id, credit_type_id FROM ledger.pools WHERE next_due_time <= $1"
                " AND ($2::timestamptz IS NULL OR (next_due_time, customer_id, credit_type_id) > ($2, $3, $4))"
                " ORDER BY next_due_time, customer_id, credit_type_id LIMIT $5",
                at,
                after.next_due_time if after else None,
                after.customer_id if after else None,
                after.credit_type_id if after else None,
                pools_max,
            )
        return [DuePool(*row) for row in rows]

    async def due_slots(self, *, at: datetime, after: DueSlot | None, slots_max: int) -> list[DueSlot]:
        """Return slots in which something is due, the longest due first, starting after `after`."""
        async with self._connection(self._shares.writes) as connection:
            return await due_slots(connection, at=at, after=after, slots_max=slots_max)

    async def snapshot(self, customer: str, credit_type_id: CreditTypeId | None) -> list[Account]:
        """Return a customer's accounts (or one of them) with their grants as last committed, without waiting for locks.

        They may not be up to date: see Account.is_due. Raises CustomerNotFound.
        """
        async with self._connection(self._shares.reads) as connection:
            return await read_snapshot(connection, customer, credit_type_id)

    async def verify(self, customer_id: CustomerId | None) -> Verification:
        """Recount one customer, or all customers (None), on one snapshot."""
        async with (
            self._connection(self._shares.reads) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(f"SET LOCAL statement_timeout = '{VERIFY_SECONDS_MAX}s'")
            kept_from = first_id("hld", self._wall.now() - HOLDS_KEPT_AFTER_CREATION)
            return await verify(connection, customer_id, holds_kept_from=kept_from)

    @asynccontextmanager
    async def _own_connection(self) -> AsyncIterator[Connection]:
        """Lend the lane's connection; after a failure, a new one. One borrower at a time."""
        if self._kept is None or _is_lost(self._kept):
            async with _translate_database_errors():
                self._kept = await self._for_lane(await self._pool.acquire(timeout=ACQUIRE_SECONDS_MAX))
        connection = self._kept
        try:
            async with (
                _translate_database_errors(unchanged=(*_RACES, asyncpg.LockNotAvailableError)),
                self._lane_transaction(connection),
            ):
                yield connection
        except BaseException as error:
            if isinstance(error.__cause__, asyncpg.ReadOnlySQLTransactionError):
                await self._replace_all(connection)
            if not isinstance(error, (asyncpg.PostgresError, AccountsMoved)) or _is_lost(connection):
                self._kept = None
                await self._discard(connection)
            raise

    @property
    def _is_pooled(self) -> bool:
        return self._connections is not None and self._connections.is_pooled

    def _lane_transaction(self, connection: Connection) -> AbstractAsyncContextManager[object]:
        return _impatient_transaction(connection) if self._is_pooled else _NO_TRANSACTION

    async def _for_lane(self, connection: Connection) -> Connection:
        if self._is_pooled:
            return connection
        try:
            await connection.limit_lock_waits(LANE_LOCK_TIMEOUT_MS)
        except BaseException:
            await self._discard(connection)
            raise
        return connection

    async def _discard(self, connection: Connection) -> None:
        """Close the lane's connection, so that nobody else gets its lock_timeout."""
        if not _is_lost(connection):
            connection.terminate()
        await self._pool.release(connection)

    @asynccontextmanager
    async def _connection(self, share: Share) -> AsyncIterator[Connection]:
        async with (
            _translate_database_errors(),
            share.take(),
            self._pool.acquire(timeout=ACQUIRE_SECONDS_MAX) as connection,
        ):
            try:
                yield connection
            except asyncpg.ReadOnlySQLTransactionError:
                await self._replace_all(connection)
                raise
            except (MeshError, AccountsMoved):
                raise  # between two statements
            except BaseException:
                await _synchronize(connection)
                raise

    async def _replace_all(self, connection: Connection) -> None:
        """Replace all sessions, because one is read-only: its default from before a failover would never change."""
        connection.terminate()
        await self._pool.expire_connections()


@asynccontextmanager
async def _impatient_transaction(connection: Connection) -> AsyncIterator[None]:
    """Open a transaction with the lane's lock_timeout: behind a pooler, others use the session afterwards."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {LANE_LOCK_TIMEOUT_MS}")
        yield


async def _synchronize(connection: Connection) -> None:
    """End the implicit transaction of a statement that was prepared and not run: asyncpg ends a Parse without a Sync.

    Its caller was cancelled, or its arguments do not fit. The next borrower of the session could begin no snapshot.
    """
    with suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
        await connection.execute("SELECT")


def _is_lost(connection: Connection) -> bool:
    try:
        closed: bool = connection.is_closed()
    except asyncpg.InterfaceError:  # it broke, and the pool has taken it back
        return True
    return closed


@asynccontextmanager
async def _translate_database_errors(
    unchanged: tuple[Any, ...] = _RACES,
) -> AsyncIterator[None]:
    """Translate database errors to MeshErrors; bugs and those that the caller handles pass through unchanged."""
    try:
        yield
    except (*unchanged, MeshError):
        raise
    except Exception as error:
        fault = fault_of(error)
        if fault is None:
            raise
        raise fault from error
