# SPDX-License-Identifier: Apache-2.0
"""What becomes so by the clock alone, and that it does not matter who looks and how often."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.credits import due
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import DueSources, ScheduleProgress
from services.ledger.domain.credits.entry import Entry, EntryKind
from services.ledger.domain.credits.grant import GrantId, ScheduleId
from services.ledger.domain.credits.schedule import GrantFrequency, PeriodProration, Rollover
from services.ledger.domain.crossings.watch import Crossing
from tests.unit.ledger.books import Books, with_free_credits
from tests.unit.ledger.builders import (
    AUGUST,
    JULY,
    JUNE,
    PROPERTY,
    TICK,
    a_balance_watch,
    a_grant,
    a_schedule,
    a_seat_change,
    a_spend_watch,
    an_ask,
    some_seats,
    when,
)

GRANT, SEATS, CAPTURE, EXPIRY = (
    EntryKind.GRANT,
    EntryKind.SEAT_ADJUSTMENT,
    EntryKind.CAPTURE,
    EntryKind.EXPIRY,
)
END = when("10-15")

SCHEDULES = st.builds(
    a_schedule,
    st.builds(Credits, st.integers(1, 10**8)),
    schedule_id=st.sampled_from(["sch_a", "sch_b", "sch_c"]),
    contract_id=st.sampled_from(["con_1", "con_2"]),
    is_free=st.booleans(),
    charge_time=st.sampled_from([None, None, AUGUST]),
    per_seat=st.booleans(),
    frequency=st.sampled_from(GrantFrequency),
    anchor=st.sampled_from([JUNE, when("05-31 09:30"), when("06-15"), JULY]),
    start=st.sampled_from([JUNE, when("06-10 12:00"), JULY]),
    end=st.sampled_from([None, AUGUST, when("08-20"), when("09-01")]),
    priority=st.integers(1, 2),
    prorates_increases=st.booleans(),
    period_proration=st.sampled_from(PeriodProration),
    commit_duration=st.integers(1, 3),
    every=st.sampled_from([1, 1, 2]),
    rollover=st.one_of(
        st.none(),
        st.builds(
            Rollover,
            fraction_millionths=st.sampled_from([1, 333_333, 1_000_000]),
            cap=st.one_of(st.none(), st.builds(Credits, st.integers(1, 10**8))),
            duration=st.integers(1, 2),
        ),
    ),
)
DAYS = st.integers(0, 130).map(lambda days: JUNE + timedelta(days=days))
INSTANTS = st.one_of(
    DAYS, st.integers(0, 130 * 24).map(lambda hours: JUNE + timedelta(hours=hours, minutes=7))
)


@st.composite
def some_books(draw: st.DrawFn) -> Books:
    """A pool on 1 June with grants, schedules, seats dated ahead, open holds and watches."""
    books = Books()
    for number in range(draw(st.integers(0, 4))):
        start, length = draw(DAYS), draw(st.integers(1, 60))
        end = draw(st.sampled_from([None, max(start, JUNE) + timedelta(days=length)]))
        books.issue(
            a_grant(draw(st.integers(1, 100)), grant_id=f"grt_{number}", start=start, end=end), at=JUNE
        )
    books.issue(a_grant(500, grant_id="grt_june", end=draw(DAYS.filter(lambda at: at > JUNE))), at=JUNE)
    levels = draw(st.lists(st.tuples(DAYS, st.integers(0, 5)), max_size=5))
    quantity, changes = 2, []
    for at, level in sorted(levels):
        if level != quantity:
            changes.append((at, level - quantity))
            quantity = level
    for schedule in draw(st.lists(SCHEDULES, max_size=3, unique_by=lambda one: one.schedule_id)):
        seats = some_seats(2, *changes) if schedule.subscription_id else None
        books.tell_schedule(schedule, seats, at=JUNE)
    books.tell_watch(a_balance_watch(draw(st.integers(0, 300))), at=JUNE)
    books.tell_watch(a_spend_watch(draw(st.integers(1, 50))), at=JUNE)
    for user in draw(st.lists(st.sampled_from(["ann", "bob", None]), max_size=4)):
        life = timedelta(hours=draw(st.integers(1, 24 * 60)))
        books.authorize(an_ask(draw(st.integers(1, 100)), user=user), ttl=life, at=JUNE)
    for user in draw(st.lists(st.sampled_from(["ann", "bob"]), max_size=2)):
        books.debit(an_ask(draw(st.integers(1, 60)), user=user), at=JUNE)
    return books


class Run:
    """A copy of some books, settled at one instant after the other."""

    def __init__(self, books: Books, instants: Iterable[datetime]) -> None:
        self.account: Account = books.stored
        self.schedules: dict[ScheduleId, ScheduleProgress] = dict(books.schedules)
        self.entries: list[Entry] = []
        self.crossings: list[Crossing] = []
        numbers = itertools.count(1)
        for at in instants:
            sources = DueSources(schedules=self.schedules, first_unread=None, anchor=books.anchor)
            settled = due.settle(
                replace(self.account, entries=(), crossings=()),
                with_free_credits(sources, self.account, at=at),
                at=at,
                new_grant_id=lambda: GrantId(f"grt_made_{next(numbers)}"),
            )
            self.account, self.schedules = settled.account, dict(settled.schedules)
            self.entries += settled.account.entries
            self.crossings += settled.account.crossings

    def facts(self) -> tuple[object, ...]:
        """Return all but when it was written."""
        account = self.account
        return (
            dict(account.grants),
            dict(account.holds),
            dict(account.spends),
            dict(account.watch_states),
            account.sequence,
            account.next_due_time,
            account.settled_time,
            self.schedules,
            [replace(entry, create_time=JUNE) for entry in self.entries],
            self.crossings,
        )


@PROPERTY
@given(some_books(), st.lists(INSTANTS, max_size=6))
def test_looking_often_or_once_makes_the_same_account(books: Books, looks: Sequence[datetime]) -> None:
    once = Run(books, [END])
    often = Run(books, [*sorted(looks), END])

    assert often.facts() == once.facts()


@PROPERTY
@given(some_books(), INSTANTS)
def test_looking_again_at_the_same_instant_changes_nothing(books: Books, at: datetime) -> None:
    assert Run(books, [at, at]).facts() == Run(books, [at]).facts()


@PROPERTY
@given(some_books(), INSTANTS)
def test_nothing_happens_before_it_is_due(books: Books, at: datetime) -> None:
    before = Run(books, [at])
    next_due_time = before.account.next_due_time

    just_before = Run(books, [at] if next_due_time is None else [at, next_due_time - TICK])

    assert next_due_time is None or next_due_time > at
    assert just_before.entries == before.entries
    assert just_before.crossings == before.crossings


@PROPERTY
@given(some_books(), st.lists(INSTANTS, max_size=4))
def test_whatever_the_clock_does_the_books_add_up(books: Books, looks: Sequence[datetime]) -> None:
    for at in sorted(looks):
        books.settle(at)
        books.check()


def test_what_falls_due_at_one_instant_comes_back_then_dies_then_comes_new() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(1, (JULY, 1)), at=JUNE)
    books.authorize(an_ask(60), ttl=JULY - when("06-30"), at=when("06-30"))

    books.settle(JULY)

    assert [(one.kind, one.amount) for one in books.entries] == [
        (GRANT, Credits.of(100)),
        (EXPIRY, -Credits.of(100)),
        (GRANT, Credits.of(200)),
    ]
    assert books.available(JULY) == Credits.of(200)


# Each row: when it is looked at, and what is available then.
@pytest.mark.parametrize(
    ("at", "available"),
    [(JUNE - TICK, 0), (JUNE, 400), (JULY - TICK, 400), (JULY, 400), (when("12-31"), 400)],
)
def test_each_month_has_its_own_credits_from_its_first_instant(at: datetime, available: int) -> None:
    books = Books(at=JUNE - TICK)
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE - TICK)

    assert books.available(at) == Credits.of(available)


def test_unused_credits_of_a_month_are_lost_with_it_and_only_they() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)
    books.debit(an_ask(150), at=when("06-10"))

    books.settle(JULY)

    lost = [one for one in books.entries if one.kind is EXPIRY]
    assert [(one.amount, one.effective_time) for one in lost] == [(-Credits.of(250), JULY)]
    assert books.available(JULY) == Credits.of(400)


def test_a_contract_told_months_late_has_its_past_months_and_they_are_over() -> None:
    books = Books()

    books.tell_schedule(a_schedule(100), some_seats(4), at=when("08-10"))

    assert [(one.kind, one.effective_time) for one in books.entries] == [
        (GRANT, JUNE),
        (EXPIRY, JULY),
        (GRANT, JULY),
        (EXPIRY, AUGUST),
        (GRANT, AUGUST),
    ]
    assert {one.create_time for one in books.entries} == {when("08-10")}
    assert books.available(when("08-10")) == Credits.of(400)
    books.check()


def test_a_seat_told_late_counts_from_its_own_date_within_the_month() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)

    added = books.tell_seats(a_seat_change(1, when("07-03")), at=when("07-20"))

    assert added == Credits.of("93.548387")
    assert (books.entries[-1].kind, books.entries[-1].effective_time) == (SEATS, when("07-03"))


def test_a_seat_dated_in_a_month_that_is_over_counts_from_the_start_of_this_one() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)

    added = books.tell_seats(a_seat_change(1, when("06-16")), at=when("07-20"))

    assert added == Credits.of(100)
    assert books.entries[-1].effective_time == JULY


def test_a_seat_dated_ahead_brings_nothing_before_its_time() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)

    added = books.tell_seats(a_seat_change(1, when("07-03")), at=when("06-20"))

    assert added == Credits(0)
    assert books.available(when("07-03") - TICK) == Credits.of(400)
    assert books.available(when("07-03")) == Credits.of("493.548387")


def test_a_removal_told_late_takes_nothing_back_and_what_was_given_counts_as_given() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JULY)
    books.tell_seats(a_seat_change(1, when("07-20")), at=when("07-20"))
    given = books.available(when("07-20"))

    removed = books.tell_seats(a_seat_change(-1, when("07-10"), sequence=2), at=when("07-21"))
    again = books.tell_seats(a_seat_change(1, when("07-25"), sequence=3), at=when("07-25"))

    assert (removed, again) == (Credits(0), Credits(0))
    assert books.available(when("07-25")) == given


def test_two_schedules_on_the_same_seats_each_bring_their_own() -> None:
    books = Books()
    seats = some_seats(2)
    books.tell_schedule(a_schedule(100, schedule_id="sch_1"), seats, at=JUNE)
    books.tell_schedule(a_schedule(10, schedule_id="sch_2", prorates_increases=False), seats, at=JUNE)
    books.tell_schedule(a_schedule(7, schedule_id="sch_3", per_seat=False), at=JUNE)

    added = books.tell_seats(a_seat_change(1, when("06-16")), at=when("06-16"))

    assert added == Credits.of(50 + 10)
    assert books.available(when("06-16")) == Credits.of(200 + 20 + 7 + 60)


def test_the_seats_of_spent_credits_still_bring_more() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(1), at=JUNE)
    books.debit(an_ask(100), at=when("06-02"))

    added = books.tell_seats(a_seat_change(1, when("06-16")), at=when("06-16"))

    assert added == Credits.of(50)
    assert books.available(when("06-16")) == Credits.of(50)
    books.check()


def test_a_request_overtaken_at_the_turn_of_the_month_is_decided_in_the_new_one() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)
    books.tell_watch(a_balance_watch(20), at=JUNE)
    books.crossings.clear()
    books.debit(an_ask(100), at=JULY)

    late = books.debit(an_ask(300), at=JULY - TICK)

    assert late.debited == Credits.of(300)
    assert [(one.in_alarm, one.observe_time) for one in books.crossings] == [(True, JULY)]
    books.check()


def test_a_look_at_an_earlier_instant_leaves_what_is_settled_as_it_is() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)

    assert Run(books, [JULY, JUNE]).account.settled_time == JULY
    assert Run(books, [JULY, JUNE]).entries == Run(books, [JULY]).entries


def test_what_is_due_next_is_the_first_of_all_that_can_happen() -> None:
    books = Books(a_grant(100, start=when("06-20"), end=when("09-01")))
    assert books.stored.next_due_time == when("06-20")

    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)
    books.tell_seats(a_seat_change(1, when("06-10")), at=JUNE)
    assert books.stored.next_due_time == when("06-10")

    books.authorize(an_ask(1), at=JUNE)
    assert books.stored.next_due_time == JUNE + timedelta(minutes=5)

    for expected in (when("06-10"), when("06-20"), JULY, AUGUST, when("09-01")):
        books.settle(expected - TICK)
        assert books.stored.next_due_time == expected
        books.settle(expected)


def test_entries_tell_who_caused_them() -> None:
    books = Books(a_grant(100, end=when("06-20")))
    books.tell_schedule(a_schedule(100, schedule_id="sch_1"), some_seats(1, (when("06-10"), 1)), at=JUNE)
    books.debit(an_ask(1), at=when("06-11"))

    books.settle(when("06-20"))

    causes = [(one.kind, one.cause_id) for one in books.entries]
    assert causes == [
        (GRANT, "req-1"),
        (GRANT, "sch_1"),
        (SEATS, "sch_1"),
        (CAPTURE, "req-2"),
        (EXPIRY, "grt_1"),
    ]
