# SPDX-License-Identifier: Apache-2.0
"""Billing rhythms: weeks, quarters, several periods in one, anchors, and arrears."""

from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from tests.support.catalog import JUNE, Shop, a_rate
from tests.support.contract import IMMEDIATELY, MONTHLY, NEXT_DATE, Desk, RunningContract, day, dollars
from tests.support.faults import bad_fields, fault

WEEKLY, QUARTERLY = pb.BILLING_FREQUENCY_WEEKLY, pb.BILLING_FREQUENCY_QUARTERLY
ARREARS = pb.COLLECTION_SCHEDULE_ARREARS
UNSPECIFIED = pb.SEAT_INVOICING_UNSPECIFIED


@pytest.fixture(autouse=True)
async def prices(desk: Desk, shop: Shop) -> None:
    """Team Plan at $3 a week and $25 a quarter, beside $10 a month."""
    await shop.add(
        desk.sells.rate_card,
        a_rate(
            desk.sells.team_plan,
            price_micros=3_000_000,
            frequency=catalog_pb2.BILLING_FREQUENCY_WEEKLY,
        ),
        a_rate(
            desk.sells.team_plan,
            price_micros=25_000_000,
            frequency=catalog_pb2.BILLING_FREQUENCY_QUARTERLY,
        ),
    )


async def _billed(desk: Desk, signed: pb.CreateContractResponse) -> list[tuple[str, str]]:
    return [
        (one.issue_time.ToDatetime().strftime("%m-%d"), dollars(one.total))
        for one in await desk.invoices(signed)
    ]


@pytest.mark.parametrize(
    ("terms", "billed"),
    [
        ({"frequency": WEEKLY}, [("06-01", "12.00"), ("06-08", "12.00"), ("06-15", "12.00")]),
        ({"frequency": WEEKLY, "interval_count": 2}, [("06-01", "24.00"), ("06-15", "24.00")]),
        (
            {"frequency": QUARTERLY},
            [("06-01", "100.00"), ("09-01", "100.00"), ("12-01", "100.00")],
        ),
        ({"frequency": MONTHLY, "interval_count": 3}, [("06-01", "120.00"), ("09-01", "120.00")]),
    ],
)
async def test_seats_are_billed_in_their_rhythm(
    desk: Desk, running: RunningContract, terms: dict[str, Any], billed: list[tuple[str, str]]
) -> None:
    signed = await desk.sign(desk.seats(4, **terms))

    last = billed[-1][0]
    await running.advance_to(day(int(last[:2]), int(last[3:])))

    assert await _billed(desk, signed) == billed
    [shown] = signed.contract.subscriptions
    assert (shown.billing_frequency, shown.interval_count) == (
        terms["frequency"],
        terms.get("interval_count", 1),
    )
    assert not shown.HasField("anchor_time")


async def test_an_anchor_on_the_first_of_the_month_cuts_the_first_period(
    desk: Desk, running: RunningContract
) -> None:
    running.clock.advance_to(day(6, 16))
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY, anchor_day=1), start=day(6, 16))

    await running.advance_to(day(7, 1))

    assert await _billed(desk, signed) == [("06-16", "20.00"), ("07-01", "40.00")]
    [shown] = signed.contract.subscriptions
    assert shown.anchor_time == timestamp(JUNE)
    assert (shown.current_period.start_time, shown.current_period.end_time) == (
        timestamp(JUNE),
        timestamp(day(7, 1)),
    )


async def test_an_anchor_may_be_a_price_s_past(desk: Desk, running: RunningContract) -> None:
    # The rate card's prices begin on 1 June; the nominal first period begins before.
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY, anchor_time=timestamp(day(5, 17))))

    await running.advance_to(day(6, 17))

    # 16 of 31 days: 1 to 16 June.
    assert await _billed(desk, signed) == [("06-01", "20.65"), ("06-17", "40.00")]


async def test_an_anchor_after_the_start_is_refused_and_signs_nothing(desk: Desk) -> None:
    acme = (await desk.customer()).customer_id
    request = desk.contract_request(
        acme, desk.seats(4, frequency=MONTHLY, anchor_time=timestamp(day(6, 2))), start=JUNE
    )

    with fault(
        StatusCode.INVALID_ARGUMENT,
        "ANCHOR_AFTER_START",
        field="subscriptions[0].anchor_time",
        start_time=JUNE.isoformat(),
    ):
        await desk.contract.CreateContract(request)
    assert not (await desk.contract.ListContracts(pb.ListContractsRequest(customer=acme))).contracts
    # A day alone is never after the start: the 2nd of May.
    request.subscriptions[0].anchor_day = 2
    signed = await desk.contract.CreateContract(request)
    assert signed.contract.subscriptions[0].anchor_time == timestamp(day(5, 2))


