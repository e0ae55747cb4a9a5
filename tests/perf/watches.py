# SPDX-License-Identifier: Apache-2.0
"""P23: the cost of alerts on every customer for debits that cross none of their thresholds."""

import time
from collections.abc import Collection, Mapping, Sequence

from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.perf.bench import IN_FLIGHT, Bench, Shop, by_round, holds, lowest, rates, raw
from tests.perf.goals import Figure
from tests.perf.load import Kind
from tests.perf.world import CREDIT_TYPE, PLENTY_MICROS, PRODUCT, UNITS_MICROS, USERS, customers

WATCHES = 100
CUSTOMERS_PER_CALL = 500


async def alerts_on_everyone(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P23: debits per second with 100 alerts on every customer, half on balances, half on each user's spend."""
    names = customers(bench.scale.spread)
    async with bench.shop() as unwatched, bench.shop() as watched:
        for shop in (unwatched, watched):
            await shop.open_for(names)
        await _watch(watched)
        first_ms = {"unwatched": await _call_each_once(unwatched, names)}
        first_ms["watched"] = await _call_each_once(watched, names)
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
        "briefly": f"{rates(runs, *runs)}; the first of a customer {first_ms['watched']:.2f} ms, "
        f"without alerts {first_ms['unwatched']:.2f} ms",
        "watches": WATCHES,
        "first_call_ms": first_ms,
        "share": {name: spread.as_json() for name, spread in shares.items()},
        "series": raw(runs),
        "audits": audits,
    }
    figure = Figure({"": lowest(shares.values())}, detail, holds=all(map(holds, audits.values())))
    return {"P23": figure}


async def _call_each_once(shop: Shop, names: Sequence[str]) -> float:
    """Hold and give back one unit of each customer, so that all are cached; returns the time of each in ms."""
    began = time.monotonic()
    for first in range(0, len(names), CUSTOMERS_PER_CALL):
        asked = [
            pb.AuthorizeRequest(
                request_id=f"{name}-first",
                customer=name,
                product_id=PRODUCT,
                quantity_micros=UNITS_MICROS,
                group_values={"user_id": USERS[0]},
            )
            for name in names[first : first + CUSTOMERS_PER_CALL]
        ]
        answers = await shop.stubs.gate.AuthorizeBatch(pb.AuthorizeBatchRequest(items=asked))
        back = [
            pb.CaptureRequest(
                request_id=f"{one.customer}-back",
                customer=one.customer,
                hold_id=answer.response.hold_id,
                quantity_micros=0,
            )
            for one, answer in zip(asked, answers.results, strict=True)
        ]
        await shop.stubs.gate.CaptureBatch(pb.CaptureBatchRequest(items=back))
    return (time.monotonic() - began) * 1_000 / len(names)


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
