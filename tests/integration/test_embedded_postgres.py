# SPDX-License-Identifier: Apache-2.0
"""The supervisor of the embedded server, and the isolation of the services' database roles."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local import database
from deploy.local.fault import Fault
from deploy.local.ports import free_port
from deploy.local.postgres import EmbeddedPostgres, fault_line
from tests.support.postgres import Databases, PostgresServer

HOLD_A_SERVER = """
import sys
from pathlib import Path
from deploy.local.postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


async def _value(url: str, question: str) -> object:
    connection = await database.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def _do(url: str, *statements: str) -> None:
    connection = await database.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_data_survives_a_stop_and_a_start(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        await _do(server.admin_url, "CREATE TABLE kept AS SELECT 7 AS seven")

    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert await _value(server.admin_url, "SELECT seven FROM kept") == 7


async def test_committed_data_survives_kill_9_of_the_server(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=True) as server:
        await _do(server.admin_url, "CREATE TABLE kept AS SELECT 7 AS seven")
        os.kill(server.pid, signal.SIGKILL)

    with EmbeddedPostgres(tmp_path, durable=True) as server:
        assert await _value(server.admin_url, "SELECT seven FROM kept") == 7


async def test_a_killed_server_restarts_on_its_port_while_its_children_still_end(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, port=free_port()) as server:
        url = server.admin_url
        await _do(url, "CREATE TABLE kept (n int)")
        for number in range(2):
            clients = [await database.connect(url) for _ in range(20)]
            await clients[0].execute("INSERT INTO kept VALUES ($1)", number)
            sorting = [
                asyncio.create_task(client.execute("SELECT count(*) FROM generate_series(1, 2000000)"))
                for client in clients
            ]
            server.kill()
            server.start()
            await asyncio.wait(sorting)
            assert server.admin_url == url
            assert await _value(url, "SELECT count(*) FROM kept") == number + 1
            assert all(task.exception() for task in sorting)


def test_the_log_of_a_killed_servers_children_does_not_hide_why_the_next_server_fails_to_start() -> None:
    said = (
        b"2026-01-01 00:00:00 UTC [7] FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use\n"
        b"2026-01-01 00:00:00 UTC [7] HINT:  Terminate any old server processes.\n"
        b"2026-01-01 00:00:00 UTC [5] FATAL:  terminating connection due to unexpected postmaster exit\n"
    )

    assert fault_line(said) == "pre-existing shared memory block (key 1, ID 2) is still in use"


async def test_a_pid_file_with_the_number_of_another_process_does_not_prevent_a_start(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        left_over = (tmp_path / "data" / "postmaster.pid").read_text().partition("\n")[2]
    (tmp_path / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{left_over}")

    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert await _value(server.admin_url, "SELECT 1") == 1


async def test_the_server_ends_with_its_supervisor_and_the_next_one_starts(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_SERVER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=database.SOURCE_ROOT,
    )
    with holder:
        assert holder.stdout is not None
        assert int(holder.stdout.readline()) > 0
        holder.kill()

    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert await _value(server.admin_url, "SELECT 1") == 1


def test_a_second_supervisor_on_one_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False):
        with pytest.raises(Fault) as refusal:
            EmbeddedPostgres(tmp_path).start()

    assert "already uses" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_place_that_is_no_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Fault, match="cannot hold a database") as refusal:
        EmbeddedPostgres(tmp_path / "file" / "below").start()

    assert "\n" not in str(refusal.value)


def test_too_little_free_disk_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="MB are free") as refusal:
        EmbeddedPostgres(tmp_path, free_megabytes_min=10**9).start()

    assert "\n" not in str(refusal.value)


def test_only_its_owner_can_read_the_data(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "state", durable=False) as server:
        data = server.folder / "data"
        assert server.folder.stat().st_mode & 0o077 == 0
        assert data.stat().st_mode & 0o077 == 0
        assert (data / "purser-password").stat().st_mode & 0o077 == 0


