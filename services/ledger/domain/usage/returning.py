# SPDX-License-Identifier: Apache-2.0
"""Credits that come back: from which entries, to which grants, and what becomes of them if their grant has ended.

CORRECTION entries reduce what is left of earlier entries, each naming the one it reduces. A customer must not lose what
it bought to a mistake: what returns to a grant that has ended first replaces what later grants paid while it lived.
Source: services/ledger/README.md, "Corrections".
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits import recording
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import burn_down_key
from services.ledger.domain.credits.entry import BILLED, Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import Grant, GrantId, capture_rest, return_captured, void_amount
from services.ledger.domain.credits.seats import SeatName
from services.ledger.domain.crossings import alarm
from services.ledger.domain.gate.overage import captured_more
from services.ledger.domain.gate.shortfall import shortfall_less
from services.ledger.domain.gate.spending import less_spent
from services.ledger.domain.gate.subjects import subjects_of
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage.pieces import Left, Piece


def returns(amount: Credits, piece: Piece, others: Sequence[Left]) -> list[Left]:
    """Return from which entries an amount comes back, and how much from each.

    First the shortfall of the piece, then its overage, then its draws in reverse order, then the latest entries of its
    meter. others: of the meter, newest first; needed if the amount is more than what is left of the piece.
    """
    own = sorted(piece.lefts, key=lambda left: (left.entry.grant_id is not None, -left.entry.sequence))
    found = []
    rest = amount
    for left in (*own, *others):
        taken = min(left.credits, rest)
        if taken:
            found.append(replace(left, credits=taken))
            rest -= taken
    assert not rest
    return found


def grants_of(lefts: Iterable[Left]) -> frozenset[GrantId]:
    """Return the grants that paid these entries."""
    return frozenset(left.entry.grant_id for left in lefts if left.entry.grant_id is not None)


def give_back(
    account: Account,
    product: UsageProduct,
    left: Left,
    usage: Usage,
    *,
    cause_id: str,
    anchor: datetime,
    at: datetime,
) -> Account:
    """Take `left.credits` of an entry back: to its grant, or from shortfall or overage, and from the spends. usage: of
    the correction.
    """
    account = _correct(account, left, usage, cause_id=cause_id, at=at)
    return _count_less(account, product, left, anchor=anchor, at=at)


def seats_of(lefts: Iterable[Left]) -> set[SeatName]:
    """Return the group values of the usage of entries, of which some may be seat ids."""
    return {name for left in lefts if left.entry.usage for name in left.entry.usage.group_values.items()}


def cause_of(entry: Entry, cause_id: str) -> str:
    """Return the cause of an entry that says more of the usage of an entry. cause_id: what makes us write it.

    A debit has no id: what is written of it later is found again by its cause.
    """
    assert entry.usage is not None
    has_name = entry.usage.transaction_id is not None or entry.usage.hold_id is not None
    return cause_id if has_name else entry.cause_id


def usage_of(left: Left) -> Usage:
    """Return what an entry says of its usage, without quantity and meter."""
    usage = left.entry.usage
    assert usage is not None
    return replace(usage, quantity=Quantity(0), meter_position=None, meter_cost=None)


def _correct(account: Account, left: Left, usage: Usage, *, cause_id: str, at: datetime) -> Account:
    entry, amount = left.entry, left.credits
    grant_id = entry.grant_id if amount else None
    assert entry.usage is not None
    correction = account.next_entry(
        EntryKind.CORRECTION,
        grant_id=grant_id,
        amount=amount if grant_id is not None else -amount,
        effective_time=entry.effective_time,
        create_time=at,
        cause_id=cause_id,
        usage=usage,
        corrects=entry.sequence,
    )
    if grant_id is None:
        if entry.kind not in BILLED:
            totals = shortfall_less(account, amount, used_time=entry.effective_time, at=at)
        elif entry.usage.contract_id is not None:
            totals = captured_more(account, entry.usage.contract_id, -amount, used_time=entry.effective_time)
        else:
            totals = {}
        return account.with_changes(spends=totals, entries=[correction])
    grant = return_captured(account.grants[grant_id], amount, at=at)
    account = account.with_changes(grants=[grant], entries=[correction])
    if lost := grant.voided_of_return(amount, left.drawn_time):
        voided = void_amount(grant, lost)
        account = recording.write_void(account, voided, lost, effective_time=at, cause_id=grant_id, at=at)
    if lost == amount or grant.is_over(at):
        return account
    return alarm.due_with(account, grant, at=at)


def replaceable(grants: Iterable[Grant], ended: Grant, *, at: datetime) -> list[GrantId]:
    """Return the grants whose draws credits of a grant that has ended may replace: active ones that burn after it.

    Of seat-scoped grants, only those of its own slot.
    """
    return [
        grant.grant_id
        for grant in grants
        if grant.captured
        and grant.slot_id in (None, ended.slot_id)
        and grant.void is None
        and not grant.owed
        and grant.is_active(at)
        and burn_down_key(grant) > burn_down_key(ended)
    ]


def end_returned(
    account: Account, returned: Sequence[Left], later: Sequence[Left], *, cause_id: str, at: datetime
) -> Account:
    """Let what returned to grants that have ended replace later draws; the rest of it expires.

    later: draws that may be replaced, newest first, as they were before anything was returned.
    """
    taken: dict[int, Credits] = defaultdict(Credits.zero)
    for left in returned:
        taken[left.entry.sequence] += left.credits
    draws = [replace(left, credits=left.credits - taken[left.entry.sequence]) for left in later]
    for grant_id in dict.fromkeys(left.entry.grant_id for left in returned):
        if grant_id is not None and account.grants[grant_id].is_over(at):
            account, draws = _replace_draws(account, grant_id, draws, cause_id=cause_id, at=at)
            account = recording.lose_rest(account, account.grants[grant_id], effective_time=at, at=at)
    return account


def _replace_draws(
    account: Account, ended_id: GrantId, draws: Sequence[Left], *, cause_id: str, at: datetime
) -> tuple[Account, list[Left]]:
    """Let the rest of a grant that has ended pay for draws that it would have paid for; returns what is left of them.

    The usage stays as it was: one entry returns what it drew, and another one of the same cause draws the same amount.
    """
    kept = []
    for draw in draws:
        ended = account.grants[ended_id]
        credits = (
            min(draw.credits, ended.rest) if _would_have_paid(account, ended, draw, at=at) else Credits(0)
        )
        if credits:
            moved, usage = replace(draw, credits=credits), usage_of(draw)
            cause = cause_of(draw.entry, cause_id)
            account = _correct(account, moved, usage, cause_id=cause, at=at)
            drawn = account.next_entry(
                EntryKind.CORRECTION,
                grant_id=ended_id,
                amount=-credits,
                effective_time=draw.entry.effective_time,
                create_time=at,
                cause_id=cause,
                usage=usage,
            )
            account = account.with_changes(grants=[capture_rest(ended, credits)], entries=[drawn])
        kept.append(replace(draw, credits=draw.credits - credits))
    return account, kept


def _would_have_paid(account: Account, ended: Grant, draw: Left, *, at: datetime) -> bool:
    """Whether a grant that has ended would have paid for what a later one paid, had it had the credits."""
    usage, grant_id = draw.entry.usage, draw.entry.grant_id
    assert usage is not None
    assert grant_id is not None
    purse = account.purse(usage.contract_id, usage.product_id, usage.group_values, draw.entry.effective_time)
    return (
        purse is not None
        and purse.allows(ended)
        and ended.is_active(draw.entry.effective_time)
        and ended.covers(usage.product_id)
        and grant_id in replaceable([account.grants[grant_id]], ended, at=at)
    )


def _count_less(
    account: Account, product: UsageProduct, left: Left, *, anchor: datetime, at: datetime
) -> Account:
    assert left.entry.usage is not None
    group_values = product.counted(left.entry.usage.group_values)
    subjects = subjects_of(account, group_values, product.product_id)
    spends = less_spent(
        account, subjects, left.credits, anchor=anchor, at=at, used_time=left.entry.effective_time
    )
    return account.with_changes(spends=spends)
