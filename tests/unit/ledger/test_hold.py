# SPDX-License-Identifier: Apache-2.0
"""A hold's life as tables. One row: at, event, amount, what is answered, and what is available after it.

Each story is of one hold, taken with the usual five minutes to live unless the row says otherwise.
"""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import MeshError
from meshkit.quantity import Credits
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.grant import Grant, GrantId
from services.ledger.domain.gate.decision import Authorized, Captured, Debited, Extended, Released
from services.ledger.domain.gate.hold import HoldId, HoldState, split_draws, state_at
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import IMAGES, PROPERTY, TICK, a_grant, an_ask, units, when

Row = tuple[str, str, int | None, str, int]

HOLD = HoldId("hld_1")
NOON = when("06-15 12:00")
TWO_PAST = when("06-15 12:02")

POOL = (a_grant(300),)
HUNDREDS = tuple(a_grant(100, grant_id=f"grt_{number}") for number in (1, 2, 3))
DYING = (a_grant(100, grant_id="grt_dying", end=TWO_PAST), a_grant(50, grant_id="grt_after"))

STORIES: dict[str, tuple[tuple[Grant, ...], list[Row]]] = {
    "captured whole": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "capture", None, "captured 250, released 0", 50),
        ],
    ),
    "captured in part, the rest is back at once": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "capture", 80, "captured 80, released 170", 220),
        ],
    ),
    "captured for nothing, which is a release": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "capture", 0, "captured 0, released 250", 300),
            ("12:02", "capture", 0, "HOLD_ALREADY_RESOLVED", 300),
        ],
    ),
    "captured for more, which is drawn from what is available": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "capture", 299, "captured 299, released 0", 1),
        ],
    ),
    "captured for all there is": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "capture", 300, "captured 300, released 0", 0),
        ],
    ),
    "captured for more than there is, which is a shortfall": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "capture", 301, "captured 300, released 0, short 1", 0),
        ],
    ),
    "captured twice": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "capture", 80, "captured 80, released 170", 220),
            ("12:01", "capture", 80, "HOLD_ALREADY_RESOLVED", 220),
        ],
    ),
    "released, and then it can no longer change": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "release", None, "released 250", 300),
            ("12:01", "release", None, "HOLD_ALREADY_RESOLVED", 300),
            ("12:01", "capture", 80, "HOLD_ALREADY_RESOLVED", 300),
            ("12:01", "extend", 10, "HOLD_ALREADY_RESOLVED", 300),
            ("12:01", "lengthen", 10, "HOLD_ALREADY_RESOLVED", 300),
        ],
    ),
    "captured, and then it cannot be released": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "capture", 250, "captured 250, released 0", 50),
            ("12:01", "release", None, "HOLD_ALREADY_RESOLVED", 50),
        ],
    ),
    "alive in the last instant of its life": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:04:59.999999", "look", None, "HELD", 50),
            ("12:04:59.999999", "capture", 80, "captured 80, released 170", 220),
        ],
    ),
    "dead at its expire_time": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:05", "look", None, "EXPIRED", 300),
            ("12:05", "capture", 80, "captured 80, released 0, late", 220),
            ("12:05", "capture", 80, "HOLD_ALREADY_RESOLVED", 220),
        ],
    ),
    "captured late and whole": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("13:00", "capture", None, "captured 250, released 0, late", 50),
        ],
    ),
    "captured late, when others have taken its place": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:05", "debit", 290, "spent 290", 10),
            ("12:06", "capture", 80, "captured 10, released 0, short 70, late", 0),
        ],
    ),
    "released after its expiry, as often as anybody likes": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:05", "release", None, "released 0", 300),
            ("12:06", "release", None, "released 0", 300),
            ("12:07", "capture", 80, "captured 80, released 0, late", 220),
        ],
    ),
    "reserved: others cannot have it until it ends": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "debit", 51, "INSUFFICIENT_CREDITS", 50),
            ("12:04:59.999999", "debit", 51, "INSUFFICIENT_CREDITS", 50),
            ("12:05", "debit", 51, "spent 51", 249),
        ],
    ),
    "lengthened: it dies at its new expire_time": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:04:59.999999", "lengthen", 10, "held 250 until 12:14:59.999999", 50),
            ("12:05", "look", None, "HELD", 50),
            ("12:14:59.999998", "look", None, "HELD", 50),
            ("12:14:59.999999", "look", None, "EXPIRED", 300),
        ],
    ),
    "never shortened": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "lengthen", 1, "held 250 until 12:05:00", 50),
            ("12:02", "look", None, "HELD", 50),
        ],
    ),
    "raised, by all of it or nothing": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:01", "extend", 51, "INSUFFICIENT_CREDITS", 50),
            ("12:01", "extend", 50, "held 300 until 12:05:00", 0),
            ("12:02", "capture", 260, "captured 260, released 40", 40),
        ],
    ),
    "expired: it cannot be extended any more": (
        POOL,
        [
            ("12:00", "authorize", 250, "held 250", 50),
            ("12:05", "extend", 1, "HOLD_EXPIRED", 300),
            ("12:05", "lengthen", 1, "HOLD_EXPIRED", 300),
        ],
    ),
    "over a grant that expires: captured from it, within the hold's life": (
        DYING,
        [
            ("12:00", "authorize", 90, "held 90", 60),
            ("12:01:59.999999", "look", None, "HELD", 60),
            ("12:02", "look", None, "HELD", 50),
            ("12:04", "capture", 90, "captured 90, released 0", 50),
        ],
    ),
    "over a grant that expires: what is released is lost with it": (
        DYING,
        [
            ("12:00", "authorize", 90, "held 90", 60),
            ("12:03", "capture", 30, "captured 30, released 60", 50),
        ],
    ),
    "over a grant that expires: the excess comes from the living": (
        DYING,
        [
            ("12:00", "authorize", 90, "held 90", 60),
            ("12:03", "capture", 110, "captured 110, released 0", 30),
        ],
    ),
    "over a grant that expires: late, only the living pay": (
        DYING,
        [
            ("12:00", "authorize", 90, "held 90", 60),
            ("12:05", "capture", 90, "captured 50, released 0, short 40, late", 0),
        ],
    ),
    "over a grant that expires: released, it is lost": (
        DYING,
        [
            ("12:00", "authorize", 120, "held 120", 30),
            ("12:03", "release", None, "released 120", 50),
        ],
    ),
}


