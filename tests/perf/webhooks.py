# SPDX-License-Identifier: Apache-2.0
"""Webhooks of a whole mesh: from a crossing to its receipt, and many endpoints of which some hang. P22."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deploy.local import mesh
from deploy.local.fault import Fault
from meshkit.keyring import new_key
from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from purser.alert.v1 import alert_pb2 as alert
from purser.alert.v1.alert_pb2_grpc import AlertServiceStub
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.perf.bench import Bench
from tests.perf.goals import Figure, NotMeasured, Spread
from tests.perf.load import Kind, Load, Run
from tests.perf.world import CREDIT_TYPE, PRODUCT, USERS, Stubs, customers, open_stubs

if TYPE_CHECKING:
    from purser.alert.v1.alert_pb2_grpc import AlertServiceAsyncStub

THRESHOLD = 1_000 * MICROS
SWING = 100 * MICROS
DEBITS_PER_SECOND = 2_000
CALLERS = 64
BODY_BYTES_MAX = 1_000_000
RECEIVED_SECONDS_MAX = 300.0
ENDPOINTS_PER_HANGING = 10


@dataclass(slots=True)
class Receivers:
    """One HTTP server with a path for each endpoint. It answers 204; below the paths that hang, never.

    received: by path, the customers of the webhooks with the time of each.
    """

    port: int = 0
    hanging: frozenset[int] = frozenset()
    received: list[tuple[int, str, float]] = field(default_factory=list)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _hanging: list[asyncio.StreamWriter] = field(default_factory=list)

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self.port}/{number}"

    async def wait_for(self, count: int) -> None:
        """Wait until so many webhooks have been received below the paths that answer. Raises NotMeasured."""
        try:
            async with asyncio.timeout(RECEIVED_SECONDS_MAX), self._arrived:
                await self._arrived.wait_for(lambda: len(self.answered()) >= count)
        except TimeoutError:
            raise NotMeasured(f"{len(self.answered())} of {count} webhooks came") from None

    def answered(self) -> list[tuple[int, str, float]]:
        return [one for one in self.received if one[0] not in self.hanging]

    def hang_up(self) -> None:
        """Close the connections that hang, for which the sender would wait when it is stopped."""
        self.hanging = frozenset()
        for writer in self._hanging:
            writer.close()

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                while True:
                    await self._one(reader, writer)
            finally:
                writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head.splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(min(int(headers["content-length"]), BODY_BYTES_MAX))
        number = int(request_line.split()[1].lstrip("/"))
        async with self._arrived:
            self.received.append((number, json.loads(body)["data"]["customer_id"], time.perf_counter()))
            self._arrived.notify_all()
        if number in self.hanging:
            self._hanging.append(writer)
            await reader.read()  # until the sender gives up
            raise ConnectionAbortedError
        writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()


@dataclass(slots=True, kw_only=True)
class Vendor:
    """A vendor with an alert on every customer's balance. began: when each customer's balance was moved last."""

    gate: Stubs
    alerts: "AlertServiceAsyncStub"
    receivers: Receivers
    addresses: Mapping[str, str]
    began: dict[str, float] = field(default_factory=dict)
    _calls: int = 0

    async def watch(self, endpoints: int) -> None:
        """Create endpoints, and then the alert."""
        for number in range(endpoints):
            url = self.receivers.url(number)
            await self.alerts.CreateWebhookEndpoint(
                alert.CreateWebhookEndpointRequest(request_id=self._request_id(), url=url)
            )
        await self.alerts.CreateAlert(
            alert.CreateAlertRequest(
                request_id=self._request_id(),
                name="Nearly out of credits",
                alert_type=alert.ALERT_TYPE_LOW_BALANCE,
                credit_type_id=CREDIT_TYPE,
                threshold_micros=THRESHOLD,
                rearm_micros=THRESHOLD,
            )
        )

    async def sign(self, names: Sequence[str]) -> None:
        """Sign customers who have half of a swing more than the threshold."""
        await self.gate.sign(names)
        for name in names:
            await self.gate.add_credits(name, micros=THRESHOLD + SWING // 2)

    async def cross_down(self, name: str) -> None:
        self.began[name] = time.perf_counter()
        answer = await self.gate.gate.Debit(
            ledger.DebitRequest(
                request_id=self._request_id(),
                customer=name,
                product_id=PRODUCT,
                credits_micros=SWING,
                group_values={"user_id": USERS[0]},
            )
        )
        assert answer.decision == ledger.DECISION_ALLOWED

    async def cross_up(self, name: str) -> None:
        self.began[name] = time.perf_counter()
        await self.gate.add_credits(name, micros=SWING, request_id=self._request_id())

    def waits_ms(self) -> list[float]:
        """Return the milliseconds from each customer's last move to each webhook that was answered."""
        return [(at - self.began[name]) * 1_000 for _, name, at in self.receivers.answered()]

    def _request_id(self) -> str:
        self._calls += 1
        return f"perf-{self._calls}"


