# SPDX-License-Identifier: Apache-2.0
"""P23: the cost of alerts on every customer for debits that cross none of their thresholds."""

from collections.abc import Collection, Mapping

from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.perf.bench import IN_FLIGHT, Bench, Shop, by_round, holds, lowest, rates, raw
from tests.perf.goals import Figure
from tests.perf.load import Kind
from tests.perf.world import CREDIT_TYPE, PLENTY_MICROS, customers

WATCHES = 100


async def alerts_on_everyone(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P23: debits per second with 100 alerts on every customer, half on balances, half on each user's spend."""
    names = customers(bench.scale.spread)
    async with bench.shop() as unwatched, bench.shop() as watched:
        for shop in (unwatched, watched):
            await shop.open_for(names)
        await _watch(watched)
        places = {"hot": names[:1], "spread": names}
        series = {
            f"{name}{how}": bench.calls(shop, Kind.DEBIT, in_flight=IN_FLIGHT, names=whose)
            for name, whose in places.items()
            for how, shop in (("", unwatched), (" watched", watched))
        }
        runs = await bench.interleaved(series)
        audits = {
            "unwatched": await unwatched.audit([run for name in places for run in runs[name]]),
            "watched": await watched.audit([run for name in places for run in runs[f"{name} watched"]]),
        }
    shares = {
        name: by_round(
            lambda watched, unwatched: watched.calls_per_second / unwatched.calls_per_second,
            runs[f"{name} watched"],
            runs[name],
        )
        for name in places
    }
    detail = {
        "briefly": rates(runs, *runs),
        "watches": WATCHES,
        "share": {name: spread.as_json() for name, spread in shares.items()},
        "series": raw(runs),
        "audits": audits,
    }
    figure = Figure({"": lowest(shares.values())}, detail, holds=all(map(holds, audits.values())))
    return {"P23": figure}


async def _watch(shop: Shop) -> None:
    """Watch every customer's balance and every user's spend, at thresholds that nobody reaches."""
    for number in range(WATCHES):
        is_balance = number % 2 == 0
        await shop.stubs.peer.WatchThreshold(
            peer_pb.WatchThresholdRequest(
                request_id=f"perf-watch-{number}",
                alert_id=f"alr_{number:032x}",
                version=1,
                is_active=True,
                watch_kind=peer_pb.WATCH_KIND_LOW_BALANCE if is_balance else peer_pb.WATCH_KIND_SPEND,
                credit_type_id=CREDIT_TYPE,
                threshold_micros=number + 1 if is_balance else PLENTY_MICROS - number,
                group_key="" if is_balance else "user_id",
            )
        )
