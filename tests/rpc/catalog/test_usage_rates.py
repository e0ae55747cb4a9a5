# SPDX-License-Identifier: Apache-2.0
"""Usage rates of every type, and for the values of pricing dimensions."""

from collections.abc import AsyncIterator, Sequence

import pytest
from grpc import StatusCode
from sqlalchemy import text

from meshkit.db import open_engine
from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from tests.support.catalog import JULY, JUNE, CatalogStub, Shop, a_rate, running_catalog
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases
from tests.support.recording_ledger import RecordingLedger

FLAT, GRADUATED, PACKAGE = pb.RATE_TYPE_FLAT, pb.RATE_TYPE_GRADUATED, pb.RATE_TYPE_PACKAGE
VOLUME = pb.RATE_TYPE_VOLUME
UNIT = 1_000_000
FREE = pb.RateTier()
LESS = pb.RateTier(price_micros=-1, per_micros=-1)
MESSAGE_BYTES_MAX = 4 * 1024 * 1024  # gRPC's default for a received message
MODEL = pb.PricingDimension(key="model")
KIND = pb.PricingDimension(key="kind", property="token_kind", values=["input", "output"])
LENGTH = pb.PricingDimension(
    key="length",
    property="prompt_tokens",
    bands=[pb.DimensionBand(value="short", up_to_micros=200_000 * UNIT), pb.DimensionBand(value="long")],
)


@pytest.fixture
async def ledger() -> AsyncIterator[RecordingLedger]:
    async with RecordingLedger() as ledger:
        yield ledger


@pytest.fixture
async def catalog(databases: Databases, ledger: RecordingLedger) -> AsyncIterator[CatalogStub]:
    async with running_catalog(databases, ledger_address=ledger.address) as running:
        yield running.stub


async def _tokens(catalog: CatalogStub, shop: Shop) -> pb.Product:
    request = pb.CreateProductRequest(
        request_id=shop.request_id(),
        name="AI tokens",
        product_type=pb.PRODUCT_TYPE_USAGE,
        billable_metric_id=(await shop.metric()).billable_metric_id,
        pricing_dimensions=[MODEL, KIND, LENGTH],
    )
    return (await catalog.CreateProduct(request)).product


def _tiers(*tiers: tuple[int | None, int]) -> list[pb.RateTier]:
    """Tiers from ends in units and prices per unit in micros."""
    return [
        pb.RateTier(up_to_micros=None if end is None else end * UNIT, price_micros=price, per_micros=UNIT)
        for end, price in tiers
    ]


def _graduated(product: pb.Product, tiers: Sequence[pb.RateTier]) -> pb.RateTerms:
    terms = a_rate(product, price_micros=0)
    terms.rate_type = GRADUATED
    terms.tiers.extend(tiers)
    return terms


def _for(product: pb.Product, **values: str) -> pb.RateTerms:
    terms = a_rate(product)
    for key, value in values.items():
        terms.dimension_values[key] = value
    return terms


