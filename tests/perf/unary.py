# SPDX-License-Identifier: Apache-2.0
"""One call, one decision: P1 to P6, P9 and P28."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tests.perf.bench import (
    IN_FLIGHT,
    Bench,
    Caller,
    Shop,
    by_round,
    cpu_us,
    highest,
    holds,
    lowest,
    p50s,
    rates,
    raw,
)
from tests.perf.goals import Figure, Spread
from tests.perf.load import Kind, Run
from tests.perf.servers import Server
from tests.perf.world import CALL_MICROS, customer, customers

HOT = (customer(1),)
EXHAUSTED = (customer(2),)
ONE_MILLISECOND_US = 1_000
CALLS = ("authorize", "debit")
DENIED = tuple(f"{call} denied" for call in CALLS)
LIMITS = ("echo", "commit")

Runs = Mapping[str, Sequence[Run]]


async def one_ledger(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P4 first, one call at a time; then P1, P2, P5 and P6 from the same runs, 64 in flight."""
    many = customers(bench.scale.spread, first=2) if "P2" in wanted else ()
    async with bench.echoes() as echoes, bench.shop() as shop:
        await shop.open_for([*HOT, *many])
        alone = await _alone(bench, echoes, shop) if "P4" in wanted else {}
        crowded = await _crowded(bench, echoes, shop, many) if set(wanted) - {"P4"} else {}
        audit = await shop.audit([*_ours(alone), *_ours(crowded)])
    figures = {}
    if alone:
        figures["P4"] = _p50_alone(alone, audit)
    if crowded:
        figures |= _of_crowd(crowded, audit, customers_count=len(many))
    return figures


async def _alone(bench: Bench, echoes: Sequence[Server], shop: Shop) -> Runs:
    series = {
        "echo": bench.echo_calls(echoes, in_flight=1, names=HOT),
        "authorize": bench.calls(shop, Kind.AUTHORIZE, in_flight=1, names=HOT),
        "commit": bench.commits(shop.database),
        "debit": bench.calls(shop, Kind.DEBIT, in_flight=1, names=HOT),
    }
    return await bench.interleaved(series)


async def _crowded(bench: Bench, echoes: Sequence[Server], shop: Shop, many: Sequence[str]) -> Runs:
    series = _hot_series(bench, echoes, shop)
    if many:
        series |= {
            "authorize spread": bench.calls(shop, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=many),
            "debit spread": bench.calls(shop, Kind.DEBIT, in_flight=IN_FLIGHT, names=many),
        }
    return await bench.interleaved(series)


def _p50_alone(runs: Runs, audit: Mapping[str, Any]) -> Figure:
    """P4: compared with an echo and two commits, each also one at a time."""
    ratios = [
        by_round(
            lambda ours, echo, commit: ours.p50_ms / (echo.p50_ms + 2 * commit.p50_ms),
            *(runs[call], runs["echo"], runs["commit"]),
        )
        for call in CALLS
    ]
    told = p50s(runs, "echo", "commit", *CALLS)
    detail = {"briefly": told, "series": raw(runs), "audit": audit}
    return Figure({"": highest(ratios)}, detail, holds=holds(audit))


def _of_crowd(runs: Runs, audit: Mapping[str, Any], *, customers_count: int) -> dict[str, Figure]:
    detail = {"series": raw(runs), "audit": audit}
    latency = {"p50": highest(_latency(runs, 0.50)), "p99": highest(_latency(runs, 0.99))}
    figures = {
        "P1": Figure({"": lowest(_throughput(runs).values())}, _shares(runs, audit), holds=holds(audit)),
        "P5": Figure(latency, {"briefly": p50s(runs, "echo", *CALLS), **detail}, holds=holds(audit)),
        "P6": _cpu(runs, detail, is_right=holds(audit)),
    }
    if customers_count:
        hot_to_spread = [
            by_round(
                lambda hot, spread: hot.calls_per_second / spread.calls_per_second,
                *(runs[call], runs[f"{call} spread"]),
            )
            for call in CALLS
        ]
        figures["P2"] = Figure(
            {"spread": lowest(_throughput(runs, " spread").values()), "hot": lowest(hot_to_spread)},
            _shares(runs, audit, " spread", customers=customers_count),
            holds=holds(audit),
        )
    return figures


