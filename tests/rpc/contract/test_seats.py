# SPDX-License-Identifier: Apache-2.0
"""ChangeSeats, ListSeatChanges, PreviewSeatChange."""

import asyncio
from datetime import datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from meshkit.rpc.status import PeerUnavailable
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2
from purser.ledger.v1.ledger_peer_pb2 import ApplySeatChangeRequest
from services.ledger.domain.errors import SubscriptionNotFound
from tests.support.catalog import JUNE
from tests.support.contract import (
    MONTHLY,
    NEXT_DATE,
    ContractStub,
    Desk,
    RunningContract,
    away,
    day,
    dollars,
)
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger

TICK = timedelta(microseconds=1)


def _preview_of(request: pb.ChangeSeatsRequest) -> pb.PreviewSeatChangeRequest:
    preview = pb.PreviewSeatChangeRequest(
        contract_id=request.contract_id, subscription_id=request.subscription_id
    )
    if request.WhichOneof("change") == "new_quantity":
        preview.new_quantity = request.new_quantity
    else:
        preview.quantity_delta = request.quantity_delta
    if request.HasField("effective_time"):
        preview.effective_time.CopyFrom(request.effective_time)
    return preview


def _without_id(line: pb.InvoiceLine) -> pb.InvoiceLine:
    same = pb.InvoiceLine()
    same.CopyFrom(line)
    same.invoice_line_id = ""
    return same


async def _changes(desk: Desk, signed: pb.CreateContractResponse, **more: str) -> list[pb.SeatChange]:
    request = pb.ListSeatChangesRequest(contract_id=signed.contract.contract_id, page_size=500, **more)
    return list((await desk.contract.ListSeatChanges(request)).seat_changes)


async def test_a_change_is_told_in_full(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4))
    running.clock.advance_to(day(7, 3))

    changed = await desk.add_seats(signed, 2)

    change, seats = changed.seat_change, changed.subscription
    assert change.seat_change_id.startswith("chg_")
    assert change.subscription_id == seats.subscription_id == signed.contract.subscriptions[0].subscription_id
    assert (change.quantity_delta, change.quantity_after, seats.quantity) == (2, 6, 6)
    assert change.effective_time == change.create_time == timestamp(day(7, 3))
    assert changed.invoice.status == pb.INVOICE_STATUS_OPEN
    assert changed.invoice.issue_time == changed.invoice.finalize_time == timestamp(day(7, 3))
    [line] = changed.invoice.lines
    assert (line.kind, line.quantity) == (pb.INVOICE_LINE_KIND_SEAT_INCREASE, 2)
    assert line.subscription_id == seats.subscription_id
    assert (line.period.start_time, line.period.end_time) == (
        timestamp(day(7, 3)),
        timestamp(day(6, 1, 2026)),
    )
    assert changed.invoice.total == line.total
    read = await desk.contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=changed.invoice.invoice_id))
    assert read.invoice == changed.invoice


async def test_the_only_subscription_need_not_be_named(desk: Desk) -> None:
    one, two, none = (
        await desk.sign(desk.seats(4)),
        await desk.sign(desk.seats(4), desk.seats(1)),
        await desk.sign(),
    )

    for signed in (one, two, none):
        request = desk.change_request(one, 1)
        request.contract_id = signed.contract.contract_id
        request.subscription_id = ""
        if signed is one:
            assert (await desk.contract.ChangeSeats(request)).seat_change.quantity_after == 5
            assert len(await _changes(desk, one)) == 1
        elif signed is two:
            with bad_fields("subscription_id"):
                await desk.contract.ChangeSeats(request)
            with bad_fields("subscription_id"):
                await _changes(desk, two)
        else:
            with fault(StatusCode.NOT_FOUND, "SUBSCRIPTION_NOT_FOUND"):
                await desk.contract.ChangeSeats(request)


async def test_unknown_contracts_and_subscriptions_are_faults(desk: Desk) -> None:
    signed, other = await desk.sign(desk.seats(4)), await desk.sign(desk.seats(1))
    unknown = desk.change_request(signed, 1)
    unknown.contract_id = "con_unknown"
    strange = desk.change_request(signed, 1)
    strange.subscription_id = other.contract.subscriptions[0].subscription_id
    contract = desk.contract

    for request, reason in ((unknown, "CONTRACT_NOT_FOUND"), (strange, "SUBSCRIPTION_NOT_FOUND")):
        with fault(StatusCode.NOT_FOUND, reason):
            await contract.ChangeSeats(request)
        with fault(StatusCode.NOT_FOUND, reason):
            await contract.PreviewSeatChange(_preview_of(request))
        with fault(StatusCode.NOT_FOUND, reason):
            await contract.ListSeatChanges(
                pb.ListSeatChangesRequest(
                    contract_id=request.contract_id, subscription_id=request.subscription_id
                )
            )


