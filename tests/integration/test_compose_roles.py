# SPDX-License-Identifier: Apache-2.0
"""What deploy/compose/roles.sh creates on a PostgreSQL is what the migration and the service of compose log in with."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from deploy.local.database import SERVICES, SOURCE_ROOT
from deploy.local.postgres import binaries
from meshkit.db import migrate
from tests.support.postgres import PostgresServer

SCRIPT = SOURCE_ROOT / "deploy" / "compose" / "roles.sh"
PASSWORD = 'it\'s "quoted" \\ and long'
ROLES = [f"purser_{service}{suffix}" for service in SERVICES for suffix in ("", "_runtime")]


@asynccontextmanager
async def _database(admin: URL) -> AsyncIterator[URL]:
    """An empty database; afterwards it and the roles of compose are dropped."""
    name = f"compose_{secrets.token_hex(4)}"
    server = await asyncpg.connect(admin.render_as_string(hide_password=False))
    try:
        await server.execute(f"CREATE DATABASE {name}")
        yield admin.set(database=name)
    finally:
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for role in ROLES:
            await server.execute(f"DROP ROLE IF EXISTS {role}")
        await server.close()


async def test_its_roles_migrate_and_serve(postgres_server: PostgresServer) -> None:
    if "PURSER_DATABASE_URL" in os.environ:
        pytest.skip("it would create roles named purser_… on your server")
    async with _database(make_url(postgres_server.admin_url)) as made:
        variables = {
            "PATH": f"{binaries()}:{os.environ['PATH']}",
            "PGHOST": str(made.host),
            "PGPORT": str(made.port),
            "PGPASSWORD": str(made.password),
            "POSTGRES_USER": str(made.username),
            "POSTGRES_DB": str(made.database),
            "PURSER_PASSWORD": PASSWORD,
        }

        process = await asyncio.create_subprocess_exec("bash", SCRIPT, env=variables)

        assert await process.wait() == 0
        owner, runtime = (
            made.set(username=role, password=PASSWORD).render_as_string(hide_password=False)
            for role in ("purser_catalog", "purser_catalog_runtime")
        )
        await migrate(owner, service="catalog", runtime_role="purser_catalog_runtime")
        serving = await asyncpg.connect(runtime)
        try:
            assert await serving.fetchval("SELECT count(*) FROM catalog.products") == 0
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await serving.execute("CREATE TABLE catalog.another ()")
        finally:
            await serving.close()
