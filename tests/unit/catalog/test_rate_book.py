# SPDX-License-Identifier: Apache-2.0
"""Adding, replacing, withdrawing, ending and correcting the rates of a card, to the microsecond."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import MeshError
from meshkit.quantity import Ratio
from services.catalog.domain.errors import (
    EndBeforeStart,
    EndInPast,
    RateBegun,
    RateEnded,
    RateIsCorrection,
    RateNotBegun,
    RateNotFound,
    RateOverlaps,
    RateWithdrawn,
)
from services.catalog.domain.product import ProductId
from services.catalog.domain.rate import BillingFrequency, Pricing, Rate, RateId, RateTerms, RateType
from services.catalog.domain.rate_book import (
    RateBook,
    RateChange,
    add_rates,
    correct,
    difference,
    end,
    open_book,
    withdraw,
)
from tests.unit.catalog.builders import FEBRUARY, JANUARY, MARCH, a_rate, some_terms

TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
APRIL = MARCH + 31 * DAY
CHEAPER = Pricing(rate_type=RateType.FLAT, price=Ratio(3_000_000, 1_000_000))
FIRST, SECOND, THIRD, NEW = RateId("first"), RateId("second"), RateId("third"), RateId("new 0")


def _asked(*asked: RateTerms) -> list[tuple[RateId, RateTerms]]:
    return [(RateId(f"new {n}"), terms) for n, terms in enumerate(asked)]


def _added(present: Iterable[Rate], *asked: RateTerms, at: datetime = JANUARY) -> RateChange:
    before = open_book(present)
    return difference(before, add_rates(before, _asked(*asked), at=at))


def _spans(book: RateBook) -> list[tuple[str, datetime, datetime | None]]:
    """The rates that price, with their spans."""
    return [
        (rate.rate_id, rate.effective_time, rate.end_time) for line in book.lines.values() for rate in line
    ]


def _in_turn(*starts: tuple[RateId, datetime]) -> RateBook:
    """Open-ended rates of which each ended the one before it by end_previous."""
    asked = [(rate_id, some_terms(start, end_previous=True)) for rate_id, start in starts]
    return add_rates(open_book([]), asked, at=JANUARY)


def test_rates_come_back_in_the_order_asked_for() -> None:
    change = _added([], some_terms(FEBRUARY), some_terms(JANUARY, FEBRUARY))

    assert [rate.effective_time for rate in change.added] == [FEBRUARY, JANUARY]
    assert [rate.create_time for rate in change.added] == [JANUARY, JANUARY]
    assert change.changed == ()


def test_rates_of_one_request_may_touch_but_not_overlap_each_other() -> None:
    _added([], some_terms(JANUARY, FEBRUARY), some_terms(FEBRUARY, MARCH))

    with pytest.raises(RateOverlaps):
        _added([], some_terms(JANUARY, MARCH), some_terms(FEBRUARY, MARCH))


def test_end_previous_ends_a_rate_of_the_same_request_too() -> None:
    change = _added([], some_terms(JANUARY), some_terms(FEBRUARY, end_previous=True))

    assert [(rate.effective_time, rate.end_time) for rate in change.added] == [
        (JANUARY, FEBRUARY),
        (FEBRUARY, None),
    ]
    assert change.changed == ()


def test_a_rate_that_was_there_and_now_ends_is_among_the_changed() -> None:
    there = a_rate("there", JANUARY)

    change = _added([there], some_terms(FEBRUARY, end_previous=True))

    assert change.changed == ((there, a_rate("there", JANUARY, FEBRUARY, ended_by="new 0")),)
    assert [rate.rate_id for rate in change.added] == ["new 0"]


@pytest.mark.parametrize(
    "other",
    [
        a_rate("other product", product_id=ProductId("prd_other")),
        a_rate("other frequency", frequency=BillingFrequency.MONTHLY),
        a_rate("other values", frequency=BillingFrequency.ANNUAL, dimension_values=(("model", "large"),)),
    ],
)
def test_other_products_frequencies_and_dimension_values_are_other_lines(other: Rate) -> None:
    change = _added([other], some_terms(frequency=BillingFrequency.ANNUAL))

    assert len(change.added) == 1
    assert change.changed == ()


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        (FEBRUARY - DAY, True),
        (FEBRUARY - MINUTE, True),
        (FEBRUARY - MINUTE + TICK, False),
        (FEBRUARY, False),
        (MARCH, False),
    ],
)
def test_a_rate_is_withdrawn_or_replaced_until_one_minute_before_it_begins(
    at: datetime, allowed: bool
) -> None:
    book = open_book([a_rate("first", FEBRUARY)])
    instead = replace(some_terms(FEBRUARY), replaces_rate_id=FIRST)

    if allowed:
        assert _spans(withdraw(book, FIRST, at=at)) == []
        assert withdraw(book, FIRST, at=at).rates[FIRST].withdraw_time == at
        assert _spans(add_rates(book, _asked(instead), at=at)) == [(NEW, FEBRUARY, None)]
    else:
        with pytest.raises(RateBegun):
            withdraw(book, FIRST, at=at)
        with pytest.raises(RateBegun):
            add_rates(book, _asked(instead), at=at)


def test_withdrawing_again_changes_nothing_even_after_the_rate_would_have_begun() -> None:
    book = withdraw(open_book([a_rate("first", FEBRUARY)]), FIRST, at=JANUARY)

    assert withdraw(book, FIRST, at=MARCH) is book


def test_the_place_of_a_withdrawn_rate_is_free() -> None:
    book = withdraw(open_book([a_rate("first", FEBRUARY)]), FIRST, at=JANUARY)

    again = add_rates(book, _asked(some_terms(FEBRUARY)), at=JANUARY)

    assert _spans(again) == [(NEW, FEBRUARY, None)]
    assert again.rates[FIRST].withdraw_time == JANUARY


def test_a_rate_that_the_withdrawn_one_had_ended_is_open_ended_again() -> None:
    book = _in_turn((FIRST, JANUARY), (SECOND, FEBRUARY))
    assert _spans(book) == [(FIRST, JANUARY, FEBRUARY), (SECOND, FEBRUARY, None)]

    book = withdraw(book, SECOND, at=JANUARY)

    assert _spans(book) == [(FIRST, JANUARY, None)]
    assert book.rates[FIRST].ended_by_rate_id is None


def test_a_rate_continues_until_the_next_one_and_beyond_it_when_that_is_withdrawn_too() -> None:
    book = _in_turn((FIRST, JANUARY), (SECOND, FEBRUARY), (THIRD, MARCH))

    book = withdraw(book, SECOND, at=JANUARY)
    assert _spans(book) == [(FIRST, JANUARY, MARCH), (THIRD, MARCH, None)]

    assert _spans(withdraw(book, THIRD, at=JANUARY)) == [(FIRST, JANUARY, None)]


def test_a_rate_whose_end_was_asked_for_keeps_it_when_the_next_one_is_withdrawn() -> None:
    book = open_book([a_rate("first", JANUARY, FEBRUARY), a_rate("second", FEBRUARY)])
    ended = end(_in_turn((FIRST, JANUARY), (SECOND, FEBRUARY)), FIRST, FEBRUARY, at=JANUARY)

    for one in (book, ended):
        assert _spans(withdraw(one, SECOND, at=JANUARY)) == [(FIRST, JANUARY, FEBRUARY)]


@pytest.mark.parametrize("start", [FEBRUARY, FEBRUARY + DAY, FEBRUARY - DAY])
def test_a_replacement_ends_the_rate_that_the_replaced_one_had_ended(start: datetime) -> None:
    book = _in_turn((FIRST, JANUARY), (SECOND, FEBRUARY))

    book = add_rates(book, _asked(replace(some_terms(start), replaces_rate_id=SECOND)), at=JANUARY)

    assert _spans(book) == [(FIRST, JANUARY, start), (NEW, start, None)]
    assert book.rates[FIRST].ended_by_rate_id == NEW
    assert _spans(withdraw(book, NEW, at=JANUARY)) == [(FIRST, JANUARY, None)]


def test_a_replacement_of_a_rate_that_ended_none_ends_none() -> None:
    book = open_book([a_rate("first", JANUARY, FEBRUARY), a_rate("second", FEBRUARY)])
    earlier = replace(some_terms(FEBRUARY - TICK), replaces_rate_id=SECOND)

    with pytest.raises(RateOverlaps):
        add_rates(book, _asked(earlier), at=JANUARY)


def test_a_replacement_on_another_line_leaves_the_first_line_as_if_the_rate_had_never_been() -> None:
    book = _in_turn((FIRST, JANUARY), (SECOND, FEBRUARY))
    annual = some_terms(FEBRUARY, frequency=BillingFrequency.ANNUAL)

    book = add_rates(book, _asked(replace(annual, replaces_rate_id=SECOND)), at=JANUARY)

    assert _spans(book) == [(FIRST, JANUARY, None), (NEW, FEBRUARY, None)]


def test_one_rate_is_replaced_once() -> None:
    book = open_book([a_rate("first", FEBRUARY)])
    terms = [replace(some_terms(start), replaces_rate_id=FIRST) for start in (MARCH, FEBRUARY)]

    with pytest.raises(RateWithdrawn):
        add_rates(book, _asked(*terms), at=JANUARY)


@pytest.mark.parametrize(
    ("end_time", "at", "fault"),
    [
        (FEBRUARY, FEBRUARY, None),
        (FEBRUARY - TICK, FEBRUARY, EndInPast),
        (FEBRUARY + DAY, FEBRUARY, None),
        (JANUARY + TICK, JANUARY, None),
        (JANUARY, JANUARY, EndBeforeStart),
        (JANUARY, JANUARY - DAY, EndBeforeStart),
        (JANUARY + TICK, JANUARY - DAY, None),
    ],
)
def test_a_rate_ends_now_or_later_and_after_it_begins(
    end_time: datetime, at: datetime, fault: type[MeshError] | None
) -> None:
    book = open_book([a_rate("first", JANUARY)])

    if fault is None:
        assert _spans(end(book, FIRST, end_time, at=at)) == [(FIRST, JANUARY, end_time)]
    else:
        with pytest.raises(fault):
            end(book, FIRST, end_time, at=at)


def test_an_end_is_moved_until_it_has_passed() -> None:
    book = open_book([a_rate("first", JANUARY, FEBRUARY)])

    assert _spans(end(book, FIRST, MARCH, at=FEBRUARY - TICK)) == [(FIRST, JANUARY, MARCH)]
    assert _spans(end(book, FIRST, JANUARY + DAY, at=JANUARY)) == [(FIRST, JANUARY, JANUARY + DAY)]
    with pytest.raises(RateEnded):
        end(book, FIRST, MARCH, at=FEBRUARY)


@pytest.mark.parametrize(("end_time", "fits"), [(MARCH, True), (MARCH + TICK, False)])
def test_an_end_is_moved_up_to_the_next_rate(end_time: datetime, fits: bool) -> None:
    book = open_book([a_rate("first", JANUARY, FEBRUARY), a_rate("second", MARCH)])

    if fits:
        assert _spans(end(book, FIRST, end_time, at=JANUARY))[0] == (FIRST, JANUARY, MARCH)
    else:
        with pytest.raises(RateOverlaps):
            end(book, FIRST, end_time, at=JANUARY)


@pytest.mark.parametrize(("at", "fault"), [(FEBRUARY, None), (FEBRUARY - TICK, RateNotBegun)])
def test_a_rate_is_corrected_once_it_has_begun(at: datetime, fault: type[MeshError] | None) -> None:
    book = open_book([a_rate("first", FEBRUARY, MARCH, dimension_values=(("model", "large"),))])

    if fault is None:
        correction = correct(book, NEW, FIRST, CHEAPER, at=at).rates[NEW]
        assert correction == replace(
            book.rates[FIRST], rate_id=NEW, price=CHEAPER.price, corrects_rate_id=FIRST, create_time=at
        )
    else:
        with pytest.raises(fault):
            correct(book, NEW, FIRST, CHEAPER, at=at)


def test_a_rate_that_has_ended_is_corrected_too() -> None:
    book = open_book([a_rate("first", JANUARY, FEBRUARY)])

    assert correct(book, NEW, FIRST, CHEAPER, at=APRIL).rates[NEW].end_time == FEBRUARY


def test_each_correction_is_created_later_than_those_before_it_though_the_clock_stands() -> None:
    book = add_rates(open_book([]), [(FIRST, some_terms(JANUARY))], at=JANUARY)

    for rate_id in (SECOND, THIRD):
        book = correct(book, rate_id, FIRST, CHEAPER, at=JANUARY)

    created = [book.rates[rate_id].create_time for rate_id in (FIRST, SECOND, THIRD)]
    assert created == [JANUARY, JANUARY + TICK, JANUARY + 2 * TICK]
    assert open_book(book.rates.values()).corrections == {FIRST: [SECOND, THIRD]}


def test_corrections_end_and_continue_with_the_rate_that_they_correct() -> None:
    book = correct(open_book([a_rate("first", JANUARY)]), THIRD, FIRST, CHEAPER, at=JANUARY)

    ended = end(book, FIRST, MARCH, at=FEBRUARY)
    followed = add_rates(book, [(SECOND, some_terms(MARCH, end_previous=True))], at=FEBRUARY)

    assert ended.rates[THIRD].end_time == followed.rates[THIRD].end_time == MARCH
    assert withdraw(followed, SECOND, at=FEBRUARY).rates[THIRD].end_time is None


def test_a_correction_neither_blocks_a_line_nor_is_in_it() -> None:
    book = correct(open_book([a_rate("first", JANUARY, FEBRUARY)]), SECOND, FIRST, CHEAPER, at=JANUARY)

    assert _spans(add_rates(book, _asked(some_terms(FEBRUARY)), at=JANUARY)) == [
        (FIRST, JANUARY, FEBRUARY),
        (NEW, FEBRUARY, None),
    ]


UNKNOWN, CORRECTION, WITHDRAWN = RateId("unknown"), RateId("correction"), RateId("withdrawn")


@pytest.mark.parametrize(
    ("rate_id", "fault"),
    [(UNKNOWN, RateNotFound), (CORRECTION, RateIsCorrection), (WITHDRAWN, RateWithdrawn)],
)
def test_unknown_correcting_and_withdrawn_rates_are_not_changed(
    rate_id: RateId, fault: type[MeshError]
) -> None:
    book = correct(open_book([a_rate("first", JANUARY, FEBRUARY)]), CORRECTION, FIRST, CHEAPER, at=JANUARY)
    book = add_rates(book, [(WITHDRAWN, some_terms(MARCH))], at=JANUARY)
    book = withdraw(book, WITHDRAWN, at=JANUARY)

    with pytest.raises(fault):
        end(book, rate_id, FEBRUARY, at=JANUARY)
    with pytest.raises(fault):
        correct(book, NEW, rate_id, CHEAPER, at=APRIL)
    with pytest.raises(fault):
        add_rates(book, _asked(replace(some_terms(MARCH), replaces_rate_id=rate_id)), at=JANUARY)
    if fault is not RateWithdrawn:
        with pytest.raises(fault):
            withdraw(book, rate_id, at=JANUARY)


days = st.integers(0, 30)
attempts = st.lists(
    st.one_of(
        st.tuples(st.just("add"), days, st.one_of(st.none(), st.integers(1, 8)), st.booleans()),
        st.tuples(st.just("replace"), days, st.integers(0, 12), st.booleans()),
        st.tuples(st.just("withdraw"), st.integers(0, 12)),
        st.tuples(st.just("end"), st.integers(0, 12), days),
        st.tuples(st.just("correct"), st.integers(0, 12)),
        st.tuples(st.just("wait"), st.integers(1, 5)),
    ),
    max_size=25,
)


def _attempt(book: RateBook, attempt: Sequence[object], new_id: RateId, at: datetime) -> RateBook:
    def known(number: object) -> RateId:
        ids = list(book.rates)
        assert isinstance(number, int)
        return ids[number % len(ids)] if ids else UNKNOWN

    match attempt:
        case "add", int(start), length, bool(end_previous):
            stop = None if length is None else JANUARY + (start + length) * DAY  # type: ignore[operator]
            terms = some_terms(JANUARY + start * DAY, stop, end_previous=end_previous)
            return add_rates(book, [(new_id, terms)], at=at)
        case "replace", int(start), number, bool(end_previous):
            terms = some_terms(JANUARY + start * DAY, end_previous=end_previous)
            return add_rates(book, [(new_id, replace(terms, replaces_rate_id=known(number)))], at=at)
        case "withdraw", number:
            return withdraw(book, known(number), at=at)
        case "end", number, int(day):
            return end(book, known(number), JANUARY + day * DAY, at=at)
        case "correct", number:
            return correct(book, new_id, known(number), CHEAPER, at=at)
    raise AssertionError(attempt)


@given(attempts)
def test_whatever_is_attempted_one_rate_at_most_prices_an_instant_and_the_past_stays(
    tries: list[tuple[object, ...]],
) -> None:
    book, at, numbers = open_book([]), JANUARY, count()
    for attempt in tries:
        if attempt[0] == "wait":
            at += int(str(attempt[1])) * DAY
            continue
        before = book
        try:
            book = _attempt(book, attempt, RateId(f"rate {next(numbers)}"), at)
        except MeshError:
            continue

        lines = {line: rates for line, rates in book.lines.items() if rates}
        assert lines == open_book(book.rates.values()).lines
        for earlier, later in (pair for rates in lines.values() for pair in pairwise(rates)):
            assert earlier.end_time is not None
            assert earlier.end_time <= later.effective_time
        for rate in book.rates.values():
            if rate.corrects_rate_id is not None:
                root = book.rates[rate.corrects_rate_id]
                assert (rate.effective_time, rate.end_time) == (root.effective_time, root.end_time)
        if attempt[0] in ("withdraw", "end"):
            for day in range(-1, (at - JANUARY).days):  # what has been priced stays priced
                assert _pricing(before, JANUARY + day * DAY) == _pricing(book, JANUARY + day * DAY)


def _pricing(book: RateBook, at: datetime) -> list[RateId]:
    return [
        rate.rate_id
        for line in book.lines.values()
        for rate in line
        if rate.effective_time <= at and rate.reaches_past(at)
    ]
