# SPDX-License-Identifier: Apache-2.0
"""The processes of the crash tests: PostgreSQL, two Ledger workers on one port, a Ledger replica; and how each dies."""

import asyncio
import random
import secrets
import socket
from contextlib import AsyncExitStack
from pathlib import Path

from deploy.citus import cluster
from deploy.local import database
from meshkit.database_url import role_of
from meshkit.db import migrate
from tests.simulation.own_citus import SHARDS, OwnCitus
from tests.simulation.own_postgres import PATIENCE_SECONDS, OwnPostgres
from tests.support.ledger_process import LedgerProcess

WORKERS = 2
CITUS_WORKERS = 2
# What is killed, with relative frequencies: a worker, which its parent restarts; a replica; PostgreSQL's postmaster;
# the parent of the workers; a replica and PostgreSQL at the same time.
TARGETS = {"worker": 3, "replica": 3, "postmaster": 3, "parent": 1, "replica and postmaster": 1}
# On Citus: a worker of the database instead of its only server, and the coordinator.
CITUS_TARGETS = {"Citus worker": 4, "Citus coordinator": 1, "worker": 1, "replica": 1}


class Cluster:
    """A durable PostgreSQL, two Ledger workers on one port, and a Ledger replica on another port.

    citus: the programs of a PostgreSQL with Citus; the database is a coordinator and two workers then. together: the
    parent of the workers; only if the cluster has some. alone: the replica.
    """

    def __init__(self, folder: Path, *, has_workers: bool = True, citus: Path | None = None) -> None:
        self.url = ""
        self.targets = TARGETS if citus is None else CITUS_TARGETS
        self._has_workers = has_workers
        self.together: LedgerProcess
        self.alone: LedgerProcess
        self._folder = folder
        self._stack = AsyncExitStack()
        self._postgres: OwnPostgres | OwnCitus
        if citus is None:
            self._postgres = OwnPostgres(folder / "postgres", port=self._reserve_port())
        else:
            coordinator, *workers = [self._reserve_port() for _ in range(1 + CITUS_WORKERS)]
            self._postgres = OwnCitus(folder / "citus", ports=(coordinator, *workers), programs=citus)

    async def start(self) -> None:
        """Start everything. Call `stop` afterwards, also when this raises."""
        self._stack.push_async_callback(self._postgres.stop)
        await self._postgres.start()
        name = f"purser_crash_{secrets.token_hex(4)}"
        self.url = await self._prepare(name)
        self.alone = self._ledger()
        if self._has_workers:
            self.together = self._ledger("--workers", str(WORKERS))
        for process in self._ledgers():
            await process.start()
            self._stack.push_async_callback(process.stop)
            await process.until_said("service_started")

    async def _prepare(self, name: str) -> str:
        """Create a migrated database; returns the URL of the Ledger's runtime role."""
        admin_url = self._postgres.admin_url
        if isinstance(self._postgres, OwnCitus):
            urls = await cluster.prepare(
                admin_url, name, state_folder=self._folder, role_prefix=name, shards=SHARDS
            )
        else:
            urls = await database.prepare(
                admin_url, state_folder=self._folder, database=name, role_prefix=name
            )
            await migrate(
                urls.owner["ledger"], service="ledger", runtime_role=role_of(urls.runtime["ledger"])
            )
        return urls.runtime["ledger"]

    async def stop(self) -> None:
        """Stop what runs, and free the ports."""
        await self._stack.aclose()

    async def kill(self, target: str, dice: random.Random) -> None:
        """SIGKILL a target, and return when as many Ledger processes serve as before."""
        match target:
            case "worker":
                worker = dice.randrange(WORKERS)
                killed = await self.together.kill_worker(worker)
                await self.together.until(lambda own: own.workers.get(worker, killed) != killed)
            case "replica":
                self.alone.kill()
                await self.alone.restart()
            case "parent":
                self.together.kill()
                await self.together.restart()
            case "Citus worker":
                assert isinstance(self._postgres, OwnCitus)
                await self._postgres.kill_and_start(dice.randint(1, CITUS_WORKERS))
            case "Citus coordinator":
                assert isinstance(self._postgres, OwnCitus)
                await self._postgres.kill_and_start(0)
            case "postmaster":
                assert isinstance(self._postgres, OwnPostgres)
                self._postgres.kill()
                await self._postgres.start()
            case "replica and postmaster":
                assert isinstance(self._postgres, OwnPostgres)
                self.alone.kill()
                self._postgres.kill()
                await asyncio.gather(self._postgres.start(), self.alone.ended())
                await self.alone.restart()
            case _:
                raise ValueError(target)

    def addresses_of(self, target: str) -> list[str]:
        """Return the addresses at which a write proves that the target is back."""
        match target:
            case "worker" | "parent":
                return [self.together.asked_address]
            case "replica":
                return [self.alone.asked_address]
            case _:
                return [process.asked_address for process in self._ledgers()]

    def unexplained_ends(self) -> list[str]:
        """Return one line for each Ledger process that ended without being killed."""
        return [
            f"{name}: {line}"
            for name, process in zip(("the replica", "the workers' Ledger"), self._ledgers(), strict=False)
            for line in process.unexplained_ends
        ]

    def _ledgers(self) -> list[LedgerProcess]:
        return [self.alone, self.together] if self._has_workers else [self.alone]

    def _ledger(self, *arguments: str) -> LedgerProcess:
        address = f"127.0.0.1:{self._reserve_port()}"
        return LedgerProcess(
            self.url,
            *arguments,
            address=address,
            patience_seconds=PATIENCE_SECONDS,
            sweep_seconds="0.5",
            database_connections="5",
        )

    def _reserve_port(self) -> int:
        reserved = self._stack.enter_context(reserve_port())
        port: int = reserved.getsockname()[1]
        return port


def reserve_port() -> socket.socket:
    """Return a socket that keeps a free port of 127.0.0.1 for this run until it is closed.

    It is bound and does not listen. So servers that set SO_REUSEADDR or SO_REUSEPORT, as PostgreSQL and gRPC do, can
    listen there, and while none does, the kernel gives the port to nobody who asks for any free port.
    """
    reserved = socket.socket()
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
    except BaseException:
        reserved.close()
        raise
    return reserved
