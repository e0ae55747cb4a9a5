# SPDX-License-Identifier: Apache-2.0
"""Deliveries: one notification to one endpoint, tried until it is accepted or given up; all in wall time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import NewType

from services.alert.domain.alert import AlertId, CustomerId
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.event import EventType

DeliveryId = NewType("DeliveryId", str)

LEASE = timedelta(seconds=30)  # well above POST_SECONDS_MAX: a live worker records before its lease runs out
POST_SECONDS_MAX = 10.0
BACKOFF_FIRST = timedelta(seconds=1)
BACKOFF_MAX = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=2)

_DOUBLINGS_MAX = 15  # 2^15 s is above BACKOFF_MAX
_ACCEPTED = range(200, 300)
_GONE = 410
ENDPOINT_DISABLED = "the endpoint is disabled"


class DeliveryStatus(Enum):
    """PENDING: will be tried. DELIVERED: answered 2xx. FAILED: given up, or the endpoint was disabled."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notification to one endpoint. Its id is also the `webhook-id` that receivers see, on every try.

    `attempts` counts tries begun; `last_status_code` is 0 and `last_error` says why when the last one got no
    answer. `due_time` is set while PENDING only.
    """

    delivery_id: DeliveryId
    webhook_endpoint_id: WebhookEndpointId
    alert_id: AlertId
    event_type: EventType
    status: DeliveryStatus
    attempts: int
    last_status_code: int
    last_error: str
    create_time: datetime
    deliver_time: datetime | None
    due_time: datetime | None
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A delivery that begins, due at once. One per endpoint and observation: that is what is told, once."""

    delivery_id: DeliveryId
    webhook_endpoint_id: WebhookEndpointId
    alert_id: AlertId
    customer_id: CustomerId
    group_value: str
    sequence: int
    event_type: EventType
    create_time: datetime
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A try in our hands until its lease runs out. `tries` counts those of this round, this one included."""

    delivery_id: DeliveryId
    webhook_endpoint_id: WebhookEndpointId
    attempts: int
    tries: int
    give_up_time: datetime
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a try got: an HTTP status, or 0 and the error that came instead."""

    status_code: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The endpoint has it."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """It is due again at `due_time`."""

    due_time: datetime


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It has been tried for long enough."""


@dataclass(frozen=True, slots=True)
class EndpointGone:
    """The endpoint wants nothing any more."""


Verdict = Accepted | TryAgain | GivenUp | EndpointGone


def judge(attempt: Attempt, answer: Answer, *, at: datetime, jitter: float) -> Verdict:
    """Return what becomes of a delivery after a try that ended at `at`. jitter: see backoff.

    The last try is due at give_up_time itself, and only a try that ends then or later gives up.
    """
    if answer.status_code in _ACCEPTED:
        return Accepted()
    if answer.status_code == _GONE:
        return EndpointGone()
    if at < attempt.give_up_time:
        return TryAgain(min(at + backoff(attempt.tries, jitter=jitter), attempt.give_up_time))
    return GivenUp()


def backoff(tries: int, *, jitter: float) -> timedelta:
    """Return the wait after the n-th try: up to 1 s, doubling up to 6 h, all of it jitter ("full jitter").

    tries: ≥ 1; jitter: 0 ≤ jitter ≤ 1, the share of that span that is waited.
    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    doubled: timedelta = BACKOFF_FIRST * 2 ** min(tries - 1, _DOUBLINGS_MAX)
    return min(doubled, BACKOFF_MAX) * jitter


def error_of(answer: Answer) -> str:
    """Return what is kept of a try that was not accepted: never a word of the response's body."""
    return answer.error or f"answered {answer.status_code}"
