# SPDX-License-Identifier: Apache-2.0
"""Money that goes back whatever was spent: what becomes of refunds and disputes, and what is not known yet."""

from dataclasses import replace
from datetime import timedelta

import pytest

from meshkit.quantity import Credits, Money
from services.contract.domain.errors.top_ups import DisputeClosed, RefundExceedsPaid, RefundPending
from services.contract.domain.ids import RefundId
from services.contract.domain.money_back import (
    DISPUTE_CHECK_AFTER,
    MoneyBack,
    check_after,
    refund_key,
    unknown,
)
from services.contract.domain.payments import FIRST_CHECK_AFTER, Payment, PaymentId, new_payment
from services.contract.domain.refunds import (
    DisputeOutcome,
    RefundAnswer,
    RefundCause,
    RefundStatus,
    TopUpRefund,
    dispute_closed,
    left_of,
    money_gone,
    refundable_with_debt,
    refunded_so_far,
    settled,
    to_credit,
    to_void,
)
from services.contract.domain.top_up import PaymentGate, TopUpStatus
from tests.unit.contract.builders import JUNE
from tests.unit.contract.test_invoice_money import usd
from tests.unit.contract.test_refunds import EIGHTY, a_refund, an_answer
from tests.unit.contract.test_top_ups import a_top_up

STRIPE, NONE = PaymentGate.STRIPE, PaymentGate.NONE
REQUEST, PROVIDER, CHARGEBACK = RefundCause.REQUEST, RefundCause.PROVIDER, RefundCause.CHARGEBACK
WON, LOST, OPENED = DisputeOutcome.WON, DisputeOutcome.LOST, DisputeOutcome.OPENED
OWED = replace(an_answer(spent=600, voided=400), owed=Credits.of(600))


def gone(cause: RefundCause, cents: int = 8_000, *, number: int = 1) -> TopUpRefund:
    told = PROVIDER if cause is REQUEST else cause
    top_up = a_top_up(TopUpStatus.PAID)
    made = money_gone(RefundId(f"rfd_{number}"), top_up, usd(cents), told, f"du_{number}", at=JUNE)
    return replace(made, cause=REQUEST, provider_refund_id="") if cause is REQUEST else made


def after(refund: TopUpRefund, gate: PaymentGate = STRIPE, answer: RefundAnswer = OWED) -> TopUpRefund:
    return settled(refund, answer, EIGHTY, gate, earlier=(), notes=())


@pytest.mark.parametrize(
    ("cause", "gate", "status", "credited"),
    [
        (REQUEST, STRIPE, RefundStatus.DUE, 8_000),
        (REQUEST, NONE, RefundStatus.RETURNED, 8_000),
        (PROVIDER, STRIPE, RefundStatus.RETURNED, 8_000),
        (CHARGEBACK, STRIPE, RefundStatus.DISPUTED, 0),
    ],
)
def test_money_goes_back_whatever_was_spent(
    cause: RefundCause, gate: PaymentGate, status: RefundStatus, credited: int
) -> None:
    before = gone(cause)

    refund = after(before, gate)

    assert (refund.status, refund.amount, refund.owed) == (status, usd(8_000), Credits.of(600))
    assert to_credit(before, refund, EIGHTY, ()) == usd(credited)
    assert (refund.return_time is None) == (status is not RefundStatus.RETURNED)


def test_what_went_back_without_us_may_be_more_than_was_paid_but_not_what_we_return() -> None:
    assert after(gone(PROVIDER, 9_000)).amount == usd(9_000)
    assert to_credit(gone(PROVIDER, 9_000), after(gone(PROVIDER, 9_000)), EIGHTY, ()) == usd(8_000)
    assert after(gone(REQUEST, 9_000)).amount == usd(8_000)


