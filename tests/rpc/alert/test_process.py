# SPDX-License-Identifier: Apache-2.0
"""`python -m services.alert` as an operator runs it."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from grpc import StatusCode

from meshkit.clock import ManualClock
from meshkit.database_url import role_of
from meshkit.rpc.client import open_channel
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1.alert_pb2_grpc import AlertServiceStub
from services.alert.domain.delivery import LEASE
from tests.support.alert import NOBODY, SECRET_KEYS, running_alert
from tests.support.faults import fault
from tests.support.mail_receiver import running_mail_receiver
from tests.support.postgres import Databases

ROOT = Path(__file__).resolve().parents[3]
SECONDS_MAX = 60


@asynccontextmanager
async def an_alert_process(*arguments: str, **settings: str) -> AsyncIterator[Process]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PURSER_")}
    settings = {"drain_seconds": "0", **settings}
    own = {f"PURSER_ALERT_{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.alert",
        *arguments,
        env={
            **inherited,
            "PURSER_INSECURE": "true",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'libs'}",
            **own,
        },
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


async def port_of(process: Process) -> int:
    """Return the port that the service says it serves on."""
    assert process.stderr is not None
    async for line in process.stderr:
        event = json.loads(line)
        if event["event"] == "service_started":
            port: int = event["port"]
            return port
    raise AssertionError("it ended without serving")


@pytest.mark.parametrize("allowed", ["true", "false"])
async def test_private_targets_are_refused_unless_the_operator_allows_them(
    databases: Databases, allowed: str
) -> None:
    async with an_alert_process(
        database_url=databases.url("alert"),
        listen="127.0.0.1:0",
        ledger_address=NOBODY,
        log_json="true",
        secret_keys=SECRET_KEYS,
        allow_private_targets=allowed,
    ) as process:
        async with open_channel(f"127.0.0.1:{await port_of(process)}") as channel:
            request = pb.CreateWebhookEndpointRequest(request_id="r", url="http://localhost:9/")
            call = AlertServiceStub(channel).CreateWebhookEndpoint(request)
            if allowed == "true":
                assert (await call).secret.startswith("whsec_")
            else:
                with fault(StatusCode.FAILED_PRECONDITION, "WEBHOOK_TARGET_REFUSED", address=""):
                    await call

        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_all_missing_settings_are_said_and_it_ends() -> None:
    async with an_alert_process(allow_private_targets="perhaps") as process:
        _, said = await process.communicate()

    assert process.returncode == 2
    assert [line.partition(":")[0] for line in said.decode().splitlines()] == [
        "PURSER_ALERT_DATABASE_URL",
        "PURSER_ALERT_SECRET_KEYS",
        "PURSER_ALERT_ALLOW_PRIVATE_TARGETS",
    ]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "PURSER_ALERT_SECRET_KEYS: is not set ("),
        ({"secret_keys": ""}, "PURSER_ALERT_SECRET_KEYS: Value error, contains no key ("),
        (
            {"secret_keys": f"{SECRET_KEYS},hunter2"},
            "PURSER_ALERT_SECRET_KEYS: Value error, key 2 is not 32 bytes in base64 (",
        ),
    ],
)
async def test_without_good_keys_it_ends_with_one_line(settings: dict[str, str], line: str) -> None:
    async with an_alert_process(database_url="postgresql://u:p@127.0.0.1:1/x", **settings) as process:
        _, said = await process.communicate()

    assert process.returncode == 2
    (only,) = said.decode().splitlines()
    assert only.startswith(line)
    assert "hunter2" not in only
    assert SECRET_KEYS not in only


async def test_migrate_ends_by_itself(databases: Databases) -> None:
    async with an_alert_process(
        "migrate",
        database_url=databases.url("alert"),
        migration_database_url=databases.owner_url("alert"),
        log_json="true",
    ) as process:
        _, said = await process.communicate()

    assert process.returncode == 0
    (event,) = (json.loads(line) for line in said.decode().splitlines())
    assert event["event"] == "schema_migrated"
    assert (event["owner"], event["runtime_role"]) == (
        role_of(databases.owner_url("alert")),
        role_of(databases.url("alert")),
    )


async def test_migrate_with_one_role_for_both_warns(databases: Databases) -> None:
    async with an_alert_process(
        "migrate", database_url=databases.owner_url("alert"), log_json="true"
    ) as process:
        _, said = await process.communicate()

    assert process.returncode == 0
    events = [json.loads(line) for line in said.decode().splitlines()]
    assert [event["event"] for event in events] == ["schema_migrated", "one_role_owns_and_serves"]


async def test_migrate_names_a_runtime_role_that_does_not_exist(databases: Databases) -> None:
    async with an_alert_process(
        "migrate",
        database_url="postgresql://no_such_role:x@127.0.0.1:1/purser",
        migration_database_url=databases.owner_url("alert"),
    ) as process:
        _, said = await process.communicate()

    assert process.returncode == 1
    assert said.decode().splitlines() == ['alert: 42704: role "no_such_role" does not exist']


async def test_a_mail_whose_process_is_killed_before_it_is_recorded_is_sent_again_under_the_same_id(
    databases: Databases,
) -> None:
    async with running_mail_receiver() as mails:
        mails.is_silent_at = "DATA"
        async with an_alert_process(
            database_url=databases.url("alert"),
            listen="127.0.0.1:0",
            ledger_address=NOBODY,
            log_json="true",
            secret_keys=SECRET_KEYS,
            **{name: str(value) for name, value in mails.settings.items()},
        ) as process:
            async with open_channel(f"127.0.0.1:{await port_of(process)}") as channel:
                alert = AlertServiceStub(channel)
                created = await alert.CreateWebhookEndpoint(
                    pb.CreateWebhookEndpointRequest(
                        request_id="create", kind=pb.ENDPOINT_KIND_EMAIL, recipients=["ann@vendor.example"]
                    )
                )
                endpoint_id = created.webhook_endpoint.webhook_endpoint_id
                await alert.TestWebhookEndpoint(
                    pb.TestWebhookEndpointRequest(request_id="test", webhook_endpoint_id=endpoint_id)
                )
                first = await mails.next_mail()
                process.kill()
                await process.wait()
        mails.is_silent_at = ""

        after_its_lease = ManualClock(datetime.now(UTC) + LEASE)
        async with running_alert(databases, wall=after_its_lease, smtp=mails.settings) as running:
            second = await mails.next_mail()
            (delivery,) = (await running.stub.ListDeliveries(pb.ListDeliveriesRequest())).deliveries

    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.recipients == second.recipients == ["ann@vendor.example"]
    assert delivery.attempts == 2
