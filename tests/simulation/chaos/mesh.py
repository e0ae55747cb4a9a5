# SPDX-License-Identifier: Apache-2.0
"""The mesh that faults strike: replicas as processes, a PostgreSQL of its own, and a proxy before each of them.

Callers and services reach a service through a proxy, as through a Service of Kubernetes, and services reach PostgreSQL
through another. So every way between two of them can be cut.
"""

import asyncio
import os
import random
import secrets
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import grpc
from sqlalchemy import make_url

from deploy.local import database
from deploy.local.children import Child
from deploy.local.database import SERVICES
from deploy.local.identity import HOSTS, TRUST_DOMAIN, LocalIdentity, open_identity
from deploy.local.mesh import Secured, environment
from deploy.local.readiness import until_serving
from meshkit.clock import ManualClock
from meshkit.keyring import new_key
from purser_cli import certificates
from tests.simulation.chaos.clocks import SetClock, build_library
from tests.simulation.chaos.disk import SmallDisk
from tests.simulation.crash_cluster import reserve_port
from tests.simulation.fault_proxy import FaultProxy
from tests.simulation.own_postgres import OwnPostgres

# Every role: faults are what is tried here, not access.
ROLES = ("gate", "usage", "payments", "security", "operator", "viewer")
# Tokens and certificates are valid since then, for clocks that are behind.
BACKDATED = timedelta(minutes=5)
CERTIFICATES_VALID = timedelta(days=1)
# The log of the database would fill a small disk by itself.
SMALL_WAL = ("max_wal_size = '96MB'", "min_wal_size = '32MB'")
FREE_MEGABYTES_MIN = 150
SETTINGS = {
    "PURSER_LEDGER_SWEEP_SECONDS": "0.5",
    "PURSER_LEDGER_DATABASE_CONNECTIONS": "5",
    "PURSER_ALERT_ALLOW_PRIVATE_TARGETS": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One process of a service. address: where it serves callers; peer_address: where it serves other services."""

    service: str
    name: str
    address: str
    peer_address: str
    clock: SetClock
    child: Child

    async def kill(self) -> None:
        """SIGKILL."""
        await self.child.kill()

    async def start(self) -> None:
        """Start it; returns before it serves."""
        await self.child.start()

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.child.pid, number)


class ChaosMesh:
    """counts: replicas by service. cut_share: of the replies to callers that are lost with their connection.

    disk_megabytes: the size of a disk for PostgreSQL alone; None: it stores its data in `folder`.
    deaths: one line for each process that ended without being killed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        counts: Mapping[str, int],
        cut_share: float,
        dice: random.Random,
        disk_megabytes: int | None,
    ) -> None:
        self.deaths: list[str] = []
        self.admin_url = ""
        self.replicas: dict[str, list[Replica]] = {}
        self.proxies: dict[str, FaultProxy] = {}
        self.peer_proxies: dict[str, FaultProxy] = {}
        self.database_proxy: FaultProxy
        self.postgres: OwnPostgres
        self.identity: LocalIdentity
        self.disk: SmallDisk | None = None
        self.library: Path | None = None
        self._folder = folder
        self._counts = counts
        self._cut_share = cut_share
        self._dice = dice
        self._disk_megabytes = disk_megabytes
        self._stack = AsyncExitStack()

    @property
    def all_replicas(self) -> list[Replica]:
        return [replica for replicas in self.replicas.values() for replica in replicas]

    @property
    def all_proxies(self) -> list[FaultProxy]:
        return [*self.proxies.values(), *self.peer_proxies.values()]

    @property
    def addresses(self) -> dict[str, str]:
        """Where callers reach each service."""
        return {service: proxy.address for service, proxy in self.proxies.items()}

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        """Those of a caller who may do everything."""
        return self.identity.credentials(self.identity.token(*ROLES, subject="chaos"))

    async def start(self) -> None:
        """Start everything; returns when all replicas serve. Call `stop` afterwards, also when this raises."""
        self.library = build_library(self._folder)
        self.identity = open_identity(
            self._folder / "access", clock=ManualClock(datetime.now(UTC) - BACKDATED)
        )
        urls = await self._start_database()
        for service in SERVICES:
            await self._add(service)
        keys = new_key(secrets.token_bytes)
        for service in SERVICES:
            self.replicas[service] = [
                self._replica(service, number, urls[service], keys)
                for number in range(1, self._counts[service] + 1)
            ]
        self._stack.push_async_callback(self._stop_replicas)
        for replica in self.all_replicas:
            await replica.start()
        tls = self.identity.credentials()
        for replica in self.all_replicas:
            await until_serving(replica.name, replica.address, tls)

    async def stop(self) -> None:
        """Stop what runs, and free the ports and the disk."""
        await self._stack.aclose()

    async def _stop_replicas(self) -> None:
        for replica in self.all_replicas:
            replica.signal(signal.SIGCONT)
        await asyncio.gather(*(replica.child.stop() for replica in self.all_replicas))

    def renew_certificates(self, valid: timedelta = CERTIFICATES_VALID) -> None:
        """Issue new certificates to all services, as cert-manager does; services read them by themselves."""
        certificates.issue(
            self.identity.files.folder,
            trust_domain=TRUST_DOMAIN,
            hosts=HOSTS,
            valid=valid,
            now=datetime.now(UTC),
        )

    async def _start_database(self) -> dict[str, str]:
        """Start and migrate PostgreSQL; returns the URLs of services, through the proxy."""
        folder, free = self._folder, {}
        if self._disk_megabytes is not None:
            self.disk = SmallDisk(self._folder / "disk", self._disk_megabytes)
            self._stack.callback(self.disk.unmount)
            folder, free = self.disk.folder, {"free_megabytes_min": FREE_MEGABYTES_MIN}
        port = self._reserve_port()
        self.postgres = OwnPostgres(folder / "postgres", port=port, **free)
        self._stack.push_async_callback(self.postgres.stop)
        await self.postgres.start()
        urls = await database.prepare(self.postgres.admin_url, state_folder=self._folder)
        self.admin_url = make_url(self.postgres.admin_url).set(database="purser").render_as_string(False)
        await _configure(self.admin_url)
        await database.migrate_all(urls)
        self.database_proxy = await self._open_proxy([f"127.0.0.1:{port}"], has_tls=False, cut_share=0)
        proxied = int(self.database_proxy.address.rpartition(":")[2])
        return {
            service: make_url(url).set(port=proxied).render_as_string(False)
            for service, url in urls.runtime.items()
        }

    async def _add(self, service: str) -> None:
        """Open the proxies before a service, to ports on which its replicas will serve."""
        count = self._counts[service]
        for proxies, share in ((self.proxies, self._cut_share), (self.peer_proxies, 0.0)):
            addresses = [f"127.0.0.1:{self._reserve_port()}" for _ in range(count)]
            proxies[service] = await self._open_proxy(addresses, has_tls=True, cut_share=share)

    def _replica(self, service: str, number: int, url: str, secret_keys: str) -> Replica:
        name = f"{service}-{number}"
        address = self.proxies[service].servers[number - 1]
        peer_address = self.peer_proxies[service].servers[number - 1]
        clock = SetClock(self.library, self._folder / f"{name}.clock")
        peers = {peer: proxy.address for peer, proxy in self.peer_proxies.items()}
        variables = environment(
            service,
            url=url,
            at={service: address},
            access=Secured(self.identity, {**peers, service: peer_address}),
            sandbox_start_time=None,
            secret_keys=secret_keys,
        )
        child = Child(
            name,
            f"services.{service}",
            {**os.environ, **variables, **SETTINGS, **clock.environment},
            log=self._folder / f"{name}.log",
            say=lambda line: None,
            on_death=lambda fault: self.deaths.append(str(fault)),
        )
        return Replica(
            service=service,
            name=name,
            address=address,
            peer_address=peer_address,
            clock=clock,
            child=child,
        )

    async def _open_proxy(self, servers: list[str], *, has_tls: bool, cut_share: float) -> FaultProxy:
        dice = random.Random(self._dice.random())
        proxy = FaultProxy(servers, cut_share=cut_share, dice=dice, has_tls=has_tls)
        return await self._stack.enter_async_context(proxy.open())

    def _reserve_port(self) -> int:
        reserved = self._stack.enter_context(reserve_port())
        port: int = reserved.getsockname()[1]
        return port


async def _configure(admin_url: str) -> None:
    admin = await asyncpg.connect(admin_url)
    try:
        for setting in SMALL_WAL:
            await admin.execute(f"ALTER SYSTEM SET {setting}")
        await admin.execute("SELECT pg_reload_conf()")
    finally:
        await admin.close()
