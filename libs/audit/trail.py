# SPDX-License-Identifier: Apache-2.0
"""The records of one service, as meshkit's service builder uses them."""

from functools import partial

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.listing import AuditEvents
from audit.recorder import AuditRecorder
from audit.refusals import Refusals
from audit.servicer import SERVICE_NAME, AuditServicer
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.rpc.server import RpcService
from purser.audit.v1 import audit_pb2_grpc


class AuditTrail:
    """Records writes and refusals in `table`, which audit_events_table made, and lists them by AuditService.

    wall: dates the records. recorder: for the transactions of writes.
    """

    def __init__(self, table: Table, *, wall: Clock, ids: Ids) -> None:
        self.recorder = AuditRecorder(table, wall=wall, ids=ids)
        self._table = table
        self._wall = wall
        self._ids = ids

    def refusals(self, engine: AsyncEngine) -> Refusals:
        """Return what records refused calls."""
        return Refusals(self.recorder, engine, wall=self._wall, ids=self._ids)

    def service(self, engine: AsyncEngine) -> RpcService:
        """Return AuditService."""
        servicer = AuditServicer(AuditEvents(engine, self._table))
        return RpcService(SERVICE_NAME, partial(audit_pb2_grpc.add_AuditServiceServicer_to_server, servicer))
