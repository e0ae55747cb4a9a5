# SPDX-License-Identifier: Apache-2.0
"""An in-memory Ledger that grants leases, and then does not answer, or refuses."""

import asyncio
from datetime import UTC, datetime
from typing import NoReturn

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from purser.ledger.v1 import ledger_pb2 as pb
from tests.unit.purser_client.memory_ledger import MemoryLedger, status

EXPIRE_TIME = datetime(2025, 6, 1, tzinfo=UTC)


class LeasingLedger(MemoryLedger):
    """Grants every lease for 30 s; `fault`: what every later call about it fails with."""

    def __init__(self, fault: StatusCode) -> None:
        super().__init__()
        self.fault = fault

    async def Lease(self, request: pb.LeaseRequest, **_: float) -> pb.LeaseResponse:
        return await self._do(
            request,
            lambda request: pb.LeaseResponse(
                decision=pb.DECISION_ALLOWED,
                lease_id=f"lse_{request.customer}",
                leased_micros=request.credits_micros,
                expire_time=Timestamp(seconds=int(EXPIRE_TIME.timestamp())),
                ttl=Duration(seconds=30),
                credit_type_id="ct_ai",
                prices=[pb.LeasePrice(price_micros=1, per_micros=1)],
            ),
        )

    async def SettleLease(self, request: pb.SettleLeaseRequest, **_: float) -> pb.SettleLeaseResponse:
        return await self._fail(request)

    async def EndLease(self, request: pb.EndLeaseRequest, **_: float) -> pb.EndLeaseResponse:
        return await self._fail(request)

    async def _fail(self, request: object) -> NoReturn:
        self.asked.append(request)
        await asyncio.sleep(0)
        raise status(self.fault)
