# SPDX-License-Identifier: Apache-2.0
"""A real Catalog on a free port over a test's own database, and a stub to call it by."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from meshkit.clock import Clock, ManualClock, SystemClock
from meshkit.ids import TimeOrderedIds
from meshkit.rpc.client import open_channel
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from services.catalog.app import App, open_service
from services.catalog.config import CatalogSettings
from tests.support.postgres import Databases

if TYPE_CHECKING:
    # The stub of an aio channel has a type of its own, in the .pyi only.
    from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceAsyncStub

CatalogStub: TypeAlias = "CatalogServiceAsyncStub"

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
NOBODY = "127.0.0.1:1"  # nothing listens there: a peer that is away


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCatalog:
    """The service, how to call it, and its two clocks."""

    app: App
    address: str
    stub: CatalogStub
    clock: ManualClock


@asynccontextmanager
async def running_catalog(
    databases: Databases,
    *,
    ledger_address: str = NOBODY,
    sandbox: bool = False,
    wall: Clock | None = None,
) -> AsyncIterator[RunningCatalog]:
    clock = ManualClock(JUNE)
    wall = wall or SystemClock()
    settings = CatalogSettings(
        database_url=databases.url("catalog"),
        listen="127.0.0.1:0",
        contract_address=NOBODY,
        ledger_address=ledger_address,
        alert_address=NOBODY,
        sandbox=sandbox,
    )
    async with (
        open_service(settings, clock=clock, wall=wall, ids=TimeOrderedIds(wall)) as app,
        open_channel(f"127.0.0.1:{app.port}") as channel,
    ):
        yield RunningCatalog(
            app=app, address=f"127.0.0.1:{app.port}", stub=CatalogServiceStub(channel), clock=clock
        )
