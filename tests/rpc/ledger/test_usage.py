# SPDX-License-Identifier: Apache-2.0
"""GetUsageSummary: captured usage by window, product and group value."""

from datetime import datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.type.v1.billing_period_pb2 import BillingPeriod
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


async def _usage(
    ledger: RunningLedger, start: datetime = JUNE, end: datetime = JULY, **more: object
) -> list[admin.UsageRow]:
    asked: dict[str, object] = {
        "customer": "acme",
        "start_time": timestamp(start),
        "end_time": timestamp(end),
    }
    answer = await ledger.admin.GetUsageSummary(
        admin.GetUsageSummaryRequest(**(asked | more))  # type: ignore[arg-type]
    )
    return list(answer.rows)


def _row(
    captured: int,
    *,
    captures: int = 1,
    start: datetime = JUNE,
    end: datetime = JULY,
    group_value: str = "",
    product_id: str = "prd_assistant",
    shortfall: int = 0,
) -> admin.UsageRow:
    return admin.UsageRow(
        window=BillingPeriod(start_time=timestamp(start), end_time=timestamp(end)),
        product_id=product_id,
        credit_type_id=AI,
        group_value=group_value,
        captured_micros=captured * CREDIT,
        shortfall_micros=shortfall * CREDIT,
        captures=captures,
    )


@pytest.fixture
async def busy(ledger: RunningLedger) -> RunningLedger:
    """Usage of two products by ann, bob and nobody on the first two days of June."""
    await ledger.tell_product("prd_preview")
    await ledger.tell_card(a_rate(), a_rate("prd_preview"), version=2)
    await ledger.top_up(20)
    await ledger.debit(10, user="ann")
    await ledger.authorize(50, user="ann")
    hold = await ledger.authorize(30, user="bob")
    ledger.clock.advance(HOUR * 3 / 2)
    await ledger.capture(hold.hold_id, 25)
    await ledger.debit(5, product_id="prd_preview", user="ann")
    ledger.clock.advance_to(JUNE + DAY)
    hold = await ledger.authorize(1)
    await ledger.capture(hold.hold_id, 400)
    return ledger


async def test_the_whole_span_is_one_window_by_product(busy: RunningLedger) -> None:
    # The last capture draws two grants and falls short: it is one capture.
    expected = [_row(415, captures=3, shortfall=20), _row(5, product_id="prd_preview")]

    assert await _usage(busy) == expected
    assert await _usage(busy, window=admin.SUMMARY_WINDOW_PERIOD) == expected


async def test_usage_is_told_apart_by_a_group_key(busy: RunningLedger) -> None:
    assert await _usage(busy, group_key="user_id") == [
        _row(380, shortfall=20),
        _row(10, group_value="ann"),
        _row(25, group_value="bob"),
        _row(5, group_value="ann", product_id="prd_preview"),
    ]
    assert await _usage(busy, group_key="unheard_of") == await _usage(busy)


async def test_usage_is_told_day_by_day_and_hour_by_hour(busy: RunningLedger) -> None:
    second_day = JUNE + DAY

    assert await _usage(busy, window=admin.SUMMARY_WINDOW_DAY) == [
        _row(35, captures=2, end=second_day),
        _row(5, end=second_day, product_id="prd_preview"),
        _row(380, shortfall=20, start=second_day, end=second_day + DAY),
    ]
    assert await _usage(busy, end=second_day, window=admin.SUMMARY_WINDOW_HOUR, group_key="user_id") == [
        _row(10, end=JUNE + HOUR, group_value="ann"),
        _row(25, start=JUNE + HOUR, end=JUNE + 2 * HOUR, group_value="bob"),
        _row(5, start=JUNE + HOUR, end=JUNE + 2 * HOUR, group_value="ann", product_id="prd_preview"),
    ]


async def test_a_span_has_its_first_instant_and_not_its_last(busy: RunningLedger) -> None:
    at = JUNE + HOUR * 3 / 2

    inside = await _usage(busy, at, at + TICK)
    before = await _usage(busy, at - TICK, at)

    assert [one.captured_micros // CREDIT for one in inside] == [25, 5]
    assert before == []


async def test_a_window_is_cut_where_the_span_is(busy: RunningLedger) -> None:
    start, end = JUNE + HOUR, JUNE + DAY + HOUR

    rows = await _usage(busy, start, end, window=admin.SUMMARY_WINDOW_DAY)

    assert rows == [
        _row(25, start=start, end=JUNE + DAY),
        _row(5, start=start, end=JUNE + DAY, product_id="prd_preview"),
        _row(380, shortfall=20, start=JUNE + DAY, end=end),
    ]


async def test_spans_are_bounded(ledger: RunningLedger) -> None:
    for days, window in ((400, admin.SUMMARY_WINDOW_DAY), (32, admin.SUMMARY_WINDOW_HOUR)):
        assert await _usage(ledger, end=JUNE + days * DAY, window=window) == []
        with bad_fields("end_time"):
            await _usage(ledger, end=JUNE + days * DAY + TICK, window=window)
    for end in (JUNE, JUNE - TICK):
        with bad_fields("end_time"):
            await _usage(ledger, end=end)


async def test_every_bad_field_is_named_at_once(ledger: RunningLedger) -> None:
    with bad_fields("customer", "start_time", "end_time", "window", "group_key"):
        await ledger.admin.GetUsageSummary(
            admin.GetUsageSummaryRequest(window=77, group_key="x" * 65)  # type: ignore[arg-type]
        )
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await _usage(ledger, customer="nobody")