async def test_in_arrears_seats_are_charged_at_the_end_of_the_period(
    desk: Desk, running: RunningContract
) -> None:
    seats = desk.seats(4, frequency=MONTHLY, collection_schedule=ARREARS, invoicing=UNSPECIFIED)
    signed = await desk.sign(seats)
    await running.advance_to(day(6, 16))

    preview = await desk.contract.PreviewSeatChange(
        pb.PreviewSeatChangeRequest(contract_id=signed.contract.contract_id, quantity_delta=1)
    )
    added = await desk.add_seats(signed, 1)

    assert (list(signed.invoices), added.HasField("invoice")) == ([], False)
    [shown] = signed.contract.subscriptions
    assert (shown.collection_schedule, shown.proration.invoicing) == (ARREARS, NEXT_DATE)
    assert dollars(shown.unit_price) == "10.00"
    assert [dollars(line.total) for line in preview.lines] == ["5.00"]
    await running.advance_to(day(7, 1))
    [june] = await desk.invoices(signed)
    assert (dollars(june.total), june.issue_time) == ("45.00", timestamp(day(7, 1)))
    assert [(line.kind, line.quantity) for line in june.lines] == [
        (pb.INVOICE_LINE_KIND_SUBSCRIPTION, 4),
        (pb.INVOICE_LINE_KIND_SEAT_INCREASE, 1),
    ]


async def test_in_arrears_an_early_end_charges_the_time_that_has_passed(
    desk: Desk, running: RunningContract
) -> None:
    seats = desk.seats(4, frequency=MONTHLY, collection_schedule=ARREARS, invoicing=NEXT_DATE)
    ended = await desk.sign(seats)
    await running.advance_to(day(7, 1))
    running.clock.advance_to(day(7, 11))
    await desk.contract.EndContract(
        pb.EndContractRequest(request_id="end", contract_id=ended.contract.contract_id)
    )

    assert await _billed(desk, ended) == [("07-01", "40.00"), ("07-11", "12.90")]


async def test_in_arrears_an_unwanted_period_costs_nothing(desk: Desk, running: RunningContract) -> None:
    seats = desk.seats(4, frequency=MONTHLY, collection_schedule=ARREARS, invoicing=NEXT_DATE)
    signed = await desk.sign(seats)
    await running.advance_to(day(7, 2))

    await desk.contract.EndContract(
        pb.EndContractRequest(
            request_id="end",
            contract_id=signed.contract.contract_id,
            end_option=pb.END_OPTION_PERIOD_START,
        )
    )

    await running.advance_to(day(9, 1))
    assert await _billed(desk, signed) == [("07-01", "40.00")]


async def test_bad_rhythms_are_named(desk: Desk) -> None:
    request = desk.contract_request(
        "acme",
        desk.seats(4, frequency=WEEKLY, anchor_day=1),
        desk.seats(4, frequency=MONTHLY, interval_count=101, anchor_day=32),
        desk.seats(4, interval_count=11),
        desk.seats(4, frequency=QUARTERLY, interval_count=41),
        desk.seats(4, frequency=MONTHLY, interval_count=-1, anchor_day=0),
        desk.seats(4, collection_schedule=ARREARS, invoicing=IMMEDIATELY),
    )

    with bad_fields(
        "subscriptions[0].anchor_day",
        "subscriptions[1].interval_count",
        "subscriptions[1].anchor_day",
        "subscriptions[2].interval_count",
        "subscriptions[3].interval_count",
        "subscriptions[4].interval_count",
        "subscriptions[4].anchor_day",
        "subscriptions[5].proration.invoicing",
    ):
        await desk.contract.CreateContract(request)


async def test_a_frequency_without_a_price_is_refused(desk: Desk, shop: Shop) -> None:
    monthly_only = await shop.seats()
    await shop.add(
        desk.sells.rate_card, a_rate(monthly_only, frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY)
    )

    with fault(StatusCode.FAILED_PRECONDITION, "RATE_NOT_FOUND", billing_frequency="WEEKLY"):
        await desk.sign(desk.seats(4, product_id=monthly_only.product_id, frequency=WEEKLY))
