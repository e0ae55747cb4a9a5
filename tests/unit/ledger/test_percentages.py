# SPDX-License-Identifier: Apache-2.0
"""LOW_PERCENTAGE: what remains, compared with what the pool was granted for its present period."""

from datetime import timedelta

import pytest

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import Grant, GrantKind
from services.ledger.domain.crossings.watch import PERCENT
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    JULY,
    JUNE,
    TICK,
    a_grant,
    a_percentage_watch,
    a_schedule,
    a_seat_change,
    an_ask,
    some_seats,
    when,
)

NOON = when("06-15 12:00")


def included(credits: int, grant_id: str = "grt_in", **more: object) -> Grant:
    return a_grant(credits, grant_id=grant_id, kind=GrantKind.INCLUDED, **more)  # type: ignore[arg-type]


def watched(*grants: Grant, percent: int = 20, rearm: int | None = None) -> Books:
    """Books of these grants, whose percentage was observed once."""
    books = Books(*grants)
    books.tell_watch(a_percentage_watch(percent, rearm=rearm), at=JUNE)
    books.crossings.clear()
    return books


def edges(books: Books) -> list[tuple[bool, int]]:
    """Return whether in alarm, and at how many millionths of a percent."""
    return [(one.in_alarm, one.value_micros) for one in books.crossings]


@pytest.mark.parametrize(("spent", "percentage"), [(319, None), (320, 20 * PERCENT), (321, 19_750_000)])
def test_it_is_low_at_the_percentage_and_below(spent: int, percentage: int | None) -> None:
    books = watched(included(400))

    books.debit(an_ask(spent), at=NOON)

    assert edges(books) == ([] if percentage is None else [(True, percentage)])


def test_a_millionth_of_a_credit_more_is_not_low() -> None:
    books = watched(included(400))

    books.debit(an_ask(Credits.of("319.999999")), at=NOON)
    assert edges(books) == []

    books.debit(an_ask(Credits(1)), at=NOON)
    assert edges(books) == [(True, 20 * PERCENT)]


def test_an_alarm_ends_above_the_rearm_level() -> None:
    books = watched(included(400), rearm=25)
    books.debit(an_ask(320), at=NOON)

    books.issue(a_grant(20, grant_id="grt_top"), at=NOON)
    assert edges(books) == [(True, 20 * PERCENT)]

    books.issue(a_grant(1, grant_id="grt_more"), at=NOON)
    assert edges(books)[1:] == [(False, 25_250_000)]


def test_bought_and_rolled_over_credits_remain_but_were_not_granted_for_the_period() -> None:
    books = watched(
        included(100),
        a_grant(80, grant_id="grt_bought", kind=GrantKind.TOP_UP),
        a_grant(20, grant_id="grt_rolled", kind=GrantKind.ROLLOVER),
    )

    books.debit(an_ask(179), at=NOON)
    assert edges(books) == []

    books.debit(an_ask(1), at=NOON)
    assert edges(books) == [(True, 20 * PERCENT)]


def test_seats_move_what_it_is_a_percentage_of() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)
    books.tell_watch(a_percentage_watch(20), at=JUNE)
    books.debit(an_ask(330), at=JUNE)
    books.crossings.clear()

    books.tell_seats(a_seat_change(1, JUNE), at=JUNE)

    assert edges(books) == [(False, 34 * PERCENT)]


def test_a_voided_grant_is_not_granted_for_the_period() -> None:
    books = watched(included(100, "grt_in"), included(300, "grt_other"))
    books.debit(an_ask(90), at=NOON)
    assert edges(books) == []

    books.void("grt_other", at=NOON)

    assert edges(books) == [(True, 10 * PERCENT)]


@pytest.mark.parametrize("everybody", [False, True])
def test_a_pool_without_included_credits_is_not_observed(everybody: bool) -> None:
    books = Books(a_grant(100, kind=GrantKind.TOP_UP))

    books.tell_watch(a_percentage_watch(20, everybody=everybody), at=JUNE)
    books.debit(an_ask(100), at=NOON)

    assert books.crossings == []


def test_an_included_grant_that_has_not_begun_or_has_ended_does_not_count() -> None:
    books = watched(
        included(100, "grt_now", end=JULY),
        included(900, "grt_over", end=NOON),
        included(900, "grt_later", start=JULY),
    )
    books.settle(NOON)
    books.debit(an_ask(79), at=NOON)
    assert edges(books) == []

    books.debit(an_ask(1), at=NOON)

    assert edges(books) == [(True, 20 * PERCENT)]


def test_the_next_period_resolves_at_its_start() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)
    books.tell_watch(a_percentage_watch(20), at=JUNE)
    books.debit(an_ask(400), at=NOON)
    books.crossings.clear()

    books.settle(JULY - TICK)
    assert edges(books) == []

    books.settle(JULY + timedelta(days=3))
    assert edges(books) == [(False, 100 * PERCENT)]
    assert books.crossings[0].observe_time == JULY


def test_a_grant_that_is_issued_alone_is_compared_with_all_that_was_granted() -> None:
    many = [included(1, f"grt_{number:04}") for number in range(400)]
    books = watched(*many, percent=10)
    books.debit(an_ask(360), at=NOON)
    assert edges(books) == [(True, 10 * PERCENT)]

    books.issue(a_grant(1, grant_id="grt_top"), at=NOON)

    assert edges(books)[1:] == [(False, 10_250_000)]
