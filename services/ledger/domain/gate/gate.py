# SPDX-License-Identifier: Apache-2.0
"""The gate: may this AI call be made? Holds, releases, extensions and debits on an account; captures: capturing.py.

Every function takes an account that is up to date at `at` (due.settle) and returns the account after it. A
denial is a result and changes nothing. Source: services/ledger/README.md, "Order of checks"
and services/ledger/README.md, "Life of a hold".
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from meshkit.evolve import evolve
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits import burn_down, due
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import Allocation
from services.ledger.domain.credits.grant import ProductId, hold_from
from services.ledger.domain.crossings import alarm
from services.ledger.domain.gate.capping import cap_uses
from services.ledger.domain.gate.capturing import available_to, room_for
from services.ledger.domain.gate.charging import charged, moved, quantity_of, quoted, usage_of_ask
from services.ledger.domain.gate.decision import (
    Amount,
    Ask,
    Authorized,
    AuthorizeDenied,
    AuthorizedInShadow,
    DebitDenied,
    Debited,
    DebitedInShadow,
    DenialReason,
    ExtendDenied,
    Extended,
    ExtendedInShadow,
    Refusal,
    Released,
    Verdict,
)
from services.ledger.domain.gate.hold import (
    Hold,
    HoldId,
    HoldState,
    end_hold,
    require_addable,
    require_extendable,
    require_unresolved,
)
from services.ledger.domain.gate.in_flight import InFlightUse, fullest, in_flight_uses
from services.ledger.domain.gate.overage import held_more, room
from services.ledger.domain.gate.shadow import covers, refusal_of, refused, shadow_denial, shadow_record
from services.ledger.domain.gate.spend_cap import CapUse, GroupValue, Spend, hold_more, tightest
from services.ledger.domain.gate.spending import Uncovered, counted, draw_now, time_of_spend
from services.ledger.domain.gate.subjects import held_by, subjects_of
from services.ledger.domain.rating.price import affordable
from services.ledger.domain.totals import countable
from services.ledger.domain.usage.meter import Meter

A = TypeVar("A", Authorized, Extended, Debited)

NOTHING = Credits(0)


def judge(account: Account, ask: Ask, credits: Credits, *, at: datetime, opens_hold: bool = False) -> Verdict:
    """Decide whether `credits` for an ask are affordable: the seat first, caps, then credits and overage.

    opens_hold: the ask is for a new hold, which concurrency caps limit.
    """
    purse = account.purse(ask.entitlement.contract_id, ask.product_id, ask.group_values, at)
    is_in_shadow = bool(account.shadow_products) and covers(account.shadow_products, (ask.product_id,))
    has_seat = purse is not None
    if purse is None:
        if not is_in_shadow:
            return _without_seat(credits)
        purse = account.purse_of_usage(ask.entitlement.contract_id, ask.product_id, ask.group_values, at)
    available = account.available(at, ask.product_id, purse)
    payable = available
    if account.overage_caps:
        payable += room(account, ask.entitlement.contract_id, at=at)
    caps: tuple[CapUse, ...] = ()
    allowed = payable
    is_refused = credits > payable or not has_seat
    if account.caps:
        caps = cap_uses(account, _subjects(account, ask), anchor=ask.entitlement.anchor, at=at)
        for use in caps:
            is_refused = is_refused or credits > use.headroom
            allowed = allowed if use.cap.is_shadow else min(allowed, use.headroom)
    in_flight: tuple[InFlightUse, ...] = ()
    if opens_hold and account.concurrency_caps:
        in_flight = in_flight_uses(
            account.concurrency_caps, account.in_flight or {}, ask.counted_group_values, (ask.product_id,)
        )
        is_refused = is_refused or fullest(in_flight) is not None
    refusal = shadow = None
    if is_refused:

        def first_refusal(caps: Sequence[CapUse], in_flight: Sequence[InFlightUse]) -> Refusal | None:
            return refusal_of(
                has_seat=has_seat,
                full=fullest(in_flight),
                reached=tightest(use for use in caps if credits > use.headroom),
                is_covered=credits <= payable,
            )

        refusal, shadow = refused(first_refusal, caps, in_flight, is_in_shadow=is_in_shadow)
    is_full = refusal is not None and refusal.reason is DenialReason.TOO_MANY_IN_FLIGHT
    return Verdict(
        refusal=refusal,
        shadow=shadow,
        credits=credits,
        available=available,
        overage=min(credits, payable) - available if credits > available else NOTHING,
        missing=credits - payable if credits > payable else NOTHING,
        affordable=Credits(0) if is_full else allowed,
        caps=caps,
        purse=purse,
        in_flight=in_flight,
    )


def _without_seat(credits: Credits) -> Verdict:
    return Verdict(
        refusal=Refusal(DenialReason.SEAT_NOT_ASSIGNED),
        credits=credits,
        available=Credits(0),
        overage=Credits(0),
        affordable=Credits(0),
        caps=(),
    )


def authorize(
    account: Account, ask: Ask, *, hold_id: HoldId, expire_time: datetime, allows_part: bool, at: datetime
) -> tuple[Account, Authorized]:
    """Hold the credits of an ask or, if `allows_part`, the part of it that is affordable."""
    meter = ask.entitlement.price.meter_in(account.meters)
    verdict = judge(account, ask, quoted(account, ask), at=at, opens_hold=True)
    amount = ask.amount
    if verdict.reason is not None and allows_part and verdict.affordable:
        ask = replace(ask, amount=_affordable_part(meter, ask, verdict.affordable))
        amount = ask.amount
        if amount.micros:
            verdict = replace(verdict, refusal=None, credits=quoted(account, ask), missing=Credits(0))
    if verdict.reason is not None:
        return account, AuthorizeDenied(
            reason=verdict.reason,
            credit_type_id=account.credit_type_id,
            available=verdict.available,
            affordable=verdict.affordable,
            affordable_quantity=affordable(meter.pricing, meter.position, verdict.affordable),
            reached_cap=verdict.reached_cap,
            full_cap=verdict.full_cap,
        )
    allocation = burn_down.allocate(account.drawable(at, ask.product_id, verdict.purse), verdict.credits)
    hold = Hold(
        hold_id=hold_id,
        product_id=ask.product_id,
        contract_id=ask.entitlement.contract_id,
        anchor=ask.entitlement.anchor,
        price=ask.entitlement.price,
        dimension_values=ask.entitlement.dimension_values,
        group_values=ask.group_values,
        counted_group_values=ask.counted_group_values,
        state=HoldState.HELD,
        quantity=quantity_of(amount),
        draws=allocation.draws,
        overage=verdict.overage,
        create_time=at,
        expire_time=expire_time,
    )
    account = _held(account, hold, allocation, verdict).due_no_later_than(expire_time)
    answer: Callable[..., Authorized] = Authorized
    covered = verdict.covered
    left = verdict.affordable - covered
    if verdict.shadow is not None:
        account, answer = _in_shadow(account, verdict, ask.product_id, AuthorizedInShadow, at=at)
        left = max(NOTHING, left)
    return account, answer(
        reason=None,
        hold_id=hold.hold_id,
        held=covered,
        overage=hold.overage,
        held_quantity=amount if isinstance(amount, Quantity) else Quantity(0),
        expire_time=expire_time,
        credit_type_id=account.credit_type_id,
        available=verdict.available - (covered - hold.overage),
        affordable=left,
        affordable_quantity=affordable(meter.pricing, meter.position, left),
    )


def extend(
    account: Account, hold: Hold, ask: Ask | None, *, expire_time: datetime | None, at: datetime
) -> tuple[Account, Extended]:
    """Add an ask to a hold, extend its life, or both; all of it or nothing.

    expire_time: None keeps it; one earlier than the hold's has no effect.
    Raises HoldAlreadyResolved, HoldExpired, HoldHasLines for an ask on top of several lines, TotalTooLarge.
    """
    require_extendable(hold)
    reason = None
    answer: Callable[..., Extended] = Extended
    if ask is not None:
        require_addable(hold)
        verdict = judge(account, ask, quoted(account, ask), at=at)
        reason = verdict.reason
        if reason is None:
            allocation = burn_down.allocate(
                account.drawable(at, hold.product_id, verdict.purse), verdict.credits
            )
            hold = evolve(
                hold,
                draws=hold.draws + allocation.draws,
                overage=hold.overage + verdict.overage,
                quantity=_extended_quantity(hold, ask.amount),
            )
            countable(hold.amount, "what the hold reserves")
            account = _held(account, hold, allocation, verdict)
            if verdict.shadow is not None:
                account, answer = _in_shadow(account, verdict, hold.product_id, ExtendedInShadow, at=at)
        elif verdict.reached_cap is not None:
            answer = partial(ExtendDenied, reached_cap=verdict.reached_cap)
    if reason is None and expire_time is not None and expire_time > hold.expire_time:
        hold = evolve(hold, expire_time=expire_time)
        account = account.with_changes(holds=[hold])
    if reason is None:
        account = account.due_no_later_than(hold.expire_time)
    available = available_to(account, hold, at)
    payable = available + room_for(account, hold, at)
    caps = cap_uses(account, held_by(account, hold), anchor=hold.anchor, at=at)
    return account, answer(
        reason=reason,
        held=hold.amount,
        overage=hold.overage,
        expire_time=hold.expire_time,
        credit_type_id=account.credit_type_id,
        available=available,
        affordable=min((payable, *(use.headroom for use in caps if not use.cap.is_shadow))),
    )


def extension_denied(account: Account, hold: Hold, reason: DenialReason, *, at: datetime) -> Extended:
    """Return the response to an extension that is denied before caps and credits are checked.

    Raises HoldAlreadyResolved, HoldExpired: these are checked first.
    """
    require_extendable(hold)
    available = available_to(account, hold, at)
    return Extended(
        reason=reason,
        held=hold.amount,
        overage=hold.overage,
        expire_time=hold.expire_time,
        credit_type_id=account.credit_type_id,
        available=available,
        affordable=Credits(0),
    )


def release(account: Account, hold: Hold, *, at: datetime) -> tuple[Account, Released]:
    """Release all of a hold; of an expired one nothing is left. Raises HoldAlreadyResolved."""
    require_unresolved(hold)
    entries = account.entries
    released = Credits(0)
    if hold.state is HoldState.HELD:
        account = due.return_draws(account, end_hold(hold, HoldState.RELEASED), ended_time=at, at=at)
        if account.entries is not entries:  # credits of a voided grant did not return, so less remains
            account = alarm.observe_balance(account, at=at)
        released = hold.amount
    available = available_to(account, hold, at)
    return account, Released(released=released, credit_type_id=account.credit_type_id, available=available)


def debit(account: Account, ask: Ask, *, cause_id: str, at: datetime) -> tuple[Account, Debited]:
    """Spend the credits of an ask at once, or deny."""
    subjects = _subjects(account, ask)
    at = time_of_spend(account, subjects, at)
    before = ask.entitlement.price.meter_in(account.meters)
    meter, credits = charged(before, ask.amount)
    verdict = judge(account, ask, credits, at=at)
    if verdict.reason is not None:
        return account, DebitDenied(
            reason=verdict.reason,
            credit_type_id=account.credit_type_id,
            available=verdict.available,
            affordable=verdict.affordable,
            affordable_quantity=affordable(before.pricing, before.position, verdict.affordable),
            reached_cap=verdict.reached_cap,
        )
    usage = usage_of_ask(ask, meter)
    anchor = ask.entitlement.anchor
    spends = counted(account, subjects, credits, anchor=anchor, at=at)
    account, uncovered = draw_now(
        account,
        credits,
        usage,
        purse=verdict.purse,
        cause_id=cause_id,
        at=at,
        counted=spends,
        meters=moved(usage, meter),
    )
    assert uncovered == Uncovered(verdict.overage, shortfall=verdict.missing)
    account = alarm.observe_spend(account, subjects, at=at, anchor=anchor)
    answer: Callable[..., Debited] = Debited
    covered = verdict.covered
    left = verdict.affordable - covered
    if verdict.shadow is not None:
        account, answer = _in_shadow(account, verdict, ask.product_id, DebitedInShadow, at=at)
        left = max(NOTHING, left)
    return account, answer(
        reason=None,
        debited=covered,
        overage=verdict.overage,
        credit_type_id=account.credit_type_id,
        available=verdict.available - (covered - verdict.overage),
        affordable=left,
        affordable_quantity=affordable(meter.pricing, meter.position, left),
    )


def _subjects(account: Account, ask: Ask) -> tuple[GroupValue, ...]:
    """Return whose spending an ask is."""
    return subjects_of(account, ask.counted_group_values, ask.product_id)


def _held(account: Account, hold: Hold, allocation: Allocation, verdict: Verdict) -> Account:
    """Reserve for a hold what a verdict says, which its draws and overage already include."""
    return account.with_changes(
        grants=[hold_from(account.grants[draw.grant_id], draw.amount) for draw in allocation.draws],
        holds=[hold],
        spends={
            **{
                subject: hold_more(account.spends.get(subject, Spend()), verdict.covered)
                for subject in subjects_of(account, hold.counted_group_values, hold.product_id)
            },
            **held_more(account, hold.contract_id, verdict.overage),
        },
    )


def _in_shadow(
    account: Account, verdict: Verdict, product_id: ProductId, answer: Callable[..., A], *, at: datetime
) -> tuple[Account, Callable[..., A]]:
    """Record that only shadow mode has allowed an ask; returns what makes the response that says so."""
    assert verdict.shadow is not None
    record = shadow_record(verdict.shadow, product_id, verdict.credits, at=at)
    denial = shadow_denial(verdict.shadow, verdict.missing)
    return account.with_shadow(record), partial(answer, shadow_denial=denial)


def _extended_quantity(hold: Hold, added: Amount) -> Quantity:
    """Return the units of a hold after an extension: 0, and so in credits, unless all of it was asked in units."""
    was_in_units = bool(hold.quantity) or not hold.amount
    if not isinstance(added, Quantity) or not was_in_units:
        return Quantity(0)
    return countable(hold.quantity + added, "the quantity of the hold")


def _affordable_part(meter: Meter, ask: Ask, credits: Credits) -> Amount:
    return affordable(meter.pricing, meter.position, credits) if isinstance(ask.amount, Quantity) else credits
