# SPDX-License-Identifier: Apache-2.0
"""SeatsCo, the vendor in our examples: its catalog, its customer Acme, and stubs to a mesh. Used by `demo` and `up`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc.aio

from deploy.local.identity import LocalIdentity
from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import span, timestamp
from purser.alert.v1.alert_pb2_grpc import AlertServiceStub
from purser.alert.v1.feed_pb2_grpc import EventFeedServiceStub
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from purser.contract.v1 import contract_pb2 as contract
from purser.contract.v1.auto_top_ups_pb2_grpc import AutoTopUpServiceStub
from purser.contract.v1.contract_pb2_grpc import ContractServiceStub
from purser.contract.v1.payments_pb2_grpc import PaymentServiceStub
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from purser.sandbox.v1.clock_pb2_grpc import ClockServiceStub
from purser.type.v1.money_pb2 import Money

if TYPE_CHECKING:
    # The stubs for aio channels have separate types, which exist only in the .pyi files.
    from purser.alert.v1.alert_pb2_grpc import AlertServiceAsyncStub
    from purser.alert.v1.feed_pb2_grpc import EventFeedServiceAsyncStub
    from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceAsyncStub
    from purser.contract.v1.auto_top_ups_pb2_grpc import AutoTopUpServiceAsyncStub
    from purser.contract.v1.contract_pb2_grpc import ContractServiceAsyncStub
    from purser.contract.v1.payments_pb2_grpc import PaymentServiceAsyncStub
    from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceAsyncStub
    from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceAsyncStub
    from purser.ledger.v1.usage_pb2_grpc import UsageServiceAsyncStub
    from purser.sandbox.v1.clock_pb2_grpc import ClockServiceAsyncStub

OPENING = datetime(2025, 6, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
ASSISTANT, PREVIEW, SUMMARY = "AI Assistant", "AI Preview", "AI Summary"
CREDITS_PER_UNIT = {ASSISTANT: 12, PREVIEW: 5, SUMMARY: 7}
EVENT_TYPES = {ASSISTANT: "ai.assistant", PREVIEW: "ai.preview", SUMMARY: "ai.summary"}
# Measured in tokens, priced by model and kind of token.
RESEARCH, RESEARCH_EVENT = "AI Research", "ai.research"
MICROS_PER_THOUSAND_TOKENS = {
    ("atlas", "input"): 1_000_000,
    ("atlas", "output"): 4_000_000,
    ("mini", "input"): 200_000,
    ("mini", "output"): 800_000,
}


@dataclass(frozen=True, kw_only=True)
class Stubs:
    """The public API of a mesh, service by service."""

    catalog: "CatalogServiceAsyncStub"
    contract: "ContractServiceAsyncStub"
    payments: "PaymentServiceAsyncStub"
    auto_top_ups: "AutoTopUpServiceAsyncStub"
    gate: "LedgerServiceAsyncStub"
    usage: "UsageServiceAsyncStub"
    ledger_admin: "LedgerAdminServiceAsyncStub"
    alert: "AlertServiceAsyncStub"
    feed: "EventFeedServiceAsyncStub"
    clock: "ClockServiceAsyncStub"


@asynccontextmanager
async def open_stubs(
    addresses: Mapping[str, str], identity: LocalIdentity | None = None
) -> AsyncIterator[Stubs]:
    """Yield stubs to the mesh at `addresses` (by service) until the block ends.

    identity: of a local mesh. SeatsCo's back office and its AI features then have a token each. None: insecure.
    """
    vendor, features = None, None
    if identity is not None:
        vendor, features = (
            identity.credentials(identity.token_file(name).read_text().strip()) for name in ("vendor", "gate")
        )
    async with AsyncExitStack() as stack:
        channels = {
            service: await stack.enter_async_context(open_channel(address, vendor))
            for service, address in addresses.items()
        }
        gate = await stack.enter_async_context(open_channel(addresses["ledger"], features))
        yield replace(stubs_of(channels), gate=LedgerServiceStub(gate))


def stubs_of(channels: Mapping[str, grpc.aio.Channel]) -> Stubs:
    """Return the stubs of channels, by service."""
    return Stubs(
        catalog=CatalogServiceStub(channels["catalog"]),
        contract=ContractServiceStub(channels["contract"]),
        payments=PaymentServiceStub(channels["contract"]),
        auto_top_ups=AutoTopUpServiceStub(channels["contract"]),
        gate=LedgerServiceStub(channels["ledger"]),
        usage=UsageServiceStub(channels["ledger"]),
        ledger_admin=LedgerAdminServiceStub(channels["ledger"]),
        alert=AlertServiceStub(channels["alert"]),
        feed=EventFeedServiceStub(channels["alert"]),
        clock=ClockServiceStub(channels["contract"]),
    )


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What SeatsCo sells: the ids that the Catalog assigned. usage: product ids by name."""

    ai_credits: str
    team_plan: str
    included: str
    top_up: str
    usage: Mapping[str, str]
    rate_card: str = ""
    pack: str = ""


