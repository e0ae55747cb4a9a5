# SPDX-License-Identifier: Apache-2.0
"""CreateRateCard, GetRateCard, ListRateCards."""

from collections.abc import Sequence

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from tests.support.catalog import JUNE, CatalogStub, Shop
from tests.support.faults import bad_fields, fault


def _request(
    *conversions: tuple[str, int], name: str = "List prices", fiat: str = "USD"
) -> pb.CreateRateCardRequest:
    return pb.CreateRateCardRequest(
        request_id="r1", name=name, fiat_credit_type_id=fiat, conversions=_conversions(*conversions)
    )


def _conversions(*conversions: tuple[str, int]) -> Sequence[pb.CreditConversion]:
    return [
        pb.CreditConversion(credit_type_id=credit_type_id, fiat_per_credit_micros=micros)
        for credit_type_id, micros in conversions
    ]


async def test_a_card_is_made_at_version_one_and_read(catalog: CatalogStub, shop: Shop) -> None:
    credits = await shop.credit_type()

    made = (await catalog.CreateRateCard(_request((credits.credit_type_id, 1_000_000)))).rate_card

    read = await catalog.GetRateCard(pb.GetRateCardRequest(rate_card_id=made.rate_card_id))
    assert made.rate_card_id.startswith("rcd_")
    assert made == pb.RateCard(
        rate_card_id=made.rate_card_id,
        name="List prices",
        fiat_credit_type_id="USD",
        conversions=_conversions((credits.credit_type_id, 1_000_000)),
        version=1,
        create_time=timestamp(JUNE),
    )
    assert read.rate_card == made
    assert list((await catalog.ListRateCards(pb.ListRateCardsRequest())).rate_cards) == [made]


async def test_conversions_are_told_in_the_order_their_types_were_made(
    catalog: CatalogStub, shop: Shop
) -> None:
    first, second = (await shop.credit_type()).credit_type_id, (await shop.credit_type()).credit_type_id

    made = (await catalog.CreateRateCard(_request((second, 2), (first, 1)))).rate_card

    read = await catalog.GetRateCard(pb.GetRateCardRequest(rate_card_id=made.rate_card_id))
    assert list(made.conversions) == list(_conversions((first, 1), (second, 2)))
    assert read.rate_card == made


async def test_a_conversion_needs_a_credit_type_that_exists(catalog: CatalogStub, shop: Shop) -> None:
    credits = await shop.credit_type()

    with fault(StatusCode.NOT_FOUND, "CREDIT_TYPE_NOT_FOUND", credit_type_id="crt_x"):
        await catalog.CreateRateCard(_request((credits.credit_type_id, 1), ("crt_x", 1)))


async def test_an_unknown_card_is_not_found(catalog: CatalogStub) -> None:
    with fault(StatusCode.NOT_FOUND, "RATE_CARD_NOT_FOUND", rate_card_id="rcd_x"):
        await catalog.GetRateCard(pb.GetRateCardRequest(rate_card_id="rcd_x"))


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (pb.CreateRateCardRequest(), ["request_id", "name", "fiat_credit_type_id"]),
        (_request(fiat="XAU"), ["fiat_credit_type_id"]),
        (_request(fiat="crt_x"), ["fiat_credit_type_id"]),
        (
            _request(("crt_1", 0), ("", 1)),
            ["conversions[0].fiat_per_credit_micros", "conversions[1].credit_type_id"],
        ),
        (
            _request(("crt_1", 1), ("EUR", 1), ("crt_1", 2)),
            ["conversions[1].credit_type_id", "conversions[2].credit_type_id"],
        ),
        (_request(*((f"crt_{n}", 1) for n in range(101))), ["conversions"]),
    ],
)
async def test_all_bad_fields_are_named_at_once(
    catalog: CatalogStub, request_: pb.CreateRateCardRequest, fields: list[str]
) -> None:
    with bad_fields(*fields):
        await catalog.CreateRateCard(request_)


async def test_an_id_is_required(catalog: CatalogStub) -> None:
    with bad_fields("rate_card_id"):
        await catalog.GetRateCard(pb.GetRateCardRequest())
