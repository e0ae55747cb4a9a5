# SPDX-License-Identifier: Apache-2.0
"""The supervisor of the four services: start, stop, restart, a process that dies, and its error messages."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.local import database, mesh
from deploy.local.fault import Fault
from deploy.local.in_process import open_mesh
from deploy.local.mesh import ProcessMesh
from deploy.local.readiness import until_serving
from tests.support.alert import SECRET_KEYS
from tests.support.postgres import Databases

START_TIME = datetime(2025, 6, 1, tzinfo=UTC)


def _processes(databases: Databases, folder: Path, at: Mapping[str, str] | None = None) -> ProcessMesh:
    return ProcessMesh(
        databases.urls,
        addresses=at or mesh.addresses(None),
        log_folder=folder,
        sandbox_start_time=START_TIME,
        secret_keys=SECRET_KEYS,
    )


def _command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", *arguments],
        cwd=database.SOURCE_ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_four_processes_serve_and_stop_when_asked(databases: Databases, tmp_path: Path) -> None:
    async with _processes(databases, tmp_path) as running:
        pids = [running.pid(service) for service in database.SERVICES]
        for service in database.SERVICES:
            await until_serving(service, running.addresses[service])

    assert len(set(pids)) == 4
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_one_process_serves_all_four(databases: Databases) -> None:
    async with open_mesh(
        databases.urls,
        addresses=mesh.addresses(None),
        sandbox_start_time=START_TIME,
        secret_keys=SECRET_KEYS,
    ) as running:
        for service in database.SERVICES:
            await until_serving(service, running.addresses[service])


async def test_a_restarted_service_keeps_its_address(databases: Databases, tmp_path: Path) -> None:
    running = _processes(databases, tmp_path)
    try:
        await running.start("catalog")
        first = running.pid("catalog")
        await running.restart("catalog")
        second = running.pid("catalog")
        await running.kill("catalog")
        await running.start("catalog")
        third = running.pid("catalog")
        await until_serving("catalog", running.addresses["catalog"])
    finally:
        await running.stop()

    assert len({first, second, third}) == 3


async def test_an_unexpected_exit_is_reported_in_one_line(databases: Databases, tmp_path: Path) -> None:
    running = _processes(databases, tmp_path)
    try:
        await running.start("catalog")
        os.kill(running.pid("catalog"), signal.SIGKILL)
        told = await running.until_one_dies()
    finally:
        await running.stop()

    assert str(told).startswith("catalog stopped with signal 9")
    assert "\n" not in str(told)


async def test_a_port_taken_meanwhile_is_reported_in_one_line(databases: Databases, tmp_path: Path) -> None:
    at = mesh.addresses(None)
    with socket.create_server(("127.0.0.1", int(at["catalog"].rpartition(":")[2]))):
        running = _processes(databases, tmp_path, at)
        try:
            with pytest.raises(Fault, match=f"cannot listen on {at['catalog']}") as refusal:
                await running.start("catalog")
        finally:
            await running.stop()

    assert "\n" not in str(refusal.value)


def test_a_taken_port_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(Fault, match=f"port {port} is taken, and catalog needs it") as refusal:
            mesh.addresses(port)

    assert "\n" not in str(refusal.value)


def test_four_distinct_free_ports_are_found() -> None:
    assert len(set(mesh.addresses(None).values())) == 4


@pytest.mark.parametrize("command", ["up", "demo"])
def test_an_absent_database_gives_one_line_and_a_failure(command: str, tmp_path: Path) -> None:
    ended = _command(
        command, PURSER_DATABASE_URL="postgresql://u:p@127.0.0.1:1/x", PURSER_STATE_FOLDER=str(tmp_path)
    )

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("purser: no PostgreSQL answers at 127.0.0.1:1")
    assert ended.stderr.count("\n") == 1


def test_up_says_which_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = _command("up", FIRST_PORT=str(port), PURSER_STATE_FOLDER=str(tmp_path))

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"purser: port {port} is taken")
    assert ended.stderr.count("\n") == 1
