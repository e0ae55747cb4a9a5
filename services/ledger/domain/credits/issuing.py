# SPDX-License-Identifier: Apache-2.0
"""Issues single grants: credits that no schedule issues.

It depends on other grants only through what remains in the pool (Account.unread), so none of them is read for it.
"""

from datetime import datetime

from services.ledger.domain.credits import due
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import Grant
from services.ledger.domain.crossings import alarm


def issue_grant(account: Account, grant: Grant, *, cause_id: str, at: datetime) -> Account:
    """Add a grant to an account that is up to date at `at`. cause_id: the request that issues it."""
    account = due.issue(account, grant, at=at, cause_id=cause_id)
    if grant.effective_time > at:
        account = account.due_no_later_than(grant.effective_time)
    # Even in the past: then the grant has expired, which the next reader of the pool writes.
    if grant.expire_time is not None:
        account = account.due_no_later_than(grant.expire_time)
    return alarm.observe_balance(account, at=at)
