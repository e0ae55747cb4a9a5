# SPDX-License-Identifier: Apache-2.0
"""Who changed what: every write of every service leaves one record, and so does a refused one."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import grpc.aio
import pytest
from grpc import StatusCode

from access.control import INSECURE
from audit.rpcs import is_recorded
from deploy.local.database import SERVICES
from meshkit.quantity import MICROS
from purser.audit.v1 import audit_pb2 as pb
from purser.audit.v1.audit_pb2_grpc import AuditServiceStub
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from purser.contract.v1 import contract_pb2 as contract
from purser.contract.v1.contract_pb2_grpc import ContractServiceStub
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from tests.support.any_rpc import method, methods
from tests.support.audit import Records, listed
from tests.support.every_write import record
from tests.support.faults import outcome
from tests.support.ledger_sql import Sql
from tests.support.mesh import SwitchedMesh, secured, until
from tests.support.postgres import Databases

# tests/rpc/ledger/test_audit.py.
RECORDED_ELSEWHERE = {"ApplySeatChange", "VoidSeatChange"}
CREDIT_TYPE = catalog.CreateCreditTypeRequest(request_id="one", name="AI credits")


def recorded_rpcs(service: str) -> Iterator[str]:
    """Yield the rpcs of a service's own protos that are recorded."""
    for one in methods(service):
        if is_recorded(full_name(service, one.name)):
            yield full_name(service, one.name)


def full_name(service: str, rpc: str) -> str:
    return f"/{method(service, rpc).containing_service.full_name}/{rpc}"


async def test_every_write_of_every_service_leaves_one_record_without_secrets(databases: Databases) -> None:
    recordings = await record(databases)

    for service in SERVICES:
        calls = [(full_name(service, call.rpc), call) for call in recordings[service].calls]
        rows = await Records(databases, service).rows("subject <> 'clock'")
        found = Counter((row["rpc"], row["request_id"]) for row in rows)
        wanted = [(rpc, call.request["request_id"]) for rpc, call in calls if is_recorded(rpc)]
        assert found == Counter(wanted)
        missing = set(recorded_rpcs(service)) - {rpc for rpc, _ in wanted}
        assert {rpc.rpartition("/")[2] for rpc in missing} <= RECORDED_ELSEWHERE
        assert {(row["outcome"], row["subject"], row["reason"]) for row in rows} == {
            ("DONE", INSECURE.subject, "")
        }
        for row in rows:
            # The vendor has no id.
            assert row["target_ids"] or row["rpc"].endswith("/SetSellerDetails"), row
            assert "fingerprint" not in row["change"]
    secrets = [call.response["secret"] for call in recordings["alert"].calls if "secret" in call.response]
    texts = await Records(databases, "alert").texts()
    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret in texts or secret.removeprefix("whsec_") in texts]


@pytest.fixture
async def mesh(databases: Databases, tmp_path: Path) -> AsyncIterator[SwitchedMesh]:
    async with SwitchedMesh(databases, access=secured(tmp_path)) as running:
        await running.start()
        yield running


@pytest.fixture
async def channels(mesh: SwitchedMesh) -> AsyncIterator["Channels"]:
    opened = Channels(mesh)
    yield opened
    for channel in opened.all:
        await channel.close()


class Channels:
    """Channels to the services of a secure mesh, for callers with any roles. tokens: those they send."""

    def __init__(self, mesh: SwitchedMesh) -> None:
        self._mesh = mesh
        self.all: list[grpc.aio.Channel] = []
        self.tokens: list[str] = []

    def __call__(self, service: str, *roles: str, subject: str = "") -> grpc.aio.Channel:
        """Open one; without roles, its calls have no identity."""
        assert self._mesh.access is not None
        token = self._mesh.access.identity.token(*roles, subject=subject) if roles else None
        channel = self._mesh.channel(service, token)
        self.all.append(channel)
        self.tokens += [token] if token else []
        return channel


async def test_a_record_says_who_and_what_and_a_repeat_adds_none(
    databases: Databases, channels: Channels
) -> None:
    alice = CatalogServiceStub(channels("catalog", "operator", "viewer", subject="alice"))

    created = await alice.CreateCreditType(CREDIT_TYPE)
    await alice.CreateCreditType(CREDIT_TYPE)
    await alice.ListCreditTypes(catalog.ListCreditTypesRequest())

    [event] = await listed(channels("catalog", "viewer", subject="ann"))
    assert event.outcome == pb.AUDIT_OUTCOME_DONE
    assert (event.subject, list(event.roles)) == ("alice", ["operator", "viewer"])
    assert event.address.startswith(("ipv4:127.0.0.1:", "ipv6:"))
    assert event.rpc == "/purser.catalog.v1.CatalogService/CreateCreditType"
    assert event.request_id == "one"
    assert list(event.target_ids) == [created.credit_type.credit_type_id]
    assert json.loads(event.change) == {"name": "AI credits"}
    assert (event.reason, event.left_out) == ("", 0)
    assert not [token for token in channels.tokens if token in await Records(databases, "catalog").texts()]


