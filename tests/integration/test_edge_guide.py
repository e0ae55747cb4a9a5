# SPDX-License-Identifier: Apache-2.0
"""Metronome's SDK, unmodified and strict, plays SeatsCo's summer against the real mesh, in its sync and async form.

The figures are those of `make demo`.
"""

import hashlib
import hmac
import json
from pathlib import Path

import jwt
import pytest

from deploy.local.webhook_receiver import WebhookReceiver
from purser.alert.v1 import alert_pb2 as alert
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.support.alert import running_receiver
from tests.support.edge import PORTAL, RunningEdge, Sdk, running_edge
from tests.support.edge_guide import Guide, at
from tests.support.postgres import Databases


class Summer(Guide):
    """The guide, and what the vendor looks at on the way."""

    def __init__(self, edge: RunningEdge, sdk: Sdk) -> None:
        super().__init__(edge, sdk)
        self.secret = ""

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


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_the_sdk_plays_the_whole_guide(databases: Databases, tmp_path: Path, is_async: bool) -> None:
    async with running_edge(databases, tmp_path) as edge, running_receiver() as receiver:
        sdk = edge.sdk(is_async=is_async)
        guide = Summer(edge, sdk)
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
