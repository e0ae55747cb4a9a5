# SPDX-License-Identifier: Apache-2.0
"""How the grant of a period follows seats and terms that arrive after it was issued, as long as it is alive.

Source: services/ledger/README.md, "Credits of a period" and "Late notices".
"""

from collections.abc import Iterator
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits
from services.ledger.domain.credits import recording
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.free_credits import FreeAllowance
from services.ledger.domain.credits.grant import Grant, take_back
from services.ledger.domain.credits.proration import Seats
from services.ledger.domain.credits.schedule import Schedule, credits_known_in_time, credits_of_period


def living_grants(account: Account, schedule: Schedule) -> list[Grant]:
    """Return the open grants of a schedule's periods, the earliest first."""
    of_schedule = (one for one in account.grants.values() if one.schedule_id == schedule.schedule_id)
    return sorted((one for one in of_schedule if not one.is_closed), key=schedule.index_of)


def instants(schedule: Schedule, seats: Seats, grant: Grant) -> Iterator[datetime]:
    """Yield the instants at which a grant's period may bring more: its start, and each change of seats inside it."""
    active = schedule.active_period(schedule.index_of(grant))
    if active is not None:
        # Also at the start of the period: a late change may be dated before it.
        yield active.start
        yield from schedule.change_times(schedule.index_of(grant), seats)


def raise_to_seats(
    account: Account,
    grant: Grant,
    schedule: Schedule,
    seats: Seats,
    free: FreeAllowance,
    *,
    due_time: datetime,
    at: datetime,
) -> Account:
    """Grant what the period's known seats bring beyond the credits granted so far; take nothing back."""
    if grant.is_closed:
        return account
    target = credits_of_period(schedule, schedule.index_of(grant), seats, through=due_time)
    added = target - grant.counted
    if added <= Credits(0):
        return account
    assert grant.period_start is not None
    if grant.withheld is not None and schedule.is_free_at(grant.period_start):
        withheld = free.withhold(schedule, grant.period_start, added)
        grant, added = evolve(grant, withheld=grant.withheld + withheld), added - withheld
        if not added:
            return account.with_changes(grants=[grant])
    return recording.add_for_seats(
        account,
        grant,
        added,
        effective_time=due_time,
        cause_id=schedule.schedule_id,
        at=at,
    )


def grant_withheld(account: Account, schedule: Schedule, *, at: datetime) -> Account:
    """Grant what was withheld from living grants of periods for which something is charged, as is known only now."""
    for grant in living_grants(account, schedule):
        assert grant.period_start is not None
        is_charged = schedule.charge_time is not None and grant.period_start >= schedule.charge_time
        if grant.withheld is not None and is_charged:
            charged = evolve(grant, withheld=None)
            account = account.with_changes(grants=[charged])
            if grant.withheld:
                account = recording.add_for_seats(
                    account,
                    charged,
                    grant.withheld,
                    effective_time=at,
                    cause_id=schedule.schedule_id,
                    at=at,
                )
    return account


def take_back_for_seats(
    account: Account, schedule: Schedule, without: Seats, seats: Seats, *, at: datetime
) -> Account:
    """Void what the living grants would not have been given if a change had been known when it was accepted.

    without, seats: without the change, and with it. What is spent or held stays. The account must be up to date at `at`
    with `seats`.
    """
    for grant in living_grants(account, schedule):
        index = schedule.index_of(grant)
        if schedule.active_period(index) is not None:
            known_late = credits_known_in_time(schedule, index, without, through=at)
            in_time = credits_known_in_time(schedule, index, seats, through=at)
            account = _take_back(account, grant, schedule, known_late, in_time, at=at)
    return account


def take_back_for_terms(
    account: Account,
    before: Schedule,
    schedule: Schedule,
    seats: Seats,
    *,
    accept_time: datetime | None,
    at: datetime,
) -> Account:
    """Void what the living grants would not have been given if new terms had been known when they were accepted.

    before, schedule: with the previous terms, and with the new ones. A period that begins at the new end or after it
    brings nothing. Others bring less only if the terms were accepted before the period began.
    """
    for grant in living_grants(account, schedule):
        index = schedule.index_of(grant)
        if before.active_period(index) is None:
            continue
        in_time = Credits(0)
        if (active := schedule.active_period(index)) is not None:
            if accept_time is None or accept_time >= active.start:
                continue
            in_time = credits_known_in_time(schedule, index, seats, through=at)
        known_late = credits_known_in_time(before, index, seats, through=at)
        account = _take_back(account, grant, schedule, known_late, in_time, at=at)
    return account


def excess_of(grant: Grant, known_late: Credits, in_time: Credits) -> Credits:
    """Return what a grant counts beyond what its period brings `in_time`, of what it brought as far as it was known."""
    return min(known_late - in_time, grant.counted - in_time)


def take_back_from(
    account: Account, grant: Grant, schedule: Schedule, voided: Credits, *, at: datetime
) -> Account:
    """Void a part (> 0) of a grant's rest, for seats that the grant should not have counted."""
    return recording.write_void(
        account,
        take_back(grant, voided),
        voided,
        effective_time=at,
        cause_id=schedule.schedule_id,
        at=at,
    )


def _take_back(
    account: Account, grant: Grant, schedule: Schedule, known_late: Credits, in_time: Credits, *, at: datetime
) -> Account:
    voided = min(excess_of(grant, known_late, in_time), grant.rest)
    return take_back_from(account, grant, schedule, voided, at=at) if voided > Credits(0) else account
