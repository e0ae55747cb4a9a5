# SPDX-License-Identifier: Apache-2.0
"""Seats over time."""

from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.faults import Refused
from services.edge.pages import all_pages
from services.edge.routes.contracts import contract_of
from services.edge.signed import read_timeline
from services.edge.wire.contracts import history as wire
from services.edge.wire.contracts.signed import quantity_schedule_to_json
from services.edge.wire.fields import one_violation, time_to_json, without_absent


async def get_quantity_history(ask: Ask) -> object:
    body = ask.body(wire.QuantityHistory)
    contract = await contract_of(ask, body)
    subscription = _subscription(contract, body.subscription_id)
    timeline = await read_timeline(ask, contract, body.subscription_id)
    return wire.quantity_history_to_json(subscription, timeline, contract)


def _subscription(contract: pb.Contract, subscription_id: str) -> pb.Subscription:
    for subscription in contract.subscriptions:
        if subscription.subscription_id == subscription_id:
            return subscription
    raise Refused(404, f"contract {contract.contract_id} has no subscription {subscription_id!r}")


async def get_seats_history(ask: Ask) -> object:
    """Return who had a seat in each span between two changes, oldest first. The cursor is the span's number."""
    body = ask.body(wire.SeatsHistory)
    contract = await contract_of(ask, body)
    _subscription(contract, body.subscription_id)
    timeline = await read_timeline(ask, contract, body.subscription_id)
    spans = [one for one in quantity_schedule_to_json(timeline, contract) if _is_wanted(one, body)]
    if body.cursor and not body.cursor.isdecimal():
        raise one_violation("cursor", "must be the next_page of an earlier answer")
    first = int(body.cursor or 0)
    shown = [
        without_absent(
            {
                "starting_at": one["starting_at"],
                "ending_before": one.get("ending_before"),
                "total_quantity": one["quantity"],
                "assigned_seat_ids": await _seat_ids(ask, body, one["starting_at"]),
            }
        )
        for one in spans[first : first + body.limit]
    ]
    left = first + body.limit < len(spans)
    return {"data": shown, "next_page": str(first + body.limit) if left else None}


def _is_wanted(span: dict[str, str], body: wire.SeatsHistory) -> bool:
    """Whether a span is in the period asked for. Times of one form compare like texts."""
    start, end = span["starting_at"], span.get("ending_before") or "~"
    covering, after, before = (
        None if at is None else time_to_json(timestamp(at))
        for at in (body.covering_date, body.starting_at, body.ending_before)
    )
    return (
        (covering is None or start <= covering < end)
        and (after is None or end > after)
        and (before is None or start < before)
    )


async def _seat_ids(ask: Ask, body: wire.SeatsHistory, at: str) -> list[str]:
    instant = Timestamp()
    instant.FromJsonString(at)
    return [
        seat.seat_id
        async for listed in all_pages(
            lambda token: ask.mesh.contract.ListSeats(
                pb.ListSeatsRequest(
                    contract_id=body.contract_id,
                    subscription_id=body.subscription_id,
                    at_time=instant,
                    page_size=500,
                    page_token=token,
                )
            )
        )
        for seat in listed.seats
    ]


ENTRIES = (
    Entry("POST", "/v1/contracts/getSubscriptionQuantityHistory", get_quantity_history),
    Entry("POST", "/v1/contracts/getSubscriptionSeatsHistory", get_seats_history),
)
