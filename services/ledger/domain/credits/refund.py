# SPDX-License-Identifier: Apache-2.0
"""A refund of bought credits: the unspent part of the top-up's own grant is voided, the spent part may become debt.

Source: services/ledger/README.md, "Refunds" and "Debt".
"""

from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits import issuing, recording
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.debt import DebtEntry, DebtHistory, DebtKind
from services.ledger.domain.credits.grant import (
    REFUND_REASON,
    CustomerId,
    GrantId,
    GrantVoid,
    void_amount,
    void_for_money,
)
from services.ledger.domain.crossings import alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundGrant:
    """Void credits of a top-up's grant, from Contract.

    voided_at_least: until that much of it is voided in all; None: all of its rest, and what returns to it later.
    accept_debt: the money goes back, or has gone, whatever was spent; None is all that was granted then.
    """

    request_id: str
    fingerprint: bytes
    customer_id: CustomerId
    top_up_id: str
    refund_id: str
    voided_at_least: Credits | None
    accept_debt: bool
    currency_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseRefund:
    """The money of a refund with accept_debt is back, from Contract."""

    request_id: str
    fingerprint: bytes
    customer_id: CustomerId
    top_up_id: str
    refund_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRefunded:
    """Where the credits of the grant are now. granted = spent + held + expired + voided + rest.

    voided: those whose money may go back, or went back, also if other grants have paid for them since. So not what paid
    for debts, or was granted anew: that is spent. is_refused: there was less to void than was asked for, and
    nothing was voided. owed: credits of the grant that were used and whose money went back.
    """

    granted: Credits
    spent: Credits
    held: Credits
    expired: Credits
    voided: Credits
    is_refused: bool
    apply_time: datetime
    owed: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReversed:
    """cancelled: of what was owed. granted: in a new grant; None if nothing was to be given back."""

    cancelled: Credits
    grant_id: GrantId | None
    granted: Credits
    apply_time: datetime


def refund_grant(
    account: Account, grant_id: GrantId, command: RefundGrant, history: DebtHistory, *, at: datetime
) -> tuple[Account, DebtEntry | None, GrantRefunded]:
    """Return the account after a refund, what it writes about debt, and where the grant's credits are.

    The account must be up to date at `at`. Credits that were voided before count, whoever voided them, because nobody
    can spend them; but not those that have paid for a debt.
    """
    paid_for = history.paid_for
    is_refused = False
    entry: DebtEntry | None = None
    if command.accept_debt and history.refund(command.refund_id) is not None:
        pass  # asked for again: its money went back once
    elif command.accept_debt:
        account, entry = _with_debt(account, grant_id, command, paid_for, at=at)
    elif command.voided_at_least is None:
        void = GrantVoid(time=at, reason=REFUND_REASON, actor="")
        account, _ = issuing.void_grant(account, grant_id, void, cause_id=command.request_id, at=at)
    else:
        grant = account.grants[grant_id]
        wanted = command.voided_at_least.micros + paid_for.micros - grant.voided.micros
        is_refused = wanted > grant.rest.micros
        if wanted > 0 and not is_refused:
            amount = Credits(wanted)
            account = recording.write_void(
                account,
                void_amount(grant, amount),
                amount,
                effective_time=at,
                cause_id=command.request_id,
                at=at,
            )
            account = alarm.observe_balance(account, at=at)
    after = account.grants[grant_id]
    return (
        account,
        entry,
        GrantRefunded(
            granted=after.granted,
            # Credits that returned after they were paid for again are no part of what was sold.
            spent=max(Credits(0), after.captured + paid_for),
            held=after.held,
            expired=after.expired,
            voided=after.voided - paid_for,
            is_refused=is_refused,
            apply_time=at,
            owed=after.owed,
        ),
    )


def _with_debt(
    account: Account, grant_id: GrantId, command: RefundGrant, paid_for: Credits, *, at: datetime
) -> tuple[Account, DebtEntry]:
    """Void the rest as far as its money goes back; what has been used of it is owed."""
    grant = account.grants[grant_id]
    # What was voided, or is owed already, had its money go back before.
    before = grant.voided if grant.to_void is None else max(grant.voided, grant.to_void)
    wanted = grant.granted if command.voided_at_least is None else command.voided_at_least
    to_void = max(before, wanted + paid_for)
    amount = min(grant.rest, to_void - grant.voided)
    account = recording.write_void(
        account,
        void_for_money(grant, amount, to_void=to_void, at=at),
        amount,
        effective_time=at,
        cause_id=command.request_id,
        at=at,
    )
    return alarm.observe_balance(account, at=at), DebtEntry(
        kind=DebtKind.REFUND,
        grant_id=grant_id,
        credit_type_id=account.credit_type_id,
        refund_id=command.refund_id,
        currency_code=command.currency_code,
        create_time=at,
        to_void=to_void if grant.to_void is None else to_void - grant.to_void,
        refunded=to_void - before,
    )
