# SPDX-License-Identifier: Apache-2.0
"""A rerated meter costs exactly what its rate says, whatever was corrected before and however the work is divided."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Period
from meshkit.quantity import MICROS, Credits, Quantity, Ratio
from services.ledger.domain.rating.metric import Aggregation
from services.ledger.domain.rating.price import FlatPrice, Price, Pricing, cost_at
from services.ledger.domain.rating.rate import Rate, winning_rate
from services.ledger.domain.usage import rerating
from tests.unit.ledger.builders import AUGUST, JULY, JUNE, PROPERTY, a_grant, an_account
from tests.unit.ledger.test_corrections import FALLING, NOON, PRICES, Book
from tests.unit.ledger.test_rate_choice import IN_JULY, KEYS, MID_JULY, TIERS, a_rate

TWO, ONE = FlatPrice(Ratio(2 * MICROS, MICROS)), FlatPrice(Ratio(MICROS, MICROS))


class Job:
    """Rerates the one meter of a book, as the worker does it."""

    def __init__(self, book: Book, price: Price) -> None:
        self.book = book
        self.pricing = Pricing(price, None)
        ((self.key, meter),) = book.account.meters.items()
        book.account = book.account.with_changes(
            meters={self.key: rerating.switched(meter, "rat_new", self.pricing)}
        )
        self.until = book.account.sequence
        self.total = meter.position
        self.position = Quantity(0)
        self.done = 0
        self.assert_adds_up()

    def page(self, entries_max: int) -> bool:
        """Correct the next entries; False if there are none left."""
        known = [one for one in self.book.usage() if one.corrects is None and one.sequence <= self.until]
        page = [one.sequence for one in known if one.sequence > self.done][:entries_max]
        if not page:
            return False
        pieces = [
            piece
            for piece in rerating.pieces_by_use(known, self.book.correcting(known), {})
            if self.done < piece.first.sequence <= page[-1]
        ]
        repriced, self.position = rerating.reprice(
            pieces, self.pricing, position=self.position, total=self.total
        )
        for some in (
            [one for one in repriced if one.difference < Credits(0)],
            [one for one in repriced if one.difference > Credits(0)],
        ):
            self.book.account = rerating.correct(
                self.book.account, self.book.product, some, cause_id="rrj_1", anchor=JUNE, at=NOON
            )
        self.done = page[-1]
        self.assert_adds_up()
        return True

    def finish(self, entries_max: int = 1_000) -> None:
        while self.page(entries_max):
            pass
        assert self.book.account.meters[self.key].unrated == Credits(0)

    def assert_adds_up(self) -> None:
        self.book.assert_adds_up()
        meter = self.book.account.meters[self.key]
        assert meter.cost == cost_at(self.pricing, meter.position) + meter.unrated


def costs(book: Book) -> dict[str, Credits]:
    """Return what is left of each event's cost."""
    return {name: book.piece(name).cost for name in book.reported}


def test_a_price_of_two_corrected_to_one_returns_half() -> None:
    book = Book(
        an_account(a_grant(100, grant_id="grt_1"), a_grant(100, grant_id="grt_2", priority=2)), price=TWO
    )
    for name, units in (("e1", "20"), ("e2", "30"), ("e3", "40")):
        book.record(name, units)
    before = len(book.account.entries)

    Job(book, ONE).finish()

    assert costs(book) == {"e1": Credits.of(20), "e2": Credits.of(30), "e3": Credits.of(40)}
    # grt_1 paid for e1 and e2, grt_2 for e3.
    assert [(one.grant_id, one.amount) for one in book.account.entries[before:]] == [
        ("grt_1", Credits.of(20)),
        ("grt_1", Credits.of(30)),
        ("grt_2", Credits.of(40)),
    ]


