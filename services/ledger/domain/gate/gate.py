# SPDX-License-Identifier: Apache-2.0
"""The gate: may this AI call be made? Holds, captures, releases, extensions and debits on an account.

Every function takes an account that is up to date at `at` (due.settle) and returns the account after it. A
denial is a result and changes nothing. Source: services/ledger/README.md, "Order of checks"
and services/ledger/README.md, "Life of a hold".
"""

from dataclasses import replace
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits import burn_down, due
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import Allocation
from services.ledger.domain.credits.entry import Usage
from services.ledger.domain.credits.grant import Grant, GrantId, capture_held, hold_from
from services.ledger.domain.crossings import alarm
from services.ledger.domain.errors import too_large
from services.ledger.domain.gate.decision import (
    CREDITS_MAX,
    Amount,
    Ask,
    Authorized,
    Captured,
    Debited,
    DenialReason,
    Extended,
    Released,
    Verdict,
)
from services.ledger.domain.gate.hold import (
    Hold,
    HoldId,
    HoldState,
    end_hold,
    require_extendable,
    require_unresolved,
    split_draws,
)
from services.ledger.domain.gate.spend_cap import CapUse, Spend, cap_uses, hold_more
from services.ledger.domain.gate.spending import captures, counted, draw_now, time_of_spend
from services.ledger.domain.rating.price import affordable, quote
from services.ledger.domain.usage.meter import Meter, MeterKey, advance


def quoted(account: Account, ask: Ask) -> Credits:
    """Return the credits to hold for an ask: enough for its capture at any later position of the meter.

    Raises InvalidFields if they exceed CREDITS_MAX. Source: services/ledger/README.md, "Rating".
    """
    if not isinstance(ask.amount, Quantity):
        return ask.amount
    meter = ask.entitlement.price.meter_in(account.meters)
    return _at_most(quote(meter.pricing, meter.position, ask.amount))


def charged(meter: Meter, amount: Amount) -> tuple[Meter, Credits]:
    """Return the meter after an amount was used, and its cost. An amount in credits does not move the meter.

    Raises InvalidFields if the cost exceeds CREDITS_MAX.
    """
    if not isinstance(amount, Quantity):
        return meter, amount
    after, cost = advance(meter, amount)
    return after, _at_most(cost)


def judge(account: Account, ask: Ask, credits: Credits, *, at: datetime) -> Verdict:
    """Decide whether `credits` for an ask are affordable: spend caps first, then credits."""
    available = account.available(at, ask.product_id)
    caps: tuple[CapUse, ...] = ()
    headroom = available
    if account.caps:
        anchor = ask.entitlement.anchor
        caps = cap_uses(account.caps, ask.counted_group_values, account.spends, anchor=anchor, at=at)
        headroom = min((use.headroom for use in caps), default=available)
    if caps and credits > headroom:
        reason = DenialReason.SPEND_CAP_REACHED
    elif credits > available:
        reason = DenialReason.INSUFFICIENT_CREDITS
    else:
        reason = None
    return Verdict(
        reason=reason,
        credits=credits,
        available=available,
        affordable=min(available, headroom),
        caps=caps,
    )


def authorize(
    account: Account, ask: Ask, *, hold_id: HoldId, expire_time: datetime, allows_part: bool, at: datetime
) -> tuple[Account, Authorized]:
    """Hold the credits of an ask or, if `allows_part`, the part of it that is affordable."""
    meter = ask.entitlement.price.meter_in(account.meters)
    verdict = judge(account, ask, quoted(account, ask), at=at)
    amount = ask.amount
    if verdict.reason is not None and allows_part and verdict.affordable:
        ask = replace(ask, amount=_affordable_part(meter, ask, verdict.affordable))
        amount = ask.amount
        if amount.micros:
            verdict = replace(verdict, reason=None, credits=quoted(account, ask))
    if verdict.reason is not None:
        return account, Authorized(
            reason=verdict.reason,
            credit_type_id=account.credit_type_id,
            available=verdict.available,
            affordable=verdict.affordable,
            affordable_quantity=affordable(meter.pricing, meter.position, verdict.affordable),
        )
    allocation = burn_down.allocate(account.drawable(at, ask.product_id), verdict.credits)
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
        quantity=_quantity_of(amount),
        draws=allocation.draws,
        create_time=at,
        expire_time=expire_time,
    )
    account = _held(account, hold, allocation, verdict.credits).due_no_later_than(expire_time)
    left = verdict.affordable - verdict.credits
    return account, Authorized(
        reason=None,
        hold_id=hold.hold_id,
        held=verdict.credits,
        held_quantity=amount if isinstance(amount, Quantity) else Quantity(0),
        expire_time=expire_time,
        credit_type_id=account.credit_type_id,
        available=verdict.available - verdict.credits,
        affordable=left,
        affordable_quantity=affordable(meter.pricing, meter.position, left),
    )