async def test_seats_never_fall_below_zero_at_any_instant(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4))
    running.clock.advance_to(day(8, 1))
    await desk.add_seats(signed, -3, day(7, 10))

    for refused in (desk.change_request(signed, -2), desk.change_request(signed, -2, day(7, 3))):
        with fault(
            StatusCode.FAILED_PRECONDITION,
            "SEATS_BELOW_ZERO",
            quantity="-1",
            subscription_id=signed.contract.subscriptions[0].subscription_id,
        ):
            await desk.contract.ChangeSeats(refused)
        with fault(StatusCode.FAILED_PRECONDITION, "SEATS_BELOW_ZERO"):
            await desk.contract.PreviewSeatChange(_preview_of(refused))
    assert (await desk.add_seats(signed, -1, day(7, 3))).subscription.quantity == 0


async def test_the_past_before_the_open_period_is_closed(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(7, 3))

    closed = desk.change_request(signed, 1, day(7, 1) - TICK)
    with fault(StatusCode.FAILED_PRECONDITION, "OUTSIDE_OPEN_PERIOD", open_from_time=day(7, 1).isoformat()):
        await desk.contract.ChangeSeats(closed)
    with fault(StatusCode.FAILED_PRECONDITION, "OUTSIDE_OPEN_PERIOD"):
        await desk.contract.PreviewSeatChange(_preview_of(closed))

    opened = await desk.add_seats(signed, 1, day(7, 1))
    assert (dollars(opened.invoice.total), opened.invoice.issue_time) == ("10.00", timestamp(day(7, 1)))
    assert opened.invoice.finalize_time == timestamp(day(7, 3))


async def test_before_the_contract_starts_seats_change_from_its_start_on(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4), start=day(7, 1))

    for refused in (desk.change_request(signed, 1), desk.change_request(signed, 1, day(7, 1) - TICK)):
        with fault(StatusCode.FAILED_PRECONDITION, "OUTSIDE_OPEN_PERIOD"):
            await desk.contract.ChangeSeats(refused)
    assert not (await desk.add_seats(signed, 1, day(7, 1))).HasField("invoice")
    await running.advance_to(day(7, 1))
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["500.00"]


async def test_seats_change_until_the_contract_ends(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4), end=day(9, 1))

    with fault(
        StatusCode.FAILED_PRECONDITION, "EFFECTIVE_AFTER_CONTRACT_END", end_time=day(9, 1).isoformat()
    ):
        await desk.add_seats(signed, 1, day(9, 1))
    with fault(StatusCode.FAILED_PRECONDITION, "EFFECTIVE_AFTER_CONTRACT_END"):
        await desk.contract.PreviewSeatChange(_preview_of(desk.change_request(signed, 1, day(9, 1))))
    assert (await desk.add_seats(signed, 1, day(9, 1) - TICK)).seat_change.quantity_after == 5
    await running.advance_to(day(9, 1))
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await desk.add_seats(signed, 1, day(8, 1))
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await desk.contract.PreviewSeatChange(_preview_of(desk.change_request(signed, 1)))


async def test_a_change_dated_ahead_is_told_at_once_and_billed_when_it_takes_effect(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))

    ahead = await desk.add_seats(signed, 1, day(7, 3))

    assert not ahead.HasField("invoice")
    assert (ahead.seat_change.quantity_after, ahead.subscription.quantity) == (5, 4)
    [told] = ledger.told_of(ApplySeatChangeRequest)
    assert told.effective_time == timestamp(day(7, 3))
    await running.advance_to(day(7, 3) - TICK)
    assert len(await desk.invoices(signed)) == 1
    await running.advance_to(day(9, 1))
    _, billed = await desk.invoices(signed)
    assert (dollars(billed.total), billed.issue_time) == ("91.23", timestamp(day(7, 3)))


async def test_on_the_next_collection_date_an_increase_waits_for_the_renewal(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, invoicing=NEXT_DATE))
    await running.advance_to(day(7, 3))

    added = await desk.add_seats(signed, 1)
    await running.advance_to(day(6, 1, 2026))

    assert not added.HasField("invoice")
    _, renewal = await desk.invoices(signed)
    assert [(line.kind, dollars(line.total)) for line in renewal.lines] == [
        (pb.INVOICE_LINE_KIND_SUBSCRIPTION, "500.00"),
        (pb.INVOICE_LINE_KIND_SEAT_INCREASE, "91.23"),
    ]


