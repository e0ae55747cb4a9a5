# SPDX-License-Identifier: Apache-2.0
"""Money for credits that the Ledger has voided: exact, and never more than the unspent part cost."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits, Money
from services.contract.domain.errors.top_ups import RefundExceedsPaid, RefundPending, TopUpNotPaid
from services.contract.domain.ids import CustomerId, RefundId, TopUpId
from services.contract.domain.invoice import Invoice
from services.contract.domain.refunds import (
    GrantCredits,
    RefundAnswer,
    RefundStatus,
    TopUpRefund,
    charged_by,
    refunded_so_far,
    refuse_unrefundable,
    returned,
    settled,
    to_void,
)
from services.contract.domain.top_up import PaymentGate, TopUpStatus
from services.ledger.domain.credits.refund import GrantRefunded
from services.ledger.domain.gate.hold import HoldId, HoldState
from tests.unit.contract.builders import JUNE
from tests.unit.contract.test_invoice_money import a_draft, a_line, usd
from tests.unit.contract.test_top_ups import a_top_up
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import a_grant, an_ask

EXTERNAL, NONE = PaymentGate.EXTERNAL, PaymentGate.NONE
PENDING, DUE, RETURNED = RefundStatus.PENDING, RefundStatus.DUE, RefundStatus.RETURNED
EIGHTY = a_draft(a_line(8_000))


def a_refund(asked: Money | None = None, *, number: int = 1, status: RefundStatus = PENDING) -> TopUpRefund:
    return TopUpRefund(
        refund_id=RefundId(f"rfd_{number}"),
        top_up_id=TopUpId("top_1"),
        customer_id=CustomerId("cus_1"),
        asked=asked,
        reason="by mistake",
        status=status,
        amount=usd(0),
        create_time=JUNE,
    )


def an_answer(*, spent: int = 0, held: int = 0, voided: int = 0, is_refused: bool = False) -> RefundAnswer:
    """Of 1,000 credits."""
    credits = GrantCredits(
        granted=Credits.of(1_000),
        spent=Credits.of(spent),
        held=Credits.of(held),
        expired=Credits(0),
        voided=Credits.of(voided),
    )
    return RefundAnswer(credits=credits, is_refused=is_refused, apply_time=JUNE)


def answered(refunded: GrantRefunded) -> RefundAnswer:
    """What Contract hears of the Ledger's answer."""
    return RefundAnswer(
        credits=GrantCredits(
            granted=refunded.granted,
            spent=refunded.spent,
            held=refunded.held,
            expired=refunded.expired,
            voided=refunded.voided,
        ),
        is_refused=refunded.is_refused,
        apply_time=refunded.apply_time,
    )


def test_the_unspent_part_of_the_price_comes_back() -> None:
    answer = an_answer(spent=250, held=50, voided=700)

    refund = settled(a_refund(), answer, EIGHTY, EXTERNAL, earlier=[a_refund()], notes=())

    assert (refund.status, refund.amount, refund.return_time) == (DUE, usd(5_600), None)


@pytest.mark.parametrize(("voided", "cents"), [(333, 999), (334, 1_002), (1, 3), (0, 0)])
def test_what_is_not_a_whole_cent_stays_until_more_is_voided(voided: int, cents: int) -> None:
    # 1,000 credits for $30.01: one is worth 3.001 cents.
    refund = settled(
        a_refund(), an_answer(voided=voided), a_draft(a_line(3_001)), EXTERNAL, earlier=(), notes=()
    )

    assert refund.amount == usd(cents)
    assert refund.status is (DUE if cents else RETURNED)


def test_taxes_come_back_in_proportion() -> None:
    with_tax = a_draft(a_line(8_000), a_line(1_600))

    refund = settled(a_refund(), an_answer(voided=500), with_tax, EXTERNAL, earlier=(), notes=())

    assert refund.amount == usd(4_800)


def test_without_a_gate_nothing_is_due() -> None:
    refund = settled(a_refund(), an_answer(voided=500), EIGHTY, NONE, earlier=(), notes=())

    assert (refund.status, refund.amount, refund.return_time) == (RETURNED, usd(4_000), JUNE)


def test_what_the_ledger_refuses_says_what_could_be_refunded() -> None:
    earlier = [replace(a_refund(status=RETURNED), amount=usd(800)), a_refund(usd(5_000), number=2)]
    answer = an_answer(spent=250, held=50, voided=100, is_refused=True)

    refund = settled(earlier[1], answer, EIGHTY, EXTERNAL, earlier=earlier, notes=())

    assert (refund.status, refund.amount, refund.refundable) == (RefundStatus.REFUSED, usd(0), usd(4_800))


