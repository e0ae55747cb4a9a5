# SPDX-License-Identifier: Apache-2.0
"""The rules of leases: how one is taken, what a use takes from it, how it is renewed and ended.

Every function takes an account that is up to date at `at`, as those of gate.py do.
Source: services/ledger/README.md, "Leases".
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.crossings import alarm
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.charging import charged, moved, usage_of_ask
from services.ledger.domain.gate.decision import Ask, Captured, DenialReason, Verdict
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState, split_draws
from services.ledger.domain.gate.lease import (
    GRACE,
    Leased,
    LeaseDenied,
    LeaseEnded,
    LeaseSettled,
    Renewal,
    spendable_until,
)
from services.ledger.domain.gate.lease_terms import require_leasable
from services.ledger.domain.gate.overage import held_more
from services.ledger.domain.gate.spend_cap import Spend, hold_more
from services.ledger.domain.gate.spending import counted, spend_held, time_of_spend
from services.ledger.domain.gate.subjects import subjects_of

NOTHING = Credits(0)


def take(
    account: Account, ask: Ask, *, lease_id: HoldId, spend_until: datetime, at: datetime
) -> tuple[Account, Leased]:
    """Reserve the credits of an ask, or what of them is affordable. Raises ProductNotLeasable."""
    require_leasable(account, ask, at)
    asked = _asked(ask)
    verdict = gate.judge(account, ask, asked, at=at)
    credits = min(asked, verdict.affordable)
    if not credits:
        return account, LeaseDenied(
            reason=_reason(verdict),
            credit_type_id=account.credit_type_id,
            available=verdict.available,
            reached_cap=verdict.reached_cap,
        )
    account, held = gate.authorize(
        account,
        replace(ask, amount=credits),
        hold_id=lease_id,
        expire_time=spend_until + GRACE,
        allows_part=False,
        at=at,
    )
    assert held.held == credits
    return account, Leased(
        reason=None,
        lease_id=lease_id,
        leased=credits,
        expire_time=spend_until,
        credit_type_id=account.credit_type_id,
        available=held.available,
    )


def record_use(
    account: Account, lease: Hold, ask: Ask, *, cause_id: str, at: datetime
) -> tuple[Account, Hold, Captured]:
    """Spend what a call has cost: first from the lease, if it is open, then like a debit that nothing refuses.

    Returns the lease as it is afterwards, which the caller adds to the account. Raises InvalidFields, TotalTooLarge.
    """
    entitlement = ask.entitlement
    contract_id = entitlement.contract_id
    subjects = subjects_of(account, ask.counted_group_values, ask.product_id)
    at = time_of_spend(account, subjects, at)
    meter, cost = charged(entitlement.price.meter_in(account.meters), ask.amount)
    usage = usage_of_ask(ask, meter)
    is_late = lease.state is not HoldState.HELD
    covered = NOTHING if is_late else min(cost, lease.drawn)
    draws = split_draws(lease.draws, covered).captured if covered else ()
    reserved = NOTHING
    if not is_late and contract_id == lease.contract_id:
        reserved = min(cost - covered, lease.overage)
    account = account.with_changes(
        meters=moved(usage, meter), spends=held_more(account, contract_id, -reserved)
    )
    account, uncovered = spend_held(
        account,
        draws,
        cost - covered,
        usage,
        purse=account.purse_of_usage(contract_id, ask.product_id, ask.group_values, at),
        cause_id=cause_id,
        at=at,
        reserved=reserved,
    )
    used_overage = min(reserved, uncovered.overage)
    account = account.with_changes(spends=held_more(account, contract_id, reserved - used_overage))
    if not is_late:
        account, lease = _less(account, lease, covered, used_overage)
    spends = counted(account, subjects, cost, anchor=entitlement.anchor, at=at)
    account = alarm.observe_spend(
        account.with_changes(spends=spends), subjects, at=at, anchor=entitlement.anchor
    )
    return (
        account,
        lease,
        Captured(
            captured=cost - uncovered.shortfall,
            overage=uncovered.overage,
            released=NOTHING,
            shortfall=uncovered.shortfall,
            is_late=is_late,
            credit_type_id=account.credit_type_id,
            available=account.available(at, ask.product_id),
        ),
    )


def renew(
    account: Account, lease: Hold, ask: Ask | DenialReason, renewal: Renewal, *, at: datetime
) -> tuple[Account, LeaseSettled]:
    """Add what is affordable of a renewal, and lengthen the lease. A denied renewal, or one of a lease that has ended,
    changes nothing.

    ask: what an addition asks for, or why it is denied before caps and credits.
    """
    if lease.state is not HoldState.HELD:
        return account, settled(account, lease, at=at)
    if isinstance(ask, DenialReason):
        return account, settled(account, lease, reason=ask, at=at)
    more: Ask | None = None
    if renewal.credits > lease.amount:
        wanted = renewal.credits - lease.amount
        verdict = gate.judge(account, ask, wanted, at=at)
        added = min(wanted, verdict.affordable)
        if not added:
            return account, settled(account, lease, reason=_reason(verdict), at=at)
        more = replace(ask, amount=added)
    account, extended = gate.extend(account, lease, more, expire_time=at + renewal.ttl + GRACE, at=at)
    assert extended.reason is None
    lease = account.holds[lease.hold_id]
    merged = evolve(lease, draws=_merged(lease.draws))
    return account.with_changes(holds=[merged]), settled(account, merged, is_renewed=True, at=at)


def settled(
    account: Account,
    lease: Hold,
    *,
    reason: DenialReason | None = None,
    is_renewed: bool = False,
    at: datetime,
) -> LeaseSettled:
    """Return the response about a lease as it is."""
    return LeaseSettled(
        reason=reason,
        is_renewed=is_renewed,
        leased=lease.amount if lease.state is HoldState.HELD else NOTHING,
        expire_time=spendable_until(lease),
        credit_type_id=account.credit_type_id,
        available=account.available(at, lease.product_id),
    )


def end(account: Account, lease: Hold, *, at: datetime) -> tuple[Account, LeaseEnded]:
    """Return what is left of a lease; of one that has ended nothing is."""
    released = NOTHING
    if lease.state is HoldState.HELD:
        account, response = gate.release(account, lease, at=at)
        released = response.released
    return account, LeaseEnded(
        released=released,
        credit_type_id=account.credit_type_id,
        available=account.available(at, lease.product_id),
    )


def _asked(ask: Ask) -> Credits:
    assert isinstance(ask.amount, Credits)  # a lease is asked for in credits
    return ask.amount


def _reason(verdict: Verdict) -> DenialReason:
    """Return why nothing is affordable: the check that fails, also if only shadow mode would let a call pass."""
    refusal = verdict.refusal or verdict.shadow
    assert refusal is not None
    return refusal.reason


def _less(account: Account, lease: Hold, drawn: Credits, used_overage: Credits) -> tuple[Account, Hold]:
    """Return a lease without what a use has taken from it, which its subjects do not hold any more."""
    taken = drawn + used_overage
    if not taken:
        return account, lease
    rest = split_draws(lease.draws, drawn).released
    spends = {
        subject: hold_more(account.spends.get(subject, Spend()), -taken)
        for subject in subjects_of(account, lease.counted_group_values, lease.product_id)
    }
    return account.with_changes(spends=spends), evolve(
        lease, draws=rest, overage=lease.overage - used_overage
    )


def _merged(draws: Iterable[Draw]) -> tuple[Draw, ...]:
    """Join neighbouring draws of one grant: a lease that is renewed every second would collect thousands."""
    merged: list[Draw] = []
    for draw in draws:
        if merged and merged[-1].grant_id == draw.grant_id:
            merged[-1] = Draw(draw.grant_id, merged[-1].amount + draw.amount)
        else:
            merged.append(draw)
    return tuple(merged)
