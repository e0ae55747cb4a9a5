# SPDX-License-Identifier: Apache-2.0
"""One business clock for the whole sandbox mesh; in production nobody can set it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from grpc import StatusCode

from deploy.local.database import SERVICES
from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.sandbox.v1 import clock_pb2 as sandbox
from purser.sandbox.v1.clock_pb2_grpc import ClockServiceStub
from tests.support.faults import fault
from tests.support.mesh import JUNE, SwitchedMesh, acme_at, away
from tests.support.postgres import Databases

AUGUST = datetime(2025, 8, 1, tzinfo=UTC)


async def _advance(addresses: Mapping[str, str], service: str, to: datetime) -> None:
    async with open_channel(addresses[service]) as channel:
        await ClockServiceStub(channel).AdvanceTime(sandbox.AdvanceTimeRequest(new_time=timestamp(to)))


async def _time(addresses: Mapping[str, str], service: str) -> datetime:
    async with open_channel(addresses[service]) as channel:
        told = await ClockServiceStub(channel).GetTime(sandbox.GetTimeRequest())
        return told.now_time.ToDatetime(tzinfo=UTC)


@pytest.mark.parametrize("asked", SERVICES)
async def test_any_service_moves_the_clock_of_all(databases: Databases, asked: str) -> None:
    async with SwitchedMesh(databases) as mesh:
        await mesh.start()

        await _advance(mesh.addresses, asked, AUGUST)

        assert {await _time(mesh.addresses, service) for service in SERVICES} == {AUGUST}
        with fault(StatusCode.FAILED_PRECONDITION, "CLOCK_MOVES_FORWARD_ONLY"):
            await _advance(mesh.addresses, asked, JUNE)


async def test_services_that_are_asked_at_the_same_time_do_not_wait_for_each_other(
    databases: Databases,
) -> None:
    async with SwitchedMesh(databases) as mesh:
        await mesh.start()

        await asyncio.gather(*(_advance(mesh.addresses, asked, AUGUST) for asked in SERVICES))

        assert {await _time(mesh.addresses, service) for service in SERVICES} == {AUGUST}


@pytest.mark.parametrize(
    ("missing", "asked"),
    [("catalog", "alert"), ("contract", "ledger"), ("ledger", "contract"), ("alert", "catalog")],
)
async def test_an_unavailable_peer_is_named_and_a_retry_moves_it_too(
    databases: Databases, missing: str, asked: str
) -> None:
    async with SwitchedMesh(databases) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses) as acme:
            await mesh.stop(missing)
            with away(missing):
                await _advance(mesh.addresses, asked, AUGUST)
            await mesh.start(missing)

            await _advance(mesh.addresses, asked, AUGUST)

            assert {await _time(mesh.addresses, service) for service in SERVICES} == {AUGUST}
            granted = await acme.entries(admin.ENTRY_KIND_GRANT)
            assert granted == [400 * MICROS] * 3  # June, July, August
            assert await acme.available() == 400 * MICROS
            await acme.assert_adds_up()


async def test_a_restarted_mesh_continues_at_its_time(databases: Databases) -> None:
    async with SwitchedMesh(databases) as mesh:
        await mesh.start()
        await _advance(mesh.addresses, "contract", AUGUST)
        await mesh.stop(*SERVICES)

        await mesh.start()

        assert {await _time(mesh.addresses, service) for service in SERVICES} == {AUGUST}


async def test_no_service_serves_a_clock_in_production(databases: Databases) -> None:
    async with SwitchedMesh(databases, sandbox_start_time=None) as mesh:
        await mesh.start()

        for service in SERVICES:
            with fault(StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED"):
                await _advance(mesh.addresses, service, AUGUST)