async def test_a_graduated_rate_is_added_listed_and_sent_with_its_tiers(
    catalog: CatalogStub, shop: Shop, ledger: RecordingLedger
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    tiers = _tiers((1_000, UNIT), (10_000, UNIT // 2), (None, UNIT // 4))

    added = (await shop.add(card, _graduated(assistant, tiers))).rates[0]

    assert added == pb.Rate(
        rate_id=added.rate_id,
        product_id=assistant.product_id,
        credit_type_id="USD",
        effective_time=timestamp(JUNE),
        rate_type=GRADUATED,
        tiers=tiers,
        create_time=timestamp(JUNE),
    )
    listed = await catalog.ListRates(pb.ListRatesRequest(rate_card_id=card.rate_card_id))
    assert list(listed.rates) == [added]
    assert list(ledger.rate_cards[-1].rates) == [
        ledger_pb.UsageRate(
            rate_id=added.rate_id,
            product_id=assistant.product_id,
            credit_type_id="USD",
            effective_time=timestamp(JUNE),
            rate_type=ledger_pb.RATE_TYPE_GRADUATED,
            tiers=[
                ledger_pb.RateTier(up_to_micros=1_000 * UNIT, price_micros=UNIT, per_micros=UNIT),
                ledger_pb.RateTier(up_to_micros=10_000 * UNIT, price_micros=UNIT // 2, per_micros=UNIT),
                ledger_pb.RateTier(price_micros=UNIT // 4, per_micros=UNIT),
            ],
            create_time=timestamp(JUNE),
        )
    ]


async def test_a_package_rate_has_the_price_of_one_block(shop: Shop, ledger: RecordingLedger) -> None:
    card, assistant = await shop.card(), await shop.usage()
    terms = a_rate(assistant, price_micros=5 * UNIT)
    terms.rate_type, terms.per_micros = PACKAGE, 1_000 * UNIT

    added = (await shop.add(card, terms)).rates[0]

    assert (added.rate_type, added.price_micros, added.per_micros) == (PACKAGE, 5 * UNIT, 1_000 * UNIT)
    sent = ledger.rate_cards[-1].rates[0]
    assert (sent.rate_type, sent.per_micros) == (ledger_pb.RATE_TYPE_PACKAGE, 1_000 * UNIT)


async def test_an_unspecified_type_means_flat(shop: Shop) -> None:
    card, assistant = await shop.card(), await shop.usage()

    assert (await shop.add(card, a_rate(assistant))).rates[0].rate_type == FLAT


async def test_rates_for_different_dimension_values_are_in_force_together(
    catalog: CatalogStub, shop: Shop, ledger: RecordingLedger
) -> None:
    card, tokens = await shop.card(), await _tokens(catalog, shop)

    added = await shop.add(
        card,
        _for(tokens),
        _for(tokens, model="large"),
        _for(tokens, model="large", kind="input"),
        _for(tokens, model="large", kind="output"),
        _for(tokens, length="long"),
    )

    values = [dict(one.dimension_values) for one in added.rates]
    assert values == [
        {},
        {"model": "large"},
        {"model": "large", "kind": "input"},
        {"model": "large", "kind": "output"},
        {"length": "long"},
    ]
    request = pb.ListRatesRequest(rate_card_id=card.rate_card_id, as_of_time=timestamp(JUNE))
    listed = (await catalog.ListRates(request)).rates
    assert sorted(one.rate_id for one in listed) == sorted(one.rate_id for one in added.rates)
    assert {one.rate_id: dict(one.dimension_values) for one in ledger.rate_cards[-1].rates} == {
        one.rate_id: dict(one.dimension_values) for one in added.rates
    }


async def test_rates_for_the_same_dimension_values_do_not_overlap(catalog: CatalogStub, shop: Shop) -> None:
    card, tokens = await shop.card(), await _tokens(catalog, shop)
    first = (await shop.add(card, _for(tokens, model="large", kind="input"))).rates[0]
    other_order = _for(tokens, kind="input", model="large")

    with fault(StatusCode.FAILED_PRECONDITION, "RATE_OVERLAPS", product_id=tokens.product_id):
        await shop.add(card, other_order)
    other_order.effective_time.CopyFrom(timestamp(JULY))
    other_order.end_previous = True
    second = (await shop.add(card, other_order)).rates[0]

    listed = (await catalog.ListRates(pb.ListRatesRequest(rate_card_id=card.rate_card_id))).rates
    first.end_time.CopyFrom(timestamp(JULY))
    first.ended_by_rate_id = second.rate_id
    assert list(listed) == [first, second]


async def test_a_rate_names_dimensions_and_values_that_its_product_has(
    catalog: CatalogStub, shop: Shop
) -> None:
    card, tokens = await shop.card(), await _tokens(catalog, shop)

    with fault(
        StatusCode.FAILED_PRECONDITION,
        "DIMENSION_UNKNOWN",
        product_id=tokens.product_id,
        dimension="token_kind",
    ):
        await shop.add(card, _for(tokens), _for(tokens, token_kind="input"))
    with fault(
        StatusCode.FAILED_PRECONDITION,
        "DIMENSION_VALUE_UNKNOWN",
        product_id=tokens.product_id,
        dimension="kind",
        value="cached",
    ):
        await shop.add(card, _for(tokens), _for(tokens, kind="cached"))
    with fault(StatusCode.FAILED_PRECONDITION, "DIMENSION_VALUE_UNKNOWN", value="middle"):
        await shop.add(card, _for(tokens, length="middle"))

    assert not (await catalog.ListRates(pb.ListRatesRequest(rate_card_id=card.rate_card_id))).rates


@pytest.mark.parametrize("rate_type", [GRADUATED, VOLUME])
async def test_seats_may_have_tiers_of_whole_seats(
    catalog: CatalogStub, shop: Shop, rate_type: pb.RateType
) -> None:
    card, seats = await shop.card(), await shop.seats()
    terms = a_rate(seats, frequency=pb.BILLING_FREQUENCY_WEEKLY)
    terms.ClearField("price_micros")
    terms.rate_type = rate_type
    terms.tiers.extend(_tiers((10, 10 * UNIT), (None, 8 * UNIT)))

    added = (await shop.add(card, terms)).rates[0]

    assert (added.rate_type, list(added.tiers)) == (rate_type, list(terms.tiers))
    [listed] = (await catalog.ListRates(pb.ListRatesRequest(rate_card_id=card.rate_card_id))).rates
    assert listed == added
    terms.tiers[0].up_to_micros += 1
    terms.billing_frequency = pb.BILLING_FREQUENCY_QUARTERLY
    with fault(StatusCode.FAILED_PRECONDITION, "RATE_DOES_NOT_SUIT_PRODUCT", product_id=seats.product_id):
        await shop.add(card, terms)


async def test_usage_has_no_volume_rates(shop: Shop) -> None:
    card, usage = await shop.card(), await shop.usage()
    terms = _graduated(usage, _tiers((None, UNIT)))
    terms.rate_type = VOLUME

    with fault(StatusCode.FAILED_PRECONDITION, "RATE_DOES_NOT_SUIT_PRODUCT", product_id=usage.product_id):
        await shop.add(card, terms)


async def test_seats_have_neither_packages_nor_dimensions(shop: Shop) -> None:
    card, seats = await shop.card(), await shop.seats()
    monthly = pb.BILLING_FREQUENCY_MONTHLY
    packages = a_rate(seats, frequency=monthly)
    packages.rate_type = PACKAGE
    by_model = a_rate(seats, frequency=monthly)
    by_model.dimension_values["model"] = "large"

    for terms in (packages, by_model):
        with fault(StatusCode.FAILED_PRECONDITION, "RATE_DOES_NOT_SUIT_PRODUCT", product_id=seats.product_id):
            await shop.add(card, terms)


def _terms(**changes: object) -> pb.RateTerms:
    good: dict[str, object] = {
        "product_id": "prd_1",
        "credit_type_id": "USD",
        "effective_time": timestamp(JUNE),
    }
    return pb.RateTerms(**(good | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("terms", "fields"),
    [
        (_terms(rate_type=9), ["rate_type"]),
        (_terms(rate_type=VOLUME), ["tiers"]),
        (_terms(rate_type=GRADUATED), ["tiers"]),
        (_terms(rate_type=GRADUATED, tiers=_tiers(*((n, 1) for n in range(1, 21)), (None, 1))), ["tiers"]),
        (_terms(rate_type=GRADUATED, tiers=_tiers((1, 1))), ["tiers[0].up_to_micros"]),
        (_terms(rate_type=GRADUATED, tiers=_tiers((0, 1), (None, 1))), ["tiers[0].up_to_micros"]),
        (_terms(rate_type=GRADUATED, tiers=_tiers((2, 1), (2, 1), (None, 1))), ["tiers[1].up_to_micros"]),
        (_terms(rate_type=GRADUATED, tiers=_tiers((None, 1), (None, 1))), ["tiers[0].up_to_micros"]),
        (_terms(rate_type=GRADUATED, tiers=[LESS]), ["tiers[0].price_micros", "tiers[0].per_micros"]),
        (_terms(rate_type=GRADUATED, tiers=[FREE], price_micros=1, per_micros=1), ["price_micros", "per_micros"]),
        (_terms(rate_type=PACKAGE, tiers=_tiers((None, 1)), per_micros=-1), ["tiers", "per_micros"]),
        (_terms(tiers=_tiers((None, 1))), ["tiers"]),
        (_terms(dimension_values={"": "x", "model": ""}), ["dimension_values[]", "dimension_values[model]"]),
        (_terms(dimension_values={"model": "x" * 101}), ["dimension_values[model]"]),
        (_terms(dimension_values={str(n): "x" for n in range(6)}), ["dimension_values"]),
    ],
)  # fmt: skip
async def test_all_bad_fields_of_a_price_are_named_at_once(
    catalog: CatalogStub, terms: pb.RateTerms, fields: list[str]
) -> None:
    with bad_fields("rate_card_id", *(f"rates[0].{field}" for field in fields)):
        await catalog.AddRates(pb.AddRatesRequest(request_id="r1", rates=[terms]))


async def test_twenty_tiers_and_five_dimensions_are_the_most(catalog: CatalogStub, shop: Shop) -> None:
    keys = ["a", "b", "c", "d", "e"]
    request = pb.CreateProductRequest(
        request_id="p1",
        name="Everything",
        product_type=pb.PRODUCT_TYPE_USAGE,
        billable_metric_id=(await shop.metric()).billable_metric_id,
        pricing_dimensions=[pb.PricingDimension(key=key) for key in keys],
    )
    product = (await catalog.CreateProduct(request)).product
    terms = _graduated(product, _tiers(*((n, 1) for n in range(1, 20)), (None, 0)))
    for key in keys:
        terms.dimension_values[key] = "x" * 100

    added = (await shop.add(await shop.card(), terms)).rates[0]

    assert (len(added.tiers), dict(added.dimension_values)) == (20, dict.fromkeys(keys, "x" * 100))


async def _with_long_dimensions(catalog: CatalogStub, shop: Shop) -> pb.Product:
    request = pb.CreateProductRequest(
        request_id=shop.request_id(),
        name="AI tokens",
        product_type=pb.PRODUCT_TYPE_USAGE,
        billable_metric_id=(await shop.metric()).billable_metric_id,
        pricing_dimensions=[pb.PricingDimension(key=letter * 100) for letter in "abcde"],
    )
    return (await catalog.CreateProduct(request)).product


async def test_a_card_whose_rates_fill_a_message_is_full_and_is_still_delivered(
    databases: Databases, catalog: CatalogStub, shop: Shop, ledger: RecordingLedger
) -> None:
    card, product = await shop.card(), await _with_long_dimensions(catalog, shop)
    engine = open_engine(databases.url("catalog"), application_name="test")
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO catalog.rates (rate_id, rate_card_id, product_id, billing_frequency, credit_type_id,"
                " price_micros, per_micros, effective_time, create_time, dimension_values)"
                " SELECT 'rat_' || lpad(n::text, 32, '0'), :card, :product, 'NONE', 'USD', 1, 1,"
                " '2025-06-01Z'::timestamptz, now(),"
                " (SELECT jsonb_object_agg(repeat(key, 100), lpad(n::text, 100, key))"
                " FROM unnest('{a,b,c,d,e}'::text[]) AS key)"
                " FROM generate_series(1, 3099) AS n"
            ),
            {"card": card.rate_card_id, "product": product.product_id},
        )
    await engine.dispose()

    def large(number: int) -> pb.RateTerms:
        terms = a_rate(product)
        for letter in "abcde":
            terms.dimension_values[letter * 100] = f"{number:x>100}"
        return terms

    with fault(
        StatusCode.FAILED_PRECONDITION,
        "RATE_CARD_FULL",
        rate_card_id=card.rate_card_id,
        rates_max="10000",
        bytes_max="4000000",
    ):
        await shop.add(card, large(1), large(2))
    added = await shop.add(card, large(1))

    await ledger.has_heard(lambda it: len(it.rate_cards) == 2)
    assert len(ledger.rate_cards[1].rates) == 3_100
    assert 3_500_000 < ledger.rate_cards[1].ByteSize() < MESSAGE_BYTES_MAX
    assert added.rate_card.version == 2
