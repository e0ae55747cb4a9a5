# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL for the whole run, and a database of its own for every test that asks.

The server starts once. One template database is migrated once; a test's database is a copy of it, thrown away
after. With PURSER_DATABASE_URL set, all this happens on that server, and all is taken away again at the end.
"""

import asyncio
import itertools
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from deploy.local import database
from deploy.local.postgres import EmbeddedPostgres


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """The run's server, its four roles, and the migrated template."""

    admin_url: str
    state_folder: Path
    role_prefix: str
    template: str
    template_urls: dict[str, str]
    numbers: Iterator[int] = field(default_factory=itertools.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """One test's own database, migrated; every service sees its own schema of it."""

    name: str
    admin_url: str
    urls: dict[str, str]

    def url(self, service: str) -> str:
        """`postgresql://…` with the login of `service` (catalog, contract, ledger, alert)."""
        return self.urls[service]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="purser-test-") as folder, _admin_url(Path(folder)) as admin_url:
        run = f"purser_test_{secrets.token_hex(4)}"
        urls = asyncio.run(_make_template(admin_url, Path(folder), run))
        yield PostgresServer(
            admin_url=admin_url, state_folder=Path(folder), role_prefix=run, template=run, template_urls=urls
        )
        asyncio.run(database.drop(admin_url, run, role_prefix=run))


@pytest.fixture
async def databases(postgres_server: PostgresServer) -> AsyncIterator[Databases]:
    made = await make_database(postgres_server)
    yield made
    await drop_database(postgres_server, made)


async def make_database(on: PostgresServer) -> Databases:
    """Copy the template under a new name."""
    name = f"{on.template}_{next(on.numbers)}"
    server = await database.connect(on.admin_url)
    try:
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{on.template}"')
        await database.restrict(server, name, role_prefix=on.role_prefix)
    finally:
        await server.close()
    return Databases(
        name=name,
        admin_url=_inside(on.admin_url, name),
        urls={service: _inside(url, name) for service, url in on.template_urls.items()},
    )


async def drop_database(on: PostgresServer, made: Databases) -> None:
    """Throw a copy away, whoever is still connected."""
    server = await database.connect(on.admin_url)
    try:
        await server.execute(f'DROP DATABASE IF EXISTS "{made.name}" WITH (FORCE)')
    finally:
        await server.close()


@contextmanager
def _admin_url(folder: Path) -> Iterator[str]:
    if own := os.environ.get("PURSER_DATABASE_URL"):
        yield own
    else:
        with EmbeddedPostgres(folder / "postgres", durable=False) as server:
            yield server.admin_url


async def _make_template(admin_url: str, folder: Path, run: str) -> dict[str, str]:
    urls = await database.prepare(admin_url, state_folder=folder, database=run, role_prefix=run)
    await database.migrate_all(urls)
    return urls


def _inside(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
