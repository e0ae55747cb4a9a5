# SPDX-License-Identifier: Apache-2.0
"""Dead letters: notices that the peer has rejected for good. They wait for an operator, who retries or drops them.

A migration creates the table (`key` as in the outbox):

    CREATE TABLE <schema>.dead_letters (
        key text NOT NULL, notice_id text NOT NULL, kind text NOT NULL, payload jsonb NOT NULL,
        create_time timestamptz NOT NULL, attempts integer NOT NULL, dead_time timestamptz NOT NULL,
        last_error text NOT NULL, end_time timestamptz, drop_reason text, drop_actor text,
        PRIMARY KEY (key, notice_id))
    CREATE INDEX dead_letters_open_idx ON <schema>.dead_letters (key, kind) WHERE end_time IS NULL
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Index,
    Integer,
    MetaData,
    RowMapping,
    Table,
    Text,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.errors import FailedPrecondition, NotFound
from meshkit.outbox.leases import ERROR_LENGTH_MAX, Lease
from meshkit.outbox.notice import Notice, key_column
from meshkit.recording import Recorder

LISTED_MAX = 200


class DeadLetterNotFound(NotFound):
    """There is no such dead letter."""

    reason = "DEAD_LETTER_NOT_FOUND"

    def __init__(self, *, notice_id: str) -> None:
        super().__init__(
            f"there is no dead letter {notice_id!r}; ListDeadLetters lists the ones there are",
            notice_id=notice_id,
        )


class DeadLetterEnded(FailedPrecondition):
    """The dead letter was delivered or dropped."""

    reason = "DEAD_LETTER_ENDED"

    def __init__(self, *, notice_id: str, end: str) -> None:
        super().__init__(f"the dead letter {notice_id!r} was {end}", notice_id=notice_id, end=end)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A notice that the peer rejects. end_time: when it was delivered or, with a reason and an actor, dropped."""

    notice: Notice
    attempts: int
    last_error: str
    create_time: datetime
    dead_time: datetime
    end_time: datetime | None
    drop_reason: str | None
    drop_actor: str | None