def extend(
    account: Account, hold: Hold, ask: Ask | None, *, expire_time: datetime | None, at: datetime
) -> tuple[Account, Extended]:
    """Add an ask to a hold, extend its life, or both; all of it or nothing.

    expire_time: None keeps it; one earlier than the hold's has no effect.
    Raises HoldAlreadyResolved, HoldExpired.
    """
    require_extendable(hold)
    reason = None
    if ask is not None:
        verdict = judge(account, ask, quoted(account, ask), at=at)
        reason = verdict.reason
        if reason is None:
            allocation = burn_down.allocate(account.drawable(at, hold.product_id), verdict.credits)
            hold = evolve(
                hold, draws=hold.draws + allocation.draws, quantity=_extended_quantity(hold, ask.amount)
            )
            account = _held(account, hold, allocation, verdict.credits)
    if reason is None and expire_time is not None and expire_time > hold.expire_time:
        hold = evolve(hold, expire_time=expire_time)
        account = account.with_changes(holds=[hold])
    if reason is None:
        account = account.due_no_later_than(hold.expire_time)
    available = account.available(at, hold.product_id)
    caps = cap_uses(account.caps, hold.counted_group_values, account.spends, anchor=hold.anchor, at=at)
    return account, Extended(
        reason=reason,
        held=hold.amount,
        expire_time=hold.expire_time,
        credit_type_id=account.credit_type_id,
        available=available,
        affordable=min((available, *(use.headroom for use in caps))),
    )


def extension_denied(account: Account, hold: Hold, reason: DenialReason, *, at: datetime) -> Extended:
    """Return the response to an extension that is denied before caps and credits are checked.

    Raises HoldAlreadyResolved, HoldExpired: these are checked first.
    """
    require_extendable(hold)
    available = account.available(at, hold.product_id)
    return Extended(
        reason=reason,
        held=hold.amount,
        expire_time=hold.expire_time,
        credit_type_id=account.credit_type_id,
        available=available,
        affordable=Credits(0),
    )


