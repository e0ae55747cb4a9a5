# SPDX-License-Identifier: Apache-2.0
"""The steps of SeatsCo's guide through Metronome's SDK, as a vendor takes them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_pb2 as ledger
from services.edge.wire.amounts import USD_ID
from tests.support.edge import RunningEdge, Sdk
from tests.support.mesh import advance

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
