# SPDX-License-Identifier: Apache-2.0
"""What two replicas cost when each customer has one of them, and when it does not: P24."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.local import mesh
from deploy.local.identity import LocalIdentity, open_identity
from deploy.local.ports import HOST, free_port
from deploy.local.proxy import running_envoy
from meshkit.clock import SystemClock
from meshkit.rpc.tls import server_name
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser_client.affinity import Affinity
from purser_client.channel import open_channel, target_of
from tests.perf.bench import IN_FLIGHT, Bench, Shop, by_round, cpu_us, holds, rates, raw
from tests.perf.goals import Figure, Spread
from tests.perf.load import Kind, Load, Run, Secured
from tests.perf.servers import Server, running_ledger
from tests.perf.world import PRODUCT, UNITS_MICROS, USERS, customers

LEDGER_NAME = server_name("ledger", "purser.internal")
# Two counts of the same thing: after an outrun, memory has forgotten the customer.
CAUSES = ("outrun", "unknown")
WARMED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Way:
    """How the calls reach the Ledgers. address: one, or several separated by commas. has_header: names the customer."""

    address: str
    has_header: bool
    servers: tuple[Server, ...]
    names: Sequence[str]

    def load(self, secured: Secured) -> Load:
        return Load(
            kind=Kind.DEBIT,
            in_flight=IN_FLIGHT * len(self.servers),  # each replica has as many at once as the one
            addresses=(self.address,),
            customers=tuple(self.names),
            secured=secured,
            names_customer=self.has_header,
            server_name=self.server_name or "",
        )

    @property
    def server_name(self) -> str | None:
        """Who must answer, where a certificate cannot be compared with several addresses."""
        return LEDGER_NAME if "," in self.address else None


async def one_replica_for_each_customer(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P24: debits over TLS with a token over many customers, each way with customers that no other way calls."""
    identity = open_identity(bench.folder / "access", clock=SystemClock())
    secured = Secured(
        authority=identity.files.authority.read_text(), token=identity.token("gate", subject="bench")
    )
    async with bench.shop() as shop, _ways(bench, shop, identity) as ways:
        for way in ways.values():
            await shop.open_for(way.names)
            await _read_all(way, secured)
        runs, again = await _run(bench, ways, secured)
        audit = await shop.audit([run for series in runs.values() for run in series])
    one = runs["one replica"]
    parts = {}
    for name, part in (("Envoy", "by Envoy"), ("client", "by the client")):
        parts[f"{part}, decided again"] = again[name]
        parts[f"{part}, CPU"] = by_round(_cpu_ratio, runs[name], one)
    detail = {
        "briefly": f"{rates(runs, *runs)}; {cpu_us(runs, *runs)}; % decided again: "
        + ", ".join(f"{name} {share.median:.2f}" for name, share in again.items()),
        "series": raw(runs),
        "decided_again_percent": {name: share.as_json() for name, share in again.items()},
        "cpu_without_affinity": by_round(_cpu_ratio, runs["Envoy, no header"], one).as_json(),
        "audit": audit,
    }
    return {"P24": Figure(parts, detail, holds=holds(audit))}


def _cpu_ratio(run: Run, one: Run) -> float:
    return run.cpu_us["server"] / one.cpu_us["server"]


@asynccontextmanager
async def _ways(bench: Bench, shop: Shop, identity: LocalIdentity) -> AsyncIterator[Mapping[str, Way]]:
    async with AsyncExitStack() as stack:
        one, *both = [
            await stack.enter_async_context(
                running_ledger(
                    shop.database.ledger_url,
                    bench.folder,
                    access=mesh.secured(identity, None),
                    has_metrics=True,
                )
            )
            for _ in range(3)
        ]
        envoy = await stack.enter_async_context(
            running_envoy(
                {"ledger": [server.address for server in both]},
                identity,
                folder=bench.folder / "envoy",
                listen=f"{HOST}:{free_port()}",
            )
        )
        names = customers(4 * bench.scale.spread)
        of = [names[number::4] for number in range(4)]
        direct = ",".join(server.address for server in both)
        yield {
            "one replica": Way(one.address, False, (one,), of[0]),
            "Envoy": Way(envoy.address, True, tuple(both), of[1]),
            "Envoy, no header": Way(envoy.address, False, tuple(both), of[2]),
            "client": Way(direct, True, tuple(both), of[3]),
        }


async def _run(
    bench: Bench, ways: Mapping[str, Way], secured: Secured
) -> tuple[dict[str, list[Run]], dict[str, Spread]]:
    """Return the runs of each way, and how many percent of its calls were decided again."""
    shares: dict[str, list[float]] = {name: [] for name in ways}

    async def measure(name: str, way: Way) -> Run:
        before = await _decided_again(way.servers)
        run = await bench.measure(way.load(secured), way.servers)
        after = await _decided_again(way.servers)
        shares[name].append((after - before) / run.answered * 100)
        return run

    runs = await bench.interleaved(
        {name: lambda name=name, way=way: measure(name, way) for name, way in ways.items()}  # type: ignore[misc]
    )
    return runs, {name: Spread.of(share) for name, share in shares.items()}


async def _read_all(way: Way, secured: Secured) -> None:
    """Let each Ledger that will decide for a customer know it: what is measured is not the first read."""
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(secured.authority.encode()),
        grpc.access_token_call_credentials(secured.token),
    )
    targets = [way.address] if way.has_header else [server.address for server in way.servers]
    slots = asyncio.Semaphore(WARMED_AT_ONCE)
    affinity = Affinity()

    async def read(gate: "LedgerServiceStub", number: int, name: str) -> None:
        request = pb.AuthorizeRequest(
            request_id=f"{name}-read",
            customer=name,
            product_id=PRODUCT,
            quantity_micros=UNITS_MICROS,
            group_values={"user_id": USERS[number % len(USERS)]},  # the user of the customer's debits
        )
        async with slots:
            answer = await gate.Authorize(request, metadata=affinity.header(request))  # type: ignore[misc]
            release = pb.ReleaseRequest(request_id=f"{name}-left", customer=name, hold_id=answer.hold_id)
            await gate.Release(release, metadata=affinity.header(request))  # type: ignore[misc]

    for target in targets:
        several = target_of(target.split(","))
        async with open_channel(several, credentials, server_name=way.server_name) as channel:
            gate = LedgerServiceStub(channel)
            await asyncio.gather(*(read(gate, number, name) for number, name in enumerate(way.names)))


async def _decided_again(servers: Sequence[Server]) -> float:
    total = 0.0
    async with httpx.AsyncClient(trust_env=False) as http:
        for server in servers:
            text = (await http.get(f"http://{server.metrics_address}/metrics")).text
            total += sum(
                sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name == "ledger_decided_again_total" and sample.labels["cause"] in CAUSES
            )
    return total
