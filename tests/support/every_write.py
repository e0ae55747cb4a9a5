# SPDX-License-Identifier: Apache-2.0
"""Real services, on which every rpc that stores a response is called, and every kind of notice is written.

What it leaves in the database, and what was called and told, is what golden files are made of: tests/unit/formats.
Whoever adds such an rpc, or a kind of notice, adds a call here.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message

from deploy.local.stripe import API_KEY, StripeStandIn, running_stripe
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2
from tests.support import alert, catalog, contract, ledger
from tests.support.any_rpc import AnyPeer, Json, call, method, request_of
from tests.support.mail_receiver import running_mail_receiver
from tests.support.mesh import pending, until
from tests.support.postgres import Databases
from tests.support.usage_entries import UsageEntries

CREDIT = 1_000_000
KIND = {"token_kind": "output"}
JUNE = "2025-06-01T00:00:00Z"
DELIVERED = "DELIVERY_STATUS_DELIVERED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that was made: its request and its response as JSON."""

    rpc: str
    request: Json
    response: Json


@dataclass(slots=True, kw_only=True)
class Recording:
    """What was called on a service, and what the service told its peers."""

    calls: list[Call] = field(default_factory=list)
    told: list[tuple[str, Json]] = field(default_factory=list)


Ask = Callable[..., Awaitable[Json]]
Asking = Callable[[str, str, Recording], AbstractAsyncContextManager[Ask]]


@asynccontextmanager
async def asking(service: str, address: str, recording: Recording) -> AsyncIterator[Ask]:
    """Give a function that calls an rpc by name and fields, and records those that write, each under its own id."""
    async with open_channel(address) as channel:

        async def ask(rpc: str, **fields: Json) -> Json:
            if "request_id" not in method(service, rpc).input_type.fields_by_name:
                return await call(channel, service, rpc, request_of(service, rpc, fields))
            body = {"request_id": f"{service}-{len(recording.calls) + 1}", **fields}
            response = await call(channel, service, rpc, request_of(service, rpc, body))
            recording.calls.append(Call(rpc=rpc, request=body, response=response))
            return response

        yield ask


async def record(databases: Databases, *, asking: Asking = asking) -> Mapping[str, Recording]:
    """Run the four services one after the other, and call every write of each. asking: how calls are made."""
    recordings = {service: Recording() for service in ("catalog", "contract", "ledger", "alert")}
    answers: dict[str, Callable[[Any], Message]] = {
        "ApplyPlanChange": _half_unused,
        "VoidSeatChange": _seat_half_unused,
        "RefundGrant": _mostly_unspent,
    }
    async with AnyPeer("ledger", answers) as peer, AnyPeer("alert") as posting:
        async with (
            catalog.running_catalog(databases, ledger_address=peer.address) as running,
            asking("catalog", running.address, recordings["catalog"]) as ask,
        ):
            sold = await fill_catalog(ask)
            recordings["catalog"].told = await all_told("catalog", databases, peer)
            del peer.heard[:]
            async with (
                running_stripe() as stripe,
                contract.running_contract(
                    databases,
                    catalog_address=running.address,
                    ledger_address=peer.address,
                    alert_address=posting.address,
                    stripe_api_key=API_KEY,
                    stripe_api_base=stripe.address,
                ) as selling,
                asking("contract", selling.address, recordings["contract"]) as ask_contract,
            ):
                await fill_contract(ask_contract, sold)
                await pay_through_stripe(ask_contract, sold, stripe)
                recordings["contract"].told = await all_told("contract", databases, peer)
                answers["GetContractUsage"] = _some_usage(sold["credit_type_id"]).answer
                await selling.app.run_due(selling.clock.now())
    async with (
        AnyPeer("alert") as peer,
        AnyPeer("contract") as topping_up,
        ledger.running_ledger(
            databases, alert_address=peer.address, contract_address=topping_up.address
        ) as deciding,
        asking("ledger", deciding.address, recordings["ledger"]) as ask,
    ):
        await fill_ledger(ask)
        recordings["ledger"].told = await all_told("ledger", databases, peer) + topping_up.heard
    async with (
        AnyPeer("ledger") as peer,
        alert.running_receiver() as receiver,
        running_mail_receiver() as mails,
        alert.running_alert(databases, ledger_address=peer.address, smtp=mails.settings) as watching,
        asking("alert", watching.address, recordings["alert"]) as ask,
    ):
        await fill_alert(ask, receiver.url)
        await fill_own_alerts(ask)
        recordings["alert"].told = await all_told("alert", databases, peer)
    return recordings


def _half_unused(request: ledger_peer_pb2.ApplyPlanChangeRequest) -> ledger_peer_pb2.ApplyPlanChangeResponse:
    """Answer a change of plan: half of the credits were unused."""
    return ledger_peer_pb2.ApplyPlanChangeResponse(
        unused=[
            ledger_peer_pb2.UnusedShare(subscription_id=one.subscription_id, numerator=1, denominator=2)
            for one in request.paid_periods
        ],
        apply_time=request.ended.end_time,
    )


def _mostly_unspent(request: ledger_peer_pb2.RefundGrantRequest) -> ledger_peer_pb2.RefundGrantResponse:
    """Answer a refund: of 1,000 credits 250 were spent, and 50 are held."""
    return ledger_peer_pb2.RefundGrantResponse(
        granted_micros=1_000 * CREDIT,
        spent_micros=250 * CREDIT,
        held_micros=50 * CREDIT,
        voided_micros=700 * CREDIT,
        apply_time=timestamp(catalog.JUNE + timedelta(days=15)),
    )


def _seat_half_unused(
    request: ledger_peer_pb2.VoidSeatChangeRequest,
) -> ledger_peer_pb2.VoidSeatChangeResponse:
    """Answer a void of a seat change: of one in effect, half of the credits were unused."""
    if not request.HasField("paid_period"):
        return ledger_peer_pb2.VoidSeatChangeResponse()
    middle = timestamp(catalog.JUNE + timedelta(days=15))
    return ledger_peer_pb2.VoidSeatChangeResponse(
        unused=ledger_peer_pb2.UnusedShare(
            subscription_id=request.subscription_id, numerator=1, denominator=2
        ),
        kept=[ledger_peer_pb2.KeptTime(start_time=middle, end_time=request.paid_period.end_time)],
        apply_time=middle,
    )


