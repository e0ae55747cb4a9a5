# SPDX-License-Identifier: Apache-2.0
"""Idempotency: the same request_id with the same body gets the first answer, with another body a fault.

An operation claims its request_id first and remembers its answer last, in the one transaction of its effect,
so that effect and answer are there together or not at all. The unique key settles who is first. A migration
makes the table with:

    CREATE TABLE <schema>.<name> (
        request_id text PRIMARY KEY, operation text NOT NULL, body_hash bytea NOT NULL,
        answer jsonb, create_time timestamptz NOT NULL)
    CREATE INDEX ON <schema>.<name> (create_time)
"""

from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Column, DateTime, Index, LargeBinary, MetaData, Table, Text, delete, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.encoding import from_json, to_json
from meshkit.errors import Aborted, RequestIdReused
from meshkit.legacy_hash import legacy_hash

T = TypeVar("T")


class Command(Protocol):
    """A frozen dataclass that says what to do. fingerprint: the hash of its request (meshkit.rpc.fingerprint)."""

    @property
    def request_id(self) -> str: ...
    @property
    def fingerprint(self) -> bytes: ...


class RequestContended(Aborted):
    """A twin of this request was undone or forgotten at this very moment."""

    reason = "TRANSACTION_CONFLICT"

    def __init__(self, *, request_id: str) -> None:
        super().__init__(f"request {request_id!r} met its twin; send it again", request_id=request_id)


def requests_table(metadata: MetaData, schema: str, name: str = "requests") -> Table:
    """Return the table of answered requests of one service."""
    return Table(
        name,
        metadata,
        Column("request_id", Text, primary_key=True),
        Column("operation", Text, nullable=False),
        Column("body_hash", LargeBinary, nullable=False),
        Column("answer", JSONB, nullable=True),
        Column("create_time", DateTime(timezone=True), nullable=False),
        Index(f"{name}_create_time_idx", "create_time"),
        schema=schema,
    )


async def claim(
    connection: AsyncConnection, table: Table, command: Command, answer_type: type[T], *, at: datetime
) -> T | None:
    """Return the first answer to this request, or None when this call is the first and must go on.

    Call it before anything else in the transaction (READ COMMITTED). A concurrent twin waits here until the
    first has committed or rolled back. Raises RequestIdReused when the id stands for another request.
    """
    claimed = (
        insert(table)
        .values(
            request_id=command.request_id,
            operation=type(command).__name__,
            body_hash=command.fingerprint,
            create_time=at,
        )
        .on_conflict_do_nothing(index_elements=[table.c.request_id])
        .returning(table.c.request_id)
    )
    if (await connection.execute(claimed)).first() is not None:
        return None
    earlier = select(table.c.body_hash, table.c.answer).where(table.c.request_id == command.request_id)
    row = (await connection.execute(earlier)).first()
    if row is None:
        raise RequestContended(request_id=command.request_id)
    check_same_body(command, row.body_hash)
    # A claim commits with its answer: both are written by the transaction of the effect.
    assert row.answer is not None
    return from_json(answer_type, row.answer)


async def remember(connection: AsyncConnection, table: Table, command: Command, answer: object) -> None:
    """Keep the answer (a dataclass, of the answer_type that claim was given) beside the claim."""
    kept = update(table).where(table.c.request_id == command.request_id).values(answer=to_json(answer))
    updated = await connection.execute(kept)
    assert updated.rowcount == 1  # remember follows claim in the same transaction


async def forget(
    connection: AsyncConnection, table: Table, *, before: datetime, rows_max: int = 10_000
) -> int:
    """Drop requests made before an instant (keep ≥ 34 days), at most `rows_max`; returns how many."""
    old = select(table.c.request_id).where(table.c.create_time < before).limit(rows_max)
    dropped = await connection.execute(delete(table).where(table.c.request_id.in_(old)))
    return dropped.rowcount


def check_same_body(command: Command, body_hash: bytes) -> None:
    """Compare a repeated request with the hash that was stored for its request_id. Raises RequestIdReused."""
    if body_hash != command.fingerprint and body_hash != legacy_hash(command):
        raise RequestIdReused(request_id=command.request_id)
