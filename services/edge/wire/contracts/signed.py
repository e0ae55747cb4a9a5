# SPDX-License-Identifier: Apache-2.0
"""Signed contracts, as Metronome shows them in its first and second form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from meshkit.quantity import MICROS
from purser.contract.v1 import contract_pb2 as pb
from services.edge.wire.amounts import amount_to_json, credit_type_id_to_json
from services.edge.wire.contracts.terms import (
    ALLOCATIONS,
    BILLING_FREQUENCIES,
    COLLECTION_SCHEDULES,
    GRANT_FREQUENCIES,
    PERIOD_PRORATIONS,
    QUANTITY_MANAGEMENTS,
    SEAT_INVOICINGS,
)
from services.edge.wire.fields import name_of, time_to_json, without_absent
from services.edge.wire.pricing import CREATED_BY


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatTimeline:
    """The seats of a subscription: at the start of its contract, and every change since."""

    initial_quantity: int
    changes: Sequence[pb.SeatChange]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedContract:
    """A contract, and what else its JSON shows. commits, credits: already as JSON."""

    contract: pb.Contract
    timelines: Mapping[str, SeatTimeline]
    product_names: Mapping[str, str]
    commits: Sequence[object]
    credits: Sequence[object]


def product_ids_of(contract: pb.Contract) -> Iterable[str]:
    for subscription in contract.subscriptions:
        yield subscription.product_id
    for schedule in contract.grant_schedules:
        yield schedule.product_id


def contract_v2_to_json(signed: SignedContract) -> dict[str, object]:
    contract = signed.contract
    return {
        **_terms_to_json(signed),
        "id": contract.contract_id,
        "customer_id": contract.customer_id,
        "usage_filter": [],
        "subscriptions": _subscriptions_to_json(signed),
        "has_more": {"commits": False, "credits": False},
    }


def contract_v1_to_json(signed: SignedContract) -> dict[str, object]:
    """Return the first form, where a contract has amendments; ours has none, so it is still as it began."""
    terms = _terms_to_json(signed)
    return {
        "id": signed.contract.contract_id,
        "customer_id": signed.contract.customer_id,
        "amendments": [],
        "initial": terms,
        "current": terms,
        "subscriptions": _subscriptions_to_json(signed),
    }


def _terms_to_json(signed: SignedContract) -> dict[str, object]:
    contract = signed.contract
    return without_absent(
        {
            "created_at": time_to_json(contract.create_time),
            "created_by": CREATED_BY,
            "name": contract.name or None,
            "rate_card_id": contract.rate_card_id,
            "starting_at": time_to_json(contract.start_time),
            "ending_before": time_to_json(contract.end_time) if contract.HasField("end_time") else None,
            "commits": list(signed.commits),
            "credits": list(signed.credits),
            "overrides": [],
            "scheduled_charges": [],
            "transitions": [],
            "recurring_commits": [],
            "recurring_credits": [_recurring_credit_to_json(one, signed) for one in contract.grant_schedules],
            "usage_statement_schedule": {
                "frequency": "MONTHLY",
                "billing_anchor_date": time_to_json(contract.start_time),
            },
        }
    )


def _subscriptions_to_json(signed: SignedContract) -> list[object]:
    return [subscription_to_json(one, signed) for one in signed.contract.subscriptions]


def subscription_to_json(subscription: pb.Subscription, signed: SignedContract) -> dict[str, object]:
    contract, period = signed.contract, subscription.current_period
    anchor = subscription.anchor_time if subscription.HasField("anchor_time") else contract.start_time
    invoicing = subscription.proration.invoicing or pb.SEAT_INVOICING_BILL_IMMEDIATELY
    management = subscription.quantity_management or pb.QUANTITY_MANAGEMENT_QUANTITY_ONLY
    return without_absent(
        {
            "id": subscription.subscription_id,
            "created_at": time_to_json(contract.create_time),
            "starting_at": time_to_json(contract.start_time),
            "ending_before": time_to_json(contract.end_time) if contract.HasField("end_time") else None,
            "subscription_rate": {
                "billing_frequency": name_of(BILLING_FREQUENCIES, subscription.billing_frequency),
                "product": _product_to_json(subscription.product_id, signed),
            },
            "collection_schedule": name_of(COLLECTION_SCHEDULES, subscription.collection_schedule),
            "proration": {
                "is_prorated": subscription.proration.is_prorated,
                "invoice_behavior": name_of(SEAT_INVOICINGS, invoicing),
            },
            "quantity_management_mode": name_of(QUANTITY_MANAGEMENTS, management),
            "quantity_schedule": quantity_schedule_to_json(
                signed.timelines[subscription.subscription_id], contract
            ),
            "fiat_credit_type_id": credit_type_id_to_json(subscription.unit_price.currency_code),
            "billing_periods": {
                "current": {
                    "starting_at": time_to_json(period.start_time),
                    "ending_before": time_to_json(period.end_time),
                }
            },
            "billing_cycle_config": {
                "anchor_date": time_to_json(anchor),
                "invoice_placement": "ON_SCHEDULED_INVOICE",
            },
            "seat_config": {"seat_group_key": subscription.seat_group_key}
            if subscription.seat_group_key
            else None,
        }
    )


def quantity_schedule_to_json(timeline: SeatTimeline, contract: pb.Contract) -> list[dict[str, Any]]:
    """Return how many seats there are from when on."""
    points = [(time_to_json(contract.start_time), timeline.initial_quantity)]
    points += [(time_to_json(one.effective_time), one.quantity_after) for one in timeline.changes]
    last_of_each = dict(points)
    starts = list(last_of_each)
    return [
        without_absent({"quantity": quantity, "starting_at": start, "ending_before": end})
        for (start, quantity), end in zip(last_of_each.items(), [*starts[1:], None], strict=True)
    ]


def _recurring_credit_to_json(schedule: pb.GrantSchedule, signed: SignedContract) -> dict[str, object]:
    contract = signed.contract
    anchor = schedule.anchor_time if schedule.HasField("anchor_time") else contract.start_time
    amount = amount_to_json(schedule.unit_amount_micros, schedule.credit_type_id)
    linked = bool(schedule.subscription_id)
    return without_absent(
        {
            "id": schedule.grant_schedule_id,
            "contract": {"id": contract.contract_id},
            "product": _product_to_json(schedule.product_id, signed),
            "access_amount": without_absent(
                {
                    "credit_type_id": credit_type_id_to_json(schedule.credit_type_id),
                    "unit_price": amount,
                    "quantity": None if linked else 1,
                }
            ),
            "anchor_date": time_to_json(anchor),
            "starting_at": time_to_json(contract.start_time),
            "ending_before": time_to_json(schedule.end_time) if schedule.HasField("end_time") else None,
            "commit_duration": {"value": schedule.commit_duration, "unit": "PERIODS"},
            "priority": schedule.priority,
            "rate_type": "LIST_RATE",
            "recurrence_frequency": name_of(GRANT_FREQUENCIES, schedule.frequency),
            "proration": name_of(
                PERIOD_PRORATIONS, schedule.period_proration or pb.PERIOD_PRORATION_FIRST_AND_LAST
            ),
            "rollover_fraction": Decimal(schedule.rollover.fraction_millionths) / MICROS
            if schedule.HasField("rollover")
            else None,
            "applicable_product_ids": list(schedule.scope_product_ids) or None,
            "subscription_config": _subscription_config_to_json(schedule) if linked else None,
        }
    )


def _subscription_config_to_json(schedule: pb.GrantSchedule) -> dict[str, object]:
    return {
        "allocation": name_of(ALLOCATIONS, schedule.allocation or pb.ALLOCATION_POOLED),
        "apply_seat_increase_config": {"is_prorated": schedule.prorates_increases},
        "subscription_id": schedule.subscription_id,
    }


def _product_to_json(product_id: str, signed: SignedContract) -> dict[str, object]:
    return {"id": product_id, "name": signed.product_names[product_id]}
