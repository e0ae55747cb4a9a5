# SPDX-License-Identifier: Apache-2.0
"""Whatever is changed in a rate book, in whatever order, is stored as the book says, statement by statement."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from meshkit.errors import MeshError
from meshkit.page import Page
from meshkit.quantity import Ratio
from services.catalog.domain import rate_book
from services.catalog.domain.credit_type import USD
from services.catalog.domain.rate import Pricing, Rate, RateId, RateTerms, RateType
from services.catalog.domain.rate_book import RateBook, difference, open_book
from services.catalog.domain.rate_card import RateFilter
from services.catalog.store import PostgresStore
from tests.store.catalog.builders import CARD, USAGE, open_cards
from tests.support.catalog import JUNE

DAY = timedelta(days=1)
CHANGES = 300
DAYS = 40
VALUES = tuple((("model", f"model {n}"),) for n in range(6))


@pytest.mark.parametrize("seed", range(4))
async def test_a_book_is_stored_as_it_is_after_every_change(store: PostgresStore, seed: int) -> None:
    chance, book, made = random.Random(seed), open_book([]), Counter[str]()
    async with store.transaction() as tx:
        await open_cards(tx)

    for number in range(CHANGES):
        kind = chance.choice(["add", "add", "replace", "withdraw", "end", "end", "correct"])
        try:
            after = _changed(book, kind, chance, number)
        except MeshError:
            continue
        async with store.transaction() as tx:
            await tx.rates.save(CARD, difference(book, after))
        book = after
        made[kind] += 1

        async with store.transaction() as tx:
            stored = await tx.rates.of_usage(CARD)
        assert {rate.rate_id: rate for rate in stored} == _as_stored(book)

    assert min(made[kind] for kind in ("add", "replace", "withdraw", "end", "correct")) > 0, made
    for day in range(DAYS + 1):
        at = JUNE + day * DAY
        async with store.transaction() as tx:
            asked = RateFilter(rate_card_id=CARD, as_of_time=at, product_id=None)
            priced = await tx.rates.list(asked, Page(50, None))
        assert Counter(rate.line for rate in priced) == Counter(
            line
            for line, rates in book.lines.items()
            for rate in rates
            if rate.effective_time <= at and rate.reaches_past(at)
        )


def _changed(book: RateBook, kind: str, chance: random.Random, number: int) -> RateBook:
    """Attempt a change; the clock advances with the number. Raises what the domain raises."""
    new_id, at = RateId(f"rat_{number:03}"), JUNE + number * DAY * DAYS / CHANGES / 2
    old_id = chance.choice([*book.rates, RateId("rat_unknown")])
    match kind:
        case "withdraw":
            return rate_book.withdraw(book, old_id, at=at)
        case "end":
            return rate_book.end(book, old_id, JUNE + chance.randint(0, DAYS) * DAY, at=at)
        case "correct":
            pricing = Pricing(rate_type=RateType.PACKAGE, price=Ratio(number, 1))
            return rate_book.correct(book, new_id, old_id, pricing, at=at)
    start = chance.randint(0, DAYS)
    terms = RateTerms(
        product_id=USAGE,
        billing_frequency=None,
        credit_type_id=USD,
        price=Ratio(number, 1),
        effective_time=JUNE + start * DAY,
        end_time=chance.choice([None, None, JUNE + (start + chance.randint(1, 9)) * DAY]),
        end_previous=chance.random() < 0.7,
        dimension_values=chance.choice(VALUES),
        replaces_rate_id=old_id if kind == "replace" else None,
    )
    return rate_book.add_rates(book, [(new_id, terms)], at=at)


def _as_stored(book: RateBook) -> dict[RateId, Rate]:
    """The rates of a book, with the correction that prices instead of each."""
    latest = {root_id: ids[-1] for root_id, ids in book.corrections.items()}
    stored = {}
    for rate_id, rate in book.rates.items():
        by = latest.get(rate.corrects_rate_id or rate_id)
        stored[rate_id] = replace(rate, corrected_by_rate_id=None if by == rate_id else by)
    return stored
