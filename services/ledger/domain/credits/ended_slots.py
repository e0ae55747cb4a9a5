# SPDX-License-Identifier: Apache-2.0
"""A change of plan for INDIVIDUAL schedules: slots that nobody has used, and the sum over all slots.

Source: services/ledger/README.md, "Named seats".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits import issuing
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import Grant, GrantId
from services.ledger.domain.credits.plan_change import (
    EndedCredits,
    EndedSchedule,
    IncludedCredits,
    PlanChange,
    rolled_grant,
    to_come_of,
)
from services.ledger.domain.credits.schedule import Schedule


@dataclass(frozen=True, slots=True)
class UnreadSlots:
    """What slots that nobody has used were granted by a schedule in the paid period, and what is left of it now.

    latest: the grant that one of them would have now; None: none.
    """

    granted: Credits = Credits(0)
    rest: Credits = Credits(0)
    latest: Grant | None = None


def end_unread_slots(
    account: Account,
    schedule: Schedule,
    change: PlanChange,
    unread: UnreadSlots,
    *,
    at: datetime,
    new_grant_id: Callable[[], GrantId],
) -> tuple[Account, EndedCredits]:
    """Return what becomes of the credits of slots that nobody has used: what rolls goes to the pool.

    Nothing is stored for them, so nothing is voided in the account. schedule: the INDIVIDUAL one.
    """
    paid = change.paid_period(schedule)
    voided = rolled = Credits(0)
    if change.included is IncludedCredits.ROLL:
        rolled = unread.rest
    elif change.included is IncludedCredits.VOID:
        voided = unread.rest
    if rolled and unread.latest is not None:
        grant = rolled_grant(unread.latest, rolled, slot_id=None, grant_id=new_grant_id(), at=at)
        account = issuing.issue_grant(account, grant, cause_id=change.request_id, at=at)
    to_come = Credits(0) if paid is None else to_come_of(schedule, schedule.index_at(at) + 1, paid)
    ended = EndedSchedule(
        schedule_id=schedule.schedule_id,
        subscription_id=schedule.subscription_id,
        credit_type_id=schedule.credit_type_id,
        granted=unread.granted,
        voided=voided,
        rolled=rolled,
        to_come=to_come,
    )
    return account, EndedCredits(ended, (Credits(0) if paid is None else voided) + to_come)


def all_slots(parts: Sequence[EndedCredits]) -> EndedCredits:
    """Return what became of an INDIVIDUAL schedule. parts: of its slots; the first is that of unread ones.

    What is still to come is that of all paid seats, which the first one tells.
    """
    ended = replace(
        parts[0].schedule,
        granted=Credits(sum(one.schedule.granted.micros for one in parts)),
        voided=Credits(sum(one.schedule.voided.micros for one in parts)),
        rolled=Credits(sum(one.schedule.rolled.micros for one in parts)),
    )
    return EndedCredits(ended, Credits(sum(one.unused.micros for one in parts)))