async def define_products(stubs: Stubs) -> Offer:
    """Define SeatsCo's credit type, metrics and products. Repeating it returns the same ids (request_id)."""
    created = await stubs.catalog.CreateCreditType(
        catalog.CreateCreditTypeRequest(request_id="seatsco-credit-type", name="AI credits")
    )
    usage = {}
    for name, event_type in EVENT_TYPES.items():
        metric = await stubs.catalog.CreateBillableMetric(
            catalog.CreateBillableMetricRequest(
                request_id=f"seatsco-metric-{event_type}",
                name=f"{name} units",
                event_type=event_type,
                aggregation=catalog.AGGREGATION_SUM,
                sum_property="units",
                group_keys=["user_id"],
            )
        )
        usage[name] = await _product(
            stubs, name, catalog.PRODUCT_TYPE_USAGE, metric.billable_metric.billable_metric_id
        )
    usage[RESEARCH] = await _define_research(stubs)
    return Offer(
        ai_credits=created.credit_type.credit_type_id,
        team_plan=await _product(stubs, "Team Plan", catalog.PRODUCT_TYPE_SUBSCRIPTION),
        included=await _product(stubs, "Included AI credits", catalog.PRODUCT_TYPE_FIXED),
        top_up=await _product(stubs, "AI credit top-up", catalog.PRODUCT_TYPE_FIXED),
        usage=usage,
    )


async def _define_research(stubs: Stubs) -> str:
    """Define the product that is measured in tokens and priced by model and kind of token."""
    metric = await stubs.catalog.CreateBillableMetric(
        catalog.CreateBillableMetricRequest(
            request_id=f"seatsco-metric-{RESEARCH_EVENT}",
            name=f"{RESEARCH} tokens",
            event_type=RESEARCH_EVENT,
            aggregation=catalog.AGGREGATION_SUM,
            aggregated_property="tokens",
            group_keys=["user_id"],
        )
    )
    return await _product(
        stubs,
        RESEARCH,
        catalog.PRODUCT_TYPE_USAGE,
        metric.billable_metric.billable_metric_id,
        conversion=catalog.QuantityConversion(priced_micros=MICROS, per_micros=1_000 * MICROS),
        pricing_dimensions=[
            catalog.PricingDimension(key="model", values=["atlas", "mini"]),
            catalog.PricingDimension(key="token_kind", values=["input", "output"]),
        ],
    )


async def _product(
    stubs: Stubs, name: str, kind: catalog.ProductType, metric_id: str = "", **more: object
) -> str:
    created = await stubs.catalog.CreateProduct(
        catalog.CreateProductRequest(
            request_id=f"seatsco-product-{name.replace(' ', '-')}",
            name=name,
            product_type=kind,
            billable_metric_id=metric_id,
            **more,  # type: ignore[arg-type]
        )
    )
    return created.product.product_id


