# SPDX-License-Identifier: Apache-2.0
"""A real mesh with an edge before it, and Metronome's own SDK as the caller."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from metronome import AsyncMetronome, Metronome

from deploy.local.identity import LocalIdentity
from deploy.local.ports import HOST, free_port
from deploy.local.seatsco import Stubs, open_stubs
from meshkit.clock import SystemClock
from services.edge.app import open_edge
from services.edge.config import EdgeSettings
from tests.support.mesh import JUNE, SwitchedMesh, secured
from tests.support.postgres import Databases

PORTAL = "https://pages.seatsco.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEdge:
    """Where the edge is, and the mesh behind it."""

    url: str
    mesh: SwitchedMesh
    identity: LocalIdentity
    stubs: Stubs

    def token(self, *roles: str) -> str:
        """Return a token with these roles; none: the vendor's back office."""
        if not roles:
            return self.identity.token_file("vendor").read_text().strip()
        return self.identity.token(*roles, subject="test")

    def http(self, *roles: str) -> httpx.AsyncClient:
        """Return a client for requests by hand."""
        headers = {"authorization": f"Bearer {self.token(*roles)}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)

    def sdk(self, *roles: str, is_async: bool = True, **more: Any) -> "Sdk":
        kind = AsyncMetronome if is_async else Metronome
        client: Any = kind
        return Sdk(
            client(
                bearer_token=self.token(*roles),
                base_url=self.url,
                _strict_response_validation=True,
                **more,
            )
        )


class Sdk:
    """The SDK, unmodified, called in the same way whether it is the sync or the async one; counts its calls."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.calls = 0

    async def __call__(self, call: Callable[[Any], Any]) -> Any:
        """Return the answer to one call."""
        self.calls += 1
        if isinstance(self.client, Metronome):
            return await asyncio.to_thread(call, self.client)
        answer = call(self.client)
        return await answer if inspect.isawaitable(answer) else answer

    async def all(self, call: Callable[[Any], Any]) -> list[Any]:
        """Return the items of all pages, as the SDK's own iterator reads them."""
        self.calls += 1
        if isinstance(self.client, Metronome):
            return await asyncio.to_thread(lambda: _listed(call(self.client)))
        return [item async for item in call(self.client)]

    async def close(self) -> None:
        closing = self.client.close()
        if inspect.isawaitable(closing):
            await closing


def _listed(page: Iterable[Any]) -> list[Any]:
    return list(page)


@asynccontextmanager
async def running_edge(
    databases: Databases, folder: Path, *, sandbox_start_time: datetime = JUNE
) -> AsyncIterator[RunningEdge]:
    """Serve a mesh with identities, its clock at 1 June 2025, and an edge; until the block ends."""
    access = secured(folder)
    async with SwitchedMesh(databases, sandbox_start_time=sandbox_start_time, access=access) as mesh:
        await mesh.start()
        port = free_port()
        settings = EdgeSettings(
            listen=f"{HOST}:{port}",
            ca_file=access.identity.settings("catalog")["CA_FILE"],
            jwks=access.identity.settings("catalog")["JWKS"],
            portal_url=PORTAL,
            link_key_folder=str(folder),
            catalog_address=mesh.addresses["catalog"],
            contract_address=mesh.addresses["contract"],
            ledger_address=mesh.addresses["ledger"],
            alert_address=mesh.addresses["alert"],
        )
        async with (
            open_edge(settings, wall=SystemClock()) as served,
            open_stubs(mesh.addresses, access.identity) as stubs,
        ):
            yield RunningEdge(
                url=f"http://{HOST}:{served.port}", mesh=mesh, identity=access.identity, stubs=stubs
            )
