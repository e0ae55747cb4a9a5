# SPDX-License-Identifier: Apache-2.0
"""Issues and voids single grants: credits that no schedule issues, and credits that an operator takes back.

Neither depends on other grants than through what remains in the pool (Account.unread), so none is read for it.
"""

from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits import due
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import Grant, GrantId, GrantVoid, void_amount, void_rest
from services.ledger.domain.crossings import alarm
from services.ledger.domain.errors import AdjustmentTooLarge


def issue_grant(account: Account, grant: Grant, *, cause_id: str, at: datetime) -> Account:
    """Add a grant to an account that is up to date at `at`. cause_id: the request that issues it."""
    account = due.issue(account, grant, at=at, cause_id=cause_id)
    if grant.effective_time > at:
        account = account.due_no_later_than(grant.effective_time)
    # Even in the past: then the grant has expired, which the next reader of the pool writes.
    if grant.expire_time is not None:
        account = account.due_no_later_than(grant.expire_time)
    return alarm.observe_balance(account, at=at)


def take_away(account: Account, amount: Credits, *, cause_id: str, at: datetime) -> Account:
    """Void `amount` of what is available, in burn-down order. The account must be up to date at `at`.

    Raises AdjustmentTooLarge if less is available: nothing is taken then.
    """
    available = account.available(at)
    if amount > available:
        raise AdjustmentTooLarge(available=available)
    left = amount
    for grant in list(account.drawable(at)):
        taken = min(grant.rest, left)
        if taken:
            voided = void_amount(grant, taken)
            account = due.write_void(account, voided, taken, effective_time=at, cause_id=cause_id, at=at)
            left -= taken
    return alarm.observe_balance(account, at=at)


def void_grant(
    account: Account, grant_id: GrantId, void: GrantVoid, *, cause_id: str, at: datetime
) -> tuple[Account, Credits]:
    """Void the rest of a grant; returns the voided amount too. The account must be up to date at `at`.

    From then on, credits that were drawn or held before are voided when they return to the grant. A second void changes
    nothing, unless a schedule may have added credits since: it takes them too, also when they return.
    Source: services/ledger/README.md, "Voiding a grant".
    """
    grant = account.grants[grant_id]
    voided = grant.rest
    has_had_more = grant.schedule_id is not None and (grant.remaining or grant.captured)
    if grant.void is not None and not has_had_more:
        return account, voided
    account = due.write_void(
        account, void_rest(grant, void), voided, effective_time=at, cause_id=cause_id, at=at
    )
    return alarm.observe_balance(account, at=at), voided