def test_what_is_dearer_is_a_shortfall_without_credits_and_cheaper_again_it_is_forgiven_first() -> None:
    book = Book(an_account(a_grant(15)), price=ONE)
    book.record("e1", "10")

    Job(book, TWO).finish()
    assert (book.account.shortfall, costs(book)) == (Credits.of(5), {"e1": Credits.of(20)})

    Job(book, FlatPrice(Ratio(3 * MICROS, 2 * MICROS))).finish()
    assert (book.account.shortfall, costs(book)) == (Credits(0), {"e1": Credits.of(15)})


def test_an_event_is_priced_once_with_what_it_was_amended_to() -> None:
    """The second part of its quantity is in another entry, far behind; voided, no part of it costs anything."""
    book = Book(an_account(a_grant(1_000)), price=TWO)
    for name in ("amended", "between", "voided"):
        book.record(name, "10")
    book.amend("amended", "25", "ann")
    book.amend("voided", "30", "ann")
    book.void("voided")

    Job(book, ONE).finish(entries_max=1)

    assert costs(book) == {"amended": Credits.of(25), "between": Credits.of(10)}
    assert book.spent() == {"ann": 35 * MICROS}


@pytest.mark.parametrize("entries_max", [1, 10])
def test_an_event_that_moved_to_another_user_is_priced_where_it_was_charged_again(entries_max: int) -> None:
    """10 units at 1 and more at 0.5: the event that did not move is now the first one."""
    book = Book(an_account(a_grant(1_000)), price=ONE)
    for name in ("moved", "stayed"):
        book.record(name, "10")
    book.amend("moved", "10", "dan")

    Job(book, FALLING).finish(entries_max)

    assert costs(book) == {"moved": Credits.of(5), "stayed": Credits.of(10)}


def test_a_voided_unique_value_leaves_the_latest_usage_beyond_the_total_free() -> None:
    """The first event has the quantity of the value, and the void of the second one took it."""
    book = Book(an_account(a_grant(100)), price=TWO, aggregation=Aggregation.UNIQUE)
    book.record("first", "7", user="ann")
    book.record("second", "7", user="bob")
    book.record("other", "8", user="cid")
    book.void("first")
    book.void("second")

    Job(book, ONE).finish()

    assert sum(book.spent().values()) == MICROS == next(iter(book.account.meters.values())).cost.micros


reported = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["ann", "bob", "cid"]), st.integers(0, 30)),
    min_size=1,
    max_size=10,
)


