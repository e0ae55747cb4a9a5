# SPDX-License-Identifier: Apache-2.0
"""Idempotency: a repeated request_id with the same body gets the stored response, with another body a fault.

An operation claims its request_id first and stores its response last, both in the transaction of its effect: effect
and response are committed together or not at all. The unique key decides which request is first. A migration creates
the table:

    CREATE TABLE <schema>.<name> (
        request_id text PRIMARY KEY, operation text NOT NULL, body_hash bytea NOT NULL,
        answer jsonb, create_time timestamptz NOT NULL)
    CREATE INDEX ON <schema>.<name> (create_time)
"""

from datetime import datetime
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Column, DateTime, Index, LargeBinary, MetaData, Table, Text, delete, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.clock import Clock
from meshkit.errors import Aborted, RequestIdReused
from meshkit.formats import Formats
from meshkit.legacy_hash import legacy_hash
from meshkit.recording import Recorder

T = TypeVar("T")
Response = TypeVar("Response")


class Command(Protocol):
    """A frozen dataclass that describes one operation. fingerprint: its request's hash (meshkit.rpc.fingerprint)."""

    @property
    def request_id(self) -> str: ...
    @property
    def fingerprint(self) -> bytes: ...


class RequestContended(Aborted):
    """A concurrent duplicate of this request was rolled back or deleted while this one waited for it."""

    reason = "TRANSACTION_CONFLICT"

    def __init__(self, *, request_id: str) -> None:
        super().__init__(
            f"request {request_id!r} was sent twice at the same time; send it again", request_id=request_id
        )


def requests_table(metadata: MetaData, schema: str, name: str = "requests") -> Table:
    """Return the table of stored responses of one service."""
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


class StoredResponses(Generic[Response]):
    """The stored responses, within one transaction.

    formats: of the responses. wall: the clock for claims' times. recorder: records the write of each response.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        table: Table,
        formats: Formats[Response],
        *,
        wall: Clock,
        recorder: Recorder,
    ) -> None:
        self._connection = connection
        self._table = table
        self._formats = formats
        self._wall = wall
        self._recorder = recorder

    async def claim(self, command: Command, response_type: type[T]) -> T | None:
        """Return the stored response to this request, or None when this request is the first and must be carried out.

        Call it before anything else in the transaction (READ COMMITTED). A concurrent duplicate waits here until the
        first has committed or rolled back. Raises RequestIdReused when the id was used for another request.
        """
        claimed = (
            insert(self._table)
            .values(
                request_id=command.request_id,
                operation=type(command).__name__,
                body_hash=command.fingerprint,
                create_time=self._wall.now(),
            )
            .on_conflict_do_nothing(index_elements=[self._table.c.request_id])
            .returning(self._table.c.request_id)
        )
        if (await self._connection.execute(claimed)).first() is not None:
            return None
        stored = await self.find(command, response_type)
        if stored is None:
            raise RequestContended(request_id=command.request_id)
        return stored

    async def find(self, command: Command, response_type: type[T]) -> T | None:
        """Return the stored response to this request if there is one. It claims nothing.

        Raises RequestIdReused when the id was used for another request.
        """
        columns = self._table.c
        earlier = select(columns.body_hash, columns.answer).where(columns.request_id == command.request_id)
        row = (await self._connection.execute(earlier)).first()
        if row is None:
            return None
        check_same_body(command, row.body_hash)
        # A claim is committed together with its response: the transaction of the effect writes both.
        assert row.answer is not None
        return self._formats.of(response_type).decode(row.answer)

    async def store(self, command: Command, response: Response) -> None:
        """Store the response in the row that `claim` inserted in this transaction, and record the write."""
        data = self._formats.of(type(response)).encode(response)
        stored = update(self._table).where(self._table.c.request_id == command.request_id).values(answer=data)
        updated = await self._connection.execute(stored)
        assert updated.rowcount == 1  # store follows claim in the same transaction
        await self._recorder.record(self._connection, data)


async def forget(
    connection: AsyncConnection, table: Table, *, before: datetime, rows_max: int = 10_000
) -> int:
    """Delete requests made before an instant (keep ≥ 34 days), at most `rows_max`. Returns how many."""
    old = select(table.c.request_id).where(table.c.create_time < before).limit(rows_max)
    dropped = await connection.execute(delete(table).where(table.c.request_id.in_(old)))
    return dropped.rowcount


def check_same_body(command: Command, body_hash: bytes) -> None:
    """Compare a repeated request with the hash that was stored for its request_id. Raises RequestIdReused."""
    if body_hash != command.fingerprint and body_hash != legacy_hash(command):
        raise RequestIdReused(request_id=command.request_id)
