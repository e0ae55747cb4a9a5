# SPDX-License-Identifier: Apache-2.0
"""Writers who ask the Ledger through whatever happens to it, and the book of what they were told.

A writer repeats a request, with the same request_id, until it is answered. So in the end everything that was asked is
answered, and the book says what must be stored: no more, and no less.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc_status import rpc_status

from meshkit.clock import SystemClock
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub

CREDIT_TYPE, PRODUCT = "crt_ai", "prd_assistant"
HOT, POOR = "cus_hot", "cus_poor"
CUSTOMERS = (HOT, HOT, HOT, HOT, "cus_a", "cus_b", "cus_c", POOR)
USERS = 20
ATTEMPT_SECONDS_MAX = 3.0
PROBE_SECONDS_MAX = 1.0
PAUSE_SECONDS = 0.05
REMEMBERED_MAX = 500

# The outcome is unknown, or nothing was done: ask again.
AGAIN = {
    *(StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED),
    *(StatusCode.ABORTED, StatusCode.RESOURCE_EXHAUSTED),
}

Request = Any
Answer = Any


@dataclass(slots=True)
class Book:
    """What was asked and answered. answers: by customer and request_id; a fault's reason stands for its answer."""

    answers: dict[tuple[str, str], tuple[Request, Answer]] = field(default_factory=dict)
    retries: Counter[str] = field(default_factory=Counter)
    unknown: set[tuple[str, str]] = field(default_factory=set)
    replayed: int = 0
    wrong: list[str] = field(default_factory=list)
    written: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_more(self, count: int) -> None:
        """Return when so many requests more are answered."""
        wanted = len(self.answers) + count
        while len(self.answers) < wanted:
            self.written.clear()
            await self.written.wait()

    def write(self, request: Request, answer: Answer) -> None:
        name = (request.customer, request.request_id)
        earlier = self.answers.get(name)
        if earlier is None:
            self.answers[name] = (request, answer)
            self.written.set()
        else:
            self.replayed += 1
            if earlier[1] != answer:
                self.wrong.append(f"{name}: first {earlier[1]!r}, then {answer!r}")

    def of(self, kind: type) -> list[tuple[Request, Answer]]:
        """Requests of one kind with their answers, faults left out."""
        return [
            (request, answer)
            for request, answer in self.answers.values()
            if isinstance(request, kind) and not isinstance(answer, str)
        ]


