# SPDX-License-Identifier: Apache-2.0
"""What becomes of a delivery after a try."""

from datetime import UTC, datetime, timedelta

import pytest

from services.alert.domain.delivery import (
    GIVE_UP_AFTER,
    LEASE,
    POST_SECONDS_MAX,
    Acceptance,
    Answer,
    Attempt,
    DeliveryId,
    FinalFailure,
    GoneEndpoint,
    Retry,
    backoff,
    error_of,
    judge,
)
from services.alert.domain.endpoint import WebhookEndpointId

NOW = datetime(2026, 11, 22, tzinfo=UTC)
GIVE_UP = NOW + GIVE_UP_AFTER
TICK = timedelta(microseconds=1)


def an_attempt(tries: int = 1) -> Attempt:
    return Attempt(
        delivery_id=DeliveryId("dlv_1"),
        webhook_endpoint_id=WebhookEndpointId("end_1"),
        attempts=tries,
        tries=tries,
        give_up_time=GIVE_UP,
        payload="{}",
    )


@pytest.mark.parametrize("status_code", [200, 201, 204, 299])
def test_any_2xx_is_accepted_even_after_the_last_moment(status_code: int) -> None:
    assert judge(an_attempt(), Answer(status_code=status_code), at=GIVE_UP, jitter=1) == Acceptance()


@pytest.mark.parametrize("status_code", [0, 101, 199, 300, 302, 307, 400, 404, 409, 411, 429, 500, 503, 599])
def test_anything_else_is_tried_again(status_code: int) -> None:
    answer = Answer(status_code=status_code, error="" if status_code else "no connection")

    assert judge(an_attempt(), answer, at=NOW, jitter=1) == Retry(NOW + timedelta(seconds=1))


def test_gone_is_for_good() -> None:
    assert judge(an_attempt(), Answer(status_code=410), at=NOW, jitter=1) == GoneEndpoint()


@pytest.mark.parametrize(
    ("tries", "seconds"),
    [(1, 1), (2, 2), (3, 4), (11, 1_024), (15, 16_384), (16, 21_600), (17, 21_600), (1_000, 21_600)],
)
def test_the_wait_doubles_from_a_second_up_to_six_hours(tries: int, seconds: int) -> None:
    assert backoff(tries, jitter=1) == timedelta(seconds=seconds)
    assert backoff(tries, jitter=0.5) == timedelta(seconds=seconds) / 2
    assert backoff(tries, jitter=0) == timedelta(0)


def test_the_last_try_is_due_when_two_days_are_over_and_not_later() -> None:
    failed = Answer(status_code=500)
    hours = timedelta(hours=1)

    assert judge(an_attempt(30), failed, at=GIVE_UP - 7 * hours, jitter=1) == Retry(GIVE_UP - hours)
    assert judge(an_attempt(30), failed, at=GIVE_UP - 6 * hours, jitter=1) == Retry(GIVE_UP)
    assert judge(an_attempt(30), failed, at=GIVE_UP - 5 * hours, jitter=1) == Retry(GIVE_UP)
    assert judge(an_attempt(30), failed, at=GIVE_UP - TICK, jitter=1) == Retry(GIVE_UP)
    assert judge(an_attempt(31), failed, at=GIVE_UP, jitter=1) == FinalFailure()
    assert judge(an_attempt(31), failed, at=GIVE_UP + TICK, jitter=1) == FinalFailure()


def test_what_is_kept_of_a_failure_is_its_status_or_its_reason() -> None:
    assert error_of(Answer(status_code=503)) == "answered 503"
    assert error_of(Answer(error="no answer within 10 s")) == "no answer within 10 s"


def test_a_try_ends_long_before_its_lease() -> None:
    assert timedelta(seconds=2 * POST_SECONDS_MAX) < LEASE
