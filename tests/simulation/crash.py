# SPDX-License-Identifier: Apache-2.0
"""The crash test: writers, a fault proxy, and kill -9 of Ledgers and of PostgreSQL's postmaster, again and again.

`make crash` runs it for long: `python -m tests.simulation.crash --kills 30 --seed 7`. Every acknowledged write must be
stored, each request_id at most once, every grant conserved, and the Ledger back soon after each kill.
"""

import asyncio
import random
import secrets
import shutil
import socket
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import database
from deploy.local.postgres import EmbeddedPostgres
from meshkit.db import migrate
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_peer_pb2_grpc import LedgerPeerServiceStub
from tests.simulation.crash_recount import recount, spent
from tests.simulation.crash_writers import (
    CREDIT_TYPE,
    CUSTOMERS,
    HOT,
    POOR,
    PRODUCT,
    Book,
    Writer,
    until_back,
)
from tests.simulation.fault_proxy import FaultProxy
from tests.support.ledger_process import LedgerProcess

WRITERS = 8
CUT_SHARE = 0.01
ANSWERS_BETWEEN_KILLS = 40
BACK_SECONDS_GOAL = 5.0
PATIENCE_SECONDS = 60.0
PORTS = range(15_000, 30_000)
# What is killed, and how often as against others: a worker, which its parent replaces; a replica; PostgreSQL, by its
# postmaster; a parent of workers; a replica and PostgreSQL at one moment.
TARGETS = {"worker": 3, "replica": 3, "postmaster": 3, "parent": 1, "replica and postmaster": 1}


@dataclass(slots=True)
class Outcome:
    """What a run has shown. back_seconds: of each kill, by target. wrong: everything that must not be."""

    seed: int
    seconds: float = 0.0
    book: Book = field(default_factory=Book)
    back_seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    proxy: FaultProxy | None = None
    recounted: apb.VerifyLedgerResponse | None = None
    wrong: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return sum(map(len, self.back_seconds.values()))

    @property
    def slowest_seconds(self) -> float:
        return max(seconds for times in self.back_seconds.values() for seconds in times)


class Cluster:
    """A durable PostgreSQL, two Ledger workers on one port, and a replica by itself on another."""

    def __init__(self, folder: Path) -> None:
        self.postgres = EmbeddedPostgres(folder / "postgres", port=_port())
        self._folder = folder
        # The server is told to stop when the thread that started it ends: this one lives as long as the test.
        self._thread = ThreadPoolExecutor(1)
        self.url = ""
        self.together: LedgerProcess
        self.alone: LedgerProcess
        self._started: list[LedgerProcess] = []

    async def start(self) -> None:
        await self.start_postgres()
        name = f"purser_crash_{secrets.token_hex(4)}"
        urls = await database.prepare(
            self.postgres.admin_url, state_folder=self._folder, database=name, role_prefix=name
        )
        self.url = urls["ledger"]
        await migrate(self.url, service="ledger")
        addresses = [f"127.0.0.1:{_port()}" for _ in range(2)]
        settings = {"sweep_seconds": "0.5", "database_connections": "5"}
        self.together = LedgerProcess(self.url, "--workers", "2", address=addresses[0], **settings)
        self.alone = LedgerProcess(self.url, address=addresses[1], **settings)
        for process in (self.together, self.alone):
            await process.start()
            self._started.append(process)
            await process.until_said("service_started")

    async def start_postgres(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self.postgres.start)

    async def stop(self) -> None:
        for process in self._started:
            with suppress(ProcessLookupError):
                process.ask_to_stop()
            await process.ended()
        await asyncio.get_running_loop().run_in_executor(self._thread, self.postgres.stop)
        self._thread.shutdown()

    async def kill(self, target: str, dice: random.Random) -> None:
        """SIGKILL it, and start again what nobody else does."""
        match target:
            case "worker":
                self.together.kill(dice.choice(sorted(self.together.workers().values())))
            case "replica":
                self.alone.kill()
                await self.alone.ended()
                await self.alone.start()
            case "parent":
                self.together.kill()
                await self.together.ended()
                await self.together.start()
            case "postmaster":
                self.postgres.kill()
                await self.start_postgres()
            case "replica and postmaster":
                self.alone.kill()
                self.postgres.kill()
                await asyncio.gather(self.start_postgres(), self.alone.ended())
                await self.alone.start()
            case _:
                raise ValueError(target)

    def addresses_of(self, target: str) -> list[str]:
        """Where it shows that the target is back."""
        match target:
            case "worker" | "parent":
                return [self.together.asked_address]
            case "replica":
                return [self.alone.asked_address]
            case _:
                return [self.together.asked_address, self.alone.asked_address]


