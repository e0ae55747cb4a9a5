# SPDX-License-Identifier: Apache-2.0
"""Funding of reported usage: which grants pay for what was used before it was reported.

First the grants that were active at the usage's own time, then those active now, each in burn-down order; what neither
covers is overage, as far as the contract allows it in the usage's own period, and then a shortfall. Of seat-scoped
credits, those of the slot pay that the seat occupied at that time. Grants active now pay for usage dated ahead. For
24 h after its expiry a grant pays for usage dated before it, from what has expired; what rolled over is paid by the
grant that it became.
Source: services/ledger/README.md, "Reported usage".
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import Grant, GrantId, capture_rest, reinstate
from services.ledger.domain.gate.spending import (
    COVERED,
    Uncovered,
    divided,
    uncovered_totals,
    without_grant,
)

PAYS_AFTER_EXPIRY = timedelta(hours=24)


def fund(
    account: Account,
    amount: Credits,
    usage: Usage,
    *,
    cause_id: str,
    used_time: datetime,
    at: datetime,
    is_correction: bool = False,
) -> tuple[Account, Uncovered]:
    """Spend `amount` on usage of `used_time`; returns what no grant covers too. Usage leaves at least one entry.

    is_correction: it corrects usage that was recorded before, and its entries say so.
    """
    writer = _Writer(
        account, usage, cause_id=cause_id, used_time=used_time, at=at, is_correction=is_correction
    )
    rest = amount
    for grant in _payers(account, usage, used_time=used_time, at=at):
        if not rest:
            break
        rest -= writer.draw(grant, rest)
    uncovered = COVERED
    if rest:
        uncovered = divided(account, rest, usage, at=at, used_time=used_time)
    if rest or not writer.has_usage:
        for kind, part in without_grant(uncovered):
            writer.write(kind, part)
    totals = uncovered_totals(account, uncovered, usage, used_time=used_time, at=at)
    return account.with_changes(
        grants=writer.grants.values(), spends=totals, entries=writer.entries
    ), uncovered


def payable(grant: Grant, *, at: datetime) -> Credits:
    """Return what a grant can still pay at `at` for usage dated before its expiry."""
    if not grant.is_closed:
        return grant.rest
    if grant.void is not None:
        return Credits(0)
    is_recent = grant.expire_time is not None and at < grant.expire_time + PAYS_AFTER_EXPIRY
    return grant.expired - grant.rolled_over if is_recent else Credits(0)


def _payers(account: Account, usage: Usage, *, used_time: datetime, at: datetime) -> Iterator[Grant]:
    """Yield the grants that may pay, each once, in the order in which they do."""
    purse = account.purse_of_usage(
        usage.contract_id, usage.product_id, usage.group_values, min(used_time, at)
    )
    then = {one.grant_id: one for one in account.drawable(min(used_time, at), usage.product_id, purse)}
    yield from then.values()
    if used_time < at:
        now = account.drawable(at, usage.product_id, purse)
        yield from (grant for grant in now if grant.grant_id not in then)


class _Writer:
    """Draws grants one after the other, and collects the entries."""

    def __init__(
        self,
        account: Account,
        usage: Usage,
        *,
        cause_id: str,
        used_time: datetime,
        at: datetime,
        is_correction: bool,
    ) -> None:
        self._is_correction = is_correction
        self._account = account
        self._usage = usage
        self._cause_id = cause_id
        self._used_time = used_time
        self._at = at
        self.grants: dict[GrantId, Grant] = {}
        self.entries: list[Entry] = []
        self.has_usage = False

    def draw(self, grant: Grant, wanted: Credits) -> Credits:
        """Take what a grant can pay, at most `wanted`; returns it."""
        taken = min(payable(grant, at=self._at), wanted)
        if not taken:
            return taken
        if grant.is_closed:
            assert grant.expire_time is not None
            self._append(EntryKind.REINSTATEMENT, taken, grant_id=grant.grant_id, time=grant.expire_time)
            self.grants[grant.grant_id] = reinstate(grant, taken)
        else:
            self.grants[grant.grant_id] = capture_rest(grant, taken)
        self.write(EntryKind.CAPTURE, -taken, grant_id=grant.grant_id)
        return taken

    def write(self, kind: EntryKind, amount: Credits, *, grant_id: GrantId | None = None) -> None:
        """Append an entry about the usage; the first one has its quantity."""
        if self._is_correction:
            kind = EntryKind.OVERAGE_CORRECTION if kind is EntryKind.OVERAGE else EntryKind.CORRECTION
        usage = self._usage.without_quantity() if self.has_usage else self._usage
        self._append(kind, amount, grant_id=grant_id, time=self._used_time, usage=usage)
        self.has_usage = True

    def _append(
        self,
        kind: EntryKind,
        amount: Credits,
        *,
        grant_id: GrantId | None,
        time: datetime,
        usage: Usage | None = None,
    ) -> None:
        entry = self._account.next_entry(
            kind,
            grant_id=grant_id,
            amount=amount,
            effective_time=time,
            create_time=self._at,
            cause_id=self._cause_id,
            usage=usage,
            behind=len(self.entries),
        )
        self.entries.append(entry)