class Writer:
    """One caller with a connection of its own. name: goes into its request ids; dice: decides all it does."""

    def __init__(
        self,
        name: str,
        address: str,
        book: Book,
        dice: random.Random,
        *,
        attempt_seconds: float = ATTEMPT_SECONDS_MAX,
    ) -> None:
        self._name = name
        self._book = book
        self._dice = dice
        self._attempt_seconds = attempt_seconds
        self._number = 0
        self._clock = SystemClock()
        self._recent: list[tuple[str, Request]] = []
        self._left: list[tuple[pb.AuthorizeRequest, pb.AuthorizeResponse]] = []
        self._channel = grpc.aio.insecure_channel(
            address,
            options=(
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.enable_retries", 0),
                ("grpc.initial_reconnect_backoff_ms", 50),
                ("grpc.min_reconnect_backoff_ms", 50),
                ("grpc.max_reconnect_backoff_ms", 200),
            ),
        )
        self._gate = LedgerServiceStub(self._channel)
        self._admin = LedgerAdminServiceStub(self._channel)

    async def write_until(self, stopped: asyncio.Event) -> None:
        """Do one thing after the other; returns when the last is answered."""
        deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (30, self._debit),
            (35, self._live_a_hold),
            (12, self._debit_many),
            (10, self._live_many_holds),
            (8, self._top_up),
            (5, self._repeat),
            (5, self._capture_late),
        ]
        weights, choices = zip(*deeds, strict=True)
        while not stopped.is_set():
            (deed,) = self._dice.choices(choices, weights)
            await deed()

    async def debit_once(self, customer: str) -> None:
        """Debit a credit's millionth, to see whether the Ledger is there; returns when it is answered."""
        request = self._debit_request(customer)
        request.credits_micros = 1
        await self._ask("Debit", request)

    async def grant(self, customer: str, micros: int) -> None:
        """Give a customer credits that stay."""
        request = apb.IssueGrantRequest(
            request_id=self._request_id(),
            customer=customer,
            credit_type_id=CREDIT_TYPE,
            grant_kind=pb.GRANT_KIND_PROMOTIONAL,
            amount_micros=micros,
        )
        await self._ask("IssueGrant", request)

    async def close(self) -> None:
        await self._channel.close()

    async def _debit(self) -> None:
        await self._ask("Debit", self._debit_request())

    async def _debit_many(self) -> None:
        items = [self._debit_request() for _ in range(self._dice.randint(2, 30))]
        await self._ask_many("DebitBatch", pb.DebitBatchRequest, items)

    async def _live_a_hold(self) -> None:
        asked = self._authorize_request()
        allowed = await self._ask("Authorize", asked)
        if not isinstance(allowed, pb.AuthorizeResponse) or not allowed.hold_id:
            return
        if self._dice.random() < 0.15:
            await self._ask("ExtendHold", self._extend_request(asked, allowed))
        fate = self._dice.random()
        if fate < 0.65:
            await self._ask("Capture", self._capture_request(asked, allowed))
        elif fate < 0.85:
            release = pb.ReleaseRequest(
                request_id=self._request_id(), customer=asked.customer, hold_id=allowed.hold_id
            )
            await self._ask("Release", release)
        else:
            self._left.append((asked, allowed))  # to its expiry

    async def _capture_late(self) -> None:
        """Capture a hold whose time is up."""
        now = self._clock.now()
        for left in self._left:
            if left[1].expire_time.ToDatetime(UTC) < now:
                self._left.remove(left)
                await self._ask("Capture", self._capture_request(*left))
                return

    async def _live_many_holds(self) -> None:
        asked = [self._authorize_request() for _ in range(self._dice.randint(2, 20))]
        answers = await self._ask_many("AuthorizeBatch", pb.AuthorizeBatchRequest, asked)
        captures = [
            self._capture_request(request, answer)
            for request, answer in zip(asked, answers, strict=True)
            if isinstance(answer, pb.AuthorizeResponse) and answer.hold_id
        ]
        if captures:
            await self._ask_many("CaptureBatch", pb.CaptureBatchRequest, captures)

    async def _top_up(self) -> None:
        customer = self._dice.choice(CUSTOMERS)
        request_id = self._request_id()
        request = apb.IssueGrantRequest(
            request_id=request_id,
            customer=customer,
            credit_type_id=CREDIT_TYPE,
            grant_kind=pb.GRANT_KIND_TOP_UP,
            amount_micros=self._dice.randint(1, 60_000_000 if customer == POOR else 300_000_000),
            priority=self._dice.randint(1, 100),
            source_id=f"top-{request_id}",
        )
        if customer != POOR and self._dice.random() < 0.5:
            lives = timedelta(seconds=self._dice.uniform(1, 20))
            request.expire_time.CopyFrom(timestamp(self._clock.now() + lives))
        await self._ask("IssueGrant", request)

    async def _repeat(self) -> None:
        """Ask again what was answered: the first answer must come."""
        if self._recent:
            await self._ask(*self._dice.choice(self._recent))

    def _request_id(self) -> str:
        self._number += 1
        return f"{self._name}-{self._number}"

    def _debit_request(self, customer: str = "") -> pb.DebitRequest:
        return pb.DebitRequest(
            request_id=self._request_id(),
            customer=customer or self._dice.choice(CUSTOMERS),
            product_id=PRODUCT,
            credits_micros=self._dice.randint(1, 5_000_000),
            group_values={"user_id": f"user-{self._dice.randrange(USERS)}"},
        )

    def _authorize_request(self) -> pb.AuthorizeRequest:
        return pb.AuthorizeRequest(
            request_id=self._request_id(),
            customer=self._dice.choice(CUSTOMERS),
            product_id=PRODUCT,
            credits_micros=self._dice.randint(1, 5_000_000),
            group_values={"user_id": f"user-{self._dice.randrange(USERS)}"},
            hold_ttl=Duration(seconds=self._dice.choice((1, 2, 30))),
            allow_partial=self._dice.random() < 0.1,
        )

    def _capture_request(
        self, asked: pb.AuthorizeRequest, allowed: pb.AuthorizeResponse
    ) -> pb.CaptureRequest:
        request = pb.CaptureRequest(
            request_id=self._request_id(), customer=asked.customer, hold_id=allowed.hold_id
        )
        if self._dice.random() < 0.7:
            request.credits_micros = self._dice.randint(0, allowed.held_micros * 3 // 2)
        return request

    def _extend_request(
        self, asked: pb.AuthorizeRequest, allowed: pb.AuthorizeResponse
    ) -> pb.ExtendHoldRequest:
        return pb.ExtendHoldRequest(
            request_id=self._request_id(),
            customer=asked.customer,
            hold_id=allowed.hold_id,
            credits_micros=self._dice.randint(1, 1_000_000),
            hold_ttl=Duration(seconds=30),
        )

    async def _ask(self, rpc: str, request: Request) -> Answer:
        """Ask until there is an answer; returns it, or the reason of a fault that is one."""
        stub: Any = self._admin if rpc == "IssueGrant" else self._gate
        while True:
            try:
                answer = await getattr(stub, rpc)(request, timeout=self._attempt_seconds)
                if rpc == "IssueGrant":
                    answer = answer.grant
                break
            except grpc.aio.AioRpcError as error:
                if error.code() in AGAIN:
                    await self._again(error, [request])
                else:
                    answer = self._fault(request, rpc_status.from_call(error), error)
                    break
        self._keep(rpc, request, answer)
        return answer

    async def _ask_many(self, rpc: str, batch: Callable[..., Any], items: Sequence[Request]) -> list[Answer]:
        """Likewise, many at once: those whose outcome is unknown are asked again, together."""
        answers: dict[str, Answer] = {}
        while left := [item for item in items if item.request_id not in answers]:
            try:
                response = await getattr(self._gate, rpc)(batch(items=left), timeout=self._attempt_seconds)
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN:
                    self._book.wrong.append(f"{rpc}: {error.code().name} {error.details()}")
                await self._again(error, left)
                continue
            for item, result in zip(left, response.results, strict=True):
                if result.HasField("response"):
                    answers[item.request_id] = result.response
                elif _code(result.error) in AGAIN:
                    self._book.unknown.add((item.customer, item.request_id))
                    self._book.retries[f"{_code(result.error).name} of an item"] += 1
                else:
                    answers[item.request_id] = self._fault(item, result.error, result.error)
        for item in items:
            self._keep(rpc.removesuffix("Batch"), item, answers[item.request_id])
        return [answers[item.request_id] for item in items]

    async def _again(self, error: grpc.aio.AioRpcError, requests: Sequence[Request]) -> None:
        self._book.retries[error.code().name] += 1
        self._book.unknown.update((one.customer, one.request_id) for one in requests)
        await asyncio.sleep(self._dice.uniform(0, PAUSE_SECONDS))

    def _fault(self, request: Request, status: Status | None, error: object) -> str:
        info = ErrorInfo()
        reason = ""
        if status is not None and any(detail.Unpack(info) for detail in status.details):
            reason = info.reason
        # An outage may outlive a hold; nothing else that is asked here is a mistake.
        if not (reason == "HOLD_EXPIRED" and isinstance(request, pb.ExtendHoldRequest)):
            self._book.wrong.append(f"{type(request).__name__} {request.request_id}: {reason or error}")
        return reason or "?"

    def _keep(self, rpc: str, request: Request, answer: Answer) -> None:
        self._book.write(request, answer)
        # A denial, and a fault, are not remembered by the Ledger: asked again they are decided again.
        has_effect = not isinstance(answer, str) and getattr(answer, "decision", 1) == pb.DECISION_ALLOWED
        if has_effect and len(self._recent) < REMEMBERED_MAX:
            self._recent.append((rpc, request))


def _code(status: Status) -> StatusCode:
    return next(code for code in StatusCode if code.value[0] == status.code)


async def until_back(address: str, book: Book, name: str) -> None:
    """Return when a write to this address is answered."""
    writer = Writer(name, address, book, random.Random(name), attempt_seconds=PROBE_SECONDS_MAX)
    try:
        await writer.debit_once(HOT)
    finally:
        await writer.close()
