# SPDX-License-Identifier: Apache-2.0
"""What the runtime role of each service may do in the database, as the catalog and PostgreSQL's refusals say."""

import importlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local import database
from deploy.local.database import RUNTIME_SUFFIX, SERVICES, ServiceUrls
from meshkit.database_url import role_of
from meshkit.db import migrate
from meshkit.privileges import Privileges
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases, PostgresServer

EVERY = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
# Every kind of relation, so that a view or a sequence is noticed too.
HELD = """
    SELECT c.relname, p.privilege, has_table_privilege($1, c.oid, p.privilege) AS has
    FROM pg_class c CROSS JOIN unnest($3::text[]) AS p (privilege)
    WHERE c.relnamespace = $2::regnamespace AND c.relkind NOT IN ('i', 'I', 'c', 't')
"""
ANY_COLUMN = """
    SELECT count(*) FROM information_schema.column_privileges c WHERE grantee = $1 AND NOT EXISTS (
        SELECT FROM information_schema.table_privileges t
        WHERE t.grantee = $1 AND (t.table_schema, t.table_name, t.privilege_type)
            = (c.table_schema, c.table_name, c.privilege_type))
"""
OWNED = "SELECT count(*) FROM pg_shdepend WHERE refobjid = $1::regrole AND deptype = 'o'"
MEMBER_OF = "SELECT count(*) FROM pg_auth_members WHERE member = $1::regrole"
BEFORE_TWO_ROLES = "0022"

every_service = pytest.mark.parametrize("service", SERVICES)


def declared(service: str) -> Privileges:
    privileges: Privileges = importlib.import_module(f"services.{service}.privileges").PRIVILEGES
    return privileges


async def held(databases: Databases, service: str, *, by: str) -> dict[str, set[str]]:
    async with Sql.connected(databases.admin_url) as sql:
        rows = await sql.rows(HELD, role_of(by), service, EVERY)
    tables: dict[str, set[str]] = {row["relname"]: set() for row in rows}
    for row in rows:
        tables[row["relname"]] |= {row["privilege"]} if row["has"] else set()
    return tables


async def refused(url: str, statement: str) -> None:
    async with Sql.connected(url) as sql:
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as refusal:
            await sql.execute(statement)
    assert refusal.value.sqlstate == "42501"


@every_service
async def test_every_table_has_exactly_the_declared_privileges(databases: Databases, service: str) -> None:
    tables = await held(databases, service, by=databases.url(service))

    assert len(tables) > 8
    assert tables == {name: set(declared(service).of(name)) for name in tables}
    assert (declared(service).append_only | declared(service).truncated) - set(tables) == set()


@every_service
async def test_the_runtime_role_owns_nothing_and_has_no_other_way_to_more(
    databases: Databases, service: str
) -> None:
    role = role_of(databases.url(service))
    async with Sql.connected(databases.admin_url) as sql:
        assert await sql.value(OWNED, role) == 0
        assert await sql.value(MEMBER_OF, role) == 0
        assert await sql.value(ANY_COLUMN, role) == 0


@pytest.mark.parametrize(
    ("service", "table"),
    [(service, table) for service in SERVICES for table in sorted(declared(service).append_only)],
)
async def test_rows_of_an_append_only_table_can_be_neither_changed_nor_deleted(
    databases: Databases, service: str, table: str
) -> None:
    async with Sql.connected(databases.admin_url) as sql:
        column = await sql.value(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1",
            f"{service}.{table}",
        )
    for statement in (
        f"UPDATE {service}.{table} SET {column} = {column}",
        f"DELETE FROM {service}.{table}",
        f"TRUNCATE {service}.{table}",
        f"SELECT * FROM {service}.{table} FOR UPDATE",
        f"INSERT INTO {service}.{table} SELECT * FROM {service}.{table}"
        f" ON CONFLICT ON CONSTRAINT {table}_pkey DO UPDATE SET {column} = excluded.{column}",
    ):
        await refused(databases.url(service), statement)
    async with Sql.connected(databases.url(service)) as sql:
        await sql.execute(f"INSERT INTO {service}.{table} SELECT * FROM {service}.{table}")


@every_service
async def test_the_runtime_role_cannot_change_the_schema(databases: Databases, service: str) -> None:
    for statement in (
        f"CREATE TABLE {service}.mine (word text)",
        f"CREATE VIEW {service}.mine AS SELECT 1",
        f"CREATE FUNCTION {service}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        f"DROP TABLE {service}.outbox",
        f"ALTER TABLE {service}.outbox ADD COLUMN mine text",
        f"CREATE INDEX mine ON {service}.outbox (kind)",
        f"CREATE TRIGGER mine BEFORE INSERT ON {service}.outbox FOR EACH ROW EXECUTE FUNCTION"
        " suppress_redundant_updates_trigger()",
        f"TRUNCATE {service}.outbox",
        f"DROP SCHEMA {service} CASCADE",
        f"SELECT * FROM {service}.alembic_version",
        f"UPDATE {service}.alembic_version SET version_num = '0001'",
        f'SET ROLE "{role_of(databases.owner_url(service))}"',
    ):
        await refused(databases.url(service), statement)


