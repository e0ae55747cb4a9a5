# SPDX-License-Identifier: Apache-2.0
"""What a payment of invoices becomes when the provider says something, and what its invoices get."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit.quantity import Money
from services.contract.domain.dunning import AUTHENTICATION_REQUIRED, CANCELLED_ELSEWHERE, METHOD_UNKNOWN
from services.contract.domain.ids import CustomerId, InvoiceId
from services.contract.domain.invoice_charges import (
    NOT_CHARGING,
    AttemptFailed,
    ChargePart,
    InvoiceCharge,
    Received,
    Replaceable,
    attempt_of,
    check_after,
    followed,
    method_refused,
    new_charge,
    refunded,
    refused,
    shares,
    unwanted,
)
from services.contract.domain.invoice_refunds import takings
from services.contract.domain.payments import (
    FINAL,
    FIRST_CHECK_AFTER,
    PaymentId,
    PaymentState,
    ProviderPayment,
    Refusal,
)
from services.contract.domain.top_up import PaymentError
from services.contract.payments.stripe import HARD_DECLINES, MINIMUM
from tests.unit.contract.builders import JUNE
from tests.unit.contract.test_payments import says

NEW, OPEN, ACTION, PROCESSING, SUCCEEDED, CANCELLED = (
    PaymentState.NEW,
    PaymentState.OPEN,
    PaymentState.ACTION_REQUIRED,
    PaymentState.PROCESSING,
    PaymentState.SUCCEEDED,
    PaymentState.CANCELLED,
)
DUE = Money.of("USD", 40)
DECLINED = ("insufficient_funds", "no")


def a_charge(state: PaymentState = OPEN, *, method: str = NOT_CHARGING) -> InvoiceCharge:
    parts = [ChargePart(invoice_id=InvoiceId("inv_1"), amount=DUE)]
    charge = new_charge(PaymentId("pmt_1"), CustomerId("cus_1"), parts, at=JUNE)
    if method:
        charge = attempt_of(charge, method)
    return replace(charge, state=state, provider_payment_id="" if state is NEW else "pi_1")


def told(
    charge: InvoiceCharge, said: ProviderPayment, *, attempts: int | None = None
) -> tuple[InvoiceCharge, object]:
    asked = charge.attempts if attempts is None else attempts
    return followed(charge, said, attempts_when_asked=asked, at=JUNE)


def test_each_attempt_has_an_idempotency_key_of_its_own() -> None:
    first = attempt_of(a_charge(), "pm_1")
    second = attempt_of(first, "pm_1")
    by_request = attempt_of(second, "pm_1", key="7")

    assert [one.attempt_key for one in (first, second, by_request)] == [
        "pmt_1/attempt-1",
        "pmt_1/attempt-2",
        "pmt_1/request-7",
    ]


@pytest.mark.parametrize("is_hard", [False, True])
@pytest.mark.parametrize("state", [OPEN, PROCESSING, ACTION])
def test_a_decline_ends_the_attempt_and_counts_once(state: PaymentState, is_hard: bool) -> None:
    said = replace(says(OPEN, error=DECLINED), is_hard=is_hard)
    after, outcome = told(a_charge(state, method="pm_1"), said)

    assert isinstance(outcome, AttemptFailed)
    assert (outcome.error.code, outcome.method) == ("insufficient_funds", "pm_1")
    assert (outcome.is_hard, outcome.is_asked_for) == (is_hard, False)
    assert (after.state, after.charging) == (OPEN, NOT_CHARGING)
    assert told(after, said) == (after, None)


def test_what_is_created_just_now_was_not_tried_yet() -> None:
    after, outcome = told(a_charge(NEW, method="pm_1"), says(OPEN))

    assert outcome is None
    assert (after.state, after.charging, after.is_taking) == (OPEN, "pm_1", True)


def test_an_answer_from_before_the_attempt_does_not_fail_it() -> None:
    charge = attempt_of(a_charge(method="pm_1"), "pm_2")
    after, outcome = told(charge, says(OPEN, error=DECLINED), attempts=1)
    assert (after, outcome) == (charge, None)

    _, paid = told(charge, says(SUCCEEDED, amount=DUE), attempts=1)
    assert paid == Received(amount=DUE)


def test_money_that_is_being_taken_is_neither_failed_nor_replaced() -> None:
    after, outcome = told(a_charge(method="pm_1"), says(PROCESSING))

    assert outcome is None
    assert after.is_taking
    assert unwanted(after) == after
    assert unwanted(a_charge()).is_unwanted
    assert not unwanted(a_charge(SUCCEEDED)).is_unwanted


def test_the_bank_that_wants_the_payer_ends_the_attempt_but_not_the_payment() -> None:
    after, outcome = told(a_charge(method="pm_1"), says(ACTION))

    assert isinstance(outcome, AttemptFailed)
    assert (outcome.error.code, outcome.is_hard) == (AUTHENTICATION_REQUIRED, False)
    assert (after.is_taking, after.is_under_way, after.is_live) == (False, True, True)


@pytest.mark.parametrize("before", [NEW, OPEN, ACTION, PROCESSING])
def test_a_success_wins_also_when_it_is_not_wanted_any_more(before: PaymentState) -> None:
    charge = replace(a_charge(before), is_unwanted=True)
    after, outcome = told(charge, says(SUCCEEDED, amount=DUE))

    assert (after.state, outcome) == (SUCCEEDED, Received(amount=DUE))
    assert told(after, says(SUCCEEDED, amount=DUE)) == (after, None)


def test_another_currency_is_given_back() -> None:
    after, outcome = told(a_charge(), says(SUCCEEDED, amount=Money.of("EUR", 40)))

    assert (after.state, outcome) == (PaymentState.REFUND_DUE, None)
    assert refunded(after).state is PaymentState.REFUNDED
    assert refunded(a_charge()) == a_charge()


def test_cancelled_by_us_it_may_be_replaced_and_by_others_it_is_a_failure() -> None:
    by_us, replaceable = told(replace(a_charge(), is_unwanted=True), says(CANCELLED))
    _, by_others = told(a_charge(method="pm_1"), says(CANCELLED))
    _, nothing = told(a_charge(), says(CANCELLED))

    assert (by_us.state, replaceable) == (CANCELLED, Replaceable())
    assert isinstance(by_others, AttemptFailed)
    assert by_others.error.code == CANCELLED_ELSEWHERE
    assert nothing is None


def test_a_second_payment_that_a_late_repetition_has_made_is_not_believed() -> None:
    charge = a_charge(method="pm_1")

    assert told(charge, says(SUCCEEDED, amount=DUE, of="pi_2")) == (charge, None)


def test_what_the_provider_will_never_take_ends_the_payment() -> None:
    refusal = Refusal(code="amount_too_small", message="", is_too_little=True)
    after, outcome = refused(a_charge(NEW, method="pm_1"), refusal, at=JUNE)

    assert (after.state, after.charging) == (CANCELLED, NOT_CHARGING)
    assert isinstance(outcome, AttemptFailed)
    assert refused(a_charge(), refusal, at=JUNE) == (a_charge(), None)


def test_a_method_that_the_provider_does_not_know_is_a_hard_failure_once() -> None:
    error = PaymentError(code=METHOD_UNKNOWN, message="", create_time=JUNE)
    charge = a_charge(method="pm_1")
    after, outcome = method_refused(charge, error, attempts_when_asked=1)

    assert outcome == AttemptFailed(error=error, method="pm_1", is_hard=True)
    assert method_refused(after, error, attempts_when_asked=1) == (after, None)
    assert method_refused(charge, error, attempts_when_asked=0) == (charge, None)


def test_the_provider_is_asked_at_once_if_something_has_happened_meanwhile() -> None:
    charge = a_charge()
    now = timedelta(0)

    assert check_after(charge, asked=charge) == FIRST_CHECK_AFTER
    assert check_after(charge, asked=replace(charge, hints=1)) == now
    assert check_after(attempt_of(charge, "pm_1"), asked=charge) == now
    assert check_after(unwanted(charge), asked=charge) == now
    assert [check_after(a_charge(one), asked=charge) for one in FINAL] == [None] * len(FINAL)


@pytest.mark.parametrize(
    ("received", "wanted", "expected", "rest"),
    [
        (40, [(40, 40)], [40], 0),
        (40, [(40, 25)], [25], 15),  # 15 were paid elsewhere meanwhile
        (40, [(40, 0)], [0], 40),  # all was
        (43, [(40, 40), (3, 3)], [40, 3], 0),
        (43, [(40, 0), (3, 3)], [0, 3], 40),
        (43, [(40, 40), (3, 5)], [40, 3], 0),  # the second one is due for more now, and gets its part
        (43, [(40, 30), (3, 5)], [30, 5], 8),
        (10, [(40, 40), (3, 3)], [10, 0], 0),
    ],
)
def test_what_is_received_is_shared_and_the_rest_is_nobodys(
    received: int, wanted: list[tuple[int, int]], expected: list[int], rest: int
) -> None:
    money = [(Money.of("USD", part), Money.of("USD", due)) for part, due in wanted]

    got, left = shares(Money.of("USD", received), money)

    assert got == [Money.of("USD", one) for one in expected]
    assert left == Money.of("USD", rest)


@given(
    st.integers(0, 500),
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100)), min_size=1, max_size=6),
)
def test_nothing_is_lost_and_no_invoice_gets_more_than_is_due(
    received: int, wanted: list[tuple[int, int]]
) -> None:
    money = [(Money("USD", part), Money("USD", due)) for part, due in wanted]

    got, rest = shares(Money("USD", received), money)

    assert sum((one.micros for one in got), start=rest.micros) == received
    assert all(Money("USD", 0) <= one <= due for one, (_, due) in zip(got, money, strict=True))
    assert not rest or all(one == due for one, (_, due) in zip(got, money, strict=True))


@pytest.mark.parametrize(
    ("amount", "lefts", "expected", "rest"),
    [
        (10, [40], [10], 0),
        (40, [40], [40], 0),
        (41, [40], [40], 1),
        (40, [40, 3], [40, 0], 0),
        (42, [40, 3], [40, 2], 0),
        (43, [30, 3], [30, 3], 10),
        (5, [], [], 5),
    ],
)
def test_what_goes_back_is_taken_from_the_first_invoice_first(
    amount: int, lefts: list[int], expected: list[int], rest: int
) -> None:
    taken, exceeding = takings(Money.of("USD", amount), [Money.of("USD", one) for one in lefts])

    assert taken == [Money.of("USD", one) for one in expected]
    assert exceeding == Money.of("USD", rest)


def test_hard_declines_and_minimums_are_those_of_stripe() -> None:
    assert {"lost_card", "stolen_card", "pickup_card", "account_closed"} <= HARD_DECLINES
    assert not {"insufficient_funds", "card_declined", "do_not_honor", "processing_error"} & HARD_DECLINES
    assert (MINIMUM["USD"], MINIMUM["JPY"], MINIMUM["GBP"], MINIMUM["HUF"]) == (50, 50, 30, 17_500)


@dataclass
class Provider:
    """A provider that keeps one payment: what it really holds, whatever its answers say."""

    has_money: bool = False
    is_cancelled: bool = False
    error: tuple[str, str] | None = None

    def answer(self) -> ProviderPayment:
        state = SUCCEEDED if self.has_money else CANCELLED if self.is_cancelled else OPEN
        return says(state, amount=DUE, error=self.error)

    def act(self, move: str) -> None:
        if self.has_money or self.is_cancelled:
            return
        match move:
            case "accept":
                self.has_money = True
            case "decline":
                self.error = DECLINED
            case "cancel":
                self.is_cancelled = True


MOVES = ["accept", "decline", "cancel", "attempt", "ask", "late", "unwant"]


@settings(max_examples=500)
@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 30)), max_size=30))
def test_an_invoice_is_paid_exactly_if_the_provider_has_the_money_whatever_is_lost_late_or_repeated(
    moves: list[tuple[str, int]],
) -> None:
    provider, charge = Provider(), a_charge()
    answers = [(provider.answer(), charge.attempts)]
    received = failures = begun = 0
    for move, place in [*moves, ("ask", 0)]:
        match move:
            case "attempt":
                if charge.is_live and not charge.is_taking and not charge.is_unwanted:
                    charge, begun = attempt_of(charge, "pm_1"), begun + 1
            case "unwant":
                charge = unwanted(charge)
            case "ask" | "late":
                answers.append((provider.answer(), charge.attempts))
                # A late answer was under way for long; perhaps it was applied already.
                answer, asked = answers[place % len(answers)] if move == "late" else answers[-1]
                charge, outcome = followed(charge, answer, attempts_when_asked=asked, at=JUNE)
                received += isinstance(outcome, Received)
                failures += isinstance(outcome, AttemptFailed)
            case _:  # also without an attempt of ours: in the payer's browser, or at the provider itself
                provider.act(move)
    assert received == provider.has_money
    assert (charge.state is SUCCEEDED) == provider.has_money
    assert failures <= begun
    assert not (charge.is_unwanted and charge.is_taking)
