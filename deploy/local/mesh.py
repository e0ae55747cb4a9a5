# SPDX-License-Identifier: Apache-2.0
"""Runs the four services, and what stands in front of them (the portal and the edge), each in its own process."""

import asyncio
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from deploy.local.children import Child
from deploy.local.database import SERVICES
from deploy.local.fault import Fault
from deploy.local.identity import LocalIdentity
from deploy.local.ports import HOST, free_port, is_free
from deploy.local.readiness import until_answering, until_serving
from purser_cli import tokens

FIRST_PORT = 7001
# The ports for services follow those for callers at this distance.
PEER_PORTS_AFTER = 10
# What serves HTTP in front of the services, on the ports that follow theirs.
FRONTS = ("portal", "edge")


def addresses(first_port: int | None, names: Sequence[str] = SERVICES) -> dict[str, str]:
    """Return the address of each: `first_port` and the ports after it, or free ports when it is None.

    Raises Fault when another process listens on one of them.
    """
    if first_port is None:
        return {name: f"{HOST}:{free_port()}" for name in names}
    for number, name in enumerate(names):
        if not is_free(first_port + number):
            raise Fault(
                f"port {first_port + number} is taken, and {name} needs it; stop the process that listens "
                "there, or choose other ports: make up FIRST_PORT=17001"
            )
    return {name: f"{HOST}:{first_port + number}" for number, name in enumerate(names)}


def front_addresses(first_port: int) -> dict[str, str]:
    """Return the addresses of the portal and the edge. Raises Fault as `addresses` does."""
    return addresses(first_port + len(SERVICES), FRONTS)


NO_PAYMENTS: Final[Mapping[str, str]] = {}
NO_MAILS: Final[Mapping[str, str]] = {}
NO_FRONTS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Secured:
    """What a mesh with identities needs: certificates and keys, and where its services serve each other."""

    identity: LocalIdentity
    peer_addresses: Mapping[str, str]


def secured(identity: LocalIdentity, first_port: int | None) -> Secured:
    """Return the parts of a mesh with identities. Raises Fault as `addresses` does."""
    return Secured(identity, addresses(None if first_port is None else first_port + PEER_PORTS_AFTER))


def environment(
    service: str,
    *,
    url: str,
    at: Mapping[str, str],
    access: Secured | None,
    sandbox_start_time: datetime | None,
    secret_keys: str = "",
    payments: Mapping[str, str] = NO_PAYMENTS,
    mails: Mapping[str, str] = NO_MAILS,
) -> dict[str, str]:
    """Return the settings of `service` as environment variables. With a start time it runs in sandbox mode.

    at: the addresses of all services, including this one. access None: insecure. secret_keys: Alert's;
    the others have none. payments: Contract's settings of its payment provider, without the prefix. mails: Alert's
    settings of its mail server, likewise.
    """
    prefix = f"PURSER_{service.upper()}_"
    # Nothing balances calls over the services of this machine, so nobody needs them to drain.
    settings = {"DATABASE_URL": url, "LISTEN": at[service], "DRAIN_SECONDS": "0"}
    peers = at
    if access is not None:
        peers = access.peer_addresses
        settings |= {"PEER_LISTEN": peers[service], **access.identity.settings(service)}
    settings |= {f"{peer.upper()}_ADDRESS": peers[peer] for peer in SERVICES if peer != service}
    if service == "alert":
        settings |= {"SECRET_KEYS": secret_keys, **mails}
    if service == "contract":
        settings |= payments
    if sandbox_start_time is not None:
        settings |= {"SANDBOX": "true", "SANDBOX_START_TIME": sandbox_start_time.isoformat()}
        if service == "alert":
            settings["ALLOW_PRIVATE_TARGETS"] = "true"  # in a sandbox, webhook receivers run on this machine
    named = {prefix + name: value for name, value in settings.items()}
    return named if access is not None else {**named, "PURSER_INSECURE": "true"}


