# SPDX-License-Identifier: Apache-2.0
"""Retries on the test's clock: what is retried, after which pause, and when retries end."""

from datetime import timedelta

import pytest
from grpc import StatusCode

from purser_client import GateUnreachable, LedgerFault
from purser_client.ledger_client import send_with_retries
from purser_client.retry import RetrySchedule

AWAY = LedgerFault(StatusCode.UNAVAILABLE, "nobody is there")
RETRIED = {StatusCode.UNAVAILABLE, StatusCode.ABORTED, StatusCode.RESOURCE_EXHAUSTED, StatusCode.CANCELLED}


class Clock:
    """Seconds that advance when the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def patient(seconds: float, *, chance: float = 0.0, clock: Clock | None = None) -> RetrySchedule:
    return RetrySchedule(timedelta(seconds=seconds), now=clock or Clock(), chance=lambda: chance)


def test_pauses_double_up_to_half_a_second() -> None:
    patience = patient(60)

    pauses = [patience.pause_after(AWAY) for _ in range(7)]

    assert pauses == [0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5]


def test_jitter_shortens_a_pause_by_up_to_half() -> None:
    assert patient(60, chance=1.0).pause_after(AWAY) == 0.01


@pytest.mark.parametrize("code", list(StatusCode))
def test_only_transient_errors_are_retried(code: StatusCode) -> None:
    pause = patient(60).pause_after(LedgerFault(code, ""))

    assert (pause is not None) == (code in RETRIED)


def test_an_overloaded_ledger_is_not_called_before_its_retry_delay() -> None:
    busy = LedgerFault(StatusCode.RESOURCE_EXHAUSTED, "busy", retry_after=timedelta(seconds=3))

    assert patient(60).pause_after(busy) == 3.0
    assert patient(60, chance=1.0).pause_after(busy) == 3.75


def test_a_pause_that_would_pass_the_deadline_is_not_started() -> None:
    clock = Clock()
    patience = patient(0.05, clock=clock)

    assert patience.pause_after(AWAY) == 0.02
    clock.seconds += 0.02
    assert patience.pause_after(AWAY) is None


def test_the_time_left_never_falls_below_zero() -> None:
    clock = Clock()
    patience = patient(2, clock=clock)

    clock.seconds += 1.5
    assert patience.seconds_left() == 0.5
    clock.seconds += 1.5
    assert patience.seconds_left() == 0.0


def test_retries_end_even_when_the_clock_stands_still() -> None:
    patience = patient(60)

    for _ in range(999):
        assert patience.pause_after(AWAY) is not None
    assert patience.pause_after(AWAY) is None


async def test_the_same_request_is_sent_until_it_is_answered() -> None:
    sent: list[str] = []

    async def send(request: str, seconds: float) -> str:
        sent.append(request)
        if len(sent) < 3:
            raise AWAY.copy()
        return "answer"

    assert await send_with_retries(send, "request", RetrySchedule(timedelta(seconds=5))) == "answer"
    assert sent == ["request"] * 3


async def test_every_attempt_gets_the_remaining_time() -> None:
    clock = Clock()
    given: list[float] = []

    async def send(request: str, seconds: float) -> str:
        given.append(seconds)
        clock.seconds += 0.5
        raise AWAY.copy()

    with pytest.raises(GateUnreachable):
        await send_with_retries(send, "request", patient(1.25, clock=clock, chance=1.0))

    assert given == [1.25, 0.75, 0.25]


async def test_the_last_error_of_an_unavailable_ledger_is_raised() -> None:
    async def send(request: str, seconds: float) -> str:
        raise AWAY.copy()

    with pytest.raises(
        GateUnreachable, match="no answer in 1 attempt; the last fault: UNAVAILABLE"
    ) as raised:
        await send_with_retries(send, "request", patient(0.01))

    assert (raised.value.attempts, raised.value.fault.code) == (1, StatusCode.UNAVAILABLE)


async def test_a_permanent_error_is_raised_at_once_and_unchanged() -> None:
    sent: list[str] = []

    async def send(request: str, seconds: float) -> str:
        sent.append(request)
        raise LedgerFault(StatusCode.NOT_FOUND, "who?", reason="CUSTOMER_NOT_FOUND")

    with pytest.raises(LedgerFault, match="CUSTOMER_NOT_FOUND: who"):
        await send_with_retries(send, "request", RetrySchedule(timedelta(seconds=5)))

    assert len(sent) == 1
