# SPDX-License-Identifier: Apache-2.0
"""The service builder: the order in which parts start and stop, what a failure leaves open, and the sandbox clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import grpc
import pytest
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateSchema

from access import open_access
from audit import AuditTrail, audit_events_table
from meshkit.clock import ManualClock
from meshkit.config import MeshSettings
from meshkit.db import open_engine
from meshkit.formats import Format, Formats
from meshkit.ids import Ids
from meshkit.outbox import Notice, Outbox, dead_letters_table, outbox_table
from meshkit.periodic import PeriodicTask
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from meshkit.rpc.server import PortTaken, RpcService
from meshkit.service import ServiceBuilder, service_builder
from purser.sandbox.v1 import clock_pb2, clock_pb2_grpc
from sandbox import SERVICE_NAME as CLOCK_SERVICE_NAME
from sandbox import SandboxClock, sandbox_clock_table
from tests.rpc.meshkit.conftest import SERVICE_NAME, register
from tests.support.postgres import Databases

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)
NOBODY = "127.0.0.1:1"  # nothing listens there: a peer that is away
SECONDS_MAX = 60

METADATA = MetaData()
OUTBOX = outbox_table(METADATA, "pantry")
DEAD_LETTERS = dead_letters_table(METADATA, "pantry")
CLOCK = sandbox_clock_table(METADATA, "pantry")
AUDIT_EVENTS = audit_events_table(METADATA, "pantry")


@dataclass(frozen=True, slots=True, kw_only=True)
class JarEmpty:
    jar: str


NOTICES = Formats(Format("JAR_EMPTY", JarEmpty))


class PantrySettings(MeshSettings):
    listen: str = "127.0.0.1:0"
    peer_listen: str = "127.0.0.1:0"
    oven_address: str = NOBODY
    fridge_address: str = NOBODY


@dataclass(slots=True, kw_only=True)
class Pantry:
    """What a test builds a service of: its settings, its clock, and a diary of what its parts did."""

    settings: PantrySettings
    admin: AsyncEngine
    clock: ManualClock = field(default_factory=lambda: ManualClock(JUNE))
    diary: list[str] = field(default_factory=list)

    def open(self) -> AbstractAsyncContextManager[ServiceBuilder]:
        return service_builder(
            "pantry",
            self.settings,
            access=open_access,
            clock=self.clock,
            wall=ManualClock(JUNE),
            outbox=OUTBOX,
            dead_letters=DEAD_LETTERS,
            audit=AuditTrail(AUDIT_EVENTS, wall=ManualClock(JUNE), ids=Ids(ManualClock(JUNE))),
            sandbox=SandboxClock(CLOCK),
        )

    async def deliver(self, notice: Notice) -> None:
        self.diary.append(f"delivered {notice.kind}")

    async def connections(self) -> int:
        async with self.admin.connect() as connection:
            counted = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pantry'")
            count: int = (await connection.execute(counted)).scalar_one()
        return count


class Part:
    """Work in the background that keeps the diary, and looks around when it is stopped."""

    def __init__(self, name: str, pantry: Pantry, service: ServiceBuilder) -> None:
        self._name = name
        self._pantry = pantry
        self._service = service
        self.address = ""

    async def start(self) -> None:
        self._pantry.diary.append(f"started {self._name} at {self._pantry.clock.now():%B}")

    async def stop(self) -> None:
        if self.address and await answers(self.address):
            self._pantry.diary.append(f"calls are accepted while {self._name} stops")
        async with self._service.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        self._pantry.diary.append(f"stopped {self._name}")

    def wake(self) -> None:
        self._pantry.diary.append(f"woke {self._name}")


@pytest.fixture
async def pantry(databases: Databases) -> AsyncIterator[Pantry]:
    admin = open_engine(databases.admin_url, application_name="test")
    async with admin.begin() as connection:
        await connection.execute(CreateSchema("pantry"))
        await connection.run_sync(METADATA.create_all)
    yield Pantry(settings=PantrySettings(insecure=True, database_url=databases.admin_url), admin=admin)
    await admin.dispose()


async def echo(said: str) -> str:
    return said


PROBE = RpcService(SERVICE_NAME, partial(register, answer=echo))


async def health(address: str, name: str) -> int:
    async with open_channel(address) as channel:
        response = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=name), timeout=SECONDS_MAX
        )
    status: int = response.status
    return status


async def answers(address: str) -> bool:
    try:
        await health(address, "")
    except AioRpcError:
        return False
    return True


async def advance(address: str, *, local_only: bool) -> None:
    async with open_channel(address) as channel:
        await clock_pb2_grpc.ClockServiceStub(channel).AdvanceTime(
            clock_pb2.AdvanceTimeRequest(new_time=timestamp(JULY), local_only=local_only)
        )


async def test_the_server_stops_first_then_parts_in_reverse_order_and_the_database_last(
    pantry: Pantry,
) -> None:
    async with pantry.open() as service:
        relay = await service.start_relay(pantry.deliver)
        parts = [await service.start(Part(name, pantry, service)) for name in ("first", "second")]
        app = await service.serve(PROBE, relay=relay)
        for part in parts:
            part.address = f"127.0.0.1:{app.port}"
        assert await health(f"127.0.0.1:{app.port}", SERVICE_NAME) == health_pb2.HealthCheckResponse.SERVING

    assert pantry.diary == [
        "started first at June",
        "started second at June",
        "stopped second",
        "stopped first",
    ]
    assert await pantry.connections() == 0


async def test_a_failure_while_it_starts_stops_and_closes_what_was_open(pantry: Pantry) -> None:
    async with pantry.open() as running:
        relay = await running.start_relay(pantry.deliver)
        app = await running.serve(PROBE, relay=relay)
        twin = Pantry(
            settings=pantry.settings.model_copy(update={"listen": f"127.0.0.1:{app.port}"}),
            admin=pantry.admin,
        )

        with pytest.raises(PortTaken):
            await open_and_close(twin)

        assert twin.diary == ["started only at June", "stopped only"]
        assert await answers(f"127.0.0.1:{app.port}")

    assert await pantry.connections() == 0


async def open_and_close(pantry: Pantry) -> None:
    async with pantry.open() as service:
        relay = await service.start_relay(pantry.deliver)
        await service.start(Part("only", pantry, service))
        await service.serve(PROBE, relay=relay)


async def test_periodic_work_ends_with_the_service(pantry: Pantry) -> None:
    began = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with pantry.open() as service:
        service.start_periodic(PeriodicTask("dust", work, 3_600))
        async with asyncio.timeout(SECONDS_MAX):
            await began.wait()
        assert not ended.is_set()

    assert ended.is_set()


async def test_a_channel_to_a_peer_is_opened_once_and_closed_at_the_end(pantry: Pantry) -> None:
    async with pantry.open() as service:
        oven = service.channel("oven")

        assert service.channel("oven") is oven
        assert service.channel("fridge") is not oven

    assert oven.get_state() is grpc.ChannelConnectivity.SHUTDOWN


async def test_due_work_is_done_before_notices_are_delivered(pantry: Pantry) -> None:
    async def write_notice(at: datetime) -> None:
        pantry.diary.append(f"did what is due up to {at:%B}")
        async with pantry.admin.begin() as connection:
            wall = ManualClock(JUNE)
            outbox = Outbox(connection, OUTBOX, NOTICES, wall=wall, ids=Ids(wall))
            await outbox.enqueue(JarEmpty(jar="plums"), key="jar")

    async with pantry.open() as service:
        relay = await service.start_relay(pantry.deliver)
        app = await service.serve(PROBE, relay=relay, run_due=write_notice)

        await app.run_due(JULY)

        assert pantry.diary == ["did what is due up to July", "delivered JAR_EMPTY"]


async def test_waking_the_app_wakes_all_of_its_background_work(pantry: Pantry) -> None:
    async with pantry.open() as service:
        relay = await service.start_relay(pantry.deliver)
        for name in ("first", "second"):
            await service.start(Part(name, pantry, service))
        app = await service.serve(PROBE, relay=relay)

        app.wake()

        assert pantry.diary[-2:] == ["woke first", "woke second"]


async def test_in_the_sandbox_the_clock_is_served_and_kept_before_any_part_starts_again(
    pantry: Pantry,
) -> None:
    pantry.settings = pantry.settings.model_copy(update={"sandbox": True})
    async with pantry.open() as service:
        relay = await service.start_relay(pantry.deliver)
        app = await service.serve(PROBE, relay=relay)
        address = f"127.0.0.1:{app.port}"
        await advance(address, local_only=True)
        assert await health(address, CLOCK_SERVICE_NAME) == health_pb2.HealthCheckResponse.SERVING

        with pytest.raises(AioRpcError) as refused:
            await advance(address, local_only=False)
        assert "oven did not answer" in (refused.value.details() or "")  # the first peer of the settings

    pantry.clock = ManualClock(JUNE)
    async with pantry.open() as service:
        await service.start(Part("only", pantry, service))

    assert pantry.diary == ["started only at July", "stopped only"]


async def test_outside_the_sandbox_no_clock_is_served(pantry: Pantry) -> None:
    async with pantry.open() as service:
        relay = await service.start_relay(pantry.deliver)
        app = await service.serve(PROBE, relay=relay)

        with pytest.raises(AioRpcError) as refused:
            await advance(f"127.0.0.1:{app.port}", local_only=True)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(AioRpcError) as unknown:
            await health(f"127.0.0.1:{app.port}", CLOCK_SERVICE_NAME)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
