# SPDX-License-Identifier: Apache-2.0
"""Common parts of all measurements: their scale, the servers to measure, and the audit of the sums."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.perf.database import Database, Databases
from tests.perf.goals import NotMeasured, Spread
from tests.perf.load import Generator, Kind, Load, Meter, Run, Secured
from tests.perf.servers import Server, running_echo, running_ledger
from tests.perf.world import CALL_MICROS, Stubs, open_stubs, used_micros

IN_FLIGHT = 64
ENTRIES_PER_CUSTOMER = 100

Caller = Callable[[], Awaitable[Run]]  # one round of a series


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured.

    rounds: of each series. seconds: measured window of a round. warm_seconds: warm-up before it. spread: customers over
    which calls are spread. batch_items: debits in a batch (P7). entries: of the long history of P10, P12 and P18, 100
    per customer. races: of P13. race_calls: the calls that each grant of a race pays for. events: seat changes and
    crossings of P14 and P22. lines: of the file of P17. endpoints and deliveries: of P22, one endpoint of ten hangs.
    burst: the calls of P27's bursts.
    """

    rounds: int = 5
    seconds: float = 2.0
    warm_seconds: float = 0.5
    spread: int = 1_000
    batch_items: int = 500
    entries: int = 1_000_000
    events: int = 200
    races: int = 5
    race_calls: int = 200
    lines: int = 1_000_000
    endpoints: int = 100
    deliveries: int = 10_000
    burst: int = 25_000

    @property
    def history_customers(self) -> int:
        return self.entries // ENTRIES_PER_CUSTOMER


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Running Ledgers on a separate database, and stubs to call the first of them."""

    database: Database
    servers: tuple[Server, ...]
    stubs: Stubs

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(server.address for server in self.servers)

    async def open_for(self, names: Sequence[str]) -> None:
        """Apply these customers with contracts, and grant them more credits than they can use."""
        await self.stubs.sign(names)
        await self.stubs.grant(names)

    async def audit(self, runs: Iterable[Run], *, items: int = 1) -> dict[str, Any]:
        """Compare what is stored with the callers' responses, and check that it adds up; see `holds`.

        runs: all calls ever made here, each for `items` debits or holds. A call that ended with an error may or may not
        have been executed.
        """
        runs = list(runs)
        told = sum(run.answered for run in runs) * items * CALL_MICROS
        unknown = sum(count for run in runs for count in run.faults.values()) * items * CALL_MICROS
        stored = await used_micros(self.database.ledger_url)
        found = await self.stubs.verify()
        return {
            "told_micros": told,
            "stored_micros": stored,
            "unknown_micros": unknown,
            "refused_calls": sum(run.refused for run in runs),
            "is_exact": told <= stored <= told + unknown,
            "is_consistent": found.is_consistent,
            "entries": found.entries,
            "open_holds": found.holds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The servers and clients of this machine, and the scale of the measurements."""

    scale: Scale
    databases: Databases
    generator: Generator
    folder: Path

    @asynccontextmanager
    async def echoes(self, count: int = 1) -> AsyncIterator[tuple[Server, ...]]:
        async with AsyncExitStack() as stack:
            yield tuple([await stack.enter_async_context(running_echo(self.folder)) for _ in range(count)])

    @asynccontextmanager
    async def shop(self, *, replicas: int = 1, database: Database | None = None) -> AsyncIterator[Shop]:
        """Run Ledgers on a new database, or on the given one, with a product."""
        async with AsyncExitStack() as stack:
            if database is None:
                database = await stack.enter_async_context(self.databases.fresh())
            servers = [
                await stack.enter_async_context(running_ledger(database.ledger_url, self.folder))
                for _ in range(replicas)
            ]
            stubs = await stack.enter_async_context(open_stubs(servers[0].address))
            await stubs.open_shop()
            yield Shop(database=database, servers=tuple(servers), stubs=stubs)

    async def interleaved(self, series: Mapping[str, Caller]) -> dict[str, list[Run]]:
        """Run every series once per round, A B A B …, so that a drift of the machine affects all of them alike."""
        await self.databases.settle()
        runs: dict[str, list[Run]] = {name: [] for name in series}
        for _ in range(self.scale.rounds):
            for name, run in series.items():
                runs[name].append(await run())
        return runs

    def echo_calls(self, servers: Sequence[Server], *, in_flight: int, names: Sequence[str]) -> Caller:
        """Return a series of echoes of Authorize requests for these customers."""
        load = Load(
            kind=Kind.ECHO,
            in_flight=in_flight,
            addresses=tuple(server.address for server in servers),
            customers=tuple(names),
        )
        meters = self._meters(servers)
        return lambda: self.generator.run(load, meters=meters)

    def calls(
        self,
        shop: Shop,
        kind: Kind,
        *,
        in_flight: int,
        names: Sequence[str],
        items: int = 1,
        seats: int = 0,
        server: Server | None = None,
        secured: Secured | None = None,
        is_denied: bool = False,
    ) -> Caller:
        """Return a series of calls of the gate for these customers; to another server on the shop's database."""
        servers = shop.servers if server is None else (server,)
        load = Load(
            kind=kind,
            in_flight=in_flight,
            addresses=tuple(one.address for one in servers),
            customers=tuple(names),
            items=items,
            seats=seats,
            secured=secured,
            is_denied=is_denied,
        )
        meters = self._meters(servers, with_database=True)
        return lambda: self.generator.run(load, meters=meters)

    async def measure(self, load: Load, servers: Sequence[Server]) -> Run:
        """Run any load once, with the CPU of these servers and of the database."""
        return await self.generator.run(load, meters=self._meters(servers, with_database=True))

    def commits(self, database: Database) -> Caller:
        """Return a series of commits of one row, one after the other."""
        load = Load(kind=Kind.COMMIT, in_flight=1, database_url=database.admin_url)
        return lambda: self.generator.run(load)

    def _meters(self, servers: Sequence[Server], *, with_database: bool = False) -> Mapping[str, Meter]:
        """Return the CPU meters that work here: none without /proc, none for a database on another machine."""
        meters: dict[str, Meter] = {"server": lambda: sum(server.cpu_seconds() for server in servers)}
        if with_database:
            meters["postgres"] = self.databases.cpu_seconds
        working = {}
        for whose, meter in meters.items():
            with suppress(NotMeasured):
                meter()
                working[whose] = meter
        return working


