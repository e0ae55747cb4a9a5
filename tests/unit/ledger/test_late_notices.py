# SPDX-License-Identifier: Apache-2.0
"""Seats and ends that the Ledger hears of late: living grants follow them as if they had been told in time."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.schedule import PeriodProration
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    AUGUST,
    JULY,
    JUNE,
    PROPERTY,
    TICK,
    a_count,
    a_schedule,
    a_seat_change,
    an_ask,
    some_seats,
    when,
)

DAY = timedelta(days=1)
SECOND = when("07-02")


def four_seats(*, end: datetime | None = None, **terms: object) -> Books:
    """Return books of 4 seats that bring 100 credits a month from 1 June."""
    books = Books()
    books.tell_schedule(a_schedule(100, end=end, **terms), some_seats(4), at=JUNE)  # type: ignore[arg-type]
    return books


def counted(books: Books, period_start: datetime) -> Credits:
    """Return what the grant of a period counts."""
    return next(one.counted for one in books.stored.grants.values() if one.period_start == period_start)


def test_golden_a_seat_dated_back_reaches_every_grant_that_is_alive() -> None:
    books = four_seats(commit_duration=3)
    books.settle(when("08-05"))

    added = books.tell_seats(a_seat_change(1, when("07-16")), at=when("08-05"))

    assert added == Credits.of("151.612903")  # 100 × 16/31 + 100
    assert [counted(books, start) for start in (JUNE, JULY, AUGUST)] == [
        Credits.of(400),
        Credits.of("451.612903"),
        Credits.of(500),
    ]
    books.check()


def test_a_grant_that_has_expired_is_not_reached() -> None:
    books = four_seats(commit_duration=1)
    books.settle(when("08-05"))

    assert books.tell_seats(a_seat_change(1, when("07-16")), at=when("08-05")) == Credits.of(100)


@pytest.mark.parametrize(
    ("spent", "left"), [(0, 300), (250, 50), (300, 0), (350, 0), (400, 0)], ids=lambda number: str(number)
)
def test_a_seat_given_up_before_the_month_and_told_after_its_start_is_taken_from_what_is_not_spent(
    spent: int, left: int
) -> None:
    books = four_seats()
    books.settle(JULY)
    if spent:
        books.debit(an_ask(spent), at=JULY + TICK)

    books.tell_seats(a_seat_change(-1, when("06-30")), at=SECOND, accepted=when("06-30"))

    assert books.available(SECOND) == Credits.of(left)
    books.check()


def test_what_is_held_then_stays() -> None:
    books = four_seats()
    hold = books.authorize(an_ask(350), at=SECOND)

    books.tell_seats(a_seat_change(-1, when("06-30")), at=SECOND + TICK, accepted=when("06-30"))
    books.release(hold.hold_id, at=SECOND + 2 * TICK)  # type: ignore[union-attr]

    assert books.available(SECOND + 2 * TICK) == Credits.of(350)
    books.check()


@pytest.mark.parametrize(
    ("accepted", "left"), [(JULY - TICK, 300), (JULY, 400)], ids=["before the month", "at its start"]
)
def test_only_what_was_accepted_before_the_month_is_known_at_its_start(accepted: datetime, left: int) -> None:
    books = four_seats()

    books.tell_seats(a_seat_change(-1, JULY), at=SECOND, accepted=accepted)

    assert books.available(SECOND) == Credits.of(left)


def test_a_late_count_takes_back_as_a_late_difference_does() -> None:
    books = four_seats()
    books.settle(SECOND)

    books.tell_seats(a_count(1, JULY), at=SECOND, accepted=JULY - TICK)

    assert books.available(SECOND) == Credits.of(100)


def test_a_seat_added_after_credits_were_taken_back_brings_its_own() -> None:
    books = four_seats()
    books.tell_seats(a_seat_change(-1, when("06-30")), at=SECOND, accepted=when("06-30"))

    added = books.tell_seats(a_seat_change(1, when("07-16 12:00"), sequence=2), at=when("07-16 12:00"))

    assert added == Credits.of(50)
    assert books.available(when("07-16 12:00")) == Credits.of(350)
    books.check()


def test_a_seat_added_after_more_was_spent_than_its_month_had_brings_only_what_is_above_that() -> None:
    books = four_seats()
    books.debit(an_ask(380), at=SECOND)
    books.tell_seats(a_seat_change(-1, when("06-30")), at=SECOND, accepted=when("06-30"))

    assert books.tell_seats(a_seat_change(2, JULY + TICK, sequence=2), at=SECOND) == Credits.of(
        "119.999999"
    )  # 300 + 199.999999 − 380


def test_golden_a_seat_added_in_a_month_that_is_cut_brings_the_days_that_are_left() -> None:
    books = four_seats(end=when("07-11"))
    books.settle(JULY)

    assert books.available(JULY) == Credits.of("129.032258")  # 400 × 10/31
    assert books.tell_seats(a_seat_change(1, SECOND), at=SECOND) == Credits.of("29.032258")  # 100 × 9/31


def test_an_unprorated_seat_brings_as_much_as_the_others_in_a_month_that_is_cut() -> None:
    books = four_seats(end=when("07-11"), prorates_increases=False)

    assert books.tell_seats(a_seat_change(1, SECOND), at=SECOND) == Credits.of("32.258064")  # 100 × 10/31


def test_an_end_moved_or_removed_brings_the_difference() -> None:
    books = four_seats(end=when("07-11"))
    books.settle(JULY)

    books.tell_end(when("07-21"), at=SECOND)
    assert books.available(SECOND) == Credits.of("258.064516")  # 400 × 20/31
    books.tell_end(None, at=SECOND)
    assert books.available(SECOND) == Credits.of(400)
    books.tell_end(when("07-05"), at=SECOND)
    assert books.available(SECOND) == Credits.of(400)
    books.check()


@pytest.mark.parametrize(
    ("accepted", "left"),
    [(JULY - TICK, Credits.of("129.032258")), (JULY, Credits.of(400)), (None, Credits.of(400))],
)
def test_an_end_inside_the_month_takes_back_only_if_it_was_accepted_before_it(
    accepted: datetime | None, left: Credits
) -> None:
    books = four_seats()
    books.settle(SECOND)

    books.tell_end(when("07-11"), at=SECOND, accepted=accepted)

    assert books.available(SECOND) == left
    books.check()


def test_a_contract_that_ends_when_it_renews_brings_nothing_for_the_new_period() -> None:
    in_time, too_late = four_seats(end=JULY), four_seats()
    too_late.settle(SECOND)
    too_late.debit(an_ask(150), at=SECOND)

    too_late.tell_end(JULY, at=SECOND)

    assert in_time.available(JULY) == Credits(0)
    assert too_late.available(SECOND) == Credits(0)
    assert (too_late.entries[-1].kind, too_late.entries[-1].amount) == (EntryKind.VOID, -Credits.of(250))
    too_late.tell_end(None, at=SECOND)
    assert too_late.available(SECOND) == Credits.of(250)
    too_late.check()


def test_a_contract_that_ends_a_microsecond_after_it_renews_grants_its_share() -> None:
    books = four_seats(end=JULY + DAY)
    books.settle(SECOND)

    books.tell_end(JULY + TICK, at=SECOND, accepted=SECOND)

    assert books.available(SECOND) == Credits.of(
        "12.903225"
    )  # of the day that was granted: nothing comes back


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 90 * 24),  # when it is accepted, in hours from 1 June
        st.integers(-20 * 24, 40 * 24),  # dated so much later
        st.sampled_from(["by -2", "by -1", "by 1", "by 3", "to 0", "to 3", "to 5"]),
        st.integers(0, 30 * 24),  # told so much later, and after those before
    ),
    max_size=5,
)


@PROPERTY
@given(CHANGES, st.booleans(), st.sampled_from([None, when("08-20")]), st.sampled_from(PeriodProration))
def test_seats_told_late_bring_what_seats_told_in_time_bring(
    changes: list[tuple[int, int, str, int]],
    prorates: bool,
    end: datetime | None,
    proration: PeriodProration,
) -> None:
    terms = {"commit_duration": 12, "prorates_increases": prorates, "period_proration": proration, "end": end}
    in_time, late = four_seats(**terms), four_seats(**terms)  # type: ignore[arg-type]
    told_last = JUNE
    for sequence, (accepted_hour, ahead, what, delay) in enumerate(sorted(changes), start=1):
        accepted = JUNE + timedelta(hours=accepted_hour)
        effective = max(JUNE, accepted + timedelta(hours=ahead))
        make = a_seat_change if what.startswith("by") else a_count
        change = make(int(what[3:]), effective, sequence=sequence)
        told_last = max(told_last, accepted + timedelta(hours=delay))
        in_time.tell_seats(change, at=accepted)
        late.tell_seats(change, at=told_last, accepted=accepted)
    for books in (in_time, late):
        books.settle(when("11-15"), settles=True)
        books.check()

    def by_period(books: Books) -> dict[datetime | None, Credits]:
        return {one.period_start: one.counted for one in books.stored.grants.values()}

    assert by_period(late) == by_period(in_time)
