# SPDX-License-Identifier: Apache-2.0
"""The gate: may this AI call be made? Holds, captures, releases, extensions and debits on an account.

Every function takes an account that is up to date at `at` (due.settle) and returns the account after it. A
denial is a result and changes nothing. Source: services/ledger/README.md, "Order of checks"
and services/ledger/README.md, "Life of a hold".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits, Quantity, Ratio
from services.ledger.domain.credits import burn_down, due
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import Allocation, Draw
from services.ledger.domain.credits.entry import Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import (
    Grant,
    GrantId,
    ProductId,
    capture_held,
    capture_rest,
    hold_from,
)
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
from services.ledger.domain.gate.spend_cap import CapUse, GroupValue, Spend, cap_uses, hold_more, spend_more
from services.ledger.domain.rating.price import affordable_quantity, cost


def priced(amount: Amount, price: Ratio) -> Credits:
    """Return the credits that an amount costs. Raises InvalidFields if they exceed CREDITS_MAX."""
    if not isinstance(amount, Quantity):
        return amount
    credits = cost(amount, price)
    if credits > CREDITS_MAX:
        raise too_large("quantity_micros")
    return credits


def judge(account: Account, ask: Ask, *, at: datetime) -> Verdict:
    """Decide whether all of an ask is affordable: spend caps first, then credits."""
    available = account.available(at, ask.product_id)
    caps: tuple[CapUse, ...] = ()
    headroom = available
    if account.caps:
        anchor = ask.entitlement.anchor
        caps = cap_uses(account.caps, ask.counted_group_values, account.spends, anchor=anchor, at=at)
        headroom = min((use.headroom for use in caps), default=available)
    credits = priced(ask.amount, ask.entitlement.price)
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
    verdict = judge(account, ask, at=at)
    amount = ask.amount
    if verdict.reason is not None and allows_part and verdict.affordable:
        amount = _affordable_part(ask, verdict.affordable)
        if amount.micros:
            verdict = replace(verdict, reason=None, credits=priced(amount, ask.entitlement.price))
    price = ask.entitlement.price
    if verdict.reason is not None:
        return account, Authorized(
            reason=verdict.reason,
            credit_type_id=account.credit_type_id,
            available=verdict.available,
            affordable=verdict.affordable,
            affordable_quantity=affordable_quantity(verdict.affordable, price),
        )
    allocation = burn_down.allocate(account.drawable(at, ask.product_id), verdict.credits)
    hold = Hold(
        hold_id=hold_id,
        product_id=ask.product_id,
        contract_id=ask.entitlement.contract_id,
        anchor=ask.entitlement.anchor,
        price=price,
        group_values=ask.group_values,
        counted_group_values=ask.counted_group_values,
        state=HoldState.HELD,
        draws=allocation.draws,
        create_time=at,
        expire_time=expire_time,
    )
    account = _held(account, hold, allocation, verdict.credits).due_no_later_than(expire_time)
    affordable = verdict.affordable - verdict.credits
    return account, Authorized(
        reason=None,
        hold_id=hold.hold_id,
        held=verdict.credits,
        held_quantity=amount if isinstance(amount, Quantity) else Quantity(0),
        expire_time=expire_time,
        credit_type_id=account.credit_type_id,
        available=verdict.available - verdict.credits,
        affordable=affordable,
        affordable_quantity=affordable_quantity(affordable, price),
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
        verdict = judge(account, ask, at=at)
        reason = verdict.reason
        if reason is None:
            allocation = burn_down.allocate(account.drawable(at, hold.product_id), verdict.credits)
            hold = evolve(hold, draws=hold.draws + allocation.draws)
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


def at_price_of(ask: Ask, hold: Hold) -> Ask:
    """Return an ask to extend a hold: at the hold's price and with its usage periods."""
    return replace(ask, entitlement=replace(ask.entitlement, price=hold.price, anchor=hold.anchor))


