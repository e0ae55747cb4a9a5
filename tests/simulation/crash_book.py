# SPDX-License-Identifier: Apache-2.0
"""The book of a crash test: every request with its final answer, and the judgement whether a refusal is right."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as upb

Request = Any
Answer = Any
Name = tuple[str, str]  # customer and request_id, or the transaction_id of an event


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was refused: the reason of its ErrorInfo, and the fields that its BadRequest names."""

    reason: str
    fields: tuple[str, ...] = ()

    @classmethod
    def of(cls, status: Status | None) -> Self:
        """Read a status; without details the reason is "?"."""
        info, violations = ErrorInfo(), BadRequest()
        for detail in () if status is None else status.details:
            if not detail.Unpack(info):
                detail.Unpack(violations)
        return cls(info.reason or "?", tuple(one.field for one in violations.field_violations))


# What the Ledger answers when a request arrives after the instant until which it was valid.
TOO_LATE = {
    apb.IssueGrantRequest: Refusal("INVALID_FIELDS", ("expire_time",)),
    pb.ExtendHoldRequest: Refusal("HOLD_EXPIRED"),
}


def is_too_late(
    request: Request, refusal: Refusal, *, valid_until: datetime | None, answered_at: datetime
) -> bool:
    """Whether time alone explains a refusal: a grant whose expiry passed, or a hold that expired, before the answer.

    valid_until: the grant's or the hold's expire_time; None when the request does not depend on time. Any other refusal
    is a finding: writers ask only what the Ledger must accept.
    """
    if valid_until is None or answered_at < valid_until:
        return False
    return refusal == TOO_LATE.get(type(request))


@dataclass(slots=True)
class Book:
    """What was asked and answered.

    answers: by customer and request_id; the answer to a refused request is the refusal's reason, a str.
    retries: attempts without an answer, by status. unknown: requests with such an attempt. too_late: requests refused
    because time had passed, by kind. replayed: answered requests that were sent again. wrong: findings so far.
    clock_ahead: how far a Ledger's clock may be ahead of the writers'. answer_times: when each answer arrived, by
    time.monotonic().
    """

    answers: dict[Name, tuple[Request, Answer]] = field(default_factory=dict)
    retries: Counter[str] = field(default_factory=Counter)
    unknown: set[Name] = field(default_factory=set)
    too_late: Counter[str] = field(default_factory=Counter)
    replayed: int = 0
    wrong: list[str] = field(default_factory=list)
    clock_ahead: timedelta = timedelta(0)
    answer_times: list[float] = field(default_factory=list)
    written: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_more(self, count: int) -> None:
        """Return when `count` more requests are answered."""
        wanted = len(self.answers) + count
        while len(self.answers) < wanted:
            self.written.clear()
            await self.written.wait()

    def write(self, request: Request, answer: Answer) -> None:
        """Record an answer; the answer to a request that was answered before must be the same."""
        name = name_of(request)
        self.answer_times.append(time.monotonic())
        earlier = self.answers.get(name)
        if earlier is None:
            self.answers[name] = (request, answer)
            self.written.set()
        else:
            self.replayed += 1
            if earlier[1] != answer:
                self.wrong.append(f"{name}: first {earlier[1]!r}, then {answer!r}")

    def of(self, kind: type) -> list[tuple[Request, Answer]]:
        """Return the requests of one kind with their answers, without refused ones."""
        return [
            (request, answer)
            for request, answer in self.answers.values()
            if isinstance(request, kind) and not isinstance(answer, str)
        ]


def name_of(request: Request) -> Name:
    is_event = isinstance(request, upb.UsageEvent)
    return request.customer, request.transaction_id if is_event else request.request_id
