# SPDX-License-Identifier: Apache-2.0
"""Envoy in front of a local mesh, and the replica that it balances with."""

import asyncio
import functools
import os
import shlex
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.envoy.__main__ import write
from deploy.envoy.settings import EnvoyFiles, EnvoySettings, Site
from deploy.local.children import Child
from deploy.local.fault import Fault
from deploy.local.identity import TRUST_DOMAIN, LocalIdentity
from deploy.local.mesh import ProcessMesh, Secured, addresses, environment
from deploy.local.ports import HOST, free_port
from deploy.local.readiness import until_answering, until_serving
from deploy.local.seatsco import ASSISTANT
from deploy.local.seed import Seeded

NAME = "envoy"
SECOND = "ledger-2"
NO_SITES: Mapping[str, Site] = {}


@dataclass(frozen=True, slots=True)
class RunningEnvoy:
    """address: for callers, over TLS. status_address: /ready and /stats/prometheus, over HTTP.

    admin_address: Envoy's administration, over HTTP.
    """

    address: str
    status_address: str
    admin_address: str


@dataclass(frozen=True, slots=True)
class FrontPorts:
    """The addresses of Envoy, and of the second Ledger for callers and for services."""

    envoy: str
    ledger: str
    ledger_peer: str

    @classmethod
    def after(cls, first_port: int) -> "FrontPorts":
        """Return those that follow a mesh on `first_port`. Raises Fault when one is taken."""
        return cls(
            *(
                addresses(first_port + distance, (name,))[name]
                for name, distance in ((NAME, 6), (SECOND, 22), (SECOND, 32))
            )
        )


@asynccontextmanager
async def running_front(
    mesh: ProcessMesh, ledger_url: str, ports: FrontPorts, *, folder: Path, say: Callable[[str, str], None]
) -> AsyncIterator[RunningEnvoy]:
    """Run a second Ledger and Envoy with a mesh that is seeded, until the block ends. Raises Fault as both do."""
    assert mesh.access is not None
    access = Secured(mesh.access.identity, {**mesh.access.peer_addresses, "ledger": ports.ledger_peer})
    replicas = {service: [address] for service, address in mesh.addresses.items()}
    replicas["ledger"].append(ports.ledger)
    async with (
        another_ledger(
            ledger_url,
            at={**mesh.addresses, "ledger": ports.ledger},
            access=access,
            sandbox_start_time=mesh.sandbox_start_time,
            log=folder / "logs" / f"{SECOND}.log",
            say=functools.partial(say, SECOND),
            on_death=mesh.report_death,
        ),
        running_envoy(
            replicas,
            access.identity,
            folder=folder / NAME,
            listen=ports.envoy,
            say=functools.partial(say, NAME),
            on_death=mesh.report_death,
        ) as envoy,
    ):
        yield envoy


@asynccontextmanager
async def running_envoy(
    services: Mapping[str, Sequence[str]],
    identity: LocalIdentity,
    *,
    folder: Path,
    listen: str,
    origins: Sequence[str] = (),
    sites: Mapping[str, Site] = NO_SITES,
    say: Callable[[str], None] = lambda line: None,
    on_death: Callable[[Fault], None] = lambda fault: None,
) -> AsyncIterator[RunningEnvoy]:
    """Serve until the block ends.

    services: the addresses of the replicas of each, for callers. folder: for configuration and log. listen: host:port.
    origins: of pages that may call. sites: the portal and the edge. Raises Fault if it does not serve within 60 s.
    """
    identity.renew(NAME)
    status, admin = (f"{HOST}:{free_port()}" for _ in range(2))
    files = EnvoyFiles(
        folder=folder,
        certificate=identity.files.chain(NAME),
        key=identity.files.key(NAME),
        authority=identity.files.authority,
    )
    written = write(
        EnvoySettings(
            files=files,
            services=services,
            listen=listen,
            status_listen=status,
            admin_listen=admin,
            trust_domain=TRUST_DOMAIN,
            origins=origins,
            sites=sites,
        )
    )
    ended: asyncio.Future[Fault] = asyncio.get_running_loop().create_future()
    ended.add_done_callback(lambda done: on_death(done.result()))
    child = Child(
        NAME,
        "deploy.envoy.serve",
        os.environ,
        log=folder / "envoy.log",
        say=say,
        on_death=ended.set_result,
        arguments=(str(written),),
    )
    await child.start()
    try:
        await _unless_ended(until_answering(NAME, status, "/ready"), ended)
        yield RunningEnvoy(address=listen, status_address=status, admin_address=admin)
    finally:
        await child.stop()


@asynccontextmanager
async def another_ledger(
    url: str,
    *,
    at: Mapping[str, str],
    access: Secured,
    sandbox_start_time: datetime | None,
    log: Path,
    say: Callable[[str], None] = lambda line: None,
    on_death: Callable[[Fault], None] = lambda fault: None,
) -> AsyncIterator[Child]:
    """Run one more Ledger until the block ends.

    url: its database's. at: the addresses of all services; the Ledger's is this one's. access: likewise. In sandbox
    mode it begins at the time that is stored, and does not notice later advances. Raises Fault if it does not serve
    within 60 s.
    """
    settings = environment("ledger", url=url, at=at, access=access, sandbox_start_time=sandbox_start_time)
    child = Child(SECOND, "services.ledger", {**os.environ, **settings}, log=log, say=say, on_death=on_death)
    await child.start()
    try:
        await until_serving(SECOND, at["ledger"], access.identity.credentials())
        yield child
    finally:
        await child.stop()


async def _unless_ended(ready: Coroutine[Any, Any, None], ended: asyncio.Future[Fault]) -> None:
    """Wait until a process is ready. Raises the Fault with which it ended before."""
    waiting = asyncio.ensure_future(ready)
    await asyncio.wait((waiting, ended), return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        waiting.cancel()
        raise ended.result()
    await waiting


def lines_to_paste(envoy: RunningEnvoy, identity: LocalIdentity, seeded: Seeded) -> list[str]:
    """Return curl calls for a seeded mesh behind Envoy, each after a line that explains it."""
    url = f"https://{envoy.address}"
    tls = f"curl --cacert {shlex.quote(str(identity.files.authority))}"
    vendor, gate = (
        f'{tls} -H "authorization: Bearer $(cat {shlex.quote(str(identity.token_file(name)))})"'
        for name in ("vendor", "gate")
    )
    ask = f'{{"request_id": "try-json-1", "product_id": "{seeded.offer.usage[ASSISTANT]}", "quantity_micros": 1000000}}'
    return [
        f"Envoy serves {url}: JSON, gRPC and gRPC-web over TLS, with two Ledgers behind it.",
        f"Its figures: http://{envoy.status_address}/stats/prometheus",
        "",
        "# May this AI call be made? (one unit of AI Assistant, 12 credits)",
        f"{gate} -d '{ask}' {url}/v1/customers/acme:authorize",
        "# How many credits are left? At most 500 ms may pass.",
        f'{gate} -H "grpc-timeout: 500m" {url}/v1/customers/acme/balance',
        "# An error is JSON too",
        f"{gate} -d '{{}}' {url}/v1/customers/acme:authorize",
        "# Every rpc answers at its own name, if it has a path or not",
        f'{vendor} -d \'{{"customer": "acme", "page_size": 1}}\' '
        f"{url}/purser.contract.v1.ContractService/ListInvoices",
        "# What every service has: a header says which one is meant",
        f'{vendor} -H "x-purser-service: contract" {url}/v1/status',
        "",
    ]
