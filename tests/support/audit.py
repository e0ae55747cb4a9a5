# SPDX-License-Identifier: Apache-2.0
"""The audit records of a service, read from its table and listed by its rpc."""

from dataclasses import dataclass
from typing import Any

import grpc.aio

from purser.audit.v1 import audit_pb2 as pb
from purser.audit.v1.audit_pb2_grpc import AuditServiceStub
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one service in a test's database."""

    databases: Databases
    service: str

    async def rows(self, condition: str = "true", *arguments: object) -> list[dict[str, Any]]:
        """Return the rows that fulfil a condition, oldest first."""
        async with Sql.connected(self.databases.admin_url) as sql:
            return await sql.rows(
                f"SELECT * FROM {self.service}.audit_events WHERE {condition} ORDER BY audit_event_id",
                *arguments,
            )

    async def of(self, rpc: str) -> list[dict[str, Any]]:
        """Return the rows of an rpc, by its bare name, oldest first."""
        return await self.rows("rpc LIKE '%/' || $1", rpc)

    async def texts(self) -> str:
        """Return everything that the table contains."""
        async with Sql.connected(self.databases.admin_url) as sql:
            rows = await sql.rows(f"SELECT a::text AS row FROM {self.service}.audit_events a")
        return "\n".join(row["row"] for row in rows)


async def listed(channel: grpc.aio.Channel, **conditions: Any) -> list[pb.AuditEvent]:
    """Return all records of a service that fulfil the conditions, page by page."""
    stub = AuditServiceStub(channel)
    found: list[pb.AuditEvent] = []
    token = ""
    while True:
        page = await stub.ListAuditEvents(pb.ListAuditEventsRequest(page_token=token, **conditions))
        found += page.audit_events
        token = page.next_page_token
        if not token:
            return found