async def crossings_and_hanging_endpoints(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P22: a crossing's way to its webhook when idle and beside 2,000 debits a second; and to 100 endpoints."""
    idle, loaded, run, consistent = await _crossings(bench)
    without, beside = await _storms(bench)
    parts = {
        "crossing to webhook, idle": _p99(idle),
        "crossing to webhook, 2,000 debits/s": _p99(loaded),
        "rate": Spread.of([beside.per_second / without.per_second]),
        "p99": Spread.of([_quantile(beside.waits_ms, 0.99) / _quantile(without.waits_ms, 0.99)]),
    }
    detail = {
        "briefly": f"p50 {_quantile(idle, 0.5):.3g} and {_quantile(loaded, 0.5):.3g} ms; "
        f"{beside.per_second:,.0f} deliveries/s, p99 {_quantile(beside.waits_ms, 0.99) / 1_000:.3g} s",
        "idle": _told(idle),
        "loaded": {**_told(loaded), "debits_per_second": round(run.calls_per_second, 1)},
        "all_answer": without.as_json(),
        "some_hang": beside.as_json(),
        "audit": {"is_consistent": consistent},
    }
    holds = consistent and not run.refused and without.is_complete and beside.is_complete
    return {"P22": Figure(parts, detail, holds=holds)}


async def _crossings(bench: Bench) -> tuple[list[float], list[float], Run, bool]:
    """Return the waits when idle and beside debits of other customers, these debits, and whether all adds up."""
    others = customers(bench.scale.spread)
    (watched,) = customers(1, first=bench.scale.spread + 1)
    async with _vendor(bench) as vendor:
        await vendor.gate.sign(others)
        await vendor.gate.grant(others)
        await vendor.sign([watched])
        await vendor.watch(1)
        idle = [await _cross(vendor, watched, number) for number in range(bench.scale.events)]
        load = Load(
            kind=Kind.DEBIT,
            in_flight=CALLERS,
            addresses=(vendor.addresses["ledger"],),
            customers=others,
            per_second=DEBITS_PER_SECOND,
        )
        loaded: list[float] = []
        runs: list[Run] = []
        while len(loaded) < bench.scale.events:
            debits = asyncio.create_task(bench.generator.run(load))
            while not debits.done():
                loaded.append(await _cross(vendor, watched, len(idle) + len(loaded)))
            runs.append(await debits)
        found = await vendor.gate.admin.VerifyLedger(admin.VerifyLedgerRequest())
    slowest = min(runs, key=lambda run: run.calls_per_second)
    return idle, loaded, slowest, found.is_consistent


async def _cross(vendor: Vendor, name: str, number: int) -> float:
    """Cross the threshold, down or up, and return the milliseconds until the webhook is received."""
    vendor.receivers.received.clear()
    await (vendor.cross_up(name) if number % 2 else vendor.cross_down(name))
    await vendor.receivers.wait_for(1)
    (wait,) = vendor.waits_ms()
    return wait


@dataclass(frozen=True, slots=True)
class Storm:
    """Webhooks of one event for each customer to each endpoint. is_complete: none is missing, and none came twice."""

    waits_ms: Sequence[float]
    seconds: float
    is_complete: bool

    @property
    def per_second(self) -> float:
        return len(self.waits_ms) / self.seconds

    def as_json(self) -> dict[str, Any]:
        return {"deliveries_per_second": round(self.per_second, 1), **_told(self.waits_ms)}


async def _storms(bench: Bench) -> tuple[Storm, Storm]:
    """Return a storm of webhooks to endpoints that all answer, and one to the same of which some hang."""
    endpoints = bench.scale.endpoints
    count = bench.scale.deliveries // endpoints
    first, second = customers(count), customers(count, first=count + 1)
    async with _vendor(bench) as vendor:
        await vendor.sign((*first, *second))
        await vendor.watch(endpoints)
        without = await _storm(vendor, first, answering=endpoints)
        hanging = endpoints // ENDPOINTS_PER_HANGING
        vendor.receivers.hanging = frozenset(range(hanging))
        beside = await _storm(vendor, second, answering=endpoints - hanging)
    return without, beside


async def _storm(vendor: Vendor, names: Sequence[str], *, answering: int) -> Storm:
    """Let customers cross the threshold all at once."""
    vendor.receivers.received.clear()
    began = time.perf_counter()
    await asyncio.gather(*map(vendor.cross_down, names))
    await vendor.receivers.wait_for(answering * len(names))
    seconds = time.perf_counter() - began
    came = [(number, name) for number, name, _ in vendor.receivers.answered()]
    return Storm(vendor.waits_ms(), seconds, len(came) == len(set(came)) == answering * len(names))


@asynccontextmanager
async def _vendor(bench: Bench) -> AsyncIterator[Vendor]:
    """Run a mesh whose business time is now and stands still; only the sandbox allows receivers on this machine."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(bench.databases.fresh())
        running = mesh.ProcessMesh(
            database.urls,
            addresses=mesh.addresses(None),
            log_folder=bench.folder,
            sandbox_start_time=datetime.now(UTC),
            secret_keys=new_key(),
        )
        receivers = Receivers()
        server = await asyncio.start_server(receivers.receive, "127.0.0.1", 0, backlog=1_000)
        receivers.port = server.sockets[0].getsockname()[1]
        stack.callback(server.close)
        try:
            await stack.enter_async_context(running)
        except Fault as fault:
            raise NotMeasured(str(fault)) from fault
        stack.callback(receivers.hang_up)
        gate = await stack.enter_async_context(open_stubs(running.addresses["ledger"]))
        channel = await stack.enter_async_context(open_channel(running.addresses["alert"]))
        await gate.open_shop()
        yield Vendor(
            gate=gate, alerts=AlertServiceStub(channel), receivers=receivers, addresses=running.addresses
        )


def _quantile(times: Sequence[float], quantile: float) -> float:
    ordered = sorted(times)
    return ordered[-(-int(quantile * 100) * len(ordered) // 100) - 1]


def _p99(times: Sequence[float]) -> Spread:
    """Return the 99th percentile, with the fastest and the slowest."""
    return Spread(_quantile(times, 0.99), min(times), max(times), (max(times),))


def _told(times: Sequence[float]) -> dict[str, Any]:
    return {
        "count": len(times),
        "p50_ms": round(_quantile(times, 0.5), 3),
        "p99_ms": round(_quantile(times, 0.99), 3),
        "max_ms": round(max(times), 3),
    }
