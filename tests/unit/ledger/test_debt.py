# SPDX-License-Identifier: Apache-2.0
"""Debt: what is spent of credits whose money went back is owed, until it returns or other bought credits pay for it."""

from datetime import timedelta
from fractions import Fraction
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from meshkit.quantity import Credits
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.grant import Grant, GrantId
from services.ledger.domain.gate.hold import HoldId
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import JUNE, TICK, a_balance_watch, a_grant, an_ask, when

NOON: Final = when("06-15 12:00")
HOLD: Final = HoldId("hld_1")
DOLLAR: Final = 1_000_000


def bought(credits: int | str, dollars: int, name: str = "grt_1", **more: object) -> Grant:
    return a_grant(credits, grant_id=name, paid=dollars * DOLLAR, **more)  # type: ignore[arg-type]


def spent(credits: int) -> Books:
    """1,000 credits for $80, of which some are spent."""
    books = Books(bought(1_000, 80))
    if credits:
        books.debit(an_ask(credits), at=NOON)
    return books


def owed(books: Books) -> list[tuple[str, Credits, int]]:
    return [(one.grant.grant_id, one.owed, one.money_micros) for one in books.debts()]


def test_golden_what_was_spent_is_owed_and_the_next_pack_pays_it_at_its_own_price() -> None:
    books = spent(600)

    assert books.chargeback("grt_1", at=NOON, of="rfd_1") == Credits.of(600)
    assert owed(books) == [("grt_1", Credits.of(600), 48 * DOLLAR)]
    assert books.stored.grants[GrantId("grt_1")].voided == Credits.of(400)
    books.buy(bought(1_000, 100, "grt_2"), at=NOON + TICK)

    assert (owed(books), books.available(NOON + TICK)) == ([], Credits.of(520))
    void = books.entries[-1]
    assert (void.kind, void.grant_id, void.amount) == (EntryKind.VOID, "grt_2", Credits.of(-480))
    assert void.cause_id == "grt_1"
    books.check()


