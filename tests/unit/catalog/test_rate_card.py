# SPDX-License-Identifier: Apache-2.0
"""What must be known and suit before rates are added to a card, and how many a card can hold."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from meshkit.errors import MeshError
from meshkit.quantity import INT64_MAX, Ratio
from purser.ledger.v1.ledger_peer_pb2 import ApplyRateCardRequest
from services.catalog.domain.credit_type import USD, CreditTypeId
from services.catalog.domain.errors import (
    ConversionMissing,
    CreditTypeNotFound,
    ProductArchived,
    ProductNotFound,
    RateCardFull,
    RateDoesNotSuitProduct,
)
from services.catalog.domain.product import ProductId, ProductType
from services.catalog.domain.rate import BillingFrequency, Rate, RateId, RateTerms, RateTier, RateType
from services.catalog.domain.rate_card import (
    RATES_PER_CARD_MAX,
    RateCard,
    bytes_max,
    check_room,
    check_size,
    check_terms,
)
from services.catalog.peers import usage_rate_to_wire
from tests.unit.catalog.builders import (
    AI_CREDITS,
    JANUARY,
    a_card,
    a_product,
    some_terms,
)

OLD = ProductId("prd_old")
SEATS = ProductId("prd_seats")
NOBODYS = ProductId("prd_nobodys")
OTHER_CREDITS = CreditTypeId("crt_other")
UNKNOWN_CREDITS = CreditTypeId("crt_unknown")

PRODUCTS = {
    product.product_id: product
    for product in (
        a_product(),
        a_product(product_id=OLD, archive_time=JANUARY),
        a_product(ProductType.SUBSCRIPTION, product_id=SEATS),
    )
}


def _check(card: RateCard, *asked: RateTerms) -> None:
    check_terms(card, asked, products=PRODUCTS, credit_type_ids={USD, AI_CREDITS, OTHER_CREDITS})


def test_usage_in_usd_and_in_converted_credits_and_seats_in_usd_pass() -> None:
    _check(
        a_card(),
        some_terms(),
        some_terms(credit_type_id=AI_CREDITS),
        some_terms(product_id=SEATS, frequency=BillingFrequency.ANNUAL),
    )


@pytest.mark.parametrize(
    ("terms", "fault"),
    [
        (some_terms(product_id=NOBODYS), ProductNotFound),
        (some_terms(credit_type_id=UNKNOWN_CREDITS), CreditTypeNotFound),
        (some_terms(product_id=OLD), ProductArchived),
        (some_terms(product_id=SEATS), RateDoesNotSuitProduct),
        (some_terms(credit_type_id=OTHER_CREDITS), ConversionMissing),
    ],
)
def test_one_unfit_rate_refuses_all(terms: RateTerms, fault: type[MeshError]) -> None:
    with pytest.raises(fault):
        _check(a_card(), some_terms(), terms)


def test_what_is_unknown_is_said_before_what_does_not_suit() -> None:
    with pytest.raises(ProductNotFound):
        _check(a_card(), some_terms(product_id=OLD), some_terms(product_id=NOBODYS))


def test_a_card_without_conversions_prices_in_usd_only() -> None:
    _check(a_card(converts=()), some_terms())
    with pytest.raises(ConversionMissing) as refusal:
        _check(a_card(converts=()), some_terms(credit_type_id=AI_CREDITS))
    assert refusal.value.metadata == {"rate_card_id": "rcd_1", "credit_type_id": AI_CREDITS}


@pytest.mark.parametrize(("asked", "fits"), [(499, True), (500, True), (501, False)])
def test_a_card_holds_ten_thousand_rates(asked: int, fits: bool) -> None:
    present = RATES_PER_CARD_MAX - 500

    if fits:
        check_room(a_card(), present=present, asked=asked)
    else:
        with pytest.raises(RateCardFull):
            check_room(a_card(), present=present, asked=asked)


LONGEST = Rate(
    rate_id=RateId("rat_" + "f" * 32),
    product_id=ProductId("prd_" + "f" * 32),
    billing_frequency=None,
    credit_type_id=CreditTypeId("crt_" + "f" * 32),
    price=Ratio(INT64_MAX, INT64_MAX),
    effective_time=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    end_time=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    rate_type=RateType.PACKAGE,
    create_time=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    withdraw_time=JANUARY,
    corrects_rate_id=RateId("rat_" + "f" * 32),
)
TIER = RateTier(up_to_micros=INT64_MAX, price=Ratio(INT64_MAX, INT64_MAX))


@pytest.mark.parametrize(
    "rate",
    [
        LONGEST,
        replace(LONGEST, rate_type=RateType.GRADUATED, tiers=(TIER,) * 20),
        replace(LONGEST, dimension_values=tuple((f"{n}" + "ü" * 99, "€" * 100) for n in range(5))),
        replace(LONGEST, dimension_values=(("k", "v"),)),
    ],
    ids=["flat", "tiers", "long values", "short value"],
)
def test_no_rate_is_larger_in_the_message_than_is_counted(rate: Rate) -> None:
    message = ApplyRateCardRequest(rates=[usage_rate_to_wire(rate)])

    assert bytes_max(rate) * 0.75 < message.ByteSize() <= bytes_max(rate)


@pytest.mark.parametrize(("rates", "fits"), [(4_545, True), (4_546, False)])
def test_a_card_is_full_when_its_usage_rates_may_exceed_four_megabytes(rates: int, fits: bool) -> None:
    rate = replace(LONGEST, rate_type=RateType.GRADUATED, price=None, tiers=(TIER,) * 20)

    if fits:
        check_size(a_card(), [rate] * rates)
    else:
        with pytest.raises(RateCardFull):
            check_size(a_card(), [rate] * rates)
