# SPDX-License-Identifier: Apache-2.0
"""Periods that a contract's end cuts short: their share, moved and removed ends, and cents."""

from datetime import datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import optional_timestamp, timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2 import ApplyContractRequest
from tests.support.contract import MONTHLY, NEXT_DATE, Desk, RunningContract, day, dollars
from tests.support.faults import fault
from tests.support.ledger_peer import RecordingLedger

TICK = timedelta(microseconds=1)


async def _end(
    desk: Desk, signed: pb.CreateContractResponse, at: datetime | None = None
) -> pb.EndContractResponse:
    return await desk.contract.EndContract(
        pb.EndContractRequest(
            request_id=desk.request_id(),
            contract_id=signed.contract.contract_id,
            end_time=optional_timestamp(at),
        )
    )


async def _totals(desk: Desk, signed: pb.CreateContractResponse) -> list[str]:
    return [dollars(one.total) for one in await desk.invoices(signed)]


async def test_golden_a_month_that_the_end_cuts_short_costs_its_share(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    running.clock.advance_to(day(6, 15))
    await _end(desk, signed, day(7, 11))
    await running.advance_to(day(7, 2))

    added = await desk.add_seats(signed, 1)

    assert await _totals(desk, signed) == ["40.00", "12.90", "2.91"]
    [line] = added.invoice.lines
    assert (line.fraction.numerator, line.fraction.denominator) == (9, 31)
    assert (line.exact_micros, line.carried_micros) == (2_903_225, 3_226)
    assert line.period.end_time == timestamp(day(7, 11))
    await running.advance_to(day(9, 1))
    assert len(await desk.invoices(signed)) == 3


async def test_a_later_end_charges_the_difference_at_once_and_an_earlier_one_nothing(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), end=day(7, 11))
    await running.advance_to(day(7, 5))

    await _end(desk, signed, day(7, 8))
    assert await _totals(desk, signed) == ["40.00", "12.90"]
    await _end(desk, signed, day(7, 21))

    longer = (await desk.invoices(signed))[-1]
    assert (dollars(longer.total), longer.issue_time) == ("12.91", timestamp(day(7, 5)))
    [line] = longer.lines
    assert line.description == "Team Plan: 4 seats kept longer, 10/31 of the period"
    assert (line.period.start_time, line.period.end_time) == (timestamp(day(7, 11)), timestamp(day(7, 21)))
    ends = [one.end_time for one in ledger.told_of(ApplyContractRequest)]
    assert ends == [timestamp(at) for at in (day(7, 11), day(7, 8), day(7, 21))]


async def test_on_the_next_collection_date_a_later_end_is_charged_when_the_contract_ends(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY, invoicing=NEXT_DATE), end=day(7, 11))
    await running.advance_to(day(7, 5))

    await _end(desk, signed, day(7, 21))

    assert await _totals(desk, signed) == ["40.00", "12.90"]
    await running.advance_to(day(7, 21))
    assert await _totals(desk, signed) == ["40.00", "12.90", "12.91"]


@pytest.mark.parametrize(("late", "totals"), [(0, ["40.00"]), (1, ["40.00", "40.00"])])
async def test_a_contract_ended_at_the_instant_of_its_renewal_owes_nothing_for_the_new_period(
    desk: Desk, running: RunningContract, late: int, totals: list[str]
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    running.clock.advance_to(day(7, 1) + late * TICK)

    await _end(desk, signed)

    await running.advance_to(day(8, 1))
    assert await _totals(desk, signed) == totals


async def test_an_end_that_has_passed_stays(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), end=day(7, 11))
    await running.advance_to(day(7, 11) - TICK)

    await _end(desk, signed, day(7, 12))
    await running.advance_to(day(7, 12))
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await _end(desk, signed, day(7, 13))


async def test_golden_cents_do_not_depend_on_the_order_of_increases(
    desk: Desk, running: RunningContract
) -> None:
    in_time, later_first = [await desk.sign(desk.seats(4, frequency=MONTHLY)) for _ in range(2)]
    await running.advance_to(day(6, 20))

    for signed, dates in ((in_time, (12, 18)), (later_first, (18, 12))):
        for date in dates:
            await desk.add_seats(signed, 1, day(6, date))

    # By date: the 12th, then the 18th. 19/30 and 13/30 of $10 are $10.67 together.
    assert await _totals(desk, in_time) == ["40.00", "6.33", "4.34"]
    assert await _totals(desk, later_first) == ["40.00", "6.34", "4.33"]


async def test_the_cents_of_many_small_increases_add_up(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(6, 30) + timedelta(hours=23, minutes=38))

    for _ in range(20):
        await desk.add_seats(signed, 1)

    # 22 minutes of June of one seat are 0.509 cents; of 20 seats $0.1018…
    assert sum(one.total.micros for one in (await desk.invoices(signed))[1:]) == 100_000


async def test_lines_of_nothing_wait_for_the_next_lines(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(7, 1) - timedelta(minutes=1))

    first, second = [await desk.add_seats(signed, 1) for _ in range(2)]

    # A minute of June of one seat is 0.02 cents.
    assert (first.HasField("invoice"), second.HasField("invoice")) == (False, False)
    waiting = (await desk.invoices(signed))[-1]
    assert (waiting.status, waiting.number, dollars(waiting.total)) == (pb.INVOICE_STATUS_DRAFT, "", "0.00")
    assert [line.exact_micros for line in waiting.lines] == [231, 231]
    with fault(StatusCode.FAILED_PRECONDITION, "INVOICE_ZERO"):
        await desk.contract.FinalizeInvoice(
            pb.FinalizeInvoiceRequest(request_id="zero", invoice_id=waiting.invoice_id)
        )

    await running.advance_to(day(7, 1))
    _, july = await desk.invoices(signed)
    assert (july.invoice_id, july.number, july.issue_time) == (
        waiting.invoice_id,
        "000002",
        timestamp(day(7, 1)),
    )
    assert [(line.quantity, dollars(line.total)) for line in july.lines] == [
        (1, "0.00"),
        (1, "0.00"),
        (6, "60.00"),
    ]
    assert dollars(july.total) == "60.00"
    # The cover knows them: nothing of June is charged again.
    await running.advance_to(day(7, 20))
    assert len(await desk.invoices(signed)) == 2


async def test_lines_of_nothing_are_issued_with_a_cent(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(7, 1) - timedelta(minutes=11))

    one, two = [await desk.add_seats(signed, 1) for _ in range(2)]

    # 0.2546 cents each: the second makes half a cent, and brings the first one's line with it.
    assert not one.HasField("invoice")
    assert [(dollars(line.total), line.carried_micros) for line in two.invoice.lines] == [
        ("0.00", 0),
        ("0.01", 2_546),
    ]


async def test_a_voided_draft_gets_no_more_lines(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(7, 1) - timedelta(minutes=1))
    await desk.add_seats(signed, 1)
    waiting = (await desk.invoices(signed))[-1]
    await desk.contract.VoidInvoice(
        pb.VoidInvoiceRequest(request_id="void", invoice_id=waiting.invoice_id, reason="nothing to pay")
    )

    await desk.add_seats(signed, 1)

    _, void, fresh = await desk.invoices(signed)
    assert (void.status, fresh.status) == (pb.INVOICE_STATUS_VOID, pb.INVOICE_STATUS_DRAFT)
    assert (len(void.lines), len(fresh.lines)) == (1, 1)
