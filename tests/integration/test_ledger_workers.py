# SPDX-License-Identifier: Apache-2.0
"""Several Ledger processes: workers that share a port, and replicas that share a database."""

import asyncio
import os
import re
import signal
import socket
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from grpc.aio import Channel
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from deploy.local.ports import free_port
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser.ledger.v1.ledger_peer_pb2_grpc import LedgerPeerServiceStub
from tests.support.ledger import AI, CREDIT, a_rate
from tests.support.ledger_process import LedgerProcess, ProcessEnded, fresh_channel, ledger_process, parent_of
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

CHANNELS = 32
WAIT_FOR_READY: dict[str, Any] = {"timeout": 30.0, "wait_for_ready": True}


@pytest.fixture
async def workers(databases: Databases) -> AsyncIterator[LedgerProcess]:
    """Two workers on a free port."""
    async with ledger_process(databases.url("ledger"), "--workers", "2") as running:
        yield running


async def _check(address: str) -> "HealthCheckResponse.ServingStatus.ValueType":
    """Call the health check on a new connection."""
    async with fresh_channel(address) as channel:
        return (await HealthStub(channel).Check(HealthCheckRequest(), **WAIT_FOR_READY)).status


async def _checks(address: str, count: int = CHANNELS) -> set[int]:
    return set(await asyncio.gather(*(_check(address) for _ in range(count))))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_for_the_end_of(pid: int) -> None:
    while parent_of(pid) is not None:
        time.sleep(0.001)


def _two_free_ports_in_a_row() -> int:
    port = free_port()
    while (following := free_port()) != port + 1:
        port = following
    return port


