# SPDX-License-Identifier: Apache-2.0
"""Automatic top-ups against a small Ledger, at random: debits, reports late and twice, payments, limits, the clock.

Whatever happens, at most one order is under way, limits hold, and nothing is lost: once all is delivered, the pool is
above its threshold, or the automatic top-up says why it is not.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from meshkit.quantity import Credits, Money
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


class AutomaticTopUps(RuleBasedStateMachine):
    """One customer's pool, in whole credits."""

    def __init__(self) -> None:
        super().__init__()
        self.at = JUNE
        self.balance = 400
        self.level = Level()
        self.reports: list[LevelReport] = []  # not delivered yet, or to be delivered again
        self.notices: list[
            int | AutoTopUp
        ] = []  # for the Ledger, in order: a grant, or a version of the level
        self.orders: list[TopUp] = []
        self.failures_in_a_row = 0
        self.auto = an_auto_top_up()

    @initialize(threshold=st.integers(0, 900), above=st.integers(1, 4_000), limit=st.integers(8_000, 90_000))
    def set_up(self, threshold: int, above: int, limit: int) -> None:
        terms = some_terms(
            threshold=Credits.of(threshold),
            recharge_to=Credits.of(threshold + above),
            monthly_limit=usd(limit),
        )
        self.auto = an_auto_top_up(terms=terms)
        self.notices.append(self.auto)

    @rule(credits=st.integers(1, 1_500))
    def debit(self, credits: int) -> None:
        self.balance = max(0, self.balance - credits)
        self._observe()

    @precondition(lambda self: self.notices)
    @rule()
    def contract_s_relay_delivers(self) -> None:
        match self.notices.pop(0):
            case AutoTopUp() as told:
                if told.version > self.level.version:
                    self.level.version = told.version
                    self.level.is_active = told.status is not AutoTopUpStatus.DISABLED
                    self.level.threshold = told.terms.threshold.micros // 1_000_000
            case int() as credits:
                self.balance += credits
        self._observe()

    @precondition(lambda self: self.reports)
    @rule(data=st.data(), is_repeated=st.booleans())
    def ledger_s_relay_delivers(self, data: st.DataObject, is_repeated: bool) -> None:
        """In any order: the rules must not depend on it."""
        position = data.draw(st.integers(0, len(self.reports) - 1))
        report = self.reports[position] if is_repeated else self.reports.pop(position)
        self._become(reported(self.auto, report))

    @precondition(lambda self: self.auto.has_step)
    @rule(is_suspended=st.booleans())
    def contract_steps(self, is_suspended: bool) -> None:
        if self.auto.status is AutoTopUpStatus.ORDERED:
            self._become(charged(self.auto))
        elif is_suspended:
            self._become(blocked(self.auto, StopReason.CUSTOMER_SUSPENDED, at=self.at))
        else:
            self._order()

    @precondition(lambda self: self._pending())
    @rule(end=st.sampled_from([PAID, PAID, PAID, *ENDINGS]))
    def the_order_ends(self, end: TopUpStatus) -> None:
        self._end(end)

    @rule(hours=st.sampled_from([1, 24, 24 * 31]))
    def time_passes(self, hours: int) -> None:
        self.at += timedelta(hours=hours)
        self._become(unblocked(self.auto, at=self.at, is_suspended=False))

    @rule()
    def disable(self) -> None:
        self._become(disabled(self.auto, StopReason.BY_REQUEST, at=self.at))

    @rule()
    def set_again(self) -> None:
        self.failures_in_a_row = 0
        self._become(set_again(self.auto, self.auto.terms, at=self.at))

    @precondition(lambda self: self.auto.status is not AutoTopUpStatus.DISABLED)
    @rule()
    def everything_is_delivered_and_paid(self) -> None:
        """Nothing is lost: whatever was late or came twice, the pool is recharged, or the reason is known."""
        for _ in range(200):
            if self.notices:
                self.contract_s_relay_delivers()
            elif self.reports:
                self._become(reported(self.auto, self.reports.pop(0)))
            elif self.auto.has_step:
                self._order() if self.auto.status is AutoTopUpStatus.ASKED else self._become(
                    charged(self.auto)
                )
            elif self._pending():
                self._end(PAID)
            else:
                break
        else:
            raise AssertionError("it does not come to rest")
        if self.auto.status is AutoTopUpStatus.IDLE:
            assert self.balance * 1_000_000 > self.auto.terms.threshold.micros
        else:
            assert self.auto.status is AutoTopUpStatus.BLOCKED
            assert self.auto.stop is not None

    @invariant()
    def one_order_at_a_time(self) -> None:
        assert len(self._pending()) <= 1
        assert [one.top_up_id for one in self._pending()] == [
            one for one in (self.auto.top_up_id,) if one is not None
        ]

    @invariant()
    def limits_hold(self) -> None:
        limit = self.auto.terms.monthly_limit
        spent: Counter[datetime] = Counter()
        orders: Counter[datetime] = Counter()
        for one in self.orders:
            orders[day_start(one.create_time)] += 1
            if one.status in (PENDING, PAID):
                spent[month_start(one.create_time)] += one.terms.price.micros
        assert all(micros <= limit.micros for micros in spent.values())
        assert all(count <= ORDERS_A_DAY_MAX for count in orders.values())

    @invariant()
    def two_failures_in_a_row_disable(self) -> None:
        if self.failures_in_a_row >= FAILURES_MAX:
            assert self.auto.status is AutoTopUpStatus.DISABLED

    def _order(self) -> None:
        packs = packs_to_order(self.auto, PACK, self._ordered())
        if isinstance(packs, StopReason):
            self._become(blocked(self.auto, packs, at=self.at))
            return
        order = replace(
            an_order(len(self.orders) + 1), terms=terms_of_order(PACK, packs), create_time=self.at
        )
        self.orders.append(order)
        self._become(ordered(self.auto, order, at=self.at))

    def _end(self, end: TopUpStatus) -> None:
        [order] = self._pending()
        ended = replace(order, status=end)
        self.orders[self.orders.index(order)] = ended
        if end is PAID:
            self.failures_in_a_row = 0
            self.notices.append(ended.terms.amount.micros // 1_000_000)
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

    def _pending(self) -> list[TopUp]:
        return [one for one in self.orders if one.status is PENDING]

    def _ordered(self) -> Ordered:
        month, day = month_start(self.at), day_start(self.at)
        counted = [one for one in self.orders if one.create_time >= month and one.status in (PENDING, PAID)]
        return Ordered(
            spent=Money("USD", sum(one.terms.price.micros for one in counted)),
            orders=sum(1 for one in self.orders if one.create_time >= day),
        )


TestAutomaticTopUps = AutomaticTopUps.TestCase
TestAutomaticTopUps.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
