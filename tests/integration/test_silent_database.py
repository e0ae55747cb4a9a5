# SPDX-License-Identifier: Apache-2.0
"""Catalog, Contract and Alert at a database that falls silent; the Ledger's tests are in tests/rpc/ledger."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc.aio
import pytest
from grpc import StatusCode

from deploy.local.in_process import open_mesh
from deploy.local.mesh import addresses
from meshkit.rpc.client import open_channel
from purser.alert.v1 import alert_pb2 as alert
from purser.alert.v1.alert_pb2_grpc import AlertServiceStub
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from purser.contract.v1 import contract_pb2 as contract
from purser.contract.v1.contract_pb2_grpc import ContractServiceStub
from tests.support.alert import SECRET_KEYS
from tests.support.faults import outcome
from tests.support.health import NOT_SERVING, SERVING, until_health
from tests.support.mesh import JUNE
from tests.support.postgres import Databases
from tests.support.silent_proxy import Silence, SilentProxy

AWAY = (StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
FINE = (StatusCode.OK, "")

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
            name=f"low ({request_id})",
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
        await until_health(at[service], NOT_SERVING)
        wire.another_answers()
        await until_health(at[service], SERVING)

        assert await outcome(write(channel, "during")) == FINE
        assert await outcome(write(channel, "after")) == FINE
