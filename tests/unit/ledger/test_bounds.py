# SPDX-License-Identifier: Apache-2.0
"""Bounds of watches: a debit between thresholds evaluates none of them, and none is missed."""

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import GrantKind
from services.ledger.domain.crossings import alarm
from services.ledger.domain.crossings.watch import Watch, WatchState
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.spend_cap import Spend, WindowSpend
from tests.unit.ledger.builders import (
    JUNE,
    PROPERTY,
    a_balance_watch,
    a_grant,
    a_percentage_watch,
    a_spend_watch,
    an_account,
    an_ask,
    when,
)

NOON = when("06-15 12:00")
USERS = ("ann", "bob", "eve")


class CountedWatches(tuple[Watch, ...]):
    """Watches that count how often they are gone through."""

    rounds = 0

    def __iter__(self) -> Iterator[Watch]:
        self.rounds += 1
        return super().__iter__()


def test_a_debit_between_thresholds_evaluates_none_of_a_hundred_watches() -> None:
    watches = CountedWatches(
        [a_balance_watch(10 + one, alert_id=f"alr_{one}", everybody=True) for one in range(40)]
        + [a_spend_watch(500 + one, alert_id=f"als_{one}", everybody=True) for one in range(40)]
        + [a_percentage_watch(1 + one, alert_id=f"alp_{one}", everybody=True) for one in range(20)]
    )
    account = an_account(
        a_grant(1_000, kind=GrantKind.INCLUDED), spends={("user_id", "ann"): Spend()}, watches=watches
    )
    account, _ = gate.debit(account, an_ask(1, user="ann"), cause_id="first", at=NOON)
    watches.rounds = 0

    for number in range(100):
        account, _ = gate.debit(account, an_ask(1, user="ann"), cause_id=f"req_{number}", at=NOON)

    assert account.crossings == ()
    assert watches.rounds == 0

    account, _ = gate.debit(account, an_ask(399, user="ann"), cause_id="past", at=NOON)
    assert watches.rounds > 0
    assert [one.value_micros // 1_000_000 for one in account.crossings] == [500]


def watches_of(index: int) -> st.SearchStrategy[Watch]:
    """A watch of any kind, on one customer or on every customer, with its rearm level."""
    alert_id, levels = f"alr_{index}", st.integers(0, 60)

    def low(threshold: int, more: int, everybody: bool, version: int) -> Watch:
        return a_balance_watch(
            threshold, rearm=threshold + more, alert_id=alert_id, everybody=everybody, version=version
        )

    def percentage(threshold: int, more: int, everybody: bool, version: int) -> Watch:
        return a_percentage_watch(
            threshold, rearm=threshold + more, alert_id=alert_id, everybody=everybody, version=version
        )

    def spend(threshold: int, less: int, everybody: bool, version: int, user: str) -> Watch:
        return a_spend_watch(
            threshold + 1,
            rearm=max(1, threshold + 1 - less),
            user=user,
            alert_id=alert_id,
            everybody=everybody,
            version=version,
        )

    common = (levels, st.integers(0, 20), st.booleans(), st.integers(1, 2))
    return st.one_of(
        st.builds(low, *common),
        st.builds(percentage, *common),
        st.builds(spend, *common, st.sampled_from(("", *USERS))),
    )


STATES = st.none() | st.builds(
    WatchState, in_alarm=st.booleans(), sequence=st.just(1), version=st.integers(1, 2)
)


@PROPERTY
@given(st.data())
def test_what_is_observed_does_not_depend_on_the_bounds(data: st.DataObject) -> None:
    watches = tuple(data.draw(watches_of(index)) for index in range(data.draw(st.integers(0, 5))))
    states = {
        (watch.alert_id, value): state
        for watch in watches
        for value in ("", *USERS)
        if (state := data.draw(STATES)) is not None
    }
    spends = {
        ("user_id", user): Spend(period=WindowSpend(JUNE, Credits.of(data.draw(st.integers(0, 60)))))
        for user in USERS
    }
    account = replace(
        an_account(
            a_grant(data.draw(st.integers(0, 60)), kind=data.draw(st.sampled_from(GrantKind))),
            spends=spends,
            watches=watches,
        ),
        watch_states=states,
    )
    spenders = [("user_id", user) for user in data.draw(st.sets(st.sampled_from(USERS)))]

    kept = alarm.observe_spend(account, spenders, at=NOON, anchor=JUNE)

    assert kept.crossings == alarm.observe(account, at=NOON, anchor=JUNE, spenders=spenders).crossings
