# SPDX-License-Identifier: Apache-2.0
"""A refund voids the unspent part of one grant: all of it, now and when it returns, or a part, or nothing."""

import pytest

from meshkit.quantity import Credits
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.gate.hold import HoldId
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import TICK, a_balance_watch, a_grant, an_ask, when

HOLD = HoldId("hld_1")
NOON = when("06-15 12:00")


def spent_and_held() -> Books:
    """1,000 credits, of which 250 are spent and 50 held."""
    books = Books(a_grant(1_000))
    books.debit(an_ask(250), at=NOON)
    books.authorize(an_ask(50), at=NOON)
    return books


def test_all_of_the_rest_is_voided_and_what_is_released_later_counts_too() -> None:
    books = spent_and_held()

    first = books.refund("grt_1", at=NOON + TICK)
    books.release(HOLD, at=NOON + 2 * TICK)
    second = books.refund("grt_1", at=NOON + 3 * TICK)

    whole = (Credits.of(1_000), Credits.of(250))
    assert (first.granted, first.spent, first.held, first.voided) == (*whole, Credits.of(50), Credits.of(700))
    assert (second.granted, second.spent, second.held, second.voided) == (
        *whole,
        Credits(0),
        Credits.of(750),
    )
    assert [one.amount for one in books.entries if one.kind is EntryKind.VOID] == [
        Credits.of(-700),
        Credits.of(-50),
    ]
    books.check()


# The last that can be taken, and the first that cannot.
@pytest.mark.parametrize(("least", "is_refused", "voided"), [(700, False, 700), (701, True, 0)])
def test_a_part_is_voided_whole_or_not_at_all(least: int, is_refused: bool, voided: int) -> None:
    books = spent_and_held()

    refunded = books.refund("grt_1", Credits.of(least), at=NOON)

    assert (refunded.is_refused, refunded.voided) == (is_refused, Credits.of(voided))
    assert books.available(NOON) == Credits.of(700 - voided)
    books.check()


def test_a_part_counts_what_was_voided_before_and_leaves_what_returns() -> None:
    books = spent_and_held()
    books.refund("grt_1", Credits.of(100), at=NOON)

    books.refund("grt_1", Credits.of(300), at=NOON)
    repeated = books.refund("grt_1", Credits.of(200), at=NOON)
    books.release(HOLD, at=NOON + TICK)

    assert (repeated.is_refused, repeated.voided) == (False, Credits.of(300))
    assert books.available(NOON + TICK) == Credits.of(450)
    books.check()


def test_only_its_own_grant_is_touched() -> None:
    books = Books(a_grant(100), a_grant(50, grant_id="grt_2"))
    books.debit(an_ask(120), at=NOON)

    assert books.refund("grt_1", at=NOON).voided == Credits(0)

    assert books.available(NOON) == Credits.of(30)


def test_a_part_can_make_a_balance_low() -> None:
    books = Books(a_grant(100))
    books.tell_watch(a_balance_watch(50), at=NOON)
    books.refund("grt_1", Credits.of(49), at=NOON)
    assert [one.in_alarm for one in books.crossings] == [False]

    books.refund("grt_1", Credits.of(50), at=NOON)

    assert [one.in_alarm for one in books.crossings] == [False, True]
