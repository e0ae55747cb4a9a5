# SPDX-License-Identifier: Apache-2.0
"""The gate's decisions as tables, and the order in which it looks for reasons to deny."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from meshkit.errors import InvalidFields
from meshkit.quantity import INT64_MAX, Credits, Quantity, Ratio
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.grant import Grant
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.decision import CREDITS_MAX, Amount, Ask, DenialReason
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.spend_cap import SpendCap
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    ASSISTANT,
    IMAGES,
    JULY,
    JUNE,
    TICK,
    a_cap,
    a_grant,
    an_account,
    an_ask,
    units,
    when,
)

HOLD = HoldId("hld_1")
NOON = when("06-15 12:00")
FREE = Ratio(0, 1_000_000)
SPENT = DenialReason.INSUFFICIENT_CREDITS
CAPPED = DenialReason.SPEND_CAP_REACHED
LIFE = timedelta(minutes=5)

OPEN = (a_grant(100),)
SCOPED = (
    a_grant(100, only_for=[ASSISTANT]),
    a_grant(50, grant_id="grt_any"),
    a_grant(1_000, grant_id="grt_images", only_for=[IMAGES]),
)
AHEAD = (a_grant(100, end=NOON), a_grant(50, grant_id="grt_ahead", start=NOON + TICK))

# Each row: the grants, the ask, then the reason, what is available after the answer, and what is affordable.
ASKS: list[tuple[str, tuple[Grant, ...], Ask, DenialReason | None, int, int]] = [
    ("one less than there is", OPEN, an_ask(99), None, 1, 1),
    ("all there is", OPEN, an_ask(100), None, 0, 0),
    ("one more than there is", OPEN, an_ask(101), SPENT, 100, 100),
    ("a micro more than there is", OPEN, an_ask(Credits(100_000_001)), SPENT, 100, 100),
    ("anything of nothing", (), an_ask(Credits(1)), SPENT, 0, 0),
    ("a quantity that fits", OPEN, an_ask(units(8)), None, 4, 4),
    ("a quantity that does not", OPEN, an_ask(units(9)), SPENT, 100, 100),
    ("a free product with nothing", (), an_ask(units(9), price=FREE), None, 0, 0),
    ("a free product by its most", OPEN, an_ask(Quantity(INT64_MAX), price=FREE), None, 100, 100),
    ("from its own and from any", SCOPED, an_ask(150), None, 0, 0),
    ("from those of another product", SCOPED, an_ask(151), SPENT, 150, 150),
    ("of a grant dead now, or yet to come", AHEAD, an_ask(Credits(1)), SPENT, 0, 0),
]

# Each row: caps, asks made before by whom, the ask, then the reason and what is affordable after the answer.
ANN_100 = a_cap(100, user="ann")
ALL_50 = a_cap(50, spend_cap_id="cap_all")
TEAM_70 = a_cap(70, key="team", spend_cap_id="cap_team")
CAPS: list[tuple[str, tuple[SpendCap, ...], Mapping[str, int], Ask, DenialReason | None, int]] = [
    ("one less than the cap", (ANN_100,), {}, an_ask(99, user="ann"), None, 1),
    ("the cap itself", (ANN_100,), {}, an_ask(100, user="ann"), None, 0),
    ("one more than the cap", (ANN_100,), {}, an_ask(101, user="ann"), CAPPED, 100),
    ("what is left of the cap", (ANN_100,), {"ann": 90}, an_ask(10, user="ann"), None, 0),
    ("more than is left of the cap", (ANN_100,), {"ann": 90}, an_ask(11, user="ann"), CAPPED, 10),
    ("another user's", (ANN_100,), {"ann": 90}, an_ask(400, user="bob"), None, 510),
    ("nobody's", (ANN_100,), {"ann": 90}, an_ask(400), None, 510),
    ("under the cap of every user", (ALL_50,), {}, an_ask(50, user="bob"), None, 0),
    ("over the cap of every user", (ALL_50,), {}, an_ask(51, user="bob"), CAPPED, 50),
    ("his own cap before every user's", (ALL_50, ANN_100), {}, an_ask(100, user="ann"), None, 0),
    ("in whatever order they are set", (ANN_100, ALL_50), {}, an_ask(100, user="ann"), None, 0),
    ("his own cap, if narrower", (a_cap(5, user="ann"), ALL_50), {}, an_ask(6, user="ann"), CAPPED, 5),
    (
        "the tightest of several keys",
        (ANN_100, TEAM_70),
        {"ann": 20},
        an_ask(71, user="ann", more={"team": "red"}),
        CAPPED,
        70,
    ),
    (
        "within all of several keys",
        (ANN_100, TEAM_70),
        {"ann": 20},
        an_ask(70, user="ann", more={"team": "red"}),
        None,
        0,
    ),
    ("a cap of nothing", (a_cap(0, user="ann"),), {}, an_ask(Credits(1), user="ann"), CAPPED, 0),
    (
        "a free product under it",
        (a_cap(0, user="ann"),),
        {},
        an_ask(units(3), user="ann", price=FREE),
        None,
        0,
    ),
    ("the cap, not credits, when both lack", (ANN_100,), {}, an_ask(5_000, user="ann"), CAPPED, 100),
    ("credits, when the cap would do", (a_cap(9_000),), {}, an_ask(5_000, user="ann"), SPENT, 1_000),
]


@pytest.mark.parametrize(
    ("grants", "ask", "reason", "available", "affordable"),
    [row[1:] for row in ASKS],
    ids=[row[0] for row in ASKS],
)
def test_an_ask_is_judged_by_the_credits_its_product_may_use(
    grants: tuple[Grant, ...], ask: Ask, reason: DenialReason | None, available: int, affordable: int
) -> None:
    account = an_account(*grants)

    held, answer = gate.authorize(
        account, ask, hold_id=HOLD, expire_time=NOON + LIFE, allows_part=False, at=NOON
    )
    spent, debited = gate.debit(account, ask, cause_id="req-1", at=NOON)

    assert (answer.reason, answer.available, answer.affordable) == (
        reason,
        Credits.of(available),
        Credits.of(affordable),
    )
    assert (debited.reason, debited.available, debited.affordable) == (
        reason,
        Credits.of(available),
        Credits.of(affordable),
    )
    if reason is not None:
        assert (held, spent) == (account, account)


@pytest.mark.parametrize(
    ("caps", "before", "ask", "reason", "affordable"), [row[1:] for row in CAPS], ids=[row[0] for row in CAPS]
)
def test_an_ask_is_judged_by_the_caps_of_those_it_is_for(
    caps: tuple[SpendCap, ...],
    before: Mapping[str, int],
    ask: Ask,
    reason: DenialReason | None,
    affordable: int,
) -> None:
    books = Books(a_grant(1_000))
    for cap in caps:
        books.set_cap(cap)
    for user, amount in before.items():
        books.debit(an_ask(amount, user=user), at=NOON)

    answer = books.authorize(ask, at=NOON)

    assert (answer.reason, answer.affordable) == (reason, Credits.of(affordable))
    books.check()


def test_what_is_held_counts_towards_a_cap_until_it_ends() -> None:
    books = Books(a_grant(1_000))
    books.set_cap(ANN_100)
    books.authorize(an_ask(60, user="ann"), at=NOON)

    denied = books.authorize(an_ask(41, user="ann"), at=NOON + LIFE - TICK)
    allowed = books.authorize(an_ask(100, user="ann"), at=NOON + LIFE)

    assert (denied.reason, denied.affordable) == (CAPPED, Credits.of(40))
    assert allowed.reason is None


def test_usage_beyond_a_cap_is_captured_all_the_same_and_counts() -> None:
    books = Books(a_grant(1_000))
    books.set_cap(ANN_100)
    books.authorize(an_ask(100, user="ann"), at=NOON)

    captured = books.capture(HOLD, Credits.of(250), at=NOON)
    denied = books.authorize(an_ask(Credits(1), user="ann"), at=NOON)

    assert captured.captured == Credits.of(250)
    assert (denied.reason, denied.affordable) == (CAPPED, Credits(0))


def test_a_shortfall_counts_towards_a_cap_for_it_was_used() -> None:
    books = Books(a_grant(50))
    books.set_cap(ANN_100)
    books.authorize(an_ask(50, user="ann"), at=NOON)
    books.capture(HOLD, Credits.of(100), at=NOON)
    books.issue(a_grant(1_000, grant_id="grt_2"), at=NOON)

    denied = books.authorize(an_ask(Credits(1), user="ann"), at=NOON)

    assert denied.reason is CAPPED


# Each row: what is asked for of 100 credits at 12 a unit, then the reason, and the credits and units held.
PARTS: list[tuple[str, Amount, DenialReason | None, Credits, Quantity]] = [
    ("all of it if that is affordable", Credits.of(99), None, Credits.of(99), Quantity(0)),
    ("the credits there are", Credits.of(101), None, Credits.of(100), Quantity(0)),
    ("the units they buy", units(9), None, Credits(99_999_996), Quantity(8_333_333)),
    ("whole units if they fit", units(8), None, Credits.of(96), units(8)),
]


@pytest.mark.parametrize(
    ("amount", "reason", "held", "quantity"), [row[1:] for row in PARTS], ids=[row[0] for row in PARTS]
)
def test_a_caller_who_allows_parts_gets(
    amount: Amount, reason: DenialReason | None, held: Credits, quantity: Quantity
) -> None:
    books = Books(a_grant(100))

    answer = books.authorize(an_ask(amount), allows_part=True, at=NOON)

    assert (answer.reason, answer.held, answer.held_quantity) == (reason, held, quantity)
    assert books.available(NOON) == Credits.of(100) - held
    books.check()


def test_a_part_is_what_the_cap_leaves_if_that_is_less() -> None:
    books = Books(a_grant(100))
    books.set_cap(a_cap(30))

    answer = books.authorize(an_ask(101, user="ann"), allows_part=True, at=NOON)

    assert (answer.reason, answer.held) == (None, Credits.of(30))


@pytest.mark.parametrize(
    "grants", [(), (a_grant("0.000011"),)], ids=["no credits", "too few for a micro-unit"]
)
def test_no_part_at_all_is_denied(grants: tuple[Grant, ...]) -> None:
    books = Books(*grants)

    answer = books.authorize(an_ask(units(1)), allows_part=True, at=NOON)

    assert (answer.reason, answer.hold_id) == (SPENT, None)
    assert not books.stored.holds


def test_a_denial_tells_the_quantity_that_would_be_allowed() -> None:
    books = Books(a_grant(100))

    denied = books.authorize(an_ask(units(9)), at=NOON)
    allowed = books.authorize(an_ask(denied.affordable_quantity), at=NOON)

    assert denied.affordable_quantity == Quantity(8_333_333)
    assert allowed.reason is None


def test_a_free_hold_reserves_nothing_and_is_captured_for_nothing() -> None:
    books = Books(a_grant(100))

    held = books.authorize(an_ask(units(5), price=FREE), at=NOON)
    captured = books.capture(HOLD, units(7), at=NOON)

    assert (held.held, held.held_quantity, held.affordable_quantity) == (
        Credits(0),
        units(5),
        Quantity(INT64_MAX),
    )
    assert (captured.captured, captured.shortfall) == (Credits(0), Credits(0))
    assert books.available(NOON) == Credits.of(100)


def test_an_extension_is_judged_by_caps_too() -> None:
    books = Books(a_grant(1_000))
    books.set_cap(ANN_100)
    books.authorize(an_ask(60, user="ann"), at=NOON)

    denied = books.extend(HOLD, an_ask(41, user="ann"), at=NOON)
    allowed = books.extend(HOLD, an_ask(40, user="ann"), at=NOON)

    assert (denied.reason, denied.held, denied.affordable) == (CAPPED, Credits.of(60), Credits.of(40))
    assert (allowed.reason, allowed.held, allowed.affordable) == (None, Credits.of(100), Credits(0))
    books.check()


def test_a_lengthened_hold_is_told_what_credits_and_caps_would_allow_on_top() -> None:
    books = Books(a_grant(1_000))
    books.set_cap(ANN_100)
    books.authorize(an_ask(60, user="ann"), at=NOON)

    extended = books.extend(HOLD, expire_time=NOON + 2 * LIFE, at=NOON)

    assert (extended.available, extended.affordable) == (Credits.of(940), Credits.of(40))


def test_a_denied_extension_lengthens_nothing() -> None:
    books = Books(a_grant(100))
    books.authorize(an_ask(60), at=NOON)

    denied = books.extend(HOLD, an_ask(41), expire_time=NOON + 2 * LIFE, at=NOON)

    assert (denied.reason, denied.expire_time) == (SPENT, NOON + LIFE)
    assert books.hold(HOLD).expire_time == NOON + LIFE


def test_an_extension_is_priced_as_the_hold_was() -> None:
    books = Books(a_grant(100))
    books.authorize(an_ask(units(1)), at=NOON)

    extended = books.extend(HOLD, an_ask(units(1), price=Ratio(50, 1)), at=NOON)

    assert extended.held == Credits.of(24)


def test_an_ask_beyond_all_measure_is_a_fault_not_a_denial() -> None:
    account = an_account(a_grant(100))
    one_for_one = Ratio(1, 1)
    most = Quantity(CREDITS_MAX.micros)

    _, answer = gate.debit(account, an_ask(most, price=one_for_one), cause_id="req-1", at=NOON)

    assert answer.reason is SPENT
    with pytest.raises(InvalidFields, match="more than a billion credits"):
        gate.debit(account, an_ask(most + Quantity(1), price=one_for_one), cause_id="req-1", at=NOON)


def test_the_first_microsecond_of_the_month_has_its_credits_and_the_one_before_has_not() -> None:
    books = Books(a_grant(100, end=JULY), a_grant(30, grant_id="grt_july", start=JULY))

    assert books.available(JULY - TICK) == Credits.of(100)
    assert books.available(JULY) == Credits.of(30)
    assert books.debit(an_ask(31), at=JULY).reason is SPENT
    assert books.debit(an_ask(30), at=JULY).reason is None
    books.check()


def test_the_next_hold_out_of_a_pool_does_not_move_what_is_due_first() -> None:
    books = Books(a_grant(100, end=JULY))

    books.authorize(an_ask(1), at=NOON)
    books.authorize(an_ask(1), ttl=2 * LIFE, at=NOON)
    assert books.stored.next_due_time == NOON + LIFE

    books.settle(NOON + LIFE)
    assert books.stored.next_due_time == NOON + 2 * LIFE

    books.settle(NOON + 2 * LIFE)
    assert books.stored.next_due_time == JULY


def test_a_pool_without_an_end_is_never_due() -> None:
    books = Books(a_grant(100, start=JUNE))

    books.debit(an_ask(10), at=NOON)

    assert books.stored.next_due_time is None


def test_a_debit_overtaken_at_midnight_is_dated_where_it_counts() -> None:
    midnight = when("06-16")
    books = Books(a_grant(100))
    books.debit(an_ask(10, user="ann"), at=midnight)

    books.debit(an_ask(10, user="ann"), at=midnight - TICK)
    books.debit(an_ask(10, user="bob"), at=midnight - TICK)

    captures = [entry for entry in books.entries if entry.kind is EntryKind.CAPTURE]
    assert [entry.effective_time for entry in captures] == [midnight, midnight, midnight - TICK]
