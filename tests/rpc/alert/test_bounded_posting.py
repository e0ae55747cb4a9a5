# SPDX-License-Identifier: Apache-2.0
"""Receivers and name servers that waste Alert's time: each costs a bounded amount of it, and nobody else's."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from purser.alert.v1 import alert_pb2 as pb
from services.alert.domain.delivery import Answer
from services.alert.webhooks.bounded import HEAD_BYTES_MAX
from services.alert.webhooks.poster import HttpPoster
from services.alert.webhooks.resolver import THREADS_MAX, SystemResolver
from services.alert.webhooks.targets import CheckedTargets
from tests.rpc.alert.test_posting import LOCAL, a_posting
from tests.support.alert import RunningAlert, a_crossing, an_alert, until_delivery

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n"
FINAL = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"


@asynccontextmanager
async def receiver_of(*parts: bytes, repeats: bool = False) -> AsyncIterator[tuple[str, list[int]]]:
    """Serve HTTP that answers each request with `parts`, again and again if it `repeats`. Yields URL, bytes sent."""
    sent: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        sent.append(0)
        try:
            while True:
                for part in parts:
                    writer.write(part)
                    sent[-1] += len(part)
                await writer.drain()
                if not repeats:
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", sent


@pytest.fixture
async def poster() -> AsyncIterator[HttpPoster]:
    poster = HttpPoster(CheckedTargets(LOCAL, allow_private=True), connections_max=4, tls=None)
    yield poster
    await poster.close()


@pytest.mark.parametrize("interim", [CONTINUE, EARLY_HINTS])
async def test_a_receiver_that_sends_interim_responses_without_end_is_left(
    poster: HttpPoster, interim: bytes
) -> None:
    async with receiver_of(interim * 100, repeats=True) as (url, _):
        began = time.process_time()
        answer = await poster.post(a_posting(url))
        seconds = time.process_time() - began

    assert answer == Answer(error=f"no answer within {HEAD_BYTES_MAX} bytes")
    assert seconds < 2.0  # without the limit: all of the 10 s of a post


async def test_headers_without_end_are_left(poster: HttpPoster) -> None:
    async with receiver_of(b"HTTP/1.1 204 No Content\r\n", b"x: y\r\n" * 20_000, repeats=False) as (url, _):
        answer = await poster.post(a_posting(url))

    assert answer == Answer(error=f"no answer within {HEAD_BYTES_MAX} bytes")


async def test_a_few_interim_responses_before_the_final_one_are_fine(poster: HttpPoster) -> None:
    async with receiver_of(CONTINUE, EARLY_HINTS * 3, FINAL) as (url, _):
        assert await poster.post(a_posting(url)) == Answer(status_code=204)


async def test_interim_responses_that_fill_the_limit_leave_room_for_the_final_one(poster: HttpPoster) -> None:
    room = HEAD_BYTES_MAX - len(FINAL)
    padding = b"HTTP/1.1 103 Early Hints\r\nx: %s\r\n\r\n"
    interim = CONTINUE * (room // len(CONTINUE) - 4)
    rest = room - len(interim)
    interim += padding % (b"y" * (rest - len(padding % b"")))

    async with receiver_of(interim + FINAL) as (url, _):
        fits = await poster.post(a_posting(url))
    async with receiver_of(interim + b"HTTP/1.1 100 Continue\r\n\r\n" + FINAL) as (url, _):
        exceeds = await poster.post(a_posting(url))

    assert fits == Answer(status_code=204)
    assert exceeds == Answer(error=f"no answer within {HEAD_BYTES_MAX} bytes")


async def test_a_long_body_is_not_read(poster: HttpPoster) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n"
    async with receiver_of(head + b"x" * 1_000_000) as (url, _):
        assert await poster.post(a_posting(url)) == Answer(status_code=200)


async def test_the_error_of_a_delivery_does_not_name_the_address_that_refused(running: RunningAlert) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://localhost:{unused.getsockname()[1]}/"
        await running.stub.CreateWebhookEndpoint(pb.CreateWebhookEndpointRequest(request_id="e", url=url))
        low = await an_alert(running.stub)
        await running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

        failed = await until_delivery(running.stub, low.alert_id, lambda one: one.last_error != "")

    assert failed.last_error == "no connection"


class HangingNames:
    """getaddrinfo that hangs for hosts below hang.example, and answers others with 127.0.0.1."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        if host.endswith("hang.example"):
            self.release.wait(20)
            return []
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> HangingNames:
    """The machine's name server."""
    hanging = HangingNames()
    monkeypatch.setattr("services.alert.webhooks.resolver.socket.getaddrinfo", hanging)
    return hanging


async def test_hanging_lookups_stop_neither_addresses_nor_names_that_were_answered_before(
    names: HangingNames,
) -> None:
    resolver = SystemResolver()
    targets = CheckedTargets(resolver, allow_private=True, resolve_seconds_max=2.0)
    assert await targets.addresses("hooks.example", 80) == ("127.0.0.1",)

    hanging = [asyncio.create_task(resolver.resolve(f"{n}.hang.example", 80)) for n in range(40)]
    await asyncio.sleep(0)
    try:
        assert await targets.addresses("127.0.0.1", 80) == ("127.0.0.1",)
        assert await targets.addresses("::1", 80) == ("::1",)
        assert await targets.addresses("hooks.example", 80) == ("127.0.0.1",)
    finally:
        names.release.set()
        await asyncio.gather(*hanging)
        resolver.close()

    assert "127.0.0.1" not in names.asked
    assert len([host for host in names.asked if host.endswith("hang.example")]) >= THREADS_MAX


async def test_a_host_has_one_lookup_at_a_time_for_all_who_ask(names: HangingNames) -> None:
    resolver = SystemResolver()
    asking = [asyncio.create_task(resolver.resolve("a.hang.example", 80)) for _ in range(40)]
    await asyncio.sleep(0)
    asking[0].cancel()  # one that gives up takes nothing from the others
    names.release.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    resolver.close()

    assert names.asked == ["a.hang.example"]
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [()] * 39
