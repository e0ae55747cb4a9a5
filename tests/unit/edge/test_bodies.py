# SPDX-License-Identifier: Apache-2.0
"""How bodies are read: all wrong fields together, and nothing that matters is ignored."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from purser.catalog.v1 import catalog_pb2 as catalog
from purser.contract.v1 import contract_pb2 as contract
from services.edge.faults import InvalidBody
from services.edge.wire import alerts, pricing, rates, usage
from services.edge.wire.contracts import edits, signing
from services.edge.wire.fields import Body, body_from_json

JUNE = "2025-06-01T00:00:00Z"
RATE = {"product_id": "prd_1", "rate_type": "FLAT", "entitled": True, "starting_at": JUNE, "price": 1}
CONTRACT = {"customer_id": "acme", "starting_at": JUNE, "rate_card_id": "rcd_1"}
SUBSCRIPTION = {
    "temporary_id": "seats",
    "subscription_rate": {"product_id": "prd_1", "billing_frequency": "annual"},
    "collection_schedule": "advance",
}
CREDIT = {
    "product_id": "prd_2",
    "access_amount": {"unit_price": Decimal("100.5"), "credit_type_id": "crt_1"},
    "commit_duration": {"value": 1},
    "priority": 1,
    "starting_at": JUNE,
}
ITEM = {"amount": 1_000, "starting_at": JUNE, "ending_before": "2026-06-01T00:00:00Z"}
COMMIT = {
    "product_id": "prd_3",
    "type": "PREPAID",
    "access_schedule": {"credit_type_id": "crt_1", "schedule_items": [ITEM]},
    "invoice_schedule": {"schedule_items": [{"timestamp": JUNE, "unit_price": 4_000, "quantity": 2}]},
}


def refusal(kind: type[Body], content: object) -> str:
    with pytest.raises(InvalidBody) as refused:
        body_from_json(kind, content)
    return refused.value.message


def test_all_wrong_fields_are_named_together() -> None:
    message = refusal(
        rates.AddRates, {"rates": [{**RATE, "price": "1", "starting_at": "soon", "entitled": False}]}
    )

    for field in (
        "rate_card_id is required",
        "rates[0].price must be",
        "rates[0].starting_at must be a time",
    ):
        assert field in message
    assert "rates[0].entitled must be true" in message


@pytest.mark.parametrize(
    "field", ["overrides", "discounts", "scheduled_charges", "recurring_commits", "nonsense"]
)
def test_a_field_that_purser_does_not_know_is_refused(field: str) -> None:
    assert f"{field} is not supported" in refusal(signing.CreateContract, {**CONTRACT, field: [1]})


@pytest.mark.parametrize("nothing", [None, [], {}, "", False])
def test_a_field_that_asks_for_nothing_is_as_if_left_out(nothing: object) -> None:
    body_from_json(signing.CreateContract, {**CONTRACT, "overrides": nothing})


def test_labels_without_effect_are_ignored() -> None:
    labels = {"custom_fields": {"a": "b"}, "netsuite_sales_order_id": "1", "total_contract_value": 5}

    body_from_json(signing.CreateContract, {**CONTRACT, **labels})


@pytest.mark.parametrize("body", ["text", [1], 5])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert "must be a JSON object" in refusal(pricing.CreateCreditType, body)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2025-06-01T00:00:00.123Z", datetime(2025, 6, 1, 0, 0, 0, 123_000, tzinfo=UTC)),
        ("2025-06-01T00:00:00", datetime(2025, 6, 1, tzinfo=UTC)),
        ("2025-06-01T02:00:00+02:00", datetime(2025, 6, 1, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_utc(written: str, read: datetime) -> None:
    assert body_from_json(rates.GetRates, {"rate_card_id": "r", "at": written}).at == read


@pytest.mark.parametrize("number", [True, "1", Decimal("1E+16"), -(10**16)])
def test_what_is_no_number_of_a_sensible_size_is_refused(number: object) -> None:
    assert "price" in refusal(rates.AddRate, {**RATE, "rate_card_id": "r", "price": number})


def test_a_flat_rate_needs_a_price_rather_than_being_free() -> None:
    terms = body_from_json(rates.RateTerms, {**RATE, "price": None})

    with pytest.raises(InvalidBody, match="price is required"):
        rates.rate_from_json(terms)


def test_tiers_with_sizes_become_tiers_with_ends() -> None:
    terms = body_from_json(
        rates.RateTerms,
        {
            **RATE,
            "rate_type": "tiered",
            "tiers": [{"price": 1, "size": 1_000}, {"price": 2, "size": 9_000}, {"price": 3}],
        },
    )
    rate = rates.rate_from_json(terms)

    assert rate.rate_type == catalog.RATE_TYPE_GRADUATED
    ends = [tier.up_to_micros if tier.HasField("up_to_micros") else None for tier in rate.tiers]
    assert ends == [1_000_000_000, 10_000_000_000, None]


def test_a_contract_links_credits_to_the_subscription_of_its_temporary_id() -> None:
    config = {"subscription_id": "seats", "apply_seat_increase_config": {"is_prorated": True}}
    body = body_from_json(
        signing.CreateContract,
        {
            **CONTRACT,
            "subscriptions": [SUBSCRIPTION],
            "recurring_credits": [{**CREDIT, "subscription_config": config}],
        },
    )
    request = signing.contract_from_json(body, "r-1")

    schedule = request.grant_schedules[0]
    assert (schedule.subscription_index, schedule.unit_amount_micros) == (0, 100_500_000)
    assert schedule.prorates_increases
    assert request.subscriptions[0].billing_frequency == contract.BILLING_FREQUENCY_ANNUAL


LATER = "2025-07-01T00:00:00Z"
UNLINKED = {"subscription_id": "x", "apply_seat_increase_config": {"is_prorated": True}}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"subscriptions": [{**SUBSCRIPTION, "starting_at": LATER}]}, "subscriptions[0].starting_at"),
        ({"recurring_credits": [{**CREDIT, "ending_before": LATER}]}, "recurring_credits[0].ending_before"),
        ({"recurring_credits": [{**CREDIT, "subscription_config": UNLINKED}]}, "subscription_id"),
        (
            {
                "starting_at": "2025-06-02T00:00:00Z",
                "usage_statement_schedule": {"frequency": "MONTHLY", "day": "FIRST_OF_MONTH"},
            },
            "usage_statement_schedule.day",
        ),
    ],
)
def test_what_a_contract_of_ours_cannot_say_is_refused(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        signing.contract_from_json(body_from_json(signing.CreateContract, {**CONTRACT, **changed}), "r-1")
    assert field in refused.value.message


def test_a_prepaid_commit_is_a_top_up_at_its_price_and_for_its_length() -> None:
    gate = {"payment_gate_config": {"payment_gate_type": "external"}}
    order = edits.order_from_json(body_from_json(edits.AddCommit, {**COMMIT, **gate}), "con_1", "r-1")

    assert order.payment_gate == contract.PAYMENT_GATE_EXTERNAL
    assert (order.terms.price.currency_code, order.terms.price.micros) == ("USD", 80_000_000)
    assert (order.terms.amount_micros, order.terms.lifetime.seconds) == (1_000_000_000, 365 * 86_400)


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "POSTPAID"},
        {"access_schedule": {"schedule_items": [ITEM, ITEM]}},
        {"access_schedule": {"schedule_items": [{**ITEM, "ending_before": JUNE}]}},
        {"invoice_schedule": {"schedule_items": [{"timestamp": JUNE}]}},
        {"invoice_schedule": {"schedule_items": [{"timestamp": JUNE, "amount": 1}], "do_not_invoice": True}},
        {
            "invoice_schedule": {
                "schedule_items": [{"timestamp": JUNE, "amount": 1}],
                "credit_type_id": "crt_1",
            }
        },
        {"applicable_product_ids": ["prd_1"]},
        {"rollover_fraction": 1},
    ],
)
def test_a_commit_that_a_top_up_cannot_be_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidBody):
        edits.order_from_json(body_from_json(edits.AddCommit, {**COMMIT, **changed}), "con_1", "r-1")


def test_an_alarm_ends_at_its_threshold_as_in_metronome() -> None:
    body = body_from_json(
        alerts.CreateAlert,
        {
            "name": "Low",
            "alert_type": "LOW_CREDIT_BALANCE_REACHED",
            "threshold": 10,
            "credit_type_id": "crt_1",
        },
    )
    request = alerts.alert_from_json(body, "r-1")

    assert (request.threshold_micros, request.rearm_micros) == (10_000_000, 10_000_000)


def test_an_alert_that_purser_does_not_have_is_refused_with_those_that_it_has() -> None:
    body = body_from_json(
        alerts.CreateAlert, {"name": "x", "alert_type": "usage_threshold_reached", "threshold": 1}
    )

    with pytest.raises(InvalidBody, match="spend_threshold_reached"):
        alerts.alert_from_json(body, "r-1")


def test_properties_of_events_become_texts() -> None:
    event = {"transaction_id": "t", "customer_id": "acme", "event_type": "e", "timestamp": JUNE}
    content = [
        {**event, "properties": {"units": Decimal("0.5"), "n": 10**20, "ok": True, "user": "u", "gone": None}}
    ]
    body = body_from_json(usage.Events, usage.events_from_json(content))

    assert usage.event_from_json(body.events[0]).properties == {
        "units": "0.5",
        "n": str(10**20),
        "ok": "true",
        "user": "u",
    }
    for wrong in ([1], {}, Decimal("1E+999999999"), Decimal("1E-31")):
        message = refusal(usage.Events, {"events": [{**event, "properties": {"a": wrong}}]})
        assert message.startswith("events[0].properties a must be")


@pytest.mark.parametrize("content", [None, {}, [], [{}] * 101])
def test_a_call_of_ingest_has_1_to_100_events(content: object) -> None:
    with pytest.raises(InvalidBody, match="1 to 100"):
        usage.events_from_json(content)
