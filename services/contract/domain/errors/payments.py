# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a payment through the provider."""

from meshkit.errors import (
    FailedPrecondition,
    NotFound,
    Unavailable,
)


class PaidThroughProvider(FailedPrecondition):
    """The payment provider decides, so nobody may report an outcome."""

    reason = "PAID_THROUGH_PROVIDER"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} is paid through Stripe, which Contract asks; there is nothing to report",
            top_up_id=top_up_id,
        )


class NotPaidThroughProvider(FailedPrecondition):
    """The top-up has no payment at a provider."""

    reason = "NOT_PAID_THROUGH_PROVIDER"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} was not ordered with PAYMENT_GATE_STRIPE; report its payment with"
            " ResolveTopUpPayment",
            top_up_id=top_up_id,
        )


class PaymentUnderWay(FailedPrecondition):
    """The provider is taking the money, so the payment cannot be cancelled or changed at the moment."""

    reason = "PAYMENT_UNDER_WAY"

    def __init__(self, *, top_up_id: str = "", invoice_id: str = "") -> None:
        if invoice_id:
            super().__init__(
                f"a payment of invoice {invoice_id!r} is under way; try again when its outcome is known",
                invoice_id=invoice_id,
            )
        else:
            super().__init__(
                f"the payment of top-up {top_up_id!r} is under way; if it fails, the top-up is cancelled by itself",
                top_up_id=top_up_id,
            )


class PaymentsNotSetUp(FailedPrecondition):
    """This Contract has no payment provider."""

    reason = "PAYMENTS_NOT_SET_UP"

    def __init__(self) -> None:
        super().__init__(
            "no payment provider is set up; set PURSER_CONTRACT_STRIPE_API_KEY, or use PAYMENT_GATE_EXTERNAL"
        )


class AmountBelowMinimum(FailedPrecondition):
    """The provider takes no amount that small. It is paid together with a later invoice."""

    reason = "AMOUNT_BELOW_MINIMUM"

    def __init__(self, *, invoice_id: str, due_micros: str, minimum_micros: str) -> None:
        super().__init__(
            f"{due_micros} micros are due of invoice {invoice_id!r}, and the payment provider takes at least"
            f" {minimum_micros}; it is paid together with a later invoice",
            invoice_id=invoice_id,
            due_micros=due_micros,
            minimum_micros=minimum_micros,
        )


class PaymentMethodMissing(FailedPrecondition):
    """The customer has no saved payment method, and none was named."""

    reason = "PAYMENT_METHOD_MISSING"

    def __init__(self, *, customer_id: str) -> None:
        super().__init__(
            f"customer {customer_id!r} has no saved payment method; name one, or save one with SetPaymentMethod",
            customer_id=customer_id,
        )


class PaymentSetupNotFound(NotFound):
    """No setup of a payment method has this id."""

    reason = "PAYMENT_SETUP_NOT_FOUND"

    def __init__(self, *, payment_setup_id: str) -> None:
        super().__init__(
            f"no setup of a payment method has the id {payment_setup_id!r}", payment_setup_id=payment_setup_id
        )


class PaymentMethodUnknown(FailedPrecondition):
    """The provider does not know the payment method, or does not let this customer use it."""

    reason = "PAYMENT_METHOD_UNKNOWN"

    def __init__(self, *, payment_method_id: str, provider_code: str) -> None:
        super().__init__(
            f"the payment provider refuses payment method {payment_method_id!r} ({provider_code}); save another one",
            payment_method_id=payment_method_id,
            provider_code=provider_code,
        )


class PaymentProviderUnavailable(Unavailable):
    """The payment provider did not answer, or not with an answer."""

    reason = "PAYMENT_PROVIDER_UNAVAILABLE"

    def __init__(self, *, details: str) -> None:
        super().__init__(
            f"the payment provider did not answer ({details}); what it did will be asked; safe to retry with the same"
            " request_id",
            details=details,
        )
