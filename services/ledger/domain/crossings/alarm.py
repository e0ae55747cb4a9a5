# SPDX-License-Identifier: Apache-2.0
"""Observes an account's watches: one crossing each time a value moves across its threshold, not one per debit."""

from collections.abc import Collection, Iterator
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.crossings.bounds import bounds_of
from services.ledger.domain.crossings.measures import is_one_of_many, values_of
from services.ledger.domain.crossings.watch import (
    OF_BALANCE,
    Crossing,
    LevelCrossing,
    Watch,
    WatchKind,
    WatchState,
)
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.gate.windows import CapWindow, window_at


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
            in_alarm = watch.is_in_alarm(value, before=before is not None and not is_new and before.in_alarm)
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


def observe_balance(account: Account, *, at: datetime) -> Account:
    """Observe the balance only: grants change nothing else."""
    balance_watches = tuple(watch for watch in account.watches if watch.kind in OF_BALANCE)
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
    """Return when spend alarms end by the clock: with the usage period. None if no spend is in alarm."""
    if anchor is None or not any(True for _ in _spends_in_alarm(account)):
        return None
    return window_at(CapWindow.BILLING_PERIOD, anchor=anchor, at=at).end


def window_ends(account: Account, *, anchor: datetime | None) -> set[datetime]:
    """Return when the spends now in alarm return to 0: at the end of the usage period of each."""
    if anchor is None:
        return set()
    periods = {account.spends[value].period for value in _spends_in_alarm(account) if value in account.spends}
    return {
        window_at(CapWindow.BILLING_PERIOD, anchor=anchor, at=period.start).end
        for period in periods
        if period is not None
    }


def _spends_in_alarm(account: Account) -> Iterator[GroupValue]:
    keys = {watch.alert_id: watch.group_key for watch in account.watches if watch.kind is WatchKind.SPEND}
    for (alert_id, group_value), state in account.watch_states.items():
        if state.in_alarm and alert_id in keys:
            yield keys[alert_id], group_value


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
        group_value=group_value,
        in_alarm=in_alarm,
        value_micros=value.micros,
        sequence=sequence,
        observe_time=at,
    )
