# SPDX-License-Identifier: Apache-2.0
"""The Ledger's rpcs. Each has a deadline, within which it is retried under the same request_id."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from google.rpc import status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError, UsageError

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.affinity import Affinity
from purser_client.coalescing import Coalescer, SendBatch
from purser_client.faults import (
    GateUnreachable,
    LedgerFault,
    fault_of_call,
    fault_of_status,
    gate_closed_fault,
)
from purser_client.retry import UNANSWERED, RetrySchedule
from purser_client.token import TokenSource

if TYPE_CHECKING:
    from grpc.aio import UnaryUnaryMultiCallable

    from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceAsyncStub

Stub: TypeAlias = "LedgerServiceAsyncStub"

Q = TypeVar("Q")
R = TypeVar("R")
Send: TypeAlias = Callable[[Q, float], Awaitable[R]]


class LedgerClient:
    """All rpcs raise GateUnreachable when there is no answer before the deadline, and LedgerFault for a fault.

    coalesce: Authorize, Capture and Debit calls of this process are sent in batches. tokens: what each call carries.
    """

    def __init__(self, stub: Stub, *, coalesce: bool, tokens: TokenSource | None = None) -> None:
        tokens, affinity = tokens or TokenSource(None), Affinity()
        self._authorize = _sender_of(stub.Authorize, tokens, affinity)
        self._capture = _sender_of(stub.Capture, tokens, affinity)
        self._debit = _sender_of(stub.Debit, tokens, affinity)
        self._release = _sender_of(stub.Release, tokens, affinity)
        self._extend = _sender_of(stub.ExtendHold, tokens, affinity)
        self._balance = _sender_of(stub.GetBalance, tokens, affinity)
        self._lease = _sender_of(stub.Lease, tokens, affinity)
        self._settle_lease = _sender_of(stub.SettleLease, tokens, affinity)
        self._end_lease = _sender_of(stub.EndLease, tokens, affinity)
        self._close: list[Callable[[], Awaitable[None]]] = []
        if coalesce:
            authorizes = Coalescer(self._authorize, _authorize_batch(stub, tokens, affinity))
            captures = Coalescer(self._capture, _capture_batch(stub, tokens, affinity))
            debits = Coalescer(self._debit, _debit_batch(stub, tokens, affinity))
            self._authorize, self._capture, self._debit = authorizes.send, captures.send, debits.send
            self._close = [authorizes.close, captures.close, debits.close]

    async def authorize(self, request: pb.AuthorizeRequest, deadline: timedelta) -> pb.AuthorizeResponse:
        return await send_with_retries(self._authorize, request, RetrySchedule(deadline))

    async def capture(self, request: pb.CaptureRequest, deadline: timedelta) -> pb.CaptureResponse:
        return await send_with_retries(self._capture, request, RetrySchedule(deadline))

    async def debit(self, request: pb.DebitRequest, deadline: timedelta) -> pb.DebitResponse:
        return await send_with_retries(self._debit, request, RetrySchedule(deadline))

    async def release(self, request: pb.ReleaseRequest, deadline: timedelta) -> pb.ReleaseResponse:
        return await send_with_retries(self._release, request, RetrySchedule(deadline))

    async def extend(self, request: pb.ExtendHoldRequest, deadline: timedelta) -> pb.ExtendHoldResponse:
        return await send_with_retries(self._extend, request, RetrySchedule(deadline))

    async def balance(self, request: pb.GetBalanceRequest, deadline: timedelta) -> pb.GetBalanceResponse:
        return await send_with_retries(self._balance, request, RetrySchedule(deadline))

    async def lease(self, request: pb.LeaseRequest, deadline: timedelta) -> pb.LeaseResponse:
        return await send_with_retries(self._lease, request, RetrySchedule(deadline))

    async def settle_lease(
        self, request: pb.SettleLeaseRequest, deadline: timedelta
    ) -> pb.SettleLeaseResponse:
        return await send_with_retries(self._settle_lease, request, RetrySchedule(deadline))

    async def end_lease(self, request: pb.EndLeaseRequest, deadline: timedelta) -> pb.EndLeaseResponse:
        return await send_with_retries(self._end_lease, request, RetrySchedule(deadline))

    async def close(self) -> None:
        """End the calls that wait for a batch, with the fault GATE_CLOSED."""
        for close in self._close:
            await close()


async def send_with_retries(send: Send[Q, R], request: Q, schedule: RetrySchedule) -> R:
    """Send until there is an answer or the schedule gives up. Raises GateUnreachable, LedgerFault."""
    while True:  # bounded by the schedule: by its deadline and by 1,000 attempts
        try:
            return await send(request, schedule.seconds_left())
        except LedgerFault as fault:
            pause = schedule.pause_after(fault)
            if pause is None:
                if fault.code in UNANSWERED:
                    raise GateUnreachable(fault, schedule.attempts) from fault
                raise
        await asyncio.sleep(pause)


def _sender_of(call: "UnaryUnaryMultiCallable[Q, R]", tokens: TokenSource, affinity: Affinity) -> Send[Q, R]:
    async def send(request: Q, seconds: float) -> R:
        metadata = await tokens.metadata()
        try:
            return await call(request, timeout=seconds, metadata=(*metadata, *affinity.header(request)))
        except AioRpcError as error:
            affinity.failed(request, error.code())
            fault = fault_of_call(error)
            fault.is_renewable = error.code() is StatusCode.UNAUTHENTICATED and tokens.refused(metadata)
            raise fault from error
        except UsageError:
            raise gate_closed_fault() from None
        except asyncio.CancelledError:
            # Closing a channel cancels its calls. Then the caller itself was not cancelled, and gets a fault.
            task = asyncio.current_task()
            if task is None or task.cancelling() > 0:
                raise
            raise gate_closed_fault() from None

    return send


def _authorize_batch(
    stub: Stub, tokens: TokenSource, affinity: Affinity
) -> SendBatch[pb.AuthorizeRequest, pb.AuthorizeResponse]:
    send_batch = _sender_of(stub.AuthorizeBatch, tokens, affinity)

    async def send(
        items: Sequence[pb.AuthorizeRequest], seconds: float
    ) -> list[pb.AuthorizeResponse | LedgerFault]:
        answer = await send_batch(pb.AuthorizeBatchRequest(items=items), seconds)
        return _outcomes(items, [(result.response, _error(result)) for result in answer.results])

    return send


def _capture_batch(
    stub: Stub, tokens: TokenSource, affinity: Affinity
) -> SendBatch[pb.CaptureRequest, pb.CaptureResponse]:
    send_batch = _sender_of(stub.CaptureBatch, tokens, affinity)

    async def send(
        items: Sequence[pb.CaptureRequest], seconds: float
    ) -> list[pb.CaptureResponse | LedgerFault]:
        answer = await send_batch(pb.CaptureBatchRequest(items=items), seconds)
        return _outcomes(items, [(result.response, _error(result)) for result in answer.results])

    return send


def _debit_batch(
    stub: Stub, tokens: TokenSource, affinity: Affinity
) -> SendBatch[pb.DebitRequest, pb.DebitResponse]:
    send_batch = _sender_of(stub.DebitBatch, tokens, affinity)

    async def send(items: Sequence[pb.DebitRequest], seconds: float) -> list[pb.DebitResponse | LedgerFault]:
        answer = await send_batch(pb.DebitBatchRequest(items=items), seconds)
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
        raise LedgerFault(StatusCode.INTERNAL, f"a batch of {len(items)} got {len(results)} results")
    return [response if error is None else fault_of_status(error) for response, error in results]
