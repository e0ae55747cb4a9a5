# SPDX-License-Identifier: Apache-2.0
"""What a Ledger answers to probes without TLS, while it answers nobody else without it."""

from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from deploy.local.ports import HOST, free_port
from meshkit.clock import SystemClock
from meshkit.ids import Ids
from meshkit.rpc.health import LIVENESS, READINESS
from services.ledger.app import open_service
from services.ledger.config import LedgerSettings
from tests.support.cutting_proxy import CuttingProxy
from tests.support.health import NOT_SERVING, SERVING, health_of, until_health
from tests.support.mesh import secured
from tests.support.postgres import Databases


async def test_readiness_fails_while_the_database_is_cut_off_and_liveness_does_not(
    databases: Databases, tmp_path: Path
) -> None:
    clock, address = SystemClock(), f"{HOST}:{free_port()}"
    identity = secured(tmp_path).identity.settings("ledger")
    async with CuttingProxy.before(databases.address) as wire:
        settings = LedgerSettings(
            database_url=databases.at(wire.address).url("ledger"),
            listen=f"{HOST}:0",
            peer_listen=f"{HOST}:0",
            health_listen=address,
            **{name.lower(): value for name, value in identity.items()},  # type: ignore[arg-type]
        )
        async with open_service(settings, clock=clock, wall=clock, ids=Ids(clock)) as ledger:
            assert [await health_of(address, name) for name in (READINESS, LIVENESS)] == [SERVING] * 2
            with pytest.raises(AioRpcError) as without_tls:
                await health_of(f"{HOST}:{ledger.port}", LIVENESS)
            assert without_tls.value.code() is StatusCode.UNAVAILABLE

            await wire.go_away()
            await until_health(address, NOT_SERVING, READINESS)
            assert await health_of(address, LIVENESS) == SERVING

            await wire.come_back()
            await until_health(address, SERVING, READINESS)