@pytest.mark.parametrize(
    ("rounding", "total"),
    [(pb.ROUNDING_HALF_UP, "91.23"), (pb.ROUNDING_FLOOR, "91.23"), (pb.ROUNDING_CEILING, "91.24")],
)
async def test_money_is_rounded_as_signed(
    desk: Desk, running: RunningContract, rounding: pb.Rounding, total: str
) -> None:
    signed = await desk.sign(desk.seats(4, rounding=rounding))
    running.clock.advance_to(day(7, 3))

    added = await desk.add_seats(signed, 1)

    assert (dollars(added.invoice.total), added.invoice.lines[0].exact_micros) == (total, 91_232_876)


async def test_without_proration_a_seat_costs_its_whole_price(desk: Desk, running: RunningContract) -> None:
    request = desk.contract_request((await desk.customer()).customer_id, desk.seats(4))
    request.subscriptions[0].ClearField("proration")
    signed = await desk.contract.CreateContract(request)
    running.clock.advance_to(day(7, 3))

    assert dollars((await desk.add_seats(signed, 1)).invoice.total) == "100.00"


def _count_request(
    desk: Desk, signed: pb.CreateContractResponse, seats: int, at: datetime | None = None
) -> pb.ChangeSeatsRequest:
    request = desk.change_request(signed, 1, at)
    request.new_quantity = seats
    return request


