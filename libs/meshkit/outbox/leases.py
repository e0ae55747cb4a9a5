# SPDX-License-Identifier: Apache-2.0
"""The relay's SQL: which keys have notices due, and the lease of a key's oldest notice.

It uses neither FOR UPDATE nor SKIP LOCKED. Every write touches one row of one key, and a lease is a guarded UPDATE
that only one relay wins.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from sqlalchemy import ColumnElement, Table, func, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.outbox.notice import Notice, key_column

ERROR_LENGTH_MAX = 1_000


class NoLease(Enum):
    """Why there is no lease for a key."""

    NOTHING_PENDING = auto()
    NOT_DUE = auto()  # its oldest notice failed and waits for its next attempt
    LEASED_ELSEWHERE = auto()  # another relay has leased its oldest notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A notice leased to this relay until `lease_time`. `attempts` includes the attempt about to be made.

    rejections: how often the peer has rejected it so far; reject_time: first at, None if never.
    """

    notice: Notice
    attempts: int
    lease_time: datetime
    rejections: int = 0
    reject_time: datetime | None = None


class Leases:
    """The statements over one outbox table. Each runs in its own short transaction.

    free: the condition for a notice that may be sent; the others wait for a dead letter.
    """

    def __init__(self, engine: AsyncEngine, table: Table, *, free: ColumnElement[bool] | None = None) -> None:
        self._engine = engine
        self._table = table
        self._pending = (table.c.sent_time.is_(None), *(() if free is None else (free,)))
        self._key = key_column(table)

    async def due_keys(self, *, at: datetime, keys_max: int) -> list[str]:
        """Return keys whose oldest pending notice is due and not leased."""
        columns = self._table.c
        heads = (
            select(self._key.label("head_key"), columns.due_time, columns.lease_time, columns.attempts)
            .ext(distinct_on(self._key))
            .where(*self._pending)
            .order_by(self._key, columns.create_time, columns.notice_id)
            .subquery()
        )
        # A notice without attempts is due at any time: in a sandbox the writer's clock differs from the relay's.
        due = or_(heads.c.attempts == 0, heads.c.due_time <= at)
        free = or_(heads.c.lease_time.is_(None), heads.c.lease_time <= at)
        keys = select(heads.c.head_key).where(due, free).limit(keys_max)
        async with self._engine.connect() as connection:
            return list((await connection.execute(keys)).scalars())

    async def pending_keys(self) -> list[str]:
        """Return every key that has a notice pending, due or not."""
        pending = select(self._key).where(self._table.c.sent_time.is_(None)).distinct().order_by(self._key)
        async with self._engine.connect() as connection:
            return list((await connection.execute(pending)).scalars())

    async def pending_count(self) -> int:
        """Return the number of notices that are not delivered yet."""
        pending = select(func.count()).select_from(self._table).where(self._table.c.sent_time.is_(None))
        async with self._engine.connect() as connection:
            return (await connection.execute(pending)).scalar_one()

    async def pending_since(self) -> tuple[int, datetime | None]:
        """Return the number of notices that are not delivered yet, and when the oldest of them was written."""
        columns = self._table.c
        pending = select(func.count(), func.min(columns.create_time)).where(columns.sent_time.is_(None))
        async with self._engine.connect() as connection:
            count, oldest_time = (await connection.execute(pending)).one()
        return count, oldest_time

    async def take(self, key: str, *, at: datetime, until: datetime, early: bool) -> Lease | NoLease:
        """Lease the oldest pending notice of a key until `until`. early: also when it is not due yet."""
        columns = self._table.c
        oldest = (
            select(
                columns.notice_id,
                columns.kind,
                columns.payload,
                columns.attempts,
                columns.due_time,
                columns.rejections,
                columns.reject_time,
            )
            .where(self._key == key, *self._pending)
            .order_by(columns.create_time, columns.notice_id)
            .limit(1)
        )
        async with self._engine.begin() as connection:
            head = (await connection.execute(oldest)).first()
            if head is None:
                return NoLease.NOTHING_PENDING
            if not early and head.attempts > 0 and head.due_time > at:
                return NoLease.NOT_DUE
            # Two relays may have read the same notice; only one of them passes this guarded UPDATE.
            leased = (
                update(self._table)
                .where(
                    self._key == key,
                    columns.notice_id == head.notice_id,
                    columns.sent_time.is_(None),
                    or_(columns.lease_time.is_(None), columns.lease_time <= at),
                )
                .values(lease_time=until, attempts=columns.attempts + 1)
                .returning(columns.attempts)
            )
            attempts = (await connection.execute(leased)).scalar_one_or_none()
        if attempts is None:
            return NoLease.LEASED_ELSEWHERE
        notice = Notice(notice_id=head.notice_id, key=key, kind=head.kind, payload=head.payload)
        return Lease(
            notice=notice,
            attempts=attempts,
            lease_time=until,
            rejections=head.rejections,
            reject_time=head.reject_time,
        )

    async def mark_sent(self, lease: Lease, *, at: datetime) -> None:
        """Record that the peer accepted the notice, even when the lease has expired meanwhile."""
        columns = self._table.c
        sent = (
            update(self._table)
            .where(
                self._key == lease.notice.key,
                columns.notice_id == lease.notice.notice_id,
                columns.sent_time.is_(None),
            )
            .values(sent_time=at, lease_time=None, last_error=None)
        )
        async with self._engine.begin() as connection:
            await connection.execute(sent)

    async def mark_failed(
        self, lease: Lease, *, error: str, due: datetime, reject_time: datetime | None = None
    ) -> None:
        """End the lease; the notice is due again at `due`. Does nothing when another relay has leased it meanwhile.

        reject_time: when the peer rejected it; None: it gave no answer about the notice.
        """
        columns = self._table.c
        rejected: dict[str, Any] = {}
        if reject_time is not None:
            rejected = {
                "rejections": columns.rejections + 1,
                "reject_time": func.coalesce(columns.reject_time, reject_time),
            }
        released = (
            update(self._table)
            .where(
                self._key == lease.notice.key,
                columns.notice_id == lease.notice.notice_id,
                columns.sent_time.is_(None),
                columns.lease_time == lease.lease_time,
            )
            .values(lease_time=None, due_time=due, last_error=error[:ERROR_LENGTH_MAX], **rejected)
        )
        async with self._engine.begin() as connection:
            await connection.execute(released)
