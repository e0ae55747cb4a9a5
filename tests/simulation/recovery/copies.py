# SPDX-License-Identifier: Apache-2.0
"""Copies of a PostgreSQL, made with its own programs: a base backup, a standby, a server restored to an instant."""

import asyncio
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local.postgres import binaries
from meshkit.database_url import DatabaseUrl
from tests.simulation.own_postgres import PATIENCE_SECONDS


async def base_backup(admin_url: str, folder: Path, *, as_standby: bool) -> None:
    """Copy a running server into `folder`/data, so that OwnPostgres(folder) starts it.

    as_standby: it then follows the server; otherwise it starts as of the copy, or is restored by `recover_to`.
    """
    folder.mkdir(parents=True)
    options = ["--write-recovery-conf"] if as_standby else []
    await run("pg_basebackup", admin_url, f"--pgdata={folder / 'data'}", "--checkpoint=fast", *options)


async def run(program: str, url: str, *arguments: str) -> None:
    """Run a program of PostgreSQL on a database. Raises CalledProcessError."""
    command = [str(binaries() / program), f"--dbname={url}", *arguments]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)


def recover_to(folder: Path, archive: Path, at: datetime) -> None:
    """Have the base backup in `folder` replay the archived log up to an instant, at its start."""
    data = folder / "data"
    (data / "recovery.signal").touch()
    with (data / "postgresql.auto.conf").open("a") as configuration:
        configuration.write(
            f'restore_command = \'cp "{archive}/%f" "%p"\'\n'
            f"recovery_target_time = '{at.isoformat()}'\n"
            "recovery_target_action = 'promote'\n"
        )


def archiving(archive: Path) -> dict[str, str]:
    """Return the settings of a server that archives its log. The command never overwrites a file."""
    archive.mkdir()
    return {"archive_mode": "on", "archive_command": f'test ! -f "{archive}/%f" && cp "%p" "{archive}/%f"'}


async def ask(url: str, question: str) -> Any:
    """Return the value that a statement selects."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def until(url: str, question: str) -> None:
    """Return when a statement selects true. Raises TimeoutError."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await connection.fetchval(question):
                await connection.execute("SELECT pg_sleep(0.05)")
    finally:
        connection.terminate()


async def replicate_synchronously(admin_url: str) -> None:
    """Have every commit wait for the standby; returns when it does."""
    await ask(admin_url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    await ask(admin_url, "SELECT pg_reload_conf()")
    await until(admin_url, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")


async def archive_now(admin_url: str) -> None:
    """Have what was written until now archived; returns when it is."""
    segment = await ask(admin_url, "SELECT pg_walfile_name(pg_switch_wal())")
    await until(admin_url, f"SELECT coalesce(last_archived_wal >= '{segment}', false) FROM pg_stat_archiver")


def beside(url: str, *ports: int) -> str:
    """Return a URL that names several servers of this machine instead of its own."""
    own = DatabaseUrl.parse(url).hosts[0]
    return url.replace(f"@{own}/", "@" + ",".join(f"127.0.0.1:{port}" for port in ports) + "/")
