# SPDX-License-Identifier: Apache-2.0
"""One call, one decision: P1 to P6 and P9."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from tests.perf.bench import IN_FLIGHT, Bench, by_round, highest, holds, lowest, raw
from tests.perf.goals import Figure, Spread
from tests.perf.load import Kind, Run, interleaved
from tests.perf.world import customer, customers

HOT = (customer(1),)
ONE_MILLISECOND_US = 1_000
CALLS = ("authorize", "debit")

Runs = Mapping[str, Sequence[Run]]


async def hot_and_spread(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P1, P2, P5, P6: from the same runs, 64 in flight on one Ledger."""
    many = customers(bench.scale.spread, first=2) if "P2" in wanted else ()
    async with bench.echoes() as echo, bench.shop() as shop:
        await shop.open_for([*HOT, *many])
        series = {
            "echo": bench.echo_calls(echo, in_flight=IN_FLIGHT, names=HOT),
            "authorize": bench.calls(shop, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=HOT),
            "debit": bench.calls(shop, Kind.DEBIT, in_flight=IN_FLIGHT, names=HOT),
        }
        if many:
            series |= {
                "authorize spread": bench.calls(shop, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=many),
                "debit spread": bench.calls(shop, Kind.DEBIT, in_flight=IN_FLIGHT, names=many),
            }
        runs = await interleaved(series, rounds=bench.scale.rounds)
        audit = await shop.audit(_ours(runs))
    detail = {"series": raw(runs), "audit": audit}
    figures = {
        "P1": Figure({"": lowest(_throughput(runs))}, detail, holds=holds(audit)),
        "P5": Figure(
            {
                "p50": highest(_latency(runs, 0.50)),
                "p99": highest(_latency(runs, 0.99)),
            },
            detail,
            holds=holds(audit),
        ),
        "P6": _cpu(runs, detail, is_right=holds(audit)),
    }
    if many:
        hot_to_spread = [
            by_round(lambda hot, spread: hot.calls_per_second / spread.calls_per_second, *pair)
            for pair in ((runs[call], runs[f"{call} spread"]) for call in CALLS)
        ]
        figures["P2"] = Figure(
            {"spread": lowest(_throughput(runs, " spread")), "hot": lowest(hot_to_spread)},
            {**detail, "customers": len(many)},
            holds=holds(audit),
        )
    return figures


async def slow_commit(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P3: as P1, while every commit of the server waits 1 ms longer before it flushes."""
    async with bench.echoes() as echo, bench.shop() as shop:
        await shop.open_for(HOT)
        usual = await bench.commits(shop.database)()
        async with bench.databases.slow_commits(delay_us=ONE_MILLISECOND_US):
            slow = await bench.commits(shop.database)()
            series = {
                "echo": bench.echo_calls(echo, in_flight=IN_FLIGHT, names=HOT),
                "authorize": bench.calls(shop, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=HOT),
                "debit": bench.calls(shop, Kind.DEBIT, in_flight=IN_FLIGHT, names=HOT),
            }
            runs = await interleaved(series, rounds=bench.scale.rounds)
        audit = await shop.audit(_ours(runs))
    commits = {"usual_p50_ms": round(usual.p50_ms, 3), "slow_p50_ms": round(slow.p50_ms, 3)}
    detail = {"series": raw(runs), "audit": audit, "commit": commits}
    return {"P3": Figure({"": lowest(_throughput(runs))}, detail, holds=holds(audit))}


async def alone(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P4: one call at a time, against an echo and two commits at a time."""
    async with bench.echoes() as echo, bench.shop() as shop:
        await shop.open_for(HOT)
        series = {
            "echo": bench.echo_calls(echo, in_flight=1, names=HOT),
            "authorize": bench.calls(shop, Kind.AUTHORIZE, in_flight=1, names=HOT),
            "commit": bench.commits(shop.database),
            "debit": bench.calls(shop, Kind.DEBIT, in_flight=1, names=HOT),
        }
        runs = await interleaved(series, rounds=bench.scale.rounds)
        audit = await shop.audit(runs["authorize"] + runs["debit"])
    ratios = [
        by_round(
            lambda ours, echo, commit: ours.p50_ms / (echo.p50_ms + 2 * commit.p50_ms),
            *(runs[call], runs["echo"], runs["commit"]),
        )
        for call in CALLS
    ]
    detail = {"series": raw(runs), "audit": audit}
    return {"P4": Figure({"": highest(ratios)}, detail, holds=holds(audit))}


async def replicas(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P9: two Ledgers on one hot pool, against two echoes; the clients call both in turn."""
    async with bench.echoes(2) as echoes, bench.shop(replicas=2) as shop:
        await shop.open_for(HOT)
        series = {
            "echo": bench.echo_calls(echoes, in_flight=IN_FLIGHT, names=HOT),
            "authorize": bench.calls(shop, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=HOT),
            "debit": bench.calls(shop, Kind.DEBIT, in_flight=IN_FLIGHT, names=HOT),
        }
        runs = await interleaved(series, rounds=bench.scale.rounds)
        audit = await shop.audit(_ours(runs))
    detail = {"series": raw(runs), "audit": audit}
    return {"P9": Figure({"": lowest(_throughput(runs))}, detail, holds=holds(audit))}


def _ours(runs: Runs) -> Iterable[Run]:
    return [run for name, series in runs.items() if name != "echo" for run in series]


def _throughput(runs: Runs, where: str = "") -> list[Spread]:
    """Calls per second as a share of echo's, for Authorize and for Debit."""
    return [
        by_round(
            lambda ours, echo: ours.calls_per_second / echo.calls_per_second, runs[call + where], runs["echo"]
        )
        for call in CALLS
    ]


def _latency(runs: Runs, quantile: float) -> list[Spread]:
    return [
        by_round(
            lambda ours, echo: ours.quantile_ms(quantile) / echo.quantile_ms(quantile),
            *(runs[call], runs["echo"]),
        )
        for call in CALLS
    ]


def _cpu(runs: Runs, detail: Mapping[str, object], *, is_right: bool) -> Figure:
    """P6: each part only where it could be metered."""
    if "server" not in runs["echo"][0].cpu_us:
        return Figure.not_measured("P6", "CPU is read from /proc, which this machine does not have")
    parts: dict[str, Spread | None] = {}
    for part, whose in (("server", "server"), ("PostgreSQL", "postgres")):
        parts[part] = (
            highest(
                by_round(
                    lambda ours, echo, whose=whose: ours.cpu_us[whose] / echo.cpu_us["server"],
                    *(runs[call], runs["echo"]),
                )
                for call in CALLS
            )
            if whose in runs["debit"][0].cpu_us
            else None
        )
    return Figure(parts, detail, holds=is_right)
