# SPDX-License-Identifier: Apache-2.0
"""Spend caps: which one applies, what its window is, and what counts in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.gate.capping import cap_uses
from services.ledger.domain.gate.decision import DenialReason
from services.ledger.domain.gate.spend_cap import Spend, hold_more, spend_more
from services.ledger.domain.gate.windows import CapWindow, window_at
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import JULY, JUNE, PROPERTY, TICK, a_cap, a_grant, an_account, an_ask, when

PERIOD, DAY = CapWindow.BILLING_PERIOD, CapWindow.DAY
MID_JUNE = when("06-15")
CAPPED = DenialReason.SPEND_CAP_REACHED

# Each row: window, anchor, an instant, and the first and the last-but-one instant of its window.
WINDOWS = [
    (DAY, JUNE, when("06-15 00:00"), when("06-15"), when("06-16")),
    (DAY, JUNE, when("06-15 23:59:59.999999"), when("06-15"), when("06-16")),
    (DAY, when("06-01 09:30"), when("06-15 09:00"), when("06-15"), when("06-16")),
    (PERIOD, JUNE, JUNE, JUNE, JULY),
    (PERIOD, JUNE, JULY - TICK, JUNE, JULY),
    (PERIOD, JUNE, JULY, JULY, when("08-01")),
    (PERIOD, when("05-31 09:30"), when("07-01 09:29"), when("06-30 09:30"), when("07-31 09:30")),
    (PERIOD, when("05-31 09:30"), when("06-30 09:29"), when("05-31 09:30"), when("06-30 09:30")),
]

# Each row: the cap's window, when 80 of 100 are spent, when more is asked, and how much is affordable then.
SPENT_AND_ASKED = [
    ("in the same day", DAY, when("06-15 00:00"), when("06-16") - TICK, 20),
    ("at midnight", DAY, when("06-16") - TICK, when("06-16"), 100),
    ("in the same billing period", PERIOD, JUNE, JULY - TICK, 20),
    ("at the end of the billing period", PERIOD, JULY - TICK, JULY, 100),
    ("periods later", PERIOD, JUNE, when("12-15"), 100),
]


@pytest.mark.parametrize(("window", "anchor", "at", "start", "end"), WINDOWS)
def test_days_are_utc_and_billing_periods_are_months_from_the_contracts_start(
    window: CapWindow, anchor: datetime, at: datetime, start: datetime, end: datetime
) -> None:
    found = window_at(window, anchor=anchor, at=at)

    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    ("window", "spent_at", "asked_at", "affordable"),
    [row[1:] for row in SPENT_AND_ASKED],
    ids=[row[0] for row in SPENT_AND_ASKED],
)
def test_a_window_counts_what_was_spent_in_it_and_no_more(
    window: CapWindow, spent_at: datetime, asked_at: datetime, affordable: int
) -> None:
    books = Books(a_grant(1_000))
    books.set_cap(a_cap(100, user="ann", window=window))
    books.debit(an_ask(80, user="ann"), at=spent_at)

    over = books.authorize(an_ask(affordable + 1, user="ann"), at=asked_at)
    within = books.authorize(an_ask(affordable, user="ann"), at=asked_at)

    assert (over.reason, over.affordable) == (CAPPED, Credits.of(affordable))
    assert within.reason is None


def test_a_hold_counts_in_the_window_it_is_open_in_and_its_capture_in_the_one_it_falls_in() -> None:
    books = Books(a_grant(1_000))
    books.set_cap(a_cap(100, user="ann", window=DAY))
    hold_id = books.authorize(an_ask(60, user="ann"), ttl=timedelta(hours=2), at=when("06-15 23:00")).hold_id
    assert hold_id is not None

    after_midnight = books.authorize(an_ask(41, user="ann"), at=when("06-16"))
    books.capture(hold_id, Credits.of(50), at=when("06-16 00:30"))
    later = books.authorize(an_ask(51, user="ann"), at=when("06-16 12:00"))

    assert (after_midnight.reason, after_midnight.affordable) == (CAPPED, Credits.of(40))
    assert (later.reason, later.affordable) == (CAPPED, Credits.of(50))


def test_a_late_request_of_yesterday_does_not_make_today_be_forgotten() -> None:
    books = Books(a_grant(1_000))
    books.set_cap(a_cap(100, user="ann", window=DAY))
    midnight = when("06-16")
    books.debit(an_ask(90, user="ann"), at=midnight)

    late = books.debit(an_ask(11, user="ann"), at=midnight - TICK)
    books.debit(an_ask(4, user="ann"), at=midnight - TICK)
    today = books.debit(an_ask(7, user="ann"), at=midnight + TICK)

    assert (late.reason, late.affordable) == (CAPPED, Credits.of(10))
    assert (today.reason, today.affordable) == (CAPPED, Credits.of(6))


def test_two_contracts_with_months_of_their_own_do_not_lend_a_user_new_limits_by_turns() -> None:
    books = Books(a_grant(10_000))
    books.set_cap(a_cap(100, user="ann"))
    day = when("06-20")

    answers = [
        books.debit(an_ask(60, user="ann", anchor=anchor), at=day + number * TICK)
        for number, anchor in enumerate([JUNE, MID_JUNE] * 5)
    ]

    assert sum(answer.debited.micros for answer in answers) <= 2 * Credits.of(100).micros
    assert [answer.reason for answer in answers[2:]] == [CAPPED] * 8


def test_only_what_was_held_is_given_back() -> None:
    held = hold_more(Spend(), Credits.of(60))

    assert hold_more(held, -Credits.of(60)) == Spend()
    with pytest.raises(AssertionError):
        hold_more(held, -Credits.of(61))


def test_of_caps_on_several_keys_each_is_told_with_its_use() -> None:
    caps = [a_cap(70, key="team", spend_cap_id="cap_team"), a_cap(100, user="ann")]
    spent = spend_more(hold_more(Spend(), Credits.of(5)), Credits.of(10), anchor=JUNE, at=MID_JUNE)

    account = replace(an_account(caps=tuple(caps)), spends={("user_id", "ann"): spent})
    uses = cap_uses(account, {("user_id", "ann"), ("team", "red")}, anchor=JUNE, at=MID_JUNE)

    assert [(use.cap.spend_cap_id, use.group_value, use.used, use.headroom) for use in uses] == [
        ("cap_team", "red", Credits(0), Credits.of(70)),
        ("cap_1", "ann", Credits.of(15), Credits.of(85)),
    ]


def test_an_overused_cap_has_no_headroom_rather_than_less_than_none() -> None:
    spent = spend_more(Spend(), Credits.of(150), anchor=JUNE, at=MID_JUNE)

    account = replace(an_account(caps=(a_cap(100),)), spends={("user_id", "ann"): spent})

    (use,) = cap_uses(account, {("user_id", "ann")}, anchor=JUNE, at=MID_JUNE)

    assert use.headroom == Credits(0)


@PROPERTY
@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(2025, 6, 1), datetime(2025, 8, 31)).map(lambda at: at.replace(tzinfo=UTC)),
            st.integers(1, 100),
        ),
        max_size=8,
    ),
    st.sampled_from([PERIOD, DAY]),
)
def test_what_is_spent_in_order_counts_in_its_own_window(
    spends: list[tuple[datetime, int]], window: CapWindow
) -> None:
    spend = Spend()
    for at, micros in sorted(spends):
        spend = spend_more(spend, Credits(micros), anchor=JUNE, at=at)

    last = max((at for at, _ in spends), default=JUNE)
    current = window_at(window, anchor=JUNE, at=last)
    inside = [micros for at, micros in spends if current.contains(at)]
    assert spend.spent_in(window, current.start, anchor=JUNE) == Credits(sum(inside))
    assert spend.spent_in(window, current.end, anchor=JUNE) == Credits(0)


# Each row: when reported usage of 10 was used, seen from 15 June; what today's, tomorrow's and the day after's cap see.
@pytest.mark.parametrize(
    ("used_time", "seen"),
    [
        (when("06-14 23:59:59.999999"), (5, 0, 0)),
        (when("06-15"), (15, 0, 0)),
        (when("06-15 23:59:59.999999"), (15, 0, 0)),
        (when("06-16"), (5, 10, 0)),
        (when("06-16 11:00"), (5, 10, 0)),
    ],
)
def test_reported_usage_counts_in_the_window_of_its_own_time(
    used_time: datetime, seen: tuple[int, int, int]
) -> None:
    noon = when("06-15 12:00")
    spend = spend_more(Spend(), Credits(5), anchor=JUNE, at=noon)

    spend = spend_more(spend, Credits(10), anchor=JUNE, at=noon, used_time=used_time)

    days = [when("06-15"), when("06-16"), when("06-17")]
    assert tuple(spend.spent_in(DAY, day, anchor=JUNE).micros for day in days) == seen
    next_day = spend_more(spend, Credits(1), anchor=JUNE, at=when("06-16"))
    day_after = spend_more(spend, Credits(1), anchor=JUNE, at=when("06-17"))
    assert next_day.spent_in(DAY, when("06-16"), anchor=JUNE) == Credits(seen[1] + 1)
    assert day_after.spent_in(DAY, when("06-17"), anchor=JUNE) == Credits(1)