def _calls_counted(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        counted = re.findall(r"^mesh_rpc_requests_total\{[^}]*\} (\S+)$", page.read().decode(), re.MULTILINE)
    return int(sum(map(float, counted)))


async def test_both_workers_answer_on_one_port_and_each_serves_metrics_on_its_own(
    databases: Databases,
) -> None:
    metrics = _two_free_ports_in_a_row()
    async with ledger_process(
        databases.url("ledger"), "--workers", "2", metrics_listen=f"127.0.0.1:{metrics}"
    ) as running:
        statuses = await _checks(running.address)
        counts = [await asyncio.to_thread(_calls_counted, metrics + worker) for worker in (0, 1)]

    assert statuses == {HealthCheckResponse.SERVING}
    assert sum(counts) == CHANNELS
    assert min(counts) > 0
    assert len(set(running.workers.values())) == 2


async def test_a_worker_that_is_killed_is_replaced_while_the_other_serves(workers: LedgerProcess) -> None:
    before = workers.workers

    await workers.kill_worker(0)
    statuses = await _checks(workers.address)
    await workers.until_said("worker_started", 3)

    after = workers.workers
    assert statuses == {HealthCheckResponse.SERVING}
    assert after[0] != before[0]
    assert after[1] == before[1]
    (died,) = workers.events("worker_died")
    assert (died["worker"], died["pid"], died["how"]) == (0, before[0], "signal 9")
    assert await _checks(workers.address) == {HealthCheckResponse.SERVING}


async def test_the_successor_is_killed_when_the_worker_has_ended_by_itself(workers: LedgerProcess) -> None:
    first = workers.workers[0]
    os.kill(first, signal.SIGKILL)
    await asyncio.to_thread(_wait_for_the_end_of, first)

    second = await workers.kill_worker(0)
    await workers.until(lambda own: own.workers.get(0, second) not in (first, second))

    assert second != first
    assert [one["pid"] for one in workers.events("worker_died")] == [first, second]
    assert workers.unexplained_ends == [f"worker 0 (pid {first}) ended: signal 9"]


async def test_sigterm_ends_all_workers_after_the_call_in_progress(
    databases: Databases, workers: LedgerProcess
) -> None:
    async with fresh_channel(workers.address) as channel:
        await _sell(channel, credits=100)
        async with Sql.connected(databases.url("ledger")) as sql, sql.transaction():
            await sql.execute("SELECT 1 FROM ledger.pools FOR UPDATE")
            asked = asyncio.ensure_future(_debit(channel, 1))
            await sql.until_waiting(1)
            workers.ask_to_stop()
            await workers.until_said("service_stopping", 2)
            assert not asked.done()
        answer = await asked

    assert answer.decision == pb.DECISION_ALLOWED
    assert await workers.ended() == 0
    assert not any(_is_alive(pid) for pid in workers.workers.values())
    assert workers.events("worker_died") == []


async def test_workers_shut_down_in_order_when_their_parent_is_killed(workers: LedgerProcess) -> None:
    workers.kill()

    # The pipe of their stderr closes when the last of them ends.
    assert await workers.ended() == -9
    assert len(workers.events("service_stopping")) == 2


async def test_a_taken_port_is_refused_in_one_line(databases: Databases) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = LedgerProcess(databases.url("ledger"), "--workers", "2", address=address)
        await refused.start()

        assert await refused.ended() == 1

    assert refused.said == [
        {
            "line": f"ledger: ledger cannot listen on {address}: the port is taken (or the address is not of"
            " this machine)"
        }
    ]


async def test_two_sets_of_workers_never_share_a_port(databases: Databases, workers: LedgerProcess) -> None:
    refused = LedgerProcess(databases.url("ledger"), "--workers", "2", address=workers.address)
    await refused.start()

    assert await refused.ended() == 1
    assert len(refused.lines) == 1
    assert "the port is taken" in refused.lines[0]
    assert await _checks(workers.address, 4) == {HealthCheckResponse.SERVING}


@pytest.mark.parametrize(
    ("count", "sandbox", "says"),
    [
        ("2", "true", "PURSER_LEDGER_WORKERS: must be 1 in sandbox mode"),
        ("0", "false", "PURSER_LEDGER_WORKERS: Input should be greater than or equal to 1"),
    ],
)
async def test_an_invalid_number_of_workers_is_refused_in_one_line(
    count: str, sandbox: str, says: str
) -> None:
    refused = LedgerProcess("postgresql://nobody@127.0.0.1:1/none", "--workers", count, sandbox=sandbox)
    await refused.start()

    assert await refused.ended() == 2
    (line,) = refused.lines
    assert line.startswith(says)


async def test_one_worker_that_cannot_start_stops_the_whole_service(databases: Databases) -> None:
    with socket.create_server(("127.0.0.1", _two_free_ports_in_a_row() + 1)) as taken:
        metrics = f"127.0.0.1:{taken.getsockname()[1] - 1}"
        failed = LedgerProcess(databases.url("ledger"), "--workers", "2", metrics_listen=metrics)
        await failed.start()

        with pytest.raises(ProcessEnded, match="metrics cannot listen"):
            await failed.until_said("service_started")
        assert await failed.ended() == 1

    own, parents = failed.lines
    assert own.startswith("ledger: metrics cannot listen on 127.0.0.1")
    assert parents == "ledger: worker 1 could not start (exit status 1); its own last line says why"


async def _sell(channel: Channel, *, credits: int) -> None:
    """Apply acme and its contract, and grant it credits."""
    admin, peer = LedgerAdminServiceStub(channel), LedgerPeerServiceStub(channel)
    await peer.ApplyMetrics(
        peer_pb.ApplyMetricsRequest(
            request_id="product",
            product_id="prd_assistant",
            version=1,
            name="AI product",
            billable_metric_id="met_1",
            event_type="ai_call",
            aggregation=peer_pb.AGGREGATION_SUM,
            sum_property="units",
        ),
        **WAIT_FOR_READY,
    )
    await peer.ApplyRateCard(
        peer_pb.ApplyRateCardRequest(request_id="card", rate_card_id="rcd_main", version=1, rates=[a_rate()])
    )
    await peer.ApplyCustomer(
        peer_pb.ApplyCustomerRequest(request_id="acme", customer_id="cus_acme", version=1, aliases=["acme"])
    )
    await peer.ApplyContract(
        peer_pb.ApplyContractRequest(
            request_id="contract",
            customer_id="cus_acme",
            contract_id="con_1",
            version=1,
            rate_card_id="rcd_main",
            start_time=a_rate().effective_time,
        )
    )
    await admin.IssueGrant(
        apb.IssueGrantRequest(
            request_id="grant",
            customer="acme",
            credit_type_id=AI,
            grant_kind=pb.GRANT_KIND_PROMOTIONAL,
            amount_micros=credits * CREDIT,
        )
    )


async def _debit(channel: Channel, number: int) -> pb.DebitResponse:
    return await LedgerServiceStub(channel).Debit(
        pb.DebitRequest(
            request_id=f"debit-{number}",
            customer="acme",
            product_id="prd_assistant",
            credits_micros=CREDIT,
        ),
        **WAIT_FOR_READY,
    )


async def test_workers_and_replicas_give_one_hot_pool_exactly_what_it_has(databases: Databases) -> None:
    """900 debits of one credit against 500 credits, over connections to three processes; each is sent twice."""
    url = databases.url("ledger")
    async with AsyncExitStack() as stack:
        together = await stack.enter_async_context(ledger_process(url, "--workers", "2"))
        alone = await stack.enter_async_context(ledger_process(url))
        channels = [
            await stack.enter_async_context(fresh_channel(address))
            for address in (together.address, alone.address)
            for _ in range(8)
        ]
        await _sell(channels[0], credits=500)

        asked = [number % 900 for number in range(1_800)]
        answers = await asyncio.gather(
            *(_debit(channels[(number * 7 + number // 900) % 16], number) for number in asked)
        )
        found = await LedgerAdminServiceStub(channels[-1]).VerifyLedger(apb.VerifyLedgerRequest())
        balance = await LedgerServiceStub(channels[0]).GetBalance(pb.GetBalanceRequest(customer="acme"))

    allowed = {n for n, answer in zip(asked, answers, strict=True) if answer.decision == pb.DECISION_ALLOWED}
    assert len(allowed) == 500
    assert balance.pools[0].available_micros == 0
    assert found.is_consistent, found.discrepancies
    assert found.entries == 1 + 500
