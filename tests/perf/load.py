# SPDX-License-Identifier: Apache-2.0
"""The load generator: client processes that call in a closed loop; all servers are called by the same ones.

A run starts at a given time of the machine's monotonic clock, which all processes share. The calls that end inside the
measured window count. During a run, only the clients and the measured servers run.
"""

import asyncio
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from tests.perf.goals import NotMeasured

SOURCE_ROOT = Path(__file__).resolve().parents[2]
# A call costs one grpc.aio client about as much CPU as it costs a bare echo server. So two clients are never the limit
# of one server, and runs with two servers have two clients too; the same two call the echo and the Ledger.
CLIENT_PROCESSES = 2
START_DELAY_SECONDS = 0.05
LINE_BYTES_MAX = 64_000_000


class Kind(StrEnum):
    """The kind of one call."""

    ECHO = "echo"
    AUTHORIZE = "authorize"
    DEBIT = "debit"
    DEBIT_BATCH = "debit_batch"
    RECORD_USAGE = "record_usage"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """Calls over TLS with a bearer token. authority: its certificates, PEM."""

    authority: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the clients do. in_flight: concurrent calls in total. items: per DEBIT_BATCH or RECORD_USAGE.

    addresses: called round robin. customers: each call is for a random one of them. seats: of one customer, each call
    is of a random one of so many seats; 0: of a user.
    per_second: calls in total, as far as the server keeps up; 0: each call follows the one before at once.
    database_url: for COMMIT, which calls no server. secured None: plaintext. names_customer: each call names its
    customer to a proxy, or to the client library's channel to several replicas, which is used for an address that is
    several with commas between them; their certificates have the server_name. is_denied: denials are expected.
    """

    kind: Kind
    in_flight: int
    addresses: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    items: int = 1
    seats: int = 0
    per_second: float = 0.0
    database_url: str = ""
    secured: Secured | None = None
    names_customer: bool = False
    server_name: str = ""
    is_denied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The results of one load. latencies_ms: of the calls that ended in the window, sorted.

    answered: calls with the expected answer, inside and outside the window. refused: calls with another one. faults:
    count by status. cpu_us: per call in the window, by process: "client" and each metered one.
    """

    seconds: float
    latencies_ms: Sequence[float]
    answered: int
    refused: int
    faults: Mapping[str, int]
    cpu_us: Mapping[str, float] = field(default_factory=dict)

    @property
    def calls_per_second(self) -> float:
        return len(self.latencies_ms) / self.seconds

    def quantile_ms(self, quantile: float) -> float:
        """Return the latency that this share of the calls did not exceed."""
        return self.latencies_ms[max(math.ceil(quantile * len(self.latencies_ms)) - 1, 0)]

    @property
    def p50_ms(self) -> float:
        return self.quantile_ms(0.50)

    @property
    def p99_ms(self) -> float:
        return self.quantile_ms(0.99)

    def as_json(self) -> dict[str, Any]:
        return {
            "calls_per_second": round(self.calls_per_second, 1),
            "p50_ms": round(self.p50_ms, 3),
            "p99_ms": round(self.p99_ms, 3),
            "max_ms": round(self.latencies_ms[-1], 3),
            "cpu_us_per_call": {whose: round(spent, 1) for whose, spent in self.cpu_us.items()},
            **({"refused": self.refused} if self.refused else {}),
            **({"faults": dict(self.faults)} if self.faults else {}),
        }


Meter = Callable[[], float]  # CPU seconds spent so far


class Generator:
    """The client processes, started once and used for every run."""

    def __init__(self, *, warm_seconds: float, seconds: float) -> None:
        self.warm_seconds = warm_seconds
        self.seconds = seconds
        self._clients: list[_Client] = []

    async def __aenter__(self) -> Self:
        self._clients = [await _Client.start() for _ in range(CLIENT_PROCESSES)]
        return self

    async def __aexit__(self, *exception: object) -> None:
        await asyncio.gather(*(client.stop() for client in self._clients))

    async def run(self, load: Load, *, meters: Mapping[str, Meter] | None = None) -> Run:
        """Run a load and return its results. meters: read at both ends of the window.

        Raises NotMeasured when no call was answered in the window.
        """
        shares = [
            load.in_flight // len(self._clients) + (number < load.in_flight % len(self._clients))
            for number in range(len(self._clients))
        ]
        clients = [(client, share) for client, share in zip(self._clients, shares, strict=True) if share]
        await asyncio.gather(*(client.prepare(load, share, of=load.in_flight) for client, share in clients))
        start = time.monotonic() + START_DELAY_SECONDS
        window = (start + self.warm_seconds, start + self.warm_seconds + self.seconds)
        told, spent = await asyncio.gather(
            asyncio.gather(*(client.carry_out(start, *window) for client, _ in clients)),
            _spent(meters or {}, *window),
        )
        return _merged(told, spent, self.seconds)


class _Client:
    """One client process: `python -m tests.perf.client`, controlled by lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> "_Client":
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.perf.client"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=SOURCE_ROOT,
            env=os.environ,
            limit=LINE_BYTES_MAX,
        )
        return cls(process)

    async def stop(self) -> None:
        """Close its stdin, at which it ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def prepare(self, load: Load, in_flight: int, *, of: int) -> None:
        """Prepare its share of a load: so many calls in flight of all of them."""
        per_second = load.per_second * in_flight / of
        await self._ask({**asdict(load), "in_flight": in_flight, "per_second": per_second})

    async def carry_out(self, start: float, begin: float, end: float) -> dict[str, Any]:
        return await self._ask({"start": start, "begin": begin, "end": end})

    async def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise NotMeasured(f"a client process ended with exit code {await self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


async def _spent(meters: Mapping[str, Meter], begin: float, end: float) -> dict[str, float]:
    await asyncio.sleep(begin - time.monotonic())
    before = {whose: meter() for whose, meter in meters.items()}
    await asyncio.sleep(end - time.monotonic())
    return {whose: meter() - before[whose] for whose, meter in meters.items()}


def _merged(told: Sequence[Mapping[str, Any]], spent: Mapping[str, float], seconds: float) -> Run:
    latencies = sorted(latency / 1_000 for one in told for latency in one["latencies_us"])
    faults: Counter[str] = Counter()
    for one in told:
        faults.update(one["faults"])
    if not latencies:
        often = faults.most_common(1)
        raise NotMeasured(often[0][0] if often else "no call was answered in the measured time")
    client = sum(one["cpu_seconds"] for one in told)
    return Run(
        seconds=seconds,
        latencies_ms=latencies,
        answered=sum(one["answered"] for one in told),
        refused=sum(one["refused"] for one in told),
        faults=dict(faults),
        cpu_us={whose: cpu / len(latencies) * 1e6 for whose, cpu in {"client": client, **spent}.items()},
    )