async def test_golden_a_scheduled_count_holds_whatever_arrives_later(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await desk.contract.ChangeSeats(_count_request(desk, signed, 2, day(7, 1)))
    await running.advance_to(day(6, 10))

    now = await desk.contract.ChangeSeats(_count_request(desk, signed, 5))

    assert (now.seat_change.new_quantity, now.seat_change.quantity_after) == (5, 5)
    assert dollars(now.invoice.total) == "7.00"
    assert [(one.new_quantity, one.quantity_after) for one in await _changes(desk, signed)] == [
        (5, 5),
        (2, 2),
    ]
    await running.advance_to(day(7, 1))
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["40.00", "7.00", "20.00"]


async def test_golden_a_count_dated_earlier_that_arrives_later_holds_until_the_next_one(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(6, 25))

    await desk.contract.ChangeSeats(_count_request(desk, signed, 5, day(6, 20)))
    six = _count_request(desk, signed, 6, day(6, 10))
    preview = await desk.contract.PreviewSeatChange(_preview_of(six))
    changed = await desk.contract.ChangeSeats(six)

    assert list(preview.lines) == [_without_id(line) for line in changed.invoice.lines]
    assert [one.quantity_after for one in await _changes(desk, signed)] == [6, 5]
    assert sum(one.total.micros for one in await desk.invoices(signed)) == 54_000_000
    await running.advance_to(day(7, 1))
    assert dollars((await desk.invoices(signed))[-1].total) == "50.00"


async def test_a_count_is_refused_if_it_makes_a_later_point_negative(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    await desk.add_seats(signed, -3, day(7, 10))

    with fault(StatusCode.FAILED_PRECONDITION, "SEATS_BELOW_ZERO", at=day(7, 10).isoformat()):
        await desk.contract.ChangeSeats(_count_request(desk, signed, 2))
    assert (await desk.contract.ChangeSeats(_count_request(desk, signed, 3))).seat_change.quantity_after == 3


async def test_a_wanted_number_of_seats_is_counted_from_those_in_force_then(
    desk: Desk, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    request = desk.change_request(signed, 1)
    request.new_quantity = 6
    same = desk.change_request(signed, 1)
    same.new_quantity = 6

    first = await desk.contract.ChangeSeats(request)
    second = await desk.contract.ChangeSeats(same)

    assert (first.seat_change.quantity_delta, first.seat_change.quantity_after) == (2, 6)
    assert (second.seat_change.quantity_delta, second.seat_change.quantity_after) == (0, 6)
    # The Ledger is told of both: each holds, whatever earlier-dated change arrives later.
    told = ledger.told_of(ApplySeatChangeRequest)
    assert [(one.new_quantity, one.quantity_delta) for one in told] == [(6, 0), (6, 0)]
    assert all(one.HasField("new_quantity") and one.accept_time == timestamp(JUNE) for one in told)


async def test_the_ledger_is_told_when_a_difference_was_accepted(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    running.clock.advance_to(day(7, 3))

    await desk.add_seats(signed, 1, day(7, 1))

    [told] = ledger.told_of(ApplySeatChangeRequest)
    assert not told.HasField("new_quantity")
    assert (told.quantity_delta, told.accept_time) == (1, timestamp(day(7, 3)))
    assert told.effective_time == timestamp(day(7, 1))


async def test_fifty_concurrent_increases_end_at_exactly_fifty_more(
    desk: Desk, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))

    added = await asyncio.gather(*(desk.add_seats(signed, 1) for _ in range(50)))

    assert sorted(one.seat_change.quantity_after for one in added) == list(range(5, 55))
    assert (await _changes(desk, signed))[-1].quantity_after == 54
    assert sum(one.total.micros for one in await desk.invoices(signed)) == 54 * 100_000_000
    told = await ledger.until_told(ApplySeatChangeRequest, 50)
    assert [one.sequence for one in told] == list(range(1, 51))


async def test_a_repeated_request_gets_the_first_answer(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    request = desk.change_request(signed, 1)

    first = await desk.contract.ChangeSeats(request)
    running.clock.advance_to(day(7, 3))
    await desk.add_seats(signed, 1)

    assert await desk.contract.ChangeSeats(request) == first
    assert len(await _changes(desk, signed)) == 2
    assert len(ledger.told_of(ApplySeatChangeRequest)) == 2
    request.quantity_delta = 2
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await desk.contract.ChangeSeats(request)


async def test_twins_of_one_request_change_seats_once(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    request = desk.change_request(signed, 1)

    twins = await asyncio.gather(*(desk.contract.ChangeSeats(request) for _ in range(6)))

    assert len({twin.seat_change.seat_change_id for twin in twins}) == 1
    assert len(await _changes(desk, signed)) == 1


async def test_changes_are_listed_by_effective_time_then_as_received(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4))
    running.clock.advance_to(day(8, 1))
    moves = [(3, day(7, 10)), (-1, day(7, 3)), (2, day(7, 10)), (1, day(12, 1)), (1, None)]
    for delta, at in moves:
        await desk.add_seats(signed, delta, at)

    listed: list[pb.SeatChange] = []
    request = pb.ListSeatChangesRequest(contract_id=signed.contract.contract_id, page_size=2)
    while True:
        page = await desk.contract.ListSeatChanges(request)
        listed += page.seat_changes
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert [(one.quantity_delta, one.quantity_after) for one in listed] == [
        (-1, 3),
        (3, 6),
        (2, 8),
        (1, 9),
        (1, 10),
    ]
    assert listed == await _changes(desk, signed)
    other = await desk.sign(desk.seats(1))
    request.contract_id = other.contract.contract_id
    with bad_fields("page_token"):
        await desk.contract.ListSeatChanges(request)


def _credits_of(
    request: ledger_peer_pb2.PreviewSeatChangeRequest,
) -> ledger_peer_pb2.PreviewSeatChangeResponse:
    return ledger_peer_pb2.PreviewSeatChangeResponse(
        credits=[
            ledger_peer_pb2.ScheduleCredits(
                grant_schedule_id="sch_1",
                credit_type_id="crt_1",
                amount_micros=request.quantity_delta * 93_548_387,
            )
        ]
    )


async def test_a_preview_tells_money_and_credits_and_changes_nothing(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    ledger.answers["PreviewSeatChange"] = _credits_of
    signed = await desk.sign(desk.seats(4), schedules=(desk.schedule(),))
    running.clock.advance_to(day(7, 3))
    request = desk.change_request(signed, 1)

    preview = await desk.contract.PreviewSeatChange(_preview_of(request))

    assert (preview.quantity_after, dollars(preview.total)) == (5, "91.23")
    assert [(one.grant_schedule_id, one.amount_micros) for one in preview.credits] == [("sch_1", 93_548_387)]
    [asked] = ledger.told_of(ledger_peer_pb2.PreviewSeatChangeRequest)
    assert (asked.customer_id, asked.subscription_id) == (
        signed.contract.customer_id,
        request.subscription_id,
    )
    assert (asked.effective_time, asked.quantity_delta) == (timestamp(day(7, 3)), 1)
    assert await _changes(desk, signed) == []
    assert len(await desk.invoices(signed)) == 1
    assert not ledger.told_of(ApplySeatChangeRequest)


@pytest.mark.parametrize("at", [None, day(7, 3), day(8, 20)])
@pytest.mark.parametrize("delta", [-1, 1, 3])
@pytest.mark.parametrize("is_prorated", [True, False])
async def test_a_preview_agrees_exactly_with_what_the_change_then_does(
    desk: Desk, running: RunningContract, at: object, delta: int, is_prorated: bool
) -> None:
    signed = await desk.sign(desk.seats(4, is_prorated=is_prorated))
    running.clock.advance_to(day(8, 20))
    await desk.add_seats(signed, -2, day(7, 10))
    await desk.add_seats(signed, 3, day(8, 1))
    request = desk.change_request(signed, delta, at)  # type: ignore[arg-type]

    preview = await desk.contract.PreviewSeatChange(_preview_of(request))
    changed = await desk.contract.ChangeSeats(request)

    assert preview.quantity_after == changed.seat_change.quantity_after
    assert list(preview.lines) == [_without_id(line) for line in changed.invoice.lines]
    assert preview.total.micros == changed.invoice.total.micros


async def test_a_preview_of_a_change_dated_ahead_tells_what_will_be_billed(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4))
    this_year, next_year = (desk.change_request(signed, 1, at) for at in (day(7, 3), day(6, 1, 2026)))

    previews = [await desk.contract.PreviewSeatChange(_preview_of(one)) for one in (this_year, next_year)]
    await desk.contract.ChangeSeats(this_year)
    await desk.contract.ChangeSeats(next_year)
    await running.advance_to(day(6, 1, 2026))

    assert [dollars(preview.total) for preview in previews] == ["91.23", "100.00"]
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["400.00", "91.23", "600.00"]


async def test_a_preview_of_the_seats_that_are_there_is_nothing(desk: Desk, ledger: RecordingLedger) -> None:
    signed = await desk.sign(desk.seats(4), schedules=(desk.schedule(),))
    request = desk.change_request(signed, 1)
    request.new_quantity = 4

    preview = await desk.contract.PreviewSeatChange(_preview_of(request))

    assert (preview.quantity_after, list(preview.lines), dollars(preview.total)) == (4, [], "0.00")
    [asked] = ledger.told_of(ledger_peer_pb2.PreviewSeatChangeRequest)
    assert (asked.HasField("new_quantity"), asked.new_quantity, asked.quantity_delta) == (True, 4, 0)


async def test_a_preview_needs_the_ledger(desk: Desk, ledger: RecordingLedger) -> None:
    signed = await desk.sign(desk.seats(4))
    request = _preview_of(desk.change_request(signed, 1))

    for absent in (PeerUnavailable(peer="x", details="away"), SubscriptionNotFound(subscription_id="sub_1")):
        ledger.fault = absent
        with away("ledger"):
            await desk.contract.PreviewSeatChange(request)
    ledger.fault = None
    assert (await desk.contract.PreviewSeatChange(request)).quantity_after == 5


async def test_all_bad_fields_are_named_at_once(contract: ContractStub) -> None:
    nothing, too_many = pb.ChangeSeatsRequest(), pb.ChangeSeatsRequest(new_quantity=1_000_001)
    too_many.effective_time.CopyFrom(timestamp(day(1, 1, 9000)))
    with bad_fields("request_id", "contract_id", "change"):
        await contract.ChangeSeats(nothing)
    with bad_fields("contract_id", "change"):
        await contract.PreviewSeatChange(_preview_of_nothing())
    with bad_fields("request_id", "contract_id", "new_quantity", "effective_time"):
        await contract.ChangeSeats(too_many)
    for delta in (0, 1_000_001, -1_000_001):
        with bad_fields("quantity_delta"):
            await contract.ChangeSeats(
                pb.ChangeSeatsRequest(request_id="r1", contract_id="con_1", quantity_delta=delta)
            )
    with bad_fields("contract_id", "page_size", "page_token"):
        await contract.ListSeatChanges(pb.ListSeatChangesRequest(page_size=-1, page_token="x"))


def _preview_of_nothing() -> pb.PreviewSeatChangeRequest:
    return pb.PreviewSeatChangeRequest()


async def test_more_seats_than_a_million_are_refused(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))

    with bad_fields("quantity_delta"):
        await desk.add_seats(signed, 999_997)
    assert (await desk.add_seats(signed, 999_996)).seat_change.quantity_after == 1_000_000


async def test_business_time_dates_a_change_when_none_is_named(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))

    assert (await desk.add_seats(signed, 1)).seat_change.effective_time == timestamp(JUNE)
