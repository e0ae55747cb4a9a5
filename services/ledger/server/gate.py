# SPDX-License-Identifier: Apache-2.0
"""The gate's servicer: per rpc, request → operation → response. meshkit/rpc/calls.py maps errors to statuses."""

from functools import partial
from typing import Any, Final

from grpc.aio import ServicerContext

from meshkit.rpc.intake import MESSAGE_BYTES_MAX
from meshkit.rpc.status import item_status_of
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_pb2_grpc
from services.ledger.operations import Operations
from services.ledger.operations.gate.batch import GateRpc
from services.ledger.wire.credits import grants
from services.ledger.wire.gate import batches, decisions, gate, leases

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["LedgerService"].full_name

AUTHORIZE: Final = GateRpc(read=gate.authorize_from_wire, write=gate.authorize_to_wire)
CAPTURE: Final = GateRpc(read=gate.capture_from_wire, write=gate.capture_to_wire)
RELEASE: Final = GateRpc(read=gate.release_from_wire, write=gate.release_to_wire)
EXTEND_HOLD: Final = GateRpc(read=gate.extend_hold_from_wire, write=gate.extend_hold_to_wire)
DEBIT: Final = GateRpc(read=gate.debit_from_wire, write=gate.debit_to_wire)

# The longest single call: 20 lines with 10 properties each, of the longest names, in the longest encoding of UTF-8.
CALL_BYTES_MAX: Final = 262_144
BYTES_MAX: Final = {
    **dict.fromkeys(("Authorize", "Capture", "Release", "ExtendHold", "Debit"), CALL_BYTES_MAX),
    **dict.fromkeys(("GetBalance", "GetDecision"), CALL_BYTES_MAX),
    "Lease": CALL_BYTES_MAX,
    **dict.fromkeys(("AuthorizeBatch", "CaptureBatch", "DebitBatch"), MESSAGE_BYTES_MAX),
    **dict.fromkeys(("SettleLease", "EndLease"), MESSAGE_BYTES_MAX),
}

Context = ServicerContext[Any, Any]

item_status = partial(item_status_of, domain="ledger.purser")


class LedgerServicer(ledger_pb2_grpc.LedgerServiceServicer):
    """purser.ledger.v1.LedgerService; the proto states the promise of each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def Authorize(self, request: pb.AuthorizeRequest, context: Context) -> pb.AuthorizeResponse:
        return await self._do.gate.call(request, AUTHORIZE)

    async def Capture(self, request: pb.CaptureRequest, context: Context) -> pb.CaptureResponse:
        return await self._do.gate.call(request, CAPTURE)

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> pb.ReleaseResponse:
        return await self._do.gate.call(request, RELEASE)

    async def ExtendHold(self, request: pb.ExtendHoldRequest, context: Context) -> pb.ExtendHoldResponse:
        return await self._do.gate.call(request, EXTEND_HOLD)

    async def Debit(self, request: pb.DebitRequest, context: Context) -> pb.DebitResponse:
        return await self._do.gate.call(request, DEBIT)

    async def AuthorizeBatch(
        self, request: pb.AuthorizeBatchRequest, context: Context
    ) -> pb.AuthorizeBatchResponse:
        commands = batches.authorize_from_wire(request)
        outcomes = await self._do.gate.call_all(commands)
        return batches.authorize_to_wire(outcomes, item_status)

    async def CaptureBatch(
        self, request: pb.CaptureBatchRequest, context: Context
    ) -> pb.CaptureBatchResponse:
        commands = batches.capture_from_wire(request)
        outcomes = await self._do.gate.call_all(commands)
        return batches.capture_to_wire(outcomes, item_status)

    async def DebitBatch(self, request: pb.DebitBatchRequest, context: Context) -> pb.DebitBatchResponse:
        commands = batches.debit_from_wire(request)
        outcomes = await self._do.gate.call_all(commands)
        return batches.debit_to_wire(outcomes, item_status)

    async def Lease(self, request: pb.LeaseRequest, context: Context) -> pb.LeaseResponse:
        command = leases.lease_from_wire(request)
        answer = await self._do.leases.take(command)
        return leases.lease_to_wire(answer.leased, answer.terms, answer.at)

    async def SettleLease(self, request: pb.SettleLeaseRequest, context: Context) -> pb.SettleLeaseResponse:
        command = leases.settle_from_wire(request)
        answer = await self._do.leases.settle(command)
        return leases.settle_to_wire(answer.results, answer.settled, answer.terms, answer.at, item_status)

    async def EndLease(self, request: pb.EndLeaseRequest, context: Context) -> pb.EndLeaseResponse:
        command = leases.end_from_wire(request)
        answer = await self._do.leases.end(command)
        return leases.end_to_wire(answer.results, answer.ended, item_status)

    async def GetBalance(self, request: pb.GetBalanceRequest, context: Context) -> pb.GetBalanceResponse:
        customer, credit_type_id, seat_id = grants.balance_from_wire(request)
        balances = await self._do.reports.balance(customer, credit_type_id)
        seats = await self._do.seat_balances.of_seat(customer, credit_type_id, seat_id) if seat_id else ()
        return grants.balance_to_wire(balances, seats)

    async def GetDecision(self, request: pb.GetDecisionRequest, context: Context) -> pb.GetDecisionResponse:
        command = decisions.explain_from_wire(request)
        explanation = await self._do.explanations.explain(command)
        return decisions.explain_to_wire(explanation)
