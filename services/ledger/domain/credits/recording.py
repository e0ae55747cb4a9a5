# SPDX-License-Identifier: Apache-2.0
"""What happens to a grant, with the entry that records it: it is issued, increased, voided, or its rest expires.

Source: services/ledger/README.md, "Zero overspend".
"""

from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.grant import Grant, expire_rest, increase


def issue(account: Account, grant: Grant, *, at: datetime, cause_id: str | None = None) -> Account:
    """Add a grant to the pool. cause_id: the request that issues it; None if a schedule does."""
    entry = account.next_entry(
        EntryKind.GRANT,
        grant_id=grant.grant_id,
        amount=grant.granted,
        effective_time=grant.effective_time,
        create_time=at,
        cause_id=cause_id or grant.schedule_id or grant.grant_id,
    )
    return account.with_changes(grants=[grant], entries=[entry])


def roll_over(account: Account, rolled: Grant, *, at: datetime) -> Account:
    """Issue the grant that the rest of another one, which has just expired, becomes."""
    assert rolled.rolled_from is not None
    expired = account.grants[rolled.rolled_from]
    account = account.with_changes(grants=[evolve(expired, rolled_over=rolled.granted)])
    return issue(account, rolled, at=at, cause_id=rolled.rolled_from)


def add_for_seats(
    account: Account, grant: Grant, added: Credits, *, effective_time: datetime, cause_id: str, at: datetime
) -> Account:
    """Grant `added` more, for seats or a share of the period that the grant did not count before."""
    entry = account.next_entry(
        EntryKind.SEAT_ADJUSTMENT,
        grant_id=grant.grant_id,
        amount=added,
        effective_time=effective_time,
        create_time=at,
        cause_id=cause_id,
    )
    return account.with_changes(grants=[increase(grant, added)], entries=[entry])


def roll_in(
    account: Account, rolled: Grant, amount: Credits, *, effective_time: datetime, cause_id: str, at: datetime
) -> Account:
    """Grant `amount` more to the grant that a plan's rest rolled to, because a hold of that plan returned it.

    cause_id: the grant that the hold drew.
    """
    entry = account.next_entry(
        EntryKind.GRANT,
        grant_id=rolled.grant_id,
        amount=amount,
        effective_time=effective_time,
        create_time=at,
        cause_id=cause_id,
    )
    return account.with_changes(grants=[increase(rolled, amount)], entries=[entry])


def write_void(
    account: Account, grant: Grant, amount: Credits, *, effective_time: datetime, cause_id: str, at: datetime
) -> Account:
    """Replace a grant by `grant`, of which `amount` was voided, and write the VOID entry if that is not zero."""
    entries = []
    if amount:
        entry = account.next_entry(
            EntryKind.VOID,
            grant_id=grant.grant_id,
            amount=-amount,
            effective_time=effective_time,
            create_time=at,
            cause_id=cause_id,
        )
        entries.append(entry)
    return account.with_changes(grants=[grant], entries=entries)


def lose_rest(account: Account, grant: Grant, *, effective_time: datetime, at: datetime) -> Account:
    """Expire the rest of a grant, and write the EXPIRY entry if there is a rest."""
    entries = []
    if grant.rest:
        entry = account.next_entry(
            EntryKind.EXPIRY,
            grant_id=grant.grant_id,
            amount=-grant.rest,
            effective_time=effective_time,
            create_time=at,
            cause_id=grant.grant_id,
        )
        entries.append(entry)
    return account.with_changes(grants=[expire_rest(grant)], entries=entries)
