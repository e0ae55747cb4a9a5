# SPDX-License-Identifier: Apache-2.0
"""Two replicas of every service, as processes with identities on one database, in production mode."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from deploy.local import mesh
from deploy.local.children import SOURCE_ROOT, Child
from deploy.local.database import SERVICES
from deploy.local.fault import Fault
from deploy.local.identity import LocalIdentity, open_identity
from deploy.local.ports import HOST, free_port
from deploy.local.readiness import until_serving
from meshkit.clock import SystemClock
from tests.support.alert import SECRET_KEYS

REPLICAS = 2


@dataclass(frozen=True, slots=True)
class Replica:
    """One process of a service. address: where it serves callers."""

    service: str
    address: str
    process: Child


class Replicas:
    """All replicas. targets: of each service, the addresses of its replicas for callers, as gRPC takes them.

    drain_seconds: from SIGTERM until a replica takes no new calls. age_seconds: of connections. source: the folder of
    the code that they run, until `restart` starts one with other code.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        folder: Path,
        *,
        drain_seconds: float,
        age_seconds: float,
        source: Path = SOURCE_ROOT,
    ) -> None:
        self.identity: LocalIdentity = open_identity(folder, clock=SystemClock())
        self.deaths: list[Fault] = []
        self._addresses = {service: [_free() for _ in range(REPLICAS)] for service in SERVICES}
        self._peer_addresses = {service: [_free() for _ in range(REPLICAS)] for service in SERVICES}
        self.targets = {service: target_of(self._addresses[service]) for service in SERVICES}
        self._urls, self._folder = urls, folder
        self._lifetimes = {"DRAIN_SECONDS": str(drain_seconds), "CONNECTION_AGE_SECONDS": str(age_seconds)}
        self._replicas = [
            Replica(service, self._addresses[service][number], self._child(service, number, source))
            for service in SERVICES
            for number in range(REPLICAS)
        ]

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(self._start(one) for one in self._replicas))
        except BaseException:
            await self._stop_all()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_all()

    def addresses(self, service: str) -> list[str]:
        """Return where the replicas of a service serve callers."""
        return self._addresses[service]

    async def restart(self, service: str, number: int, source: Path = SOURCE_ROOT) -> None:
        """Stop a replica as a cluster does, by SIGTERM, and start it again on its ports with the code in `source`."""
        place = SERVICES.index(service) * REPLICAS + number
        old = self._replicas[place]
        await old.process.stop()
        new = replace(old, process=self._child(service, number, source))
        self._replicas[place] = new
        await self._start(new)

    async def _start(self, replica: Replica) -> None:
        await replica.process.start()
        await until_serving(replica.service, replica.address, self.identity.credentials())

    async def _stop_all(self) -> None:
        await asyncio.gather(*(one.process.stop() for one in self._replicas))

    def _child(self, service: str, number: int, source: Path) -> Child:
        peers = {one: target_of(addresses) for one, addresses in self._peer_addresses.items()}
        settings = mesh.environment(
            service,
            url=self._urls[service],
            at={service: self._addresses[service][number]},
            access=mesh.Secured(self.identity, {**peers, service: self._peer_addresses[service][number]}),
            sandbox_start_time=None,
            secret_keys=SECRET_KEYS,
        )
        own = {f"PURSER_{service.upper()}_{name}": value for name, value in self._lifetimes.items()}
        return Child(
            f"{service}-{number}",
            f"services.{service}",
            {**environment_of(source), **settings, **own},
            log=self._folder / f"{service}-{number}.log",
            say=lambda line: None,
            on_death=self.deaths.append,
            source=source,
        )


def environment_of(source: Path) -> dict[str, str]:
    """Return this process's environment, with the packages of `source` before the installed ones."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(source), str(source / "libs")))}


def target_of(addresses: list[str]) -> str:
    """Return gRPC's name for several addresses."""
    return f"ipv4:{','.join(addresses)}"


def _free() -> str:
    return f"{HOST}:{free_port()}"
