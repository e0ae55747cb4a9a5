# SPDX-License-Identifier: Apache-2.0
"""The processes of a race: two Ledgers on one database, the proxy in front of them, and eight clients."""

import asyncio
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc.aio

from deploy.local.database import SOURCE_ROOT
from purser.ledger.v1 import ledger_admin_pb2 as apb
from tests.perf.world import Stubs, customer, open_stubs
from tests.simulation.crash_cluster import reserve_port
from tests.simulation.fault_proxy import FaultProxy
from tests.simulation.lease_race.call_log import CallLog, CallLogs
from tests.simulation.lease_race.client import ClientSettings
from tests.support.ledger_process import LedgerProcess

LEDGERS = 2
CLIENTS = 8
CUSTOMER = customer(1)
CUT_SHARE = 0.002
RETRY_SECONDS = 0.1
# Only ends a hang.
PATIENCE_SECONDS = 120.0


class RaceStopped(Exception):
    """The race cannot go on; in one line."""


@dataclass(slots=True)
class ClientProcess:
    """One of the eight: its process now, and how often it was started. A successor has the same spool."""

    number: int
    settings: ClientSettings
    log: CallLog
    process: asyncio.subprocess.Process
    reading: "asyncio.Task[None]"
    starts: int = 1


@dataclass(slots=True)
class RaceCluster:
    """What runs. outages: when the Ledger could not be reached as usual, in seconds since 1970, in order."""

    ledgers: list[LedgerProcess]
    proxy: FaultProxy
    stubs: list[Stubs]
    folder: Path
    dice: random.Random
    ttl_seconds: float
    logs: CallLogs = field(default_factory=CallLogs)
    clients: list[ClientProcess] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def start_clients(self) -> None:
        """Start all; every second one has threads, and every second pair a spool."""
        for number in range(CLIENTS):
            settings = ClientSettings(
                name=f"client{number}.1",
                address=self.proxy.address,
                customer=CUSTOMER,
                is_sync=number % 2 == 1,
                spool=str(self.folder / f"client{number}.spool") if number % 4 < 2 else "",
                seed=self.dice.randrange(2**32),
                ttl_seconds=self.ttl_seconds,
            )
            self.clients.append(ClientProcess(number, settings, *await self._started(settings)))

    async def kill(self, client: ClientProcess) -> None:
        """Kill -9 a client's process, and read what it has written until then. Raises RaceStopped if it had ended."""
        if client.process.returncode is not None:
            raise RaceStopped(f"{client.log.name} ended by itself, with status {client.process.returncode}")
        client.log.killed = time.time()
        client.process.kill()
        await self._ended(client)

    async def restart(self, client: ClientProcess) -> None:
        """Start the successor of a killed process: another user with other calls."""
        client.starts += 1
        client.settings = replace(
            client.settings,
            name=f"client{client.number}.{client.starts}",
            seed=self.dice.randrange(2**32),
        )
        client.log, client.process, client.reading = await self._started(client.settings)

    async def finish(self) -> None:
        """Let all clients report everything and end."""
        for client in self.clients:
            assert client.process.stdin is not None
            client.process.stdin.close()
        for client in self.clients:
            code = await self._ended(client)
            if code or not client.log.is_closed:
                self.wrong.append(f"{client.log.name} ended with status {code}, or with unreported uses")

    async def top_up(self, micros: int) -> None:
        """Grant credits, by any Ledger that answers."""
        request_id = secrets.token_hex(16)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for stubs in self.dice.sample(self.stubs, len(self.stubs)):
                    with suppress(grpc.aio.AioRpcError):
                        await stubs.add_credits(CUSTOMER, micros=micros, request_id=request_id)
                        return
                await asyncio.sleep(RETRY_SECONDS)

    def note_outage(self, began: float, ended: float) -> None:
        """Note one that began after those before; `outages` do not overlap."""
        earlier = self.outages[-1][1] if self.outages else 0.0
        self.outages.append((max(began, earlier), ended))

    async def verify(self) -> apb.VerifyLedgerResponse:
        return await self.stubs[0].verify()

    def kill_clients(self) -> None:
        """Kill the clients that still run; none does after `finish`."""
        for client in self.clients:
            with suppress(ProcessLookupError):
                client.process.kill()

    async def _started(
        self, settings: ClientSettings
    ) -> tuple[CallLog, asyncio.subprocess.Process, "asyncio.Task[None]"]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.simulation.lease_race.client", settings.to_argument()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=SOURCE_ROOT,
        )
        assert process.stdout is not None
        log = self.logs.new(settings.name, has_spool=bool(settings.spool))
        return log, process, asyncio.create_task(self.logs.read(log, process.stdout))

    async def _ended(self, client: ClientProcess) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await client.reading
            return await client.process.wait()


@asynccontextmanager
async def open_cluster(
    ledger_url: str, folder: Path, dice: random.Random, *, ttl_seconds: float
) -> AsyncIterator[RaceCluster]:
    """Run two Ledgers with a product and a customer, and the proxy; clients are started later."""
    async with AsyncExitStack() as stack:
        ledgers = []
        for _ in range(LEDGERS):
            port: int = stack.enter_context(reserve_port()).getsockname()[1]
            ledgers.append(
                LedgerProcess(
                    ledger_url,
                    address=f"127.0.0.1:{port}",
                    patience_seconds=PATIENCE_SECONDS,
                    database_connections="5",
                )
            )
        for ledger in ledgers:
            await ledger.start()
            stack.push_async_callback(ledger.stop)
        for ledger in ledgers:
            await ledger.until_said("service_started")
        addresses = [ledger.asked_address for ledger in ledgers]
        stubs = [await stack.enter_async_context(open_stubs(address)) for address in addresses]
        await stubs[0].open_shop()
        await stubs[0].sign([CUSTOMER])
        proxy = FaultProxy(addresses, cut_share=CUT_SHARE, dice=random.Random(dice.random()))
        await stack.enter_async_context(proxy.open())
        cluster = RaceCluster(ledgers, proxy, stubs, folder, dice, ttl_seconds)
        stack.callback(cluster.kill_clients)
        yield cluster
        cluster.wrong += [line for ledger in ledgers for line in ledger.unexplained_ends]
