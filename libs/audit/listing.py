# SPDX-License-Identifier: Apache-2.0
"""Reads records, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.event import AuditEvent, Outcome
from meshkit.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which records to list: those that fulfil every condition. None, or an empty text: any."""

    start_time: datetime | None
    end_time: datetime | None
    subject: str
    rpc: str
    target_id: str
    outcome: Outcome | None
    request_id: str


class AuditEvents:
    """The records of one service."""

    def __init__(self, engine: AsyncEngine, table: Table) -> None:
        self._engine = engine
        self._table = table

    async def list(self, query: AuditQuery, page: Page) -> Sequence[AuditEvent]:
        """Return a page, and one record more if there is one."""
        columns = self._table.c
        wanted = (
            select(self._table)
            .order_by(columns.event_time.desc(), columns.audit_event_id.desc())
            .limit(page.size + 1)
        )
        if query.start_time is not None:
            wanted = wanted.where(columns.event_time >= query.start_time)
        if query.end_time is not None:
            wanted = wanted.where(columns.event_time < query.end_time)
        if query.subject:
            wanted = wanted.where(columns.subject == query.subject)
        if query.rpc:
            wanted = wanted.where(columns.rpc == query.rpc)
        if query.target_id:
            wanted = wanted.where(columns.target_ids.contains([query.target_id]))
        if query.request_id:
            wanted = wanted.where(columns.request_id == query.request_id)
        if query.outcome is not None:
            wanted = wanted.where(columns.outcome == query.outcome.value)
        if page.after is not None:
            event_time, audit_event_id = page.after
            place = tuple_(columns.event_time, columns.audit_event_id)
            wanted = wanted.where(place < (datetime.fromisoformat(event_time), audit_event_id))
        async with self._engine.connect() as connection:
            return [_from_row(row) for row in await connection.execute(wanted)]


def _from_row(row: Row[*tuple[object, ...]]) -> AuditEvent:
    values = dict(row._mapping)
    return AuditEvent(
        **{
            **values,
            "outcome": Outcome(row.outcome),
            "roles": tuple(row.roles),
            "target_ids": tuple(row.target_ids),
        }
    )
