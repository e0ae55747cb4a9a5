# SPDX-License-Identifier: Apache-2.0
"""WithdrawRate, EndRate, CorrectRate, and rates that replace others."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.rpc.fields import optional_timestamp, timestamp
from meshkit.rpc.status import from_rpc_error
from purser.catalog.v1 import catalog_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from tests.support.catalog import (
    AUGUST,
    JULY,
    JUNE,
    CatalogStub,
    RunningCatalog,
    Shop,
    a_rate,
    running_catalog,
)
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases
from tests.support.recording_ledger import RecordingLedger

TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
MONTHLY = pb.BILLING_FREQUENCY_MONTHLY
FAILED = StatusCode.FAILED_PRECONDITION


@pytest.fixture
async def ledger() -> AsyncIterator[RecordingLedger]:
    async with RecordingLedger() as ledger:
        yield ledger


@pytest.fixture
async def running(databases: Databases, ledger: RecordingLedger) -> AsyncIterator[RunningCatalog]:
    async with running_catalog(databases, ledger_address=ledger.address) as running:
        yield running


@pytest.fixture
def catalog(running: RunningCatalog) -> CatalogStub:
    return running.stub


class Till:
    """Calls the rpcs that repair rates; each call has a new request_id."""

    def __init__(self, catalog: CatalogStub, shop: Shop) -> None:
        self._catalog = catalog
        self._shop = shop

    async def withdraw(self, rate: pb.Rate) -> pb.WithdrawRateResponse:
        request = pb.WithdrawRateRequest(request_id=self._shop.request_id(), rate_id=rate.rate_id)
        return await self._catalog.WithdrawRate(request)

    async def end(self, rate: pb.Rate, at: datetime | None = None) -> pb.EndRateResponse:
        request = pb.EndRateRequest(
            request_id=self._shop.request_id(), rate_id=rate.rate_id, end_time=optional_timestamp(at)
        )
        return await self._catalog.EndRate(request)

    async def correct(self, rate: pb.Rate, price_micros: int = 3_000_000) -> pb.CorrectRateResponse:
        request = pb.CorrectRateRequest(
            request_id=self._shop.request_id(), rate_id=rate.rate_id, price_micros=price_micros
        )
        return await self._catalog.CorrectRate(request)

    async def listed(self, card: pb.RateCard, at: datetime | None = None) -> list[pb.Rate]:
        request = pb.ListRatesRequest(rate_card_id=card.rate_card_id, as_of_time=optional_timestamp(at))
        return list((await self._catalog.ListRates(request)).rates)

    async def priced(self, card: pb.RateCard, at: datetime) -> list[int]:
        return [rate.price_micros for rate in await self.listed(card, at)]


@pytest.fixture
def till(catalog: CatalogStub, shop: Shop) -> Till:
    return Till(catalog, shop)


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        (JULY - timedelta(minutes=1), True),
        (JULY - timedelta(seconds=59, microseconds=999_999), False),
        (JULY, False),
    ],
)
async def test_a_rate_is_withdrawn_until_one_minute_before_it_begins(
    running: RunningCatalog, shop: Shop, till: Till, at: datetime, allowed: bool
) -> None:
    card, seats = await shop.card(), await shop.seats()
    rate = (await shop.add(card, a_rate(seats, start=JULY, frequency=MONTHLY))).rates[0]
    running.clock.advance_to(at)

    if allowed:
        withdrawn = await till.withdraw(rate)
        rate.withdraw_time.CopyFrom(timestamp(at))
        assert withdrawn.rate == rate
        assert withdrawn.rate_card.version == 3
        assert await till.listed(card) == [rate]
        assert await till.listed(card, AUGUST) == []
    else:
        with fault(FAILED, "RATE_BEGUN", rate_id=rate.rate_id, effective_time=JULY.isoformat()):
            await till.withdraw(rate)
        assert await till.listed(card, AUGUST) == [rate]


async def test_the_ledger_learns_of_a_withdrawn_usage_rate_once(
    shop: Shop, till: Till, ledger: RecordingLedger
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant, start=JULY))).rates[0]

    await till.withdraw(rate)
    again = await till.withdraw(rate)

    assert again.rate_card.version == 3
    assert [(one.version, [rate.is_withdrawn for rate in one.rates]) for one in ledger.rate_cards] == [
        (1, []),
        (2, [False]),
        (3, [True]),
    ]


async def test_the_rate_that_a_withdrawn_one_had_ended_is_open_ended_again(
    shop: Shop, till: Till, ledger: RecordingLedger
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    first = (await shop.add(card, a_rate(assistant))).rates[0]
    second = (await shop.add(card, a_rate(assistant, start=JULY, end_previous=True))).rates[0]

    await till.withdraw(second)

    assert await till.listed(card, AUGUST) == [first]
    assert [one.HasField("end_time") for one in ledger.rate_cards[-1].rates] == [False, False]


async def test_a_mistyped_price_is_replaced_by_the_right_one_in_one_step(
    catalog: CatalogStub, shop: Shop, till: Till
) -> None:
    card, seats = await shop.card(), await shop.seats()
    await shop.add(card, a_rate(seats, price_micros=10_000_000, frequency=MONTHLY))
    mistyped = a_rate(seats, start=JULY, price_micros=100_000_000, frequency=MONTHLY, end_previous=True)
    wrong = (await shop.add(card, mistyped)).rates[0]
    right = a_rate(seats, start=JULY, price_micros=12_000_000, frequency=MONTHLY)
    with fault(FAILED, "RATE_OVERLAPS", other_rate_id=wrong.rate_id):
        await shop.add(card, right)

    right.replaces_rate_id = wrong.rate_id
    added = await shop.add(card, right)

    assert added.rate_card.version == 4
    assert await till.priced(card, JULY - TICK) == [10_000_000]
    assert await till.priced(card, JULY) == [12_000_000]
    first, withdrawn, replacement = await till.listed(card)
    assert (first.end_time, first.ended_by_rate_id) == (timestamp(JULY), replacement.rate_id)
    assert (withdrawn.rate_id, withdrawn.withdraw_time) == (wrong.rate_id, timestamp(JUNE))
    assert replacement == added.rates[0]


async def test_a_refused_replacement_withdraws_nothing(shop: Shop, till: Till) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant, start=JULY))).rates[0]
    replacement = a_rate(assistant, start=JULY)
    replacement.replaces_rate_id = rate.rate_id

    with fault(FAILED, "RATE_OVERLAPS"):
        await shop.add(card, replacement, a_rate(assistant, start=AUGUST))

    assert await till.listed(card) == [rate]


async def test_a_rate_of_another_product_of_the_card_is_replaced_and_none_of_another_card(
    shop: Shop, till: Till
) -> None:
    card, other_card = await shop.card(), await shop.card()
    assistant, meant = await shop.usage(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant, start=JULY))).rates[0]
    replacement = a_rate(meant, start=JULY)
    replacement.replaces_rate_id = rate.rate_id

    with fault(StatusCode.NOT_FOUND, "RATE_NOT_FOUND", rate_id=rate.rate_id):
        await shop.add(other_card, replacement)
    added = (await shop.add(card, replacement)).rates

    assert await till.listed(card, JULY) == list(added)


@pytest.mark.parametrize(("at", "reason"), [(JULY - MINUTE, None), (JULY - MINUTE + TICK, "RATE_BEGUN")])
async def test_a_rate_is_replaced_until_one_minute_before_it_begins(
    running: RunningCatalog, shop: Shop, at: datetime, reason: str | None
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant, start=JULY))).rates[0]
    running.clock.advance_to(at)
    replacement = a_rate(assistant, start=JULY)
    replacement.replaces_rate_id = rate.rate_id

    if reason is None:
        await shop.add(card, replacement)
        with fault(FAILED, "RATE_WITHDRAWN", rate_id=rate.rate_id):
            await shop.add(card, replacement)
    else:
        with fault(FAILED, reason, rate_id=rate.rate_id):
            await shop.add(card, replacement)


async def test_a_rate_ends_now_or_later(running: RunningCatalog, shop: Shop, till: Till) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant))).rates[0]
    running.clock.advance_to(JULY)

    with fault(
        FAILED,
        "END_IN_PAST",
        rate_id=rate.rate_id,
        end_time=(JULY - TICK).isoformat(),
        now_time=JULY.isoformat(),
    ):
        await till.end(rate, JULY - TICK)
    later = await till.end(rate, AUGUST)
    now = await till.end(rate)
    with fault(FAILED, "RATE_ENDED", rate_id=rate.rate_id, end_time=JULY.isoformat()):
        await till.end(rate, AUGUST)

    assert [one.rate.end_time for one in (later, now)] == [timestamp(AUGUST), timestamp(JULY)]
    assert [one.rate_card.version for one in (later, now)] == [3, 4]
    assert await till.listed(card) == [now.rate]
    assert await till.listed(card, JULY) == []


async def test_a_rate_ends_after_it_begins_and_before_the_next_one(shop: Shop, till: Till) -> None:
    card, assistant = await shop.card(), await shop.usage()
    added = await shop.add(
        card, a_rate(assistant, start=JULY, end=JULY + TICK), a_rate(assistant, start=AUGUST)
    )
    rate = added.rates[0]

    with fault(FAILED, "END_BEFORE_START", rate_id=rate.rate_id, effective_time=JULY.isoformat()):
        await till.end(rate, JULY)
    with fault(FAILED, "RATE_OVERLAPS", other_effective_time=AUGUST.isoformat()):
        await till.end(rate, AUGUST + TICK)
    assert (await till.end(rate, AUGUST)).rate.end_time == timestamp(AUGUST)


async def test_a_correction_prices_the_whole_span_of_the_rate_and_the_latest_one_wins(
    running: RunningCatalog, shop: Shop, till: Till, ledger: RecordingLedger
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant, end=AUGUST))).rates[0]
    running.clock.advance_to(JULY)

    first = await till.correct(rate, 3_000_000)
    second = await till.correct(rate, 4_000_000)

    assert first.rate == pb.Rate(
        rate_id=first.rate.rate_id,
        product_id=assistant.product_id,
        credit_type_id="USD",
        price_micros=3_000_000,
        per_micros=1_000_000,
        effective_time=timestamp(JUNE),
        end_time=timestamp(AUGUST),
        rate_type=pb.RATE_TYPE_FLAT,
        create_time=timestamp(JULY),
        corrects_rate_id=rate.rate_id,
    )
    assert second.rate.create_time == timestamp(JULY + TICK)
    assert (first.rate_card.version, second.rate_card.version) == (3, 4)
    assert await till.listed(card, JUNE) == await till.listed(card, AUGUST - TICK) == [second.rate]
    assert await till.listed(card, AUGUST) == []
    by = {one.rate_id: one.corrected_by_rate_id for one in await till.listed(card)}
    assert by == {
        rate.rate_id: second.rate.rate_id,
        first.rate.rate_id: second.rate.rate_id,
        second.rate.rate_id: "",
    }
    sent = [(one.corrects_rate_id, one.create_time) for one in ledger.rate_cards[-1].rates]
    assert sorted(sent, key=lambda one: one[1].ToNanoseconds()) == [
        ("", timestamp(JUNE)),
        (rate.rate_id, timestamp(JULY)),
        (rate.rate_id, timestamp(JULY + TICK)),
    ]


async def test_a_correction_may_have_another_type(
    catalog: CatalogStub, shop: Shop, ledger: RecordingLedger
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant))).rates[0]
    tiers = [
        pb.RateTier(up_to_micros=1_000, price_micros=2, per_micros=1_000_000),
        pb.RateTier(price_micros=1, per_micros=1_000_000),
    ]
    request = pb.CorrectRateRequest(
        request_id="r1", rate_id=rate.rate_id, rate_type=pb.RATE_TYPE_GRADUATED, tiers=tiers
    )

    corrected = (await catalog.CorrectRate(request)).rate

    assert (corrected.rate_type, list(corrected.tiers)) == (pb.RATE_TYPE_GRADUATED, tiers)
    assert ledger.rate_cards[-1].rates[-1].rate_type == ledger_pb.RATE_TYPE_GRADUATED


async def test_seats_are_corrected_by_flat_prices_only(catalog: CatalogStub, shop: Shop, till: Till) -> None:
    card, seats = await shop.card(), await shop.seats()
    rate = (await shop.add(card, a_rate(seats, frequency=MONTHLY))).rates[0]
    request = pb.CorrectRateRequest(
        request_id="r1", rate_id=rate.rate_id, rate_type=pb.RATE_TYPE_PACKAGE, price_micros=1
    )

    with fault(FAILED, "RATE_DOES_NOT_SUIT_PRODUCT", product_id=seats.product_id):
        await catalog.CorrectRate(request)
    await till.correct(rate, 9_000_000)

    assert await till.priced(card, JUNE) == [9_000_000]


async def test_a_rate_is_corrected_from_its_first_instant_on(
    running: RunningCatalog, shop: Shop, till: Till
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant, start=JULY))).rates[0]
    running.clock.advance_to(JULY - TICK)

    with fault(FAILED, "RATE_NOT_BEGUN", rate_id=rate.rate_id, effective_time=JULY.isoformat()):
        await till.correct(rate)
    running.clock.advance_to(JULY)
    assert (await till.correct(rate)).rate.corrects_rate_id == rate.rate_id


async def test_corrections_end_with_the_rate_that_they_correct(shop: Shop, till: Till) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant))).rates[0]
    correction = (await till.correct(rate)).rate

    followed = (await shop.add(card, a_rate(assistant, start=JULY, end_previous=True))).rates[0]
    assert await till.listed(card, JULY) == [followed]
    await till.withdraw(followed)
    assert await till.listed(card, JULY) == [correction]
    ended = await till.end(rate, AUGUST)

    assert ended.rate.corrected_by_rate_id == correction.rate_id
    correction.end_time.CopyFrom(timestamp(AUGUST))
    assert await till.listed(card, AUGUST - TICK) == [correction]
    assert await till.listed(card, AUGUST) == []


async def test_a_correction_is_repaired_by_another_one_of_the_same_rate(shop: Shop, till: Till) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant))).rates[0]
    correction = (await till.correct(rate)).rate
    ids = {"rate_id": correction.rate_id, "corrects_rate_id": rate.rate_id}
    replacement = a_rate(assistant, start=JULY)
    replacement.replaces_rate_id = correction.rate_id

    with fault(FAILED, "RATE_IS_CORRECTION", **ids):
        await till.correct(correction)
    with fault(FAILED, "RATE_IS_CORRECTION", **ids):
        await till.end(correction)
    with fault(FAILED, "RATE_IS_CORRECTION", **ids):
        await till.withdraw(correction)
    with fault(FAILED, "RATE_IS_CORRECTION", **ids):
        await shop.add(card, replacement)


async def test_a_withdrawn_rate_is_neither_ended_nor_corrected(
    running: RunningCatalog, shop: Shop, till: Till
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant, start=JULY))).rates[0]
    await till.withdraw(rate)
    running.clock.advance_to(JULY)

    with fault(FAILED, "RATE_WITHDRAWN", rate_id=rate.rate_id, withdraw_time=JUNE.isoformat()):
        await till.end(rate, AUGUST)
    with fault(FAILED, "RATE_WITHDRAWN", rate_id=rate.rate_id):
        await till.correct(rate)


async def test_an_unknown_rate_is_not_found(till: Till) -> None:
    unknown = pb.Rate(rate_id="rat_x")

    for repair in (till.withdraw, till.end, till.correct):
        with fault(StatusCode.NOT_FOUND, "RATE_NOT_FOUND", rate_id="rat_x"):
            await repair(unknown)


async def test_rates_of_an_archived_product_are_repaired(shop: Shop, till: Till) -> None:
    card, assistant = await shop.card(), await shop.usage()
    added = await shop.add(card, a_rate(assistant), a_rate(assistant, start=AUGUST, end_previous=True))
    now, planned = added.rates
    await shop.archived(assistant)

    await till.correct(now)
    await till.withdraw(planned)
    await till.end(now, JULY)

    assert await till.priced(card, JULY - TICK) == [3_000_000]
    assert await till.listed(card, JULY) == []


async def test_corrections_at_the_same_time_are_all_kept_in_one_order(shop: Shop, till: Till) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant))).rates[0]

    corrected = await asyncio.gather(*(till.correct(rate, price) for price in range(6)))

    in_order = sorted(corrected, key=lambda one: one.rate_card.version)
    assert [one.rate_card.version for one in in_order] == [3, 4, 5, 6, 7, 8]
    assert [one.rate.create_time for one in in_order] == [timestamp(JUNE + n * TICK) for n in range(1, 7)]
    assert await till.listed(card, JUNE) == [in_order[-1].rate]


async def test_of_rivals_that_replace_one_rate_one_wins(shop: Shop, till: Till) -> None:
    card, assistant = await shop.card(), await shop.usage()
    rate = (await shop.add(card, a_rate(assistant, start=JULY))).rates[0]

    def replacement(price: int) -> pb.RateTerms:
        terms = a_rate(assistant, start=JULY, price_micros=price)
        terms.replaces_rate_id = rate.rate_id
        return terms

    rivals = await asyncio.gather(
        *(shop.add(card, replacement(price)) for price in range(1, 7)), return_exceptions=True
    )

    (winner,) = [one for one in rivals if isinstance(one, pb.AddRatesResponse)]
    refused = [from_rpc_error(one).reason for one in rivals if isinstance(one, AioRpcError)]
    assert refused == ["RATE_WITHDRAWN"] * 5
    assert await till.listed(card, JULY) == list(winner.rates)


async def test_all_bad_fields_of_a_repair_are_named_at_once(catalog: CatalogStub) -> None:
    with bad_fields("request_id", "rate_id"):
        await catalog.WithdrawRate(pb.WithdrawRateRequest())
    ended = pb.EndRateRequest()
    ended.end_time.SetInParent()
    with bad_fields("request_id", "rate_id", "end_time"):
        await catalog.EndRate(ended)
    with bad_fields("request_id", "rate_id", "price_micros", "per_micros", "tiers"):
        await catalog.CorrectRate(
            pb.CorrectRateRequest(price_micros=-1, per_micros=-1, tiers=[pb.RateTier()])
        )
    with bad_fields("rate_type"):
        await catalog.CorrectRate(
            pb.CorrectRateRequest(request_id="r1", rate_id="rat_1", rate_type=9)  # type: ignore[arg-type]
        )