def capture(
    account: Account, hold: Hold, actual: Amount | None, *, cause_id: str, at: datetime
) -> tuple[Account, Captured]:
    """Turn a hold into spend of the amount used (None: all that is held).

    Less than held: the rest is released, the last drawn first. More: the excess is drawn from available credits,
    and what they do not cover is a shortfall. An expired hold is drawn like a debit and marked late.
    Raises HoldAlreadyResolved.
    """
    require_unresolved(hold)
    is_late = hold.state is HoldState.EXPIRED
    spent = hold.amount if actual is None else priced(actual, hold.price)
    usage = Usage(hold.product_id, hold.group_values, hold.hold_id)
    reserved = Credits(0) if is_late else hold.amount
    from_hold = min(spent, reserved)
    split = split_draws(() if is_late else hold.draws, from_hold)
    grants: dict[GrantId, Grant] = {}
    for draw in split.captured:
        grant = grants.get(draw.grant_id, account.grants[draw.grant_id])
        grants[draw.grant_id] = capture_held(grant, draw.amount)
    entries = _captures(account, split.captured, usage, cause_id=cause_id, at=at)
    account = account.with_changes(grants=grants.values(), entries=entries)
    for draw in split.released:
        account = due.give_back_draw(account, draw.grant_id, draw.amount, ended_time=at, at=at)
    excess = spent - from_hold
    shortfall = excess
    if excess:
        account, shortfall = _draw_now(account, hold.product_id, excess, usage, cause_id=cause_id, at=at)
    counted = _counted(
        account, hold.counted_group_values, spent, released=reserved, anchor=hold.anchor, at=at
    )
    ended = end_hold(hold, HoldState.CAPTURED, captured=spent - shortfall)
    account = account.with_changes(holds=[ended], spends=counted)
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
    verdict = judge(account, ask, at=at)
    price = ask.entitlement.price
    if verdict.reason is not None:
        return account, Debited(
            reason=verdict.reason,
            credit_type_id=account.credit_type_id,
            available=verdict.available,
            affordable=verdict.affordable,
            affordable_quantity=affordable_quantity(verdict.affordable, price),
        )
    usage = Usage(ask.product_id, ask.group_values, None)
    anchor = ask.entitlement.anchor
    counted = _counted(
        account, ask.counted_group_values, verdict.credits, released=Credits(0), anchor=anchor, at=at
    )
    account, shortfall = _draw_now(
        account, ask.product_id, verdict.credits, usage, cause_id=cause_id, at=at, counted=counted
    )
    assert not shortfall
    account = alarm.observe_spend(account, ask.counted_group_values.items(), at=at, anchor=anchor)
    affordable = verdict.affordable - verdict.credits
    return account, Debited(
        reason=None,
        debited=verdict.credits,
        credit_type_id=account.credit_type_id,
        available=verdict.available - verdict.credits,
        affordable=affordable,
        affordable_quantity=affordable_quantity(affordable, price),
    )


def _held(account: Account, hold: Hold, allocation: Allocation, amount: Credits) -> Account:
    """Reserve `amount` for a hold, whose draws already include these."""
    assert not allocation.uncovered
    return account.with_changes(
        grants=[hold_from(account.grants[draw.grant_id], draw.amount) for draw in allocation.draws],
        holds=[hold],
        spends={key: hold_more(account.spends.get(key, Spend()), amount) for key in hold.counted()},
    )


def _draw_now(
    account: Account,
    product_id: ProductId,
    amount: Credits,
    usage: Usage,
    *,
    cause_id: str,
    at: datetime,
    counted: Mapping[GroupValue, Spend] | None = None,
) -> tuple[Account, Credits]:
    """Spend `amount` from the rests of grants, in burn-down order; returns the uncovered amount too."""
    allocation = burn_down.allocate(account.drawable(at, product_id), amount)
    entries = _captures(account, allocation.draws, usage, cause_id=cause_id, at=at)
    if allocation.uncovered:
        shortfall = account.next_entry(
            EntryKind.SHORTFALL,
            grant_id=None,
            amount=allocation.uncovered,
            effective_time=at,
            create_time=at,
            cause_id=cause_id,
            usage=usage,
            behind=len(entries),
        )
        entries.append(shortfall)
    grants = [capture_rest(account.grants[draw.grant_id], draw.amount) for draw in allocation.draws]
    return account.with_changes(grants=grants, spends=counted, entries=entries), allocation.uncovered


def _captures(
    account: Account, draws: Sequence[Draw], usage: Usage, *, cause_id: str, at: datetime
) -> list[Entry]:
    return [
        account.next_entry(
            EntryKind.CAPTURE,
            grant_id=draw.grant_id,
            amount=-draw.amount,
            effective_time=at,
            create_time=at,
            cause_id=cause_id,
            usage=usage,
            behind=behind,
        )
        for behind, draw in enumerate(draws)
    ]


def _counted(
    account: Account,
    group_values: Mapping[str, str],
    spent: Credits,
    *,
    released: Credits,
    anchor: datetime,
    at: datetime,
) -> dict[GroupValue, Spend]:
    """Return the spends after counting usage, covered or not, and returning what was held for it."""
    return {
        key: spend_more(_less_held(account.spends.get(key, Spend()), released), spent, anchor=anchor, at=at)
        for key in group_values.items()
    }


def _less_held(spend: Spend, released: Credits) -> Spend:
    return hold_more(spend, -released) if released else spend


def _affordable_part(ask: Ask, affordable: Credits) -> Amount:
    return (
        affordable_quantity(affordable, ask.entitlement.price)
        if isinstance(ask.amount, Quantity)
        else affordable
    )
