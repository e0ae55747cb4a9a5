# SPDX-License-Identifier: Apache-2.0
"""Voiding a grant takes its rest now, and whatever returns to it later; what is held can still be captured."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.grant import GrantId, GrantVoid
from services.ledger.domain.gate.hold import HoldId
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    JULY,
    JUNE,
    PROPERTY,
    TICK,
    a_balance_watch,
    a_grant,
    a_schedule,
    a_seat_change,
    an_ask,
    some_seats,
    when,
)

HOLD = HoldId("hld_1")
NOON = when("06-15 12:00")
MINUTE = timedelta(minutes=1)


def lines(books: Books) -> list[tuple[str, int]]:
    """Return what was written after the grants: kind and whole credits."""
    return [
        (one.kind.name, one.amount.micros // 1_000_000)
        for one in books.entries
        if one.kind is not EntryKind.GRANT
    ]


def figures(books: Books, grant_id: str = "grt_1") -> dict[str, int]:
    """Return the whole credits of a grant that are not zero."""
    grant = books.stored.grants[GrantId(grant_id)]
    amounts = {name: getattr(grant, name) for name in ("captured", "held", "expired", "voided", "rest")}
    return {name: amount.micros // 1_000_000 for name, amount in amounts.items() if amount}


def half_held(**more: object) -> Books:
    """A grant of 100, of which 10 are spent and 60 held until five past twelve."""
    books = Books(a_grant(100, **more))  # type: ignore[arg-type]
    books.debit(an_ask(10), at=NOON)
    books.authorize(an_ask(60), at=NOON)
    return books


def test_a_void_takes_what_is_neither_spent_nor_held() -> None:
    books = half_held()

    assert books.void("grt_1", at=NOON + TICK) == Credits.of(30)

    assert figures(books) == {"captured": 10, "held": 60, "voided": 30}
    assert lines(books) == [("CAPTURE", -10), ("VOID", -30)]
    entry = books.entries[-1]
    assert (entry.effective_time, entry.create_time) == (NOON + TICK, NOON + TICK)
    assert books.stored.grants[GrantId("grt_1")].void == GrantVoid(
        time=NOON + TICK, reason="by mistake", actor="ops"
    )
    books.check()


def test_a_voided_grant_pays_for_nothing_more() -> None:
    books = Books(a_grant(100), a_grant(50, grant_id="grt_2"))

    books.void("grt_1", at=NOON)

    assert books.debit(an_ask(51), at=NOON).reason is not None
    assert books.debit(an_ask(50), at=NOON).reason is None
    assert figures(books, "grt_2") == {"captured": 50}


def test_a_hold_on_a_voided_grant_can_be_captured_whole() -> None:
    books = half_held()
    books.void("grt_1", at=NOON)

    assert books.capture(HOLD, at=NOON + MINUTE).captured == Credits.of(60)

    assert figures(books) == {"captured": 70, "voided": 30}


def test_what_a_capture_leaves_of_a_hold_on_a_voided_grant_is_voided() -> None:
    books = half_held()
    books.void("grt_1", at=NOON)

    books.capture(HOLD, Credits.of(59), at=NOON + MINUTE)

    assert figures(books) == {"captured": 69, "voided": 31}
    assert lines(books)[-2:] == [("CAPTURE", -59), ("VOID", -1)]
    assert books.entries[-1].effective_time == NOON + MINUTE


def test_what_is_released_to_a_voided_grant_is_voided() -> None:
    books = half_held()
    books.void("grt_1", at=NOON)

    books.release(HOLD, at=NOON + MINUTE)

    assert figures(books) == {"captured": 10, "voided": 90}
    assert books.available(NOON + MINUTE) == Credits(0)


def test_what_a_dead_hold_returns_to_a_voided_grant_is_voided_when_it_dies() -> None:
    books = half_held()
    books.void("grt_1", at=NOON)

    books.settle(JULY)

    assert figures(books) == {"captured": 10, "voided": 90}
    assert (books.entries[-1].kind, books.entries[-1].effective_time) == (EntryKind.VOID, NOON + 5 * MINUTE)


# Each row: whether the grant is voided before it expires, and what the returned 60 are then.
@pytest.mark.parametrize(("is_voided", "kind"), [(True, EntryKind.VOID), (False, EntryKind.EXPIRY)])
def test_what_returns_after_the_expiry_is_voided_only_if_the_grant_is(
    is_voided: bool, kind: EntryKind
) -> None:
    books = half_held(end=NOON + MINUTE)
    if is_voided:
        books.void("grt_1", at=NOON)

    books.release(HOLD, at=NOON + 2 * MINUTE)

    assert (books.entries[-1].kind, books.entries[-1].amount) == (kind, -Credits.of(60))
    assert not any(one.kind is EntryKind.EXPIRY for one in books.entries if is_voided)


def test_an_expired_grant_has_nothing_to_void_but_what_returns_to_it_is_voided() -> None:
    books = half_held(end=NOON + MINUTE)

    assert books.void("grt_1", at=NOON + MINUTE) == Credits(0)

    books.release(HOLD, at=NOON + 2 * MINUTE)
    assert figures(books) == {"captured": 10, "expired": 30, "voided": 60}


def test_a_grant_is_voided_up_to_the_instant_before_it_expires() -> None:
    books = half_held(end=NOON + MINUTE)

    assert books.void("grt_1", at=NOON + MINUTE - TICK) == Credits.of(30)

    books.settle(JULY)
    assert figures(books) == {"captured": 10, "voided": 90}


def test_a_spent_grant_has_nothing_to_void() -> None:
    books = Books(a_grant(100))
    books.debit(an_ask(100), at=NOON)

    assert books.void("grt_1", at=NOON) == Credits(0)

    assert lines(books) == [("CAPTURE", -100)]
    assert books.stored.grants[GrantId("grt_1")].void is not None


def test_a_second_void_changes_nothing() -> None:
    books = half_held()
    books.void("grt_1", at=NOON)
    before = (books.stored.grants, len(books.entries))

    assert books.void("grt_1", at=NOON + MINUTE) == Credits(0)

    assert (books.stored.grants, len(books.entries)) == before


def test_a_grant_dated_ahead_can_be_voided_before_it_begins() -> None:
    books = Books(a_grant(100, start=JULY))

    assert books.void("grt_1", at=NOON) == Credits.of(100)

    assert books.available(JULY) == Credits(0)
    books.settle(JULY)
    assert lines(books) == [("VOID", -100)]


def monthly(seats: int) -> Books:
    """Seats with 100 credits a month each: in June, all of them are in grt_new_1."""
    books = Books()
    books.tell_schedule(a_schedule(100, prorates_increases=False), some_seats(seats), at=JUNE)
    return books


def test_seats_added_after_a_void_bring_credits_that_can_be_drawn() -> None:
    books = monthly(4)
    books.void("grt_new_1", at=NOON)

    assert books.tell_seats(a_seat_change(1, NOON + MINUTE), at=NOON + MINUTE) == Credits.of(100)

    assert books.available(NOON + MINUTE) == Credits.of(100)
    assert books.debit(an_ask(100), at=NOON + MINUTE).reason is None
    assert books.available(JULY) == Credits.of(500)


def test_what_returns_to_a_voided_grant_takes_no_credits_of_seats_added_since() -> None:
    books = monthly(4)
    books.authorize(an_ask(60), at=NOON)
    books.void("grt_new_1", at=NOON)
    books.tell_seats(a_seat_change(1, NOON), at=NOON)

    books.release(HOLD, at=NOON + MINUTE)

    assert figures(books, "grt_new_1") == {"voided": 400, "rest": 100}


# Each row: when the hold on those credits is taken after the void, and what its release leaves of them.
@pytest.mark.parametrize(("after", "left"), [(TICK, 100), (timedelta(0), 40)])
def test_what_a_hold_taken_after_the_void_returns_can_be_drawn_again(after: timedelta, left: int) -> None:
    books = monthly(4)
    books.void("grt_new_1", at=NOON)
    books.tell_seats(a_seat_change(1, NOON), at=NOON)
    books.authorize(an_ask(60), at=NOON + after)

    books.release(HOLD, at=NOON + MINUTE)

    assert books.available(NOON + MINUTE) == Credits.of(left)
    books.check()


def test_a_second_void_reaches_what_was_held_after_the_first() -> None:
    books = monthly(4)
    books.void("grt_new_1", at=NOON)
    books.tell_seats(a_seat_change(1, NOON), at=NOON)
    books.authorize(an_ask(100), at=NOON + TICK)

    assert books.void("grt_new_1", at=NOON + MINUTE) == Credits(0)

    books.release(HOLD, at=NOON + MINUTE)
    assert books.available(NOON + MINUTE) == Credits(0)


def test_a_second_void_takes_the_credits_of_seats_added_since_the_first() -> None:
    books = monthly(4)
    books.void("grt_new_1", at=NOON)
    books.tell_seats(a_seat_change(1, NOON), at=NOON)

    assert books.void("grt_new_1", at=NOON + MINUTE) == Credits.of(100)

    void = books.stored.grants[GrantId("grt_new_1")].void
    assert void is not None
    assert void.time == NOON + MINUTE


_ACTS = st.tuples(st.sampled_from(["hold", "hold", "capture", "release", "void"]), st.integers(0, 60))


@PROPERTY
@given(st.lists(_ACTS, max_size=25))
def test_a_grant_has_what_simple_sums_say_whatever_is_held_captured_released_and_voided(
    acts: list[tuple[str, int]],
) -> None:
    books = Books(a_grant(100))
    free, spent, gone, held, is_voided = 100, 0, 0, dict[HoldId, int](), False

    for number, (act, amount) in enumerate(acts):
        at = NOON + number * TICK
        if act == "hold":
            answer = books.authorize(an_ask(amount), at=at)
            assert (answer.reason is None) == (amount <= free)
            if amount <= free:
                free -= amount
                held[HoldId(answer.hold_id)] = amount
        elif act == "void":
            assert books.void("grt_1", at=at) == Credits.of(free)
            free, gone, is_voided = 0, gone + free, True
        elif held:
            hold_id = list(held)[amount % len(held)]
            returned = was_held = held.pop(hold_id)
            if act == "capture":
                used = min(amount, was_held)
                books.capture(hold_id, Credits.of(used), at=at)
                spent, returned = spent + used, was_held - used
            else:
                books.release(hold_id, at=at)
            free, gone = (free, gone + returned) if is_voided else (free + returned, gone)
        sums = {"captured": spent, "held": sum(held.values()), "voided": gone, "rest": free}
        assert figures(books) == {name: amount for name, amount in sums.items() if amount}
        books.check()


# Each row: the threshold, and how many of the crossings below are reported: 60 remain, then none.
@pytest.mark.parametrize(
    ("threshold", "told"), [(59, [(True, 0)]), (60, [(True, 60)]), (89, [(True, 60)]), (90, [])]
)
def test_a_balance_is_low_once_a_void_and_what_returns_later_have_made_it_so(
    threshold: int, told: list[tuple[bool, int]]
) -> None:
    books = half_held()
    books.tell_watch(a_balance_watch(threshold), at=NOON)
    books.crossings.clear()

    books.void("grt_1", at=NOON + TICK)
    books.release(HOLD, at=NOON + MINUTE)

    assert [(one.in_alarm, one.value_micros // 1_000_000) for one in books.crossings] == told
