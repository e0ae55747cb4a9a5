# SPDX-License-Identifier: Apache-2.0
"""What the catalog, alerts, usage and invoices look like through the SDK."""

from datetime import UTC, datetime
from typing import Any

import metronome
import pytest

from tests.support.edge import Sdk
from tests.support.mesh import Acme

pytestmark = pytest.mark.asyncio(loop_scope="module")

START = datetime(2025, 6, 1, tzinfo=UTC)
NEXT = datetime(2025, 7, 1, tzinfo=UTC)


async def test_a_metric_and_a_product_come_back_as_they_were_made(sdk: Sdk) -> None:
    metric = await sdk(
        lambda c: c.v1.billable_metrics.create(
            name="Tokens",
            aggregation_type="max",
            aggregation_key="tokens",
            event_type_filter={"in_values": ["tokens"]},
            property_filters=[{"name": "region", "exists": True, "not_in_values": ["test"]}],
            group_keys=[["user_id", "team"], ["user_id"]],
        )
    )
    shown = (await sdk(lambda c: c.v1.billable_metrics.retrieve(billable_metric_id=metric.data.id))).data
    assert (shown.aggregation_type, shown.aggregation_key) == ("MAX", "tokens")
    assert (shown.group_keys, shown.property_filters[0].not_in_values) == ([["user_id"], ["team"]], ["test"])

    with pytest.raises(metronome.BadRequestError, match="must be among the group_keys"):
        await _product(sdk, metric.data.id, presentation_group_key=["model"])
    product = await _product(sdk, metric.data.id, presentation_group_key=["team"])
    current = (await sdk(lambda c: c.v1.contracts.products.retrieve(id=product))).data.current
    assert (current.quantity_conversion.operation, current.quantity_conversion.conversion_factor) == (
        "DIVIDE",
        1_000,
    )
    assert (current.quantity_rounding.rounding_method, current.pricing_group_key) == ("ROUND_UP", ["model"])
    await sdk(lambda c: c.v1.billable_metrics.archive(id=metric.data.id))


async def _product(sdk: Sdk, metric: str, **more: Any) -> str:
    made = await sdk(
        lambda c: c.v1.contracts.products.create(
            name="Thousands of tokens",
            type="usage",
            billable_metric_id=metric,
            pricing_group_key=["model"],
            quantity_conversion={"operation": "divide", "conversion_factor": 1_000},
            quantity_rounding={"rounding_method": "ROUND_UP", "decimal_places": 0},
            **more,
        )
    )
    return str(made.data.id)


async def test_a_rate_card_shows_what_a_credit_is_worth_and_the_schedule_of_its_rates(
    sdk: Sdk, acme: Acme
) -> None:
    card = (await sdk(lambda c: c.v1.contracts.rate_cards.retrieve(id=acme.offer.rate_card))).data
    (conversion,) = card.credit_type_conversions
    assert (conversion.custom_credit_type.name, conversion.fiat_per_custom_credit) == ("AI credits", "100")
    listed = await sdk.all(lambda c: c.v1.contracts.rate_cards.list())
    assert [one.id for one in listed] == [card.id]

    product = acme.offer.usage["AI Summary"]
    for price, start in ((0.00025, NEXT), (0.0003, datetime(2025, 8, 1, tzinfo=UTC))):
        await sdk(
            lambda c, price=price, start=start: c.v1.contracts.rate_cards.rates.add(
                rate_card_id=card.id,
                product_id=product,
                entitled=True,
                rate_type="FLAT",
                price=price,
                starting_at=start,
            )
        )
    schedule = await sdk(
        lambda c: c.v1.contracts.rate_cards.retrieve_rate_schedule(
            rate_card_id=card.id, starting_at=NEXT, selectors=[{"product_id": product}]
        )
    )
    assert [(one.rate.price, one.ending_before is None) for one in schedule.data] == [
        (0.00025, False),
        (0.0003, True),
    ]