@pytest.mark.parametrize("status", [one for one in TopUpStatus if one is not TopUpStatus.PAID])
def test_only_what_was_paid_is_refunded(status: TopUpStatus) -> None:
    with pytest.raises(TopUpNotPaid):
        refuse_unrefundable(a_top_up(status), EIGHTY, None, earlier=(), notes=())


def test_one_refund_at_a_time_waits_for_the_ledger() -> None:
    paid = a_top_up(TopUpStatus.PAID)

    with pytest.raises(RefundPending):
        refuse_unrefundable(paid, EIGHTY, None, earlier=[a_refund()], notes=())
    for status in set(RefundStatus) - {PENDING}:
        refuse_unrefundable(paid, EIGHTY, usd(8_000), earlier=[a_refund(status=status)], notes=())


def test_more_than_the_invoice_charges_is_refused() -> None:
    paid = a_top_up(TopUpStatus.PAID)

    refuse_unrefundable(paid, EIGHTY, usd(8_000), earlier=(), notes=())
    with pytest.raises(RefundExceedsPaid):
        refuse_unrefundable(paid, EIGHTY, usd(8_001), earlier=(), notes=())


def test_only_what_is_due_is_returned() -> None:
    for status in RefundStatus:
        after = returned(a_refund(status=status), at=JUNE)
        assert after.status is (RETURNED if status is DUE else status)


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["spend", "hold", "release", "capture", "part", "part", "all"]), st.integers(1, 400)
    ),
    max_size=25,
)


@given(price=st.integers(1, 20_000), moves=MOVES)
def test_money_back_is_never_more_than_the_unspent_share_of_the_price(
    price: int, moves: Sequence[tuple[str, int]]
) -> None:
    invoice = a_draft(a_line(price))
    books, refunds, holds = Books(a_grant(1_000)), list[TopUpRefund](), list[HoldId]()
    for move, number in moves:
        match move:
            case "spend":
                books.debit(an_ask(number), at=JUNE)
            case "hold":
                hold = books.authorize(an_ask(number), at=JUNE)
                holds += [] if hold.hold_id is None else [hold.hold_id]
            case "release" if holds:
                books.release(holds.pop(number % len(holds)), at=JUNE)
            case "capture" if holds:
                hold_id = holds.pop(number % len(holds))
                held = books.stored.holds[hold_id].amount.micros
                books.capture(hold_id, Credits(held * number // 400), at=JUNE)
            case "part" | "all":
                _refund(books, invoice, refunds, usd(number) if move == "part" else None)
        _assert_exact(books, invoice, refunds)
    for hold_id in holds:
        assert books.stored.holds[hold_id].state is HoldState.HELD
        books.release(hold_id, at=JUNE)
    _refund(books, invoice, refunds, None)
    _assert_exact(books, invoice, refunds)

    # In the end, exactly what was not spent has come back, rounded down once.
    [grant] = books.stored.grants.values()
    assert grant.rest == grant.held == Credits(0)
    unspent = Fraction(grant.granted.micros - grant.captured.micros, grant.granted.micros)
    assert refunded_so_far(refunds, "USD") == usd(int(price * unspent))
    books.check()


def _refund(books: Books, invoice: Invoice, refunds: list[TopUpRefund], asked: Money | None) -> None:
    """Refund as Contract and Ledger do; what exceeds the invoice is not asked for."""
    if asked is not None and refunded_so_far(refunds, "USD") + asked > charged_by(invoice):
        return
    refund = a_refund(asked, number=len(refunds) + 1)
    least = None if asked is None else to_void(invoice, Credits.of(1_000), asked, refunds)
    answer = answered(books.refund("grt_1", least, at=JUNE))
    after = settled(refund, answer, invoice, EXTERNAL, earlier=refunds, notes=())
    if after.status is RefundStatus.REFUSED:
        assert after.refundable is not None
        assert asked is not None
        assert after.refundable < asked
    elif asked is not None:
        assert after.amount == asked
    refunds.append(after)


def _assert_exact(books: Books, invoice: Invoice, refunds: Sequence[TopUpRefund]) -> None:
    [grant] = books.stored.grants.values()
    parts = (grant.captured, grant.held, grant.expired, grant.voided, grant.rest)
    assert sum(one.micros for one in parts) == grant.granted.micros
    money = refunded_so_far(refunds, "USD").micros
    assert money * grant.granted.micros <= charged_by(invoice).micros * grant.voided.micros
