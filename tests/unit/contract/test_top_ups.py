# SPDX-License-Identifier: Apache-2.0
"""What a report of a payment makes of a top-up, in every state."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from meshkit.quantity import Credits, Money
from services.contract.domain.errors.top_ups import TopUpAlreadyResolved
from services.contract.domain.ids import CreditTypeId, CustomerId, InvoiceId, ProductId, TopUpId
from services.contract.domain.top_up import (
    PaymentError,
    PaymentGate,
    PaymentOutcome,
    PaymentReport,
    TopUp,
    TopUpStatus,
    TopUpTerms,
    cancelled,
    expired,
    reported,
)
from tests.unit.contract.builders import CONTRACT, JUNE, day

NOON = JUNE + timedelta(hours=12)
PENDING, PAID, FAILED = TopUpStatus.PENDING_PAYMENT, TopUpStatus.PAID, TopUpStatus.FAILED
CANCELLED, EXPIRED = TopUpStatus.CANCELLED, TopUpStatus.EXPIRED
REFUND_DUE, REFUNDED = TopUpStatus.REFUND_DUE, TopUpStatus.REFUNDED
REFUSED = None
# A column per state before, a row per event: the state after, or REFUSED.
STATES = (PENDING, PAID, FAILED, CANCELLED, EXPIRED, REFUND_DUE, REFUNDED)
AFTER = {
    PaymentOutcome.PAID: (PAID, PAID, REFUND_DUE, REFUND_DUE, REFUND_DUE, REFUND_DUE, REFUNDED),
    PaymentOutcome.DECLINED: STATES,
    PaymentOutcome.FAILED: (FAILED, REFUSED, FAILED, REFUSED, REFUSED, REFUND_DUE, REFUNDED),
    PaymentOutcome.REFUNDED: (REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUNDED, REFUNDED),
}
CANCEL = (CANCELLED, REFUSED, REFUSED, CANCELLED, REFUSED, REFUSED, REFUSED)
ERROR = PaymentError(code="card_declined", message="Your card was declined.", create_time=NOON)


def a_top_up(status: TopUpStatus) -> TopUp:
    is_pending = status is PENDING
    return TopUp(
        top_up_id=TopUpId("top_1"),
        contract_id=CONTRACT,
        customer_id=CustomerId("cus_1"),
        top_up_pack_id=None,
        terms=TopUpTerms(
            product_id=ProductId("prd_1"),
            credit_type_id=CreditTypeId("crt_ai"),
            amount=Credits.of(1_000),
            price=Money.of("USD", 80),
            priority=100,
            lifetime=None,
        ),
        payment_gate=PaymentGate.EXTERNAL,
        status=status,
        invoice_id=InvoiceId("inv_1"),
        payment_reference="" if is_pending else "pi_1",
        create_time=JUNE,
        resolve_time=None if is_pending else JUNE,
        expire_time=day(6, 2),
        last_payment_error=None,
    )


def a_report(outcome: PaymentOutcome) -> PaymentReport:
    is_error = outcome in (PaymentOutcome.DECLINED, PaymentOutcome.FAILED)
    return PaymentReport(outcome=outcome, reference="pi_2", error=ERROR if is_error else None)


@pytest.mark.parametrize(
    ("before", "outcome", "after"),
    [
        (before, outcome, after)
        for outcome, row in AFTER.items()
        for before, after in zip(STATES, row, strict=True)
    ],
)
def test_what_a_report_makes_of_a_top_up(
    before: TopUpStatus, outcome: PaymentOutcome, after: TopUpStatus | None
) -> None:
    top_up = a_top_up(before)
    if after is REFUSED:
        with pytest.raises(TopUpAlreadyResolved):
            reported(top_up, a_report(outcome), at=NOON)
        return

    told = reported(top_up, a_report(outcome), at=NOON)

    assert told.status is after
    # Told again, it changes nothing.
    assert reported(told, a_report(outcome), at=day(6, 3)) == told


@pytest.mark.parametrize(("before", "after"), list(zip(STATES, CANCEL, strict=True)))
def test_only_a_pending_top_up_is_cancelled(before: TopUpStatus, after: TopUpStatus | None) -> None:
    if after is REFUSED:
        with pytest.raises(TopUpAlreadyResolved):
            cancelled(a_top_up(before), at=NOON)
    else:
        assert cancelled(a_top_up(before), at=NOON).status is after


@pytest.mark.parametrize(
    ("at", "status"), [(day(6, 2) - timedelta(microseconds=1), PENDING), (day(6, 2), EXPIRED)]
)
def test_an_order_expires_at_its_instant_by_the_clock(at: datetime, status: TopUpStatus) -> None:
    assert expired(a_top_up(PENDING), at=at).status is status


def test_what_is_decided_and_what_has_no_end_never_expires() -> None:
    late = day(12, 31)
    endless = replace(a_top_up(PENDING), expire_time=None)

    assert expired(endless, at=late) == endless
    assert all(expired(a_top_up(one), at=late) == a_top_up(one) for one in STATES if one is not PENDING)


def test_the_latest_error_stays_when_another_card_pays() -> None:
    declined = reported(a_top_up(PENDING), a_report(PaymentOutcome.DECLINED), at=NOON)

    paid = reported(declined, a_report(PaymentOutcome.PAID), at=NOON)

    assert (declined.status, declined.last_payment_error, declined.resolve_time) == (PENDING, ERROR, None)
    assert (paid.last_payment_error, paid.payment_reference, paid.resolve_time) == (ERROR, "pi_2", NOON)