def _some_usage(credit_type_id: str) -> UsageEntries:
    """Return usage of June, included and beyond."""
    used = UsageEntries(credit_type_id, catalog.JUNE)
    used.use(catalog.JUNE, 400)
    used.use(catalog.JUNE, 20, user="bob", paid="TOP_UP")
    used.use(catalog.JUNE, 7.5, user="bob", paid="OVERAGE")
    used.use(catalog.JUNE, 1, user="", paid="SHORTFALL")
    return used


async def all_told(service: str, databases: Databases, peer: AnyPeer) -> list[tuple[str, Json]]:
    """What a service has told its peer, once nothing is pending."""
    await until(lambda: pending(databases, [service]), lambda count: count == 0)
    return list(peer.heard)


async def fill_catalog(ask: Ask) -> Json:
    """Call every write of the Catalog; returns the ids of what Contract can sell."""
    credits = (await ask("CreateCreditType", name="AI credits"))["credit_type"]["credit_type_id"]
    counted = await ask(
        "CreateBillableMetric",
        name="AI calls",
        event_type="ai_call",
        aggregation="AGGREGATION_COUNT",
        filters=[
            {"property": "model", "in_values": ["large", "small"]},
            {"property": "region", "not_in_values": ["test"]},
            {"property": "user_id", "exists": True},
        ],
    )
    await ask("ArchiveBillableMetric", billable_metric_id=counted["billable_metric"]["billable_metric_id"])
    summed = await ask(
        "CreateBillableMetric",
        name="AI units",
        event_type="ai_call",
        aggregation="AGGREGATION_SUM",
        sum_property="units",
        filters=[{"property": "model", "in_values": ["large"]}],
        group_keys=["user_id", "team"],
    )
    metric_id = summed["billable_metric"]["billable_metric_id"]

    async def product(name: str, product_type: str, **more: Json) -> str:
        made = await ask("CreateProduct", name=name, product_type=product_type, **more)
        return made["product"]["product_id"]

    users = await ask(
        "CreateBillableMetric",
        name="AI users",
        event_type="ai_call",
        aggregation="AGGREGATION_UNIQUE",
        aggregated_property="user_id",
    )
    tokens = await product(
        "AI tokens",
        "PRODUCT_TYPE_USAGE",
        billable_metric_id=users["billable_metric"]["billable_metric_id"],
        conversion={
            "priced_micros": "1000000",
            "per_micros": "1000000000",
            "rounding": "QUANTITY_ROUNDING_HALF_UP",
        },
        pricing_dimensions=[
            {"key": "token_kind", "values": ["input", "output"]},
            {
                "key": "length",
                "property": "prompt_tokens",
                "bands": [{"value": "short", "up_to_micros": "200000000000"}, {"value": "long"}],
            },
        ],
    )
    assistant = await product("Assistant", "PRODUCT_TYPE_USAGE", billable_metric_id=metric_id)
    await ask("UpdateProduct", product_id=assistant, name="AI Assistant")
    seats = await product("Team Plan", "PRODUCT_TYPE_SUBSCRIPTION")
    included = await product("AI credits", "PRODUCT_TYPE_FIXED")
    retired = await product("Retired", "PRODUCT_TYPE_FIXED")
    await ask("UpdateProduct", product_id=retired, name="Retired plan")
    await ask("ArchiveProduct", product_id=retired)
    await ask("ResendProduct", product_id=assistant)
    card = await ask(
        "CreateRateCard",
        name="List prices",
        fiat_credit_type_id="USD",
        conversions=[{"credit_type_id": credits, "fiat_per_credit_micros": CREDIT // 10}],
    )
    card_id = card["rate_card"]["rate_card_id"]

    def rate(product_id: str, credit_type_id: str, price: int, **more: Json) -> Json:
        terms = {"product_id": product_id, "credit_type_id": credit_type_id, "price_micros": str(price)}
        return {**terms, "effective_time": "2025-01-01T00:00:00Z", **more}

    await ask(
        "AddRates",
        rate_card_id=card_id,
        rates=[
            rate(assistant, credits, 12 * CREDIT, per_micros="1000000"),
            rate(assistant, credits, 10 * CREDIT, effective_time="2026-01-01T00:00:00Z", end_previous=True),
            rate(seats, "USD", 100 * CREDIT, billing_frequency="BILLING_FREQUENCY_ANNUAL"),
        ],
    )
    await ask(
        "AddRates",
        rate_card_id=card_id,
        rates=[
            rate(
                seats,
                "USD",
                10 * CREDIT,
                billing_frequency="BILLING_FREQUENCY_MONTHLY",
                end_time="2027-01-01T00:00:00Z",
            )
        ],
    )
    by_kind = await ask(
        "AddRates",
        rate_card_id=card_id,
        rates=[
            {
                **rate(tokens, credits, 0, rate_type="RATE_TYPE_GRADUATED"),
                "tiers": [
                    {"up_to_micros": "1000000000", "price_micros": "1000000"},
                    {"price_micros": "500000", "per_micros": "2000000"},
                ],
                "dimension_values": {"token_kind": "input", "length": "long"},
            },
            rate(tokens, "USD", CREDIT, rate_type="RATE_TYPE_PACKAGE", per_micros=str(1_000 * CREDIT)),
        ],
    )
    graduated = by_kind["rates"][0]["rate_id"]
    await ask(
        "CorrectRate",
        rate_id=graduated,
        rate_type="RATE_TYPE_GRADUATED",
        tiers=[{"up_to_micros": "500000000", "price_micros": "1000000"}, {"price_micros": "250000"}],
    )
    await ask("CorrectRate", rate_id=graduated, price_micros=str(CREDIT // 2))
    await ask("EndRate", rate_id=graduated, end_time="2026-01-01T00:00:00Z")
    mistyped = rate(tokens, credits, 120 * CREDIT, effective_time="2026-02-01T00:00:00Z")
    planned = await ask("AddRates", rate_card_id=card_id, rates=[{**mistyped, "dimension_values": KIND}])
    right = {**mistyped, "price_micros": str(12 * CREDIT), "dimension_values": KIND}
    replaced = planned["rates"][0]["rate_id"]
    right = await ask("AddRates", rate_card_id=card_id, rates=[{**right, "replaces_rate_id": replaced}])
    await ask("WithdrawRate", rate_id=right["rates"][0]["rate_id"])
    await ask("ResendRateCard", rate_card_id=card_id)
    tiers = [
        {"up_to_micros": str(10 * CREDIT), "price_micros": str(25 * CREDIT)},
        {"price_micros": str(20 * CREDIT)},
    ]
    tiered = rate(
        seats, "USD", 0, billing_frequency="BILLING_FREQUENCY_QUARTERLY", rate_type="RATE_TYPE_VOLUME"
    )
    await ask("AddRates", rate_card_id=card_id, rates=[tiered | {"tiers": tiers}])
    terms = {
        "product_id": included,
        "credit_type_id": credits,
        "amount_micros": str(1_000 * CREDIT),
        "price": {"currency_code": "USD", "micros": str(80 * CREDIT)},
    }
    pack = await ask("CreateTopUpPack", name="1,000 credits", **terms, priority=50, lifetime="31536000s")
    await ask("CreateTopUpPack", name="1,000 credits for ever", **terms)
    return {
        "rate_card_id": card_id,
        "credit_type_id": credits,
        "assistant": assistant,
        "seats": seats,
        "included": included,
        "pack": pack["top_up_pack"]["top_up_pack_id"],
        "terms": terms,
    }


async def pay_through_stripe(ask: Ask, sold: Json, stripe: StripeStandIn) -> None:
    """Save a card of Acme, and pay a top-up with it."""
    signed = await ask("CreateContract", customer="acme", rate_card_id=sold["rate_card_id"], start_time=JUNE)
    await ask(
        "SetPaymentMethod",
        customer="acme",
        provider_customer_id=await stripe.customer(),
        payment_method_id=await stripe.card(),
    )
    await ask("CreatePaymentSetup", customer="acme")
    ordered = await ask(
        "OrderTopUp",
        contract_id=signed["contract"]["contract_id"],
        terms=sold["terms"],
        payment_gate="PAYMENT_GATE_STRIPE",
    )
    await ask("PayTopUp", top_up_id=ordered["top_up"]["top_up_id"])
    automatic = await ask(
        "SetAutoTopUp",
        contract_id=signed["contract"]["contract_id"],
        top_up_pack_id=sold["pack"],
        threshold_micros=str(500 * CREDIT),
        recharge_to_micros=str(3_000 * CREDIT),
        monthly_limit={"currency_code": "USD", "micros": str(500 * CREDIT)},
    )
    made = automatic["auto_top_up"]
    await ask(
        "ReportTopUpLevel",
        auto_top_up_id=made["auto_top_up_id"],
        customer_id=made["customer_id"],
        credit_type_id=made["credit_type_id"],
        version="1",
        remaining_micros=str(900 * CREDIT),
        sequence="1",
        observe_time=JUNE,
    )
    await ask("DisableAutoTopUp", auto_top_up_id=automatic["auto_top_up"]["auto_top_up_id"])
    collected = await ask(
        "CreateContract",
        customer="acme",
        rate_card_id=sold["rate_card_id"],
        start_time=JUNE,
        subscriptions=[
            {
                "product_id": sold["seats"],
                "billing_frequency": "BILLING_FREQUENCY_MONTHLY",
                "initial_quantity": "1",
            }
        ],
        invoice_collection={"method": "COLLECTION_METHOD_SEND", "retry_days": [3]},
    )
    invoice_id = collected["invoices"][0]["invoice_id"]
    await ask("PayInvoice", invoice_id=invoice_id)
    cent = {"currency_code": "USD", "micros": str(CREDIT // 100)}
    await ask(
        "RefundInvoicePayment", invoice_id=invoice_id, amount=cent, with_credit_note=True, reason="late"
    )
    await ask("RefundInvoicePayment", invoice_id=invoice_id, reason="paid twice")
    await ask(
        "SetInvoiceCollection",
        contract_id=collected["contract"]["contract_id"],
        invoice_collection={"after_last_retry": "AFTER_LAST_RETRY_SUSPEND"},
    )


async def fill_contract(ask: Ask, sold: Json) -> None:
    """Call every write of Contract."""
    await ask("CreateCustomer", name="Acme", aliases=["acme", "acme-inc"])
    await ask("CreateCustomer", name="Globex")
    await ask("SetCustomerAliases", customer="acme", aliases=["acme"])
    await ask("RenameCustomer", customer="acme", name="Acme")
    await ask("SuspendCustomer", customer="acme")
    await ask("ResumeCustomer", customer="acme")
    await ask(
        "SuspendCustomer", customer="acme", reason="SUSPENSION_REASON_PAYMENT_OVERDUE", note="invoice 7"
    )
    await ask("ResumeCustomer", customer="acme", reason="SUSPENSION_REASON_PAYMENT_OVERDUE")
    await ask("ArchiveCustomer", customer="acme")
    await ask("UnarchiveCustomer", customer="acme")
    annual = {
        "product_id": sold["seats"],
        "billing_frequency": "BILLING_FREQUENCY_ANNUAL",
        "initial_quantity": "4",
        "proration": {
            "is_prorated": True,
            "invoicing": "SEAT_INVOICING_BILL_IMMEDIATELY",
            "rounding": "ROUNDING_FLOOR",
        },
    }
    monthly = {
        "product_id": sold["seats"],
        "billing_frequency": "BILLING_FREQUENCY_MONTHLY",
        "initial_quantity": "1",
    }
    included = {
        "product_id": sold["included"],
        "credit_type_id": sold["credit_type_id"],
        "unit_amount_micros": str(100 * CREDIT),
        "frequency": "GRANT_FREQUENCY_MONTHLY",
        "subscription_index": 0,
        "prorates_increases": True,
        "scope_product_ids": [sold["assistant"]],
    }
    signed = await ask(
        "CreateContract",
        customer="acme",
        name="Acme 2025",
        rate_card_id=sold["rate_card_id"],
        start_time=JUNE,
        end_time="2026-06-01T00:00:00Z",
        subscriptions=[annual, monthly],
        grant_schedules=[included],
    )
    await ask(
        "CreateContract",
        customer="acme",
        rate_card_id=sold["rate_card_id"],
        start_time=JUNE,
        subscriptions=[monthly],
        term={"months": 12, "renews": True, "notice_days": 30},
    )
    welcome = {
        "product_id": sold["included"],
        "credit_type_id": sold["credit_type_id"],
        "unit_amount_micros": str(5 * CREDIT),
        "frequency": "GRANT_FREQUENCY_ANNUAL",
        "anchor_time": JUNE,
        "priority": 7,
        "period_proration": "PERIOD_PRORATION_NONE",
        "commit_duration": 2,
    }
    open_ended = await ask(
        "CreateContract",
        customer="acme",
        rate_card_id=sold["rate_card_id"],
        start_time=JUNE,
        grant_schedules=[welcome],
    )
    contract_id = signed["contract"]["contract_id"]
    at = {"effective_time": "2025-06-15T00:00:00Z"}
    first, second = (one["subscription_id"] for one in signed["contract"]["subscriptions"])
    await ask("ChangeSeats", contract_id=contract_id, subscription_id=first, quantity_delta="2")
    await ask("ChangeSeats", contract_id=contract_id, subscription_id=second, new_quantity="3", **at)
    await ask("ChangeSeats", contract_id=contract_id, subscription_id=first, quantity_delta="-1", **at)
    paid = await ask(
        "OrderTopUp",
        contract_id=contract_id,
        top_up_pack_id=sold["pack"],
        payment_gate="PAYMENT_GATE_EXTERNAL",
    )
    await ask(
        "ResolveTopUpPayment",
        top_up_id=paid["top_up"]["top_up_id"],
        outcome="PAYMENT_OUTCOME_PAID",
        payment_reference="pay-1",
    )
    bought_by_mistake = {"top_up_id": paid["top_up"]["top_up_id"], "reason": "bought by mistake"}
    cents = {"currency_code": "USD", "micros": "10010000"}
    await ask("RefundTopUp", **bought_by_mistake, amount=cents)
    await ask("RefundTopUp", **bought_by_mistake, amount=cents, accept_debt=True)
    await ask("RefundTopUp", **bought_by_mistake)
    dispute = {"top_up_id": paid["top_up"]["top_up_id"], "chargeback_id": "case-1"}
    await ask("ReportTopUpChargeback", **dispute, dispute_outcome="DISPUTE_OUTCOME_OPENED", amount=cents)
    await ask("ReportTopUpChargeback", **dispute, dispute_outcome="DISPUTE_OUTCOME_WON")
    unpaid = await ask(
        "OrderTopUp", contract_id=contract_id, terms=sold["terms"], payment_gate="PAYMENT_GATE_EXTERNAL"
    )
    await ask(
        "ResolveTopUpPayment",
        top_up_id=unpaid["top_up"]["top_up_id"],
        outcome="PAYMENT_OUTCOME_DECLINED",
        error_code="card_declined",
        error_message="Your card was declined.",
    )
    await ask(
        "ResolveTopUpPayment", top_up_id=unpaid["top_up"]["top_up_id"], outcome="PAYMENT_OUTCOME_FAILED"
    )
    unwanted = await ask(
        "OrderTopUp", contract_id=contract_id, terms=sold["terms"], payment_gate="PAYMENT_GATE_EXTERNAL"
    )
    await ask("CancelTopUp", top_up_id=unwanted["top_up"]["top_up_id"])
    await ask("OrderTopUp", contract_id=contract_id, terms=sold["terms"], payment_gate="PAYMENT_GATE_NONE")
    await ask("BuyTopUp", contract_id=contract_id, top_up_pack_id=sold["pack"])
    plain = await ask(
        "CreateContract",
        customer="acme",
        rate_card_id=sold["rate_card_id"],
        start_time=JUNE,
        subscriptions=[annual],
    )
    await fill_invoices(ask, signed["invoices"][0]["invoice_id"], plain["invoices"][0]["invoice_id"])
    await ask("AdjustSeats", contract_id=contract_id, subscription_id=first, quantity_delta="1")
    await _name_seats(ask, contract_id, second)
    later = await ask(
        "ChangeSeats",
        contract_id=contract_id,
        subscription_id=first,
        quantity_delta="3",
        effective_time="2025-06-20T00:00:00Z",
    )
    await ask(
        "VoidSeatChange", contract_id=contract_id, seat_change_id=later["seat_change"]["seat_change_id"]
    )
    mistaken = await ask("ChangeSeats", contract_id=contract_id, subscription_id=first, quantity_delta="1")
    await ask(
        "VoidSeatChange",
        contract_id=contract_id,
        seat_change_id=mistaken["seat_change"]["seat_change_id"],
        money_back="MONEY_BACK_CREDIT_UNUSED",
    )
    rollover = {"fraction_millionths": 500_000, "cap_micros": str(CREDIT), "duration": 3}
    rolling = {**included, "interval_count": 2, "rollover": rollover}
    await ask(
        "CreateContract",
        customer="acme",
        rate_card_id=sold["rate_card_id"],
        start_time=JUNE,
        subscriptions=[monthly],
        grant_schedules=[rolling],
    )
    await _edit_schedules(ask, signed["contract"], [sold["assistant"]])
    limit = {"credit_type_id": sold["credit_type_id"], "cap_micros": str(50 * CREDIT)}
    await ask(
        "SetOveragePolicy",
        contract_id=signed["contract"]["contract_id"],
        overage_policy={"mode": "OVERAGE_MODE_OVERAGE", "limits": [limit]},
    )
    await ask(
        "ChangePlan",
        contract_id=contract_id,
        name="Acme, smaller",
        rate_card_id=sold["rate_card_id"],
        subscriptions=[monthly],
        included_credits="INCLUDED_CREDITS_KEEP",
    )
    await _change_to_offer(ask, sold, monthly, included, limit)
    await ask("EndContract", contract_id=open_ended["contract"]["contract_id"])
    await ask("ResendCustomer", customer="acme")
    quarterly = {
        "product_id": sold["seats"],
        "billing_frequency": "BILLING_FREQUENCY_QUARTERLY",
        "collection_schedule": "COLLECTION_SCHEDULE_ARREARS",
        "interval_count": 2,
        "anchor_day": 1,
        "initial_quantity": "12",
    }
    await ask(
        "CreateContract",
        customer="acme",
        rate_card_id=sold["rate_card_id"],
        start_time=JUNE,
        subscriptions=[quarterly],
    )
    await ask("SuspendCustomer", customer="acme")  # so that a reason is stored


async def _change_to_offer(ask: Ask, sold: Json, seats: Json, schedule: Json, limit: Json) -> None:
    """Offer a plan, change a contract of Acme to it, and archive the offer."""
    signed = await ask("CreateContract", customer="acme", rate_card_id=sold["rate_card_id"], start_time=JUNE)
    offer = await ask(
        "CreatePlanOffer",
        name="Business",
        description="For teams",
        rate_card_id=sold["rate_card_id"],
        subscriptions=[seats],
        grant_schedules=[schedule],
        overage_policy={"mode": "OVERAGE_MODE_OVERAGE", "limits": [limit]},
        customers=["acme"],
        accept_unprorated=True,
    )
    plan_offer_id = offer["plan_offer"]["plan_offer_id"]
    await ask(
        "ChangeOwnPlan",
        contract_id=signed["contract"]["contract_id"],
        plan_offer_id=plan_offer_id,
        quantities=["3"],
    )
    await ask("ArchivePlanOffer", plan_offer_id=plan_offer_id)


async def _name_seats(ask: Ask, contract_id: str, subscription_id: str) -> None:
    """Name the seats of a subscription, and change who has them."""
    seats = {"contract_id": contract_id, "subscription_id": subscription_id}
    everyone = {"access": "SHARED_POOL_ACCESS_EVERYONE"}
    await ask("NameSeats", **seats, seat_group_key="user_id", seat_ids=["ann"], shared_pool=everyone)
    await ask("ChangeSeats", **seats, quantity_delta="2", assign_seat_ids=["bob"])
    await ask(
        "ChangeSeats",
        **seats,
        assign_seat_ids=["cleo"],
        unassign_seat_ids=["bob"],
        transfers=[{"from_seat_id": "ann", "to_seat_id": "eve"}],
    )
    listed = {"access": "SHARED_POOL_ACCESS_LISTED", "seat_ids": ["eve"]}
    await ask("SetSharedPoolAccess", **seats, shared_pool=listed)


async def _edit_schedules(ask: Ask, contract: Json, product_ids: list[str]) -> None:
    """Edit the first schedule of a contract, and end it."""
    schedule = {
        "contract_id": contract["contract_id"],
        "grant_schedule_id": contract["grant_schedules"][0]["grant_schedule_id"],
    }
    terms = {"unit_amount_micros": str(200 * CREDIT), "scope": {"product_ids": product_ids}}
    rollover = {"fraction_millionths": 250_000, "duration": 1}
    await ask(
        "EditGrantSchedule",
        **schedule,
        **terms,
        effective_time="2025-07-01T00:00:00Z",
        rollover=rollover,
    )
    await ask("EditGrantSchedule", **schedule, priority=2, removes_rollover=True)
    await ask("EndGrantSchedule", **schedule, end_time="2026-01-01T00:00:00Z")
    await ask("RepriceSeats", contract_id=schedule["contract_id"])


async def fill_invoices(ask: Ask, invoice_id: str, waived: str) -> None:
    """Call every write of Contract that changes an invoice, from two that are OPEN.

    waived: one whose seats bring no credits.
    """
    void = await ask("VoidInvoice", invoice_id=invoice_id, reason="wrong address", regenerate=True)
    again = void["regenerated"]["invoice_id"]
    party = {"name": "Acme GmbH", "address_lines": ["Ring 1", "1010 Wien"], "tax_ids": ["UID ATU12345678"]}
    await ask(
        "SetBillingDetails",
        customer="acme",
        billing_details={
            "party": party,
            "time_zone": "Europe/Vienna",
            "language": "de-AT",
            "taxes": [{"name": "USt.", "rate_micros": "200000"}],
        },
    )
    await ask("SetSellerDetails", seller={"name": "SeatsCo"})
    fee = {"name": "Fee", "amount": {"currency_code": "USD", "micros": str(CREDIT)}}
    await ask("FinalizeInvoice", invoice_id=again, taxes=[{"name": "VAT", "rate_micros": "75000"}, fee])
    await ask(
        "RecordInvoicePayment",
        invoice_id=again,
        amount={"currency_code": "USD", "micros": str(10 * CREDIT)},
        reference="transfer-1",
    )
    credited = await ask(
        "CreateCreditNote",
        invoice_id=again,
        amount={"currency_code": "USD", "micros": str(20 * CREDIT)},
        reason="a broken promise",
    )
    line_id = credited["invoice"]["lines"][0]["invoice_line_id"]
    await ask(
        "CreateCreditNote",
        invoice_id=again,
        lines=[{"invoice_line_id": line_id, "amount": {"currency_code": "USD", "micros": str(400 * CREDIT)}}],
        reason="all of it",
    )
    await ask("VoidInvoice", invoice_id=waived, reason="a present")


async def fill_ledger(ask: Ask) -> None:
    """Call every write of the Ledger, after what peers tell it."""
    await ask(
        "ApplyMetrics",
        product_id="prd_assistant",
        version="1",
        name="AI Assistant",
        billable_metric_id="met_1",
        event_type="ai_call",
        aggregation="AGGREGATION_SUM",
        sum_property="units",
        filters=[
            {"property": "model", "in_values": ["large"]},
            {"property": "region", "not_in_values": ["test"]},
            {"property": "user_id", "exists": True},
        ],
        group_keys=["user_id"],
    )
    for rounding in ("UNSPECIFIED", "UP", "DOWN", "HALF_UP"):
        await ask(
            "ApplyMetrics",
            product_id=f"prd_tokens_{rounding}",
            version="1",
            name="Tokens",
            billable_metric_id="met_2",
            event_type="ai_call",
            aggregation="AGGREGATION_MAX",
            aggregated_property="tokens",
            conversion={
                "priced_micros": "1000000",
                "per_micros": "1000000000",
                "rounding": f"QUANTITY_ROUNDING_{rounding}",
            },
            pricing_dimensions=[
                {"key": "model", "property": "ai_model"},
                {
                    "key": "context",
                    "property": "prompt_tokens",
                    "bands": [{"value": "short", "up_to_micros": "200000000000"}, {"value": "long"}],
                },
            ],
        )
    rate = {
        "rate_id": "rat_1",
        "product_id": "prd_assistant",
        "credit_type_id": "crt_ai",
        "price_micros": str(12 * CREDIT),
        "per_micros": "1000000",
        "effective_time": "2025-01-01T00:00:00Z",
    }
    tiers = {
        **rate,
        "rate_id": "rat_2",
        "product_id": "prd_tokens_UP",
        "rate_type": "RATE_TYPE_GRADUATED",
        "tiers": [
            {"up_to_micros": "1000000000", "price_micros": str(CREDIT), "per_micros": "1000000"},
            {"price_micros": str(CREDIT), "per_micros": "4000000"},
        ],
        "dimension_values": {"model": "large"},
    }
    await ask("ApplyRateCard", rate_card_id="rcd_main", version="1", rates=[rate, tiers])
    await ask("ApplyCustomer", customer_id="cus_acme", version="1", aliases=["acme"])
    await ask(
        "ApplyContract",
        customer_id="cus_acme",
        contract_id="con_1",
        version="1",
        rate_card_id="rcd_main",
        start_time=JUNE,
    )
    watch = {"version": "1", "is_active": True, "customer_id": "cus_acme", "credit_type_id": "crt_ai"}
    await ask(
        "WatchThreshold",
        alert_id="alr_1",
        watch_kind="WATCH_KIND_LOW_BALANCE",
        threshold_micros=str(900 * CREDIT),
        **watch,
    )
    await ask("SetTopUpLevel", auto_top_up_id="atu_1", threshold_micros=str(900 * CREDIT), **watch)
    event = {"customer": "acme", "event_type": "ai_call", "timestamp": JUNE}
    properties = {"model": "large", "region": "eu", "user_id": "ann", "units": "1.5"}
    await ask(
        "RecordUsage",
        events=[
            {**event, "transaction_id": "tx-1", "properties": properties},
            {**event, "transaction_id": "tx-2", "event_type": "login"},
            {
                **event,
                "transaction_id": "tx-3",
                "timestamp": "2025-05-31T00:00:00Z",
                "properties": properties,
            },
        ],
    )
    pool = {"customer": "acme", "credit_type_id": "crt_ai"}
    await ask(
        "IssueGrant",
        **{**pool, "customer": "cus_acme"},
        grant_kind="GRANT_KIND_TOP_UP",
        priority=100,
        amount_micros=str(1_000 * CREDIT),
        cost_basis_micros=str(80 * CREDIT),
        product_id="prd_included",
        effective_time=JUNE,
        source_id="order_1",
    )
    await ask(
        "IssueGrant",
        **pool,
        grant_kind="GRANT_KIND_PROMOTIONAL",
        amount_micros=str(10 * CREDIT),
        priority=7,
        effective_time=JUNE,
        expire_time="2025-09-01T00:00:00Z",
        scope_product_ids=["prd_b", "prd_assistant", "prd_a"],
    )
    await ask(
        "IssueTopUpGrant",
        customer_id="cus_acme",
        credit_type_id="crt_ai",
        top_up_id="top_2",
        amount_micros=str(500 * CREDIT),
        cost_basis_micros=str(40 * CREDIT),
        product_id="prd_included",
        effective_time=JUNE,
        expire_time="2026-06-01T00:00:00Z",
    )
    returned = {"customer_id": "cus_acme", "top_up_id": "top_2"}
    await ask("RefundGrant", **returned, voided_at_least_micros=str(125_125_000))
    disputed = {**returned, "refund_id": "rfd_1"}
    await ask("RefundGrant", **disputed, accept_debt=True, currency_code="USD")
    await ask("ReverseRefund", **disputed)
    gift = await ask(
        "IssueGrant",
        **pool,
        grant_kind="GRANT_KIND_PROMOTIONAL",
        amount_micros=str(20 * CREDIT),
        effective_time=JUNE,
        expire_time="2025-07-01T00:00:00Z",
    )
    await ask(
        "VoidGrant",
        customer="acme",
        grant_id=gift["grant"]["grant_id"],
        reason="issued by mistake",
        actor="ops@seatsco.example",
    )
    said = {"reason": "goodwill", "actor": "ops@seatsco.example"}
    await ask(
        "AdjustBalance", **pool, amount_micros=str(5 * CREDIT), expire_time="2025-07-01T00:00:00Z", **said
    )
    await ask("AdjustBalance", **pool, amount_micros=str(-5 * CREDIT), **said)
    cap = await ask(
        "SetSpendCap", **pool, group_key="user_id", group_value="ann", limit_micros=str(600 * CREDIT)
    )
    await ask(
        "SetSpendCap", **pool, group_key="user_id", limit_micros=str(900 * CREDIT), window="CAP_WINDOW_DAY"
    )
    await ask("RemoveSpendCap", customer="acme", spend_cap_id=cap["spend_cap"]["spend_cap_id"])
    week = {"scope": "CAP_SCOPE_CUSTOMER", "window": "CAP_WINDOW_WEEK"}
    own = await ask("SetOwnSpendCap", **pool, **week, limit_micros=str(800 * CREDIT))
    await ask("RemoveOwnSpendCap", customer="acme", spend_cap_id=own["spend_cap"]["spend_cap_id"])
    group = {"customer": "acme", "group_key": "user_id", "name": "Support"}
    made = await ask("SetCapGroup", **group, group_values=["bob", "cid"])
    await ask("RemoveCapGroup", customer="acme", cap_group_id=made["cap_group"]["cap_group_id"])
    await ask("SetTimeZone", customer="acme", time_zone="Europe/Berlin")
    await use_leases(ask)
    busy = await ask("SetConcurrencyCap", **pool, group_key="user_id", group_value="bob", holds_max=2)
    await ask("SetConcurrencyCap", **pool, holds_max=100)
    await ask("SetConcurrencyCap", **pool, product_id="prd_assistant", holds_max=50)
    busy_id = busy["concurrency_cap"]["concurrency_cap_id"]
    await ask("RemoveConcurrencyCap", customer="acme", concurrency_cap_id=busy_id)
    await ask(
        "SetConcurrencyCap", **pool, group_key="user_id", group_value="eve", holds_max=0, is_shadow=True
    )
    await ask("SetShadowMode", customer="acme", product_id="prd_assistant", is_on=False)
    used = {"customer": "acme", "product_id": "prd_assistant"}
    by_ann = {"group_values": {"user_id": "ann", "team": "red", "feature": "chat"}}

    async def hold(**more: Json) -> Json:
        allowed = await ask("Authorize", **used, **more)
        return {"customer": "acme", "hold_id": allowed["hold_id"]}

    captured = await hold(quantity_micros="2000000", **by_ann, hold_ttl="600s")
    await ask("ExtendHold", **captured, credits_micros=str(6 * CREDIT), hold_ttl="900s")
    await ask("Capture", **captured, quantity_micros="1500000")
    released = await hold(credits_micros=str(5_000 * CREDIT), allow_partial=True)
    await ask("Release", **released)
    await ask("Capture", **await hold(credits_micros=str(3 * CREDIT)))
    await ask("ReleaseHold", **await hold(credits_micros=str(CREDIT)), **said)
    void = {"customer": "acme", "reason": "reported twice", "actor": "ops@seatsco.example"}
    await ask("AmendUsage", **void, transaction_id="tx-2", properties=properties, timestamp=JUNE)
    await ask("VoidUsage", **void, transaction_id="tx-2")
    await ask("VoidUsage", **void, hold_id=captured["hold_id"])
    await ask("Debit", **used, credits_micros=str(100 * CREDIT), **by_ann)
    await ask("Debit", **used, quantity_micros="500000")
    tokens = {
        "product_id": "prd_tokens_UP",
        "quantity_micros": "1500000000",
        "properties": {"ai_model": "large", "prompt_tokens": "1500"},
    }
    lines = {"lines": [{"product_id": "prd_assistant", "quantity_micros": "1000000"}, tokens]}
    of_lines = await ask("Authorize", customer="acme", **lines, **by_ann)
    await ask("Capture", customer="acme", hold_id=of_lines["hold_id"], lines=[tokens])
    await ask("Debit", customer="acme", **lines)
    tried = {"group_key": "user_id", "group_value": "eve", "limit_micros": "0", "is_shadow": True}
    await ask("SetSpendCap", **pool, **tried)
    by_eve = {"group_values": {"user_id": "eve"}}
    allowed = await hold(credits_micros=str(2 * CREDIT), **by_eve)
    await ask("ExtendHold", **allowed, credits_micros=str(CREDIT))
    await ask("Release", **allowed)
    await ask("Debit", **used, credits_micros=str(CREDIT), **by_eve)
    of_lines = await ask("Authorize", customer="acme", **lines, **by_eve)
    await ask("Release", customer="acme", hold_id=of_lines["hold_id"])
    await ask("Debit", customer="acme", **lines, **by_eve)
    span = {"start_time": JUNE, "end_time": "2025-07-01T00:00:00Z"}
    await ask("RerateUsage", **void, **span, product_id="prd_assistant")
    await ask("RepairCopy", **said, copy_kind="COPY_KIND_CUSTOMER", copy_id="cus_acme")
    await _change_plan(ask)
    await _edit_schedule(ask)


async def _edit_schedule(ask: Ask) -> None:
    """Sign a contract whose schedule rolls over, and has other terms from July on."""
    rollover = {"fraction_millionths": 500_000, "cap_micros": str(50 * CREDIT), "duration": 2}
    terms = {
        "unit_amount_micros": str(100 * CREDIT),
        "priority": 1,
        "period_proration": "PERIOD_PRORATION_LAST",
        "commit_duration": 1,
        "rollover": {"fraction_millionths": 1_000_000, "duration": 1},
    }
    edition = {
        **terms,
        "effective_time": "2025-07-01T00:00:00Z",
        "scope_product_ids": ["prd_assistant", "prd_tokens"],
        "rollover": rollover,
    }
    schedule = {
        **terms,
        "grant_schedule_id": "sch_weekly",
        "product_id": "prd_included",
        "credit_type_id": "crt_ai",
        "frequency": "GRANT_FREQUENCY_WEEKLY",
        "interval_count": 2,
        "anchor_time": JUNE,
        "editions": [edition, {**edition, "effective_time": "2025-08-01T00:00:00Z", "rollover": None}],
    }
    await ask(
        "ApplyContract",
        customer_id="cus_moving",
        contract_id="con_weekly",
        version="1",
        rate_card_id="rcd_main",
        start_time=JUNE,
        grant_schedules=[schedule],
    )


async def _change_plan(ask: Ask) -> None:
    """Move a customer from 4 seats with 100 credits a month to a plan without credits."""
    middle, july = "2025-06-16T00:00:00Z", "2025-07-01T00:00:00Z"
    await ask("ApplyCustomer", customer_id="cus_moving", version="1", aliases=[])
    seats = {"subscription_id": "sub_old", "initial_quantity": "4"}
    schedule = {
        "grant_schedule_id": "sch_old",
        "product_id": "prd_included",
        "credit_type_id": "crt_ai",
        "unit_amount_micros": str(100 * CREDIT),
        "subscription_id": "sub_old",
        "frequency": "GRANT_FREQUENCY_MONTHLY",
        "anchor_time": JUNE,
        "priority": 1,
        "period_proration": "PERIOD_PRORATION_FIRST_AND_LAST",
        "commit_duration": 1,
    }
    old = {
        "contract_id": "con_old",
        "rate_card_id": "rcd_main",
        "start_time": JUNE,
        "subscriptions": [seats],
        "grant_schedules": [schedule],
    }
    await ask("ApplyContract", customer_id="cus_moving", version="1", **old)
    paid = {"subscription_id": "sub_old", "start_time": JUNE, "end_time": july}
    mistaken = {"customer_id": "cus_moving", "subscription_id": "sub_old", "seat_change_id": "chg_mistaken"}
    await ask("ApplySeatChange", **mistaken, sequence="1", effective_time=JUNE, quantity_delta="1")
    await ask("VoidSeatChange", **mistaken, paid_period={**paid, "seats": "1"})
    await ask(
        "ApplyPlanChange",
        customer_id="cus_moving",
        ended={**old, "version": "2", "end_time": middle},
        begun={"contract_id": "con_new", "rate_card_id": "rcd_main", "version": "1", "start_time": middle},
        included_credits="INCLUDED_CREDITS_VOID",
        paid_periods=[{**paid, "seats": "4"}],
    )


async def use_leases(ask: Ask) -> None:
    """Take a lease, use and renew it, and end it."""
    by_eve = {"group_values": {"user_id": "eve"}}
    asked = {"customer": "acme", "product_id": "prd_assistant", "credits_micros": str(20 * CREDIT)}
    lease = await ask("Lease", **asked, **by_eve, ttl="60s")
    of_lease = {"customer": "acme", "lease_id": lease["lease_id"]}
    use = {"request_id": "use-1", "credits_micros": str(3 * CREDIT), **by_eve, "use_time": JUNE}
    other = {"request_id": "use-2", "credits_micros": str(CREDIT), "properties": {"model": "large"}}
    renewal = {"credits_micros": str(25 * CREDIT), "ttl": "30s"}
    await ask("SettleLease", **of_lease, uses=[use, other], renewal=renewal)
    await ask("EndLease", **of_lease, uses=[{**use, "request_id": "use-3"}])


async def fill_alert(ask: Ask, url: str) -> None:
    """Call every write of Alert. url: of a receiver of webhooks."""

    async def deliveries() -> list[Json]:
        return (await ask("ListDeliveries")).get("deliveries", [])

    endpoint = await ask("CreateWebhookEndpoint", url=url)
    endpoint_id = endpoint["webhook_endpoint"]["webhook_endpoint_id"]
    await ask("RotateWebhookSecret", webhook_endpoint_id=endpoint_id)
    low = await ask(
        "CreateAlert",
        name="Nearly out of credits",
        alert_type="ALERT_TYPE_LOW_BALANCE",
        customer_id="cus_acme",
        credit_type_id="crt_ai",
        threshold_micros=str(10 * CREDIT),
    )
    spend = await ask(
        "CreateAlert",
        name="Spends much",
        alert_type="ALERT_TYPE_SPEND",
        credit_type_id="crt_ai",
        threshold_micros=str(1_000 * CREDIT),
        group_key="user_id",
        group_value="ann",
    )
    await ask("UpdateAlert", alert_id=low["alert"]["alert_id"], name="Few credits", quiet_period="3600s")
    await ask("PauseAlert", alert_id=low["alert"]["alert_id"])
    await ask("ResumeAlert", alert_id=low["alert"]["alert_id"])
    await ask("ArchiveAlert", alert_id=spend["alert"]["alert_id"])
    seen = {"alert_id": low["alert"]["alert_id"], "customer_id": "cus_acme", "observe_time": JUNE}
    await ask("ObserveCrossing", **seen, in_alarm=True, value_micros=str(8 * CREDIT), sequence="1")
    await ask("ObserveCrossing", **seen, in_alarm=False, value_micros=str(20 * CREDIT), sequence="2")
    await ask(
        "PublishEvent",
        event_type="invoice.paid",
        customer_id="cus_acme",
        event_time=JUNE,
        data_json='{"invoice_id":"inv_1"}',
    )
    repair = {"customer_id": "cus_acme", "reason": "a false crossing", "actor": "ops@seatsco.example"}
    await ask("ResendAlert", alert_id=low["alert"]["alert_id"])
    await ask("RepairAlertState", alert_id=low["alert"]["alert_id"], **repair)
    async with asyncio.timeout(20):
        while not (delivered := [one for one in await deliveries() if one["status"] == DELIVERED]):
            pass
    await ask("ReplayDelivery", delivery_id=delivered[0]["delivery_id"])
    await ask(
        "UpdateWebhookEndpoint",
        webhook_endpoint_id=endpoint_id,
        url=url,
        event_types={"event_types": ["invoice.paid", "alert.in_alarm"]},
        headers={"headers": [{"name": "x-team", "value": "billing"}]},
    )
    await ask("TestWebhookEndpoint", webhook_endpoint_id=endpoint_id)
    await ask(
        "ReplayDeliveries", webhook_endpoint_id=endpoint_id, start_time=JUNE, end_time="2025-06-02T00:00:00Z"
    )
    await ask("DisableWebhookEndpoint", webhook_endpoint_id=endpoint_id)
    await ask("EnableWebhookEndpoint", webhook_endpoint_id=endpoint_id)
    await ask("DisableWebhookEndpoint", webhook_endpoint_id=endpoint_id)


async def fill_own_alerts(ask: Ask) -> None:
    """Call every write of a customer on Alert, which has a mail server."""
    mine = await ask(
        "CreateOwnAlert",
        customer_id="cus_acme",
        name="Ann spends much",
        alert_type="ALERT_TYPE_SPEND",
        credit_type_id="crt_ai",
        threshold_micros=str(100 * CREDIT),
        group_key="user_id",
        group_value="ann",
        window="SPEND_WINDOW_DAY",
    )
    await ask("ArchiveOwnAlert", alert_id=mine["alert"]["alert_id"])
    added = await ask(
        "CreateOwnDestination",
        customer_id="cus_acme",
        address="ann@acme.example",
        event_types=["alert.in_alarm", "invoice.finalized"],
    )
    destination_id = added["destination"]["destination_id"]
    sent = await ask("ListDeliveries", webhook_endpoint_id=destination_id)
    code = json.loads(sent["deliveries"][0]["payload"])["data"]["code"]
    await ask("ConfirmOwnDestination", destination_id=destination_id, code=code)
    await ask("RemoveOwnDestination", destination_id=destination_id)