@pytest.mark.parametrize(("outcome", "status"), [(WON, RefundStatus.REVERSED), (LOST, RefundStatus.RETURNED)])
def test_a_dispute_is_closed_once(outcome: DisputeOutcome, status: RefundStatus) -> None:
    open_one = after(gone(CHARGEBACK))

    closed = dispute_closed(open_one, outcome, at=JUNE)

    assert (closed.status, closed.return_time) == (status, JUNE)
    assert dispute_closed(closed, outcome, at=JUNE) is closed
    assert dispute_closed(closed, OPENED, at=JUNE) is closed
    with pytest.raises(DisputeClosed):
        dispute_closed(closed, LOST if outcome is WON else WON, at=JUNE)
    credited = usd(8_000 if outcome is LOST else 0)
    assert to_credit(open_one, closed, EIGHTY, ()) == credited


def test_a_dispute_that_the_ledger_does_not_know_is_not_closed() -> None:
    assert dispute_closed(gone(CHARGEBACK), OPENED, at=JUNE).status is RefundStatus.PENDING
    with pytest.raises(RefundPending):
        dispute_closed(gone(CHARGEBACK), WON, at=JUNE)


def test_what_is_disputed_is_not_left_and_what_was_won_is() -> None:
    disputed = after(gone(CHARGEBACK, 3_000))
    won = dispute_closed(disputed, WON, at=JUNE)

    assert left_of(EIGHTY, (), [disputed]) == usd(5_000)
    assert left_of(EIGHTY, (), [won]) == usd(8_000)
    assert refunded_so_far([disputed], "USD") == usd(3_000)
    assert refunded_so_far([won], "USD") == usd(0)
    # $30.00 and $50.00 of $80.00 are all of 1,000 credits; a cent more is more than that.
    assert to_void(EIGHTY, Credits.of(1_000), usd(5_000), [disputed]) == Credits.of(1_000)
    assert to_void(EIGHTY, Credits.of(1_000), usd(5_001), [disputed]) == Credits.of("1000.125")


def test_all_that_is_left_is_refundable_with_debt_and_then_nothing() -> None:
    def refundable(asked: Money | None, *earlier: TopUpRefund) -> Money:
        return refundable_with_debt(a_top_up(TopUpStatus.PAID), EIGHTY, asked, earlier=earlier, notes=())

    assert refundable(None) == usd(8_000)
    assert refundable(usd(1)) == usd(1)
    assert refundable(None, after(gone(CHARGEBACK, 7_999))) == usd(1)
    with pytest.raises(RefundExceedsPaid):
        refundable(None, after(gone(CHARGEBACK)))


def a_payment() -> Payment:
    return new_payment(PaymentId("pmt_1"), a_top_up(TopUpStatus.PAID), usd(8_000), at=JUNE)


def back(name: str, *, key: str = "", dispute: DisputeOutcome | None = None, cents: int = 100) -> MoneyBack:
    return MoneyBack(provider_refund_id=name, amount=usd(cents), key=key, dispute=dispute)


def test_only_what_nothing_accounts_for_is_news() -> None:
    ours, seen = a_refund(number=7), replace(gone(PROVIDER), provider_refund_id="re_seen")
    said = [
        back("re_1", key="rfd_7"),
        back("re_2", key=refund_key(a_payment())),
        back("re_seen"),
        back("re_3", key="of another system"),
        back("du_1", dispute=OPENED),
        back("du_2", dispute=WON),
        back("du_3", dispute=LOST),
        back("re_4", cents=0),
    ]

    news = unknown(said, [ours, seen], a_payment())

    assert [one.provider_refund_id for one in news] == ["re_3", "du_1", "du_3"]
    assert [one.cause for one in news] == [PROVIDER, CHARGEBACK, CHARGEBACK]


def test_stripe_is_asked_again_while_something_is_open() -> None:
    assert check_after({RefundStatus.PENDING, RefundStatus.DISPUTED}) == FIRST_CHECK_AFTER
    assert check_after({RefundStatus.DISPUTED, RefundStatus.RETURNED}) == DISPUTE_CHECK_AFTER
    assert check_after({RefundStatus.RETURNED, RefundStatus.REVERSED}) is None
    assert timedelta(0) < FIRST_CHECK_AFTER < DISPUTE_CHECK_AFTER
