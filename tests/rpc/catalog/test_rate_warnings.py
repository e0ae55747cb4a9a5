# SPDX-License-Identifier: Apache-2.0
"""Warnings of AddRates, WithdrawRate, EndRate and CorrectRate. The rules in detail: tests/unit/catalog."""

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from tests.support.catalog import (
    AUGUST,
    JULY,
    JUNE,
    CatalogStub,
    Shop,
    a_rate,
)

GAP, UNPRICED = pb.RATE_WARNING_TYPE_GAP, pb.RATE_WARNING_TYPE_UNPRICED_DIMENSION_VALUE
MONTHLY = pb.BILLING_FREQUENCY_MONTHLY


async def _tokens(catalog: CatalogStub, shop: Shop) -> pb.Product:
    request = pb.CreateProductRequest(
        request_id=shop.request_id(),
        name="AI tokens",
        product_type=pb.PRODUCT_TYPE_USAGE,
        billable_metric_id=(await shop.metric()).billable_metric_id,
        pricing_dimensions=[
            pb.PricingDimension(key="model"),
            pb.PricingDimension(key="kind", property="token_kind", values=["input", "output"]),
        ],
    )
    return (await catalog.CreateProduct(request)).product


def _for(product: pb.Product, **values: str) -> pb.RateTerms:
    terms = a_rate(product)
    for key, value in values.items():
        terms.dimension_values[key] = value
    return terms


async def test_a_complete_card_gives_no_warning(shop: Shop) -> None:
    card, assistant, seats = await shop.card(), await shop.usage(), await shop.seats()

    added = await shop.add(card, a_rate(assistant, start=JULY), a_rate(seats, frequency=MONTHLY))

    assert not added.warnings


async def test_a_gap_is_reported_by_every_change_that_leaves_it(catalog: CatalogStub, shop: Shop) -> None:
    card, seats = await shop.card(), await shop.seats()
    added = await shop.add(card, a_rate(seats, end=JULY, frequency=MONTHLY))
    gap = pb.RateWarning(
        warning_type=GAP,
        product_id=seats.product_id,
        billing_frequency=MONTHLY,
        start_time=timestamp(JULY),
        description=f"no rate of the card prices MONTHLY seats of product '{seats.product_id}' from"
        " 2025-07-01T00:00:00+00:00 on; add a rate for this time, or billing periods that begin in it wait for one",
    )
    assert list(added.warnings) == [gap]

    filled = await shop.add(card, a_rate(seats, start=JULY, frequency=MONTHLY))
    assert not filled.warnings
    withdraw = pb.WithdrawRateRequest(request_id="w", rate_id=filled.rates[0].rate_id)
    assert list((await catalog.WithdrawRate(withdraw)).warnings) == [gap]
    correct = pb.CorrectRateRequest(request_id="c", rate_id=added.rates[0].rate_id)
    assert list((await catalog.CorrectRate(correct)).warnings) == [gap]
    end = pb.EndRateRequest(request_id="e", rate_id=added.rates[0].rate_id, end_time=timestamp(AUGUST))
    gap.start_time.CopyFrom(timestamp(AUGUST))
    gap.description = gap.description.replace("07-01", "08-01")
    assert list((await catalog.EndRate(end)).warnings) == [gap]


async def test_withdrawing_again_has_nothing_to_warn_of(catalog: CatalogStub, shop: Shop) -> None:
    rate = (await shop.add(await shop.card(), a_rate(await shop.usage(), start=JULY))).rates[0]

    first = await catalog.WithdrawRate(pb.WithdrawRateRequest(request_id="w1", rate_id=rate.rate_id))
    again = await catalog.WithdrawRate(pb.WithdrawRateRequest(request_id="w2", rate_id=rate.rate_id))

    assert (len(first.warnings), len(again.warnings)) == (1, 0)


async def test_dimension_values_without_a_price_are_reported_when_the_rates_are_written(
    catalog: CatalogStub, shop: Shop
) -> None:
    card, tokens = await shop.card(), await _tokens(catalog, shop)

    added = await shop.add(card, _for(tokens, model="large", kind="input"), _for(tokens, model="small"))

    (warning,) = added.warnings
    assert warning == pb.RateWarning(
        warning_type=UNPRICED,
        product_id=tokens.product_id,
        dimension_values={"model": "large", "kind": "output"},
        start_time=timestamp(JUNE),
        description=f"no rate of the card prices product '{tokens.product_id}', kind=output, model=large from"
        " 2025-06-01T00:00:00+00:00 on; add a rate for these values or a more general one, or such usage is refused",
    )
    assert not (await shop.add(card, _for(tokens, model="large", kind="output"))).warnings


async def test_a_gap_has_an_end_where_the_next_rate_begins(shop: Shop) -> None:
    card, assistant = await shop.card(), await shop.usage()

    added = await shop.add(card, a_rate(assistant, end=JULY), a_rate(assistant, start=AUGUST))

    (warning,) = added.warnings
    assert (warning.start_time, warning.end_time) == (timestamp(JULY), timestamp(AUGUST))


async def test_a_hundred_warnings_are_the_most(catalog: CatalogStub, shop: Shop) -> None:
    card, tokens = await shop.card(), await _tokens(catalog, shop)

    added = await shop.add(card, *(_for(tokens, model=f"model {n}", kind="input") for n in range(101)))

    assert len(added.warnings) == 100
    assert {warning.warning_type for warning in added.warnings} == {UNPRICED}
