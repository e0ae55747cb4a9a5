# SPDX-License-Identifier: Apache-2.0
"""Issues and voids single grants: credits that no schedule issues, and credits that an operator takes back.

Neither depends on other grants than through what remains in the pool (Account.unread), so none is read for it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from meshkit.quantity import Credits
from services.ledger.domain.credits import recording
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.commands import IssueGrant
from services.ledger.domain.credits.debt import Payment, pay_from
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    Grant,
    GrantId,
    GrantVoid,
    void_amount,
    void_rest,
)
from services.ledger.domain.crossings import alarm
from services.ledger.domain.errors import (
    AdjustmentTooLarge,
    GrantAlreadyExists,
    SourceIdReserved,
    SourceIdReused,
)

# Of the ids that Contract gives to top-ups.
TOP_UP_PREFIX: Final = "top_"


def refuse_top_up_source(command: IssueGrant) -> None:
    """Raise SourceIdReserved if an operator's grant has the source of a top-up, which would then not be granted.

    Source: services/ledger/README.md, "One grant per source".
    """
    if command.source_id is not None and command.source_id.startswith(TOP_UP_PREFIX):
        raise SourceIdReserved(source_id=command.source_id)


def refuse_known_source(command: IssueGrant, earlier: Grant, credit_type_id: CreditTypeId) -> None:
    """Raise the error for a source that has a grant already: SourceIdReused if its terms differ, or GrantAlreadyExists.

    earlier, credit_type_id: the grant of the source, and its pool.
    """
    assert command.source_id is not None
    if terms := list(_different_terms(command, earlier, credit_type_id)):
        raise SourceIdReused(source_id=command.source_id, grant_id=earlier.grant_id, terms=terms)
    raise GrantAlreadyExists(source_id=command.source_id, grant_id=earlier.grant_id)


def _different_terms(command: IssueGrant, grant: Grant, credit_type_id: CreditTypeId) -> Iterator[str]:
    """Yield the fields of the request in which it differs from a grant."""
    terms: dict[str, tuple[object, object]] = {
        "credit_type_id": (command.credit_type_id, credit_type_id),
        "grant_kind": (command.kind, grant.kind),
        "product_id": (command.product_id, grant.product_id),
        "amount_micros": (command.amount, grant.granted),
        "cost_basis_micros": (command.cost_basis_micros, grant.cost_basis_micros),
        "priority": (command.priority, grant.priority),
        # Left out, it means the time of the request, which is not the same the second time.
        "effective_time": (command.effective_time or grant.effective_time, grant.effective_time),
        "expire_time": (command.expire_time, grant.expire_time),
        "scope_product_ids": (command.scope_product_ids, grant.scope_product_ids),
    }
    return (name for name, (asked, granted) in terms.items() if asked != granted)


def issue_grant(
    account: Account, grant: Grant, *, cause_id: str, at: datetime, pays: Sequence[Payment] = ()
) -> Account:
    """Add a grant to an account that is up to date at `at`. cause_id: the request that issues it.

    pays: for which debts a part of it is voided at once.
    """
    account = recording.issue(account, grant, at=at, cause_id=cause_id)
    if grant.effective_time > at:
        account = account.due_no_later_than(grant.effective_time, grant.slot_id)
    # Even in the past: then the grant has expired, which the next reader of the pool writes.
    account = alarm.due_with(account, grant, at=at)
    for payment in pays:
        account = pay_from(account, grant.grant_id, payment, at=at)
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
            account = recording.write_void(
                account, voided, taken, effective_time=at, cause_id=cause_id, at=at
            )
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
    account = recording.write_void(
        account, void_rest(grant, void), voided, effective_time=at, cause_id=cause_id, at=at
    )
    return alarm.observe_balance(account, at=at), voided
