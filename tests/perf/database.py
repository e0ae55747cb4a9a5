# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL for the benches: a separate database for each, copied from a migrated template."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from deploy.local import database
from tests.perf.goals import NotMeasured
from tests.perf.servers import family_cpu_seconds, process_cpu_seconds

SETTINGS_TOLD = (
    *("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "wal_level"),
    *("commit_delay", "shared_buffers"),
)
RELOAD_SECONDS_MAX = 10.0
_IS_ALTERED = """
    SELECT coalesce(sourcefile LIKE '%postgresql.auto.conf', false) FROM pg_settings WHERE name = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The database of one bench. admin_url: for the superuser. urls: for the services."""

    admin_url: str
    urls: Mapping[str, str]

    @property
    def ledger_url(self) -> str:
        return self.urls["ledger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """The server of a run. name: of the template, and the prefix of its roles.

    copy_prefix: of the copies' names; no other run on this server has it. postmaster: its process id; None when it is
    not a process of this machine.
    """

    admin_url: str
    name: str
    copy_prefix: str
    urls: Mapping[str, str]
    postmaster: int | None
    settings: Mapping[str, str]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Database]:
        """A migrated, empty database that is dropped at the end of the block."""
        name = f"{self.copy_prefix}_bench_{next(self.numbers)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.name}"')
        try:
            server = await database.connect(self.admin_url)
            try:
                await database.restrict(server, name, role_prefix=self.name)
            finally:
                await server.close()
            await _make_commits_table(inside(self.admin_url, name))
            yield Database(
                admin_url=inside(self.admin_url, name),
                urls={service: inside(url, name) for service, url in self.urls.items()},
            )
        finally:
            await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @asynccontextmanager
    async def slow_commits(self, *, delay_us: int) -> AsyncIterator[None]:
        """Delay every commit of the whole server before its flush, until the block ends.

        Raises NotMeasured when the server does not flush, because then it does not delay either.
        """
        if self.settings["fsync"] != "on":
            raise NotMeasured("commit_delay needs fsync, and this server runs without it")
        async with self._changed("commit_delay", str(delay_us)), self._changed("commit_siblings", "0"):
            yield

    async def settle(self) -> None:
        """Flush the prepared data, so that its write is not part of the measurement."""
        await self._execute("CHECKPOINT")

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of all server processes. Raises NotMeasured when it runs on another machine."""
        if self.postmaster is None:
            raise NotMeasured("PostgreSQL is not a process of this machine")
        return family_cpu_seconds(self.postmaster)

    @asynccontextmanager
    async def _changed(self, name: str, value: str) -> AsyncIterator[None]:
        """Change one setting of the server until the block ends, then restore it."""
        before = await self._value("SELECT setting FROM pg_settings WHERE name = $1", name)
        was_altered = await self._value(_IS_ALTERED, name)
        try:
            await self._alter(f"SET {name} = {value}", name, value)
            yield
        finally:
            await self._alter(f"SET {name} = {before}" if was_altered else f"RESET {name}", name, before)

    async def _alter(self, change: str, name: str, value: str) -> None:
        """Change a setting and return when it is in force."""
        await self._execute(f"ALTER SYSTEM {change}")
        await self._execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(RELOAD_SECONDS_MAX):
            # Each query opens a new session, which takes time by itself, so no extra pause is needed.
            while await self._value("SELECT setting FROM pg_settings WHERE name = $1", name) != value:
                pass

    async def _execute(self, statement: str) -> None:
        await self._value(statement)

    async def _value(self, question: str, *arguments: object) -> Any:
        connection = await database.connect(self.admin_url)
        try:
            return await connection.fetchval(question, *arguments)
        finally:
            await connection.close()


@asynccontextmanager
async def open_databases(admin_url: str, folder: Path) -> AsyncIterator[Databases]:
    """Create a template on the server at `admin_url`; everything created is dropped when the block ends.

    Requires superuser rights. Raises Fault. folder: where the roles' passwords are stored meanwhile.
    """
    name = f"purser_perf_{secrets.token_hex(4)}"
    try:
        urls = await database.prepare(admin_url, state_folder=folder, database=name, role_prefix=name)
        await database.migrate_all(urls)
        yield await databases_of(admin_url, name, urls.runtime)
    finally:
        await database.drop(admin_url, name, role_prefix=name)


async def databases_of(
    admin_url: str, name: str, urls: Mapping[str, str], *, copy_prefix: str = ""
) -> Databases:
    """The server at `admin_url` with a migrated template; see Databases. copy_prefix "": the name."""
    connection = await database.connect(admin_url)
    try:
        settings = {one: await connection.fetchval(f"SHOW {one}") for one in SETTINGS_TOLD}
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        postmaster = _parent_if_postgres(backend)
    finally:
        await connection.close()
    return Databases(
        admin_url=admin_url,
        name=name,
        copy_prefix=copy_prefix or name,
        urls=urls,
        postmaster=postmaster,
        settings=settings,
    )


async def _make_commits_table(url: str) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = await database.connect(url)
    try:
        await connection.execute("CREATE SCHEMA perf")
        await connection.execute("CREATE TABLE perf.commits (id text PRIMARY KEY, body text NOT NULL)")
    finally:
        await connection.close()


def _parent_if_postgres(backend: int) -> int | None:
    """Return the postmaster's pid if this backend is a process of this machine."""
    try:
        name, _, rest = Path(f"/proc/{backend}/stat").read_text().rpartition(")")
        process_cpu_seconds(backend)
    except (FileNotFoundError, NotMeasured):
        return None
    return int(rest.split()[1]) if "postgres" in name else None


def inside(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)
