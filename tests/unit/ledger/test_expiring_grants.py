# SPDX-License-Identifier: Apache-2.0
"""GRANT_EXPIRING: what is left of a grant some days before it expires. The clock observes it; nothing polls."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.credits.grant import Grant
from services.ledger.domain.crossings.watch import Crossing, Watch
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    JULY,
    JUNE,
    PROPERTY,
    TICK,
    a_grant,
    a_schedule,
    an_ask,
    an_expiry_watch,
    some_seats,
    when,
)

DAY = timedelta(days=1)
END = when("06-30 12:00")
LOOK = END - 7 * DAY


def expiring(credits: int, grant_id: str = "grt_1", *, end: datetime = END) -> Grant:
    return a_grant(credits, grant_id=grant_id, end=end)


def watched(*grants: Grant, watch: Watch | None = None) -> Books:
    """Books of these grants; whoever has 50 left 7 days before a grant expires is told."""
    books = Books(*grants)
    books.tell_watch(an_expiry_watch(50, 7) if watch is None else watch, at=JUNE)
    books.crossings.clear()
    return books


def edges(crossings: Iterable[Crossing]) -> list[tuple[str, bool, int]]:
    return [(one.group_value, one.in_alarm, one.value_micros // 1_000_000) for one in crossings]


@pytest.mark.parametrize(("left", "is_told"), [(49, False), (50, True), (51, True)])
def test_a_grant_is_told_of_when_so_much_is_left_so_long_before_its_end(left: int, is_told: bool) -> None:
    books = watched(expiring(100))
    books.debit(an_ask(100 - left), at=JUNE + DAY)
    assert books.stored.next_due_time == LOOK

    books.settle(LOOK - TICK)
    assert edges(books.crossings) == []
    books.settle(LOOK)

    assert edges(books.crossings) == ([("grt_1", True, left)] if is_told else [])


def test_it_is_told_at_that_instant_however_late_the_clock_is_looked_at() -> None:
    books = watched(expiring(100))

    books.settle(END - TICK)

    assert [one.observe_time for one in books.crossings] == [LOOK]


@pytest.mark.parametrize(("spent", "is_resolved"), [(60, False), (61, True)])
def test_using_it_up_resolves_beyond_the_rearm_level(spent: int, is_resolved: bool) -> None:
    books = watched(expiring(100), watch=an_expiry_watch(50, 7, rearm=40))
    books.settle(LOOK)

    books.debit(an_ask(spent), at=LOOK + DAY)

    assert edges(books.crossings)[1:] == ([("grt_1", False, 39)] if is_resolved else [])


def test_its_expiry_resolves_and_its_state_is_forgotten() -> None:
    books = watched(expiring(100))
    books.settle(LOOK)
    assert ("alr_expiring", "grt_1") in books.stored.watch_states

    books.settle(END)

    assert edges(books.crossings) == [("grt_1", True, 100), ("grt_1", False, 0)]
    assert books.crossings[1].observe_time == END
    assert ("alr_expiring", "grt_1") not in books.stored.watch_states


def test_each_grant_is_told_of_separately() -> None:
    books = watched(expiring(100), expiring(60, "grt_2", end=END + DAY), expiring(49, "grt_3"))

    books.settle(END + DAY - TICK)

    assert edges(books.crossings) == [("grt_1", True, 100), ("grt_2", True, 60), ("grt_1", False, 0)]


def test_a_grant_issued_within_the_days_is_told_of_at_once() -> None:
    books = watched()

    books.issue(expiring(100), at=LOOK + DAY)

    assert edges(books.crossings) == [("grt_1", True, 100)]


def test_a_grant_issued_before_them_makes_the_pool_due_then() -> None:
    books = watched(expiring(10, end=JUNE + 60 * DAY))

    books.issue(expiring(100, "grt_2"), at=JUNE + DAY)
    assert books.stored.next_due_time == LOOK

    books.settle(LOOK)
    assert edges(books.crossings) == [("grt_2", True, 100)]


def test_a_void_resolves() -> None:
    books = watched(expiring(100))
    books.settle(LOOK)

    books.void("grt_1", at=LOOK + DAY)

    assert edges(books.crossings)[1:] == [("grt_1", False, 0)]


def test_a_grant_that_never_expires_and_one_that_has_not_begun_are_not_observed() -> None:
    books = watched(a_grant(100), a_grant(100, grant_id="grt_2", start=END - DAY, end=END))

    books.settle(END - DAY - TICK)
    assert edges(books.crossings) == []

    books.settle(END - DAY)
    assert edges(books.crossings) == [("grt_2", True, 100)]


def test_a_new_watch_finds_what_expires_soon_and_more_days_find_more() -> None:
    books = Books(expiring(100), expiring(100, "grt_2", end=END + 3 * DAY))

    books.tell_watch(an_expiry_watch(50, 7), at=LOOK)
    assert edges(books.crossings) == [("", False, 0), ("grt_1", True, 100)]
    books.tell_watch(an_expiry_watch(50, 10, version=2), at=LOOK)
    assert edges(books.crossings)[2:] == [("", False, 0), ("grt_1", True, 100), ("grt_2", True, 100)]
    books.tell_watch(an_expiry_watch(50, 1, version=3), at=LOOK)
    assert edges(books.crossings)[5:] == [("", False, 0), ("grt_1", False, 0), ("grt_2", False, 0)]


def test_the_grants_of_a_schedule_are_told_of_in_each_period() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100, per_seat=False), some_seats(1), at=JUNE)
    books.tell_watch(an_expiry_watch(50, 7), at=JUNE)
    books.crossings.clear()

    books.settle(JULY + 40 * DAY)

    assert [(one.in_alarm, one.observe_time) for one in books.crossings] == [
        (True, JULY - 7 * DAY),
        (False, JULY),
        (True, when("08-01") - 7 * DAY),
        (False, when("08-01")),
    ]


GRANTS = st.lists(st.tuples(st.integers(1, 120), st.integers(1, 40)), min_size=1, max_size=4)
STEPS = st.lists(st.tuples(st.integers(0, 45), st.integers(1, 90)), max_size=8)


@PROPERTY
@given(grants=GRANTS, steps=STEPS, days=st.integers(1, 12), distance=st.integers(0, 30), often=st.booleans())
def test_it_is_told_what_a_model_says(
    grants: list[tuple[int, int]],
    steps: list[tuple[int, int]],
    days: int,
    distance: int,
    often: bool,
) -> None:
    """The model: per grant, its amounts at every instant that matters, and what has been told of it last."""
    issued = {f"grt_{number}": (amount, JUNE + end * DAY) for number, (amount, end) in enumerate(grants)}
    books = Books(*(expiring(amount, one, end=end) for one, (amount, end) in issued.items()))
    books.tell_watch(an_expiry_watch(50, days, rearm=max(1, 50 - distance), everybody=True), at=JUNE)
    debits = sorted((JUNE + day * DAY + timedelta(hours=1), amount) for day, amount in steps)
    told: dict[str, bool] = dict.fromkeys(issued, False)
    expected: list[tuple[str, bool]] = []

    def look(at: datetime, lefts: dict[str, int]) -> None:
        for one, (_, end) in issued.items():
            value = lefts[one] if end - days * DAY <= at < end else 0
            in_alarm = value > 50 - 1 if not told[one] else value >= max(1, 50 - distance)
            if in_alarm != told[one]:
                told[one] = in_alarm
                expected.append((one, in_alarm))

    lefts = {one: amount for one, (amount, _) in issued.items()}
    instants = sorted({end - days * DAY for _, end in issued.values()} | {end for _, end in issued.values()})
    look(JUNE, lefts)
    for at, amount in [*debits, (JUNE + 60 * DAY, 0)]:
        for instant in [one for one in instants if one <= at]:
            instants.remove(instant)
            if often and instant > JUNE:
                books.settle(instant)
            if instant > JUNE:
                look(instant, lefts)
        if amount:
            books.debit(an_ask(amount), at=at)
            grants_now = books.stored.grants.values()
            lefts = {one.grant_id: (one.granted - one.captured).micros // 1_000_000 for one in grants_now}
            look(at, lefts)
        else:
            books.settle(at)

    assert sorted((one.group_value, one.in_alarm) for one in books.crossings) == sorted(expected)
    for one in issued:
        sequences = [crossing.sequence for crossing in books.crossings if crossing.group_value == one]
        assert sequences == list(range(1, len(sequences) + 1))
