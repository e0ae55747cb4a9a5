# SPDX-License-Identifier: Apache-2.0
import asyncio
import socket
from collections.abc import AsyncIterator

import grpc
import httpx
import pytest
from grpc.aio import AioRpcError, InternalError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from access.control import OpenAccess
from meshkit.errors import PortTaken
from meshkit.metrics import RPC_REQUESTS, serve_metrics
from meshkit.rpc import client, deadline
from meshkit.rpc.intake import Intake
from meshkit.rpc.server import Listener, RunningServer, start_server
from tests.rpc.meshkit.conftest import METHOD, SERVICE_NAME, Probe, Start
from tests.support.faults import fault

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def echo(text: str) -> str:
    return text


async def time_left(_: str) -> str:
    return str(deadline.time_left())


async def health_of(probe: Probe, service_name: str) -> int:
    stub = health_pb2_grpc.HealthStub(probe.channel)
    response = await stub.Check(health_pb2.HealthCheckRequest(service=service_name))
    status: int = response.status
    return status


async def ask_reflection(
    probe: Probe, version: str, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    call = probe.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    async for response in call(iter([request])):
        return response
    raise AssertionError("reflection did not answer")


async def test_a_service_knows_its_callers_deadline(start: Start) -> None:
    probe = await start(time_left)

    assert 0 < float(await probe.ask(seconds=3.0)) < 3.5


async def test_a_call_without_a_timeout_gets_that_of_the_channel(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CALL_SECONDS_MAX", 20.0)
    probe = await start(time_left)

    assert 10.0 < float(await probe.ask()) < 21.0  # gRPC rounds time limits up on the wire


async def test_a_call_of_another_grpc_client_has_no_deadline_by_default(start: Start) -> None:
    probe = await start(time_left)

    async with grpc.aio.insecure_channel(f"127.0.0.1:{probe.server.ports[0]}") as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        assert b"None" in await call(b"")


@pytest.mark.parametrize("own", [None, 8.0])
async def test_a_nested_call_ends_with_the_outer_call(start: Start, own: float | None) -> None:
    back = await start(time_left)

    async def ask_back(text: str) -> str:
        return await back.ask(text, seconds=own)

    front = await start(ask_back)

    assert 0 < float(await front.ask(seconds=3.0)) < 3.5


async def test_calls_do_not_share_their_deadlines(start: Start) -> None:
    probe = await start(time_left)

    left = await asyncio.gather(*(probe.ask(seconds=seconds) for seconds in (2.0, 4.0, 6.0, 8.0)))

    assert [round(float(one) / 2) for one in left] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "raw", [b"\xff", b"\x0a\x05abc", b"\x0a\x02\xc3\x28"], ids=["garbage", "cut", "not UTF-8"]
)
async def test_bytes_that_are_no_message_are_an_error_of_the_caller(start: Start, raw: bytes) -> None:
    probe = await start(echo)
    refused = RPC_REQUESTS.labels("probe", METHOD, "INVALID_ARGUMENT", "MESSAGE_MALFORMED")
    before = refused._value.get()

    with fault(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_MALFORMED"):
        await probe.channel.unary_unary(METHOD)(raw)

    assert refused._value.get() == before + 1
    assert await probe.ask("still here") == "still here"


async def test_health_is_reported_for_the_server_and_for_each_service(start: Start) -> None:
    probe = await start(echo)

    assert await health_of(probe, "") == SERVING
    assert await health_of(probe, SERVICE_NAME) == SERVING
    with pytest.raises(AioRpcError) as caught:
        await health_of(probe, "no.such.Service")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


HEALTH = "/grpc.health.v1.Health"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


async def test_bytes_that_are_no_message_are_refused_by_methods_with_a_stream_of_responses_too(
    start: Start,
) -> None:
    probe = await start(echo)

    async def said(responses: AsyncIterator[bytes]) -> list[bytes]:
        return [one async for one in responses]

    with fault(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_MALFORMED"):
        await said(probe.channel.unary_stream(f"{HEALTH}/Watch")(b"\xff"))
    with fault(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_MALFORMED"):
        await said(probe.channel.stream_stream(REFLECTION)(iter([b"\xff"])))
    assert await health_of(probe, "") == SERVING


async def test_a_method_of_a_library_that_is_not_implemented_says_so(start: Start) -> None:
    probe = await start(echo)

    with fault(grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNIMPLEMENTED"):
        await health_pb2_grpc.HealthStub(probe.channel).List(health_pb2.HealthListRequest())


async def test_a_status_that_a_library_sends_itself_is_counted_and_is_no_failure(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    probe = await start(echo)
    unknown = RPC_REQUESTS.labels("probe", f"{HEALTH}/Check", "NOT_FOUND", "")
    before = unknown._value.get()

    with pytest.raises(AioRpcError):
        await health_of(probe, "no.such.Service")

    # It is counted after it was sent, so the caller may have it before.
    async with asyncio.timeout(10):
        while unknown._value.get() == before:
            await probe.ask()
    assert unknown._value.get() == before + 1
    assert "rpc_failed" not in capsys.readouterr().out


async def test_a_caller_that_disconnects_while_its_answer_is_sent_is_no_failure_of_the_service(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    async def lose(_: str) -> str:
        raise InternalError(
            "the answer could not be sent"
        )  # what gRPC raises in a servicer that writes itself

    probe = await start(lose)

    with pytest.raises(AioRpcError) as caught:
        await probe.ask()

    assert caught.value.code() is grpc.StatusCode.CANCELLED
    assert "rpc_failed" not in capsys.readouterr().out


async def test_a_stopping_server_reports_it_and_finishes_the_call_in_progress(start: Start) -> None:
    called, finish = asyncio.Event(), asyncio.Event()

    async def answer(_: str) -> str:
        called.set()
        await finish.wait()
        return "done"

    probe = await start(answer)
    watched = health_pb2_grpc.HealthStub(probe.channel).Watch(health_pb2.HealthCheckRequest(service=""))
    assert (await watched.read()).status == SERVING
    caller = asyncio.create_task(probe.ask())
    await called.wait()

    stopping = asyncio.create_task(probe.server.stop(5.0))
    told = await watched.read()
    watched.cancel()
    finish.set()

    assert told.status == NOT_SERVING
    assert await caller == "done"
    await stopping


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services_and_describes_their_files(start: Start, version: str) -> None:
    probe = await start(echo)

    listed = await ask_reflection(probe, version, reflection_pb2.ServerReflectionRequest(list_services=""))
    described = await ask_reflection(
        probe, version, reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health")
    )

    names = {service.name for service in listed.list_services_response.service}
    assert {SERVICE_NAME, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= names
    assert described.file_descriptor_response.file_descriptor_proto


async def test_a_taken_port_gives_one_clear_line(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    probe = await start(echo)
    address = f"127.0.0.1:{probe.server.ports[0]}"

    with pytest.raises(PortTaken) as caught:
        await start_server(name="twin", listeners=[Listener(address)], access=OpenAccess(), services=[])

    assert caught.value.message == (
        f"twin cannot listen on {address}: the port is taken (or the address is not of this machine)"
    )
    assert capfd.readouterr().err == ""


async def test_an_address_of_another_machine_is_refused_in_the_same_way() -> None:
    with pytest.raises(PortTaken, match=r"192\.0\.2\.1:7001"):
        await start_server(
            name="far", listeners=[Listener("192.0.2.1:7001")], access=OpenAccess(), services=[]
        )


async def test_a_port_above_65535_is_refused_in_the_same_way() -> None:
    with pytest.raises(PortTaken, match=r"127\.0\.0\.1:65536"):
        await start_server(
            name="far", listeners=[Listener("127.0.0.1:65536")], access=OpenAccess(), services=[]
        )


async def test_processes_share_a_port_only_when_both_request_it() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    async def started(reuse_port: bool) -> int:
        server = await start_server(
            name="twin",
            listeners=[Listener(address)],
            access=OpenAccess(),
            services=[],
            reuse_port=reuse_port,
        )
        running.append(server)
        return server.ports[0]

    running: list[RunningServer] = []
    assert await started(True) == await started(True)
    with pytest.raises(PortTaken):
        await started(False)
    for server in running:
        await server.stop(0)


async def test_calls_above_the_limit_are_refused_as_overload(start: Start) -> None:
    called, finish = asyncio.Event(), asyncio.Event()

    async def answer(_: str) -> str:
        called.set()
        await finish.wait()
        return "done"

    probe = await start(answer, intake=Intake(calls_max=1))
    first = asyncio.create_task(probe.ask())
    await called.wait()

    with pytest.raises(AioRpcError) as caught:
        await probe.ask()
    finish.set()

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await first == "done"


async def test_metrics_are_served_at_the_configured_address(start: Start) -> None:
    await (await start(echo)).ask()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    stop = serve_metrics("127.0.0.1", port)
    async with httpx.AsyncClient(trust_env=False) as client:
        page = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    stop()

    assert f'mesh_rpc_requests_total{{code="OK",reason="",rpc="{METHOD}",service="probe"}}' in page


def test_metrics_on_a_taken_port_are_refused_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PortTaken, match=f"metrics cannot listen on 127.0.0.1:{port}"):
            serve_metrics("127.0.0.1", port)
