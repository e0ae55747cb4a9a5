# SPDX-License-Identifier: Apache-2.0
"""The outbox table, and how to enqueue a notice: in the transaction that causes it.

A migration creates the table (`key` may have another name, such as the column that shards the schema):

    CREATE TABLE <schema>.<name> (
        key text NOT NULL, notice_id text NOT NULL, kind text NOT NULL, payload jsonb NOT NULL,
        create_time timestamptz NOT NULL, attempts integer NOT NULL DEFAULT 0, lease_time timestamptz,
        due_time timestamptz NOT NULL, sent_time timestamptz, last_error text,
        rejections integer NOT NULL DEFAULT 0, reject_time timestamptz, PRIMARY KEY (key, notice_id))
    CREATE INDEX <name>_pending_idx ON <schema>.<name> (key, create_time, notice_id) WHERE sent_time IS NULL
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Index,
    Insert,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from meshkit.clock import Clock
from meshkit.formats import Formats
from meshkit.ids import Ids

Payload = TypeVar("Payload")

_TICK: ColumnElement[timedelta] = literal_column("interval '1 microsecond'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to a peer. `notice_id` is the request_id of the call: delivered twice, it takes effect once."""

    notice_id: str
    key: str
    kind: str
    payload: Mapping[str, Any]


def outbox_table(metadata: MetaData, schema: str, key: str = "key", name: str = "outbox") -> Table:
    """Return the table. key: the name of the key column; notices of one key are delivered in order.

    due_time: no next attempt before it. lease_time: when a relay's lease ends. sent_time: when the peer accepted it.
    rejections: how often the peer has rejected it; reject_time: first at.
    """
    return Table(
        name,
        metadata,
        Column(key, Text, primary_key=True),
        Column("notice_id", Text, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("payload", JSONB, nullable=False),
        Column("create_time", DateTime(timezone=True), nullable=False),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("lease_time", DateTime(timezone=True), nullable=True),
        Column("due_time", DateTime(timezone=True), nullable=False),
        Column("sent_time", DateTime(timezone=True), nullable=True),
        Column("last_error", Text, nullable=True),
        Column("rejections", Integer, nullable=False, server_default="0"),
        Column("reject_time", DateTime(timezone=True), nullable=True),
        Index(
            f"{name}_pending_idx", key, "create_time", "notice_id", postgresql_where=text("sent_time IS NULL")
        ),
        schema=schema,
    )


def key_column(table: Table) -> Column[str]:
    """Return the key column of a table that outbox_table made."""
    column: Column[str] = next(iter(table.primary_key.columns))
    return column


class Outbox(Generic[Payload]):
    """The outbox, within one transaction.

    formats: of the payloads; a format's name is the notice's kind. wall: the clock for notices' times.
    """

    def __init__(
        self, connection: AsyncConnection, table: Table, formats: Formats[Payload], *, wall: Clock, ids: Ids
    ) -> None:
        self._connection = connection
        self._table = table
        self._formats = formats
        self._wall = wall
        self._ids = ids

    async def enqueue(self, payload: Payload, *, key: str) -> None:
        """Write a notice (payload: a dataclass) after all pending notices of its key, due at once.

        The caller holds the lock on the row that owns the key.
        """
        payload_format = self._formats.of(type(payload))
        notice = {
            "key": key,
            "notice_id": self._ids.new("ntc"),
            "kind": payload_format.name,
            "payload": payload_format.encode(payload),
            "at": self._wall.now(),
        }
        await self._connection.execute(enqueue_statement(self._table), notice)


@cache
def enqueue_statement(table: Table) -> Insert:
    """Return the statement that writes a notice. Its parameters: key, notice_id, kind, payload, at.

    It defines the order: notices of a key are delivered by (create_time, notice_id). create_time is `at`, or just after
    the last pending notice if that is later. So neither a clock that stands still nor replicas whose clocks differ can
    change the order. The caller holds the lock on the row that owns the key.
    """
    key, at = bindparam("key", type_=Text), bindparam("at", type_=DateTime(timezone=True))
    last_pending = select(func.max(table.c.create_time) + _TICK).where(
        key_column(table) == key, table.c.sent_time.is_(None)
    )
    return insert(table).values(
        {
            key_column(table).name: key,
            "notice_id": bindparam("notice_id"),
            "kind": bindparam("kind"),
            "payload": bindparam("payload"),
            "create_time": func.greatest(at, last_pending.scalar_subquery()),
            "due_time": at,
        }
    )


def enqueue_sql(table: Table) -> str:
    """Return enqueue_statement as text for asyncpg: $1 key, $2 notice_id, $3 kind, $4 payload, $5 at."""
    compiled = enqueue_statement(table).compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]
    assert isinstance(compiled, SQLCompiler)
    assert compiled.positiontup == ["key", "notice_id", "kind", "payload", "at"]
    return str(compiled)


async def forget_sent(
    connection: AsyncConnection, table: Table, *, before: datetime, rows_max: int = 10_000
) -> int:
    """Delete notices that were delivered before an instant, at most `rows_max`. Returns how many."""
    identity = (key_column(table), table.c.notice_id)
    old = select(*identity).where(table.c.sent_time < before).limit(rows_max)
    dropped = await connection.execute(delete(table).where(tuple_(*identity).in_(old)))
    return dropped.rowcount