def front_environment(
    front: str,
    *,
    fronts: Mapping[str, str],
    at: Mapping[str, str],
    identity: LocalIdentity,
    stripe_js: str = "",
) -> dict[str, str]:
    """Return the settings of the portal or the edge as environment variables.

    fronts: the addresses of both. at: the addresses of the services. stripe_js: where browsers get Stripe.js from.
    """
    settings = {
        "LISTEN": fronts[front],
        "DRAIN_SECONDS": "0",
        "CA_FILE": str(identity.files.authority),
        "JWKS": str(identity.files.folder / tokens.JWKS_FILE),
        **{f"{service.upper()}_ADDRESS": address for service, address in at.items()},
    }
    if front == "portal" and stripe_js:
        settings["STRIPE_JS"] = stripe_js
    if front == "edge":
        settings |= {
            "PORTAL_URL": f"http://{fronts['portal']}",
            "LINK_KEY_FOLDER": str(identity.files.folder),
        }
    return {f"PURSER_{front.upper()}_{name}": value for name, value in settings.items()}


class ProcessMesh:
    """Four child processes, `python -m services.<service>`, and the fronts that are named.

    urls: each service's URL of a migrated database. secret_keys: Alert's. access None: insecure. payments: Contract's
    settings of its payment provider. fronts: addresses of FRONTS, which need `access`; stripe_js: the portal's.
    say: called with a name and each line of that process's output.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        *,
        addresses: Mapping[str, str],
        log_folder: Path,
        sandbox_start_time: datetime | None,
        secret_keys: str,
        access: Secured | None = None,
        payments: Mapping[str, str] = NO_PAYMENTS,
        fronts: Mapping[str, str] = NO_FRONTS,
        stripe_js: str = "",
        say: Callable[[str, str], None] = lambda service, line: None,
    ) -> None:
        self.addresses = dict(addresses)
        self.fronts = dict(fronts)
        self.access = access
        self.sandbox_start_time = sandbox_start_time
        self._death: asyncio.Future[Fault] | None = None
        environments = {
            service: environment(
                service,
                url=urls[service],
                at=addresses,
                access=access,
                sandbox_start_time=sandbox_start_time,
                secret_keys=secret_keys,
                payments=payments,
            )
            for service in SERVICES
        }
        for front in fronts:
            assert access is not None
            environments[front] = front_environment(
                front, fronts=fronts, at=addresses, identity=access.identity, stripe_js=stripe_js
            )
        self._children = {
            name: Child(
                name,
                f"services.{name}",
                {**os.environ, **variables},
                log=log_folder / f"{name}.log",
                say=functools.partial(say, name),
                on_death=self.report_death,
            )
            for name, variables in environments.items()
        }

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def start(self, *services: str) -> None:
        """Start these services (none named: all, and the fronts). Returns when they are SERVING.

        Raises Fault, in one line, when one of them ends or does not serve within 60 s.
        """
        chosen = services or tuple(self._children)
        if self._death is None or self._death.done():
            self._death = asyncio.get_running_loop().create_future()
        for service in chosen:
            await self._children[service].start()
        serving = asyncio.gather(*(self._until_up(name) for name in chosen))
        await asyncio.wait((serving, self._death), return_when=asyncio.FIRST_COMPLETED)
        if self._death.done():
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
            raise self._death.result()
        await serving

    async def stop(self, *services: str) -> None:
        """Stop these services (none named: all) gracefully: SIGTERM to all at the same time."""
        await asyncio.gather(*(self._children[service].stop() for service in services or self._children))

    async def restart(self, service: str) -> None:
        """Stop the service gracefully and start it again on the same port."""
        await self.stop(service)
        await self.start(service)

    async def kill(self, service: str) -> None:
        """SIGKILL, to simulate a crash. `start(service)` starts the service again."""
        await self._children[service].kill()

    def pid(self, service: str) -> int:
        """Return the process id of a started service."""
        return self._children[service].pid

    def log(self, service: str) -> Path:
        """Return the file with the service's output."""
        return self._children[service].log

    async def until_one_dies(self) -> Fault:
        """Wait until a service ends without having been stopped. Returns the Fault, in one line."""
        assert self._death is not None
        return await asyncio.shield(self._death)

    async def _until_up(self, name: str) -> None:
        if name in self.fronts:
            return await until_answering(name, self.fronts[name])
        credentials = None if self.access is None else self.access.identity.credentials()
        return await until_serving(name, self.addresses[name], credentials)

    def report_death(self, fault: Fault) -> None:
        """Let until_one_dies return this fault, also of a process that runs beside the mesh."""
        if self._death is not None and not self._death.done():
            self._death.set_result(fault)