@every_service
async def test_the_runtime_role_has_no_rights_on_another_schema(databases: Databases, service: str) -> None:
    for other in set(SERVICES) - {service}:
        await refused(databases.url(service), f"SELECT * FROM {other}.outbox")
        await refused(databases.url(service), f"DELETE FROM {other}.outbox")
        await refused(databases.url(service), f"CREATE TABLE {other}.mine (word text)")


async def test_a_new_table_is_usable_at_once_and_an_excess_is_revoked_by_the_next_migration(
    databases: Databases,
) -> None:
    async with Sql.connected(databases.owner_url("ledger")) as owner:
        await owner.execute("CREATE TABLE ledger.newcomer (word text)")
        await owner.execute(f'GRANT ALL ON ledger.entries TO "{role_of(databases.url("ledger"))}"')
    async with Sql.connected(databases.url("ledger")) as runtime:
        await runtime.execute("INSERT INTO ledger.newcomer VALUES ('x')")
        await runtime.execute("UPDATE ledger.entries SET amount_micros = 0")

    await databases.migrate("ledger")

    tables = await held(databases, "ledger", by=databases.url("ledger"))
    assert "newcomer" in tables
    assert tables == {name: set(declared("ledger").of(name)) for name in tables}


async def test_an_old_database_with_one_role_gets_the_privileges_and_the_old_role_goes_on(
    databases: Databases,
) -> None:
    await databases.remake_schema("ledger")
    await migrate(databases.owner_url("ledger"), service="ledger", to=BEFORE_TWO_ROLES)
    await refused(databases.url("ledger"), "SELECT * FROM ledger.pools")

    await databases.migrate("ledger")

    tables = await held(databases, "ledger", by=databases.url("ledger"))
    assert tables == {name: set(declared("ledger").of(name)) for name in tables}
    async with Sql.connected(databases.owner_url("ledger")) as previous_version:
        await previous_version.execute("INSERT INTO ledger.customers VALUES ('cus_1', 1, false)")
        await previous_version.execute("UPDATE ledger.customers SET version = 2")
        await previous_version.execute("TRUNCATE ledger.requests_1")


@every_service
async def test_one_role_for_both_gives_up_what_append_only_tables_forbid(
    databases: Databases, service: str
) -> None:
    await databases.remake_schema(service)

    await migrate(databases.owner_url(service), service=service)

    tables = await held(databases, service, by=databases.owner_url(service))
    forbidden = {"UPDATE", "DELETE", "TRUNCATE"}
    assert tables == {
        name: set(EVERY) - (forbidden if name in declared(service).append_only else set()) for name in tables
    }


@pytest.fixture
async def older(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[tuple[str, ServiceUrls]]:
    """A database and a state folder as the version before left them: four roles, four passwords."""
    name = f"{postgres_server.role_prefix}_older"
    made = await database.prepare(
        postgres_server.admin_url, state_folder=tmp_path, database=name, role_prefix=name
    )
    for service in SERVICES:
        await migrate(made.owner[service], service=service)
    async with Sql.connected(postgres_server.admin_url) as sql:
        for service in SERVICES:
            await sql.execute(f'REVOKE ALL ON DATABASE "{name}" FROM "{name}_{service}{RUNTIME_SUFFIX}"')
            await sql.execute(f'DROP ROLE "{name}_{service}{RUNTIME_SUFFIX}"')
    passwords = tmp_path / "passwords.json"
    kept = {role: word for role, word in json.loads(passwords.read_text()).items() if role in SERVICES}
    passwords.write_text(json.dumps(kept))
    yield name, made
    await database.drop(postgres_server.admin_url, name, role_prefix=name)


async def test_a_state_folder_of_the_version_before_gets_the_missing_roles(
    older: tuple[str, ServiceUrls], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    name, before = older

    urls = await database.prepare(
        postgres_server.admin_url, state_folder=tmp_path, database=name, role_prefix=name
    )
    await database.migrate_all(urls)

    assert urls.owner == before.owner
    for service in SERVICES:
        async with Sql.connected(urls.runtime[service]) as runtime:
            await runtime.rows(f"SELECT * FROM {service}.outbox")
        await refused(urls.runtime[service], f"DROP TABLE {service}.outbox")
