# SPDX-License-Identifier: Apache-2.0
"""Automatic top-ups: packs that are bought when what remains in a pool is at or below a threshold.

The Ledger reports what remains, once for each version of the level and each time it is crossed. Contract asks it again
by the next version. Source: services/contract/README.md, "Automatic top-ups".
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.quantity import Credits, Money, ceil_div
from services.contract.domain.ids import (
    AutoTopUpId,
    ContractId,
    CreditTypeId,
    CustomerId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.top_up import (
    AMOUNT_MAX,
    PAYMENT_WINDOW_DEFAULT,
    PaymentGate,
    TopUp,
    TopUpStatus,
    TopUpTerms,
)

ORDERS_A_DAY_MAX: Final = 5
FAILURES_MAX: Final = 2
RETRY_AFTER: Final = timedelta(hours=1)
# How long an order waits for its payment, so that a payer who must confirm it blocks the next one no longer.
PROVIDER_WINDOW: Final = timedelta(hours=1)


class AutoTopUpStatus(Enum):
    """IDLE → ASKED → ORDERED → IDLE, BLOCKED until an instant, or DISABLED.

    IDLE: the Ledger reports when the pool is low. ASKED: it has; an order is to be made. ORDERED: one waits for its
    payment.
    """

    IDLE = "IDLE"
    ASKED = "ASKED"
    ORDERED = "ORDERED"
    BLOCKED = "BLOCKED"
    DISABLED = "DISABLED"


class StopReason(Enum):
    """Why nothing is bought at present.

    PAYMENT_FAILED: an order ended unpaid; blocked for RETRY_AFTER, and disabled after FAILURES_MAX in a row.
    ACTION_REQUIRED: the order waits until the payer confirms its payment. DAILY_LIMIT, MONTHLY_LIMIT: blocked until the
    next day or month (UTC). CUSTOMER_SUSPENDED: blocked until the customer is resumed. CONTRACT_ENDED: and no other
    contract took its place. PACK_UNAVAILABLE: the contract cannot buy the pack any more. BY_REQUEST: DisableAutoTopUp.
    """

    PAYMENT_FAILED = "PAYMENT_FAILED"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    DAILY_LIMIT = "DAILY_LIMIT"
    MONTHLY_LIMIT = "MONTHLY_LIMIT"
    CUSTOMER_SUSPENDED = "CUSTOMER_SUSPENDED"
    CONTRACT_ENDED = "CONTRACT_ENDED"
    PACK_UNAVAILABLE = "PACK_UNAVAILABLE"
    BY_REQUEST = "BY_REQUEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoTopUpTerms:
    """What is bought, and when. recharge_to: above the threshold. monthly_limit: prices without taxes."""

    contract_id: ContractId
    top_up_pack_id: TopUpPackId
    threshold: Credits
    recharge_to: Credits
    monthly_limit: Money
    payment_gate: PaymentGate


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoTopUp:
    """The automatic top-up of one credit type of a customer.

    version: of the level that the Ledger has, or gets. sequence: of the latest report. remaining: as reported while
    ASKED. top_up_id: the order that waits for its payment, also while DISABLED. is_charged: whether nothing is left to
    do for its payment but to wait. stop, until: why nothing is bought, and until when; until None: without a time.
    failures: orders that ended unpaid, in a row.
    """

    auto_top_up_id: AutoTopUpId
    customer_id: CustomerId
    credit_type_id: CreditTypeId
    terms: AutoTopUpTerms
    version: int
    sequence: int
    status: AutoTopUpStatus
    remaining: Credits | None
    top_up_id: TopUpId | None
    is_charged: bool
    stop: StopReason | None
    until: datetime | None
    failures: int
    create_time: datetime
    update_time: datetime

    @property
    def has_step(self) -> bool:
        """Whether Contract must do something now: order, or charge."""
        if self.status is AutoTopUpStatus.ORDERED:
            return not self.is_charged
        return self.status is AutoTopUpStatus.ASKED


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReport:
    """What remains in a pool, as the Ledger says. in_alarm: it is at or below the level of this version."""

    auto_top_up_id: AutoTopUpId
    version: int
    sequence: int
    in_alarm: bool
    remaining: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What was ordered automatically before. spent: in this month, paid or under way. orders: of this day."""

    spent: Money
    orders: int


