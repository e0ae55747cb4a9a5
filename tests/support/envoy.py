# SPDX-License-Identifier: Apache-2.0
"""A mesh with two Ledgers behind a real Envoy, and its callers: JSON over HTTP, gRPC-web and gRPC."""

import re
import shlex
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import httpx

from deploy.local.children import Child
from deploy.local.identity import TOKENS, LocalIdentity
from deploy.local.mesh import Secured
from deploy.local.ports import HOST, free_port
from deploy.local.proxy import RunningEnvoy, another_ledger, running_envoy
from deploy.local.seatsco import ASSISTANT
from meshkit.rpc.client import open_channel
from tests.support.mesh import JUNE, Acme, SwitchedMesh, acme_at, secured, until
from tests.support.postgres import Databases

ORIGIN = "https://app.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """http: of a caller of HTTP/1.1, without a token. second: the Ledger that runs in a process of its own."""

    envoy: RunningEnvoy
    identity: LocalIdentity
    acme: Acme
    http: httpx.AsyncClient
    second: Child
    second_address: str

    def token(self, name: str) -> str:
        """Return a token of deploy.local.identity.TOKENS."""
        return self.identity.token(*TOKENS[name], subject=name)

    async def call(
        self,
        path: str,
        body: object = None,
        *,
        method: str = "POST",
        token: str = "gate",
        **headers: str,
    ) -> httpx.Response:
        """Call with JSON. headers: their names with underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["authorization"] = f"Bearer {self.token(token)}"
        content = {"json": body} if method != "GET" else {}
        return await self.http.request(method, path, headers=named, **content)  # type: ignore[arg-type]

    async def paste(self, line: str) -> httpx.Response:
        """Run `curl --cacert FILE [-H HEADER] [-d JSON] URL` over HTTP/1.1; a product's id stands for prd_…."""
        _, _, _, *words = shlex.split(line.replace("prd_…", self.acme.offer.usage[ASSISTANT]))
        *options, url = words
        headers, body = {}, None
        for option, value in zip(options[::2], options[1::2], strict=True):
            if option == "-d":
                body = value
            else:
                assert option == "-H"
                name, _, text = value.partition(": ")
                headers[name] = re.sub(r"\$\(cat .*/(\w+)\.token\)", lambda file: self.token(file[1]), text)
        return await self.http.request("GET" if body is None else "POST", url, headers=headers, content=body)

    def channel(self, token: str = "gate") -> grpc.aio.Channel:
        """Return a channel of gRPC through Envoy."""
        return open_channel(self.envoy.address, self.identity.credentials(self.token(token)))

    async def calls_by_ledger(self) -> Mapping[str, int]:
        """Return how many calls Envoy has sent to each Ledger, by its address."""
        return {address: count["rq_total"] for address, count in (await self._ledgers()).items()}

    async def until_healthy(self) -> None:
        """Wait until Envoy takes both Ledgers for healthy."""
        await until(self._healthy, lambda healthy: healthy == 2)

    async def until_served_by_second(self) -> None:
        """Wait until Envoy has sent one more call to the second Ledger and got its answer."""
        first = (await self._ledgers())[self.second_address]["rq_success"]
        await until(self._ledgers, lambda ledgers: bool(ledgers[self.second_address]["rq_success"] > first))

    async def _healthy(self) -> int:
        return sum(one["is_healthy"] for one in (await self._ledgers()).values())

    async def _ledgers(self) -> dict[str, dict[str, Any]]:
        async with httpx.AsyncClient(base_url=f"http://{self.envoy.admin_address}", trust_env=False) as admin:
            clusters = (await admin.get("/clusters?format=json")).json()["cluster_statuses"]
        [ledger] = [cluster for cluster in clusters if cluster["name"] == "ledger"]
        return {
            "{address}:{port_value}".format(**host["address"]["socket_address"]): {
                "is_healthy": host["health_status"] == {"eds_health_status": "HEALTHY"},
                **{stat["name"]: int(stat.get("value", 0)) for stat in host["stats"]},
            }
            for host in ledger["host_statuses"]
        }


@asynccontextmanager
async def running_front(databases: Databases, folder: Path) -> AsyncIterator[Front]:
    """Four services in this process, a second Ledger and Envoy in theirs, until the block ends."""
    access = secured(folder)
    identity = access.identity
    second_address = f"{HOST}:{free_port()}"
    async with SwitchedMesh(databases, access=access) as mesh:
        await mesh.start()
        replicas = {service: [address] for service, address in mesh.addresses.items()}
        replicas["ledger"].append(second_address)
        peer_addresses = {**access.peer_addresses, "ledger": f"{HOST}:{free_port()}"}
        async with (
            acme_at(mesh.addresses, identity) as acme,
            another_ledger(
                databases.url("ledger"),
                at={**mesh.addresses, "ledger": second_address},
                access=Secured(identity, peer_addresses),
                sandbox_start_time=JUNE,
                log=folder / "second.log",
            ) as second,
            running_envoy(
                replicas,
                identity,
                folder=folder / "envoy",
                listen=f"{HOST}:{free_port()}",
                origins=[ORIGIN],
            ) as envoy,
            http_client(envoy, identity) as http,
        ):
            running = Front(
                envoy=envoy,
                identity=identity,
                acme=acme,
                http=http,
                second=second,
                second_address=second_address,
            )
            await running.until_healthy()
            yield running


def http_client(envoy: RunningEnvoy, identity: LocalIdentity) -> httpx.AsyncClient:
    """Return a client of HTTP/1.1 that trusts the mesh's authority."""
    return httpx.AsyncClient(
        base_url=f"https://{envoy.address}",
        verify=ssl.create_default_context(cafile=str(identity.files.authority)),
        trust_env=False,
        timeout=60,
    )
