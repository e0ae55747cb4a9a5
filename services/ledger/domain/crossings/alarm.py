# SPDX-License-Identifier: Apache-2.0
"""Observes an account's watches: one crossing each time a value moves across its threshold, not one per debit."""

from collections.abc import Collection, Iterator
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import Grant, GrantId
from services.ledger.domain.crossings.bounds import bounds_of
from services.ledger.domain.crossings.measures import is_one_of_many, values_of
from services.ledger.domain.crossings.watch import (
    OF_BALANCE,
    OF_GRANTS,
    OF_WINDOW,
    Crossing,
    LevelCrossing,
    Watch,
    WatchKind,
    WatchState,
)
from services.ledger.domain.gate.shortfall import SHORTFALL
from services.ledger.domain.gate.spend_cap import GroupValue, Spend, latest_start
from services.ledger.domain.gate.windows import window_end


def observe(
    account: Account,
    *,
    at: datetime,
    anchor: datetime | None,
    spenders: Collection[GroupValue] | None = None,
) -> Account:
    """Return the account with a crossing for every watch whose value has moved across its threshold.

    The first observation of a version of a watch also gives a crossing, whatever the value. Exception: values of a
    watch on many values or customers get one only past the threshold, and a pool that was never granted anything is
    not observed: it is not low.
    anchor: start of the usage periods; None if no contract is known, and then nothing is spent in any period.
    spenders: the group values to observe; None: all in the account, which may be too many for one debit.
    Source: services/ledger/README.md, "Watches and crossings".
    """
    crossings = list(account.crossings)
    states: dict[tuple[str, str], WatchState] = {}
    for watch in account.watches:
        for group_value, value in values_of(account, watch, at=at, anchor=anchor, spenders=spenders):
            key = (watch.alert_id, group_value)
            before = account.watch_states.get(key)
            is_new = before is None or before.version != watch.version
            in_alarm = not watch.confirms_with(group_value) and watch.is_in_alarm(
                value, before=before is not None and not is_new and before.in_alarm
            )
            if before is None and not in_alarm and is_one_of_many(watch, group_value):
                continue
            if before is None or is_new or before.in_alarm != in_alarm:
                sequence = before.sequence + 1 if before else 1
                states[key] = WatchState(in_alarm, sequence, watch.version)
                crossings.append(
                    _crossing(account, watch, group_value, value, in_alarm, sequence=sequence, at=at)
                )
    if len(crossings) == len(account.crossings):
        return account
    return evolve(account, watch_states={**account.watch_states, **states}, crossings=tuple(crossings))


def forget_ended_grants(account: Account, *, at: datetime) -> Account:
    """Return a whole account without the states of grants that have expired: they never cross again."""
    if account.is_partial:
        return account
    alert_ids = {watch.alert_id for watch in account.watches if watch.kind is WatchKind.GRANT_EXPIRING}
    ended = {
        (alert_id, grant_id)
        for (alert_id, grant_id), state in account.watch_states.items()
        if alert_id in alert_ids and grant_id and not state.in_alarm and _has_expired(account, grant_id, at)
    }
    if not ended:
        return account
    kept = {key: state for key, state in account.watch_states.items() if key not in ended}
    return evolve(account, watch_states=kept)


def _has_expired(account: Account, grant_id: str, at: datetime) -> bool:
    grant = account.grants.get(GrantId(grant_id))
    return grant is not None and grant.is_over(at)


def due_with(account: Account, grant: Grant, *, at: datetime) -> Account:
    """Return the account with a next_due_time at which a grant expires, or is watched because it expires soon."""
    if grant.expire_time is None:
        return account
    account = account.due_no_later_than(grant.expire_time, grant.slot_id)
    for look in looks_before_expiry(account, grant):
        if look > at:
            account = account.due_no_later_than(look)
    return account


def looks_before_expiry(account: Account, grant: Grant) -> set[datetime]:
    """Return when watches begin to observe a grant because it expires soon."""
    if grant.expire_time is None or grant.slot_id is not None:
        return set()
    return {
        grant.expire_time - watch.within
        for watch in account.watches
        if watch.kind is WatchKind.GRANT_EXPIRING
    }


