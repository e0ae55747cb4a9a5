# SPDX-License-Identifier: Apache-2.0
"""Spends credits on usage: which grants pay, the entries that record it, and what it counts towards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits import burn_down
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.entry import Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import Grant, GrantId, capture_held, capture_rest
from services.ledger.domain.credits.seats import Purse
from services.ledger.domain.gate.overage import captured_more, room
from services.ledger.domain.gate.shortfall import shortfall_more
from services.ledger.domain.gate.spend_cap import (
    GroupValue,
    Spend,
    hold_more,
    spend_less,
    spend_more,
    windows_to_count,
)
from services.ledger.domain.usage.meter import Meter, MeterKey


@dataclass(frozen=True, slots=True)
class Uncovered:
    """The part of an amount that no credits cover. overage: billed; shortfall: not billed."""

    overage: Credits
    shortfall: Credits

    def __bool__(self) -> bool:
        return bool(self.overage or self.shortfall)


COVERED = Uncovered(Credits(0), Credits(0))


def draw_now(
    account: Account,
    amount: Credits,
    usage: Usage,
    *,
    purse: Purse,
    cause_id: str,
    at: datetime,
    counted: Mapping[GroupValue, Spend] | None = None,
    meters: Mapping[MeterKey, Meter] | None = None,
    reserved: Credits = Credits(0),
) -> tuple[Account, Uncovered]:
    """Spend `amount` from the rests of grants, in burn-down order; returns what they do not cover too.

    Usage leaves at least one entry: an UNCHARGED one if it costs nothing. purse: whose credits it may draw. counted,
    meters: spends and meters to save with it. reserved: the overage that is allowed even if the contract leaves no room
    for it any more.
    """
    allocation = burn_down.allocate(account.drawable(at, usage.product_id, purse), amount)
    entries = captures(account, allocation.draws, usage, cause_id=cause_id, at=at)
    uncovered = COVERED
    if allocation.uncovered:
        uncovered = divided(account, allocation.uncovered, usage, at=at, used_time=at, reserved=reserved)
        counted = {**(counted or {}), **uncovered_totals(account, uncovered, usage, used_time=at, at=at)}
    if allocation.uncovered or (usage.quantity and not entries):
        for kind, rest in without_grant(uncovered):
            entries.append(
                account.next_entry(
                    kind,
                    grant_id=None,
                    amount=rest,
                    effective_time=at,
                    create_time=at,
                    cause_id=cause_id,
                    usage=usage.without_quantity() if entries else usage,
                    behind=len(entries),
                )
            )
    grants = [capture_rest(account.grants[draw.grant_id], draw.amount) for draw in allocation.draws]
    account = account.with_changes(grants=grants, spends=counted, meters=meters, entries=entries)
    return account, uncovered


def spend_held(
    account: Account,
    draws: Sequence[Draw],
    excess: Credits,
    usage: Usage,
    *,
    purse: Purse,
    cause_id: str,
    at: datetime,
    reserved: Credits = Credits(0),
) -> tuple[Account, Uncovered]:
    """Spend draws that were held for usage, and what it costs beyond them as draw_now does."""
    grants: dict[GrantId, Grant] = {}
    for draw in draws:
        grant = grants.get(draw.grant_id, account.grants[draw.grant_id])
        grants[draw.grant_id] = capture_held(grant, draw.amount)
    entries = captures(account, draws, usage, cause_id=cause_id, at=at)
    account = account.with_changes(grants=grants.values(), entries=entries)
    if not excess and (entries or not usage.quantity):
        return account, COVERED
    more = usage.without_quantity() if entries else usage
    return draw_now(account, excess, more, purse=purse, cause_id=cause_id, at=at, reserved=reserved)


def divided(
    account: Account,
    amount: Credits,
    usage: Usage,
    *,
    at: datetime,
    used_time: datetime,
    reserved: Credits = Credits(0),
) -> Uncovered:
    """Divide what no credits cover of usage of `used_time`: overage, as far as its contract allows, and shortfall."""
    overage = min(amount, max(reserved, room(account, usage.contract_id, at=at, used_time=used_time)))
    return Uncovered(overage, amount - overage)


def uncovered_totals(
    account: Account, uncovered: Uncovered, usage: Usage, *, used_time: datetime, at: datetime
) -> dict[GroupValue, Spend]:
    """Return the totals of overage and shortfall that usage of `used_time` changes; nothing if it has neither."""
    totals = shortfall_more(account, uncovered.shortfall, used_time=used_time, at=at)
    if uncovered.overage:
        assert usage.contract_id is not None
        totals |= captured_more(account, usage.contract_id, uncovered.overage, used_time=used_time)
    return totals


def without_grant(uncovered: Uncovered) -> list[tuple[EntryKind, Credits]]:
    """Return the entries of usage that no grant pays: kind and amount. If there is nothing to pay, an UNCHARGED one."""
    kinds = ((EntryKind.OVERAGE, uncovered.overage), (EntryKind.SHORTFALL, uncovered.shortfall))
    return [(kind, amount) for kind, amount in kinds if amount] or [(EntryKind.UNCHARGED, Credits(0))]


def captures(
    account: Account, draws: Sequence[Draw], usage: Usage, *, cause_id: str, at: datetime
) -> list[Entry]:
    """Return the CAPTURE entries of draws; the quantity is on the first."""
    return [
        account.next_entry(
            EntryKind.CAPTURE,
            grant_id=draw.grant_id,
            amount=-draw.amount,
            effective_time=at,
            create_time=at,
            cause_id=cause_id,
            usage=usage.without_quantity() if behind else usage,
            behind=behind,
        )
        for behind, draw in enumerate(draws)
    ]


def counted(
    account: Account,
    subjects: Iterable[GroupValue],
    spent: Credits,
    *,
    anchor: datetime,
    at: datetime,
    used_time: datetime | None = None,
    released: Mapping[GroupValue, Credits] | None = None,
) -> dict[GroupValue, Spend]:
    """Return the spends after counting usage, covered or not, and returning what was held for it.

    used_time: of usage that is reported at `at`; it counts in the windows of its own time.
    """
    return {
        subject: spend_more(
            _less_held(account, subject, released),
            spent,
            anchor=anchor,
            at=at,
            used_time=used_time,
            windows=windows_to_count(account.windows, subject) if account.windows else (),
        )
        for subject in subjects
    }


def less_spent(
    account: Account,
    subjects: Iterable[GroupValue],
    returned: Credits,
    *,
    anchor: datetime,
    at: datetime,
    used_time: datetime,
) -> dict[GroupValue, Spend]:
    """Return the spends without an amount of usage of `used_time` that is taken back at `at`."""
    return {
        subject: spend_less(
            account.spends.get(subject, Spend()),
            returned,
            anchor=anchor,
            at=at,
            used_time=used_time,
            windows=windows_to_count(account.windows, subject) if account.windows else (),
        )
        for subject in subjects
    }


def time_of_spend(account: Account, subjects: Iterable[GroupValue], at: datetime) -> datetime:
    """Return `at`, or the start of the latest window in which one of these subjects has spent, if that is later.

    A request that was overtaken at a window's start counts in the newer window, and its entries are dated so.
    """
    latest = at
    for subject in subjects:
        spend = account.spends.get(subject)
        if spend is not None:
            for last in (spend.period, spend.day):
                if last is not None and last.start > latest:
                    latest = last.start
            if spend.windows is not None:
                latest = max((latest, *(tally.since for tally in spend.windows.values())))
    return latest


def _less_held(account: Account, subject: GroupValue, released: Mapping[GroupValue, Credits] | None) -> Spend:
    spend = account.spends.get(subject, Spend())
    return hold_more(spend, -released[subject]) if released and released[subject] else spend
