# SPDX-License-Identifier: Apache-2.0
import asyncio
import logging

import asyncpg
import grpc
import pytest
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from grpc.aio import AioRpcError
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from meshkit.errors import FieldViolation, InvalidFields, MeshError, NotFound
from meshkit.rpc.status import DETAILS_KEY, from_rpc_error
from tests.rpc.meshkit.conftest import METHOD, Answer, Start


class JarNotFound(NotFound):
    reason = "JAR_NOT_FOUND"


def raising(error: Exception) -> Answer:
    async def answer(_: str) -> str:
        raise error

    return answer


async def echo(text: str) -> str:
    return text


async def refused(start: Start, error: Exception) -> AioRpcError:
    """Return the error that a caller gets when the service raises `error`."""
    probe = await start(raising(error))
    with pytest.raises(AioRpcError) as caught:
        await probe.ask()
    return caught.value


def reason_of(error: AioRpcError) -> str:
    info = ErrorInfo()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            status_pb2.Status.FromString(value).details[0].Unpack(info)
    reason: str = info.reason
    return reason


def counted(code: str, reason: str = "") -> float:
    labels = {"service": "probe", "rpc": METHOD, "code": code, "reason": reason}
    return REGISTRY.get_sample_value("mesh_rpc_requests_total", labels) or 0.0


async def test_a_fault_arrives_with_all_its_details(start: Start) -> None:
    heard = from_rpc_error(await refused(start, JarNotFound("jar '漢' is not known", jar_id="漢")))

    assert isinstance(heard, NotFound)
    assert (heard.reason, heard.message, heard.metadata) == (
        "JAR_NOT_FOUND",
        "jar '漢' is not known",
        {"jar_id": "漢"},
    )


async def test_a_thousand_bad_fields_still_arrive_as_invalid_argument(start: Start) -> None:
    violations = [
        FieldViolation(f"items[{number}].amount_micros", "must be at least 0") for number in range(1_000)
    ]

    error = await refused(start, InvalidFields(violations))

    heard = from_rpc_error(error)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert isinstance(heard, InvalidFields)
    assert heard.violations == tuple(violations[: len(heard.violations)])


async def test_an_unexpected_error_is_internal_without_its_text_and_logged_once(start: Start) -> None:
    with capture_logs() as logs:
        error = await refused(start, RuntimeError("password=hunter2"))

    assert error.code() is grpc.StatusCode.INTERNAL
    assert "hunter2" not in repr(error)
    assert [(log["event"], log["rpc"], str(log["exc_info"])) for log in logs] == [
        ("rpc_failed", METHOD, "password=hunter2")
    ]


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (asyncpg.ConnectionDoesNotExistError("x"), grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
        (asyncpg.TooManyConnectionsError("x"), grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
        (ConnectionRefusedError("x"), grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
        (asyncpg.QueryCanceledError("x"), grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
        (asyncpg.SerializationError("x"), grpc.StatusCode.ABORTED, "TRANSACTION_CONFLICT"),
        (asyncpg.DeadlockDetectedError("x"), grpc.StatusCode.ABORTED, "TRANSACTION_CONFLICT"),
    ],
)
async def test_a_database_fault_is_not_an_internal_error(
    start: Start, error: Exception, code: grpc.StatusCode, reason: str
) -> None:
    heard = await refused(start, error)

    assert (heard.code(), reason_of(heard)) == (code, reason)


async def test_an_unavailable_database_is_logged_once_for_many_calls(start: Start) -> None:
    probe = await start(raising(ConnectionRefusedError("away")))

    with capture_logs() as logs:
        await asyncio.gather(*(probe.ask() for _ in range(20)), return_exceptions=True)

    assert [log["event"] for log in logs] == ["database_unavailable"]


async def test_a_call_that_works_or_is_refused_is_counted_and_not_logged(start: Start) -> None:
    ok, not_found = counted("OK"), counted("NOT_FOUND", "JAR_NOT_FOUND")
    probe = await start(echo)

    with capture_logs() as logs:
        assert await probe.ask("hello") == "hello"
        await refused(start, JarNotFound("no jar"))

    assert logs == []
    assert counted("OK") == ok + 1
    assert counted("NOT_FOUND", "JAR_NOT_FOUND") == not_found + 1


@pytest.mark.parametrize("ending", ["cancelled", "too late"])
async def test_a_caller_that_disconnects_is_not_an_error(
    start: Start, caplog: pytest.LogCaptureFixture, ending: str
) -> None:
    called, ended = asyncio.Event(), asyncio.Event()

    async def answer(_: str) -> str:
        called.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    probe = await start(answer)
    before = counted("CANCELLED")

    with capture_logs() as logs, caplog.at_level(logging.WARNING):
        caller = asyncio.create_task(probe.ask(seconds=0.5 if ending == "too late" else None))
        await called.wait()
        if ending == "cancelled":
            caller.cancel()
        await asyncio.wait([caller])
        await ended.wait()
        await probe.server.stop(0)

    assert logs == []
    assert caplog.records == []
    assert counted("CANCELLED") == before + 1


async def test_a_fault_after_the_caller_disconnected_is_not_an_error(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    called, ended = asyncio.Event(), asyncio.Event()

    async def answer(_: str) -> str:
        called.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise JarNotFound("too late to answer") from None
        finally:
            ended.set()
        return ""

    probe = await start(answer)

    with capture_logs() as logs, caplog.at_level(logging.WARNING):
        caller = asyncio.create_task(probe.ask())
        await called.wait()
        caller.cancel()
        await asyncio.wait([caller])
        await ended.wait()
        await probe.server.stop(0)

    assert logs == []
    assert caplog.records == []


async def test_a_peers_fault_passed_on_keeps_its_reason(start: Start) -> None:
    back = await start(raising(JarNotFound("no jar", jar_id="j")))

    async def ask_back(text: str) -> str:
        return await back.ask(text)

    front = await start(ask_back)

    with pytest.raises(AioRpcError) as caught:
        await front.ask()

    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.NOT_FOUND, "JAR_NOT_FOUND")


async def test_a_peer_that_does_not_run_is_unavailable(start: Start) -> None:
    back = await start(echo)
    await back.server.stop(0)

    async def ask_back(text: str) -> str:
        return await back.ask(text)

    front = await start(ask_back)

    with pytest.raises(AioRpcError) as caught:
        await front.ask()

    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE")
    assert isinstance(from_rpc_error(caught.value), MeshError)


async def test_an_unknown_method_is_unimplemented_and_not_counted_by_name(start: Start) -> None:
    probe = await start(echo)
    invented: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = probe.channel.unary_unary(
        "/probe.v1.Probe/Invented"
    )

    with pytest.raises(AioRpcError) as caught:
        await invented(b"")

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