async def set_prices(stubs: Stubs, offer: Offer) -> Offer:
    """Create the rate card with prices for seats and usage, and the top-up pack of 1,000 credits for $80."""
    card = await stubs.catalog.CreateRateCard(
        catalog.CreateRateCardRequest(
            request_id="seatsco-rate-card",
            name="SeatsCo list prices",
            fiat_credit_type_id="USD",
            conversions=[
                catalog.CreditConversion(credit_type_id=offer.ai_credits, fiat_per_credit_micros=MICROS)
            ],
        )
    )
    rate_card = card.rate_card.rate_card_id
    seat_prices = {catalog.BILLING_FREQUENCY_ANNUAL: 100, catalog.BILLING_FREQUENCY_MONTHLY: 10}
    opening = timestamp(OPENING)
    seats = [
        catalog.RateTerms(
            product_id=offer.team_plan,
            billing_frequency=frequency,
            credit_type_id="USD",
            price_micros=dollars * MICROS,
            effective_time=opening,
        )
        for frequency, dollars in seat_prices.items()
    ]
    usage = [
        catalog.RateTerms(
            product_id=offer.usage[name],
            credit_type_id=offer.ai_credits,
            price_micros=credits * MICROS,
            effective_time=opening,
        )
        for name, credits in CREDITS_PER_UNIT.items()
    ]
    usage += [
        catalog.RateTerms(
            product_id=offer.usage[RESEARCH],
            credit_type_id=offer.ai_credits,
            price_micros=price_micros,
            effective_time=opening,
            dimension_values={"model": model, "token_kind": kind},
        )
        for (model, kind), price_micros in MICROS_PER_THOUSAND_TOKENS.items()
    ]
    await stubs.catalog.AddRates(
        catalog.AddRatesRequest(request_id="seatsco-rates", rate_card_id=rate_card, rates=[*seats, *usage])
    )
    pack = await stubs.catalog.CreateTopUpPack(
        catalog.CreateTopUpPackRequest(
            request_id="seatsco-pack",
            name="1,000 AI credits",
            product_id=offer.top_up,
            credit_type_id=offer.ai_credits,
            amount_micros=1_000 * MICROS,
            price=Money(currency_code="USD", micros=80 * MICROS),
            priority=100,
            lifetime=span(YEAR),
        )
    )
    return Offer(
        ai_credits=offer.ai_credits,
        team_plan=offer.team_plan,
        included=offer.included,
        top_up=offer.top_up,
        usage=offer.usage,
        rate_card=rate_card,
        pack=pack.top_up_pack.top_up_pack_id,
    )


UNNAMED: Mapping[str, Any] = {"quantity_management": contract.QUANTITY_MANAGEMENT_QUANTITY_ONLY}
# Seats with names, whose credits remain pooled.
NAMED: Mapping[str, Any] = {
    "quantity_management": contract.QUANTITY_MANAGEMENT_SEAT_BASED,
    "seat_group_key": "user_id",
    "shared_pool": contract.SharedPool(access=contract.SHARED_POOL_ACCESS_EVERYONE),
}


async def sign_acme(
    stubs: Stubs, offer: Offer, *, name: str = "Acme Inc.", alias: str = "acme", people: Sequence[str] = ()
) -> contract.CreateContractResponse:
    """Create a customer and its contract: four annual seats, each with 100 pooled AI credits a month.

    people: who has the seats, by the user_id of their usage; none: the seats are without names.
    """
    await stubs.contract.CreateCustomer(
        contract.CreateCustomerRequest(request_id=f"seatsco-{alias}", name=name, aliases=[alias])
    )
    return await stubs.contract.CreateContract(
        contract.CreateContractRequest(
            request_id=f"seatsco-{alias}-contract",
            customer=alias,
            name="Team Plan, annual",
            rate_card_id=offer.rate_card,
            start_time=timestamp(OPENING),
            subscriptions=[
                team_plan(
                    offer,
                    billing_frequency=contract.BILLING_FREQUENCY_ANNUAL,
                    seats=4,
                    **({**NAMED, "initial_seat_ids": people} if people else UNNAMED),
                )
            ],
            grant_schedules=[included_credits(offer)],
        )
    )


def team_plan(
    offer: Offer, *, billing_frequency: contract.BillingFrequency, seats: int, **naming: Any
) -> contract.SubscriptionTerms:
    """Return the terms of the plan's seats. naming: NAMED or UNNAMED, and who has the seats."""
    return contract.SubscriptionTerms(
        product_id=offer.team_plan,
        billing_frequency=billing_frequency,
        collection_schedule=contract.COLLECTION_SCHEDULE_ADVANCE,
        initial_quantity=seats,
        proration=contract.SeatProration(
            is_prorated=True, invoicing=contract.SEAT_INVOICING_BILL_IMMEDIATELY
        ),
        **naming,
    )


def included_credits(offer: Offer) -> contract.GrantScheduleTerms:
    """Return the terms of 100 pooled AI credits per seat and month."""
    return contract.GrantScheduleTerms(
        product_id=offer.included,
        credit_type_id=offer.ai_credits,
        unit_amount_micros=100 * MICROS,
        subscription_index=0,
        frequency=contract.GRANT_FREQUENCY_MONTHLY,
        allocation=contract.ALLOCATION_POOLED,
        priority=1,
        prorates_increases=True,
    )
