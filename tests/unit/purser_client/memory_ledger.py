# SPDX-License-Identifier: Apache-2.0
"""An in-memory Ledger with the stub's interface: one pool of credits, holds, and responses by request_id."""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.ledger_client import Stub

CREDIT = 1_000_000
PRICE = 12

Q = TypeVar("Q")
R = TypeVar("R")


def status(code: StatusCode, text: str = "") -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(), details=text)


class MemoryLedger:
    """`asked`: every request in order of arrival. `faults`: the errors with which the next calls end, unexecuted.

    While `gate` is cleared, calls wait between their arrival and their execution.
    """

    def __init__(self, credits: int = 400) -> None:
        self.available = credits * CREDIT
        self.captured = 0
        self.holds: dict[str, int] = {}
        self.asked: list[Any] = []
        self.batches: list[int] = []
        self.faults: deque[StatusCode] = deque()
        self.unknown_customers: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Condition()
        self._answers: dict[str, Any] = {}
        self._numbers = itertools.count(1)

    @property
    def stub(self) -> Stub:
        return cast(Stub, self)

    def asked_of(self, kind: type[Any]) -> list[Any]:
        return [request for request in self.asked if isinstance(request, kind)]

    async def until_asked(self, count: int) -> None:
        async with asyncio.timeout(10), self.waiting:
            await self.waiting.wait_for(lambda: len(self.asked) >= count)

    async def Authorize(self, request: pb.AuthorizeRequest, **_: float) -> pb.AuthorizeResponse:
        return await self._do(request, self._authorize)

    async def Capture(self, request: pb.CaptureRequest, **_: float) -> pb.CaptureResponse:
        return await self._do(request, self._capture)

    async def Debit(self, request: pb.DebitRequest, **_: float) -> pb.DebitResponse:
        return await self._do(request, self._debit)

    async def Release(self, request: pb.ReleaseRequest, **_: float) -> pb.ReleaseResponse:
        return await self._do(request, self._release)

    async def ExtendHold(self, request: pb.ExtendHoldRequest, **_: float) -> pb.ExtendHoldResponse:
        return await self._do(request, self._extend)

    async def GetBalance(self, request: pb.GetBalanceRequest, **_: float) -> pb.GetBalanceResponse:
        raise NotImplementedError

    async def Lease(self, request: pb.LeaseRequest, **_: float) -> pb.LeaseResponse:
        raise NotImplementedError

    async def SettleLease(self, request: pb.SettleLeaseRequest, **_: float) -> pb.SettleLeaseResponse:
        raise NotImplementedError

    async def EndLease(self, request: pb.EndLeaseRequest, **_: float) -> pb.EndLeaseResponse:
        raise NotImplementedError

    async def AuthorizeBatch(
        self, request: pb.AuthorizeBatchRequest, **_: float
    ) -> pb.AuthorizeBatchResponse:
        return pb.AuthorizeBatchResponse(
            results=await self._all(request.items, self.Authorize, pb.AuthorizeBatchResult)
        )

    async def CaptureBatch(self, request: pb.CaptureBatchRequest, **_: float) -> pb.CaptureBatchResponse:
        return pb.CaptureBatchResponse(
            results=await self._all(request.items, self.Capture, pb.CaptureBatchResult)
        )

    async def DebitBatch(self, request: pb.DebitBatchRequest, **_: float) -> pb.DebitBatchResponse:
        return pb.DebitBatchResponse(results=await self._all(request.items, self.Debit, pb.DebitBatchResult))

    async def _all(self, items: Any, call: Callable[..., Awaitable[Any]], result: Any) -> list[Any]:
        self.batches.append(len(items))
        results = []
        for item in items:
            try:
                results.append(result(response=await call(item, timeout=1)))
            except AioRpcError as error:
                results.append(
                    result(error=Status(code=error.code().value[0], message=error.details() or ""))
                )
        return results

    async def _do(self, request: Q, carry_out: Callable[[Q], R]) -> R:
        async with self.waiting:
            self.asked.append(request)
            self.waiting.notify_all()
        await self.gate.wait()
        if self.faults:
            raise status(self.faults.popleft())
        known: Any = request
        if known.customer in self.unknown_customers:
            raise status(StatusCode.NOT_FOUND, f"who is {known.customer!r}?")
        if known.request_id not in self._answers:
            answer = carry_out(request)
            if getattr(answer, "decision", pb.DECISION_ALLOWED) != pb.DECISION_ALLOWED:
                return answer
            self._answers[known.request_id] = answer
        return cast(R, self._answers[known.request_id])

    def _authorize(self, request: pb.AuthorizeRequest) -> pb.AuthorizeResponse:
        micros = _credits(request)
        if micros > self.available:
            return pb.AuthorizeResponse(decision=pb.DECISION_DENIED, denial_reason=5)  # type: ignore[arg-type]
        self.available -= micros
        hold_id = f"hld_{next(self._numbers)}"
        self.holds[hold_id] = micros
        return pb.AuthorizeResponse(decision=pb.DECISION_ALLOWED, hold_id=hold_id, held_micros=micros)

    def _capture(self, request: pb.CaptureRequest) -> pb.CaptureResponse:
        held = self._take(request.hold_id)
        is_whole = request.WhichOneof("actual") is None and not request.lines
        micros = held if is_whole else _credits(request)
        self.available += held - micros
        self.captured += micros
        return pb.CaptureResponse(captured_micros=micros, released_micros=held - micros)

    def _release(self, request: pb.ReleaseRequest) -> pb.ReleaseResponse:
        held = self._take(request.hold_id)
        self.available += held
        return pb.ReleaseResponse(released_micros=held)

    def _extend(self, request: pb.ExtendHoldRequest) -> pb.ExtendHoldResponse:
        micros = _credits(request)
        if micros > self.available:
            return pb.ExtendHoldResponse(decision=pb.DECISION_DENIED, denial_reason=5)  # type: ignore[arg-type]
        self.available -= micros
        self.holds[request.hold_id] += micros
        return pb.ExtendHoldResponse(decision=pb.DECISION_ALLOWED, held_micros=self.holds[request.hold_id])

    def _debit(self, request: pb.DebitRequest) -> pb.DebitResponse:
        micros = _credits(request)
        if micros > self.available:
            return pb.DebitResponse(decision=pb.DECISION_DENIED, denial_reason=5)  # type: ignore[arg-type]
        self.available -= micros
        self.captured += micros
        return pb.DebitResponse(decision=pb.DECISION_ALLOWED, debited_micros=micros)

    def _take(self, hold_id: str) -> int:
        if hold_id in self.holds:
            return self.holds.pop(hold_id)
        raise status(StatusCode.FAILED_PRECONDITION, "already resolved")


def _credits(request: Any) -> int:
    """Every product costs the same."""
    quantity_micros = request.quantity_micros + sum(
        line.quantity_micros for line in getattr(request, "lines", ())
    )
    micros: int = request.credits_micros or quantity_micros * PRICE
    return micros
