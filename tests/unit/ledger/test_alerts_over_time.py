# SPDX-License-Identifier: Apache-2.0
"""Alerts over time against a model of a few lines: values, thresholds, rearm levels, versions and pauses at random."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.credits.grant import GrantKind
from services.ledger.domain.crossings.watch import LOW, Watch, WatchKind
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    JUNE,
    PROPERTY,
    a_balance_watch,
    a_grant,
    a_percentage_watch,
    a_spend_watch,
    an_ask,
)

HOUR = timedelta(hours=1)
UNIT = 1_000_000  # a credit, or a percent of the 100 that were granted
# Tens, so that values often equal thresholds and rearm levels.
TENS = st.integers(1, 6).map(lambda one: 10 * one)
LEVELS = st.tuples(TENS, st.integers(0, 3).map(lambda one: 10 * one))
STEP = st.one_of(
    st.tuples(st.just("debit"), TENS),
    st.tuples(st.just("top_up"), TENS),
    st.tuples(st.just("to threshold"), st.integers(-1, 1)),
    st.tuples(st.just("to rearm"), st.integers(-1, 1)),
    st.tuples(st.just("update"), LEVELS),
    st.tuples(st.just("pause"), st.just(0)),
    st.tuples(st.just("resume"), st.just(0)),
    st.tuples(st.just("next period"), st.just(0)),
)


def a_watch(kind: WatchKind, threshold: int, distance: int, version: int, everybody: bool) -> Watch:
    if kind is WatchKind.LOW_BALANCE:
        return a_balance_watch(threshold, rearm=threshold + distance, version=version, everybody=everybody)
    if kind is WatchKind.LOW_PERCENTAGE:
        return a_percentage_watch(threshold, rearm=threshold + distance, version=version, everybody=everybody)
    return a_spend_watch(
        threshold,
        rearm=max(1, threshold - distance),
        user="ann",
        version=version,
        everybody=everybody,
    )


class Model:
    """What is told of one watch: whole credits or percents, and whether it was in alarm when it was told last."""

    def __init__(self, kind: WatchKind, everybody: bool) -> None:
        self.is_low, self.everybody = kind in LOW, everybody
        self.told: list[bool] = []
        self.is_new = True

    def look(self, value: float, threshold: int, rearm: int) -> None:
        was = bool(self.told) and self.told[-1] and not self.is_new
        if self.is_low:
            now = value <= rearm if was else value <= threshold
        else:
            now = value >= rearm if was else value >= threshold
        is_told_anyway = self.is_new and (bool(self.told) or not self.everybody)
        if is_told_anyway or (now and not self.told) or (bool(self.told) and now != self.told[-1]):
            self.told.append(now)
        self.is_new = self.is_new and not self.told


@PROPERTY
@given(
    kind=st.sampled_from((WatchKind.LOW_BALANCE, WatchKind.LOW_PERCENTAGE, WatchKind.SPEND)),
    everybody=st.booleans(),
    levels=LEVELS,
    steps=st.lists(STEP, max_size=14),
)
def test_a_watch_tells_what_the_model_says(
    kind: WatchKind,
    everybody: bool,
    levels: tuple[int, int],
    steps: list[tuple[str, int | tuple[int, int]]],
) -> None:
    books = Books(a_grant(100, kind=GrantKind.INCLUDED))
    left, spent, version, is_paused, at = 100, 0, 1, False, JUNE
    model = Model(kind, everybody)
    watch = a_watch(kind, *levels, version, everybody)

    def look() -> None:
        value = {"LOW_BALANCE": left, "LOW_PERCENTAGE": left, "SPEND": spent}[kind.value]
        if not is_paused:
            model.look(value, watch.threshold.micros // UNIT, watch.rearm.micros // UNIT)

    books.tell_watch(watch, at=at)
    look()
    for number, (step, amount) in enumerate(steps):
        at += HOUR
        if step.startswith("to ") and isinstance(amount, int):  # what remains becomes a level, or almost
            level = watch.rearm if step == "to rearm" else watch.threshold
            more = level.micros // UNIT + amount - left
            step, amount = ("top_up", more) if more > 0 else ("debit", -more)
        if step == "debit" and isinstance(amount, int) and 0 < amount <= left:
            books.debit(an_ask(amount, user="ann"), at=at)
            left, spent = left - amount, spent + amount
        elif step == "top_up" and isinstance(amount, int):
            books.issue(a_grant(amount, grant_id=f"grt_top_up_{number}"), at=at)
            left += amount
        elif step == "next period":
            at = at.replace(month=at.month + 1, day=1, hour=0)
            spent = 0
            books.settle(at, settles=True)
        elif step in ("update", "pause", "resume"):
            version += 1
            if isinstance(amount, tuple):
                levels = amount
            is_paused = step == "pause" if step != "update" else is_paused
            watch = a_watch(kind, *levels, version, everybody)
            model.is_new = True
            if is_paused:
                books.stored = replace(books.stored, watches=())
            else:
                books.tell_watch(watch, at=at)
        look()

    assert [one.in_alarm for one in books.crossings] == model.told
    assert [one.sequence for one in books.crossings] == list(range(1, len(model.told) + 1))
