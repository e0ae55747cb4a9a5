# SPDX-License-Identifier: Apache-2.0
"""Bounds of watches: a debit between thresholds evaluates none of them, and none is missed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import GrantKind
from services.ledger.domain.crossings import alarm
from services.ledger.domain.crossings.watch import Watch, WatchKind, WatchState
from services.ledger.domain.gate import capturing, gate
from services.ledger.domain.gate.hold import HoldId
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
    an_expiry_watch,
    an_uncovered_watch,
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


def more_watches_of(index: int) -> st.SearchStrategy[Watch]:
    """A watch of a kind whose state follows from grants and usage."""
    everybody = st.booleans()
    kinds = st.sampled_from((WatchKind.SHORTFALL, WatchKind.OVERAGE))
    uncovered = st.builds(an_uncovered_watch, kinds, st.integers(0, 20), everybody=everybody)
    expiring = st.builds(
        lambda threshold, less, days, everybody: an_expiry_watch(
            threshold, days, rearm=max(1, threshold - less), everybody=everybody
        ),
        st.integers(1, 60),
        st.integers(0, 20),
        st.integers(1, 30),
        everybody,
    )
    named = st.one_of(uncovered, expiring).map(lambda watch: replace(watch, alert_id=f"alr_more_{index}"))
    return st.one_of(named, watches_of(index).map(lambda watch: replace(watch, version=1))).map(
        lambda watch: replace(watch, alert_id=f"{watch.alert_id}_{index}")
    )


class _NoBounds:
    def hold(self, *_: object, **__: object) -> bool:
        return False


@PROPERTY
@given(st.data())
def test_a_run_of_debits_and_captures_tells_the_same_without_bounds(data: st.DataObject) -> None:
    """From states that were observed, so a grant that has not changed has not crossed either."""
    watches = tuple(data.draw(more_watches_of(index)) for index in range(data.draw(st.integers(1, 5))))
    grants = [
        a_grant(
            data.draw(st.integers(1, 60)),
            grant_id=f"grt_{number}",
            kind=data.draw(st.sampled_from(GrantKind)),
            end=NOON + timedelta(days=data.draw(st.integers(1, 40))),
        )
        for number in range(data.draw(st.integers(1, 3)))
    ]
    spends = {("user_id", user): Spend() for user in USERS}
    account = replace(an_account(*grants, spends=spends, watches=watches), usage_anchor=JUNE)
    account = alarm.observe(account, at=NOON, anchor=JUNE).as_saved(version=1)
    steps = data.draw(st.lists(st.tuples(st.sampled_from(USERS), st.integers(1, 40)), min_size=1, max_size=6))

    def told() -> list[object]:
        now, crossings = account, []
        for number, (user, amount) in enumerate(steps):
            hold_id = HoldId(f"hld_{number}")
            at = NOON + timedelta(minutes=number)
            now, answer = gate.authorize(
                now,
                an_ask(1, user=user),
                hold_id=hold_id,
                expire_time=at + timedelta(minutes=1),
                allows_part=False,
                at=at,
            )
            if answer.hold_id is not None:  # what it uses beyond that may be a shortfall
                hold = now.holds[hold_id]
                now, _ = capturing.capture(now, hold, Credits.of(amount), cause_id=f"req_{number}", at=at)
            crossings += now.crossings
            now = now.as_saved(version=number + 2)
        return crossings

    with_bounds = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alarm, "bounds_of", lambda _: _NoBounds())
        assert with_bounds == told()
