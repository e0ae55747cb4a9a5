# SPDX-License-Identifier: Apache-2.0
"""What a real Envoy tells a service, and what it does when one fails: two servers stand in for Ledgers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from access.control import OpenAccess
from deploy.envoy.settings import Site
from deploy.local.identity import LocalIdentity, open_identity
from deploy.local.ports import HOST, free_port
from deploy.local.proxy import running_envoy
from meshkit.clock import SystemClock
from meshkit.errors import Unavailable
from meshkit.rpc.server import Listener, RpcService, RunningServer, start_server
from meshkit.rpc.tls import CertificateFiles, server_credentials
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_pb2_grpc
from tests.support.envoy import http_client
from tests.support.mesh import until


class Away(Unavailable):
    reason = "AWAY"


@dataclass
class Replica(ledger_pb2_grpc.LedgerServiceServicer):
    """Answers a balance with nothing. deadlines: the seconds that each call had. is_away: it refuses all."""

    deadlines: list[float] = field(default_factory=list)
    is_away: bool = False
    server: RunningServer | None = None

    async def GetBalance(self, request: pb.GetBalanceRequest, context: Any) -> pb.GetBalanceResponse:
        self.deadlines.append(context.time_remaining())
        if self.is_away:
            raise Away("this replica is away")
        return pb.GetBalanceResponse()


@dataclass(frozen=True)
class Scene:
    replicas: list[Replica]
    http: httpx.AsyncClient

    async def ask(self, customer: str = "acme", **headers: str) -> httpx.Response:
        return await self.http.get(f"/v1/customers/{customer}/balance", headers=headers)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    identity = open_identity(tmp_path, clock=SystemClock())
    replicas = [Replica(), Replica()]
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(_serving(one, identity)) for one in replicas]
        pages = await stack.enter_async_context(_pages())
        envoy = await stack.enter_async_context(
            running_envoy(
                {"ledger": addresses},
                identity,
                folder=tmp_path / "envoy",
                listen=f"{HOST}:{free_port()}",
                sites={"portal": Site(domain="portal.*", address=pages)},
            )
        )
        http = await stack.enter_async_context(http_client(envoy, identity))
        yield Scene(replicas, http)


@asynccontextmanager
async def _serving(replica: Replica, identity: LocalIdentity) -> AsyncIterator[str]:
    files = CertificateFiles(identity.files.chain("ledger"), identity.files.key("ledger"), None)
    server = await start_server(
        name="ledger",
        listeners=[Listener(f"{HOST}:0", server_credentials(files, asks_for_certificate=False))],
        access=OpenAccess(),
        services=[
            RpcService(
                "purser.ledger.v1.LedgerService",
                lambda server: ledger_pb2_grpc.add_LedgerServiceServicer_to_server(replica, server),
            )
        ],
    )
    replica.server = server
    try:
        yield f"{HOST}:{server.ports[0]}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def _pages() -> AsyncIterator[str]:
    """A site that answers each GET with the path and the host that were asked for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().split("\r\n")
            host = next(line.partition(":")[2].strip() for line in lines if line.lower().startswith("host:"))
            body = json.dumps([lines[0].split()[1], host]).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, HOST, 0)
    async with server:
        yield "{}:{}".format(*server.sockets[0].getsockname())


async def test_a_service_learns_the_deadline_of_a_json_caller_and_a_default(scene: Scene) -> None:
    await scene.ask(**{"grpc-timeout": "900m"})
    await scene.ask()
    [named, default] = [seconds for replica in scene.replicas for seconds in replica.deadlines]

    assert 0 < named <= 0.9
    assert 0.9 < default <= 5


async def test_a_call_that_one_replica_refuses_is_answered_by_the_other(scene: Scene) -> None:
    answers = [await scene.ask(f"c{number}") for number in range(10)]
    scene.replicas[0].is_away = True

    answers += [await scene.ask(f"c{number}") for number in range(10)]

    assert all(replica.deadlines for replica in scene.replicas)
    assert {answer.status_code for answer in answers} == {200}


async def test_a_call_that_every_replica_refuses_ends_with_the_reason_of_the_service(scene: Scene) -> None:
    for replica in scene.replicas:
        replica.is_away = True

    answer = await scene.ask()

    assert (answer.status_code, answer.json()["code"]) == (503, 14)
    assert answer.json()["details"][0]["reason"] == "AWAY"
    assert sum(len(replica.deadlines) for replica in scene.replicas) == 4  # three retries


async def test_a_replica_that_is_not_ready_gets_no_calls(scene: Scene) -> None:
    draining, other = scene.replicas
    assert draining.server is not None

    async def ask_ten() -> int:
        before = len(draining.deadlines)
        for number in range(10):
            assert (await scene.ask(f"c{number}")).status_code == 200
        return len(draining.deadlines) - before

    assert await ask_ten() > 0
    await draining.server.health.drain()

    assert await until(ask_ten, lambda calls: calls == 0) == 0
    assert other.deadlines


async def test_pages_pass_unchanged_by_their_host_name(scene: Scene) -> None:
    page = await scene.http.get("/v1/customers/acme/balance?x=1", headers={"host": "portal.vendor.example"})
    other = await scene.http.get("/", headers={"host": "www.vendor.example"})

    assert page.json() == ["/v1/customers/acme/balance?x=1", "portal.vendor.example"]
    assert other.status_code == 404
    assert scene.replicas[0].deadlines == scene.replicas[1].deadlines == []


async def test_a_service_with_the_certificate_of_another_one_is_not_called(tmp_path: Path) -> None:
    identity = open_identity(tmp_path, clock=SystemClock())
    impostor = Replica()
    identity.files.chain("ledger").write_bytes(identity.files.chain("alert").read_bytes())
    identity.files.key("ledger").write_bytes(identity.files.key("alert").read_bytes())
    async with (
        _serving(impostor, identity) as address,
        running_envoy(
            {"ledger": [address]}, identity, folder=tmp_path / "envoy", listen=f"{HOST}:{free_port()}"
        ) as envoy,
        http_client(envoy, identity) as http,
    ):
        answer = await http.get("/v1/customers/acme/balance")

    assert (answer.status_code, answer.json()["code"], impostor.deadlines) == (503, 14, [])
