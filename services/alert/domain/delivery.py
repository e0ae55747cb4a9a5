# SPDX-License-Identifier: Apache-2.0
"""Deliveries: one notification to one endpoint, retried until it is accepted or given up. All in wall time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import NewType

from services.alert.domain.alert import AlertId
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.event import Event, EventType

DeliveryId = NewType("DeliveryId", str)

LEASE = timedelta(
    seconds=30
)  # well above POST_SECONDS_MAX: a live worker records the result before its lease runs out
POST_SECONDS_MAX = 10.0
BACKOFF_FIRST = timedelta(seconds=1)
BACKOFF_MAX = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=2)
# An endpoint that has only failed for so long is posted to one delivery at a time.
SUSPECT_AFTER = timedelta(seconds=10)

_DOUBLINGS_MAX = 15  # 2^15 s is above BACKOFF_MAX
_ACCEPTED = range(200, 300)
_GONE = 410
ENDPOINT_DISABLED = "the endpoint is disabled"
SECRET_UNREADABLE = "waits: its secret cannot be decrypted"


class DeliveryStatus(Enum):
    """PENDING: will be attempted. DELIVERED: answered 2xx. FAILED: given up, or the endpoint was disabled."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notification to one endpoint. Its id is the `webhook-id` of every attempt.

    alert_id: None unless an alert is its cause. attempts: number of attempts started. If the last one got no
    response, last_status_code is 0 and last_error gives the cause. due_time: set while PENDING only.
    """

    delivery_id: DeliveryId
    webhook_endpoint_id: WebhookEndpointId
    alert_id: AlertId | None
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
    """A new delivery of an event, due immediately. There is one per endpoint and event, and per edge.

    is_stored: whether the event is; otherwise the delivery has its payload.
    """

    delivery_id: DeliveryId
    webhook_endpoint_id: WebhookEndpointId
    event: Event
    create_time: datetime
    is_stored: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A delivery that is due. is_failing: its endpoint has only failed for SUSPECT_AFTER. is_mail: of an EMAIL."""

    webhook_endpoint_id: WebhookEndpointId
    delivery_id: DeliveryId
    is_failing: bool = False
    is_mail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProgress:
    """The recipients of a mail that need no more attempts. refused: why; forgotten at a replay."""

    accepted: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A leased attempt. tries: the attempts of this round, including this one. mailed: by the earlier ones."""

    delivery_id: DeliveryId
    webhook_endpoint_id: WebhookEndpointId
    attempts: int
    tries: int
    give_up_time: datetime
    payload: str
    mailed: MailProgress = MailProgress()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of an attempt: an HTTP status or SMTP reply code, or 0 and an error."""

    status_code: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The endpoint accepted the notification."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The delivery is due again at `due_time`."""

    due_time: datetime


@dataclass(frozen=True, slots=True)
class FinalFailure:
    """The delivery was retried long enough and is given up."""


@dataclass(frozen=True, slots=True)
class GoneEndpoint:
    """The endpoint answered 410 Gone: it is disabled."""


Verdict = Acceptance | Retry | FinalFailure | GoneEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is recorded of an attempt. is_success: it ends the endpoint's row of failures. mailed: of a mail only."""

    verdict: Verdict
    answer: Answer
    is_success: bool
    mailed: MailProgress | None = None


def judge(attempt: Attempt, answer: Answer, *, at: datetime, jitter: float) -> Verdict:
    """Return what happens to a delivery after an attempt that ended at `at`. jitter: see backoff."""
    if answer.status_code in _ACCEPTED:
        return Acceptance()
    if answer.status_code == _GONE:
        return GoneEndpoint()
    return backoff_end(attempt, at=at, jitter=jitter)


def backoff_end(attempt: Attempt, *, at: datetime, jitter: float) -> Retry | FinalFailure:
    """Return when a failed attempt that ended at `at` is repeated, if it is.

    The last attempt is due at give_up_time itself. Only an attempt that ends then or later gives up.
    """
    if at < attempt.give_up_time:
        return Retry(min(at + backoff(attempt.tries, jitter=jitter), attempt.give_up_time))
    return FinalFailure()


def backoff(tries: int, *, jitter: float) -> timedelta:
    """Return the wait after the n-th attempt: up to 1 s, doubling up to 6 h, with full jitter.

    tries: n ≥ 1; jitter: 0 ≤ jitter ≤ 1, the share of that span to wait.
    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    doubled: timedelta = BACKOFF_FIRST * 2 ** min(tries - 1, _DOUBLINGS_MAX)
    return min(doubled, BACKOFF_MAX) * jitter


def error_of(answer: Answer) -> str:
    """Return the stored error of a failed attempt. It contains nothing of the response's body."""
    return answer.error or f"answered {answer.status_code}"