@PROPERTY
@given(
    st.sampled_from(sorted(PRICES)),
    st.lists(st.sampled_from(sorted(PRICES)), min_size=1, max_size=3),
    st.sampled_from([Aggregation.SUM, Aggregation.COUNT, Aggregation.MAX, Aggregation.UNIQUE]),
    st.integers(0, 60),
    reported,
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_the_total_is_exact_whatever_the_page_size_and_whatever_happens_in_between(
    price: str,
    corrections: list[str],
    aggregation: Aggregation,
    credits: int,
    events: list[tuple[int, str, int]],
    entries_max: int,
    random: Random,
) -> None:
    grants = (a_grant(credits // 2, grant_id="grt_1"), a_grant(credits, grant_id="grt_2", priority=2))
    book = Book(an_account(*grants), price=PRICES[price], aggregation=aggregation)
    names: list[str] = []

    def record(units: int, user: str, days: int) -> None:
        name = f"e{len(book.account.entries)}"
        book.record(name, str(units), user=user, used=JUNE + timedelta(days=days % 20))
        names.append(name)

    for units, user, days in events:
        record(units, user, days)
        random.shuffle(names)
        if days % 3 == 0:
            book.void(names.pop())
        elif days % 3 == 1:
            book.amend(names[0], str(days), random.choice(["ann", "dan"]))
    for correction in corrections:
        one_by_one = Job(book, PRICES[correction])
        at_once = Book(book.account, price=book.price, aggregation=aggregation)
        at_once.reported = dict(book.reported)
        Job(at_once, PRICES[correction]).finish()
        expected = costs(at_once)
        while one_by_one.page(entries_max):
            if random.random() < 0.2:
                record(random.randint(0, 30), "eve", 3)
        one_by_one.finish()
        assert {name: cost for name, cost in costs(book).items() if name in expected} == expected

    random.shuffle(names)
    for name in names:
        book.void(name)
        book.assert_adds_up()
    assert set(book.spent().values()) <= {0}
    assert all(meter.cost == Credits(0) for meter in book.account.meters.values())
    assert all(grant.captured == Credits(0) for grant in book.account.grants.values())


@PROPERTY
@given(st.sampled_from(sorted(PRICES)), st.integers(0, 30), st.integers(0, 30))
def test_usage_behind_the_switch_costs_what_the_new_rate_says(price: str, before: int, after: int) -> None:
    book = Book(an_account(a_grant(1_000)), price=TWO)
    book.record("before", str(before))
    Job(book, PRICES[price])

    line = book.record("after", str(after))

    pricing = Pricing(PRICES[price], None)
    counted = (Quantity.of(before), Quantity.of(before + after))
    assert line.credits == cost_at(pricing, counted[1]) - cost_at(pricing, counted[0])


def winner(*rates: Rate, root: str = "rat_1", period: Period = IN_JULY, keeps: bool = False) -> str | None:
    found = winning_rate(rates, root, KEYS, period=period, keeps=keeps)
    return None if found is None else found.rate_id


def test_the_latest_created_correction_of_a_rate_costs_its_meter() -> None:
    first, second = (a_rate(f"rat_{n}", corrects="rat_1", created=JULY + n * timedelta(1)) for n in (2, 3))

    assert winner(a_rate(), second, first) == "rat_3"
    assert winner(a_rate(), as_withdrawn(second), first) == "rat_2"
    assert winner(a_rate(), a_rate("rat_9")) == "rat_1"
    assert winner(a_rate("rat_9")) is None


def as_withdrawn(rate: Rate) -> Rate:
    return a_rate(rate.rate_id, corrects=rate.corrects_rate_id, created=rate.create_time, is_withdrawn=True)


def test_a_withdrawn_rate_is_replaced_by_the_one_that_prices_instead_of_it() -> None:
    withdrawn = a_rate(start=MID_JULY, is_withdrawn=True)
    before, after = a_rate("rat_before"), a_rate("rat_after", start=MID_JULY + timedelta(days=1))
    of_large = a_rate("rat_large", start=JUNE, model="large")

    assert winner(withdrawn, before, after) == "rat_before"
    assert winner(a_rate(start=MID_JULY, is_withdrawn=True, model="large"), before, of_large) == "rat_large"
    assert winner(a_rate(start=MID_JULY, is_withdrawn=True, model="small"), before, of_large) == "rat_before"
    # Its usage would be free, or be paid from another pool.
    assert winner(withdrawn, after) is None
    assert winner(withdrawn, other_credits(before)) is None
    # The usage period keeps the rate that it began with.
    kept = a_rate("rat_tiers", price=TIERS, end=MID_JULY)
    assert winner(withdrawn, kept) == "rat_tiers"
    assert winner(a_rate(start=AUGUST, is_withdrawn=True), before) is None


def other_credits(rate: Rate) -> Rate:
    return Rate(
        rate_id=rate.rate_id,
        product_id=rate.product_id,
        credit_type_id=type(rate.credit_type_id)("crt_other"),
        price=rate.price,
        effective_time=rate.effective_time,
        end_time=rate.end_time,
    )


@pytest.mark.parametrize(("price", "credits"), [(TWO, 10), (ONE, 0), (FlatPrice(Ratio(1, 3)), -6_666_666)])
def test_a_preview_is_the_difference_in_the_cost_of_the_meter(price: Price, credits: int) -> None:
    """10 units at 1: at 2 they cost 10 more, at a third 3.333334."""
    book = Book(an_account(a_grant(1_000)), price=ONE)
    book.record("e1", "10")
    (meter,) = book.account.meters.values()

    expected = Credits(credits) if credits < 0 else Credits.of(credits)
    assert rerating.difference(meter, Pricing(price, None)) == expected
