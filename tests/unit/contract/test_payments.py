# SPDX-License-Identifier: Apache-2.0
"""What a payment and its top-up become when the provider says something: every state with everything it may say."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Money
from services.contract.domain.ids import CustomerId, TopUpId
from services.contract.domain.payments import (
    CHECK_AFTER_MAX,
    FINAL,
    FIRST_CHECK_AFTER,
    PayerAction,
    Payment,
    PaymentId,
    PaymentState,
    ProviderPayment,
    Refusal,
    check_after,
    followed,
    refunded,
    refused,
    wanted_no_more,
)
from services.contract.domain.top_up import PaymentGate, TopUp, TopUpStatus
from services.contract.payments.stripe import from_minor, to_minor
from tests.unit.contract.builders import JUNE
from tests.unit.contract.test_top_ups import a_top_up

PENDING, PAID = TopUpStatus.PENDING_PAYMENT, TopUpStatus.PAID
WAITING = (PaymentState.OPEN, PaymentState.ACTION_REQUIRED, PaymentState.PROCESSING)
SAID = (*WAITING, PaymentState.SUCCEEDED, PaymentState.CANCELLED)
PRICE = Money.of("USD", 80)


def a_payment(state: PaymentState = PaymentState.OPEN, ending: TopUpStatus | None = None) -> Payment:
    return Payment(
        payment_id=PaymentId("pmt_1"),
        customer_id=CustomerId("cus_1"),
        top_up_id=TopUpId("top_1"),
        amount=PRICE,
        state=state,
        provider_payment_id="" if state is PaymentState.NEW else "pi_1",
        ending=ending,
        checks=0,
        hints=0,
        create_time=JUNE,
    )


def stripe_top_up(status: TopUpStatus = PENDING) -> TopUp:
    return replace(a_top_up(status), payment_gate=PaymentGate.STRIPE)


def says(
    state: PaymentState, *, amount: Money = PRICE, error: tuple[str, str] | None = None, of: str = "pi_1"
) -> ProviderPayment:
    return ProviderPayment(
        provider_payment_id=of,
        state=state,
        amount=amount,
        error=error,
        action=PayerAction(client_secret="", redirect_url=""),
    )


@pytest.mark.parametrize("ending", [None, TopUpStatus.CANCELLED, TopUpStatus.EXPIRED])
@pytest.mark.parametrize("before", [PaymentState.NEW, *WAITING])
@pytest.mark.parametrize("said", SAID)
def test_a_pending_top_up_becomes_what_the_provider_says(
    before: PaymentState, said: PaymentState, ending: TopUpStatus | None
) -> None:
    payment, top_up = followed(a_payment(before, ending), stripe_top_up(), says(said), at=JUNE)

    expected = {
        PaymentState.SUCCEEDED: PAID,
        PaymentState.CANCELLED: ending or TopUpStatus.CANCELLED,
    }.get(said, PENDING)
    assert (payment.state, payment.provider_payment_id, top_up.status) == (said, "pi_1", expected)


@pytest.mark.parametrize("decided", [*sorted(FINAL, key=str), PaymentState.REFUND_DUE])
@pytest.mark.parametrize("said", SAID)
def test_what_is_decided_stays_whatever_is_said_later(decided: PaymentState, said: PaymentState) -> None:
    payment, top_up = a_payment(decided), stripe_top_up(TopUpStatus.CANCELLED)

    assert followed(payment, top_up, says(said), at=JUNE) == (payment, top_up)


def test_another_payment_of_the_provider_is_nobodys() -> None:
    payment, top_up = a_payment(), stripe_top_up()

    assert followed(payment, top_up, says(PaymentState.SUCCEEDED, of="pi_2"), at=JUNE) == (payment, top_up)


@pytest.mark.parametrize("status", [TopUpStatus.FAILED, TopUpStatus.CANCELLED, TopUpStatus.EXPIRED])
def test_a_payment_of_a_top_up_that_has_ended_is_given_back(status: TopUpStatus) -> None:
    owed, top_up = followed(a_payment(), stripe_top_up(status), says(PaymentState.SUCCEEDED), at=JUNE)
    returned, last = refunded(owed, top_up, at=JUNE)

    assert (owed.state, top_up.status) == (PaymentState.REFUND_DUE, TopUpStatus.REFUND_DUE)
    assert (returned.state, last.status) == (PaymentState.REFUNDED, TopUpStatus.REFUNDED)


@pytest.mark.parametrize(
    "amount", [Money("USD", 79_990_000), Money("USD", 80_010_000), Money("EUR", 80_000_000)]
)
def test_only_the_ordered_amount_and_currency_is_kept(amount: Money) -> None:
    payment, top_up = followed(
        a_payment(), stripe_top_up(), says(PaymentState.SUCCEEDED, amount=amount), at=JUNE
    )

    assert (payment.state, top_up.status) == (PaymentState.REFUND_DUE, TopUpStatus.REFUND_DUE)


def test_an_error_is_told_once_and_a_refusal_ends_the_top_up() -> None:
    declined = says(PaymentState.OPEN, error=("card_declined", "no"))
    payment, top_up = followed(a_payment(), stripe_top_up(), declined, at=JUNE)
    later = followed(payment, top_up, declined, at=JUNE + timedelta(hours=1))
    assert later[1].last_payment_error == top_up.last_payment_error
    assert top_up.status is PENDING

    new = a_payment(PaymentState.NEW)
    payment, top_up = refused(new, stripe_top_up(), Refusal(code="amount_too_small", message=""), at=JUNE)
    assert (payment.state, top_up.status) == (PaymentState.CANCELLED, TopUpStatus.FAILED)
    known = a_payment(), stripe_top_up()
    assert refused(*known, Refusal(code="x", message=""), at=JUNE) == known


def test_the_first_reason_to_end_counts() -> None:
    cancelled = wanted_no_more(a_payment(), TopUpStatus.CANCELLED)

    assert wanted_no_more(cancelled, TopUpStatus.EXPIRED).ending is TopUpStatus.CANCELLED


def test_the_provider_is_asked_less_often_the_longer_nothing_happens() -> None:
    waits = [check_after(replace(a_payment(), checks=n), hints_when_asked=0) for n in (0, 1, 5, 6, 60)]

    assert waits == [FIRST_CHECK_AFTER, 2 * FIRST_CHECK_AFTER, timedelta(minutes=32), *[CHECK_AFTER_MAX] * 2]
    assert check_after(replace(a_payment(), hints=1), hints_when_asked=0) == timedelta(0)
    assert all(check_after(a_payment(state), hints_when_asked=0) is None for state in FINAL)


@given(st.lists(st.tuples(st.sampled_from(SAID), st.booleans()), max_size=12))
def test_grants_equal_payments_kept_whatever_the_provider_says_in_whatever_order(
    story: list[tuple[PaymentState, bool]],
) -> None:
    payment, top_up = a_payment(PaymentState.NEW), stripe_top_up()
    granted = 0
    for said, ends in story:
        if ends:
            payment = wanted_no_more(payment, TopUpStatus.EXPIRED)
        before = top_up.status
        payment, top_up = followed(payment, top_up, says(said), at=JUNE)
        granted += before is not PAID and top_up.status is PAID
    first = next(
        (said for said, _ in story if said in (PaymentState.SUCCEEDED, PaymentState.CANCELLED)), None
    )

    assert granted == (first is PaymentState.SUCCEEDED)
    assert (top_up.status is PENDING) == (first is None)


@pytest.mark.parametrize(
    ("currency", "micros", "units"),
    [
        ("USD", 80_000_000, 8_000),
        ("JPY", 80_000_000, 80),
        ("BHD", 1_234_000, 1_234),
        ("ISK", 80_000_000, 8_000),
        ("MGA", 10_500_000, None),
    ],
)
def test_amounts_are_in_the_unit_that_stripe_counts_in(currency: str, micros: int, units: int | None) -> None:
    amount = Money(currency, micros)

    assert to_minor(amount) == units
    if units is not None:
        assert from_minor(units, currency) == amount
