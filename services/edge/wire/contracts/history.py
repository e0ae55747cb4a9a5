# SPDX-License-Identifier: Apache-2.0
"""What has become of a contract: edits, and seats over time."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from purser.contract.v1 import contract_pb2 as pb
from services.edge.wire.amounts import (
    amount_to_json,
    credit_type_id_to_json,
    money_to_json,
)
from services.edge.wire.contracts.signed import SeatTimeline, quantity_schedule_to_json
from services.edge.wire.fields import Body, Instant, Whole, limit_of, time_to_json, without_absent


class QuantityHistory(Body):
    customer_id: str
    contract_id: str
    subscription_id: str


class SeatsHistory(Body):
    customer_id: str
    contract_id: str
    subscription_id: str
    cursor: str = ""
    limit: Annotated[Whole, limit_of(10)] = 10
    covering_date: Instant | None = None
    starting_at: Instant | None = None
    ending_before: Instant | None = None


def seat_change_to_json(change: pb.SeatChange) -> dict[str, object]:
    start = time_to_json(change.effective_time)
    updates: dict[str, object] = {"id": change.subscription_id}
    if change.assign_seat_ids or change.unassign_seat_ids:
        updates["seat_updates"] = without_absent(
            {
                "add_seat_ids": _seat_ids(change.assign_seat_ids, start),
                "remove_seat_ids": _seat_ids(change.unassign_seat_ids, start),
            }
        )
    if change.HasField("new_quantity"):
        updates["quantity_updates"] = [{"starting_at": start, "quantity": change.new_quantity}]
    elif change.quantity_delta:
        updates["quantity_updates"] = [{"starting_at": start, "quantity_delta": change.quantity_delta}]
    return updates


def _seat_ids(seat_ids: Sequence[str], start: str) -> list[object] | None:
    return [{"seat_ids": list(seat_ids), "starting_at": start}] if seat_ids else None


def commit_to_json(top_up: pb.TopUp, product_names: Mapping[str, str]) -> dict[str, object]:
    """Return a commit as it was added. Its access begins when it is paid."""
    terms = top_up.terms
    return {
        "id": top_up.top_up_id,
        "type": "PREPAID",
        "product": {"id": terms.product_id, "name": product_names[terms.product_id]},
        "priority": terms.priority,
        "rate_type": "LIST_RATE",
        "invoice_schedule": {
            "schedule_items": [
                {
                    "id": top_up.top_up_id,
                    "timestamp": time_to_json(top_up.create_time),
                    "amount": money_to_json(terms.price),
                    "unit_price": money_to_json(terms.price),
                    "quantity": 1,
                    "invoice_id": top_up.invoice_id,
                }
            ]
        },
    }


def end_to_json(contract: pb.Contract) -> str:
    return time_to_json(contract.end_time)


def edits_to_json(
    changes: Sequence[pb.SeatChange], top_ups: Sequence[pb.TopUp], product_names: Mapping[str, str]
) -> list[object]:
    """Return every change of seats and every added commit as an edit, oldest first."""
    edits = [
        (
            change.create_time.ToNanoseconds(),
            {
                "id": change.seat_change_id,
                "timestamp": time_to_json(change.create_time),
                "update_subscriptions": [seat_change_to_json(change)],
            },
        )
        for change in changes
    ]
    edits += [
        (
            top_up.create_time.ToNanoseconds(),
            {
                "id": top_up.top_up_id,
                "timestamp": time_to_json(top_up.create_time),
                "add_commits": [commit_to_json(top_up, product_names)],
            },
        )
        for top_up in top_ups
    ]
    return [edit for _, edit in sorted(edits, key=lambda dated: dated[0])]


def quantity_history_to_json(
    subscription: pb.Subscription, timeline: SeatTimeline, contract: pb.Contract
) -> dict[str, object]:
    """Return the quantities over time, at today's price of a seat."""
    price = subscription.unit_price
    return {
        "data": {
            "subscription_id": subscription.subscription_id,
            "fiat_credit_type_id": credit_type_id_to_json(price.currency_code),
            "history": [
                {
                    "starting_at": point["starting_at"],
                    "data": [
                        {
                            "quantity": point["quantity"],
                            "unit_price": money_to_json(price),
                            "total": amount_to_json(
                                price.micros * int(point["quantity"]), price.currency_code
                            ),
                        }
                    ],
                }
                for point in quantity_schedule_to_json(timeline, contract)
            ],
        }
    }
