# SPDX-License-Identifier: Apache-2.0
"""Corrections keep every sum exact: entries, meters, grants and spends agree after each, and none is negative."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.evolve import evolve
from meshkit.quantity import MICROS, Credits, Quantity, Ratio
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import Entry, EntryKind
from services.ledger.domain.credits.grant import GrantId, GrantVoid, expire_rest, void_rest
from services.ledger.domain.rating.metric import Aggregation, UniqueValue, measure
from services.ledger.domain.rating.price import FlatPrice, PackagePrice, Price
from services.ledger.domain.rating.tiers import GraduatedPrice, Tier
from services.ledger.domain.usage import corrections
from services.ledger.domain.usage.amendments import charge_more, replaced, replaces
from services.ledger.domain.usage.corrections import Removal
from services.ledger.domain.usage.event import EventLine, RecordEvent
from services.ledger.domain.usage.intake import Measured, charge
from services.ledger.domain.usage.pieces import Left, Piece, lefts_of, pieces_of
from services.ledger.domain.usage.returning import returns
from tests.unit.ledger.builders import (
    AI,
    ASSISTANT,
    JULY,
    JUNE,
    PROPERTY,
    TICK,
    a_grant,
    a_price,
    a_product,
    an_account,
    an_entitlement,
    when,
)

NOON = when("06-15 12:00")
FALLING = GraduatedPrice(
    (
        Tier(Quantity.of(10), Ratio(MICROS, MICROS)),
        Tier(Quantity.of(100), Ratio(MICROS, 2 * MICROS)),
        Tier(None, Ratio(MICROS, 4 * MICROS)),
    )
)
RISING = GraduatedPrice((Tier(Quantity.of(10), Ratio(MICROS, MICROS)), Tier(None, Ratio(5 * MICROS, MICROS))))
ONE_EACH = FlatPrice(Ratio(MICROS, MICROS))
PRICES: dict[str, Price] = {
    "flat": FlatPrice(Ratio(MICROS, 3 * MICROS)),
    "package": PackagePrice(Ratio(5 * MICROS, 10 * MICROS)),
    "falling": FALLING,
    "rising": RISING,
}


class Book:
    """One pool on one meter, in which events are charged and voided as the operations do it."""

    def __init__(
        self, account: Account, *, price: Price = FALLING, aggregation: Aggregation = Aggregation.SUM
    ) -> None:
        self.account = evolve(account, pays_late=True)
        self.product = a_product(aggregation=aggregation)
        self.price = price
        self.reported: dict[str, str] = {}

    def record(
        self, name: str, units: str, *, user: str = "ann", used: datetime = NOON, at: datetime = NOON
    ) -> EventLine:
        event, line = self.measured(name, units, user, used)
        charged = charge(self.account, event, line, at=at)
        assert isinstance(charged, tuple)
        self.account, result = charged
        self.reported[name] = units
        return result

    def measured(self, name: str, units: str, user: str, used: datetime) -> tuple[RecordEvent, Measured]:
        properties = {"units": units, "user_id": user}
        event = RecordEvent(
            transaction_id=name,
            fingerprint=b"",
            customer="acme",
            event_type="ai_call",
            timestamp=used,
            properties=properties,
        )
        line = Measured(
            product=self.product,
            entitlement=an_entitlement(price=self.price),
            amount=measure(self.product.metric, properties),
        )
        return event, line

    def amend(self, name: str, units: str, user: str) -> None:
        """Make an event report other units, or another user, as AmendUsage does."""
        piece = self.piece(name)
        event, line = self.measured(name, units, user, piece.first.effective_time)
        if not replaces(event, line, piece):
            self.void(name)
            charged = charge(self.account, event, line, at=NOON, correction_id="amend")
            assert isinstance(charged, tuple)
            self.account = charged[0]
        else:
            change = replaced(self.account, piece, self.removal(name, piece), line)
            assert isinstance(change, Removal)
            if change.credits >= Credits(0):
                self.take_back(piece, change)
            else:
                self.account, _ = charge_more(
                    self.account, self.product, piece, change, cause_id="amend", anchor=JUNE, at=NOON
                )
        self.reported[name] = units
        self.forget_unreported()

    def void(self, name: str, *, at: datetime = NOON) -> EventLine:
        piece = self.piece(name)
        line = self.take_back(piece, self.removal(name, piece), at=at)
        del self.reported[name]
        self.forget_unreported()
        return line

    def removal(self, name: str, piece: Piece) -> Removal:
        key, units = piece.usage.meter_key, self.reported[name]
        assert key is not None
        largest = value = None
        match self.product.metric.aggregation:
            case Aggregation.MAX:
                others = [int(one) * MICROS for other, one in self.reported.items() if other != name]
                largest = Quantity(max(others, default=0))
            case Aggregation.UNIQUE:
                value = (UniqueValue(units), self.account.values[key, UniqueValue(units)])
        return corrections.removal(piece, self.account.meters[key], largest=largest, value=value)

    def take_back(self, piece: Piece, removed: Removal, *, at: datetime = NOON) -> EventLine:
        returned = returns(removed.credits, piece, self.others(piece))
        drawn = [one for one in self.usage() if one.corrects is None and one.amount < Credits(0)]
        later = lefts_of(reversed(drawn), self.correcting(drawn), {})
        self.account, line = corrections.take_back(
            self.account,
            self.product,
            piece,
            removed,
            returned,
            later=later,
            cause_id="void",
            anchor=JUNE,
            at=at,
        )
        return line

    def forget_unreported(self) -> None:
        """Leave out values that no event reports any more, as the store does."""
        self.account = evolve(
            self.account, values={key: events for key, events in self.account.values.items() if events}
        )

    def piece(self, name: str) -> Piece:
        """Return what an event is now: the piece with its newest entry."""
        own = [one for one in self.usage() if one.usage and one.usage.transaction_id == name]
        entries = [one for one in own if one.corrects is None]
        pieces = pieces_of(entries, self.correcting(own), {})
        return next(one for one in pieces if entries[-1] in [left.entry for left in one.lefts])

    def others(self, piece: Piece) -> list[Left]:
        own = {left.entry.sequence for left in piece.lefts}
        entries = [one for one in self.usage() if one.corrects is None and one.sequence not in own]
        return lefts_of(reversed(entries), self.correcting(entries), {})

    def usage(self) -> list[Entry]:
        return [one for one in self.account.entries if one.usage is not None]

    def correcting(self, entries: list[Entry]) -> list[Entry]:
        corrected = {one.sequence for one in entries if one.corrects is None}
        return [one for one in self.account.entries if one.corrects in corrected]

    def spent(self) -> dict[str, int]:
        """Return the micro-credits that each user has spent in the usage period."""
        return {
            user: spend.period.spent.micros if spend.period else 0
            for (_, user), spend in self.account.spends.items()
        }

    def assert_adds_up(self) -> None:
        """Assert that grants, meter, shortfall and spends are the sums of entries, and none is negative."""
        by_user: Counter[str] = Counter()
        starts = {
            user: spend.period.start for (_, user), spend in self.account.spends.items() if spend.period
        }
        by_grant: Counter[str | None] = Counter()
        for one in self.usage():
            assert one.usage is not None
            user = one.usage.group_values["user_id"]
            if one.effective_time >= starts[user]:
                by_user[user] += one.cost.micros
            by_grant[one.grant_id] += one.cost.micros
        assert self.spent() == {user: by_user[user] for user in self.spent()}
        assert min(self.spent().values(), default=0) >= 0
        for grant_id, grant in self.account.grants.items():
            assert grant.captured.micros == by_grant[grant_id]
            assert min(grant.captured, grant.expired, grant.voided, grant.rest) >= Credits(0)
        assert self.account.shortfall.micros == by_grant[None] >= 0
        for meter in self.account.meters.values():
            assert meter.cost.micros == sum(one.cost.micros for one in self.usage())
            quantities = [one.usage.quantity.micros for one in self.usage() if one.usage]
            assert meter.position.micros == sum(quantities) >= 0
        assert [one.sequence for one in self.account.entries] == list(range(1, len(self.account.entries) + 1))


def a_pool(credits: int = 1_000) -> Account:
    return an_account(a_grant(credits))


def test_a_void_returns_the_difference_in_the_cost_of_the_meter() -> None:
    thousands = GraduatedPrice(
        (
            Tier(Quantity.of(1_000), Ratio(MICROS, MICROS)),
            Tier(Quantity.of(10_000), Ratio(MICROS, 2 * MICROS)),
            Tier(None, Ratio(MICROS, 4 * MICROS)),
        )
    )
    book = Book(a_pool(10_000), price=thousands)
    assert book.record("e1", "1000").credits == Credits.of(1_000)
    assert book.record("e2", "1000").credits == Credits.of(500)

    assert book.void("e1").credits == Credits.of(-500)
    book.assert_adds_up()


def test_max_10_then_15_and_voiding_the_10_returns_nothing() -> None:
    book = Book(a_pool(), price=FlatPrice(Ratio(MICROS, MICROS)), aggregation=Aggregation.MAX)
    book.record("ten", "10")
    book.record("fifteen", "15")

    assert (book.void("ten").quantity, book.void("fifteen").credits) == (Quantity(0), Credits.of(-15))
    book.assert_adds_up()


def test_own_draws_come_back_in_reverse_order_behind_the_shortfall() -> None:
    book = Book(
        an_account(a_grant(3, grant_id="grt_1"), a_grant(4, grant_id="grt_2", priority=2)), price=FALLING
    )
    book.record("e1", "10")
    written = len(book.account.entries)

    book.void("e1")

    assert [
        (one.kind, one.grant_id, one.amount, one.shortfall) for one in book.account.entries[written:]
    ] == [
        (EntryKind.CORRECTION, None, Credits(0), Credits.of(-3)),
        (EntryKind.CORRECTION, "grt_2", Credits.of(4), Credits(0)),
        (EntryKind.CORRECTION, "grt_1", Credits.of(3), Credits(0)),
    ]
    book.assert_adds_up()


def test_a_spend_falls_by_what_is_left_of_its_event_and_others_by_the_rest() -> None:
    book = Book(a_pool(), price=RISING)
    book.record("e1", "10", user="ann")
    book.record("e2", "2", user="bob")
    book.record("e3", "1", user="ann")

    book.void("e1")

    # The meter goes from 13 to 3 units: 25 - 3 = 22 come back, 10 of e1, 5 of e3, 7 of e2.
    assert book.spent() == {"ann": 0, "bob": 3 * MICROS}
    book.assert_adds_up()


def test_what_returns_to_an_expired_grant_expires_and_to_a_voided_one_is_voided() -> None:
    for kind in (EntryKind.EXPIRY, EntryKind.VOID):
        book = Book(an_account(a_grant(20, end=JULY)), price=FALLING)
        book.record("e1", "10")
        grant = book.account.grants[GrantId("grt_1")]
        void = GrantVoid(time=NOON + TICK, reason="", actor="")
        closed = expire_rest(grant) if kind is EntryKind.EXPIRY else void_rest(grant, void)
        book.account = book.account.with_changes(grants=[closed])

        book.void("e1", at=JULY if kind is EntryKind.EXPIRY else NOON + TICK)

        last = book.account.entries[-1]
        assert (last.kind, last.amount) == (kind, Credits.of(-10))
        assert book.account.grants[GrantId("grt_1")].rest == Credits(0)


def test_a_spent_grant_is_open_again_and_due_when_it_expires() -> None:
    book = Book(an_account(a_grant(10, end=JULY)), price=FALLING)
    book.record("e1", "10")
    assert book.account.grants[GrantId("grt_1")].is_closed

    book.void("e1")

    assert not book.account.grants[GrantId("grt_1")].is_closed
    assert book.account.next_due_time == JULY


def test_usage_that_was_given_in_credits_comes_back_in_full() -> None:
    book = Book(a_pool())
    book.record("e1", "10")
    piece = book.piece("e1")
    assert piece.usage == replace(piece.usage, product_id=ASSISTANT, quantity=Quantity.of(10))

    removed = corrections.removal(piece, None)

    assert (removed.quantity, removed.credits, removed.meter) == (Quantity(0), Credits.of(10), None)
    assert book.account.credit_type_id == AI
    assert a_price(FALLING).meter_key == piece.usage.meter_key


events = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["ann", "bob", "cid"]), st.integers(0, 30)), max_size=12
)


@PROPERTY
@given(
    st.sampled_from(sorted(PRICES)),
    st.sampled_from([Aggregation.SUM, Aggregation.COUNT, Aggregation.MAX, Aggregation.UNIQUE]),
    st.integers(0, 60),
    events,
    st.randoms(use_true_random=False),
)
def test_voiding_everything_amended_or_not_in_any_order_brings_everything_back_to_zero(
    price: str, aggregation: Aggregation, credits: int, reported: list[tuple[int, str, int]], random: Random
) -> None:
    grants = (a_grant(credits // 2, grant_id="grt_1"), a_grant(credits, grant_id="grt_2", priority=2))
    book = Book(an_account(*grants), price=PRICES[price], aggregation=aggregation)
    names: list[str] = []
    for number, (units, user, days) in enumerate(reported):
        book.record(f"e{number}", str(units), user=user, used=JUNE + timedelta(days=days % 20))
        names.append(f"e{number}")
        random.shuffle(names)
        if days % 3 == 0:
            book.void(names.pop())
        elif days % 3 == 1:
            book.amend(names[0], str(days), random.choice(["ann", "dan"]))
        book.assert_adds_up()

    random.shuffle(names)
    for name in names:
        book.void(name)
        book.assert_adds_up()

    assert set(book.spent().values()) <= {0}
    assert book.account.shortfall == Credits(0)
    assert all(grant.captured == Credits(0) for grant in book.account.grants.values())
    for meter in book.account.meters.values():
        assert (meter.position, meter.cost) == (Quantity(0), Credits(0))
        assert aggregation is not Aggregation.MAX or not meter.largest


@PROPERTY
@given(
    st.sampled_from(sorted(PRICES)),
    st.sampled_from([Aggregation.SUM, Aggregation.MAX, Aggregation.UNIQUE]),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8),
)
def test_amended_events_leave_the_meter_that_the_right_ones_would_have(
    price: str, aggregation: Aggregation, reported: list[tuple[int, int]]
) -> None:
    wrong, right = (Book(a_pool(50), price=PRICES[price], aggregation=aggregation) for _ in range(2))
    for number, (first, second) in enumerate(reported):
        wrong.record(f"e{number}", str(first))
        right.record(f"e{number}", str(second))

    for number, (_, second) in enumerate(reported):
        wrong.amend(f"e{number}", str(second), "ann")
        wrong.assert_adds_up()

    (meter,), (expected,) = wrong.account.meters.values(), right.account.meters.values()
    assert (meter.position, meter.cost) == (expected.position, expected.cost)
    assert wrong.spent() == right.spent()


def a_pool_with_top_up(**more: Any) -> Account:
    """Included credits of June, 100, and a top-up of 1,000 that burns after them; `more` overrides its fields."""
    top_up: dict[str, Any] = {"grant_id": "grt_2", "priority": 100, "paid": 50 * MICROS, "credits": 1_000}
    return an_account(a_grant(100, end=JULY), a_grant(**(top_up | more)))


def drawn(account: Account) -> tuple[int, int]:
    """Return what was drawn of the included credits, and of the top-up."""
    first, second = account.grants[GrantId("grt_1")], account.grants[GrantId("grt_2")]
    return first.captured.micros // MICROS, second.captured.micros // MICROS


def end_june(book: Book) -> None:
    """Close what ends with June, as settlement does."""
    ended = [grant for grant in book.account.grants.values() if grant.is_over(JULY)]
    book.account = book.account.with_changes(grants=[expire_rest(grant) for grant in ended])


def test_what_returns_to_an_expired_grant_pays_instead_of_what_was_bought() -> None:
    """Golden: of 80 credits that return to June's included ones, 70 replace the top-up's later draws; 10 expire."""
    book = Book(a_pool_with_top_up(), price=ONE_EACH)
    book.record("e1", "80")
    book.record("e2", "60")
    book.record("e3", "30", user="bob")
    assert drawn(book.account) == (100, 70)
    end_june(book)
    before = book.account.sequence

    line = book.void("e1", at=JULY)

    assert line.credits == Credits.of(-80)
    assert drawn(book.account) == (90, 0)
    assert [
        (one.kind, one.grant_id, one.amount.micros // MICROS, one.usage and one.usage.transaction_id)
        for one in book.account.entries
        if one.sequence > before
    ] == [
        (EntryKind.CORRECTION, "grt_1", 80, "e1"),
        (EntryKind.CORRECTION, "grt_2", 30, "e3"),  # the latest first
        (EntryKind.CORRECTION, "grt_1", -30, "e3"),
        (EntryKind.CORRECTION, "grt_2", 40, "e2"),
        (EntryKind.CORRECTION, "grt_1", -40, "e2"),
        (EntryKind.EXPIRY, "grt_1", -10, None),
    ]
    book.assert_adds_up()

    for name in ("e2", "e3"):
        book.void(name, at=JULY)
        book.assert_adds_up()
    assert drawn(book.account) == (0, 0)


@pytest.mark.parametrize(
    ("top_up", "used"),
    [({}, JULY), ({"end": JULY}, NOON), ({"priority": 0, "credits": 20}, NOON)],
    ids=["of usage after the expiry", "on a later grant that has ended too", "on a grant that burns before"],
)
def test_other_draws_stay_when_credits_return_to_an_expired_grant(
    top_up: dict[str, Any], used: datetime
) -> None:
    book = Book(a_pool_with_top_up(**top_up), price=ONE_EACH)
    if "priority" in top_up:
        book.record("e2", "20")
    book.record("e1", "100")
    if "priority" not in top_up:
        if used == JULY:
            end_june(book)
        book.record("e2", "20", used=used, at=used)
    end_june(book)
    assert drawn(book.account) == (100, 20)

    book.void("e1", at=JULY)

    assert drawn(book.account) == (0, 20)
    assert book.account.grants[GrantId("grt_1")].expired == Credits.of(100)
    book.assert_adds_up()
