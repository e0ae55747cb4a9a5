# SPDX-License-Identifier: Apache-2.0
"""A database that refuses logins, as it is full or the password was rotated, is used again once it accepts them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from grpc import StatusCode
from sqlalchemy.engine import make_url

from tests.support.faults import outcome
from tests.support.health import NOT_SERVING, SERVING, until_health
from tests.support.ledger import CREDIT, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

AWAY = (StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
END_ALL = (
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def test_when_all_connections_are_taken_calls_say_so_and_succeed_once_one_is_free(
    ledger: RunningLedger, databases: Databases, sql: Sql
) -> None:
    await ledger.debit(10)
    await sql.execute(f'ALTER DATABASE "{databases.name}" CONNECTION LIMIT 0')
    try:
        await sql.value(END_ALL)

        assert await outcome(ledger.debit(5, request_id="again")) == AWAY
        await until_health(ledger.address, NOT_SERVING)
    finally:
        await sql.execute(f'ALTER DATABASE "{databases.name}" CONNECTION LIMIT -1')
    await until_health(ledger.address, SERVING)

    await ledger.debit(5, request_id="again")
    assert (await ledger.pool()).available_micros == 385 * CREDIT
    await ledger.assert_adds_up()


@pytest.fixture
async def rotated(databases: Databases, sql: Sql, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """A role of this test only, and the file of its password."""
    role = f"{databases.name}_rotated"
    file = tmp_path / "password"
    file.write_text("first\n")
    await sql.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'first'")
    await sql.execute(f'GRANT "{make_url(databases.url("ledger")).username}" TO "{role}"')
    await sql.execute(f'GRANT CONNECT ON DATABASE "{databases.name}" TO "{role}"')
    yield role, file
    await sql.execute(f'DROP OWNED BY "{role}"')
    await sql.execute(f'DROP ROLE "{role}"')


@pytest.mark.plain_postgres("needs a server that asks for passwords; a cluster for trials trusts every login")
async def test_a_rotated_password_is_read_from_its_file_without_a_restart(
    databases: Databases, sql: Sql, rotated: tuple[str, Path]
) -> None:
    role, file = rotated
    async with running_ledger(databases.logging_in_as("ledger", role), password_file=str(file)) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        await ledger.debit(10)
        await sql.execute(f"ALTER ROLE \"{role}\" PASSWORD 'second'")

        # Sessions that are open stay open.
        await ledger.debit(10)
        await sql.value(END_ALL)
        refused = await outcome(ledger.debit(5, request_id="again"))
        await until_health(ledger.address, NOT_SERVING)
        file.write_text("second\n")
        await until_health(ledger.address, SERVING)

        assert refused == AWAY
        await ledger.debit(5, request_id="again")
        assert (await ledger.pool()).available_micros == 375 * CREDIT
        await ledger.assert_adds_up()