def observe_balance(account: Account, *, at: datetime) -> Account:
    """Observe the balance and the grants that expire soon: grants change nothing else."""
    balance_watches = tuple(watch for watch in account.watches if watch.kind in OF_GRANTS)
    observed = observe(evolve(account, watches=balance_watches), at=at, anchor=None)
    return evolve(observed, watches=account.watches)


def depends_on_balance(account: Account, *, at_least: Credits) -> bool:
    """Whether a crossing may depend on what exactly remains, if at least `at_least` remains throughout.

    If not, `at_least` is enough to observe the balance: it is above every threshold, so no watch is in alarm.
    """
    for watch in account.watches:
        if watch.kind in OF_BALANCE:
            if watch.kind is WatchKind.LOW_PERCENTAGE:
                return True  # what was granted must be known, too
            state = account.watch_states.get((watch.alert_id, ""))
            is_new = not is_one_of_many(watch, "") if state is None else state.version != watch.version
            was_in_alarm = state is not None and not is_new and state.in_alarm
            if is_new or watch.is_in_alarm(at_least, before=was_in_alarm):
                return True
    return False


def observe_spend(
    account: Account, spenders: Collection[GroupValue], *, at: datetime, anchor: datetime
) -> Account:
    """Observe what a spend changes, and set next_due_time to the end of the alarms that it raises."""
    if not account.watches or bounds_of(account).hold(account, spenders, at=at, anchor=anchor):
        return account
    observed = observe(account, at=at, anchor=anchor, spenders=spenders)
    if observed is account:
        return account
    window_end = next_window_end(observed, at=at, anchor=anchor)
    return observed if window_end is None else observed.due_no_later_than(window_end)


def next_window_end(account: Account, *, at: datetime, anchor: datetime | None) -> datetime | None:
    """Return when the first alarm ends by the clock: with its window. None: there is none."""
    if anchor is None:
        return None
    windows = {watch.window for watch, _ in _alarms_of_window(account)}
    zone = account.time_zone
    return min((window_end(window, zone=zone, anchor=anchor, at=at) for window in windows), default=None)


def window_ends(account: Account, *, anchor: datetime | None) -> set[datetime]:
    """Return when what is now in alarm returns to 0: at the end of the window of each."""
    if anchor is None:
        return set()
    starts = set()
    for watch, group_value in _alarms_of_window(account):
        if watch.kind is WatchKind.OVERAGE:  # its totals are of one usage period each
            starts.add((watch.window, account.settled_time))
            continue
        subject = SHORTFALL if watch.kind is WatchKind.SHORTFALL else (watch.group_key, group_value)
        spend = account.spends.get(subject, Spend())
        starts.add((watch.window, latest_start(spend, watch.window, zone=account.time_zone)))
    return {
        window_end(window, zone=account.time_zone, anchor=anchor, at=start)
        for window, start in starts
        if start is not None
    }


def _alarms_of_window(account: Account) -> Iterator[tuple[Watch, str]]:
    watches = {watch.alert_id: watch for watch in account.watches if watch.kind in OF_WINDOW}
    for (alert_id, group_value), state in account.watch_states.items():
        if state.in_alarm and alert_id in watches:
            yield watches[alert_id], group_value


def _crossing(
    account: Account,
    watch: Watch,
    group_value: str,
    value: Credits,
    in_alarm: bool,
    *,
    sequence: int,
    at: datetime,
) -> Crossing | LevelCrossing:
    if watch.kind is WatchKind.TOP_UP_LEVEL:
        return LevelCrossing(
            auto_top_up_id=watch.alert_id,
            customer_id=account.customer_id,
            credit_type_id=account.credit_type_id,
            version=watch.version,
            in_alarm=in_alarm,
            remaining=value,
            sequence=sequence,
            observe_time=at,
        )
    return Crossing(
        alert_id=watch.alert_id,
        customer_id=account.customer_id,
        group_value="" if watch.is_of_own_subject else group_value,
        in_alarm=in_alarm,
        value_micros=value.micros,
        sequence=sequence,
        observe_time=at,
    )
