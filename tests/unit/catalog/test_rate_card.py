# SPDX-License-Identifier: Apache-2.0
"""Adding rates to a card: what must be known, what must suit, and all of them or none."""

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
    RateOverlaps,
)
from services.catalog.domain.product import ProductId, ProductType
from services.catalog.domain.rate import BillingFrequency, Rate, RateId, RateTerms, RateTier, RateType
from services.catalog.domain.rate_card import (
    RATES_PER_CARD_MAX,
    RateCard,
    add_rates,
    bytes_max,
    check_room,
    check_size,
    check_terms,
)
from services.catalog.peers import usage_rate_to_wire
from tests.unit.catalog.builders import (
    AI_CREDITS,
    FEBRUARY,
    JANUARY,
    MARCH,
    a_card,
    a_product,
    a_rate,
    some_terms,
)

NOW = JANUARY
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


def _asked(*asked: RateTerms) -> list[tuple[RateId, RateTerms]]:
    return [(RateId(f"new {n}"), terms) for n, terms in enumerate(asked)]


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


def test_rates_come_back_in_the_order_asked_for() -> None:
    new = add_rates([], _asked(some_terms(FEBRUARY), some_terms(JANUARY, FEBRUARY)), at=NOW)

    assert [rate.effective_time for rate in new.added] == [FEBRUARY, JANUARY]
    assert new.ended == ()


def test_rates_of_one_request_may_touch_but_not_overlap_each_other() -> None:
    add_rates([], _asked(some_terms(JANUARY, FEBRUARY), some_terms(FEBRUARY, MARCH)), at=NOW)

    with pytest.raises(RateOverlaps):
        add_rates([], _asked(some_terms(JANUARY, MARCH), some_terms(FEBRUARY, MARCH)), at=NOW)


def test_end_previous_ends_a_rate_of_the_same_request_too() -> None:
    new = add_rates([], _asked(some_terms(JANUARY), some_terms(FEBRUARY, end_previous=True)), at=NOW)

    assert [(rate.effective_time, rate.end_time) for rate in new.added] == [
        (JANUARY, FEBRUARY),
        (FEBRUARY, None),
    ]
    assert new.ended == ()


def test_a_rate_that_was_there_and_now_ends_is_told_apart() -> None:
    there = a_rate("there", JANUARY)

    new = add_rates([there], _asked(some_terms(FEBRUARY, end_previous=True)), at=NOW)

    assert new.ended == ((there, a_rate("there", JANUARY, FEBRUARY, ended_by="new 0")),)
    assert [rate.rate_id for rate in new.added] == ["new 0"]


@pytest.mark.parametrize(
    "other",
    [
        a_rate("other product", product_id=ProductId("prd_other")),
        a_rate("other frequency", frequency=BillingFrequency.MONTHLY),
        a_rate("other values", frequency=BillingFrequency.ANNUAL, dimension_values=(("model", "large"),)),
    ],
)
def test_other_products_frequencies_and_dimension_values_are_other_lines(other: Rate) -> None:
    new = add_rates([other], _asked(some_terms(frequency=BillingFrequency.ANNUAL)), at=NOW)

    assert len(new.added) == 1
    assert new.ended == ()


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
