# SPDX-License-Identifier: Apache-2.0
"""Automatic top-ups against a small Ledger, at random: debits, reports late and twice, payments, limits, the clock.

Whatever happens, at most one order is under way, limits hold, and nothing is lost: once all is delivered, the pool is
above its threshold, or the automatic top-up says why it is not.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit.quantity import MICROS, Credits, Money
from services.contract.domain.auto_top_up import (
    FAILURES_MAX,
    ORDERS_A_DAY_MAX,
    AutoTopUp,
    AutoTopUpStatus,
    LevelReport,
    Ordered,
    StopReason,
    blocked,
    charged,
    day_start,
    disabled,
    month_start,
    order_ended,
    ordered,
    packs_to_order,
    reported,
    set_again,
    terms_of_order,
    unblocked,
)
from services.contract.domain.top_up import TopUp, TopUpStatus
from tests.unit.contract.builders import JUNE
from tests.unit.contract.test_auto_top_ups import PACK, an_auto_top_up, an_order, some_terms, usd

PENDING, PAID = TopUpStatus.PENDING_PAYMENT, TopUpStatus.PAID
ENDINGS = (TopUpStatus.CANCELLED, TopUpStatus.EXPIRED, TopUpStatus.FAILED)


@dataclass
class Level:
    """What the Ledger knows of the level, and the last observation of it."""

    version: int = 0
    is_active: bool = False
    threshold: int = 0
    in_alarm: bool = False
    observed: int = 0
    sequence: int = 0


class World:
    """One customer's pool, in whole credits. A move that is impossible at present does nothing."""

    def __init__(self, *, threshold: int, above: int, limit: int) -> None:
        self.at = JUNE
        self.balance = 400
        self.level = Level()
        self.reports: list[LevelReport] = []  # not delivered yet, or to be delivered again
        self.notices: list[
            int | AutoTopUp
        ] = []  # for the Ledger, in order: a grant, or a version of the level
        self.orders: list[TopUp] = []
        self.failures_in_a_row = 0
        terms = some_terms(
            threshold=Credits.of(threshold),
            recharge_to=Credits.of(threshold + above),
            monthly_limit=usd(limit),
        )
        self.auto = an_auto_top_up(terms=terms)
        self.notices.append(self.auto)

    def debit(self, credits: int) -> None:
        self.balance = max(0, self.balance - credits)
        self._observe()

    def deliver_notice(self, _: int = 0) -> None:
        """Deliver what Contract has sent to the Ledger, in its order."""
        if not self.notices:
            return
        match self.notices.pop(0):
            case AutoTopUp() as told:
                if told.version > self.level.version:
                    self.level.version = told.version
                    self.level.is_active = told.status is not AutoTopUpStatus.DISABLED
                    self.level.threshold = told.terms.threshold.micros // MICROS
            case int() as credits:
                self.balance += credits
        self._observe()

    def deliver_report(self, number: int) -> None:
        """Deliver what the Ledger has sent to Contract, in any order, and some of it twice."""
        if self.reports:
            position = number // 2 % len(self.reports)
            report = self.reports[position] if number % 2 else self.reports.pop(position)
            self._become(reported(self.auto, report))

    def step(self, _: int = 0) -> None:
        if self.auto.status is AutoTopUpStatus.ASKED:
            self._order()
        elif self.auto.has_step:
            self._become(charged(self.auto))

    def advance(self, _: int = 0) -> bool:
        """Do what normally comes next; returns whether there was something."""
        if self.notices:
            self.deliver_notice()
        elif self.reports:
            self.deliver_report(0)
        elif self.auto.has_step:
            self.step()
        else:
            return False
        return True

    def suspend(self, _: int) -> None:
        if self.auto.status is AutoTopUpStatus.ASKED:
            self._become(blocked(self.auto, StopReason.CUSTOMER_SUSPENDED, at=self.at))

    def pay(self, _: int) -> None:
        self._end(PAID)

    def fail(self, number: int) -> None:
        self._end(ENDINGS[number % len(ENDINGS)])

    def pass_time(self, number: int) -> None:
        self.at += timedelta(hours=(1, 1, 1, 1, 1, 24, 24 * 31)[number % 7])
        self._become(unblocked(self.auto, at=self.at, is_suspended=False))

    def disable(self, _: int) -> None:
        self._become(disabled(self.auto, StopReason.BY_REQUEST, at=self.at))

    def set_again(self, _: int) -> None:
        self.failures_in_a_row = 0
        self._become(set_again(self.auto, self.auto.terms, at=self.at))

    def come_to_rest(self, _: int = 0) -> None:
        """Deliver and pay everything: the pool is recharged, or the reason why it is not is known."""
        for _ in range(200):
            if not (self.notices or self.reports or self.auto.has_step or self.pending()):
                break
            if not self.advance():
                self._end(PAID)
        else:
            raise AssertionError("it does not come to rest")
        match self.auto.status:
            case AutoTopUpStatus.IDLE:
                assert self.balance * MICROS > self.auto.terms.threshold.micros
            case AutoTopUpStatus.BLOCKED | AutoTopUpStatus.DISABLED:
                assert self.auto.stop is not None
            case status:
                raise AssertionError(f"{status} is no rest")

    def assert_holds(self) -> None:
        """One order at a time; limits hold; two failures in a row disable."""
        assert len(self.pending()) <= 1
        assert {one.top_up_id for one in self.pending()} == {self.auto.top_up_id} - {None}
        limit = self.auto.terms.monthly_limit
        spent: Counter[datetime] = Counter()
        orders: Counter[datetime] = Counter()
        for one in self.orders:
            orders[day_start(one.create_time)] += 1
            if one.status in (PENDING, PAID):
                spent[month_start(one.create_time)] += one.terms.price.micros
        assert all(micros <= limit.micros for micros in spent.values())
        assert all(count <= ORDERS_A_DAY_MAX for count in orders.values())
        if self.failures_in_a_row >= FAILURES_MAX:
            assert self.auto.status is AutoTopUpStatus.DISABLED

    def pending(self) -> list[TopUp]:
        return [one for one in self.orders if one.status is PENDING]

    def _order(self) -> None:
        packs = packs_to_order(self.auto, PACK, self._ordered(), usd(0))
        if isinstance(packs, StopReason):
            self._become(blocked(self.auto, packs, at=self.at))
            return
        order = replace(
            an_order(len(self.orders) + 1), terms=terms_of_order(PACK, packs), create_time=self.at
        )
        self.orders.append(order)
        self._become(ordered(self.auto, order, at=self.at))

    def _end(self, end: TopUpStatus) -> None:
        if not self.pending():
            return
        [order] = self.pending()
        ended = replace(order, status=end)
        self.orders[self.orders.index(order)] = ended
        if end is PAID:
            self.failures_in_a_row = 0
            self.notices.append(ended.terms.amount.micros // MICROS)
        elif self.auto.status is AutoTopUpStatus.ORDERED:
            self.failures_in_a_row += 1
        self._become(order_ended(self.auto, ended, at=self.at))

    def _become(self, after: AutoTopUp) -> None:
        if after.version != self.auto.version:
            self.notices.append(after)
        self.auto = after

    def _observe(self) -> None:
        level = self.level
        in_alarm = self.balance <= level.threshold
        if level.is_active and (level.observed != level.version or level.in_alarm != in_alarm):
            level.observed, level.in_alarm = level.version, in_alarm
            level.sequence += 1
            self.reports.append(
                LevelReport(
                    auto_top_up_id=self.auto.auto_top_up_id,
                    version=level.version,
                    sequence=level.sequence,
                    in_alarm=in_alarm,
                    remaining=Credits.of(self.balance),
                )
            )

    def _ordered(self) -> Ordered:
        month, day = month_start(self.at), day_start(self.at)
        counted = [one for one in self.orders if one.create_time >= month and one.status in (PENDING, PAID)]
        return Ordered(
            spent=Money("USD", sum(one.terms.price.micros for one in counted)),
            orders=sum(1 for one in self.orders if one.create_time >= day),
        )


# How often each move is made, more or less.
MOVES = (
    *[World.advance] * 12,
    *[World.debit, World.pass_time] * 4,
    *[World.pay, World.fail] * 3,
    *[World.deliver_notice, World.deliver_report, World.step],
    *[World.suspend, World.disable, World.set_again, World.come_to_rest],
)


@settings(max_examples=300)
@given(
    threshold=st.integers(0, 5_000),
    above=st.integers(1, 800),
    limit=st.integers(8_000, 2_000_000),
    moves=st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 1_500)), min_size=60, max_size=200),
)
def test_whatever_happens_limits_hold_and_no_low_pool_is_forgotten(
    threshold: int, above: int, limit: int, moves: list[tuple[Callable[[World, int], object], int]]
) -> None:
    world = World(threshold=threshold, above=above, limit=limit)

    for move, number in moves:
        move(world, number)
        world.assert_holds()
    world.come_to_rest()
    world.assert_holds()