def capture(
    account: Account,
    hold: Hold,
    actual: Amount | None,
    *,
    cause_id: str,
    transaction_id: str | None = None,
    at: datetime,
) -> tuple[Account, Captured]:
    """Turn a hold into spend of the amount used (None: all that is held).

    Less than held: the rest is released, the last drawn first. More: the excess is drawn from available credits,
    and what they do not cover is a shortfall. An expired hold is drawn like a debit and marked late.
    transaction_id: of the usage event that is the capture. Raises HoldAlreadyResolved.
    """
    require_unresolved(hold)
    at = time_of_spend(account, hold.counted_group_values, at)
    is_late = hold.state is HoldState.EXPIRED
    if actual is None:
        actual = hold.whole
    meter, spent = charged(hold.price.meter_in(account.meters), actual)
    usage = _usage_of_hold(hold, actual, meter, transaction_id)
    reserved = Credits(0) if is_late else hold.amount
    from_hold = min(spent, reserved)
    split = split_draws(() if is_late else hold.draws, from_hold)
    grants: dict[GrantId, Grant] = {}
    for draw in split.captured:
        grant = grants.get(draw.grant_id, account.grants[draw.grant_id])
        grants[draw.grant_id] = capture_held(grant, draw.amount)
    entries = captures(account, split.captured, usage, cause_id=cause_id, at=at)
    account = account.with_changes(grants=grants.values(), entries=entries)
    for draw in split.released:
        account = due.give_back_draw(account, hold, draw, ended_time=at, at=at)
    excess = spent - from_hold
    shortfall = excess
    if excess or (usage.quantity and not entries):
        more = usage.without_quantity() if entries else usage
        account, shortfall = draw_now(account, excess, more, cause_id=cause_id, at=at)
    spends = counted(account, hold.counted_group_values, spent, released=reserved, anchor=hold.anchor, at=at)
    ended = end_hold(hold, HoldState.CAPTURED, captured=spent - shortfall)
    account = account.with_changes(holds=[ended], spends=spends, meters=_moved(usage, meter))
    account = alarm.observe_spend(account, hold.counted(), at=at, anchor=hold.anchor)
    return account, Captured(
        captured=spent - shortfall,
        released=reserved - from_hold,
        shortfall=shortfall,
        is_late=is_late,
        credit_type_id=account.credit_type_id,
        available=account.available(at, hold.product_id),
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
    available = account.available(at, hold.product_id)
    return account, Released(released=released, credit_type_id=account.credit_type_id, available=available)


def debit(account: Account, ask: Ask, *, cause_id: str, at: datetime) -> tuple[Account, Debited]:
    """Spend the credits of an ask at once, or deny."""
    at = time_of_spend(account, ask.counted_group_values, at)
    before = ask.entitlement.price.meter_in(account.meters)
    meter, credits = charged(before, ask.amount)
    verdict = judge(account, ask, credits, at=at)
    if verdict.reason is not None:
        return account, Debited(
            reason=verdict.reason,
            credit_type_id=account.credit_type_id,
            available=verdict.available,
            affordable=verdict.affordable,
            affordable_quantity=affordable(before.pricing, before.position, verdict.affordable),
        )
    usage = _usage_of_ask(ask, meter)
    anchor = ask.entitlement.anchor
    spends = counted(account, ask.counted_group_values, credits, released=Credits(0), anchor=anchor, at=at)
    account, shortfall = draw_now(
        account, credits, usage, cause_id=cause_id, at=at, counted=spends, meters=_moved(usage, meter)
    )
    assert not shortfall
    account = alarm.observe_spend(account, ask.counted_group_values.items(), at=at, anchor=anchor)
    left = verdict.affordable - credits
    return account, Debited(
        reason=None,
        debited=credits,
        credit_type_id=account.credit_type_id,
        available=verdict.available - credits,
        affordable=left,
        affordable_quantity=affordable(meter.pricing, meter.position, left),
    )


def _usage_of_ask(ask: Ask, meter: Meter) -> Usage:
    """meter: after the usage."""
    entitlement = ask.entitlement
    is_metered = bool(_quantity_of(ask.amount)) and entitlement.price.meter_key is not None
    return Usage(
        product_id=ask.product_id,
        contract_id=entitlement.contract_id,
        group_values=ask.group_values,
        hold_id=None,
        quantity=_quantity_of(ask.amount),
        meter_key=entitlement.price.meter_key if _quantity_of(ask.amount) else None,
        dimension_values=entitlement.dimension_values,
        meter_position=meter.position if is_metered else None,
        meter_cost=meter.cost if is_metered else None,
        counted_group_values=ask.counted_group_values,
    )


def _usage_of_hold(hold: Hold, used: Amount, meter: Meter, transaction_id: str | None) -> Usage:
    """meter: after the usage."""
    is_metered = bool(_quantity_of(used)) and hold.price.meter_key is not None
    return Usage(
        product_id=hold.product_id,
        contract_id=hold.contract_id,
        group_values=hold.group_values,
        hold_id=hold.hold_id,
        quantity=_quantity_of(used),
        meter_key=hold.price.meter_key if _quantity_of(used) else None,
        dimension_values=hold.dimension_values,
        transaction_id=transaction_id,
        meter_position=meter.position if is_metered else None,
        meter_cost=meter.cost if is_metered else None,
        counted_group_values=hold.counted_group_values,
    )


def _quantity_of(amount: Amount) -> Quantity:
    """Return the units of an amount; 0 if it is in credits."""
    return amount if isinstance(amount, Quantity) else Quantity(0)


def _held(account: Account, hold: Hold, allocation: Allocation, amount: Credits) -> Account:
    """Reserve `amount` for a hold, whose draws already include these."""
    assert not allocation.uncovered
    return account.with_changes(
        grants=[hold_from(account.grants[draw.grant_id], draw.amount) for draw in allocation.draws],
        holds=[hold],
        spends={key: hold_more(account.spends.get(key, Spend()), amount) for key in hold.counted()},
    )


def _extended_quantity(hold: Hold, added: Amount) -> Quantity:
    """Return the units of a hold after an extension: 0, and so in credits, unless all of it was asked in units."""
    was_in_units = bool(hold.quantity) or not hold.draws
    return hold.quantity + added if isinstance(added, Quantity) and was_in_units else Quantity(0)


def _affordable_part(meter: Meter, ask: Ask, credits: Credits) -> Amount:
    return affordable(meter.pricing, meter.position, credits) if isinstance(ask.amount, Quantity) else credits


def _moved(usage: Usage, meter: Meter) -> dict[MeterKey, Meter] | None:
    return None if usage.meter_key is None else {usage.meter_key: meter}


def _at_most(credits: Credits) -> Credits:
    if credits > CREDITS_MAX:
        raise too_large("quantity_micros")
    return credits
