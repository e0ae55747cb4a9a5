# SPDX-License-Identifier: Apache-2.0
"""Every list: whole, in order, page by page, and only with tokens of its own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import JULY, JUNE, CatalogStub, Shop, a_rate
from tests.support.faults import bad_fields

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list rpc, how to make one row more, and filters other than none."""

    rpc: str
    rows: str
    request: type
    make: Callable[[CatalogStub, Shop, int], Awaitable[Any]]
    other_filters: dict[str, Any] = field(default_factory=dict)
    there_before: int = 0


async def _credit_type(catalog: CatalogStub, shop: Shop, number: int) -> pb.CreditType:
    return await shop.credit_type(f"credits {number}")


async def _metric(catalog: CatalogStub, shop: Shop, number: int) -> pb.BillableMetric:
    return await shop.metric()


async def _product(catalog: CatalogStub, shop: Shop, number: int) -> pb.Product:
    return await shop.product()


async def _card(catalog: CatalogStub, shop: Shop, number: int) -> pb.RateCard:
    return await shop.card()


async def _pack(catalog: CatalogStub, shop: Shop, number: int) -> pb.TopUpPack:
    product, credits = await shop.product(), await shop.credit_type()
    request = pb.CreateTopUpPackRequest(
        request_id=shop.request_id(),
        name="1,000 credits",
        product_id=product.product_id,
        credit_type_id=credits.credit_type_id,
        amount_micros=1,
        price=Money(currency_code="USD"),
    )
    return (await catalog.CreateTopUpPack(request)).top_up_pack


LISTINGS = (
    Listing(
        rpc="ListCreditTypes",
        rows="credit_types",
        request=pb.ListCreditTypesRequest,
        make=_credit_type,
        there_before=1,
    ),
    Listing(
        rpc="ListBillableMetrics",
        rows="billable_metrics",
        request=pb.ListBillableMetricsRequest,
        make=_metric,
        other_filters={"include_archived": True},
    ),
    Listing(
        rpc="ListProducts",
        rows="products",
        request=pb.ListProductsRequest,
        make=_product,
        other_filters={"include_archived": True},
    ),
    Listing(rpc="ListRateCards", rows="rate_cards", request=pb.ListRateCardsRequest, make=_card),
    Listing(rpc="ListTopUpPacks", rows="top_up_packs", request=pb.ListTopUpPacksRequest, make=_pack),
)

every_list = pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.rpc)


def test_every_list_is_tried_here() -> None:
    rpcs = pb.DESCRIPTOR.services_by_name["CatalogService"].methods

    assert {listing.rpc for listing in LISTINGS} | {"ListRates"} == {
        rpc.name for rpc in rpcs if rpc.name.startswith("List")
    }


@every_list
async def test_pages_tell_every_row_once_in_the_order_of_making(
    catalog: CatalogStub, shop: Shop, listing: Listing
) -> None:
    made = [await listing.make(catalog, shop, n) for n in range(5 - listing.there_before)]
    call = getattr(catalog, listing.rpc)

    pages: list[list[Any]] = []
    token = ""
    while not pages or token:
        response = await call(listing.request(page_size=2, page_token=token))
        pages.append(list(getattr(response, listing.rows)))
        token = response.next_page_token

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row for page in pages for row in page][listing.there_before :] == made


@every_list
async def test_a_page_that_is_just_full_is_the_last(
    catalog: CatalogStub, shop: Shop, listing: Listing
) -> None:
    for n in range(2 - listing.there_before):
        await listing.make(catalog, shop, n)

    response = await getattr(catalog, listing.rpc)(listing.request(page_size=2))

    assert len(getattr(response, listing.rows)) == 2
    assert response.next_page_token == ""


@every_list
async def test_a_token_is_of_one_list_and_its_filters(
    catalog: CatalogStub, shop: Shop, listing: Listing
) -> None:
    for n in range(2):
        await listing.make(catalog, shop, n)
    call = getattr(catalog, listing.rpc)
    token = (await call(listing.request(page_size=1))).next_page_token
    assert token

    with bad_fields("page_token"):
        await call(listing.request(page_token=token[:-2]))
    with bad_fields("page_size", "page_token"):
        await call(listing.request(page_size=-1, page_token="nonsense"))
    if listing.other_filters:
        with bad_fields("page_token"):
            await call(listing.request(page_token=token, **listing.other_filters))
    other = next(one for one in LISTINGS if one.rpc != listing.rpc)
    with bad_fields("page_token"):
        await getattr(catalog, other.rpc)(other.request(page_token=token))


async def test_rates_are_paged_in_their_own_order_fifty_by_default_and_five_hundred_at_most(
    catalog: CatalogStub, shop: Shop
) -> None:
    card, later, earlier = await shop.card(), await shop.usage(), await shop.usage()
    assert later.product_id < earlier.product_id
    added = []
    for product, count in ((earlier, 500), (later, 1)):
        rates = [a_rate(product, start=JUNE + n * TICK, end=JUNE + (n + 1) * TICK) for n in range(count)]
        added.append(list((await shop.add(card, *rates)).rates))
    in_order = added[1] + added[0]

    async def page(size: int, token: str = "") -> pb.ListRatesResponse:
        request = pb.ListRatesRequest(rate_card_id=card.rate_card_id, page_size=size, page_token=token)
        return await catalog.ListRates(request)

    assert list((await page(0)).rates) == in_order[:50]
    for size in (500, 501, 1_000):
        first = await page(size)
        assert list(first.rates) == in_order[:500]
        last = await page(size, first.next_page_token)
        assert (list(last.rates), last.next_page_token) == (in_order[500:], "")


async def test_a_rates_token_is_bound_to_card_product_and_instant(catalog: CatalogStub, shop: Shop) -> None:
    card, product = await shop.card(), await shop.usage()
    await shop.add(card, a_rate(product, end=JULY), a_rate(product, start=JULY))
    request = pb.ListRatesRequest(rate_card_id=card.rate_card_id, page_size=1)
    request.page_token = (await catalog.ListRates(request)).next_page_token

    assert len((await catalog.ListRates(request)).rates) == 1
    for filters in (
        {"rate_card_id": (await shop.card()).rate_card_id},
        {"product_id": product.product_id},
        {"as_of_time": timestamp(JUNE)},
    ):
        other = pb.ListRatesRequest()
        other.CopyFrom(request)
        other.MergeFrom(pb.ListRatesRequest(**filters))
        with bad_fields("page_token"):
            await catalog.ListRates(other)