def dead_letters_table(metadata: MetaData, schema: str, key: str = "key") -> Table:
    """Return the table. key: the name of the key column, as in the outbox."""
    return Table(
        "dead_letters",
        metadata,
        Column(key, Text, primary_key=True),
        Column("notice_id", Text, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("payload", JSONB, nullable=False),
        Column("create_time", DateTime(timezone=True), nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("dead_time", DateTime(timezone=True), nullable=False),
        Column("last_error", Text, nullable=False),
        Column("end_time", DateTime(timezone=True), nullable=True),
        Column("drop_reason", Text, nullable=True),
        Column("drop_actor", Text, nullable=True),
        Index("dead_letters_open_idx", key, "kind", postgresql_where=text("end_time IS NULL")),
        schema=schema,
    )


def is_free(outbox: Table, dead_letters: Table, ordered: frozenset[str]) -> ColumnElement[bool]:
    """Return the condition that no dead letter keeps a notice of the outbox waiting.

    ordered: the kinds of which a notice waits for an open dead letter of its key and kind.
    """
    dead = dead_letters.c
    waits = exists().where(
        key_column(dead_letters) == key_column(outbox), dead.kind == outbox.c.kind, dead.end_time.is_(None)
    )
    return or_(outbox.c.kind.not_in(sorted(ordered)), ~waits)


class DeadLetters:
    """The statements over one table of dead letters. Each runs in its own short transaction.

    recorder: records what ends one.
    """

    def __init__(self, engine: AsyncEngine, table: Table, outbox: Table, recorder: Recorder) -> None:
        self._engine = engine
        self._table = table
        self._outbox = outbox
        self._recorder = recorder

    async def add(self, lease: Lease, *, error: str, at: datetime) -> bool:
        """Move a leased notice from the outbox here. Returns False if another relay has leased it meanwhile."""
        notice, columns = lease.notice, self._outbox.c
        taken = (
            delete(self._outbox)
            .where(
                key_column(self._outbox) == notice.key,
                columns.notice_id == notice.notice_id,
                columns.sent_time.is_(None),
                columns.lease_time == lease.lease_time,
            )
            .returning(columns.create_time)
        )
        async with self._engine.begin() as connection:
            create_time = (await connection.execute(taken)).scalar_one_or_none()
            if create_time is None:
                return False
            row: dict[str, Any] = {
                key_column(self._table).name: notice.key,
                "notice_id": notice.notice_id,
                "kind": notice.kind,
                "payload": notice.payload,
                "create_time": create_time,
                "attempts": lease.attempts,
                "dead_time": at,
                "last_error": error[:ERROR_LENGTH_MAX],
            }
            await connection.execute(insert(self._table).values(row))
        return True

    async def oldest(self, *, include_ended: bool) -> tuple[Sequence[DeadLetter], int]:
        """Return the oldest ones, at most LISTED_MAX, and how many there are."""
        columns = self._table.c
        which = columns.end_time.is_(None) if not include_ended else columns.notice_id.is_not(None)
        listed = (
            select(self._table)
            .where(which)
            .order_by(columns.create_time, columns.notice_id)
            .limit(LISTED_MAX)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(listed)).mappings().all()
            total = (
                await connection.execute(select(func.count()).select_from(self._table).where(which))
            ).scalar_one()
        return [self._letter(row) for row in rows], total

    async def count_open(self) -> int:
        """Return how many wait for a decision."""
        counted = select(func.count()).select_from(self._table).where(self._table.c.end_time.is_(None))
        async with self._engine.connect() as connection:
            count: int = (await connection.execute(counted)).scalar_one()
        return count

    async def get(self, notice_id: str) -> DeadLetter:
        """Return a dead letter. Raises DeadLetterNotFound."""
        found = select(self._table).where(self._table.c.notice_id == notice_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(found)).mappings().one_or_none()
        if row is None:
            raise DeadLetterNotFound(notice_id=notice_id)
        return self._letter(row)

    async def mark_delivered(self, notice_id: str, *, at: datetime) -> DeadLetter:
        """End a dead letter that the peer has accepted; one that has ended stays as it is."""
        return await self._end(notice_id, {"end_time": at, "attempts": self._table.c.attempts + 1})

    async def mark_rejected(self, notice_id: str, *, error: str) -> None:
        """Record that the peer has rejected it once more."""
        await self._end(
            notice_id,
            {"last_error": error[:ERROR_LENGTH_MAX], "attempts": self._table.c.attempts + 1},
        )

    async def drop(self, notice_id: str, *, reason: str, actor: str, at: datetime) -> DeadLetter:
        """Give a dead letter up; one that was dropped stays as it is. Raises DeadLetterNotFound, DeadLetterEnded."""
        dropped = await self._end(notice_id, {"end_time": at, "drop_reason": reason, "drop_actor": actor})
        if dropped.drop_reason is None:
            raise DeadLetterEnded(notice_id=notice_id, end="delivered")
        return dropped

    async def _end(self, notice_id: str, values: dict[str, Any]) -> DeadLetter:
        columns = self._table.c
        ended = update(self._table).where(columns.notice_id == notice_id, columns.end_time.is_(None))
        async with self._engine.begin() as connection:
            changed = await connection.execute(ended.values(values))
            if changed.rowcount and "end_time" in values:
                await self._recorder.record(connection, {"notice_id": notice_id})
        return await self.get(notice_id)

    def _letter(self, row: RowMapping) -> DeadLetter:
        key = row[key_column(self._table).name]
        return DeadLetter(
            notice=Notice(notice_id=row["notice_id"], key=key, kind=row["kind"], payload=row["payload"]),
            attempts=row["attempts"],
            last_error=row["last_error"],
            create_time=row["create_time"],
            dead_time=row["dead_time"],
            end_time=row["end_time"],
            drop_reason=row["drop_reason"],
            drop_actor=row["drop_actor"],
        )