class Story:
    """Books, and one hold that events are about."""

    def __init__(self, *grants: Grant) -> None:
        self.books = Books(*grants)

    def tell(self, event: str, amount: int | None, at: datetime) -> str:
        credits = None if amount is None else Credits.of(amount)
        try:
            match event:
                case "authorize":
                    assert amount is not None
                    return told(self.books.authorize(an_ask(amount), at=at))
                case "capture":
                    return told(self.books.capture(HOLD, credits, at=at))
                case "release":
                    return told(self.books.release(HOLD, at=at))
                case "extend":
                    assert amount is not None
                    return told(self.books.extend(HOLD, an_ask(amount), at=at))
                case "lengthen":
                    assert amount is not None
                    return told(self.books.extend(HOLD, expire_time=at + timedelta(minutes=amount), at=at))
                case "debit":
                    assert amount is not None
                    return told(self.books.debit(an_ask(amount), at=at))
                case "look":
                    return state_at(self.books.hold(HOLD), at).value
                case _:
                    raise AssertionError(event)
        except MeshError as fault:
            return fault.reason


def told(answer: Authorized | Captured | Released | Extended | Debited) -> str:
    match answer:
        case Captured():
            parts = [f"captured {whole(answer.captured)}", f"released {whole(answer.released)}"]
            parts += [f"short {whole(answer.shortfall)}"] if answer.shortfall else []
            return ", ".join([*parts, *(["late"] if answer.is_late else [])])
        case Released():
            return f"released {whole(answer.released)}"
    if answer.reason is not None:
        return answer.reason.value
    match answer:
        case Authorized():
            return f"held {whole(answer.held)}"
        case Extended():
            return f"held {whole(answer.held)} until {answer.expire_time.time().isoformat()}"
        case Debited():
            return f"spent {whole(answer.debited)}"


def whole(credits: Credits) -> str:
    return f"{credits.micros / 1_000_000:g}"


@pytest.mark.parametrize(("grants", "rows"), STORIES.values(), ids=STORIES.keys())
def test_the_life_of_a_hold(grants: tuple[Grant, ...], rows: list[Row]) -> None:
    story = Story(*grants)
    for at, event, amount, answer, available in rows:
        now = when(f"06-15 {at}")
        assert story.tell(event, amount, now) == answer, (at, event)
        assert story.books.available(now) == Credits.of(available), (at, event)
        story.books.check()


def test_a_lost_part_is_told_by_an_expiry_entry_at_the_end_of_its_hold() -> None:
    books = Books(*DYING)
    books.authorize(an_ask(90), at=NOON)

    books.settle(when("06-15 12:07"))

    lost = [entry for entry in books.entries if entry.kind is EntryKind.EXPIRY]
    assert [(entry.amount, entry.effective_time) for entry in lost] == [
        (-Credits.of(10), TWO_PAST),
        (-Credits.of(90), when("06-15 12:05")),
    ]
    assert {entry.create_time for entry in lost} == {when("06-15 12:07")}


