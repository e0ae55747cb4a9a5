# SPDX-License-Identifier: Apache-2.0
"""HTTP beside gRPC: it serves until it is stopped, and says so if it cannot."""

import asyncio

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deploy.local.ports import HOST, free_port
from meshkit.errors import PortTaken
from meshkit.http_server import HttpServer
from meshkit.tracing import traces
from tests.support.trace_collector import TracesTo, trace_collector


async def _hello(request: Request) -> Response:
    return PlainTextResponse("hello")


def a_server(port: int) -> HttpServer:
    return HttpServer("hello", Starlette(routes=[Route("/", _hello)]), f"{HOST}:{port}")


async def test_it_serves_until_it_is_stopped_and_frees_its_port() -> None:
    port = free_port()
    for _ in range(2):
        server = a_server(port)
        await server.start()
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"http://{HOST}:{port}/")).text == "hello"
        await server.stop()

    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://{HOST}:{port}/")


async def test_a_request_that_is_being_served_is_answered_before_the_server_has_stopped() -> None:
    came, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        came.set()
        await may_answer.wait()
        return PlainTextResponse("late")

    server = HttpServer("slow", Starlette(routes=[Route("/", slow)]), f"{HOST}:{free_port()}")
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as http:
        asked = asyncio.create_task(http.get(f"http://{HOST}:{server.port}/"))
        await came.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        may_answer.set()

        assert (await asked).text == "late"
        await stopping


async def test_a_server_that_has_only_just_started_can_be_stopped() -> None:
    server = a_server(free_port())
    await server.start()

    await server.stop()

    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://{HOST}:{server.port}/")


async def test_a_draining_server_is_alive_but_not_ready_and_still_serves() -> None:
    server = a_server(free_port())
    await server.start()
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://{HOST}:{server.port}") as http:
        before = [(await http.get(path)).status_code for path in ("/healthz", "/readyz")]
        await server.drain()
        after = [(await http.get(path)).status_code for path in ("/healthz", "/readyz")]

        assert (before, after) == ([200, 200], [200, 503])
        assert (await http.get("/")).text == "hello"
    await server.stop()


async def test_a_port_that_is_taken_or_impossible_is_a_fault_that_names_it() -> None:
    port = free_port()
    first = a_server(port)
    await first.start()
    try:
        with pytest.raises(PortTaken, match=f"hello cannot listen on {HOST}:{port}"):
            await a_server(port).start()
    finally:
        await first.stop()
    with pytest.raises(PortTaken, match="65536"):
        await a_server(65_536).start()


def _counted(**labels: str) -> float:
    labels = {"server": "counted", "method": "GET", **labels}
    return REGISTRY.get_sample_value("mesh_http_requests_total", labels) or 0.0


async def test_requests_are_counted_by_the_pattern_of_their_route_and_probes_are_not() -> None:
    async def failing(request: Request) -> Response:
        raise RuntimeError(request.path_params["name"])

    routes = [Route("/names/{name}", _hello), Route("/failing/{name}", failing)]
    server = HttpServer("counted", Starlette(routes=routes), f"{HOST}:0")
    await server.start()
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://{HOST}:{server.port}") as http:
        for path in ("/healthz", "/names/ann", "/names/ben", "/failing/ann", "/nowhere/ann"):
            await http.get(path)
        await http.request("INVENTED", "/names/ann")
    await server.stop()

    assert _counted(route="/names/{name}", status="200") == 2
    assert _counted(route="/failing/{name}", status="500") == 1
    assert _counted(route="", status="404") == 1
    assert _counted(method="other", route="/names/{name}", status="405") == 1
    assert REGISTRY.get_sample_value("mesh_http_seconds_count", {"server": "counted", "route": ""}) == 1
    assert _counted(route="", status="200") == 0  # the probe


async def test_a_request_that_its_caller_traces_is_a_span_and_a_probe_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    traceparent = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    async with trace_collector() as collector:
        with traces("hello", TracesTo(collector.address, 0.0)):
            server = a_server(free_port())
            await server.start()
            async with httpx.AsyncClient(trust_env=False, base_url=f"http://{HOST}:{server.port}") as http:
                await http.get("/healthz", headers=traceparent)
                await http.get("/", headers=traceparent)
            await server.stop()
            [span] = await collector.until({("hello", "GET")}, lambda one: one.service == "hello")

    assert (span.trace_id, span.span.parent_span_id.hex()) == ("a" * 32, "b" * 16)
    assert span.attributes == {
        "http.request.method": "GET",
        "url.path": "/",
        "http.response.status_code": 200,
    }