async def test_refused_writes_leave_a_record_and_refused_reads_do_not(
    databases: Databases, channels: Channels
) -> None:
    operator = CatalogServiceStub(channels("catalog", "operator", subject="alice"))
    viewer = CatalogServiceStub(channels("catalog", "viewer", subject="ann"))
    nobody = CatalogServiceStub(channels("catalog"))
    gate = CatalogServiceStub(channels("catalog", "gate", subject="app"))
    unknown = catalog.ArchiveProductRequest(request_id="two", product_id="prd_0")

    refusals = [
        await outcome(viewer.CreateCreditType(CREDIT_TYPE)),
        await outcome(nobody.CreateCreditType(CREDIT_TYPE)),
        await outcome(operator.CreateCreditType(catalog.CreateCreditTypeRequest(request_id="\0"))),
        await outcome(operator.ArchiveProduct(unknown)),
        await outcome(gate.ListCreditTypes(catalog.ListCreditTypesRequest())),
        await outcome(operator.GetProduct(catalog.GetProductRequest(product_id="prd_0"))),
    ]

    assert [code for code, _ in refusals] == [
        StatusCode.PERMISSION_DENIED,
        StatusCode.UNAUTHENTICATED,
        StatusCode.INVALID_ARGUMENT,
        StatusCode.NOT_FOUND,
        StatusCode.PERMISSION_DENIED,
        StatusCode.NOT_FOUND,
    ]
    rows = await Records(databases, "catalog").rows()
    assert [(row["subject"], row["outcome"], row["reason"], row["request_id"]) for row in rows] == [
        ("ann", "REFUSED", "ACCESS_DENIED", ""),
        ("", "REFUSED", "TOKEN_MISSING", ""),
        ("alice", "REFUSED", "INVALID_FIELDS", "\ufffd"),
        ("alice", "REFUSED", "PRODUCT_NOT_FOUND", "two"),
    ]
    assert rows[3]["target_ids"] == ["prd_0"]
    assert [row["change"] for row in rows] == ["", "", "{}", '{"product_id":"prd_0"}']


async def test_services_sign_what_they_tell_each_other_and_the_gate_signs_its_own_rows(
    databases: Databases, channels: Channels
) -> None:
    selling = ContractServiceStub(channels("contract", "operator", subject="alice"))
    customer = (
        await selling.CreateCustomer(contract.CreateCustomerRequest(request_id="c", name="Acme"))
    ).customer
    deciding = LedgerServiceStub(channels("ledger", "gate", subject="app"))
    giving = LedgerAdminServiceStub(channels("ledger", "operator", subject="bob"))
    records = Records(databases, "ledger")

    [copied] = await until(lambda: records.of("ApplyCustomer"), lambda rows: len(rows) == 1)
    assert (copied["subject"], copied["roles"]) == ("service:contract", [])
    assert customer.customer_id in copied["target_ids"]

    grant = await giving.IssueGrant(
        admin.IssueGrantRequest(
            request_id="g",
            customer=customer.customer_id,
            credit_type_id="crt_ai",
            amount_micros=MICROS,
            grant_kind=ledger.GRANT_KIND_PROMOTIONAL,
        )
    )
    await outcome(
        deciding.Debit(ledger.DebitRequest(request_id="d", customer=customer.customer_id, product_id="prd_0"))
    )

    [issued] = await records.of("IssueGrant")
    assert issued["subject"] == "bob"
    assert {grant.grant.grant_id, customer.customer_id, "crt_ai"} <= set(issued["target_ids"])
    assert await records.of("Debit") == []


async def test_records_are_listed_newest_first_by_conditions_and_in_pages(channels: Channels) -> None:
    alice = CatalogServiceStub(channels("catalog", "operator", subject="alice"))
    bob = CatalogServiceStub(channels("catalog", "operator", subject="bob"))
    types = [
        (
            await by.CreateCreditType(catalog.CreateCreditTypeRequest(request_id=f"r{n}", name=f"type {n}"))
        ).credit_type.credit_type_id
        for n, by in enumerate([alice, bob, alice, bob])
    ]
    await outcome(bob.ArchiveProduct(catalog.ArchiveProductRequest(request_id="r4", product_id="prd_0")))
    viewer = channels("catalog", "viewer", subject="ann")

    everything = await listed(viewer, page_size=2)

    def ids(events: list[pb.AuditEvent]) -> list[str]:
        return [event.request_id for event in events]

    assert ids(everything) == ["r4", "r3", "r2", "r1", "r0"]
    assert ids(await listed(viewer, subject="alice")) == ["r2", "r0"]
    assert ids(await listed(viewer, target_id=types[1])) == ["r1"]
    assert ids(await listed(viewer, target_id=types[1], request_id="r1")) == ["r1"]
    assert ids(await listed(viewer, target_id=types[1], request_id="r0")) == []
    alone = pb.ListAuditEventsRequest(request_id="r1")
    assert await outcome(AuditServiceStub(viewer).ListAuditEvents(alone)) == (
        StatusCode.INVALID_ARGUMENT,
        "INVALID_FIELDS",
    )
    assert ids(await listed(viewer, outcome=pb.AUDIT_OUTCOME_REFUSED)) == ["r4"]
    assert ids(await listed(viewer, rpc="/purser.catalog.v1.CatalogService/CreateCreditType")) == [
        "r3",
        "r2",
        "r1",
        "r0",
    ]
    middle = everything[2].event_time
    assert ids(await listed(viewer, start_time=middle)) == ["r4", "r3", "r2"]
    assert ids(await listed(viewer, end_time=middle)) == ["r1", "r0"]


async def test_a_forged_page_token_is_refused(channels: Channels) -> None:
    viewer = AuditServiceStub(channels("catalog", "viewer", subject="ann"))

    refused = await outcome(viewer.ListAuditEvents(pb.ListAuditEventsRequest(page_token="forged")))

    assert refused == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")


@pytest.mark.parametrize("service", SERVICES)
async def test_the_role_that_serves_cannot_change_records(databases: Databases, service: str) -> None:
    async with Sql.connected(databases.url(service)) as sql:
        for statement in ("UPDATE {} SET subject = ''", "DELETE FROM {}", "TRUNCATE {}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await sql.execute(statement.format(f"{service}.audit_events"))