@pytest.mark.parametrize(
    ("kind", "more", "threshold"),
    [
        ("spend_threshold_reached", {"group_values": [{"key": "user_id", "value": "u"}]}, 1_000),
        ("spend_threshold_reached", {"group_values": [{"key": "user_id"}]}, 0.5),
        ("low_remaining_contract_credit_and_commit_percentage_reached", {}, 20),
        ("low_remaining_seat_balance_reached", {"seat_filter": {"seat_group_key": "user_id"}}, 1),
        ("low_remaining_days_for_contract_credit_segment_reached", {}, 7),
        ("invoice_total_reached", {"credit_type_id": None}, 100_000),
    ],
)
async def test_alerts_of_every_type_come_back_with_their_state(
    sdk: Sdk, acme: Acme, kind: str, more: dict[str, Any], threshold: float
) -> None:
    customer = acme.contract.customer_id
    wanted = {"credit_type_id": acme.offer.ai_credits, **more}
    wanted = {key: value for key, value in wanted.items() if value is not None}
    made = await sdk(
        lambda c: c.v1.alerts.create(
            alert_type=kind, name=f"{kind} {threshold}", threshold=threshold, customer_id=customer, **wanted
        )
    )
    ids = {"customer_id": customer, "alert_id": made.data.id}

    shown = (await sdk(lambda c: c.v1.customers.alerts.retrieve(**ids))).data
    assert (shown.alert.type, shown.alert.threshold, shown.alert.status) == (kind, threshold, "enabled")
    assert shown.customer_status in ("ok", "evaluating")
    await sdk(lambda c: c.v1.customers.alerts.reset(**ids))
    await sdk(lambda c: c.v1.alerts.archive(id=made.data.id))
    archived = await sdk.all(
        lambda c: c.v1.customers.alerts.list(customer_id=customer, alert_statuses=["ARCHIVED"])
    )
    assert (made.data.id, None) in {(one.alert.id, one.customer_status) for one in archived}


async def test_an_alert_on_another_customer_is_unknown(sdk: Sdk, acme: Acme) -> None:
    made = await sdk(
        lambda c: c.v1.alerts.create(
            alert_type="low_credit_balance_reached",
            name="Acme's",
            threshold=1,
            credit_type_id=acme.offer.ai_credits,
            customer_id=acme.contract.customer_id,
        )
    )

    with pytest.raises(metronome.NotFoundError):
        await sdk(lambda c: c.v1.customers.alerts.retrieve(customer_id="cus_x", alert_id=made.data.id))


async def test_usage_is_added_up_by_window_and_group(sdk: Sdk, acme: Acme) -> None:
    metrics = {one.name: one.id for one in await sdk.all(lambda c: c.v1.billable_metrics.list())}
    metric = metrics["AI Assistant units"]
    for number, user in enumerate(("ann", "bob", "ann")):
        await sdk(
            lambda c, number=number, user=user: c.v1.usage.ingest(
                usage=[
                    {
                        "transaction_id": f"u{number}",
                        "customer_id": "acme",
                        "event_type": "ai.assistant",
                        "timestamp": f"2025-06-01T0{number}:00:00Z",
                        "properties": {"units": "1.5", "user_id": user},
                    }
                ]
            )
        )
    span = {"starting_on": START, "ending_before": NEXT}

    hours = await sdk.all(
        lambda c: c.v1.usage.list(
            **{**span, "ending_before": datetime(2025, 6, 2, tzinfo=UTC)},
            window_size="hour",
            customer_ids=[acme.contract.customer_id],
            billable_metrics=[{"id": metric}],
        )
    )
    assert [(one.start_timestamp.hour, one.value) for one in hours] == [(0, 1.5), (1, 1.5), (2, 1.5)]
    groups = await sdk.all(
        lambda c: c.v1.usage.list_with_groups(
            **span,
            customer_id="acme",
            billable_metric_id=metric,
            window_size="NONE",
            group_key=["user_id"],
            group_filters={"user_id": ["ann", "bob"]},
            limit=1,
        )
    )
    assert [(one.group_value, one.value) for one in groups] == [("ann", 3), ("bob", 1.5)]
    with pytest.raises(metronome.NotFoundError, match="measures no product"):
        await sdk(lambda c: c.v1.usage.list(**span, window_size="NONE", billable_metrics=[{"id": "met_x"}]))


async def test_an_invoice_is_voided_and_made_again(sdk: Sdk, acme: Acme) -> None:
    customer = acme.contract.customer_id
    (first,) = await sdk.all(lambda c: c.v1.customers.invoices.list(customer_id=customer, type="SCHEDULED"))
    assert (first.status, first.total, first.line_items[0].unit_price) == ("FINALIZED", 40_000, 10_000)
    assert first.external_invoice.external_status == "FINALIZED"

    again = await sdk(lambda c: c.v1.invoices.regenerate(id=first.id))
    shown = await sdk(
        lambda c: c.v1.customers.invoices.retrieve(customer_id="acme", invoice_id=again.data.id)
    )
    assert (shown.data.status, shown.data.total) == ("DRAFT", 40_000)
    voided = await sdk.all(lambda c: c.v1.customers.invoices.list(customer_id=customer, status="void"))
    assert [one.id for one in voided] == [first.id]
    with pytest.raises(metronome.BadRequestError, match="INVOICE_CREDITS_GRANTED"):
        await sdk(lambda c: c.v1.invoices.void(id=again.data.id))
    other = await sdk(lambda c: c.v1.customers.create(name="Other"))
    with pytest.raises(metronome.NotFoundError, match="has no invoice"):
        await sdk(lambda c: c.v1.customers.invoices.retrieve(customer_id=other.data.id, invoice_id=first.id))