# A pack that pays all of it to the last credit, and one that leaves a micro-credit of debt.
@pytest.mark.parametrize(
    ("pack", "left", "still_owed"),
    [("480.00001", Credits(10), []), ("480", Credits(0), []), ("479.99999", Credits(0), [Credits(12)])],
)
def test_a_pack_pays_as_far_as_it_goes(pack: str, left: Credits, still_owed: list[Credits]) -> None:
    books = spent(600)
    books.chargeback("grt_1", at=NOON, of="rfd_1")
    # $0.10 a credit.
    grant = a_grant(pack, grant_id="grt_2", paid=Credits.of(pack).micros // 10)

    books.buy(grant, at=NOON + TICK)

    assert books.available(NOON + TICK) == left
    # 10 micro-credits less leave 12.5 micro-credits owed: in the customer's favour, 12.
    assert [one[1] for one in owed(books)] == still_owed
    books.check()


def test_a_part_takes_the_unspent_credits_first() -> None:
    books = spent(600)

    assert books.chargeback("grt_1", Credits.of(400), at=NOON, of="rfd_1") == Credits(0)
    assert books.chargeback("grt_1", Credits.of(401), at=NOON, of="rfd_2") == Credits.of(1)
    assert books.chargeback("grt_1", Credits.of(1_000), at=NOON, of="rfd_3") == Credits.of(600)

    assert books.available(NOON) == Credits(0)
    books.check()


def test_what_returns_is_voided_as_far_as_it_is_owed_and_not_further() -> None:
    books = spent(500)
    books.authorize(an_ask(100), at=NOON)
    books.chargeback("grt_1", at=NOON, of="rfd_1")
    # $44.00 of the $48.00 that are owed.
    books.buy(bought(440, 44, "grt_2"), at=NOON + TICK)
    assert owed(books) == [("grt_1", Credits.of(50), 4 * DOLLAR)]

    books.release(HOLD, at=NOON + 2 * TICK)

    assert (owed(books), books.available(NOON + 2 * TICK)) == ([], Credits.of(50))
    books.check()


def test_what_returns_after_the_debt_is_paid_can_be_drawn_again() -> None:
    books = spent(500)
    books.authorize(an_ask(100), at=NOON)
    books.chargeback("grt_1", at=NOON, of="rfd_1")
    books.buy(bought(1_000, 100, "grt_2"), at=NOON + TICK)
    assert books.available(NOON + TICK) == Credits.of(520)

    books.release(HOLD, at=NOON + 2 * TICK)

    assert books.rests(NOON + 2 * TICK) == {"grt_1": Credits.of(100), "grt_2": Credits.of(520)}
    books.check()


def test_what_returns_to_an_expired_grant_pays_the_debt_first() -> None:
    end = NOON + timedelta(minutes=1)
    books = Books(bought(1_000, 80, end=end))
    books.authorize(an_ask(600), at=NOON)
    books.settle(end)
    assert books.chargeback("grt_1", Credits.of(500), at=end, of="rfd_1") == Credits.of(500)

    books.release(HOLD, at=end + TICK)

    grant = books.stored.grants[GrantId("grt_1")]
    assert (grant.voided, grant.expired, grant.owed) == (Credits.of(500), Credits.of(500), Credits(0))
    books.check()


def test_only_bought_grants_of_later_pay_and_no_pool_is_negative() -> None:
    books = spent(600)
    books.issue(a_grant(50, grant_id="grt_2"), at=NOON)
    books.chargeback("grt_1", at=NOON, of="rfd_1")
    books.issue(a_grant(70, grant_id="grt_3"), at=NOON)
    books.buy(bought(10, 0, "grt_4"), at=NOON)

    assert books.available(NOON) == Credits.of(130)
    assert owed(books) == [("grt_1", Credits.of(600), 48 * DOLLAR)]


def test_the_oldest_debt_is_paid_first() -> None:
    books = Books(bought(100, 10), bought(100, 20, "grt_2"))
    books.debit(an_ask(200), at=NOON)
    books.chargeback("grt_2", at=NOON, of="rfd_1")
    books.chargeback("grt_1", at=NOON, of="rfd_2")

    books.buy(bought(100, 25, "grt_3"), at=NOON)

    assert owed(books) == [("grt_1", Credits.of(50), 5 * DOLLAR)]


def test_a_refund_of_a_grant_that_has_paid_a_debt_does_not_return_that_money() -> None:
    books = spent(600)
    books.chargeback("grt_1", at=NOON, of="rfd_1")
    books.buy(bought(1_000, 100, "grt_2"), at=NOON)

    refunded = books.refund("grt_2", at=NOON)
    assert (refunded.spent, refunded.voided) == (Credits.of(480), Credits.of(520))
    # All of its money: what paid for the first pack's use is owed again, in the second pack's credits.
    assert books.chargeback("grt_2", at=NOON, of="rfd_2") == Credits.of(480)
    assert owed(books) == [("grt_2", Credits.of(480), 48 * DOLLAR)]
    books.check()


def test_a_part_that_was_paid_for_again_is_not_taken_twice() -> None:
    books = spent(600)
    books.chargeback("grt_1", Credits.of(700), at=NOON, of="rfd_1")
    books.buy(bought(1_000, 100, "grt_2"), at=NOON)

    refunded = books.refund("grt_1", Credits.of(700), at=NOON)
    assert (refunded.spent, refunded.voided, refunded.is_refused) == (Credits.of(300), Credits.of(700), False)
    assert books.refund("grt_1", Credits.of(701), at=NOON).is_refused
    assert books.chargeback("grt_1", Credits.of(701), at=NOON, of="rfd_2") == Credits.of(1)
    books.check()


def test_golden_a_dispute_that_is_won_gives_back_what_was_voided_and_taken() -> None:
    books = Books(bought(1_000, 80, end=when("07-15 12:00")))
    books.debit(an_ask(600), at=NOON)
    books.chargeback("grt_1", at=when("06-20"), of="rfd_1")
    books.buy(bought(1_000, 100, "grt_2"), at=when("06-21"))

    books.reverse("grt_1", of="rfd_1", new="grt_3", at=when("08-01"))

    back = books.stored.grants[GrantId("grt_3")]
    assert (back.granted, back.cost_basis_micros, back.source_id) == (Credits.of(880), 80 * DOLLAR, "rfd_1")
    # It had 25.5 days left, and gets at least 30.
    assert back.expire_time == when("08-31")
    assert books.available(when("08-01")) == Credits.of(520 + 880)
    assert owed(books) == []
    books.check()


def test_a_dispute_that_is_won_cancels_what_is_owed_first() -> None:
    books = spent(600)
    books.chargeback("grt_1", at=NOON, of="rfd_1")
    books.buy(bought(100, 10, "grt_2"), at=NOON)

    books.reverse("grt_1", of="rfd_1", new="grt_3", at=NOON)

    # 400 were voided, and all of the 100 were taken.
    assert (owed(books), books.available(NOON)) == ([], Credits.of(500))
    assert books.stored.grants[GrantId("grt_3")].cost_basis_micros == 42 * DOLLAR
    # What was granted anew is not refundable of the old grant.
    assert books.refund("grt_1", at=NOON).voided == Credits(0)
    books.check()


def test_of_two_disputes_one_that_is_won_leaves_the_other() -> None:
    books = spent(600)
    books.chargeback("grt_1", Credits.of(300), at=NOON, of="rfd_1")
    books.chargeback("grt_1", Credits.of(1_000), at=NOON, of="rfd_2")

    books.reverse("grt_1", of="rfd_2", new="grt_2", at=NOON)
    assert (owed(books), books.available(NOON)) == ([], Credits.of(100))
    books.reverse("grt_1", of="rfd_1", new="grt_3", at=NOON)

    assert books.available(NOON) == Credits.of(400)
    books.check()


def test_paying_a_debt_is_no_change_of_the_balance_but_one() -> None:
    books = spent(600)
    books.tell_watch(a_balance_watch(600), at=NOON)
    books.chargeback("grt_1", at=NOON, of="rfd_1")
    assert [one.in_alarm for one in books.crossings] == [True]

    books.buy(bought(1_000, 100, "grt_2"), at=NOON)

    assert [one.in_alarm for one in books.crossings] == [True]


MOMENTS: Final = st.integers(1, 10**6)


class Law(RuleBasedStateMachine):
    """Money kept + debt = what was used or can still be, at the price of the credits, whatever happens.

    Each recovery and each grant of a reversal is rounded by less than a micro-credit, in the customer's favour.
    """

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.at = JUNE
        self.paid = Fraction(0)
        self.bought: list[GrantId] = []
        self.refunds: dict[str, tuple[GrantId, Fraction]] = {}
        self.open_holds: list[HoldId] = []
        self.roundings = Fraction(0)
        self.numbers = 0

    def number(self) -> int:
        self.at += TICK
        self.numbers += 1
        return self.numbers

    @rule(credits=st.integers(1, 2_000), cents=st.integers(1, 20_000))
    def buy(self, credits: int, cents: int) -> None:
        grant = a_grant(credits, grant_id=f"grt_{self.number()}", paid=cents * 10_000, start=self.at)
        before = len(self.books.debt_entries)
        prices = {one.grant.grant_id: price(one.grant) for one in self.books.debts()}
        self.books.buy(grant, at=self.at)
        for entry in self.books.debt_entries[before:]:
            self.roundings += max(price(grant), prices[entry.grant_id])
        self.bought.append(grant.grant_id)
        self.paid += cents * 10_000

    @rule(credits=st.integers(1, 1_500))
    def use(self, credits: int) -> None:
        self.number()
        self.books.debit(an_ask(min(credits, available(self))), at=self.at) if available(self) else None

    @rule(credits=st.integers(1, 1_500))
    def hold(self, credits: int) -> None:
        self.number()
        if available(self):
            asked = self.books.authorize(
                an_ask(min(credits, available(self))), at=self.at, ttl=timedelta(days=1)
            )
            assert asked.hold_id is not None
            self.open_holds.append(asked.hold_id)

    @precondition(lambda self: self.open_holds)
    @rule(n=MOMENTS)
    def release(self, n: int) -> None:
        self.number()
        self.books.release(self.open_holds.pop(n % len(self.open_holds)), at=self.at)

    @precondition(lambda self: self.bought)
    @rule(n=MOMENTS, share=st.fractions(0, 1))
    def dispute(self, n: int, share: Fraction) -> None:
        """Some of the money of a grant that has not gone back yet does."""
        refund_id = f"rfd_{self.number()}"
        grant_id = self.bought[n % len(self.bought)]
        grant = self.books.stored.grants[grant_id]
        gone = sum(
            (entry.refunded.micros for entry in self.books.debt_entries if entry.grant_id == grant_id), 0
        )
        more = int((grant.granted.micros - gone) * share)
        given_back = sum(
            entry.given_back.micros for entry in self.books.debt_entries if entry.grant_id == grant_id
        )
        self.books.chargeback(grant_id, Credits(gone + more), at=self.at, of=refund_id)
        entry = self.books.debt_entries[-1]
        assert entry.refunded == Credits(more), given_back
        money = entry.refunded.micros * price(grant)
        self.paid -= money
        self.refunds[refund_id] = (grant_id, money)

    @precondition(lambda self: self.refunds)
    @rule(n=MOMENTS)
    def win(self, n: int) -> None:
        refund_id = sorted(self.refunds)[n % len(self.refunds)]
        grant_id, money = self.refunds.pop(refund_id)
        new = f"grt_{self.number()}"
        self.books.reverse(grant_id, of=refund_id, new=new, at=self.at)
        self.paid += money
        given = self.books.stored.grants.get(GrantId(new))
        # Its cost basis is less than a micro lower, and the part of what was taken is less than a micro-credit higher.
        self.roundings += 1 + (0 if given is None else price(given))

    @invariant()
    def adds_up(self) -> None:
        grants = self.books.stored.grants.values()
        own = sum((price(one) * (one.granted - one.voided).micros for one in grants), start=Fraction(0))
        debt = sum((price(one.grant) * one.owed.micros for one in self.books.debts()), start=Fraction(0))
        assert 0 <= own - (self.paid + debt) + self.roundings <= 2 * self.roundings
        self.books.check()
        assert all(one.rest >= Credits(0) for one in grants)


def price(grant: Grant) -> Fraction:
    return Fraction(grant.cost_basis_micros, grant.granted.micros)


def available(law: Law) -> int:
    return law.books.available(law.at).micros // 10**6


TestLaw = Law.TestCase
TestLaw.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
