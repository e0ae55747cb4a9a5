# SPDX-License-Identifier: Apache-2.0
"""A refund of bought credits: the unspent part of the top-up's own grant is voided, and nothing else.

Source: services/ledger/README.md, "Refunds".
"""

from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits import issuing, recording
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CustomerId, GrantId, GrantVoid, void_amount
from services.ledger.domain.crossings import alarm

VOID_REASON = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundGrant:
    """Void credits of a top-up's grant, from Contract.

    voided_at_least: until that much of it is voided in all; None: all of its rest, and what returns to it later.
    """

    request_id: str
    fingerprint: bytes
    customer_id: CustomerId
    top_up_id: str
    voided_at_least: Credits | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRefunded:
    """Where the credits of the grant are now. granted = spent + held + expired + voided + rest.

    is_refused: there was less to void than was asked for, and nothing was voided.
    """

    granted: Credits
    spent: Credits
    held: Credits
    expired: Credits
    voided: Credits
    is_refused: bool
    apply_time: datetime


def refund_grant(
    account: Account, grant_id: GrantId, command: RefundGrant, *, at: datetime
) -> tuple[Account, GrantRefunded]:
    """Return the account after a refund, and where the grant's credits are. The account must be up to date at `at`.

    Credits that were voided before count, whoever voided them: nobody can spend them.
    """
    is_refused = False
    if command.voided_at_least is None:
        void = GrantVoid(time=at, reason=VOID_REASON, actor="")
        account, _ = issuing.void_grant(account, grant_id, void, cause_id=command.request_id, at=at)
    else:
        grant = account.grants[grant_id]
        wanted = command.voided_at_least.micros - grant.voided.micros
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
    return account, GrantRefunded(
        granted=after.granted,
        spent=after.captured,
        held=after.held,
        expired=after.expired,
        voided=after.voided,
        is_refused=is_refused,
        apply_time=at,
    )
