# SPDX-License-Identifier: Apache-2.0
"""CreateTopUpPack, GetTopUpPack, ListTopUpPacks."""

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import JUNE, CatalogStub, Shop
from tests.support.faults import bad_fields, fault

YEAR = Duration(seconds=365 * 86_400)
HUNDRED_YEARS = Duration(seconds=36_525 * 86_400)


def _request(
    *,
    product_id: str = "prd_1",
    credit_type_id: str = "crt_1",
    amount_micros: int = 1_000_000_000,
    price: Money | None = None,
    priority: int = 0,
    lifetime: Duration | None = YEAR,
) -> pb.CreateTopUpPackRequest:
    return pb.CreateTopUpPackRequest(
        request_id="r1",
        name="1,000 credits",
        product_id=product_id,
        credit_type_id=credit_type_id,
        amount_micros=amount_micros,
        price=price or Money(currency_code="USD", micros=80_000_000),
        priority=priority,
        lifetime=lifetime,
    )


async def test_the_guides_pack_is_made_and_read(catalog: CatalogStub, shop: Shop) -> None:
    product, credits = await shop.product(), await shop.credit_type()
    request = _request(product_id=product.product_id, credit_type_id=credits.credit_type_id)

    made = (await catalog.CreateTopUpPack(request)).top_up_pack

    read = await catalog.GetTopUpPack(pb.GetTopUpPackRequest(top_up_pack_id=made.top_up_pack_id))
    assert made.top_up_pack_id.startswith("pck_")
    assert made == pb.TopUpPack(
        top_up_pack_id=made.top_up_pack_id,
        name="1,000 credits",
        product_id=product.product_id,
        credit_type_id=credits.credit_type_id,
        amount_micros=1_000_000_000,
        price=Money(currency_code="USD", micros=80_000_000),
        priority=100,
        lifetime=YEAR,
        create_time=timestamp(JUNE),
    )
    assert read.top_up_pack == made
    assert list((await catalog.ListTopUpPacks(pb.ListTopUpPacksRequest())).top_up_packs) == [made]


@pytest.mark.parametrize(
    ("priority", "lifetime", "price_micros"),
    [(1, None, 0), (1_000, HUNDRED_YEARS, 1), (100, Duration(seconds=1), 80_000_000)],
)
async def test_a_pack_may_be_free_and_live_for_ever(
    catalog: CatalogStub, shop: Shop, priority: int, lifetime: Duration | None, price_micros: int
) -> None:
    product, credits = await shop.product(), await shop.credit_type()

    request = _request(
        product_id=product.product_id,
        credit_type_id=credits.credit_type_id,
        price=Money(currency_code="USD", micros=price_micros),
        priority=priority,
        lifetime=lifetime,
    )
    made = (await catalog.CreateTopUpPack(request)).top_up_pack

    assert (made.priority, made.price.micros) == (priority, price_micros)
    assert made.HasField("lifetime") == (lifetime is not None)
    read = await catalog.GetTopUpPack(pb.GetTopUpPackRequest(top_up_pack_id=made.top_up_pack_id))
    assert read.top_up_pack == made


async def test_a_pack_is_sold_as_a_fixed_product_that_is_in_use(catalog: CatalogStub, shop: Shop) -> None:
    credits = (await shop.credit_type()).credit_type_id
    archived = await shop.archived(await shop.product())
    seats = await shop.seats()

    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_x"):
        await catalog.CreateTopUpPack(_request(product_id="prd_x", credit_type_id=credits))
    with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_ARCHIVED", product_id=archived.product_id):
        await catalog.CreateTopUpPack(_request(product_id=archived.product_id, credit_type_id=credits))
    with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_NOT_FIXED", product_id=seats.product_id):
        await catalog.CreateTopUpPack(_request(product_id=seats.product_id, credit_type_id=credits))


async def test_a_pack_is_of_a_credit_type_that_exists(catalog: CatalogStub, shop: Shop) -> None:
    product = await shop.product()

    with fault(StatusCode.NOT_FOUND, "CREDIT_TYPE_NOT_FOUND", credit_type_id="crt_x"):
        await catalog.CreateTopUpPack(_request(product_id=product.product_id, credit_type_id="crt_x"))


async def test_an_unknown_pack_is_not_found(catalog: CatalogStub) -> None:
    with fault(StatusCode.NOT_FOUND, "TOP_UP_PACK_NOT_FOUND", top_up_pack_id="pck_x"):
        await catalog.GetTopUpPack(pb.GetTopUpPackRequest(top_up_pack_id="pck_x"))
    with bad_fields("top_up_pack_id"):
        await catalog.GetTopUpPack(pb.GetTopUpPackRequest())


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (
            pb.CreateTopUpPackRequest(),
            ["request_id", "name", "product_id", "credit_type_id", "amount_micros", "price"],
        ),
        (_request(credit_type_id="USD"), ["credit_type_id"]),
        (_request(credit_type_id="JPY"), ["credit_type_id"]),
        (_request(amount_micros=0), ["amount_micros"]),
        (_request(price=Money(currency_code="XAU", micros=-1)), ["price.currency_code", "price.micros"]),
        (_request(price=Money(micros=1)), ["price.currency_code"]),
        (_request(priority=-1), ["priority"]),
        (_request(priority=1_001), ["priority"]),
        (_request(lifetime=Duration()), ["lifetime"]),
        (_request(lifetime=Duration(nanos=999_999_999)), ["lifetime"]),
        (_request(lifetime=Duration(seconds=-1)), ["lifetime"]),
        (_request(lifetime=Duration(seconds=36_525 * 86_400 + 1)), ["lifetime"]),
    ],
)
async def test_all_bad_fields_are_named_at_once(
    catalog: CatalogStub, request_: pb.CreateTopUpPackRequest, fields: list[str]
) -> None:
    with bad_fields(*fields):
        await catalog.CreateTopUpPack(request_)
