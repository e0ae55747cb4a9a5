# SPDX-License-Identifier: Apache-2.0
"""AddRates, ListRates."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from grpc import StatusCode
from sqlalchemy import text

from meshkit.db import open_engine
from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from tests.support.catalog import AUGUST, JULY, JUNE, CatalogStub, RunningCatalog, Shop, a_rate
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases

MONTHLY, ANNUAL = pb.BILLING_FREQUENCY_MONTHLY, pb.BILLING_FREQUENCY_ANNUAL
TICK = timedelta(microseconds=1)


async def _listed(catalog: CatalogStub, card: pb.RateCard, **filters: object) -> list[pb.Rate]:
    request = pb.ListRatesRequest(rate_card_id=card.rate_card_id, **filters)  # type: ignore[arg-type]
    return list((await catalog.ListRates(request)).rates)


async def test_the_guides_prices_are_added_and_listed(catalog: CatalogStub, shop: Shop) -> None:
    credits = await shop.credit_type("AI credits")
    card = await shop.card([credits])
    seats, assistant = await shop.seats(), await shop.usage()
    in_credits = credits.credit_type_id

    added = await shop.add(
        card,
        a_rate(assistant, price_micros=12_000_000, credit_type_id=in_credits),
        a_rate(seats, price_micros=10_000_000, frequency=MONTHLY),
        a_rate(seats, price_micros=100_000_000, frequency=ANNUAL),
    )

    usage, monthly, annual = added.rates
    assert usage == pb.Rate(
        rate_id=usage.rate_id,
        product_id=assistant.product_id,
        credit_type_id=in_credits,
        price_micros=12_000_000,
        per_micros=1_000_000,
        effective_time=timestamp(JUNE),
        rate_type=pb.RATE_TYPE_FLAT,
        create_time=timestamp(JUNE),
    )
    assert usage.rate_id.startswith("rat_")
    assert (monthly.billing_frequency, monthly.price_micros) == (MONTHLY, 10_000_000)
    assert added.rate_card.version == 2
    assert await _listed(catalog, card) == [annual, monthly, usage]
    read = await catalog.GetRateCard(pb.GetRateCardRequest(rate_card_id=card.rate_card_id))
    assert read.rate_card == added.rate_card


async def test_a_price_may_be_for_more_than_one_unit_and_may_be_nothing(shop: Shop) -> None:
    card, assistant = await shop.card(), await shop.usage()
    terms = a_rate(assistant, price_micros=0)
    terms.per_micros = 1_000_000_000

    added = await shop.add(card, terms)

    assert (added.rates[0].price_micros, added.rates[0].per_micros) == (0, 1_000_000_000)


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        (JUNE, JULY - TICK, True),
        (JUNE, JULY, True),
        (JUNE, JULY + TICK, False),
        (AUGUST - TICK, None, False),
        (AUGUST, None, True),
        (AUGUST + TICK, None, True),
    ],
)
async def test_rates_of_one_product_may_touch_and_not_overlap(
    shop: Shop, start: datetime, end: datetime | None, fits: bool
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    await shop.add(card, a_rate(assistant, start=JULY, end=AUGUST))

    if fits:
        assert (await shop.add(card, a_rate(assistant, start=start, end=end))).rate_card.version == 3
    else:
        with fault(
            StatusCode.FAILED_PRECONDITION,
            "RATE_OVERLAPS",
            product_id=assistant.product_id,
            effective_time=start.isoformat(),
            other_effective_time=JULY.isoformat(),
            other_end_time=AUGUST.isoformat(),
        ):
            await shop.add(card, a_rate(assistant, start=start, end=end))


async def test_frequencies_products_and_cards_do_not_overlap_each_other(shop: Shop) -> None:
    card, other_card = await shop.card(), await shop.card()
    seats, assistant = await shop.seats(), await shop.usage()

    for one in (card, other_card):
        await shop.add(
            one,
            a_rate(seats, frequency=MONTHLY),
            a_rate(seats, frequency=ANNUAL),
            a_rate(assistant),
        )


async def test_end_previous_ends_the_open_ended_rate_where_the_new_one_begins(
    catalog: CatalogStub, shop: Shop
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    first = (await shop.add(card, a_rate(assistant, start=JUNE))).rates[0]
    with fault(StatusCode.FAILED_PRECONDITION, "RATE_OVERLAPS", other_end_time=""):
        await shop.add(card, a_rate(assistant, start=JULY))

    second = (await shop.add(card, a_rate(assistant, start=JULY, end_previous=True))).rates[0]

    first.end_time.CopyFrom(timestamp(JULY))
    first.ended_by_rate_id = second.rate_id
    assert await _listed(catalog, card) == [first, second]
    assert await _listed(catalog, card, as_of_time=timestamp(JULY - TICK)) == [first]
    assert await _listed(catalog, card, as_of_time=timestamp(JULY)) == [second]


async def test_end_previous_ends_a_rate_now_or_later_but_not_in_the_past(
    running: RunningCatalog, catalog: CatalogStub, shop: Shop
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    first = (await shop.add(card, a_rate(assistant, start=JUNE))).rates[0]
    running.clock.advance_to(JULY)

    with fault(StatusCode.FAILED_PRECONDITION, "END_IN_PAST", rate_id=first.rate_id):
        await shop.add(card, a_rate(assistant, start=JULY - TICK, end_previous=True))
    assert await _listed(catalog, card) == [first]

    await shop.add(card, a_rate(assistant, start=JULY, end_previous=True))
    assert (await _listed(catalog, card))[0].end_time == timestamp(JULY)


async def test_end_previous_may_end_a_rate_of_the_same_call_in_the_past(
    running: RunningCatalog, catalog: CatalogStub, shop: Shop
) -> None:
    running.clock.advance_to(AUGUST)
    card, assistant = await shop.card(), await shop.usage()

    await shop.add(card, a_rate(assistant, start=JUNE), a_rate(assistant, start=JULY, end_previous=True))

    assert (await _listed(catalog, card))[0].end_time == timestamp(JULY)


async def test_one_refused_rate_refuses_all(catalog: CatalogStub, shop: Shop) -> None:
    card, assistant = await shop.card(), await shop.usage()

    with fault(StatusCode.FAILED_PRECONDITION, "RATE_OVERLAPS"):
        await shop.add(card, a_rate(assistant, end=JULY), a_rate(assistant, start=JULY - TICK))

    assert await _listed(catalog, card) == []
    read = await catalog.GetRateCard(pb.GetRateCardRequest(rate_card_id=card.rate_card_id))
    assert read.rate_card.version == 1


async def test_of_rivals_for_one_instant_one_wins(catalog: CatalogStub, shop: Shop) -> None:
    card, assistant = await shop.card(), await shop.usage()

    rivals = await asyncio.gather(
        *(shop.add(card, a_rate(assistant, price_micros=n)) for n in range(8)), return_exceptions=True
    )

    winners = [rival for rival in rivals if isinstance(rival, pb.AddRatesResponse)]
    assert len(winners) == 1
    assert winners[0].rate_card.version == 2
    assert await _listed(catalog, card) == list(winners[0].rates)


async def test_writers_of_one_card_each_get_a_version_of_their_own(shop: Shop) -> None:
    card, assistant = await shop.card(), await shop.usage()

    added = await asyncio.gather(
        *(
            shop.add(card, a_rate(assistant, start=JUNE + n * TICK, end=JUNE + (n + 1) * TICK))
            for n in range(8)
        )
    )

    assert sorted(one.rate_card.version for one in added) == list(range(2, 10))


async def _seats_without_frequency(shop: Shop) -> pb.RateTerms:
    return a_rate(await shop.seats())


async def _seats_in_credits(shop: Shop) -> pb.RateTerms:
    credits = await shop.credit_type()
    return a_rate(await shop.seats(), frequency=ANNUAL, credit_type_id=credits.credit_type_id)


async def _usage_with_frequency(shop: Shop) -> pb.RateTerms:
    return a_rate(await shop.usage(), frequency=MONTHLY)


async def _fixed(shop: Shop) -> pb.RateTerms:
    return a_rate(await shop.product(pb.PRODUCT_TYPE_FIXED))


@pytest.mark.parametrize(
    "unsuitable", [_seats_without_frequency, _seats_in_credits, _usage_with_frequency, _fixed]
)
async def test_a_rate_must_suit_its_product(
    shop: Shop, unsuitable: Callable[[Shop], Awaitable[pb.RateTerms]]
) -> None:
    terms = await unsuitable(shop)

    with fault(StatusCode.FAILED_PRECONDITION, "RATE_DOES_NOT_SUIT_PRODUCT", product_id=terms.product_id):
        await shop.add(await shop.card(), terms)


async def test_a_card_prices_only_in_credits_that_it_converts(shop: Shop) -> None:
    credits, assistant = await shop.credit_type(), await shop.usage()
    card = await shop.card()

    with fault(
        StatusCode.FAILED_PRECONDITION,
        "CONVERSION_MISSING",
        rate_card_id=card.rate_card_id,
        credit_type_id=credits.credit_type_id,
    ):
        await shop.add(card, a_rate(assistant, credit_type_id=credits.credit_type_id))


async def test_what_a_rate_names_must_exist(catalog: CatalogStub, shop: Shop) -> None:
    card, assistant = await shop.card(), await shop.usage()

    with fault(StatusCode.NOT_FOUND, "RATE_CARD_NOT_FOUND", rate_card_id="rcd_x"):
        await shop.add(pb.RateCard(rate_card_id="rcd_x"), a_rate(assistant))
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_x"):
        await shop.add(card, a_rate(pb.Product(product_id="prd_x")))
    with fault(StatusCode.NOT_FOUND, "CREDIT_TYPE_NOT_FOUND", credit_type_id="crt_x"):
        await shop.add(card, a_rate(assistant, credit_type_id="crt_x"))
    with fault(StatusCode.NOT_FOUND, "RATE_CARD_NOT_FOUND", rate_card_id="rcd_x"):
        await catalog.ListRates(pb.ListRatesRequest(rate_card_id="rcd_x"))


async def test_an_archived_product_keeps_its_rates_and_gets_no_more(catalog: CatalogStub, shop: Shop) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rates = (await shop.add(card, a_rate(assistant, end=JULY))).rates
    await shop.archived(assistant)

    with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_ARCHIVED", product_id=assistant.product_id):
        await shop.add(card, a_rate(assistant, start=JULY))

    assert await _listed(catalog, card) == list(rates)


async def test_a_card_is_full_at_ten_thousand_rates(databases: Databases, shop: Shop) -> None:
    card, assistant, other = await shop.card(), await shop.usage(), await shop.usage()
    engine = open_engine(databases.owner_url("catalog"), application_name="test")
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO catalog.rates SELECT 'rat_' || n, :card, :product, 'NONE', 'USD', 1, 1,"
                " timestamptz '2000-01-01Z' + n * interval '1 hour',"
                " timestamptz '2000-01-01Z' + (n + 1) * interval '1 hour'"
                " FROM generate_series(1, 9998) AS n"
            ),
            {"card": card.rate_card_id, "product": other.product_id},
        )
    await engine.dispose()

    three = [a_rate(assistant, start=JUNE + n * TICK, end=JUNE + (n + 1) * TICK) for n in range(3)]
    with fault(
        StatusCode.FAILED_PRECONDITION, "RATE_CARD_FULL", rate_card_id=card.rate_card_id, rates_max="10000"
    ):
        await shop.add(card, *three)
    assert len((await shop.add(card, *three[:2])).rates) == 2
    with fault(StatusCode.FAILED_PRECONDITION, "RATE_CARD_FULL"):
        await shop.add(card, three[2])


@pytest.mark.parametrize(("present", "fits"), [(10_999, True), (11_000, False)])
async def test_a_full_card_takes_a_thousand_corrections(
    databases: Databases, catalog: CatalogStub, shop: Shop, present: int, fits: bool
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    root = (await shop.add(card, a_rate(assistant))).rates[0]
    engine = open_engine(databases.owner_url("catalog"), application_name="test")
    async with engine.begin() as connection:
        # A card can be filled after PostgreSQL last counted its rows.
        await connection.execute(text("ALTER TABLE catalog.rates SET (autovacuum_enabled = false)"))
        await connection.execute(text("ANALYZE catalog.rates"))
        await connection.execute(
            text(
                "INSERT INTO catalog.rates (rate_id, rate_card_id, product_id, billing_frequency, credit_type_id,"
                " price_micros, per_micros, effective_time, create_time, corrects_rate_id)"
                " SELECT 'rat_' || n, :card, :product, 'NONE', 'USD', 1, 1, '2025-06-01Z',"
                " timestamptz '2025-05-01Z' + n * interval '1 second', :root FROM generate_series(2, :present) AS n"
            ),
            {
                "card": card.rate_card_id,
                "product": assistant.product_id,
                "root": root.rate_id,
                "present": present,
            },
        )
    await engine.dispose()
    request = pb.CorrectRateRequest(request_id="r1", rate_id=root.rate_id, price_micros=7)

    if fits:
        assert (await catalog.CorrectRate(request)).rate.price_micros == 7
    else:
        with fault(StatusCode.FAILED_PRECONDITION, "RATE_CARD_FULL", rate_card_id=card.rate_card_id):
            await catalog.CorrectRate(request)


async def test_rates_are_listed_of_one_product_and_as_of_an_instant(catalog: CatalogStub, shop: Shop) -> None:
    card, assistant, preview = await shop.card(), await shop.usage(), await shop.usage()
    added = await shop.add(
        card,
        a_rate(assistant, end=JULY),
        a_rate(assistant, start=JULY),
        a_rate(preview),
    )
    june, july, other = added.rates

    assert await _listed(catalog, card, product_id=assistant.product_id) == [june, july]
    assert await _listed(catalog, card, as_of_time=timestamp(JULY)) == [july, other]
    assert await _listed(catalog, card, as_of_time=timestamp(JUNE), product_id=assistant.product_id) == [june]
    assert await _listed(catalog, card, product_id="prd_x") == []


def _terms(**changes: object) -> pb.RateTerms:
    good: dict[str, object] = {
        "product_id": "prd_1",
        "credit_type_id": "USD",
        "price_micros": 1,
        "effective_time": timestamp(JUNE),
    }
    return pb.RateTerms(**(good | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rates", "fields"),
    [
        ([], ["rates"]),
        ([_terms()] * 501, ["rates"]),
        ([pb.RateTerms()], ["rates[0].product_id", "rates[0].credit_type_id", "rates[0].effective_time"]),
        ([_terms(price_micros=-1, per_micros=-1)], ["rates[0].price_micros", "rates[0].per_micros"]),
        ([_terms(), _terms(end_time=timestamp(JUNE))], ["rates[1].end_time"]),
        ([_terms(end_time=timestamp(JUNE - TICK))], ["rates[0].end_time"]),
        ([_terms(billing_frequency=9), _terms(product_id="")], ["rates[0].billing_frequency", "rates[1].product_id"]),
    ],
)  # fmt: skip
async def test_all_bad_fields_are_named_at_once(
    catalog: CatalogStub, rates: list[pb.RateTerms], fields: list[str]
) -> None:
    with bad_fields(*fields, "request_id", "rate_card_id"):
        await catalog.AddRates(pb.AddRatesRequest(rates=rates))


async def test_a_rate_may_last_one_microsecond(shop: Shop) -> None:
    card, assistant = await shop.card(), await shop.usage()

    added = await shop.add(card, a_rate(assistant, end=JUNE + TICK))

    assert added.rates[0].end_time == timestamp(JUNE + TICK)


async def test_a_list_needs_a_card_and_a_real_instant(catalog: CatalogStub) -> None:
    with bad_fields("rate_card_id"):
        await catalog.ListRates(pb.ListRatesRequest())
    with bad_fields("rate_card_id", "as_of_time", "page_size"):
        request = pb.ListRatesRequest(page_size=-1)
        request.as_of_time.seconds = 0
        request.as_of_time.SetInParent()
        await catalog.ListRates(request)