def test_a_hold_and_its_grant_that_end_together_lose_everything_in_one_entry() -> None:
    books = Books(a_grant(100, end=when("06-15 12:05")))
    books.authorize(an_ask(90), at=NOON)

    books.settle(when("06-15 12:05"))

    assert [entry.amount for entry in books.entries if entry.kind is EntryKind.EXPIRY] == [-Credits.of(100)]


def test_a_capture_is_written_in_the_order_the_hold_was_drawn() -> None:
    books = Books(*HUNDREDS)
    books.authorize(an_ask(250, user="u1"), at=NOON)

    books.capture(HOLD, Credits.of(170), at=NOON + TICK)

    captures = [entry for entry in books.entries if entry.kind is EntryKind.CAPTURE]
    assert [(entry.grant_id, entry.amount) for entry in captures] == [
        ("grt_1", -Credits.of(100)),
        ("grt_2", -Credits.of(70)),
    ]
    usage = captures[0].usage
    assert usage is not None
    assert (usage.hold_id, usage.group_values) == (HOLD, {"user_id": "u1"})


def test_a_shortfall_is_an_entry_of_no_grant() -> None:
    books = Books(a_grant(100))
    books.authorize(an_ask(100), at=NOON)

    books.capture(HOLD, Credits.of(130), at=NOON + TICK)

    shortfall = books.entries[-1]
    assert (shortfall.kind, shortfall.grant_id) == (EntryKind.SHORTFALL, None)
    assert (shortfall.amount, shortfall.shortfall) == (Credits(0), Credits.of(30))
    assert books.stored.shortfall == Credits.of(30)


def test_a_capture_by_quantity_is_priced_as_the_hold_was() -> None:
    books = Books(a_grant(300))
    books.authorize(an_ask(units(10)), at=NOON)

    answer = books.capture(HOLD, units("2.5"), at=NOON + TICK)

    assert (answer.captured, answer.released) == (Credits.of(30), Credits.of(90))


def test_a_capture_draws_its_excess_only_from_grants_its_product_may_use() -> None:
    books = Books(a_grant(100), a_grant(100, grant_id="grt_images", only_for=[IMAGES]))
    books.authorize(an_ask(100), at=NOON)

    answer = books.capture(HOLD, Credits.of(101), at=NOON + TICK)

    assert (answer.captured, answer.shortfall, answer.available) == (
        Credits.of(100),
        Credits.of(1),
        Credits(0),
    )


def test_an_extension_is_released_before_what_was_held_first() -> None:
    books = Books(*HUNDREDS)
    books.authorize(an_ask(50), at=NOON)
    books.extend(HOLD, an_ask(100), at=NOON)

    books.capture(HOLD, Credits.of(60), at=NOON)

    assert books.rests(NOON) == {"grt_1": Credits.of(40), "grt_2": Credits.of(100), "grt_3": Credits.of(100)}


def test_a_captured_hold_remembers_what_it_came_to() -> None:
    books = Books(a_grant(100))
    books.authorize(an_ask(100), at=NOON)

    books.capture(HOLD, Credits.of(130), at=NOON + TICK)

    hold = books.hold(HOLD)
    assert (hold.state, hold.captured, hold.amount) == (HoldState.CAPTURED, Credits.of(100), Credits.of(100))


def test_a_spent_grant_that_nothing_adds_to_is_closed_and_has_no_expiry_entry() -> None:
    books = Books(a_grant(100, end=when("06-20")))

    books.debit(an_ask(100), at=NOON)
    books.settle(NOON, settles=True)

    assert books.stored.grants[GrantId("grt_1")].is_closed
    assert books.stored.next_due_time is None
    books.settle(when("06-20"), settles=True)
    assert [entry.kind for entry in books.entries] == [EntryKind.GRANT, EntryKind.CAPTURE]


@PROPERTY
@given(st.lists(st.integers(1, 100), max_size=6), st.data())
def test_a_split_captures_the_front_and_gives_back_the_end(amounts: list[int], data: st.DataObject) -> None:
    draws = tuple(Draw(GrantId(f"grt_{number}"), Credits(micros)) for number, micros in enumerate(amounts))
    captured_micros = data.draw(st.integers(0, sum(amounts)))

    split = split_draws(draws, Credits(captured_micros))

    assert sum(draw.amount.micros for draw in split.captured) == captured_micros
    assert sum(draw.amount.micros for draw in split.released) == sum(amounts) - captured_micros
    assert [draw.grant_id for draw in split.captured] == [
        draw.grant_id for draw in draws[: len(split.captured)]
    ]
    assert all(draw.amount for draw in (*split.captured, *split.released))
