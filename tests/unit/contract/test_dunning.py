# SPDX-License-Identifier: Apache-2.0
"""When the payment of an invoice is tried next, and what ends that."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.domain.collection import RETRY_DAYS_DEFAULT, AfterLastRetry
from services.contract.domain.dunning import (
    Dunning,
    DunningStatus,
    attempted,
    carried,
    failed,
    next_retry,
    settled,
    waiting,
    woken,
)
from services.contract.domain.ids import CustomerId, InvoiceId
from services.contract.domain.top_up import PaymentError
from tests.unit.contract.builders import JUNE

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
DECLINED = PaymentError(code="card_declined", message="", create_time=JUNE)


def a_dunning(*, suspends: bool = False) -> Dunning:
    return Dunning(
        invoice_id=InvoiceId("inv_1"),
        customer_id=CustomerId("cus_1"),
        currency_code="USD",
        status=DunningStatus.COLLECTING,
        retry_days=RETRY_DAYS_DEFAULT,
        after_last_retry=AfterLastRetry.SUSPEND if suspends else AfterLastRetry.NOTHING,
        begin_time=JUNE,
        next_time=JUNE,
    )


def test_golden_issued_on_1_june_the_retries_are_on_3_8_15_and_22_june() -> None:
    dunning, days = a_dunning(), []
    while dunning.next_time is not None:
        days.append(dunning.next_time.day)
        dunning = failed(attempted(dunning), DECLINED, at=dunning.next_time)

    assert days == [1, 3, 8, 15, 22]
    assert (dunning.status, dunning.attempts) == (DunningStatus.STOPPED, 5)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (JUNE, JUNE + 2 * DAY),
        (JUNE + 2 * DAY - TICK, JUNE + 2 * DAY),
        (JUNE + 2 * DAY, JUNE + 7 * DAY),
        (JUNE + 9 * DAY, JUNE + 14 * DAY),  # what was missed meanwhile is not made up for
        (JUNE + 21 * DAY - TICK, JUNE + 21 * DAY),
        (JUNE + 21 * DAY, None),
    ],
)
def test_the_next_retry_is_the_first_one_behind_the_attempt(
    after: datetime, expected: datetime | None
) -> None:
    assert next_retry(JUNE, RETRY_DAYS_DEFAULT, after=after) == expected


@pytest.mark.parametrize("suspends", [False, True])
def test_only_the_last_failure_suspends_and_only_if_that_was_agreed(suspends: bool) -> None:
    dunning = a_dunning(suspends=suspends)
    before = failed(dunning, DECLINED, at=JUNE + 20 * DAY)
    last = failed(dunning, DECLINED, at=JUNE + 21 * DAY)

    assert (before.status, before.is_overdue) == (DunningStatus.COLLECTING, False)
    assert (last.status, last.is_overdue) == (DunningStatus.STOPPED, suspends)
    assert not settled(last).is_overdue


def test_an_attempt_of_the_payer_s_own_counts_as_the_first() -> None:
    assert failed(a_dunning(), DECLINED, at=JUNE).attempts == 1
    assert failed(attempted(attempted(a_dunning())), DECLINED, at=JUNE).attempts == 2


def test_a_hard_decline_is_the_last_failure_whenever_it_comes() -> None:
    hard = failed(a_dunning(suspends=True), DECLINED, hard_method="pm_1", at=JUNE)

    assert (hard.status, hard.next_time, hard.refused_method) == (DunningStatus.STOPPED, None, "pm_1")
    assert hard.is_overdue


def test_a_method_that_was_saved_during_the_last_attempt_is_tried_at_once() -> None:
    at = JUNE + 21 * DAY
    for hard_method in ("", "pm_1"):
        again = failed(a_dunning(suspends=True), DECLINED, hard_method=hard_method, is_replaced=True, at=at)
        assert (again.status, again.next_time, again.is_overdue) == (DunningStatus.COLLECTING, at, False)


def test_another_method_wakes_what_is_planned_or_stopped_and_nothing_else() -> None:
    at = JUNE + 5 * DAY
    planned = failed(a_dunning(), DECLINED, at=JUNE)
    stopped = failed(a_dunning(suspends=True), DECLINED, hard_method="pm_1", at=JUNE)
    for dunning in (planned, stopped):
        again = woken(dunning, at=at)
        assert (again.status, again.next_time) == (DunningStatus.COLLECTING, at)
        assert again.is_overdue == dunning.is_overdue  # the customer is suspended until it is paid
    for dunning in (attempted(planned), waiting(planned), carried(planned), settled(planned)):
        assert woken(dunning, at=at) == dunning


@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=10, unique=True).map(sorted),
    st.lists(st.integers(0, 100), max_size=20).map(sorted),
)
def test_whenever_attempts_fail_each_retry_day_is_used_at_most_once(
    days: list[int], attempts: list[int]
) -> None:
    dunning = replace(a_dunning(), retry_days=tuple(days))
    used = []
    for day in attempts:
        dunning = failed(dunning, DECLINED, at=JUNE + day * DAY)
        if dunning.next_time is not None:
            assert dunning.next_time > JUNE + day * DAY
            used.append(dunning.next_time)
    assert used == sorted(used)
    assert {one - JUNE for one in used} <= {day * DAY for day in days}
