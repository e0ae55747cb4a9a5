# SPDX-License-Identifier: Apache-2.0
"""What any gRPC tool finds at each service: health checks, and reflection that is complete enough to make calls."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2

from deploy.local.database import SERVICES
from deploy.local.seed import lines_to_paste, seed
from tests.support.grpcurl import paste
from tests.support.mesh import SwitchedMesh, secured
from tests.support.postgres import Databases
from tests.support.reflection import reflected, services_of

OF_ALL = {
    "purser.sandbox.v1.ClockService",
    "purser.outbox.v1.DeadLetterService",
    "purser.audit.v1.AuditService",
    "purser.status.v1.StatusService",
}
SERVED = {
    "catalog": {"purser.catalog.v1.CatalogService"},
    "contract": {
        "purser.contract.v1.AutoTopUpService",
        "purser.contract.v1.ContractPeerService",
        "purser.contract.v1.ContractService",
        "purser.contract.v1.PaymentService",
        "purser.contract.v1.SelfService",
    },
    "ledger": {
        "purser.ledger.v1.LedgerService",
        "purser.ledger.v1.LedgerAdminService",
        "purser.ledger.v1.LedgerPeerService",
        "purser.ledger.v1.SelfService",
        "purser.ledger.v1.UsageService",
    },
    "alert": {
        "purser.alert.v1.AlertService",
        "purser.alert.v1.AlertPeerService",
        "purser.alert.v1.EventFeedService",
        "purser.alert.v1.SelfService",
    },
}


@pytest.fixture
async def mesh(databases: Databases, tmp_path: Path) -> AsyncIterator[SwitchedMesh]:
    async with SwitchedMesh(databases, access=secured(tmp_path)) as running:
        await running.start()
        yield running


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_every_service_lists_what_it_serves(mesh: SwitchedMesh, version: str) -> None:
    for service in SERVICES:
        async with mesh.channel(service) as channel:
            listed = await services_of(channel, version)

        assert {name for name in listed if name.startswith("purser.")} == SERVED[service] | OF_ALL
        assert "grpc.health.v1.Health" in listed


async def test_every_service_describes_what_it_serves(mesh: SwitchedMesh) -> None:
    for service, names in SERVED.items():
        for name in names:
            async with mesh.channel(service) as channel:
                answer = await reflected(
                    channel, "v1", reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
                )

            files = [
                descriptor_pb2.FileDescriptorProto.FromString(one)
                for one in answer.file_descriptor_response.file_descriptor_proto
            ]
            described = {f"{file.package}.{one.name}" for file in files for one in file.service}
            assert name in described


async def test_every_service_reports_its_health_by_name_and_as_a_whole(mesh: SwitchedMesh) -> None:
    for service, names in SERVED.items():
        async with mesh.channel(service) as channel:
            for name in ("", *OF_ALL, *names):
                answer = await HealthStub(channel).Check(HealthCheckRequest(service=name))
                assert answer.status == HealthCheckResponse.SERVING


async def test_the_lines_that_make_up_prints_work_when_pasted(mesh: SwitchedMesh) -> None:
    assert mesh.access is not None
    identity = mesh.access.identity
    seeded = await seed(mesh.addresses, identity)
    lines = lines_to_paste(mesh.addresses, identity, seeded, edge_address="127.0.0.1:7006")

    *listed, ask, balance, invoices, jump = [
        await paste(line) for line in lines if line.startswith("grpcurl")
    ]

    assert len(listed) == len(SERVICES)
    assert ask["decision"] == "DECISION_ALLOWED"
    assert ask["heldMicros"] == "12000000"
    assert balance["pools"][0]["availableMicros"] == "698500000"
    assert invoices["invoices"][0]["total"] == {"currencyCode": "USD", "micros": "400000000"}
    assert jump == {"nowTime": "2025-07-01T00:00:00Z"}
