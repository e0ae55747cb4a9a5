# SPDX-License-Identifier: Apache-2.0
"""Money that went back without us: refunds made at the provider, and disputes that a payer's bank has opened.

Source: services/contract/README.md, "Money that goes back without us".
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from meshkit.quantity import Money
from services.contract.domain.ids import CustomerId, TopUpId
from services.contract.domain.payments import FIRST_CHECK_AFTER, Payment
from services.contract.domain.refunds import DisputeOutcome, RefundCause, RefundStatus, TopUpRefund

# An open dispute is asked about again after so long, unless a webhook comes first.
DISPUTE_CHECK_AFTER: Final = timedelta(hours=1)
# How often all refunds and disputes of the account are looked through, for webhooks that were lost.
LOOK_INTERVAL: Final = timedelta(minutes=5)
# Each look begins so long before the previous one did, because the provider's clock is another.
LOOK_OVERLAP: Final = timedelta(hours=1)
FIRST_LOOK_BACK: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyBack:
    """A refund or a dispute of a payment, as the provider says now.

    key: of a refund that we have asked for; empty of others. dispute: None of a refund.
    """

    provider_refund_id: str
    amount: Money
    key: str
    dispute: DisputeOutcome | None

    @property
    def cause(self) -> RefundCause:
        return RefundCause.PROVIDER if self.dispute is None else RefundCause.CHARGEBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyBackCheck:
    """That the provider is to be asked what went back of a payment. hints: how often something said so."""

    provider_payment_id: str
    customer_id: CustomerId
    top_up_id: TopUpId
    hints: int


def check_after(statuses: Collection[RefundStatus]) -> timedelta | None:
    """Return when the provider is asked again about a top-up with such refunds; None: when something hints at it."""
    if RefundStatus.PENDING in statuses:
        return FIRST_CHECK_AFTER
    return DISPUTE_CHECK_AFTER if RefundStatus.DISPUTED in statuses else None


def refund_key(payment: Payment) -> str:
    """Return the key of the refund of a payment that is not kept."""
    return f"{payment.payment_id}/refund"


def unknown(said: Sequence[MoneyBack], refunds: Sequence[TopUpRefund], payment: Payment) -> list[MoneyBack]:
    """Return what went back of a payment that no refund of ours accounts for.

    A dispute that was won before anybody saw it took nothing.
    """
    known = {one.provider_refund_id for one in refunds if one.provider_refund_id}
    ours = {one.refund_id for one in refunds} | {refund_key(payment)}
    return [
        one
        for one in said
        if one.provider_refund_id not in known
        and one.key not in ours
        and one.dispute is not DisputeOutcome.WON
        and one.amount
    ]
