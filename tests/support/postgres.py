# SPDX-License-Identifier: Apache-2.0
"""One PostgreSQL for the whole run, and a database of its own for every test that asks.

The server starts once and one template database is migrated once, also when several workers share the run: the
controller makes both and passes the address to each worker. A test's database is a copy of the template and is
dropped after the test. With PURSER_DATABASE_URL set, all this happens on that server, and everything made there is
dropped at the end of the run, whatever a worker that crashed left behind.
"""

import asyncio
import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from deploy.citus import cluster
from deploy.local import database
from deploy.local.postgres import EmbeddedPostgres
from meshkit.database_url import role_of
from meshkit.db import NEWEST, migrate

# A copy of the template is 10 MB in some 300 files: in memory it takes half the CPU that it takes on a disk.
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4_000_000_000
# Two for each worker of a small cluster: several customers of one test are on different ones.
CITUS_SHARDS = 4
CITUS_URL = "PURSER_CITUS_URL"
_MAKING = 9700  # the advisory lock of who makes a database on Citus


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """The run's server, the services' roles, and the migrated template.

    copy_prefix: the names of this process's copies begin with it; no other worker of the run has it.
    is_citus: a copy is made by migrating, since the template says nothing about what is on the workers.
    """

    admin_url: str
    role_prefix: str
    template: str
    template_urls: dict[str, str]
    template_owner_urls: dict[str, str]
    copy_prefix: str
    is_citus: bool = False
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def for_worker(self, worker: str) -> dict[str, Any]:
        """The arguments with which `worker` makes its own PostgresServer, as plain values."""
        return {
            "admin_url": self.admin_url,
            "role_prefix": self.role_prefix,
            "template": self.template,
            "template_urls": self.template_urls,
            "template_owner_urls": self.template_owner_urls,
            "copy_prefix": f"{self.copy_prefix}_{worker}",
            "is_citus": self.is_citus,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """One test's own database, migrated; every service sees its own schema of it."""

    name: str
    admin_url: str
    urls: dict[str, str]
    owner_urls: dict[str, str]

    @property
    def address(self) -> str:
        """Of the server: host:port."""
        url = make_url(self.admin_url)
        return f"{url.host}:{url.port}"

    def address_of(self, service: str) -> str:
        """Return where `service` reaches the server: host:port."""
        url = make_url(self.urls[service])
        return f"{url.host}:{url.port}"

    def at(self, address: str) -> "Databases":
        """Return it as reached at another address of the server, such as that of a proxy."""
        host, _, port = address.rpartition(":")
        moved = {
            service: make_url(url).set(host=host, port=int(port)).render_as_string(hide_password=False)
            for service, url in self.urls.items()
        }
        return replace(self, urls=moved)

    def logging_in_as(self, service: str, role: str) -> "Databases":
        """Return it as `service` reaches it with another role, and without a password."""
        url = make_url(self.urls[service])._replace(username=role, password=None)
        return replace(self, urls={**self.urls, service: url.render_as_string(hide_password=False)})

    def url(self, service: str) -> str:
        """`postgresql://…` with the runtime role of `service` (catalog, contract, ledger, alert)."""
        return self.urls[service]

    def owner_url(self, service: str) -> str:
        """The same with the role that owns the schema of `service`."""
        return self.owner_urls[service]

    async def migrate(self, service: str, *, to: str = NEWEST) -> None:
        """Migrate the schema of `service` as an operator does: as its owner, for the runtime role."""
        await migrate(
            self.owner_url(service), service=service, runtime_role=role_of(self.url(service)), to=to
        )

    async def remake_schema(self, service: str) -> None:
        """Drop the schema of `service` with all data and create it empty, with the same owner."""
        connection = await database.connect(self.admin_url)
        try:
            await connection.execute(f"DROP SCHEMA IF EXISTS {service} CASCADE")
            owner = role_of(self.owner_url(service))
            await connection.execute(f'CREATE SCHEMA {service} AUTHORIZATION "{owner}"')
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Iterator[PostgresServer]:
    shared = getattr(pytestconfig, "workerinput", {}).get("postgres_server")
    if shared is not None:
        yield PostgresServer(**shared)
    else:
        with open_server() as server:
            yield server


@pytest.fixture
async def databases(postgres_server: PostgresServer) -> AsyncIterator[Databases]:
    async with own_database(postgres_server) as made:
        yield made


@asynccontextmanager
async def own_database(on: PostgresServer) -> AsyncIterator[Databases]:
    """A copy of the template for the length of the block."""
    made = await make_database(on)
    try:
        yield made
    finally:
        await drop_database(on, made)


@contextmanager
def open_server() -> Iterator[PostgresServer]:
    """A server with the migrated template, for the length of the block; nothing of the run is left on it."""
    memory = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN else None
    with (
        tempfile.TemporaryDirectory(prefix="purser-test-", dir=memory) as folder,
        _admin_url(Path(folder)) as admin_url,
    ):
        run = f"purser_test_{secrets.token_hex(4)}"
        try:
            is_citus = CITUS_URL in os.environ
            urls = asyncio.run(_make_template(admin_url, Path(folder), run, migrates=not is_citus))
            yield PostgresServer(
                admin_url=admin_url,
                role_prefix=run,
                template=run,
                template_urls=urls.runtime,
                template_owner_urls=urls.owner,
                copy_prefix=run,
                is_citus=is_citus,
            )
        finally:
            asyncio.run(_drop_all(admin_url, run))


async def make_database(on: PostgresServer) -> Databases:
    """Copy the template under a new name."""
    name = f"{on.copy_prefix}_{next(on.numbers)}"
    if on.is_citus:
        return await _make_on_citus(on, name)
    server = await database.connect(on.admin_url)
    try:
        # Copied as files: the default writes every page to the WAL too, for twice the CPU.
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{on.template}" STRATEGY FILE_COPY')
        await database.restrict(server, name, role_prefix=on.role_prefix)
    finally:
        await server.close()
    return _databases(on, name)


async def _make_on_citus(on: PostgresServer, name: str) -> Databases:
    made = _databases(on, name)
    # For each database Citus alters the roles on the workers again, and two sessions cannot do that at once.
    turn = await database.connect(on.admin_url)
    try:
        await turn.execute(f"SELECT pg_advisory_lock({_MAKING})")
        await cluster.make_database(on.admin_url, name)
        for service in database.SERVICES:
            await made.remake_schema(service)
            await made.migrate(service)
        await cluster.distribute(made.owner_url("ledger"), shards=CITUS_SHARDS)
    finally:
        await turn.close()
    return made


def _databases(on: PostgresServer, name: str) -> Databases:
    return Databases(
        name=name,
        admin_url=_inside(on.admin_url, name),
        urls={service: _inside(url, name) for service, url in on.template_urls.items()},
        owner_urls={service: _inside(url, name) for service, url in on.template_owner_urls.items()},
    )


async def drop_database(on: PostgresServer, made: Databases) -> None:
    """Throw a copy away, whoever is still connected."""
    if on.is_citus:
        await cluster.drop_database(on.admin_url, made.name)
        return
    server = await database.connect(on.admin_url)
    try:
        await server.execute(f'DROP DATABASE IF EXISTS "{made.name}" WITH (FORCE)')
    finally:
        await server.close()


@contextmanager
def _admin_url(folder: Path) -> Iterator[str]:
    if own := os.environ.get(CITUS_URL) or os.environ.get("PURSER_DATABASE_URL"):
        yield own
    else:
        with EmbeddedPostgres(folder / "postgres", durable=False) as server:
            yield server.admin_url


async def _make_template(admin_url: str, folder: Path, run: str, *, migrates: bool) -> database.ServiceUrls:
    urls = await database.prepare(admin_url, state_folder=folder, database=run, role_prefix=run)
    if migrates:
        await database.migrate_all(urls)
    return urls


async def _drop_all(admin_url: str, run: str) -> None:
    """The copies first: a worker that crashed has left its own, and the roles have rights in them."""
    server = await database.connect(admin_url)
    try:
        copies = await server.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", f"{run}_"
        )
        for copy in copies:
            if CITUS_URL in os.environ:
                await cluster.drop_database(admin_url, copy["datname"])
            await server.execute(f'DROP DATABASE IF EXISTS "{copy["datname"]}" WITH (FORCE)')
    finally:
        await server.close()
    await database.drop(admin_url, run, role_prefix=run)


def _inside(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
