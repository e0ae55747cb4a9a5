# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed or asked to stop while they work."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from deploy.local.database import SERVICES
from deploy.local.mesh import ProcessMesh
from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.support.ledger_sql import Sql
from tests.support.mesh import Acme, SwitchedMesh, acme_at, pending, process_mesh, until
from tests.support.postgres import Databases

CHANGES = 12
PATIENTLY: dict[str, Any] = {
    "timeout": 30.0,
    "wait_for_ready": True,
}  # waits for a service that is not available yet


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A mesh in which only the services that a test kills are processes, because processes start slowly."""

    processes: ProcessMesh
    others: SwitchedMesh
    acme: Acme


@pytest.fixture
async def stage(databases: Databases, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Parametrized by the names of the services that run as processes."""
    async with SwitchedMesh(databases) as others:
        processes = process_mesh(databases, tmp_path, addresses=others.addresses)
        try:
            await processes.start(*request.param)
            await others.start(*(service for service in SERVICES if service not in request.param))
            async with acme_at(others.addresses) as acme:
                yield Stage(processes=processes, others=others, acme=acme)
        finally:
            await processes.stop()


def _kills(*services: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stage", [services], indirect=True, ids=[""])


@_kills("contract")
async def test_contract_killed_between_commit_and_delivery_delivers_once_after_its_restart(
    stage: Stage, databases: Databases
) -> None:
    acme = stage.acme
    await stage.others.stop("ledger")
    await acme.change_seats(1)
    await acme.buy()
    await stage.processes.kill("contract")
    assert await pending(databases, ["contract"], with_events=False) == 2

    await stage.processes.start("contract")
    await stage.others.start("ledger")

    await until(acme.available, lambda available: available == 1_500 * MICROS)
    assert await acme.entries(admin.ENTRY_KIND_SEAT_ADJUSTMENT) == [100 * MICROS]
    assert await acme.entries(admin.ENTRY_KIND_GRANT) == [1_000 * MICROS, 400 * MICROS]
    await acme.assert_adds_up()


@_kills("contract", "ledger")
async def test_kills_during_many_seat_changes_lose_none_and_repeat_none(
    stage: Stage, databases: Databases
) -> None:
    """The callers follow the API: they repeat an unanswered request with the same request_id."""
    acme, mesh = stage.acme, stage.processes
    requests = [acme.seat_request(1) for _ in range(CHANGES)]

    async def insist(request: contract.ChangeSeatsRequest) -> contract.ChangeSeatsResponse:
        return await until(
            lambda: acme.stubs.contract.ChangeSeats(request, **PATIENTLY),
            lambda answer: answer.HasField("seat_change"),
        )

    callers = [asyncio.create_task(insist(request)) for request in requests]
    await asyncio.wait(callers, return_when=asyncio.FIRST_COMPLETED)

    await asyncio.gather(mesh.kill("ledger"), mesh.kill("contract"))
    await mesh.start("ledger", "contract")
    await asyncio.gather(*callers)

    await until(lambda: pending(databases), lambda notices: notices == 0)
    signed = await acme.stubs.contract.GetContract(
        contract.GetContractRequest(contract_id=acme.contract.contract_id)
    )
    assert signed.contract.subscriptions[0].quantity == 4 + CHANGES
    assert await acme.available() == (4 + CHANGES) * 100 * MICROS
    assert sum(await acme.entries(admin.ENTRY_KIND_SEAT_ADJUSTMENT)) == CHANGES * 100 * MICROS
    invoices = await acme.stubs.contract.ListInvoices(contract.ListInvoicesRequest(customer="acme"))
    assert sum(invoice.total.micros for invoice in invoices.invoices) == (4 + CHANGES) * 100 * MICROS
    await acme.assert_adds_up()


@_kills("ledger")
async def test_the_ledger_killed_under_load_keeps_every_answer_it_gave(stage: Stage) -> None:
    acme, mesh = stage.acme, stage.processes
    asks = [acme.ask(1) for _ in range(40)]  # 12 credits each; 400 credits allow 33 of them
    answers: dict[str, ledger.AuthorizeResponse] = {}

    async def ask(request: ledger.AuthorizeRequest) -> None:
        answers[request.request_id] = await until(
            lambda: acme.stubs.gate.Authorize(request, **PATIENTLY), lambda answer: bool(answer.decision)
        )

    callers = [asyncio.create_task(ask(request)) for request in asks]
    await asyncio.wait(callers, return_when=asyncio.FIRST_COMPLETED)
    told_before = {request_id: answer.hold_id for request_id, answer in answers.items() if answer.hold_id}
    await mesh.kill("ledger")
    await mesh.start("ledger")
    await asyncio.gather(*callers)

    allowed = [answer for answer in answers.values() if answer.decision == ledger.DECISION_ALLOWED]
    assert len(allowed) == 33
    assert len({answer.hold_id for answer in allowed}) == 33
    assert await acme.available() == 4 * MICROS
    for request in asks:
        if request.request_id in told_before:
            again = await acme.stubs.gate.Authorize(request)
            assert again.hold_id == told_before[request.request_id]
    await acme.assert_adds_up()


@asynccontextmanager
async def _locked(url: str, statement: str) -> AsyncIterator[Sql]:
    """Hold the rows that a statement locks; other sessions wait for them (up to 3 s, their lock_timeout)."""
    async with Sql.connected(url) as sql, sql.transaction():
        await sql.execute(statement)
        yield sql


async def _until_refused(address: str) -> None:
    """Return when new calls are refused."""
    async with open_channel(address) as channel:
        health = HealthStub(channel)

        async def refusal() -> StatusCode | None:
            try:
                await health.Check(HealthCheckRequest())
            except AioRpcError as error:
                return error.code()
            return None

        await until(refusal, lambda code: code is StatusCode.UNAVAILABLE)


@_kills("ledger")
async def test_sigterm_lets_the_ledger_finish_the_call_in_progress_and_accept_no_other(
    stage: Stage, databases: Databases
) -> None:
    acme, mesh = stage.acme, stage.processes
    async with _locked(databases.url("ledger"), "SELECT 1 FROM ledger.pools FOR UPDATE") as held:
        asked = asyncio.ensure_future(acme.authorize(1))
        await held.until_waiting(1)
        os.kill(mesh.pid("ledger"), signal.SIGTERM)
        await _until_refused(mesh.addresses["ledger"])
        assert not asked.done()

    answer = await asked
    ended = await mesh.until_one_dies()

    assert answer.decision == ledger.DECISION_ALLOWED
    assert str(ended).startswith("ledger stopped with exit code 0")
    await mesh.start("ledger")
    assert await until(acme.available, lambda available: available == 388 * MICROS)


@_kills("contract")
async def test_sigterm_lets_contract_finish_and_deliver_a_seat_change(
    stage: Stage, databases: Databases
) -> None:
    acme, mesh = stage.acme, stage.processes
    async with _locked(databases.url("contract"), "SELECT 1 FROM contract.contracts FOR UPDATE") as held:
        changed = asyncio.ensure_future(acme.change_seats(1))
        await held.until_waiting(1)
        os.kill(mesh.pid("contract"), signal.SIGTERM)

    answer = await changed
    ended = await mesh.until_one_dies()

    assert answer.seat_change.quantity_after == 5
    assert str(ended).startswith("contract stopped with exit code 0")
    assert await acme.available() == 500 * MICROS
    assert await pending(databases, ["contract"], with_events=False) == 0
