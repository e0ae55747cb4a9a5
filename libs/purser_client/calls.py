# SPDX-License-Identifier: Apache-2.0
"""The Ledger's rpcs, each with a deadline, and tried again under the same request_id while there is time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from google.rpc import status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError, UsageError

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.coalescing import Coalescer, SendBatch
from purser_client.faults import GateUnreachable, LedgerFault, fault_of_call, fault_of_status, gate_closed
from purser_client.patience import UNANSWERED, Patience

if TYPE_CHECKING:
    from grpc.aio import UnaryUnaryMultiCallable

    from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceAsyncStub

Stub: TypeAlias = "LedgerServiceAsyncStub"

Q = TypeVar("Q")
R = TypeVar("R")
Send: TypeAlias = Callable[[Q, float], Awaitable[R]]


class Calls:
    """All raise GateUnreachable when no answer could be had before the deadline, LedgerFault when it is a fault.

    coalesce: Authorize, Capture and Debit of this process travel together, as batches.
    """

    def __init__(self, stub: Stub, *, coalesce: bool) -> None:
        self._authorize = _alone(stub.Authorize)
        self._capture = _alone(stub.Capture)
        self._debit = _alone(stub.Debit)
        self._release = _alone(stub.Release)
        self._extend = _alone(stub.ExtendHold)
        self._balance = _alone(stub.GetBalance)
        self._close: list[Callable[[], Awaitable[None]]] = []
        if coalesce:
            together = Coalescer(self._authorize, _authorize_batch(stub))
            captures = Coalescer(self._capture, _capture_batch(stub))
            debits = Coalescer(self._debit, _debit_batch(stub))
            self._authorize, self._capture, self._debit = together.send, captures.send, debits.send
            self._close = [together.close, captures.close, debits.close]

    async def authorize(self, request: pb.AuthorizeRequest, deadline: timedelta) -> pb.AuthorizeResponse:
        return await persist(self._authorize, request, Patience(deadline))

    async def capture(self, request: pb.CaptureRequest, deadline: timedelta) -> pb.CaptureResponse:
        return await persist(self._capture, request, Patience(deadline))

    async def debit(self, request: pb.DebitRequest, deadline: timedelta) -> pb.DebitResponse:
        return await persist(self._debit, request, Patience(deadline))

    async def release(self, request: pb.ReleaseRequest, deadline: timedelta) -> pb.ReleaseResponse:
        return await persist(self._release, request, Patience(deadline))

    async def extend(self, request: pb.ExtendHoldRequest, deadline: timedelta) -> pb.ExtendHoldResponse:
        return await persist(self._extend, request, Patience(deadline))

    async def balance(self, request: pb.GetBalanceRequest, deadline: timedelta) -> pb.GetBalanceResponse:
        return await persist(self._balance, request, Patience(deadline))

    async def close(self) -> None:
        """Send home whoever still waits for a batch."""
        for close in self._close:
            await close()


async def persist(send: Send[Q, R], request: Q, patience: Patience) -> R:
    """Send until answered or out of patience. Raises GateUnreachable, LedgerFault."""
    while True:  # ends with `patience`: by its deadline, and after 1,000 attempts
        try:
            return await send(request, patience.seconds_left())
        except LedgerFault as fault:
            pause = patience.pause_after(fault)
            if pause is None:
                if fault.code in UNANSWERED:
                    raise GateUnreachable(fault, patience.attempts) from fault
                raise
        await asyncio.sleep(pause)


def _alone(call: "UnaryUnaryMultiCallable[Q, R]") -> Send[Q, R]:
    async def send(request: Q, seconds: float) -> R:
        try:
            return await call(request, timeout=seconds)
        except AioRpcError as error:
            raise fault_of_call(error) from error
        except UsageError:
            raise gate_closed() from None
        except asyncio.CancelledError:
            # A channel that is closed cancels its calls, and nobody cancelled their callers.
            task = asyncio.current_task()
            if task is None or task.cancelling() > 0:
                raise
            raise gate_closed() from None

    return send


def _authorize_batch(stub: Stub) -> SendBatch[pb.AuthorizeRequest, pb.AuthorizeResponse]:
    send_all = _alone(stub.AuthorizeBatch)

    async def send(
        items: Sequence[pb.AuthorizeRequest], seconds: float
    ) -> list[pb.AuthorizeResponse | LedgerFault]:
        answer = await send_all(pb.AuthorizeBatchRequest(items=items), seconds)
        return _outcomes(items, [(result.response, _error(result)) for result in answer.results])

    return send


def _capture_batch(stub: Stub) -> SendBatch[pb.CaptureRequest, pb.CaptureResponse]:
    send_all = _alone(stub.CaptureBatch)

    async def send(
        items: Sequence[pb.CaptureRequest], seconds: float
    ) -> list[pb.CaptureResponse | LedgerFault]:
        answer = await send_all(pb.CaptureBatchRequest(items=items), seconds)
        return _outcomes(items, [(result.response, _error(result)) for result in answer.results])

    return send


def _debit_batch(stub: Stub) -> SendBatch[pb.DebitRequest, pb.DebitResponse]:
    send_all = _alone(stub.DebitBatch)

    async def send(items: Sequence[pb.DebitRequest], seconds: float) -> list[pb.DebitResponse | LedgerFault]:
        answer = await send_all(pb.DebitBatchRequest(items=items), seconds)
        return _outcomes(items, [(result.response, _error(result)) for result in answer.results])

    return send


def _error(
    result: pb.AuthorizeBatchResult | pb.CaptureBatchResult | pb.DebitBatchResult,
) -> status_pb2.Status | None:
    return result.error if result.HasField("error") else None


def _outcomes(
    items: Sequence[object], results: Sequence[tuple[R, status_pb2.Status | None]]
) -> list[R | LedgerFault]:
    if len(results) != len(items):
        raise LedgerFault(StatusCode.INTERNAL, f"a batch of {len(items)} was answered {len(results)} times")
    return [response if error is None else fault_of_status(error) for response, error in results]
