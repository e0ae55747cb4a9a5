# SPDX-License-Identifier: Apache-2.0
"""Health on the port for probes: what it says while a server drains, and that it serves nothing else."""

import asyncio

import grpc
import pytest
from grpc.aio import AioRpcError

from deploy.local.ports import HOST, free_port
from meshkit.errors import PortTaken
from meshkit.rpc.client import open_channel
from meshkit.rpc.health import LIVENESS, READINESS, ServerHealth, open_health_port
from tests.rpc.meshkit.conftest import METHOD, SERVICE_NAME, Start
from tests.support.health import NOT_SERVING, SERVING, health_of, until_health

NOT_READY = ["", READINESS, SERVICE_NAME]


async def test_a_draining_server_is_alive_but_not_ready_until_its_last_call_is_answered(start: Start) -> None:
    called, may_answer = asyncio.Event(), asyncio.Event()

    async def slowly(text: str) -> str:
        called.set()
        await may_answer.wait()
        return text

    answers, address = ServerHealth(), f"{HOST}:{free_port()}"
    probed = await open_health_port("probe", address, answers)
    probe = await start(slowly, answers=answers)
    assert [await health_of(address, name) for name in (LIVENESS, *NOT_READY)] == [SERVING] * 4
    asked = asyncio.create_task(probe.ask("late"))
    await called.wait()

    stopping = asyncio.create_task(probe.server.stop(60.0))
    await until_health(address, NOT_SERVING, READINESS)

    assert [await health_of(address, name) for name in NOT_READY] == [NOT_SERVING] * 3
    assert await health_of(address, LIVENESS) == SERVING
    await answers.set_serving(True)  # such as a database that comes back now
    assert await health_of(address, READINESS) == NOT_SERVING
    may_answer.set()
    assert await asked == "late"
    await stopping
    await probed.stop(0)


async def test_the_port_for_probes_serves_health_and_nothing_else() -> None:
    address = f"{HOST}:{free_port()}"
    probed = await open_health_port("probe", address, ServerHealth())

    async with open_channel(address) as channel:
        with pytest.raises(AioRpcError) as refused:
            await channel.unary_unary(METHOD)(b"")
    with pytest.raises(PortTaken, match=f"probe's health cannot listen on {address}"):
        await open_health_port("probe", address, ServerHealth())

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    await probed.stop(0)
