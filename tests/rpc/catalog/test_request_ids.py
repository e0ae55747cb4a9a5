# SPDX-License-Identifier: Apache-2.0
"""Every write, asked again: the first answer and one effect; asked otherwise: REQUEST_ID_REUSED."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import JULY, JUNE, CatalogStub, Shop, a_rate
from tests.support.faults import fault


@dataclass(frozen=True, kw_only=True)
class Write:
    """An rpc that writes: a good request, the same id with another body, and what is there after it."""

    rpc: str
    request: Callable[[Shop], Awaitable[Any]]
    other_body: Callable[[Any], object]
    effects: Callable[[CatalogStub, Any], Awaitable[Sequence[Message]]]


async def _credit_type(shop: Shop) -> pb.CreateCreditTypeRequest:
    return pb.CreateCreditTypeRequest(request_id="r1", name="AI credits")


async def _metric(shop: Shop) -> pb.CreateBillableMetricRequest:
    return pb.CreateBillableMetricRequest(
        request_id="r1", name="calls", event_type="ai.call", aggregation=pb.AGGREGATION_COUNT
    )


async def _archive_metric(shop: Shop) -> pb.ArchiveBillableMetricRequest:
    metric = await shop.metric()
    return pb.ArchiveBillableMetricRequest(request_id="r1", billable_metric_id=metric.billable_metric_id)


async def _product(shop: Shop) -> pb.CreateProductRequest:
    return pb.CreateProductRequest(
        request_id="r1", name="Team Plan", product_type=pb.PRODUCT_TYPE_SUBSCRIPTION
    )


async def _rename(shop: Shop) -> pb.UpdateProductRequest:
    product = await shop.product()
    return pb.UpdateProductRequest(request_id="r1", product_id=product.product_id, name="Renamed")


async def _archive_product(shop: Shop) -> pb.ArchiveProductRequest:
    product = await shop.product()
    return pb.ArchiveProductRequest(request_id="r1", product_id=product.product_id)


async def _resend_product(shop: Shop) -> pb.ResendProductRequest:
    return pb.ResendProductRequest(request_id="r1", product_id=(await shop.usage()).product_id)


async def _resend_card(shop: Shop) -> pb.ResendRateCardRequest:
    return pb.ResendRateCardRequest(request_id="r1", rate_card_id=(await shop.card()).rate_card_id)


async def _rate_card(shop: Shop) -> pb.CreateRateCardRequest:
    return pb.CreateRateCardRequest(request_id="r1", name="List prices", fiat_credit_type_id="USD")


async def _rates(shop: Shop) -> pb.AddRatesRequest:
    card, product = await shop.card(), await shop.usage()
    return pb.AddRatesRequest(
        request_id="r1",
        rate_card_id=card.rate_card_id,
        rates=[a_rate(product), a_rate(product, start=JULY, end_previous=True)],
    )


async def _rate(shop: Shop, start: datetime) -> pb.Rate:
    return (await shop.add(await shop.card(), a_rate(await shop.usage(), start=start))).rates[0]


async def _withdraw(shop: Shop) -> pb.WithdrawRateRequest:
    return pb.WithdrawRateRequest(request_id="r1", rate_id=(await _rate(shop, JULY)).rate_id)


async def _end(shop: Shop) -> pb.EndRateRequest:
    rate = await _rate(shop, JUNE)
    return pb.EndRateRequest(request_id="r1", rate_id=rate.rate_id, end_time=timestamp(JULY))


async def _correct(shop: Shop) -> pb.CorrectRateRequest:
    rate = await _rate(shop, JUNE)
    return pb.CorrectRateRequest(request_id="r1", rate_id=rate.rate_id, price_micros=1)


async def _pack(shop: Shop) -> pb.CreateTopUpPackRequest:
    product, credits = await shop.product(), await shop.credit_type()
    return pb.CreateTopUpPackRequest(
        request_id="r1",
        name="1,000 credits",
        product_id=product.product_id,
        credit_type_id=credits.credit_type_id,
        amount_micros=1,
        price=Money(currency_code="USD", micros=1),
    )


def _name(request: Any) -> None:
    request.name += " too"


def _price(request: Any) -> None:
    request.rates[0].price_micros += 1


def _other_rate(request: Any) -> None:
    request.rate_id += "x"


def _other_metric(request: Any) -> None:
    request.billable_metric_id += "x"


def _other_card(request: Any) -> None:
    request.rate_card_id += "x"


def _other_product(request: Any) -> None:
    request.product_id += "x"


async def _credit_types_there(catalog: CatalogStub, request: Any) -> Sequence[Message]:
    return (await catalog.ListCreditTypes(pb.ListCreditTypesRequest())).credit_types[1:]


async def _metrics_there(catalog: CatalogStub, request: Any) -> Sequence[Message]:
    everything = pb.ListBillableMetricsRequest(include_archived=True)
    return (await catalog.ListBillableMetrics(everything)).billable_metrics


async def _products_there(catalog: CatalogStub, request: Any) -> Sequence[Message]:
    return (await catalog.ListProducts(pb.ListProductsRequest(include_archived=True))).products


async def _cards_there(catalog: CatalogStub, request: Any) -> Sequence[Message]:
    return (await catalog.ListRateCards(pb.ListRateCardsRequest())).rate_cards


async def _rates_there(catalog: CatalogStub, request: Any) -> Sequence[Message]:
    rates = await catalog.ListRates(pb.ListRatesRequest(rate_card_id=request.rate_card_id))
    return [pb.AddRatesResponse(rates=rates.rates, rate_card=(await _card(catalog, request)))]


async def _card(catalog: CatalogStub, request: Any) -> pb.RateCard:
    return (await catalog.GetRateCard(pb.GetRateCardRequest(rate_card_id=request.rate_card_id))).rate_card


async def _changed_there(catalog: CatalogStub, request: Any) -> Sequence[Message]:
    """What the rpc answered, put together from what is listed."""
    (card,) = (await catalog.ListRateCards(pb.ListRateCardsRequest())).rate_cards
    rates = (await catalog.ListRates(pb.ListRatesRequest(rate_card_id=card.rate_card_id))).rates
    is_correction = isinstance(request, pb.CorrectRateRequest)
    ids = [rate.corrects_rate_id if is_correction else rate.rate_id for rate in rates]
    (rate,) = [rate for rate, rate_id in zip(rates, ids, strict=True) if rate_id == request.rate_id]
    response = getattr(pb, type(request).__name__.replace("Request", "Response"))
    return [response(rate=rate, rate_card=card)]


async def _packs_there(catalog: CatalogStub, request: Any) -> Sequence[Message]:
    return (await catalog.ListTopUpPacks(pb.ListTopUpPacksRequest())).top_up_packs


WRITES = (
    Write(rpc="CreateCreditType", request=_credit_type, other_body=_name, effects=_credit_types_there),
    Write(rpc="CreateBillableMetric", request=_metric, other_body=_name, effects=_metrics_there),
    Write(
        rpc="ArchiveBillableMetric", request=_archive_metric, other_body=_other_metric, effects=_metrics_there
    ),
    Write(rpc="CreateProduct", request=_product, other_body=_name, effects=_products_there),
    Write(rpc="UpdateProduct", request=_rename, other_body=_name, effects=_products_there),
    Write(rpc="ArchiveProduct", request=_archive_product, other_body=_other_product, effects=_products_there),
    Write(rpc="ResendProduct", request=_resend_product, other_body=_other_product, effects=_products_there),
    Write(rpc="CreateRateCard", request=_rate_card, other_body=_name, effects=_cards_there),
    Write(rpc="ResendRateCard", request=_resend_card, other_body=_other_card, effects=_cards_there),
    Write(rpc="AddRates", request=_rates, other_body=_price, effects=_rates_there),
    Write(rpc="WithdrawRate", request=_withdraw, other_body=_other_rate, effects=_changed_there),
    Write(rpc="EndRate", request=_end, other_body=_other_rate, effects=_changed_there),
    Write(rpc="CorrectRate", request=_correct, other_body=_other_rate, effects=_changed_there),
    Write(rpc="CreateTopUpPack", request=_pack, other_body=_name, effects=_packs_there),
)

every_write = pytest.mark.parametrize("write", WRITES, ids=lambda write: write.rpc)


def test_every_rpc_with_a_request_id_is_tried_here() -> None:
    rpcs = pb.DESCRIPTOR.services_by_name["CatalogService"].methods

    assert {write.rpc for write in WRITES} == {
        rpc.name for rpc in rpcs if "request_id" in rpc.input_type.fields_by_name
    }


@every_write
async def test_twins_at_the_same_time_and_later_get_one_effect_and_one_answer(
    catalog: CatalogStub, shop: Shop, write: Write
) -> None:
    request, call = await write.request(shop), getattr(catalog, write.rpc)

    twins = await asyncio.gather(*(call(request) for _ in range(5)))
    later = await call(request)

    effects = await write.effects(catalog, request)
    holds_more = write.effects in (_rates_there, _changed_there)
    assert all(twin == later for twin in twins)
    if "warnings" in later.DESCRIPTOR.fields_by_name:
        later.ClearField("warnings")  # they are not listed anywhere
    (answer,) = [later] if holds_more else [value for _, value in later.ListFields()]
    assert list(effects) == [answer]


@every_write
async def test_another_body_under_the_same_id_is_refused(
    catalog: CatalogStub, shop: Shop, write: Write
) -> None:
    request, call = await write.request(shop), getattr(catalog, write.rpc)
    await call(request)
    before = list(await write.effects(catalog, request))

    other = type(request).FromString(request.SerializeToString())
    write.other_body(other)
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="r1"):
        await call(other)

    assert list(await write.effects(catalog, request)) == before


async def test_another_operation_under_the_same_id_is_refused(catalog: CatalogStub, shop: Shop) -> None:
    await catalog.CreateCreditType(await _credit_type(shop))

    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="r1"):
        await catalog.CreateRateCard(await _rate_card(shop))


async def test_a_default_spelled_out_is_another_body(catalog: CatalogStub, shop: Shop) -> None:
    request = await _rates(shop)
    first = await catalog.AddRates(request)
    spelled_out = pb.AddRatesRequest.FromString(request.SerializeToString())
    for terms in spelled_out.rates:
        terms.per_micros = 1_000_000

    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="r1"):
        await catalog.AddRates(spelled_out)
    assert await catalog.AddRates(request) == first