def holds(audit: Mapping[str, Any]) -> bool:
    """Whether an audit found no difference, and nobody with enough credits was refused."""
    return bool(audit["is_exact"] and audit["is_consistent"] and not audit["refused_calls"])


def by_round(value: Callable[..., float], *series: Sequence[Run]) -> Spread:
    """Return the spread of a value computed from each round's runs, one of each series."""
    return Spread.of([value(*runs) for runs in zip(*series, strict=True)])


def lowest(spreads: Iterable[Spread]) -> Spread:
    return min(spreads, key=lambda spread: spread.median)


def highest(spreads: Iterable[Spread]) -> Spread:
    return max(spreads, key=lambda spread: spread.median)


def raw(runs: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Return each series as measured: the median round by calls per second, and the range of the rounds."""
    told = {}
    for name, series in runs.items():
        ordered = sorted(series, key=lambda run: run.calls_per_second)
        told[name] = {
            **ordered[len(ordered) // 2].as_json(),
            "calls_per_second_min": round(ordered[0].calls_per_second, 1),
            "calls_per_second_max": round(ordered[-1].calls_per_second, 1),
            "p50_ms_rounds": [round(run.p50_ms, 3) for run in series],
            "p99_ms_rounds": [round(run.p99_ms, 3) for run in series],
        }
    return told


def _middle(runs: Sequence[Run], value: Callable[[Run], float]) -> float:
    """Return the median over the rounds."""
    return Spread.of([value(run) for run in runs]).median


def rates(runs: Mapping[str, Sequence[Run]], *names: str, items: int = 1) -> str:
    """Return the calls per second of these series, for the table."""
    told = (f"{name} {_middle(runs[name], lambda run: run.calls_per_second) * items:,.0f}" for name in names)
    return f"per second: {', '.join(told)}"


def p50s(runs: Mapping[str, Sequence[Run]], *names: str) -> str:
    """Return their p50, for the table."""
    told = (f"{name} {_middle(runs[name], lambda run: run.p50_ms):.3g}" for name in names)
    return f"ms: {', '.join(told)}"


def cpu_us(runs: Mapping[str, Sequence[Run]], *names: str) -> str:
    """Return the CPU per call, server + PostgreSQL, for the table."""
    told = []
    for name in names:
        whose = [one for one in ("server", "postgres") if one in runs[name][0].cpu_us]
        spent = (_middle(runs[name], lambda run, one=one: run.cpu_us[one]) for one in whose)  # type: ignore[misc]
        told.append(f"{name} {' + '.join(f'{one:.0f}' for one in spent)}")
    return f"µs: {', '.join(told)}"
