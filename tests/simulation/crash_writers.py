# SPDX-License-Identifier: Apache-2.0
"""The writers of the crash test: callers of the gate and reporters of usage, who record what the Ledger answers.

A writer repeats a request with the same request_id until it is answered. So at the end every request has an answer, and
the book of answers says exactly what must be stored.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc_status import rpc_status

from meshkit.clock import SystemClock
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as upb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from tests.simulation.crash_book import Answer, Book, Refusal, Request, is_too_late, name_of
from tests.simulation.crash_requests import HOT, Requests, Wares

# An attempt's deadline; each attempt of a request that misses it doubles it, up to the longest.
ATTEMPT_SECONDS = 3.0
PROBE_SECONDS = 1.0
ATTEMPT_SECONDS_MAX = 30.0
PAUSE_SECONDS = 0.05
REMEMBERED_MAX = 500
WARES = Wares()
OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)

# The outcome is unknown, or nothing was done: the request is sent again.
AGAIN = {
    *(StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED),
    *(StatusCode.ABORTED, StatusCode.RESOURCE_EXHAUSTED),
}


class Writer:
    """One caller on its own connection.

    name: prefix of its request ids. dice: decides everything it does. pause_seconds: between two things it does.
    waits_for: the requests that have no answer yet. credentials None: plaintext.
    """

    def __init__(
        self,
        name: str,
        address: str,
        book: Book,
        dice: random.Random,
        *,
        attempt_seconds: float = ATTEMPT_SECONDS,
        wares: Wares = WARES,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.pause_seconds = 0.0
        self.waits_for: Sequence[Request] = ()
        self._book = book
        self._dice = dice
        self._attempt_seconds = attempt_seconds
        self._clock = SystemClock()
        self._requests = Requests(name, dice, self._clock, wares)
        self._wares = wares
        self._recent: list[tuple[str, Request]] = []
        self._left: list[tuple[pb.AuthorizeRequest, pb.AuthorizeResponse]] = []
        self._channel = (
            grpc.aio.insecure_channel(address, options=OPTIONS)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options=OPTIONS)
        )
        self._gate = LedgerServiceStub(self._channel)
        self._admin = LedgerAdminServiceStub(self._channel)
        self._usage = UsageServiceStub(self._channel)
        self._events: list[upb.UsageEvent] = []
        self._voided: set[str] = set()

    async def write_until(self, stopped: asyncio.Event) -> None:
        """Do one thing after the other; returns when `stopped` is set and the last request is answered."""
        deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (30, self._debit),
            (35, self._live_a_hold),
            (12, self._debit_many),
            (10, self._live_many_holds),
            (8, self._top_up),
            (5, self._repeat),
            (5, self._capture_late),
            (12, self._record_events),
            (4, self._void_event),
        ]
        weights, choices = zip(*deeds, strict=True)
        while not stopped.is_set():
            (deed,) = self._dice.choices(choices, weights)
            await deed()
            await asyncio.sleep(self.pause_seconds)

    async def debit_once(self, customer: str) -> None:
        """Debit a millionth of a credit; returns when the Ledger has answered."""
        request = self._requests.debit(customer)
        request.credits_micros = 1
        await self._ask("Debit", request)

    async def grant(self, customer: str, micros: int) -> None:
        """Give a customer credits that do not expire."""
        request = apb.IssueGrantRequest(
            request_id=self._requests.request_id(),
            customer=customer,
            credit_type_id=self._wares.credit_type,
            grant_kind=pb.GRANT_KIND_PROMOTIONAL,
            amount_micros=micros,
        )
        await self._ask("IssueGrant", request)

    async def close(self) -> None:
        await self._channel.close()

    async def _debit(self) -> None:
        await self._ask("Debit", self._requests.debit())

    async def _debit_many(self) -> None:
        items = [self._requests.debit() for _ in range(self._dice.randint(2, 30))]
        await self._ask_many("DebitBatch", pb.DebitBatchRequest, items)

    async def _live_a_hold(self) -> None:
        asked = self._requests.authorize()
        allowed = await self._ask("Authorize", asked)
        if not isinstance(allowed, pb.AuthorizeResponse) or not allowed.hold_id:
            return
        if self._dice.random() < 0.15:
            extension = self._requests.extend(asked, allowed)
            await self._ask("ExtendHold", extension, valid_until=allowed.expire_time.ToDatetime(UTC))
        fate = self._dice.random()
        if fate < 0.65:
            await self._ask("Capture", self._requests.capture(asked, allowed))
        elif fate < 0.85:
            release = pb.ReleaseRequest(
                request_id=self._requests.request_id(), customer=asked.customer, hold_id=allowed.hold_id
            )
            await self._ask("Release", release)
        elif fate < 0.92:
            await self._record([self._requests.event(asked.customer, allowed.hold_id)])
        else:
            self._left.append((asked, allowed))  # nobody ends it: it expires

    async def _capture_late(self) -> None:
        """Capture a hold that has expired."""
        now = self._clock.now()
        for left in self._left:
            if left[1].expire_time.ToDatetime(UTC) < now:
                self._left.remove(left)
                await self._ask("Capture", self._requests.capture(*left))
                return

    async def _live_many_holds(self) -> None:
        asked = [self._requests.authorize() for _ in range(self._dice.randint(2, 20))]
        answers = await self._ask_many("AuthorizeBatch", pb.AuthorizeBatchRequest, asked)
        captures = [
            self._requests.capture(request, answer)
            for request, answer in zip(asked, answers, strict=True)
            if isinstance(answer, pb.AuthorizeResponse) and answer.hold_id
        ]
        if captures:
            await self._ask_many("CaptureBatch", pb.CaptureBatchRequest, captures)

    async def _top_up(self) -> None:
        customer = self._dice.choice(self._wares.customers)
        request_id = self._requests.request_id()
        request = apb.IssueGrantRequest(
            request_id=request_id,
            customer=customer,
            credit_type_id=self._wares.credit_type,
            grant_kind=pb.GRANT_KIND_TOP_UP,
            amount_micros=self._dice.randint(1, 60_000_000 if customer == self._wares.poor else 300_000_000),
            priority=self._dice.randint(1, 100),
            source_id=f"top-{request_id}",
        )
        expire_time = None
        if customer != self._wares.poor and self._dice.random() < 0.5:
            expire_time = self._clock.now() + timedelta(seconds=self._dice.uniform(1, 20))
            request.expire_time.CopyFrom(timestamp(expire_time))
        await self._ask("IssueGrant", request, valid_until=expire_time)

    async def _record_events(self) -> None:
        """Report usage of the last minute, sometimes with events that were reported before."""
        events = [self._requests.event() for _ in range(self._dice.randint(1, 30))]
        if self._events and self._dice.random() < 0.3:
            events.append(self._dice.choice(self._events))
        await self._record(events)

    async def _record(self, events: Sequence[upb.UsageEvent]) -> None:
        answers: dict[str, Answer] = {}
        seconds = self._attempt_seconds
        while not answers:
            self.waits_for = events
            try:
                response = await self._usage.RecordUsage(
                    upb.RecordUsageRequest(events=events), timeout=seconds
                )
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN:
                    raise
                seconds = await self._again(error, events, seconds)
                continue
            answers = {
                event.transaction_id: result for event, result in zip(events, response.results, strict=True)
            }
        self.waits_for = ()
        for event in events:
            result = answers[event.transaction_id]
            if result.event_status != upb.EVENT_STATUS_ACCEPTED or result.differs:
                self._book.wrong.append(f"UsageEvent {event.transaction_id} was not accepted: {result}")
            result.is_duplicate = False  # the only difference between the first answer and a later one
            self._book.write(event, result)
        self._events = [*self._events, *events][-REMEMBERED_MAX:]

    async def _void_event(self) -> None:
        """Take an event back, once."""
        left = [event for event in self._events if event.transaction_id not in self._voided]
        if not left:
            return
        event = self._dice.choice(left)
        self._voided.add(event.transaction_id)
        request = upb.VoidUsageRequest(
            request_id=self._requests.request_id(),
            customer=event.customer,
            transaction_id=event.transaction_id,
            reason="it did not happen",
            actor="crash test",
        )
        await self._ask("VoidUsage", request)

    async def _repeat(self) -> None:
        """Send an answered request again: the answer must be the same."""
        if self._recent:
            await self._ask(*self._dice.choice(self._recent))

    async def _ask(self, rpc: str, request: Request, *, valid_until: datetime | None = None) -> Answer:
        """Send a request until it is answered; returns the answer, or the reason of a refusal."""
        stub: Any = {"IssueGrant": self._admin, "VoidUsage": self._usage}.get(rpc, self._gate)
        seconds = self._attempt_seconds
        refused = False
        self.waits_for = [request]
        while True:
            try:
                answer = await getattr(stub, rpc)(request, timeout=seconds)
                if rpc == "IssueGrant":
                    answer = answer.grant
                break
            except grpc.aio.AioRpcError as error:
                if error.code() in AGAIN:
                    seconds = await self._again(error, [request], seconds)
                    continue
                refusal = Refusal.of(rpc_status.from_call(error))
                is_late = is_too_late(
                    request,
                    refusal,
                    valid_until=valid_until,
                    answered_at=self._clock.now() + self._book.clock_ahead,
                )
                if is_late and not refused and name_of(request) in self._book.unknown:
                    # The Ledger may still be at work on an earlier attempt. The answer after its deadline is final.
                    refused = True
                    await asyncio.sleep(seconds)
                    continue
                answer = self._refused(request, refusal, error, is_late=is_late)
                break
        self.waits_for = ()
        self._keep(rpc, request, answer)
        return answer

    async def _ask_many(self, rpc: str, batch: Callable[..., Any], items: Sequence[Request]) -> list[Answer]:
        """Likewise for a batch: items whose outcome is unknown are sent again, together."""
        answers: dict[str, Answer] = {}
        seconds = self._attempt_seconds
        while left := [item for item in items if item.request_id not in answers]:
            self.waits_for = left
            try:
                response = await getattr(self._gate, rpc)(batch(items=left), timeout=seconds)
            except grpc.aio.AioRpcError as error:
                if error.code() in AGAIN:
                    seconds = await self._again(error, left, seconds)
                    continue
                refusal = Refusal.of(rpc_status.from_call(error))
                answers |= {item.request_id: self._refused(item, refusal, error) for item in left}
                continue
            for item, result in zip(left, response.results, strict=True):
                if result.HasField("response"):
                    answers[item.request_id] = result.response
                elif _code(result.error) in AGAIN:
                    self._book.unknown.add(name_of(item))
                    self._book.retries[f"{_code(result.error).name} of an item"] += 1
                else:
                    answers[item.request_id] = self._refused(item, Refusal.of(result.error), result.error)
        self.waits_for = ()
        for item in items:
            self._keep(rpc.removesuffix("Batch"), item, answers[item.request_id])
        return [answers[item.request_id] for item in items]

    async def _again(self, error: grpc.aio.AioRpcError, requests: Sequence[Request], seconds: float) -> float:
        """Pause before the next attempt, and return its deadline in seconds."""
        self._book.retries[error.code().name] += 1
        self._book.unknown.update(map(name_of, requests))
        await asyncio.sleep(self._dice.uniform(0, PAUSE_SECONDS))
        is_slow = error.code() is StatusCode.DEADLINE_EXCEEDED
        return min(2 * seconds, ATTEMPT_SECONDS_MAX) if is_slow else seconds

    def _refused(self, request: Request, refusal: Refusal, error: object, *, is_late: bool = False) -> str:
        if is_late:
            self._book.too_late[type(request).__name__] += 1
        else:
            what = refusal if refusal.reason != "?" else error
            self._book.wrong.append(f"{type(request).__name__} {request.request_id} was refused: {what}")
        return refusal.reason

    def _keep(self, rpc: str, request: Request, answer: Answer) -> None:
        self._book.write(request, answer)
        # The Ledger stores no response for a denial or a refusal: it decides such a request anew when it comes again.
        has_effect = not isinstance(answer, str) and getattr(answer, "decision", 1) == pb.DECISION_ALLOWED
        if has_effect and len(self._recent) < REMEMBERED_MAX:
            self._recent.append((rpc, request))


def _code(status: Status) -> StatusCode:
    return next(code for code in StatusCode if code.value[0] == status.code)


async def until_back(address: str, book: Book, name: str) -> None:
    """Return when the Ledger at this address has answered a write."""
    writer = Writer(name, address, book, random.Random(name), attempt_seconds=PROBE_SECONDS)
    try:
        await writer.debit_once(HOT)
    finally:
        await writer.close()
