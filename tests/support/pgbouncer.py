# SPDX-License-Identifier: Apache-2.0
"""A PgBouncer in transaction mode before a database of a test. Tests that need one skip if there is none."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from deploy.local.ports import free_port
from tests.support.postgres import Databases

TRACKS_FROM = (1, 21)
START_SECONDS_MAX = 60
POOL_SIZE = 3
CONFIGURATION = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool_size}
server_login_retry = 1
{more}
"""


def pgbouncer(*, tracks: bool = True) -> str:
    """Return the program, or skip the test. tracks: it must be able to track prepared statements."""
    program = os.environ.get("PURSER_PGBOUNCER") or shutil.which("pgbouncer")
    if program is None:
        pytest.skip("no PgBouncer: install it, or name the program in PURSER_PGBOUNCER")
    if tracks and version_of(program) < TRACKS_FROM:
        pytest.skip(f"{program} is older than 1.21: name a newer one in PURSER_PGBOUNCER")
    return program


def version_of(program: str) -> tuple[int, int]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])


@asynccontextmanager
async def pooled(
    databases: Databases,
    folder: Path,
    program: str,
    *,
    prepared_statements: int = 100,
    more: Iterable[str] = (),
) -> AsyncIterator[Databases]:
    """Yield the databases as services reach them through a PgBouncer. more: lines of its configuration."""
    port = free_port()
    host, _, database_port = databases.address_of("ledger").rpartition(":")
    users = folder / "users.txt"
    users.write_text(
        "".join(
            f'"{url.username}" "{url.password}"\n'
            for url in map(make_url, (*databases.urls.values(), *databases.owner_urls.values()))
        )
    )
    lines = list(more)
    if version_of(program) >= TRACKS_FROM:
        lines.append(f"max_prepared_statements = {prepared_statements}")
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(
            host=host,
            port=database_port,
            listen_port=port,
            users=users,
            pool_size=POOL_SIZE,
            more="\n".join(lines),
        )
    )
    # PgBouncer does not run as root.
    prefix = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--") if os.geteuid() == 0 else ()
    with (folder / "pgbouncer.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *prefix, program, str(configuration), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        await _until_open(port, process)
        yield databases.at(f"127.0.0.1:{port}")
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            process.kill()
        await process.wait()


async def _until_open(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            assert process.returncode is None, f"PgBouncer ended with {process.returncode}"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