async def slow_commit(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P3: like P1, while every commit of the server waits 1 ms longer before its flush."""
    async with bench.echoes() as echoes, bench.shop() as shop:
        await shop.open_for(HOT)
        usual = await bench.commits(shop.database)()
        async with bench.databases.slow_commits(delay_us=ONE_MILLISECOND_US):
            slow = await bench.commits(shop.database)()
            runs = await bench.interleaved(_hot_series(bench, echoes, shop))
        audit = await shop.audit(_ours(runs))
    commits = {"usual_p50_ms": round(usual.p50_ms, 3), "slow_p50_ms": round(slow.p50_ms, 3)}
    parts = {"": lowest(_throughput(runs).values())}
    return {"P3": Figure(parts, _shares(runs, audit, commit=commits), holds=holds(audit))}


async def replicas(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P9: two Ledgers on one hot pool, compared with two echoes; the clients call both in turn."""
    async with bench.echoes(2) as echoes, bench.shop(replicas=2) as shop:
        await shop.open_for(HOT)
        runs = await bench.interleaved(_hot_series(bench, echoes, shop))
        audit = await shop.audit(_ours(runs))
    parts = {"": lowest(_throughput(runs).values())}
    return {"P9": Figure(parts, _shares(runs, audit), holds=holds(audit))}


async def denials(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P28: calls of a customer with too few credits for one, beside those of a customer with enough."""
    async with bench.shop() as shop:
        await shop.open_for(HOT)
        await shop.stubs.sign(EXHAUSTED)
        await shop.stubs.grant(EXHAUSTED, micros=CALL_MICROS // 3)
        runs = await bench.interleaved(_denied_series(bench, shop, 1))
        crowded = await bench.interleaved(_denied_series(bench, shop, IN_FLIGHT))
        audit = await shop.audit(run for series in (runs, crowded) for call in CALLS for run in series[call])
    ratios = [
        by_round(lambda denied, allowed: denied.p50_ms / allowed.p50_ms, runs[f"{call} denied"], runs[call])
        for call in CALLS
    ]
    detail = {
        "briefly": p50s(runs, *CALLS, *DENIED),
        "series": raw(runs),
        "crowded": raw(crowded),
        "audit": audit,
    }
    is_right = holds(audit) and not any(
        run.refused for call in DENIED for run in (*runs[call], *crowded[call])
    )
    return {"P28": Figure({"": highest(ratios)}, detail, holds=is_right)}


def _denied_series(bench: Bench, shop: Shop, in_flight: int) -> dict[str, Caller]:
    return {
        name: bench.calls(shop, kind, in_flight=in_flight, names=names, is_denied=names is EXHAUSTED)
        for kind in (Kind.AUTHORIZE, Kind.DEBIT)
        for name, names in ((kind.value, HOT), (f"{kind.value} denied", EXHAUSTED))
    }


def _hot_series(bench: Bench, echoes: Sequence[Server], shop: Shop) -> dict[str, Caller]:
    """64 in flight: echoes, and both calls of the gate for one customer."""
    return {
        "echo": bench.echo_calls(echoes, in_flight=IN_FLIGHT, names=HOT),
        "authorize": bench.calls(shop, Kind.AUTHORIZE, in_flight=IN_FLIGHT, names=HOT),
        "debit": bench.calls(shop, Kind.DEBIT, in_flight=IN_FLIGHT, names=HOT),
    }


def _ours(runs: Runs) -> Iterable[Run]:
    return [run for name, series in runs.items() if name not in LIMITS for run in series]


def _throughput(runs: Runs, where: str = "") -> dict[str, Spread]:
    """Return the calls per second as a share of the echo's, for Authorize and for Debit."""
    return {
        call: by_round(
            lambda ours, echo: ours.calls_per_second / echo.calls_per_second, runs[call + where], runs["echo"]
        )
        for call in CALLS
    }


def _shares(runs: Runs, audit: Mapping[str, Any], where: str = "", **more: object) -> dict[str, Any]:
    """Return the detail of a figure that is a share of the echo's throughput."""
    ratios = {call: spread.as_json() for call, spread in _throughput(runs, where).items()}
    told = rates(runs, "echo", *(f"{call}{where}" for call in CALLS))
    return {"briefly": told, "ratios": ratios, **more, "series": raw(runs), "audit": audit}


def _latency(runs: Runs, quantile: float) -> list[Spread]:
    return [
        by_round(
            lambda ours, echo: ours.quantile_ms(quantile) / echo.quantile_ms(quantile),
            *(runs[call], runs["echo"]),
        )
        for call in CALLS
    ]


def _cpu(runs: Runs, detail: Mapping[str, object], *, is_right: bool) -> Figure:
    """P6: each part only if it could be metered."""
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
    spent = cpu_us(runs, "echo", *CALLS)
    return Figure(parts, {"briefly": spent, **detail}, holds=is_right)