async def test_a_wrong_password_is_refused(postgres_server: PostgresServer) -> None:
    url = database.role_url(
        postgres_server.admin_url, "ledger", "guessed", postgres_server.template, postgres_server.role_prefix
    )

    with pytest.raises(Fault, match="refuses the login"):
        await database.connect(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:p@127.0.0.1:1/postgres", "no PostgreSQL answers at 127.0.0.1:1"),
        (
            "postgresql://u:p@no-such-host.invalid/postgres",
            "no PostgreSQL answers at no-such-host.invalid:5432",
        ),
        ("mysql://u:p@127.0.0.1/x", "Purser needs PostgreSQL"),
        ("not an address", "is not a URL"),
        ("postgresql://u:p@127.0.0.1:port/x", "is not a URL"),
    ],
)
async def test_an_unusable_database_url_gives_one_line_that_says_what_to_do(
    url: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(Fault, match=says) as refusal:
        await database.prepare(url, state_folder=tmp_path)

    assert "PURSER_DATABASE_URL" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_old_postgresql_is_refused_in_one_line() -> None:
    database.check_version(160_000, host="db")

    with pytest.raises(Fault, match="version 15, Purser needs 16 or newer; upgrade it"):
        database.check_version(159_999, host="db")


async def test_a_user_who_may_not_create_roles_is_refused_in_one_line(
    databases: Databases, tmp_path: Path
) -> None:
    with pytest.raises(Fault, match="may not create roles") as refusal:
        await database.prepare(databases.url("ledger"), state_folder=tmp_path)

    assert "\n" not in str(refusal.value)


@pytest.fixture
async def plain_administrator(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A user who may create roles and databases and is not a superuser, as administrators of hosted databases are."""
    name = f"{postgres_server.role_prefix}_plain"
    await _do(postgres_server.admin_url, f"CREATE ROLE {name} LOGIN CREATEROLE CREATEDB PASSWORD 'plain'")
    url = database.role_url(
        postgres_server.admin_url, "plain", "plain", "postgres", postgres_server.role_prefix
    )
    yield url
    await database.drop(url, name, role_prefix=name)
    await _do(postgres_server.admin_url, f"DROP ROLE {name}")


async def test_preparing_twice_keeps_data_and_addresses(
    plain_administrator: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    name = f"{postgres_server.role_prefix}_plain"
    first = await database.prepare(
        plain_administrator, state_folder=tmp_path, database=name, role_prefix=name
    )
    await _do(first.owner["ledger"], "CREATE TABLE ledger.kept AS SELECT 7 AS seven")

    second = await database.prepare(
        plain_administrator, state_folder=tmp_path, database=name, role_prefix=name
    )

    assert second == first
    assert await _value(second.owner["ledger"], "SELECT seven FROM ledger.kept") == 7
    assert (tmp_path / "passwords.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("service", database.SERVICES)
async def test_a_service_has_rights_on_no_other_schema(databases: Databases, service: str) -> None:
    for other in database.SERVICES:
        await _do(databases.owner_url(other), f"CREATE TABLE {other}.secret (word text)")

    for other in set(database.SERVICES) - {service}:
        for statement in (
            f"SELECT * FROM {other}.secret",
            f"INSERT INTO {other}.secret VALUES ('x')",
            f"CREATE TABLE {other}.mine (word text)",
            f"DROP TABLE {other}.secret",
        ):
            for url in (databases.url(service), databases.owner_url(service)):
                with pytest.raises(asyncpg.InsufficientPrivilegeError) as refusal:
                    await _do(url, statement)
                assert refusal.value.sqlstate == "42501"
    await _do(databases.url(service), f"INSERT INTO {service}.secret VALUES ('own')")


@pytest.mark.parametrize("service", database.SERVICES)
async def test_a_service_cannot_write_outside_its_schema(databases: Databases, service: str) -> None:
    for statement in (
        "CREATE TABLE public.mine (word text)",
        "CREATE SCHEMA mine",
        "CREATE TEMP TABLE mine (word text)",
    ):
        for url in (databases.url(service), databases.owner_url(service)):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await _do(url, statement)


async def test_every_test_has_its_own_database(databases: Databases) -> None:
    assert await _value(databases.admin_url, "SELECT current_database()") == databases.name
    assert await _value(databases.url("ledger"), "SELECT current_database()") == databases.name
