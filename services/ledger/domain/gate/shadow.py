# SPDX-License-Identifier: Apache-2.0
"""Shadow mode: what would deny a call is recorded, and the call is allowed.

A cap in shadow mode denies nothing: what only it would deny goes on as if it were not there. For a customer, or one
product of it, in shadow mode no cap, missing seat or missing credits deny anything either.
Source: services/ledger/README.md, "Shadow mode".
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.gate.decision import DenialReason, Refusal, ShadowDenial
from services.ledger.domain.gate.in_flight import InFlightUse
from services.ledger.domain.gate.spend_cap import CapUse, GroupValue

# In the place of a product: all products of the customer.
EVERY_PRODUCT = ProductId("")
NO_SUBJECT: GroupValue = ("", "")


Judge = Callable[[Sequence[CapUse], Sequence[InFlightUse]], Refusal | None]


def refused(
    judge: Judge, caps: Sequence[CapUse], in_flight: Sequence[InFlightUse], *, is_in_shadow: bool
) -> tuple[Refusal | None, Refusal | None]:
    """Return why a call is denied; and, if only shadow mode allows it, why it would be denied without.

    judge: says what the first check is that fails, given the caps that count. is_in_shadow: the customer or the product
    is in shadow mode.
    """
    refusal = judge(caps, in_flight)
    if refusal is None or is_in_shadow:
        return None, refusal
    if refusal.cap is None or not refusal.cap.cap.is_shadow:
        return refusal, None
    enforced = judge(
        [use for use in caps if not use.cap.is_shadow], [use for use in in_flight if not use.cap.is_shadow]
    )
    return (None, refusal) if enforced is None else (enforced, None)


def refusal_of(
    *, has_seat: bool, full: InFlightUse | None, reached: CapUse | None, is_covered: bool
) -> Refusal | None:
    """Return the first check that fails, in the order of the checks; None if none does.

    full, reached: the caps that deny the call, if some do.
    """
    if not has_seat:
        return Refusal(DenialReason.SEAT_NOT_ASSIGNED)
    if full is not None:
        return Refusal(DenialReason.TOO_MANY_IN_FLIGHT, full)
    if reached is not None:
        return Refusal(DenialReason.SPEND_CAP_REACHED, reached)
    return None if is_covered else Refusal(DenialReason.INSUFFICIENT_CREDITS)


def covers(shadow_products: Collection[ProductId], product_ids: Collection[ProductId]) -> bool:
    """Whether a call of these products is in shadow mode: all of them are."""
    return EVERY_PRODUCT in shadow_products or all(one in shadow_products for one in product_ids)


def shadow_denial(refusal: Refusal, missing: Credits) -> ShadowDenial:
    """Return what the response says of a call that shadow mode has allowed."""
    cap = refusal.cap
    return ShadowDenial(
        reason=refusal.reason,
        spend_cap_id=cap.cap.spend_cap_id if isinstance(cap, CapUse) else "",
        concurrency_cap_id=cap.cap.concurrency_cap_id if isinstance(cap, InFlightUse) else "",
        missing=missing,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRecord:
    """A call that would have been denied, as it is to be counted in the report. product_id: of its first line.

    cap_id: of a spend cap or of a concurrency cap; empty if none would have denied it. subject: what that cap limits.
    """

    reason: DenialReason
    cap_id: str
    product_id: ProductId
    subject: GroupValue
    credits: Credits
    time: datetime


def shadow_record(refusal: Refusal, product_id: ProductId, credits: Credits, *, at: datetime) -> ShadowRecord:
    """Return what is counted of a call that shadow mode has allowed. credits: all that it costs."""
    denial = shadow_denial(refusal, Credits(0))
    cap = refusal.cap
    return ShadowRecord(
        reason=refusal.reason,
        cap_id=denial.spend_cap_id or denial.concurrency_cap_id,
        product_id=product_id,
        subject=NO_SUBJECT if cap is None else cap.subject,
        credits=credits,
        time=at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowMode:
    """Whether a customer is in shadow mode, for one product or (EVERY_PRODUCT) for all."""

    customer_id: CustomerId
    product_id: ProductId
    is_on: bool
    update_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDenials:
    """What would have been denied of one customer on one UTC day: a line of the report. Fields: as in ShadowRecord.

    credits: what these calls cost together.
    """

    customer_id: CustomerId
    credit_type_id: CreditTypeId
    day: date
    reason: DenialReason
    cap_id: str
    product_id: ProductId
    subject: GroupValue
    denials: int
    credits: Credits
    first_time: datetime
    last_time: datetime