def _port() -> int:
    """A free port below those that are given to whoever wants any: while its owner is dead, no stranger gets it."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", PORTS.start + secrets.randbelow(len(PORTS))))
            port: int = probe.getsockname()[1]
            return port


async def crash(
    kills: int, seed: int, *, cut_share: float = CUT_SHARE, say: Console | None = None
) -> Outcome:
    """Kill so many times while writers write, and recount. seed: decides targets, instants, cuts and requests."""
    outcome = Outcome(seed=seed)
    dice = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="purser-crash-"))
    cluster = Cluster(folder)
    began = time.monotonic()
    try:
        await cluster.start()
        await _sell(cluster, outcome.book)
        addresses = cluster.addresses_of("postmaster")
        outcome.proxy = FaultProxy(addresses, cut_share=cut_share, dice=random.Random(dice.random()))
        async with outcome.proxy.open():
            await _kill_under_load(cluster, outcome, _plan(kills, dice), dice, say)
        outcome.recounted = await _verify(addresses[0])
        outcome.wrong = await recount(cluster.url, outcome.book)
        if not outcome.recounted.is_consistent:
            outcome.wrong += [str(one) for one in outcome.recounted.discrepancies]
    finally:
        await cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    outcome.seconds = time.monotonic() - began
    return outcome


def _plan(kills: int, dice: random.Random) -> list[str]:
    """What is killed, in order: each target once, as far as there are kills for them, and then by lot."""
    more = dice.choices(list(TARGETS), list(TARGETS.values()), k=max(0, kills - len(TARGETS)))
    return [*TARGETS, *more][:kills]


async def _kill_under_load(
    cluster: Cluster, outcome: Outcome, targets: list[str], dice: random.Random, say: Console | None
) -> None:
    assert outcome.proxy is not None
    stopped = asyncio.Event()
    writers = [
        Writer(f"w{number}", outcome.proxy.address, outcome.book, random.Random(dice.random()))
        for number in range(WRITERS)
    ]
    async with asyncio.TaskGroup() as everybody:
        for writer in writers:
            everybody.create_task(writer.write_until(stopped))
        for number, target in enumerate(targets):
            await outcome.book.until_more(ANSWERS_BETWEEN_KILLS)
            await asyncio.sleep(dice.uniform(0, 0.5))
            seconds = await _kill(cluster, outcome.book, target, number, dice)
            outcome.back_seconds[target].append(seconds)
            if say is not None:
                answered = len(outcome.book.answers)
                say.print(
                    f"[dim]kill {number + 1:>3}: {target}, back after {seconds:.2f} s; {answered} answered[/]"
                )
        await outcome.book.until_more(ANSWERS_BETWEEN_KILLS)
        stopped.set()
    for writer in writers:
        await writer.close()


async def _kill(cluster: Cluster, book: Book, target: str, number: int, dice: random.Random) -> float:
    """Kill, and return how many seconds passed until writes were answered again, by as many processes as before."""
    began = time.monotonic()
    replaced = len(cluster.together.events("worker_started")) + 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        await cluster.kill(target, dice)
        if target == "worker":
            await cluster.together.until_said("worker_started", replaced)
        for address in cluster.addresses_of(target):
            await until_back(address, book, f"probe-{number}-{address.rpartition(':')[2]}")
    return time.monotonic() - began


async def _sell(cluster: Cluster, book: Book) -> None:
    """Tell of customers and prices, give credits (few to one of them), cap a user, watch the poor one's balance."""
    async with open_channel(cluster.alone.asked_address) as channel:
        admin, peer = LedgerAdminServiceStub(channel), LedgerPeerServiceStub(channel)
        await peer.ApplyMetrics(
            peer_pb.ApplyMetricsRequest(
                request_id="product",
                product_id=PRODUCT,
                version=1,
                name="AI Assistant",
                billable_metric_id="met_1",
                event_type="ai_call",
                aggregation=peer_pb.AGGREGATION_SUM,
                sum_property="units",
                group_keys=["user_id"],
            )
        )
        yesterday = timestamp(datetime.now(UTC) - timedelta(days=1))
        rate = peer_pb.UsageRate(
            rate_id="rat_1",
            product_id=PRODUCT,
            credit_type_id=CREDIT_TYPE,
            price_micros=12_000_000,
            per_micros=1_000_000,
            effective_time=yesterday,
        )
        await peer.ApplyRateCard(
            peer_pb.ApplyRateCardRequest(request_id="card", rate_card_id="rcd_1", version=1, rates=[rate])
        )
        giver = Writer("giver", cluster.alone.asked_address, book, random.Random(0))
        for customer in dict.fromkeys(CUSTOMERS):
            await peer.ApplyCustomer(
                peer_pb.ApplyCustomerRequest(request_id=customer, customer_id=customer, version=1)
            )
            await peer.ApplyContract(
                peer_pb.ApplyContractRequest(
                    request_id=f"contract-{customer}",
                    customer_id=customer,
                    contract_id=f"con_{customer}",
                    version=1,
                    rate_card_id="rcd_1",
                    start_time=yesterday,
                )
            )
            await giver.grant(customer, 20_000_000 if customer == POOR else 10**12)
        await giver.close()
        capped = apb.SetSpendCapRequest(
            request_id="cap",
            customer=HOT,
            credit_type_id=CREDIT_TYPE,
            group_key="user_id",
            group_value="user-1",
            limit_micros=50_000_000,
        )
        book.write(capped, (await admin.SetSpendCap(capped)).spend_cap)
        await peer.WatchThreshold(
            peer_pb.WatchThresholdRequest(
                request_id="watch",
                alert_id="alr_1",
                version=1,
                is_active=True,
                watch_kind=peer_pb.WATCH_KIND_LOW_BALANCE,
                customer_id=POOR,
                credit_type_id=CREDIT_TYPE,
                threshold_micros=10_000_000,
            )
        )


