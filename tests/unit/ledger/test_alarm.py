# SPDX-License-Identifier: Apache-2.0
"""Alarms: one crossing per edge, never one per debit, and what happens while nobody looks is told in order."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.crossings import alarm
from services.ledger.domain.crossings.watch import Crossing, Watch
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.spend_cap import Spend, WindowSpend
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    AUGUST,
    JULY,
    JUNE,
    PROPERTY,
    TICK,
    a_balance_watch,
    a_grant,
    a_schedule,
    a_spend_watch,
    an_account,
    an_ask,
    some_seats,
    when,
)

HOLD = HoldId("hld_1")
NOON = when("06-15 12:00")


def edges(crossings: Iterable[Crossing]) -> list[tuple[str, bool, int]]:
    """Return who crossed, whether into the alarm, and at how many whole credits."""
    return [(one.group_value, one.in_alarm, one.value_micros // 1_000_000) for one in crossings]


def watched(credits: int, threshold: int) -> Books:
    """A pool whose low balance is watched, and was observed once."""
    books = Books(a_grant(credits))
    books.tell_watch(a_balance_watch(threshold), at=JUNE)
    books.crossings.clear()
    return books


# Each row: how much of 100 is spent at a threshold of 20, and whether that is an alarm.
@pytest.mark.parametrize(("spent", "in_alarm"), [(79, False), (80, True), (81, True), (100, True)])
def test_a_balance_is_low_at_the_threshold_and_below(spent: int, in_alarm: bool) -> None:
    books = watched(100, threshold=20)

    books.debit(an_ask(spent), at=NOON)

    assert edges(books.crossings) == ([("", True, 100 - spent)] if in_alarm else [])


@pytest.mark.parametrize(("spent", "in_alarm"), [(19, False), (20, True), (21, True)])
def test_a_spend_is_high_at_the_threshold_and_above(spent: int, in_alarm: bool) -> None:
    books = Books(a_grant(100))
    books.tell_watch(a_spend_watch(20, user="ann"), at=JUNE)
    books.crossings.clear()

    books.debit(an_ask(spent, user="ann"), at=NOON)

    assert edges(books.crossings) == ([("ann", True, spent)] if in_alarm else [])


@pytest.mark.parametrize(
    ("watch", "value", "was_in_alarm", "in_alarm"),
    [
        (a_balance_watch(10, rearm=20), 10, False, True),
        (a_balance_watch(10, rearm=20), 11, False, False),
        (a_balance_watch(10, rearm=20), 20, True, True),
        (a_balance_watch(10, rearm=20), 21, True, False),
        (a_balance_watch(10, rearm=10), 10, True, True),
        (a_balance_watch(10, rearm=10), 11, True, False),
        (a_spend_watch(100, rearm=90), 100, False, True),
        (a_spend_watch(100, rearm=90), 99, False, False),
        (a_spend_watch(100, rearm=90), 90, True, True),
        (a_spend_watch(100, rearm=90), 89, True, False),
        (a_spend_watch(100, rearm=100), 100, True, True),
        (a_spend_watch(100, rearm=100), 99, True, False),
    ],
)
def test_an_alarm_begins_at_the_threshold_and_ends_beyond_the_rearm_level(
    watch: Watch, value: int, was_in_alarm: bool, in_alarm: bool
) -> None:
    assert watch.is_in_alarm(Credits.of(value), before=was_in_alarm) is in_alarm


def test_there_is_one_crossing_however_many_debits_follow() -> None:
    books = watched(100, threshold=20)

    for number in range(10):
        books.debit(an_ask(10), at=NOON + number * TICK)

    assert edges(books.crossings) == [("", True, 20)]


def test_new_credits_resolve_a_low_balance_and_the_sequence_goes_on() -> None:
    books = watched(100, threshold=20)
    books.debit(an_ask(90), at=NOON)

    books.issue(a_grant(50, grant_id="grt_2"), at=NOON + TICK)
    books.debit(an_ask(45), at=NOON + 2 * TICK)

    assert edges(books.crossings) == [("", True, 10), ("", False, 60), ("", True, 15)]
    assert [one.sequence for one in books.crossings] == [2, 3, 4]
    assert [one.observe_time for one in books.crossings] == [NOON, NOON + TICK, NOON + 2 * TICK]


def test_new_credits_that_are_not_enough_resolve_nothing() -> None:
    books = watched(100, threshold=20)
    books.debit(an_ask(90), at=NOON)

    books.issue(a_grant(10, grant_id="grt_2"), at=NOON)
    books.issue(a_grant(1, grant_id="grt_3"), at=NOON)

    assert edges(books.crossings) == [("", True, 10), ("", False, 21)]


def test_open_holds_do_not_make_a_balance_low_only_what_is_spent_does() -> None:
    books = watched(100, threshold=20)

    books.authorize(an_ask(100), at=NOON)
    books.release(HOLD, at=NOON)
    hold_id = books.authorize(an_ask(100), at=NOON).hold_id
    assert hold_id is not None
    assert edges(books.crossings) == []

    books.capture(hold_id, Credits.of(80), at=NOON)
    assert edges(books.crossings) == [("", True, 20)]


def test_credits_of_a_dead_or_coming_grant_do_not_count() -> None:
    books = Books(a_grant(100, end=NOON), a_grant(100, grant_id="grt_2", start=NOON + timedelta(hours=1)))
    books.tell_watch(a_balance_watch(20), at=JUNE)
    books.crossings.clear()

    books.settle(NOON + timedelta(hours=2))

    assert edges(books.crossings) == [("", True, 0), ("", False, 100)]
    assert [one.observe_time for one in books.crossings] == [NOON, NOON + timedelta(hours=1)]


def test_the_end_of_a_month_resolves_what_the_month_before_had_run_out_of() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(1), at=JUNE)
    books.tell_watch(a_balance_watch(20), at=JUNE)
    books.crossings.clear()
    books.debit(an_ask(95), at=NOON)

    books.settle(when("07-20"))

    assert edges(books.crossings) == [("", True, 5), ("", False, 100)]
    assert books.crossings[-1].observe_time == JULY


def test_months_that_nobody_looked_at_are_told_edge_by_edge_in_order() -> None:
    books = Books()
    books.tell_watch(a_balance_watch(20), at=JUNE)
    books.crossings.clear()
    for number, month in enumerate((JUNE, JULY, AUGUST)):
        books.issue(
            a_grant(100, grant_id=f"grt_{number}", start=month, end=month + timedelta(days=10)), at=JUNE
        )
    books.crossings.clear()

    books.settle(when("12-01"))

    assert [(one.in_alarm, one.observe_time) for one in books.crossings] == [
        (True, when("06-11")),
        (False, JULY),
        (True, when("07-11")),
        (False, AUGUST),
        (True, when("08-11")),
    ]
    assert [one.sequence for one in books.crossings] == [2, 3, 4, 5, 6]


def test_the_billing_periods_end_resolves_a_spend_alarm_though_nothing_else_is_due() -> None:
    books = Books(a_grant(100))
    books.tell_watch(a_spend_watch(20, user="ann"), at=JUNE)
    books.crossings.clear()
    books.debit(an_ask(30, user="ann"), at=NOON)
    assert books.stored.next_due_time == JULY

    books.settle(JULY - TICK)
    assert edges(books.crossings) == [("ann", True, 30)]

    books.settle(JULY)
    assert edges(books.crossings) == [("ann", True, 30), ("ann", False, 0)]
    assert books.stored.next_due_time is None


def test_a_capture_makes_the_end_of_its_spend_alarm_due_too() -> None:
    books = Books(a_grant(100))
    books.tell_watch(a_spend_watch(20, user="ann"), at=JUNE)
    books.authorize(an_ask(30, user="ann"), at=NOON)

    books.capture(HOLD, at=NOON)
    books.settle(NOON + timedelta(minutes=5))

    assert books.stored.next_due_time == JULY


def test_a_spend_alarm_that_ended_long_ago_is_told_at_the_end_of_its_own_period() -> None:
    books = Books(a_grant(100))
    books.tell_watch(a_spend_watch(20, user="ann"), at=JUNE)
    books.crossings.clear()
    books.debit(an_ask(30, user="ann"), at=NOON)

    books.debit(an_ask(25, user="ann"), at=when("09-20"))

    assert edges(books.crossings) == [("ann", True, 30), ("ann", False, 0), ("ann", True, 25)]
    assert [one.observe_time for one in books.crossings] == [NOON, JULY, when("09-20")]


def test_a_watch_on_each_user_tells_users_apart_and_speaks_only_of_those_past_it() -> None:
    books = Books(a_grant(1_000))
    books.tell_watch(a_spend_watch(20), at=JUNE)
    kept = edges(books.crossings)
    books.crossings.clear()

    for user, amount in [("ann", 19), ("bob", 20), ("ann", 1), ("bob", 5), ("cleo", 5)]:
        books.debit(an_ask(amount, user=user), at=NOON)

    assert kept == [("", False, 0)]
    assert edges(books.crossings) == [("bob", True, 20), ("ann", True, 20)]
    assert {one.sequence for one in books.crossings} == {1}


def test_a_watch_on_each_user_finds_those_who_were_past_it_before() -> None:
    books = Books(a_grant(1_000))
    books.debit(an_ask(30, user="ann"), at=NOON)
    books.debit(an_ask(10, user="bob"), at=NOON)

    books.tell_watch(a_spend_watch(20), at=NOON + TICK)

    assert edges(books.crossings) == [("", False, 0), ("ann", True, 30)]
    assert books.stored.next_due_time == JULY


def test_a_watch_on_one_customer_is_told_once_whatever_the_value() -> None:
    books = Books(a_grant(100))

    books.tell_watch(a_balance_watch(20), at=JUNE)
    books.settle(NOON, settles=True)

    assert edges(books.crossings) == [("", False, 100)]


def test_a_watch_on_every_customer_is_silent_about_those_who_are_well() -> None:
    books = Books(a_grant(100))

    books.tell_watch(a_balance_watch(20, everybody=True), at=JUNE)
    assert edges(books.crossings) == []

    books.debit(an_ask(80), at=NOON)
    assert edges(books.crossings) == [("", True, 20)]


def test_a_changed_watch_is_told_anew_and_only_once() -> None:
    books = watched(100, threshold=20)

    books.tell_watch(a_balance_watch(30, version=2), at=NOON)
    books.settle(NOON + TICK, settles=True)

    assert edges(books.crossings) == [("", False, 100)]
    assert [one.sequence for one in books.crossings] == [2]


def test_a_watch_whose_version_was_set_back_is_told_anew() -> None:
    books = Books(a_grant(100))
    books.tell_watch(a_balance_watch(20, version=9), at=JUNE)

    books.tell_watch(a_balance_watch(20, version=2), at=NOON)
    books.settle(NOON + TICK, settles=True)

    assert edges(books.crossings) == [("", False, 100)] * 2
    assert [one.sequence for one in books.crossings] == [1, 2]


def test_a_raised_threshold_can_be_an_alarm_by_itself() -> None:
    books = watched(100, threshold=20)

    books.tell_watch(a_balance_watch(100, version=2), at=NOON)

    assert edges(books.crossings) == [("", True, 100)]


def test_a_customer_without_a_contract_spends_in_no_period() -> None:
    books = Books(a_grant(100), anchor=None)
    books.debit(an_ask(30, user="ann"), at=NOON)

    books.tell_watch(a_spend_watch(20, user="ann"), at=NOON)

    assert edges(books.crossings) == [("ann", False, 0)]
    assert books.stored.next_due_time is None


@PROPERTY
@given(st.lists(st.tuples(st.sampled_from(["debit", "issue"]), st.integers(1, 60)), max_size=20))
def test_crossings_go_in_and_out_by_turns_and_their_sequence_has_no_gap(
    steps: list[tuple[str, int]],
) -> None:
    books = Books(a_grant(100, grant_id="grt_start"))
    books.tell_watch(a_balance_watch(20), at=JUNE)
    now = NOON
    for number, (step, amount) in enumerate(steps):
        now += timedelta(hours=1)
        was_low = books.available(now) <= Credits.of(20)
        told = len(books.crossings)

        if step == "debit":
            books.debit(an_ask(amount), at=now)
        else:
            books.issue(a_grant(amount, grant_id=f"grt_{number}"), at=now)

        is_low = books.available(now) <= Credits.of(20)
        assert edges(books.crossings[told:]) == (
            [("", is_low, books.available(now).micros // 1_000_000)] if was_low != is_low else []
        )

    assert [one.sequence for one in books.crossings] == list(range(1, len(books.crossings) + 1))
    states = [one.in_alarm for one in books.crossings]
    assert all(one != following for one, following in pairwise(states))


@PROPERTY
@given(st.lists(st.integers(1, 90), min_size=1, max_size=6, unique=True))
def test_a_late_look_tells_the_same_edges_as_one_at_each_of_them(days: list[int]) -> None:
    def the_books() -> Books:
        books = Books()
        books.tell_schedule(a_schedule(100, per_seat=False, commit_duration=2), at=JUNE)
        for number, day in enumerate(days):
            start = JUNE + timedelta(days=day)
            grant = a_grant(30, grant_id=f"grt_{number}", start=start, end=start + timedelta(days=7))
            books.issue(grant, at=JUNE)
        for number, threshold in enumerate((100, 120, 150, 230)):
            books.tell_watch(a_balance_watch(threshold, alert_id=f"alr_{number}"), at=JUNE)
        return books

    late, often = the_books(), the_books()
    end = when("10-01")

    late.settle(end)
    for day in range(1, 130):
        at: datetime = JUNE + timedelta(days=day, hours=day % 24)
        if at < end:
            often.settle(at)
    often.settle(end)

    assert late.crossings == often.crossings


def test_a_debit_looks_at_those_who_spent_and_at_nobody_else_however_many_are_known() -> None:
    spent = Spend(period=WindowSpend(JUNE, Credits.of(50)))
    account = an_account(
        a_grant(100),
        spends={("user_id", "ann"): spent, ("user_id", "bob"): spent},
        watches=(a_spend_watch(20),),
    )

    observed = alarm.observe_spend(account, [("user_id", "bob")], at=NOON, anchor=JUNE)

    assert ("bob", True, 50) in edges(observed.crossings)
    assert "ann" not in {one.group_value for one in observed.crossings}
