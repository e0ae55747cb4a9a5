# SPDX-License-Identifier: Apache-2.0
"""`python -m services.catalog` as an operator runs it."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from meshkit.rpc.client import open_channel
from purser.catalog.v1 import catalog_pb2 as pb
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from tests.support.catalog import NOBODY
from tests.support.postgres import Databases

ROOT = Path(__file__).resolve().parents[3]
SECONDS_MAX = 60


def _environment(**settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PURSER_")}
    settings = {"drain_seconds": "0", **settings}
    own = {f"PURSER_CATALOG_{name.upper()}": value for name, value in settings.items()}
    return {**inherited, "PURSER_INSECURE": "true", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'libs'}", **own}


@asynccontextmanager
async def _catalog(*arguments: str, **settings: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.catalog",
        *arguments,
        env=_environment(**settings),
        stdout=PIPE,
        stderr=PIPE,
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _started(process: Process) -> int:
    """Return the port that the service says it serves on."""
    assert process.stderr is not None
    async for line in process.stderr:
        event = json.loads(line)
        if event["event"] == "service_started":
            port: int = event["port"]
            return port
    raise AssertionError("it ended without serving")


async def test_it_serves_by_default_and_ends_well_on_sigterm(databases: Databases) -> None:
    settings = {"database_url": databases.url("catalog"), "ledger_address": NOBODY, "log_json": "true"}
    async with _catalog(listen="127.0.0.1:0", **settings) as process:
        address = f"127.0.0.1:{await _started(process)}"
        async with open_channel(address) as channel:
            health = await HealthStub(channel).Check(
                HealthCheckRequest(service="purser.catalog.v1.CatalogService")
            )
        assert health.status == HealthCheckResponse.SERVING

        async with _catalog("serve", listen=address, **settings) as second:
            _, said = await second.communicate()
            assert second.returncode == 1
            assert f"catalog cannot listen on {address}" in said.decode()
            assert "Traceback" not in said.decode()

        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_sigterm_drains_first_and_a_second_one_ends_it(databases: Databases) -> None:
    settings = {"database_url": databases.url("catalog"), "ledger_address": NOBODY, "log_json": "true"}
    async with _catalog(listen="127.0.0.1:0", drain_seconds="300", **settings) as process:
        async with open_channel(f"127.0.0.1:{await _started(process)}") as channel:
            health, catalog = HealthStub(channel), CatalogServiceStub(channel)
            watched = health.Watch(HealthCheckRequest(service="readiness"))
            assert (await watched.read()).status == HealthCheckResponse.SERVING

            process.send_signal(signal.SIGTERM)
            drains = await watched.read()
            alive = await health.Check(HealthCheckRequest(service="liveness"))
            still_served = await catalog.ListProducts(pb.ListProductsRequest())
            process.send_signal(signal.SIGTERM)

            assert await process.wait() == 0
    assert drains.status == HealthCheckResponse.NOT_SERVING
    assert alive.status == HealthCheckResponse.SERVING
    assert not still_served.products


async def test_sigint_ends_it_without_draining(databases: Databases) -> None:
    settings = {"database_url": databases.url("catalog"), "ledger_address": NOBODY, "log_json": "true"}
    async with _catalog(listen="127.0.0.1:0", drain_seconds="300", **settings) as process:
        await _started(process)

        process.send_signal(signal.SIGINT)

        assert await process.wait() == 0


async def test_migrate_ends_by_itself(databases: Databases) -> None:
    async with _catalog(
        "migrate",
        database_url=databases.url("catalog"),
        migration_database_url=databases.owner_url("catalog"),
        log_json="true",
    ) as process:
        _, said = await process.communicate()

    assert process.returncode == 0
    assert json.loads(said.decode().splitlines()[-1])["event"] == "schema_migrated"


async def test_migrate_logs_each_revision_with_its_duration_and_applied_ones_no_more(
    databases: Databases,
) -> None:
    await databases.remake_schema("catalog")
    revisions = sorted(one.name[:4] for one in (ROOT / "services/catalog/migrations/versions").glob("*.py"))
    urls = {
        "database_url": databases.url("catalog"),
        "migration_database_url": databases.owner_url("catalog"),
    }

    logged = []
    for _ in ("first", "again"):
        async with _catalog("migrate", log_json="true", **urls) as process:
            _, said = await process.communicate()
        events = [json.loads(line) for line in said.decode().splitlines()]
        logged.append([one for one in events if one["event"] == "revision_applied"])

    assert [one["revision"] for one in logged[0]] == revisions
    assert all(one["seconds"] >= 0 for one in logged[0])
    assert logged[1] == []


async def test_a_database_that_is_away_is_one_line() -> None:
    async with _catalog("migrate", database_url=f"postgresql://u:p@{NOBODY}/purser") as process:
        _, said = await process.communicate()

    assert process.returncode == 1
    assert said.decode().startswith("catalog: the database is unavailable")
    assert len(said.splitlines()) == 1


async def test_all_bad_settings_are_said_at_once() -> None:
    async with _catalog(sandbox="perhaps", sandbox_start_time="2025-06-01") as process:
        _, said = await process.communicate()

    assert process.returncode == 2
    assert [line.partition(":")[0] for line in said.decode().splitlines()] == [
        "PURSER_CATALOG_DATABASE_URL",
        "PURSER_CATALOG_SANDBOX",
        "PURSER_CATALOG_SANDBOX_START_TIME",
    ]
