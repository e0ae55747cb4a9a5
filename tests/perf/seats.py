# SPDX-License-Identifier: Apache-2.0
"""P21: the cost of a call when a contract has 10,000 named seats, each with seat-scoped credits."""

import time
from collections.abc import Collection, Mapping, Sequence

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.perf.bench import IN_FLIGHT, Bench, Shop, by_round, highest, holds, rates, raw
from tests.perf.goals import Figure
from tests.perf.load import Kind
from tests.perf.world import (
    CREDIT_TYPE,
    PRODUCT,
    UNITS_MICROS,
    Stubs,
    customer,
    seat_ids,
    yesterday,
)

FEW_SEATS, MANY_SEATS = 10, 10_000
SEATS_PER_CALL = 1_000
SEAT_MICROS = 10**12


async def named_seats(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P21: time per call, 64 in flight on one pool, of random seats of 10,000 and of 10, all read before."""
    few, many = customer(1), customer(2)
    async with bench.shop() as shop:
        first_ms = {}
        for who, seats in ((few, FEW_SEATS), (many, MANY_SEATS)):
            await _sign(shop.stubs, who, seats)
            first_ms[seats] = await _call_each_once(shop, who, seats)
        series = {
            f"{kind.value} {name}": bench.calls(shop, kind, in_flight=IN_FLIGHT, names=(who,), seats=seats)
            for kind in (Kind.AUTHORIZE, Kind.DEBIT)
            for name, who, seats in (("few", few, FEW_SEATS), ("many", many, MANY_SEATS))
        }
        runs = await bench.interleaved(series)
        audit = await shop.audit([run for one in runs.values() for run in one])
    cost = {
        kind.value: by_round(
            lambda few, many: few.calls_per_second / many.calls_per_second,
            *(runs[f"{kind.value} few"], runs[f"{kind.value} many"]),
        )
        for kind in (Kind.AUTHORIZE, Kind.DEBIT)
    }
    detail = {
        "briefly": f"{rates(runs, *runs)}; the first call of a seat {first_ms[MANY_SEATS]:.2f} ms",
        "seats": {"few": FEW_SEATS, "many": MANY_SEATS},
        "first_call_ms": first_ms,
        "cost_ratio": {name: spread.as_json() for name, spread in cost.items()},
        "series": raw(runs),
        "audit": audit,
    }
    return {"P21": Figure({"": highest(cost.values())}, detail, holds=holds(audit))}


async def _sign(stubs: Stubs, name: str, seats: int) -> None:
    """Apply a customer whose named seats have a million credits a month each, and assign all of them."""
    await stubs.sign_for(
        name,
        subscriptions=[
            peer_pb.SubscriptionSeats(
                subscription_id="sub_1", initial_quantity=seats, seat_group_key="user_id"
            )
        ],
        grant_schedules=[
            peer_pb.ScheduleTerms(
                grant_schedule_id="sch_1",
                product_id=PRODUCT,
                credit_type_id=CREDIT_TYPE,
                unit_amount_micros=SEAT_MICROS,
                subscription_id="sub_1",
                frequency=peer_pb.GRANT_FREQUENCY_MONTHLY,
                anchor_time=timestamp(yesterday()),
                priority=1,
                period_proration=peer_pb.PERIOD_PRORATION_NONE,
                commit_duration=1,
                allocation=peer_pb.ALLOCATION_INDIVIDUAL,
            )
        ],
    )
    for number, ids in enumerate(_calls(seats), start=1):
        await stubs.peer.ApplySeatChange(
            peer_pb.ApplySeatChangeRequest(
                request_id=f"{name}-seats-{number}",
                customer_id=name,
                subscription_id="sub_1",
                seat_change_id=f"chg_{number}",
                sequence=number,
                effective_time=timestamp(yesterday()),
                assign_seat_ids=ids,
            )
        )


async def _call_each_once(shop: Shop, name: str, seats: int) -> float:
    """Authorize once for each seat, and give it back; returns the time per seat in ms."""
    began = time.monotonic()
    for ids in _calls(seats):
        asked = [
            pb.AuthorizeRequest(
                request_id=f"{name}-{seat_id}",
                customer=name,
                product_id=PRODUCT,
                quantity_micros=UNITS_MICROS,
                group_values={"user_id": seat_id},
            )
            for seat_id in ids
        ]
        answers = await shop.stubs.gate.AuthorizeBatch(pb.AuthorizeBatchRequest(items=asked))
        await _give_back(shop.stubs, name, [one.response.hold_id for one in answers.results])
    return (time.monotonic() - began) * 1_000 / seats


def _calls(seats: int) -> list[tuple[str, ...]]:
    """Return the seat ids of each call."""
    ids = seat_ids(seats)
    return [ids[first : first + SEATS_PER_CALL] for first in range(0, seats, SEATS_PER_CALL)]


async def _give_back(stubs: Stubs, name: str, hold_ids: Sequence[str]) -> None:
    captures = [
        pb.CaptureRequest(request_id=f"{hold_id}-back", customer=name, hold_id=hold_id, quantity_micros=0)
        for hold_id in hold_ids
    ]
    await stubs.gate.CaptureBatch(pb.CaptureBatchRequest(items=captures))
