# SPDX-License-Identifier: Apache-2.0
"""Metronome's SDK, unmodified and strict, plays SeatsCo's summer against the real mesh, in its sync and async form.

The figures are those of `make demo`.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.quantity import MICROS
from purser.alert.v1 import alert_pb2 as alert
from purser.ledger.v1 import ledger_pb2 as ledger
from services.edge.wire.amounts import USD_ID
from tests.support.alert import running_receiver
from tests.support.edge import PORTAL, RunningEdge, Sdk, running_edge
from tests.support.mesh import advance
from tests.support.postgres import Databases

OPENING = "2025-06-01T00:00:00Z"
CREDITS = {"AI Assistant": 12, "AI Preview": 5, "AI Summary": 7}
EVENT_TYPES = {"AI Assistant": "ai.assistant", "AI Preview": "ai.preview", "AI Summary": "ai.summary"}


def at(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2025, month, day, hour, tzinfo=UTC)


class Guide:
    """The steps of the guide, and the ids that they make."""

    def __init__(self, edge: RunningEdge, sdk: Sdk) -> None:
        self.edge = edge
        self.sdk = sdk
        self.products: dict[str, str] = {}
        self.metrics: dict[str, str] = {}

    async def define_products(self) -> None:
        unit = await self.sdk(lambda c: c.v1.pricing_units.create(name="AI credits"))
        self.credits = unit.data.id
        for name, event_type in EVENT_TYPES.items():
            metric = await self.sdk(
                lambda c, name=name, event_type=event_type: c.v1.billable_metrics.create(
                    name=f"{name} units",
                    aggregation_type="SUM",
                    aggregation_key="units",
                    event_type_filter={"in_values": [event_type]},
                    property_filters=[{"name": "units", "exists": True}],
                    group_keys=[["user_id"]],
                )
            )
            self.metrics[name] = metric.data.id
            await self._product(
                name, "USAGE", billable_metric_id=metric.data.id, presentation_group_key=["user_id"]
            )
        await self._product("Team Plan", "SUBSCRIPTION")
        await self._product("Included AI credits", "FIXED")
        await self._product("AI credit top-up", "FIXED")

    async def _product(self, name: str, kind: str, **more: Any) -> None:
        made = await self.sdk(lambda c: c.v1.contracts.products.create(name=name, type=kind, **more))
        self.products[name] = made.data.id

    async def set_prices(self) -> None:
        card = await self.sdk(
            lambda c: c.v1.contracts.rate_cards.create(
                name="SeatsCo list prices",
                fiat_credit_type_id=USD_ID,
                credit_type_conversions=[
                    {"custom_credit_type_id": self.credits, "fiat_per_custom_credit": 100}
                ],
            )
        )
        self.rate_card = card.data.id
        seat = await self.sdk(
            lambda c: c.v1.contracts.rate_cards.rates.add(
                rate_card_id=self.rate_card,
                product_id=self.products["Team Plan"],
                entitled=True,
                rate_type="FLAT",
                billing_frequency="ANNUAL",
                price=10_000,
                starting_at=OPENING,
            )
        )
        assert (seat.data.price, seat.data.credit_type.id) == (10_000, USD_ID)
        await self.sdk(
            lambda c: c.v1.contracts.rate_cards.rates.add_many(
                rate_card_id=self.rate_card,
                rates=[
                    {
                        "product_id": self.products[name],
                        "entitled": True,
                        "rate_type": "FLAT",
                        "price": price,
                        "credit_type_id": self.credits,
                        "starting_at": OPENING,
                    }
                    for name, price in CREDITS.items()
                ],
            )
        )
        listed = await self.sdk.all(
            lambda c: c.v1.contracts.rate_cards.rates.list(rate_card_id=self.rate_card, at=at(6, 2))
        )
        assert {one.product_name: one.rate.price for one in listed} == {**CREDITS, "Team Plan": 10_000}

    async def sign(self) -> None:
        customer = await self.sdk(
            lambda c: c.v1.customers.create(name="Acme Inc.", ingest_aliases=["acme-inc"])
        )
        self.customer = customer.data.id
        await self.sdk(
            lambda c: c.v1.customers.set_ingest_aliases(customer_id=self.customer, ingest_aliases=["acme"])
        )
        signed = await self.sdk(
            lambda c: c.v1.contracts.create(
                customer_id=self.customer,
                name="Team Plan, annual",
                rate_card_id=self.rate_card,
                starting_at=OPENING,
                uniqueness_key="acme's contract",
                subscriptions=[
                    {
                        "temporary_id": "seats",
                        "subscription_rate": {
                            "billing_frequency": "ANNUAL",
                            "product_id": self.products["Team Plan"],
                        },
                        "collection_schedule": "ADVANCE",
                        "initial_quantity": 4,
                        "quantity_management_mode": "QUANTITY_ONLY",
                        "proration": {"is_prorated": True, "invoice_behavior": "BILL_IMMEDIATELY"},
                    }
                ],
                recurring_credits=[
                    {
                        "product_id": self.products["Included AI credits"],
                        "access_amount": {"credit_type_id": self.credits, "unit_price": 100},
                        "commit_duration": {"value": 1, "unit": "PERIODS"},
                        "priority": 1,
                        "recurrence_frequency": "MONTHLY",
                        "starting_at": OPENING,
                        "subscription_config": {
                            "subscription_id": "seats",
                            "allocation": "POOLED",
                            "apply_seat_increase_config": {"is_prorated": True},
                        },
                    }
                ],
            )
        )
        self.contract = signed.data.id
        shown = await self.sdk(
            lambda c: c.v2.contracts.retrieve(customer_id=self.customer, contract_id=self.contract)
        )
        (seats,) = shown.data.subscriptions
        self.subscription = seats.id
        assert [one.quantity for one in seats.quantity_schedule] == [4]
        assert shown.data.recurring_credits[0].subscription_config.subscription_id == seats.id
        assert await self.invoice_totals() == [40_000]
        assert await self.net_balance() == 400

    async def change_seats(self) -> None:
        await self.advance(7, 3)
        await self._seats(1, at(7, 3))
        assert await self.invoice_totals() == [40_000, 9_123]
        assert await self.net_balance() == 493.548387
        await self.advance(7, 10)
        await self._seats(-1, at(7, 10))
        assert await self.invoice_totals() == [40_000, 9_123]
        history = await self.sdk(
            lambda c: c.v1.contracts.retrieve_subscription_quantity_history(
                customer_id=self.customer, contract_id=self.contract, subscription_id=self.subscription
            )
        )
        assert [(one.data[0].quantity, one.data[0].total) for one in history.data.history] == [
            (4, 40_000),
            (5, 50_000),
            (4, 40_000),
        ]

    async def _seats(self, delta: int, when: datetime) -> None:
        await self.sdk(
            lambda c: c.v2.contracts.edit(
                customer_id=self.customer,
                contract_id=self.contract,
                update_subscriptions=[
                    {
                        "subscription_id": self.subscription,
                        "quantity_updates": [{"quantity_delta": delta, "starting_at": when}],
                    }
                ],
            )
        )

    async def warn(self, receiver: WebhookReceiver) -> None:
        endpoint = await self.edge.stubs.alert.CreateWebhookEndpoint(
            alert.CreateWebhookEndpointRequest(
                request_id="endpoint", url=receiver.url, kind=alert.ENDPOINT_KIND_METRONOME
            )
        )
        self.secret = endpoint.secret
        for threshold in (10, 0):
            await self.sdk(
                lambda c, threshold=threshold: c.v1.alerts.create(
                    alert_type="low_remaining_contract_credit_and_commit_balance_reached",
                    name=f"{threshold} credits or fewer",
                    threshold=threshold,
                    credit_type_id=self.credits,
                    customer_id=self.customer,
                    uniqueness_key=f"low {threshold}",
                )
            )

    async def use(
        self, transaction: str, product: str, units: float, when: datetime, user: str = "user_1234"
    ) -> None:
        await self.sdk(
            lambda c: c.v1.usage.ingest(
                usage=[
                    {
                        "transaction_id": transaction,
                        "customer_id": "acme",
                        "event_type": EVENT_TYPES[product],
                        "timestamp": when.isoformat(),
                        "properties": {"units": units, "user_id": user},
                    }
                ]
            )
        )

    async def asks(self, product: str, units: int) -> "ledger.Decision.ValueType":
        """Ask the gate, as an AI feature does before the call; Metronome has no such question."""
        answer = await self.edge.stubs.gate.Authorize(
            ledger.AuthorizeRequest(
                request_id=f"ask-{product}-{units}-{self.sdk.calls}".replace(" ", "-"),
                customer="acme",
                product_id=self.products[product],
                quantity_micros=units * MICROS,
                group_values={"user_id": "user_1234"},
            )
        )
        if answer.decision == ledger.DECISION_ALLOWED:
            await self.edge.stubs.gate.Release(
                ledger.ReleaseRequest(
                    request_id=f"release-{answer.hold_id}", customer="acme", hold_id=answer.hold_id
                )
            )
        return answer.decision

    async def buy(self) -> None:
        """1,000 credits for $80, granted once the vendor's payment code releases them."""
        edited = await self.sdk(
            lambda c: c.v2.contracts.edit(
                customer_id=self.customer,
                contract_id=self.contract,
                add_commits=[
                    {
                        "product_id": self.products["AI credit top-up"],
                        "type": "PREPAID",
                        "priority": 100,
                        "access_schedule": {
                            "credit_type_id": self.credits,
                            "schedule_items": [
                                {
                                    "amount": 1_000,
                                    "starting_at": at(7, 10),
                                    "ending_before": "2026-07-10T00:00:00Z",
                                }
                            ],
                        },
                        "invoice_schedule": {
                            "schedule_items": [{"timestamp": at(7, 10), "unit_price": 8_000, "quantity": 1}]
                        },
                        "payment_gate_config": {"payment_gate_type": "EXTERNAL"},
                    }
                ],
            )
        )
        self.commit = edited.data.edit.add_commits[0].id
        assert await self.net_balance() == 0
        assert await self.asks("AI Preview", 1) == ledger.DECISION_DENIED
        async with self.edge.http() as by_hand:
            for _ in range(2):
                answer = await by_hand.post(
                    "/v1/contracts/commits/threshold-billing/release",
                    json={"workflow_id": self.commit, "outcome": "paid"},
                )
                assert answer.status_code == 200, answer.text
        assert await self.asks("AI Preview", 1) == ledger.DECISION_ALLOWED
        assert await self.invoice_totals() == [40_000, 9_123, 8_000]

    async def run_out(self, receiver: WebhookReceiver) -> None:
        """480 + 5 + 8.548387 credits: two webhooks in Metronome's form, each signed by its scheme."""
        await self.use("u-1", "AI Assistant", 40, at(7, 10))
        assert await self.net_balance() == 13.548387
        await self.use("u-2", "AI Preview", 1, at(7, 10))
        await self._expect_webhook(receiver, 10, 8.548387)
        assert await self.asks("AI Summary", 2) == ledger.DECISION_DENIED
        await self.edge.stubs.gate.Debit(
            ledger.DebitRequest(
                request_id="the-rest",
                customer="acme",
                product_id=self.products["AI Assistant"],
                credits_micros=8_548_387,
                group_values={"user_id": "user_1234"},
            )
        )
        await self._expect_webhook(receiver, 0, 0)

    async def _expect_webhook(self, receiver: WebhookReceiver, threshold: float, remaining: float) -> None:
        received = await receiver.next_event()
        signed = received.headers["x-metronome-date"].encode() + b"\n" + received.body
        expected = hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        assert received.headers["metronome-webhook-signature"] == expected
        body = json.loads(received.body)
        assert body["type"] == "alerts.low_remaining_contract_credit_and_commit_balance_reached"
        properties = body["properties"]
        assert (properties["threshold"], properties["remaining_balance"]) == (threshold, remaining)
        assert properties["customer_id"] == self.customer

    async def look_at_balances(self) -> None:
        balances = await self.balances()
        assert balances["AI credit top-up"].id == self.commit
        assert balances["AI credit top-up"].balance == 1_000
        listed = await self.sdk.all(
            lambda c: c.v1.contracts.list_balances(
                customer_id=self.customer,
                include_contract_balances=True,
                include_balance=True,
                include_ledgers=True,
                covering_date=at(7, 10),
            )
        )
        (july,) = (one for one in listed if one.product.name == "Included AI credits")
        assert [(one.type, one.amount) for one in july.ledger] == [
            ("CREDIT_SEGMENT_START", 400),
            ("CREDIT_SEAT_BASED_ADJUSTMENT", 93.548387),
            ("CREDIT_AUTOMATED_INVOICE_DEDUCTION", -480),
            ("CREDIT_AUTOMATED_INVOICE_DEDUCTION", -5),
            ("CREDIT_AUTOMATED_INVOICE_DEDUCTION", -8.548387),
        ]

    async def look_at_alerts(self) -> None:
        listed = await self.sdk.all(lambda c: c.v1.customers.alerts.list(customer_id=self.customer))
        assert {one.alert.name: one.customer_status for one in listed} == {
            "10 credits or fewer": "ok",
            "0 credits or fewer": "ok",
        }
        one = await self.sdk(
            lambda c: c.v1.customers.alerts.retrieve(customer_id=self.customer, alert_id=listed[0].alert.id)
        )
        assert (one.data.alert.threshold, one.data.alert.credit_type.id) == (10, self.credits)

    async def look_at_usage(self) -> None:
        by_day = await self.sdk.all(
            lambda c: c.v1.usage.list(
                customer_ids=[self.customer],
                starting_on=at(7, 1),
                ending_before=at(8, 1),
                window_size="NONE",
                billable_metrics=[{"id": self.metrics["AI Assistant"], "group_by": {"key": "user_id"}}],
            )
        )
        assert [(one.value, one.groups) for one in by_day] == [(40, {"user_1234": 40})]
        groups = await self.sdk.all(
            lambda c: c.v1.usage.list_with_groups(
                customer_id=self.customer,
                billable_metric_id=self.metrics["AI Preview"],
                starting_on=at(7, 1),
                ending_before=at(8, 1),
                window_size="DAY",
                group_by={"key": "user_id"},
            )
        )
        assert [(one.starting_on, one.group_value, one.value) for one in groups] == [
            (at(7, 10), "user_1234", 1)
        ]
        found = await self.sdk(
            lambda c: c.v1.usage.search(transaction_ids=["u-1"], extra_body={"customer_id": self.customer})
        )
        assert found[0].matched_billable_metrics[0].id == self.metrics["AI Assistant"]

    async def new_month(self) -> None:
        await self.advance(8, 1)
        balances = await self.balances()
        assert balances["Included AI credits"].balance == 400
        assert balances["AI credit top-up"].balance == 1_000
        await self.advance(8, 3)
        (statement,) = await self.sdk.all(
            lambda c: c.v1.customers.invoices.list(
                customer_id=self.customer, type="USAGE", status="FINALIZED"
            )
        )
        shown = await self.sdk(
            lambda c: c.v1.customers.invoices.retrieve(customer_id=self.customer, invoice_id=statement.id)
        )
        used = {
            (one.name, one.presentation_group_values["user_id"]): one.total for one in shown.data.line_items
        }
        assert used == {("AI Assistant", "user_1234"): 488.548387, ("AI Preview", "user_1234"): 5}
        assert shown.data.total == 0

    async def look_back(self) -> None:
        edits = await self.sdk(
            lambda c: c.v2.contracts.get_edit_history(customer_id=self.customer, contract_id=self.contract)
        )
        made = [
            one.update_subscriptions[0].quantity_updates[0].quantity_delta
            if one.update_subscriptions
            else one.add_commits[0].id
            for one in edits.data
        ]
        assert made == [1, -1, self.commit]
        first = await self.sdk(
            lambda c: c.v1.contracts.retrieve(
                customer_id=self.customer, contract_id=self.contract, include_balance=True
            )
        )
        assert [one.id for one in first.data.current.commits] == [self.commit]
        logs = await self.sdk(lambda c: c.v1.audit_logs.list(limit=20, sort="date_desc"))
        assert "ResolveTopUpPayment" in {one.action for one in logs.data}

    async def link(self) -> None:
        made = await self.sdk(
            lambda c: c.v1.dashboards.get_embeddable_url(
                customer_id=self.customer, dashboard="commits_and_credits"
            )
        )
        address, _, token = made.data.url.partition("?token=")
        assert address == f"{PORTAL}/enter"
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["roles"], claims["customer"]) == (["customer"], self.customer)

    async def net_balance(self) -> float:
        answer = await self.sdk(
            lambda c: c.v1.contracts.get_net_balance(customer_id=self.customer, credit_type_id=self.credits)
        )
        return float(answer.data.balance)

    async def balances(self) -> Mapping[str, Any]:
        """Return the present commits and credits by the name of their product."""
        listed = await self.sdk.all(
            lambda c: c.v1.contracts.list_balances(
                customer_id=self.customer,
                include_contract_balances=True,
                include_balance=True,
                include_ledgers=True,
                exclude_zero_balances=True,
            )
        )
        return {one.product.name: one for one in listed}

    async def invoice_totals(self) -> list[float]:
        listed = await self.sdk.all(
            lambda c: c.v1.customers.invoices.list(
                customer_id=self.customer, status="FINALIZED", type="SCHEDULED"
            )
        )
        return [one.total for one in listed]

    async def advance(self, month: int, day: int) -> None:
        await advance(self.edge.stubs, at(month, day))


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_the_sdk_plays_the_whole_guide(databases: Databases, tmp_path: Path, is_async: bool) -> None:
    async with running_edge(databases, tmp_path) as edge, running_receiver() as receiver:
        sdk = edge.sdk(is_async=is_async)
        guide = Guide(edge, sdk)
        await guide.define_products()
        await guide.set_prices()
        await guide.sign()
        await guide.warn(receiver)
        await guide.change_seats()
        await guide.run_out(receiver)
        await guide.buy()
        await guide.look_at_balances()
        await guide.look_at_alerts()
        await guide.look_at_usage()
        await guide.new_month()
        await guide.look_back()
        await guide.link()
        await sdk.close()
