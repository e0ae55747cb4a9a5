# SPDX-License-Identifier: Apache-2.0
"""The requests of the crash test's writers, drawn at random: only such as the Ledger must accept."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from meshkit.clock import Clock
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as upb

CREDIT_TYPE, PRODUCT, EVENT_TYPE = "crt_ai", "prd_assistant", "ai_call"
HOT, POOR = "cus_hot", "cus_poor"
CUSTOMERS = (HOT, HOT, HOT, HOT, "cus_a", "cus_b", "cus_c", POOR)
USERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wares:
    """What is asked for, and by whom. customers: the more often named, the more often asked for; poor: the one among
    them who gets small top-ups that do not expire."""

    customers: Sequence[str] = CUSTOMERS
    poor: str = POOR
    product: str = PRODUCT
    credit_type: str = CREDIT_TYPE
    event_type: str = EVENT_TYPE


class Requests:
    """Makes requests, each with an id of its own. name: prefix of the ids."""

    def __init__(self, name: str, dice: random.Random, clock: Clock, wares: Wares) -> None:
        self._name = name
        self._dice = dice
        self._clock = clock
        self._wares = wares
        self._number = 0

    def request_id(self) -> str:
        self._number += 1
        return f"{self._name}-{self._number}"

    def debit(self, customer: str = "") -> pb.DebitRequest:
        return pb.DebitRequest(
            request_id=self.request_id(),
            customer=customer or self._dice.choice(self._wares.customers),
            product_id=self._wares.product,
            credits_micros=self._dice.randint(1, 5_000_000),
            group_values={"user_id": f"user-{self._dice.randrange(USERS)}"},
        )

    def event(self, customer: str = "", hold_id: str = "") -> upb.UsageEvent:
        used_time = self._clock.now() - timedelta(seconds=self._dice.uniform(0, 60))
        return upb.UsageEvent(
            transaction_id=self.request_id(),
            customer=customer or self._dice.choice(self._wares.customers),
            event_type=self._wares.event_type,
            hold_id=hold_id,
            timestamp=timestamp(used_time),
            properties={
                "units": f"0.{self._dice.randint(1, 400_000):06d}",
                "user_id": f"user-{self._dice.randrange(USERS)}",
            },
        )

    def authorize(self) -> pb.AuthorizeRequest:
        return pb.AuthorizeRequest(
            request_id=self.request_id(),
            customer=self._dice.choice(self._wares.customers),
            product_id=self._wares.product,
            credits_micros=self._dice.randint(1, 5_000_000),
            group_values={"user_id": f"user-{self._dice.randrange(USERS)}"},
            hold_ttl=Duration(seconds=self._dice.choice((1, 2, 30))),
            allow_partial=self._dice.random() < 0.1,
        )

    def capture(self, asked: pb.AuthorizeRequest, allowed: pb.AuthorizeResponse) -> pb.CaptureRequest:
        request = pb.CaptureRequest(
            request_id=self.request_id(), customer=asked.customer, hold_id=allowed.hold_id
        )
        if self._dice.random() < 0.7:
            request.credits_micros = self._dice.randint(0, allowed.held_micros * 3 // 2)
        return request

    def extend(self, asked: pb.AuthorizeRequest, allowed: pb.AuthorizeResponse) -> pb.ExtendHoldRequest:
        return pb.ExtendHoldRequest(
            request_id=self.request_id(),
            customer=asked.customer,
            hold_id=allowed.hold_id,
            credits_micros=self._dice.randint(1, 1_000_000),
            hold_ttl=Duration(seconds=30),
        )