def refuse_bad_terms(terms: AutoTopUpTerms, pack: TopUpTerms) -> None:
    """Raise InvalidFields unless the terms can buy at least one pack. The currencies are the same."""
    bad = []
    if terms.recharge_to <= terms.threshold:
        bad.append(FieldViolation("recharge_to_micros", "must be above threshold_micros"))
    if terms.monthly_limit < pack.price:
        message = f"must be at least the price of one pack, {pack.price.micros} micros"
        bad.append(FieldViolation("monthly_limit.micros", message))
    if bad:
        raise InvalidFields(bad)


def new_auto_top_up(
    auto_top_up_id: AutoTopUpId,
    customer_id: CustomerId,
    credit_type_id: CreditTypeId,
    terms: AutoTopUpTerms,
    *,
    at: datetime,
) -> AutoTopUp:
    return AutoTopUp(
        auto_top_up_id=auto_top_up_id,
        customer_id=customer_id,
        credit_type_id=credit_type_id,
        terms=terms,
        version=1,
        sequence=0,
        status=AutoTopUpStatus.IDLE,
        remaining=None,
        top_up_id=None,
        is_charged=False,
        stop=None,
        until=None,
        failures=0,
        create_time=at,
        update_time=at,
    )


def set_again(auto: AutoTopUp, terms: AutoTopUpTerms, *, at: datetime) -> AutoTopUp:
    """Return it with other terms, enabled and without earlier failures. An order under way is waited for."""
    changed = replace(auto, terms=terms, failures=0, update_time=at)
    if auto.top_up_id is None:
        return rearmed(changed)
    waits = replace(changed, status=AutoTopUpStatus.ORDERED, version=auto.version + 1)
    return waits if auto.status is AutoTopUpStatus.ORDERED else replace(waits, stop=None, until=None)


def rearmed(auto: AutoTopUp) -> AutoTopUp:
    """Return it IDLE, with the next version of its level: the Ledger reports at once what remains."""
    return replace(
        auto,
        status=AutoTopUpStatus.IDLE,
        version=auto.version + 1,
        remaining=None,
        is_charged=False,
        stop=None,
        until=None,
    )


def reported(auto: AutoTopUp, report: LevelReport) -> AutoTopUp:
    """Return it after a report; the same if the report is late, repeated, or of an earlier version."""
    if report.version != auto.version or report.sequence <= auto.sequence:
        return auto
    heard = replace(auto, sequence=report.sequence)
    match auto.status, report.in_alarm:
        case ((AutoTopUpStatus.IDLE | AutoTopUpStatus.ASKED), True):
            return replace(heard, status=AutoTopUpStatus.ASKED, remaining=report.remaining)
        case AutoTopUpStatus.ASKED, False:
            return replace(heard, status=AutoTopUpStatus.IDLE, remaining=None)
        case _:
            return heard


