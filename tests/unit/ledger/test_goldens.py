# SPDX-License-Identifier: Apache-2.0
"""The figures that services/ledger/README.md marks as golden."""

from datetime import timedelta

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import GrantKind
from services.ledger.domain.gate.decision import DenialReason
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    AUGUST,
    JULY,
    JUNE,
    TICK,
    a_grant,
    a_schedule,
    a_seat_change,
    an_ask,
    some_seats,
    when,
)


def guide() -> Books:
    """Four seats from 1 June on, 100 credits per seat and month."""
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)
    return books


def test_450_of_included_400_and_topped_up_1000_leave_nothing_and_950() -> None:
    books = Books(
        a_grant(1_000, grant_id="grt_bought", priority=100, paid=80),
        a_grant(400, grant_id="grt_included", kind=GrantKind.INCLUDED, priority=1, end=JULY),
    )

    answer = books.debit(an_ask(450), at=when("06-15"))

    assert answer.debited == Credits.of(450)
    assert books.rests(when("06-15")) == {"grt_included": Credits(0), "grt_bought": Credits.of(950)}


def test_80_captured_of_250_held_over_three_hundreds_leave_20_and_100_and_100() -> None:
    books = Books(*(a_grant(100, grant_id=f"grt_{number}") for number in (1, 2, 3)))
    hold_id = books.authorize(an_ask(250), at=JUNE).hold_id
    assert hold_id is not None

    answer = books.capture(hold_id, Credits.of(80), at=JUNE + TICK)

    assert (answer.captured, answer.released) == (Credits.of(80), Credits.of(170))
    assert books.rests(JUNE + TICK) == {
        "grt_1": Credits.of(20),
        "grt_2": Credits.of(100),
        "grt_3": Credits.of(100),
    }


def test_four_seats_bring_400_in_june_and_again_in_july() -> None:
    books = guide()

    assert books.available(JUNE) == Credits.of(400)
    assert books.available(JULY) == Credits.of(400)


def test_a_fifth_seat_on_3_july_brings_93_548387() -> None:
    books = guide()

    added = books.tell_seats(a_seat_change(1, when("07-03")), at=when("07-03"))

    assert added == Credits.of("93.548387")
    assert books.available(when("07-03")) == Credits.of("493.548387")


def test_a_seat_less_on_10_july_takes_nothing_in_july_and_august_brings_400() -> None:
    books = guide()
    books.tell_seats(a_seat_change(1, when("07-03")), at=when("07-03"))

    added = books.tell_seats(a_seat_change(-1, when("07-10"), sequence=2), at=when("07-10"))

    assert added == Credits(0)
    assert books.available(when("07-10")) == Credits.of("493.548387")
    assert books.available(AUGUST) == Credits.of(400)


def test_a_seat_more_again_on_20_july_brings_nothing_in_july_and_august_brings_500() -> None:
    books = guide()
    books.tell_seats(a_seat_change(1, when("07-03")), at=when("07-03"))
    books.tell_seats(a_seat_change(-1, when("07-10"), sequence=2), at=when("07-10"))

    added = books.tell_seats(a_seat_change(1, when("07-20"), sequence=3), at=when("07-20"))

    assert added == Credits(0)
    assert books.available(when("07-20")) == Credits.of("493.548387")
    assert books.available(AUGUST) == Credits.of(500)


def test_the_guide_comes_to_the_same_when_all_its_seats_are_known_in_june() -> None:
    books = Books()
    changes = ((when("07-03"), 1), (when("07-10"), -1), (when("07-20"), 1))
    books.tell_schedule(a_schedule(100), some_seats(4, *changes), at=JUNE)

    assert books.available(when("07-03") - TICK) == Credits.of(400)
    assert books.available(when("07-03")) == Credits.of("493.548387")
    assert books.available(AUGUST - TICK) == Credits.of("493.548387")
    assert books.available(AUGUST) == Credits.of(500)


def test_of_twenty_holds_of_75_on_500_six_are_allowed_and_450_are_held() -> None:
    books = Books(a_grant(500))

    answers = [books.authorize(an_ask(75), at=JUNE + timedelta(seconds=number)) for number in range(20)]

    assert [answer.reason for answer in answers] == [None] * 6 + [DenialReason.INSUFFICIENT_CREDITS] * 14
    assert sum(grant.held.micros for grant in books.stored.grants.values()) == Credits.of(450).micros
    assert books.available(JUNE + timedelta(seconds=20)) == Credits.of(50)
    books.check()
