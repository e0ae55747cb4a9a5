# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a top-up, or with its refund."""

from meshkit.errors import (
    FailedPrecondition,
    NotFound,
)


class TopUpNotFound(NotFound):
    """No top-up has the id."""

    reason = "TOP_UP_NOT_FOUND"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(f"top-up {top_up_id!r} does not exist; ListTopUps lists all", top_up_id=top_up_id)


class TopUpAlreadyResolved(FailedPrecondition):
    """The payment had another outcome already."""

    reason = "TOP_UP_ALREADY_RESOLVED"

    def __init__(self, *, top_up_id: str, status: str, outcome: str) -> None:
        advice = "; order a new one" if outcome == "PAID" else ""
        super().__init__(
            f"top-up {top_up_id!r} is {status} and cannot become {outcome}{advice}",
            top_up_id=top_up_id,
            status=status,
            outcome=outcome,
        )


class TopUpPending(FailedPrecondition):
    """The invoice follows its top-up, whose payment is not decided yet."""

    reason = "TOP_UP_PENDING"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} belongs to a top-up that waits for its payment; report that with"
            " ResolveTopUpPayment, or give it up with CancelTopUp",
            invoice_id=invoice_id,
        )


class TopUpGranted(FailedPrecondition):
    """The credits that the invoice charges are granted already."""

    reason = "TOP_UP_GRANTED"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"the credits of invoice {invoice_id!r} are granted already; use a credit note",
            invoice_id=invoice_id,
        )


class TopUpNotPaid(FailedPrecondition):
    """Only what was paid and granted can be refunded."""

    reason = "TOP_UP_NOT_PAID"

    def __init__(self, *, top_up_id: str, status: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} is {status}; only one that is PAID can be refunded",
            top_up_id=top_up_id,
            status=status,
        )


class RefundPending(FailedPrecondition):
    """The Ledger has not answered an earlier refund of the top-up yet."""

    reason = "REFUND_PENDING"

    def __init__(self, *, top_up_id: str, refund_id: str) -> None:
        super().__init__(
            f"refund {refund_id!r} of top-up {top_up_id!r} waits for the Ledger; refund again when GetTopUp shows"
            " that it has answered",
            top_up_id=top_up_id,
            refund_id=refund_id,
        )


class DisputeClosed(FailedPrecondition):
    """The dispute has had another outcome."""

    reason = "DISPUTE_CLOSED"

    def __init__(self, *, refund_id: str, status: str) -> None:
        super().__init__(
            f"the dispute of refund {refund_id!r} is closed; the refund is {status}",
            refund_id=refund_id,
            status=status,
        )


class ChargebackNotFound(NotFound):
    """Only a dispute that was reported as opened can be won or lost."""

    reason = "CHARGEBACK_NOT_FOUND"

    def __init__(self, *, top_up_id: str, chargeback_id: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} has no chargeback {chargeback_id!r}; report it as OPENED first",
            top_up_id=top_up_id,
            chargeback_id=chargeback_id,
        )


class RefundExceedsPaid(FailedPrecondition):
    """More than what the invoice charges, less its credit notes, cannot be returned."""

    reason = "REFUND_EXCEEDS_PAID"

    def __init__(self, *, top_up_id: str, left_micros: str) -> None:
        super().__init__(
            f"only {left_micros} micros of the invoice of top-up {top_up_id!r} are left to refund",
            top_up_id=top_up_id,
            left_micros=left_micros,
        )


class RefundExceedsUnspent(FailedPrecondition):
    """More than what the unspent credits cost cannot be returned. Nothing was."""

    reason = "REFUND_EXCEEDS_UNSPENT"

    def __init__(
        self,
        *,
        top_up_id: str,
        refund_id: str,
        refundable_micros: str,
        unspent_micros: str,
        held_micros: str,
    ) -> None:
        super().__init__(
            f"only {unspent_micros} micro-credits of top-up {top_up_id!r} are unspent ({held_micros} more are held), so"
            f" at most {refundable_micros} micros can be refunded; nothing was",
            top_up_id=top_up_id,
            refund_id=refund_id,
            refundable_micros=refundable_micros,
            unspent_micros=unspent_micros,
            held_micros=held_micros,
        )


class AutoTopUpNotFound(NotFound):
    """There is no such automatic top-up."""

    reason = "AUTO_TOP_UP_NOT_FOUND"

    def __init__(self, *, auto_top_up_id: str) -> None:
        super().__init__(
            f"automatic top-up {auto_top_up_id!r} does not exist; ListAutoTopUps lists those of a customer",
            auto_top_up_id=auto_top_up_id,
        )
