# SPDX-License-Identifier: Apache-2.0
"""The outbox's table, and how a notice gets into it: in the transaction of its cause.

A migration makes the table with (`key` may have another name, such as the column that shards the schema):

    CREATE TABLE <schema>.<name> (
        key text NOT NULL, notice_id text NOT NULL, kind text NOT NULL, payload jsonb NOT NULL,
        create_time timestamptz NOT NULL, attempts integer NOT NULL DEFAULT 0, lease_time timestamptz,
        due_time timestamptz NOT NULL, sent_time timestamptz, last_error text, PRIMARY KEY (key, notice_id))
    CREATE INDEX <name>_pending_idx ON <schema>.<name> (key, create_time, notice_id) WHERE sent_time IS NULL
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.encoding import to_json

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell a peer. `notice_id` is the request_id of the call: heard twice is heard once."""

    notice_id: str
    key: str
    kind: str
    payload: Mapping[str, Any]


def outbox_table(metadata: MetaData, schema: str, key: str = "key", name: str = "outbox") -> Table:
    """Return the table; `key` names the column whose notices go out in order.

    due_time: no next attempt before it; lease_time: until when a relay has it in hand; sent_time: when heard.
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
        Index(
            f"{name}_pending_idx", key, "create_time", "notice_id", postgresql_where=text("sent_time IS NULL")
        ),
        schema=schema,
    )


def key_column(table: Table) -> Column[str]:
    """Return the column that outbox_table was given as key."""
    column: Column[str] = next(iter(table.primary_key.columns))
    return column


async def enqueue(
    connection: AsyncConnection,
    table: Table,
    *,
    notice_id: str,
    key: str,
    kind: str,
    payload: object,
    at: datetime,
) -> None:
    """Write a notice (payload: a dataclass) behind all those of its key. Due at once.

    The caller holds the lock of the key's owner row. Notices go out by (create_time, notice_id); create_time
    is `at`, moved behind the last one pending, so that neither a clock that stands still nor two replicas
    whose clocks differ can turn the order round.
    """
    pending = select(func.max(table.c.create_time) + _TICK).where(
        key_column(table) == key, table.c.sent_time.is_(None)
    )
    created = func.greatest(literal(at, DateTime(timezone=True)), pending.scalar_subquery())
    await connection.execute(
        insert(table).values(
            {
                key_column(table).name: key,
                "notice_id": notice_id,
                "kind": kind,
                "payload": to_json(payload),
                "create_time": created,
                "due_time": at,
            }
        )
    )


async def forget_sent(
    connection: AsyncConnection, table: Table, *, before: datetime, rows_max: int = 10_000
) -> int:
    """Drop notices that were heard before an instant, at most `rows_max`; returns how many."""
    identity = (key_column(table), table.c.notice_id)
    old = select(*identity).where(table.c.sent_time < before).limit(rows_max)
    dropped = await connection.execute(delete(table).where(tuple_(*identity).in_(old)))
    return dropped.rowcount
