# SPDX-License-Identifier: Apache-2.0
"""Overage: usage that no credits cover, which its contract allows and which is billed in money.

What a contract's open holds reserve of it, and what it has captured in a usage period, never exceed the contract's cap.
These totals are spends of a group key that no metric can have. So they are read, cached, guarded and written as the
spends of group values are. The account must have those of every usage period that a rule asks about.
Source: services/ledger/README.md, "Overage".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.gate.decision import CREDITS_MAX
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.spend_cap import GroupValue, Spend, WindowSpend, hold_more
from services.ledger.domain.gate.windows import CapWindow, window_at
from services.ledger.domain.totals import countable

# A metric's group keys are never empty.
OVERAGE_KEY = ""
# What a usage period may have of overage without a cap: as much as one request may cost at most.
WITHOUT_CAP = CREDITS_MAX


def held_in(contract_id: str) -> GroupValue:
    """Return where it is counted what the open holds of a contract reserve of overage."""
    return OVERAGE_KEY, contract_id


def captured_in(contract_id: str, period_start: datetime) -> GroupValue:
    """Return where it is counted what a contract has captured of overage in one usage period."""
    return OVERAGE_KEY, f"{period_start.isoformat()} {contract_id}"


def totals_for(
    contract_ids: Iterable[str], anchor: datetime, instants: Iterable[datetime]
) -> set[GroupValue]:
    """Return the totals that decisions about usage at these instants need.

    Each instant's usage period and the next one: events may be dated ahead. anchor: start of the usage periods.
    """
    starts = {window_at(CapWindow.BILLING_PERIOD, anchor=anchor, at=instant) for instant in instants}
    return {
        total
        for contract_id in contract_ids
        for period in starts
        for total in (
            held_in(contract_id),
            captured_in(contract_id, period.start),
            captured_in(contract_id, period.end),
        )
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class OverageNow:
    """The overage of a contract in one usage period. cap: the most that both amounts may come to; None: no limit."""

    contract_id: str
    cap: Credits | None
    captured: Credits
    held: Credits
    period: Period


def overage_now(account: Account, at: datetime) -> tuple[OverageNow, ...]:
    """Return the overage of each contract that allows it, or has had some, in the usage period of `at`.

    Of a total that the account does not have, nothing is counted: read_snapshot reads all that there are.
    """
    if not account.overage_caps:
        return ()
    period = window_at(CapWindow.BILLING_PERIOD, anchor=_anchor(account), at=at)
    return tuple(
        OverageNow(
            contract_id=contract_id,
            cap=cap,
            captured=_spent(account.spends.get(captured_in(contract_id, period.start))),
            held=account.spends.get(held_in(contract_id), Spend()).held,
            period=period,
        )
        for contract_id, cap in sorted(account.overage_caps.items())
    )


def room(
    account: Account, contract_id: str | None, *, at: datetime, used_time: datetime | None = None
) -> Credits:
    """Return how much more usage of a contract may be overage at `at`; 0 unless the contract allows overage.

    used_time: of usage that is reported at `at`. It counts in its own usage period. What open holds reserve may be
    captured in the present usage period or in the next one, so both have room for it.
    """
    if contract_id is None or contract_id not in account.overage_caps:
        return Credits(0)
    cap = account.overage_caps[contract_id]
    if cap is None:
        cap = WITHOUT_CAP
    anchor = _anchor(account)
    period = window_at(CapWindow.BILLING_PERIOD, anchor=anchor, at=at)
    used = used_time or at
    if used < period.start:
        past = window_at(CapWindow.BILLING_PERIOD, anchor=anchor, at=used)
        used_up = _captured(account, contract_id, past.start)
    else:
        used_up = account.spends[held_in(contract_id)].held + max(
            _captured(account, contract_id, period.start), _captured(account, contract_id, period.end)
        )
    return max(Credits(0), cap - used_up)


def held_more(account: Account, contract_id: str, amount: Credits) -> dict[GroupValue, Spend]:
    """Return the total after `amount` more (negative: less) is reserved; nothing for 0. Raises TotalTooLarge."""
    if not amount:
        return {}
    total = held_in(contract_id)
    return {total: hold_more(account.spends[total], amount)}


def released(account: Account, hold: Hold) -> Account:
    """Return the account without the overage that a hold reserves."""
    if hold.overage:
        for contract_id, amount in reserved_by(hold).items():
            account = account.with_changes(spends=held_more(account, contract_id, -amount))
    return account


def captured_more(
    account: Account, contract_id: str, amount: Credits, *, used_time: datetime
) -> dict[GroupValue, Spend]:
    """Return the total after `amount` more (negative: less) of usage of `used_time` is overage; nothing for 0."""
    if not amount:
        return {}
    start = window_at(CapWindow.BILLING_PERIOD, anchor=_anchor(account), at=used_time).start
    total = captured_in(contract_id, start)
    spend = account.spends[total]
    before = spend.period.spent if spend.period is not None else Credits(0)
    after = countable(before + amount, "the overage of a usage period")
    assert after >= Credits(0)
    return {total: evolve(spend, period=WindowSpend(start, after))}


def reserved_by(hold: Hold) -> dict[str, Credits]:
    """Return the overage that a hold reserves, by contract; nothing for a hold that reserves none."""
    reserved: dict[str, Credits] = {}
    for part in hold.parts:
        if part.overage:
            reserved[part.contract_id] = reserved.get(part.contract_id, Credits(0)) + part.overage
    return reserved


def _captured(account: Account, contract_id: str, period_start: datetime) -> Credits:
    return _spent(account.spends[captured_in(contract_id, period_start)])


def _spent(total: Spend | None) -> Credits:
    return Credits(0) if total is None or total.period is None else total.period.spent


def _anchor(account: Account) -> datetime:
    assert account.usage_anchor is not None  # a contract has begun the usage periods
    return account.usage_anchor