def packs_to_order(auto: AutoTopUp, pack: TopUpTerms, before: Ordered, owed: Money) -> int | StopReason:
    """Return how many packs bring the pool to recharge_to, as far as the limits allow, or the limit that allows none.

    recharge_to is reached or exceeded by less than a pack, after the order has paid what is owed.
    """
    assert auto.remaining is not None
    if before.orders >= ORDERS_A_DAY_MAX:
        return StopReason.DAILY_LIMIT
    missing = auto.terms.recharge_to - auto.remaining
    taken = ceil_div(owed.micros * pack.amount.micros, pack.price.micros)
    wanted = max(1, ceil_div(missing.micros + taken, pack.amount.micros))
    left = auto.terms.monthly_limit - before.spent
    allowed = min(left.micros // pack.price.micros, max(1, AMOUNT_MAX.micros // pack.amount.micros))
    return min(wanted, allowed) if allowed >= 1 else StopReason.MONTHLY_LIMIT


def terms_of_order(pack: TopUpTerms, packs: int) -> TopUpTerms:
    """Return the terms of one order of several packs."""
    return replace(
        pack,
        amount=Credits(pack.amount.micros * packs),
        price=Money(pack.price.currency_code, pack.price.micros * packs),
    )


def payment_window(gate: PaymentGate) -> timedelta:
    """Return how long an order waits: with EXTERNAL as long as other orders, because people may have to report it."""
    return PROVIDER_WINDOW if gate is PaymentGate.STRIPE else PAYMENT_WINDOW_DEFAULT


def ordered(auto: AutoTopUp, top_up: TopUp, *, at: datetime) -> AutoTopUp:
    """Return it with an order under way. contract_id: that of the order; it follows changes of plan."""
    return replace(
        auto,
        terms=replace(auto.terms, contract_id=top_up.contract_id),
        status=AutoTopUpStatus.ORDERED,
        remaining=None,
        top_up_id=top_up.top_up_id,
        is_charged=top_up.payment_gate is not PaymentGate.STRIPE,
        stop=None,
        until=None,
        update_time=at,
    )


def charged(auto: AutoTopUp) -> AutoTopUp:
    """Return it after its order was charged, while the money is under way."""
    return replace(auto, is_charged=True)


def action_required(auto: AutoTopUp, top_up: TopUp) -> AutoTopUp:
    """Return it after its order was charged, while the payer must confirm the payment."""
    return replace(auto, is_charged=True, stop=StopReason.ACTION_REQUIRED, until=top_up.expire_time)


def order_ended(auto: AutoTopUp, top_up: TopUp, *, at: datetime) -> AutoTopUp:
    """Return it after its order was paid, or ended unpaid; the same if it does not wait for this order."""
    if auto.top_up_id != top_up.top_up_id or top_up.status is TopUpStatus.PENDING_PAYMENT:
        return auto
    ended = replace(auto, top_up_id=None, update_time=at)
    if top_up.status is TopUpStatus.PAID:
        paid = replace(ended, failures=0)
        return paid if auto.status is AutoTopUpStatus.DISABLED else rearmed(paid)
    if auto.status is AutoTopUpStatus.DISABLED:
        return ended
    failed = replace(ended, failures=auto.failures + 1)
    if failed.failures >= FAILURES_MAX:
        return disabled(failed, StopReason.PAYMENT_FAILED, at=at)
    return blocked(failed, StopReason.PAYMENT_FAILED, at=at)


def blocked(auto: AutoTopUp, reason: StopReason, *, at: datetime) -> AutoTopUp:
    """Return it without orders until the reason has passed."""
    return replace(
        auto,
        status=AutoTopUpStatus.BLOCKED,
        remaining=None,
        stop=reason,
        until=_until(reason, at),
        update_time=at,
    )


def disabled(auto: AutoTopUp, reason: StopReason, *, at: datetime) -> AutoTopUp:
    """Return it without orders until it is set again. The Ledger reports nothing any more."""
    if auto.status is AutoTopUpStatus.DISABLED:
        return auto
    return replace(
        auto,
        status=AutoTopUpStatus.DISABLED,
        version=auto.version + 1,
        remaining=None,
        stop=reason,
        until=None,
        update_time=at,
    )


def unblocked(auto: AutoTopUp, *, at: datetime, is_suspended: bool) -> AutoTopUp:
    """Return it rearmed if what blocked it has passed; otherwise the same."""
    if auto.status is not AutoTopUpStatus.BLOCKED:
        return auto
    if auto.stop is StopReason.CUSTOMER_SUSPENDED:
        return auto if is_suspended else rearmed(replace(auto, update_time=at))
    assert auto.until is not None
    return rearmed(replace(auto, update_time=at)) if auto.until <= at else auto


def day_start(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def month_start(at: datetime) -> datetime:
    return day_start(at).replace(day=1)


def _until(reason: StopReason, at: datetime) -> datetime | None:
    match reason:
        case StopReason.DAILY_LIMIT:
            return day_start(at) + timedelta(days=1)
        case StopReason.MONTHLY_LIMIT:
            return (month_start(at) + timedelta(days=32)).replace(day=1)
        case StopReason.CUSTOMER_SUSPENDED:
            return None
        case _:
            return at + RETRY_AFTER
