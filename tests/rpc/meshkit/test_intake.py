# SPDX-License-Identifier: Apache-2.0
"""More calls, larger messages and slower callers than a server takes in: each gets a reason, and others go on."""

import asyncio
from collections import Counter
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.rpc.intake import MESSAGE_BYTES_MAX, READS_PER_CONNECTION, REQUEST_BYTES_MAX, Intake
from meshkit.rpc.server import STREAMS_PER_CONNECTION_MAX
from meshkit.rpc.status import DETAILS_KEY
from tests.rpc.meshkit.conftest import METHOD, Probe, Start
from tests.support.faults import fault, outcome
from tests.support.raw_http2 import RawConnection

SERVING = health_pb2.HealthCheckResponse.SERVING
HEALTH = "/grpc.health.v1.Health/Check"


class Held:
    """An answer that waits until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, text: str) -> str:
        await self.go.wait()
        return text


async def echo(text: str) -> str:
    return text


async def grow(text: str) -> str:
    return text * 1_000_000


async def until(probe: Probe, condition: Any) -> None:
    """Return when a condition about the server holds; between two looks, it answers a call."""
    async with asyncio.timeout(30):
        while not condition():
            await is_healthy(probe)


async def is_healthy(probe: Probe) -> bool:
    response = await health_pb2_grpc.HealthStub(probe.channel).Check(health_pb2.HealthCheckRequest())
    return bool(response.status == SERVING)


def address_of(probe: Probe) -> str:
    return f"127.0.0.1:{probe.server.ports[0]}"


def retry_seconds(error: AioRpcError) -> float:
    info = RetryInfo()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            assert Status.FromString(value).details[1].Unpack(info)
    seconds: float = info.retry_delay.ToTimedelta().total_seconds()
    return seconds


async def test_of_4000_calls_those_beyond_the_limit_are_refused_with_a_reason_and_no_other_fails(
    start: Start,
) -> None:
    held = Held()
    probe = await start(held, intake=Intake(calls_max=500))
    channels = [grpc.aio.insecure_channel(address_of(probe), options=_own_connection(n)) for n in range(40)]
    asks: list[Any] = [channel.unary_unary(METHOD) for channel in channels for _ in range(100)]
    calls = [asyncio.ensure_future(_outcome(ask)) for ask in asks]

    await until(probe, lambda: sum(call.done() for call in calls) == 3_500)
    assert probe.server.intake.open_calls == 500
    assert await is_healthy(probe)
    held.go.set()
    outcomes = Counter(await asyncio.gather(*calls))

    assert outcomes == {"OK": 500, "RESOURCE_EXHAUSTED, retry after 1.0 s": 3_500}
    await until(probe, lambda: probe.server.intake.open_calls == 0)
    for channel in channels:
        await channel.close()


async def _outcome(ask: Any) -> str:
    try:
        await ask(b"")
    except AioRpcError as error:
        return f"{error.code().name}, retry after {retry_seconds(error)} s"
    return "OK"


def _own_connection(number: int) -> tuple[tuple[str, int], ...]:
    return (("grpc.use_local_subchannel_pool", 1), ("test.number", number))


async def test_more_calls_than_a_connection_has_streams_wait_at_the_caller(start: Start) -> None:
    probe = await start(echo)
    async with grpc.aio.insecure_channel(address_of(probe)) as channel:
        ask: Any = channel.unary_unary(METHOD)

        answers = await asyncio.gather(*(ask(b"") for _ in range(4 * STREAMS_PER_CONNECTION_MAX)))

    assert answers == [b""] * len(answers)


async def test_calls_without_a_message_stop_neither_health_nor_other_callers(start: Start) -> None:
    probe = await start(echo)
    async with (
        RawConnection.to(address_of(probe)) as first,
        RawConnection.to(address_of(probe)) as second,
    ):
        for connection in (first, second):
            await connection.start(METHOD, STREAMS_PER_CONNECTION_MAX + 44)
            await connection.until_ended(44)
        await until(probe, lambda: probe.server.intake.arriving_calls == 2 * STREAMS_PER_CONNECTION_MAX)

        assert await is_healthy(probe)
        assert await probe.ask("others") == "others"
        assert first.ended == second.ended == {"RST_STREAM": 44}
        await until(probe, lambda: probe.server.intake.open_calls == 0)  # half-open ones do not count
    await until(probe, lambda: probe.server.intake.arriving_calls == 0)


async def test_health_is_answered_beside_half_open_calls_of_health_itself(start: Start) -> None:
    probe = await start(echo)
    async with RawConnection.to(address_of(probe)) as connection:
        await connection.start(HEALTH, 100)
        await until(probe, lambda: probe.server.intake.arriving_calls == 100)

        assert await is_healthy(probe)


async def test_a_message_that_does_not_arrive_is_not_waited_for(start: Start) -> None:
    probe = await start(echo, intake=Intake(arrival_seconds=0.01))
    half_open: Any = probe.channel.stream_unary(METHOD)

    assert await outcome(half_open()) == (grpc.StatusCode.UNAVAILABLE, "MESSAGE_LATE")
    async with RawConnection.to(address_of(probe)) as connection:
        await connection.start(METHOD, 100)
        await connection.until_ended(100)

    assert connection.ended == {"trailers": 100}
    assert probe.server.intake.arriving_calls == 0


async def test_a_call_that_ends_without_a_message_is_an_error_of_the_caller(start: Start) -> None:
    probe = await start(echo)
    empty: Any = probe.channel.stream_unary(METHOD)

    with fault(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_MISSING"):
        await empty(iter([]))


async def test_responses_that_nobody_reads_count_as_open_calls_of_one_connection(start: Start) -> None:
    probe = await start(grow)
    async with RawConnection.to(address_of(probe), window=0) as connection:
        await connection.start(METHOD, 2 * STREAMS_PER_CONNECTION_MAX, message=b"\x0a\x01x")
        await connection.until_ended(STREAMS_PER_CONNECTION_MAX)
        await until(probe, lambda: probe.server.intake.open_calls == STREAMS_PER_CONNECTION_MAX)

        assert connection.ended == {"RST_STREAM": STREAMS_PER_CONNECTION_MAX}
        assert len(await probe.ask("x")) == 1_000_000
    await until(probe, lambda: probe.server.intake.open_calls == 0)


@pytest.mark.parametrize("bytes_max", [None, 1_000, MESSAGE_BYTES_MAX])
async def test_a_request_of_the_largest_size_is_taken_and_one_byte_more_is_not(
    start: Start, bytes_max: int | None
) -> None:
    probe = await start(length, bytes_max={} if bytes_max is None else {"Ask": bytes_max})
    largest = REQUEST_BYTES_MAX if bytes_max is None else bytes_max
    text = "x" * (largest - _overhead(largest))

    assert await probe.ask(text) == str(len(text))
    if largest == MESSAGE_BYTES_MAX:
        with pytest.raises(AioRpcError, match="larger than max") as refused:
            await probe.ask(f"{text}x")
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    else:
        with fault(
            grpc.StatusCode.INVALID_ARGUMENT,
            "MESSAGE_TOO_LARGE",
            bytes=str(largest + 1),
            bytes_max=str(largest),
        ):
            await probe.ask(f"{text}x")


async def length(text: str) -> str:
    return str(len(text))


def _overhead(size: int) -> int:
    """Return the bytes of a StringValue of this size that are not its text."""
    return 3 if size < 20_000 else 5


async def test_a_message_is_not_read_while_the_server_is_full(start: Start) -> None:
    held = Held()
    probe = await start(held, intake=Intake(calls_max=1))
    first = asyncio.create_task(probe.ask())
    await until(probe, lambda: probe.server.intake.open_calls == 1)

    # This call would stay half-open; it is refused without its message.
    half_open: Any = probe.channel.stream_unary(METHOD)
    with fault(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS"):
        await half_open()
    assert await is_healthy(probe)

    held.go.set()
    await first
    assert await probe.ask("again") == "again"


async def test_of_one_connection_a_few_messages_are_read_at_once_and_of_others_as_many(start: Start) -> None:
    probe = await start(length)
    async with (
        RawConnection.to(address_of(probe)) as first,
        RawConnection.to(address_of(probe)) as second,
    ):
        await first.start(METHOD, 50)
        await until(probe, lambda: probe.server.intake.arriving_calls == 50)
        assert probe.server.intake.reading_calls == READS_PER_CONNECTION

        await second.start(METHOD, 2)
        await until(probe, lambda: probe.server.intake.arriving_calls == 52)
        assert probe.server.intake.reading_calls == READS_PER_CONNECTION + 2
        assert await probe.ask("x" * 3_000_000) == "3000000"
    await until(probe, lambda: probe.server.intake.arriving_calls == 0)
    assert probe.server.intake.reading_calls == 0


async def test_a_message_that_waits_for_its_turn_is_read_when_an_earlier_one_has_come(start: Start) -> None:
    probe = await start(length)
    async with RawConnection.to(address_of(probe)) as connection:
        await connection.start(METHOD, READS_PER_CONNECTION)
        await connection.start(METHOD, 3, message=b"")
        await until(probe, lambda: probe.server.intake.arriving_calls == READS_PER_CONNECTION + 3)
        assert connection.ended == {}

        await connection.finish(1, message=b"")
        await connection.until_ended(4)

        assert connection.ended == {"trailers": 4}
        assert probe.server.intake.arriving_calls == READS_PER_CONNECTION - 1
