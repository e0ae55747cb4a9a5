# SPDX-License-Identifier: Apache-2.0
"""Catalog, Contract and Alert at a database that falls silent; the Ledger's tests are in tests/rpc/ledger."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc.aio
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from deploy.local.mesh import addresses, open_mesh
from meshkit.rpc.client import open_channel
from purser.alert.v1 import alert_pb2 as alert
from purser.alert.v1.alert_pb2_grpc import AlertServiceStub
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from purser.contract.v1 import contract_pb2 as contract
from purser.contract.v1.contract_pb2_grpc import ContractServiceStub
from tests.support.alert import SECRET_KEYS
from tests.support.faults import outcome
from tests.support.mesh import JUNE
from tests.support.postgres import Databases
from tests.support.silent_proxy import Silence, SilentProxy

AWAY = (StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
FINE = (StatusCode.OK, "")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Write = Callable[[grpc.aio.Channel, str], Awaitable[Any]]


async def _create_credit_type(channel: grpc.aio.Channel, request_id: str) -> Any:
    request = catalog.CreateCreditTypeRequest(request_id=request_id, name=f"credits {request_id}")
    return await CatalogServiceStub(channel).CreateCreditType(request)


async def _create_customer(channel: grpc.aio.Channel, request_id: str) -> Any:
    request = contract.CreateCustomerRequest(request_id=request_id, name="Acme", aliases=[request_id])
    return await ContractServiceStub(channel).CreateCustomer(request)


async def _create_alert(channel: grpc.aio.Channel, request_id: str) -> Any:
    return await AlertServiceStub(channel).CreateAlert(
        alert.CreateAlertRequest(
            request_id=request_id,
            name="low",
            alert_type=alert.ALERT_TYPE_LOW_BALANCE,
            customer_id="cus_acme",
            credit_type_id="crt_ai",
            threshold_micros=1,
        )
    )


WRITES: Mapping[str, Write] = {
    "catalog": _create_credit_type,
    "contract": _create_customer,
    "alert": _create_alert,
}


async def _until_health(
    channel: grpc.aio.Channel, wanted: "health_pb2.HealthCheckResponse.ServingStatus"
) -> None:
    """Return when health says so, as its watchers are told."""
    async with asyncio.timeout(10):
        async for answer in HealthStub(channel).Watch(health_pb2.HealthCheckRequest()):
            if answer.status == wanted:
                return


@pytest.mark.parametrize("silence", list(Silence))
@pytest.mark.parametrize("service", list(WRITES))
async def test_a_silent_database_is_reported_and_writes_succeed_when_it_is_back(
    databases: Databases, service: str, silence: Silence
) -> None:
    at, write = addresses(None), WRITES[service]
    async with (
        SilentProxy.before(databases.address) as wire,
        open_mesh(
            databases.at(wire.address).urls,
            addresses=at,
            secret_keys=SECRET_KEYS,
            sandbox_start_time=JUNE,
            services=(service,),
        ),
        open_channel(at[service]) as channel,
    ):
        assert await outcome(write(channel, "before")) == FINE

        wire.fall_silent(silence)
        assert await outcome(write(channel, "during")) == AWAY
        await _until_health(channel, NOT_SERVING)
        wire.another_answers()
        await _until_health(channel, SERVING)

        assert await outcome(write(channel, "during")) == FINE
        assert await outcome(write(channel, "after")) == FINE