async def _verify(address: str) -> apb.VerifyLedgerResponse:
    async with open_channel(address) as channel:
        return await LedgerAdminServiceStub(channel).VerifyLedger(apb.VerifyLedgerRequest(), timeout=60)


def table_of(outcome: Outcome) -> Table:
    """What a run has shown, as one table."""
    book, proxy, recounted = outcome.book, outcome.proxy, outcome.recounted
    assert proxy is not None
    assert recounted is not None
    table = Table(
        "what", "how many", title=f"seed {outcome.seed}: {outcome.kills} kills, {outcome.seconds:.0f} s"
    )
    for target, times in sorted(outcome.back_seconds.items()):
        median, slowest = statistics.median(times), max(times)
        table.add_row(
            f"kill -9 of a {target}",
            f"{len(times)}; back after {median:.2f} s (median), {slowest:.2f} s (slowest)",
        )
    table.add_row("replies cut by the proxy", f"{proxy.cuts} of {proxy.replies}")
    for kind, count in sorted(
        Counter(type(request).__name__ for request, _ in book.answers.values()).items()
    ):
        table.add_row(f"{kind.removesuffix('Request')} answered", str(count))
    decisions = [answer for _, answer in book.answers.values() if hasattr(answer, "decision")]
    table.add_row("of these denied", str(sum(one.decision == pb.DECISION_DENIED for one in decisions)))
    table.add_row("captured late", str(sum(answer.is_late for _, answer in book.of(pb.CaptureRequest))))
    figures = spent(book).values()
    table.add_row("credits acknowledged as spent", f"{sum(micros for micros, _ in figures) / 10**6:.6f}")
    table.add_row("credits acknowledged as shortfall", f"{sum(micros for _, micros in figures) / 10**6:.6f}")
    table.add_row(
        "attempts with an unknown outcome", ", ".join(f"{n} {c}" for c, n in book.retries.most_common())
    )
    table.add_row("answered requests asked again, same answer", str(book.replayed))
    table.add_row(
        "recounted: pools, grants, entries", f"{recounted.pools}, {recounted.grants}, {recounted.entries}"
    )
    table.add_row("not as acknowledged", str(len(outcome.wrong)))
    return table


def main(
    kills: Annotated[int, typer.Option(min=1, help="how many times to kill")] = 30,
    seed: Annotated[
        int | None, typer.Option(help="the same one kills and asks the same; drawn when left out")
    ] = None,
) -> None:
    """Kill Ledgers and PostgreSQL under load, and recount. Exits with 1 when something acknowledged is not there."""
    console = Console(highlight=False)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    console.print(f"seed {chosen}")
    outcome = asyncio.run(crash(kills, chosen, say=console))
    console.print(table_of(outcome))
    for line in outcome.wrong[:50]:
        console.print(line, style="red", markup=False)
    if outcome.slowest_seconds > BACK_SECONDS_GOAL:
        console.print(
            f"back later than {BACK_SECONDS_GOAL:.0f} s: {outcome.slowest_seconds:.2f} s", style="yellow"
        )
    raise typer.Exit(1 if outcome.wrong else 0)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
