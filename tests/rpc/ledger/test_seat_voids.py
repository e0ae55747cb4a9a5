# SPDX-License-Identifier: Apache-2.0
"""VoidSeatChange of a change that was in effect: what it had brought is voided, and the answer says what was unused."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as pb
from tests.support.ledger import RunningLedger

CREDIT = 1_000_000
JUNE, JULY = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)


def june(day: int, hour: int = 0) -> datetime:
    return JUNE + timedelta(days=day - 1, hours=hour)


def a_void(
    start: datetime = JUNE, end: datetime = JULY, *, seats: int = 1, **more: str
) -> pb.VoidSeatChangeRequest:
    told = {
        "request_id": "ntc_void",
        "customer_id": "cus_acme",
        "subscription_id": "sub_1",
        "seat_change_id": "chg_1",
        **more,
    }
    paid = pb.PaidPeriod(
        subscription_id="sub_1", start_time=timestamp(start), end_time=timestamp(end), seats=seats
    )
    return pb.VoidSeatChangeRequest(**told, paid_period=paid)


def days(start: Timestamp, end: Timestamp) -> tuple[datetime, datetime]:
    return start.ToDatetime(tzinfo=UTC), end.ToDatetime(tzinfo=UTC)


# 4 seats with 100 credits each, and one more from 16 June, which brings 50: it is used last.
@pytest.mark.parametrize(
    ("spent", "voided", "unused", "kept_from"),
    [
        (0, 50, 50, None),
        (400, 50, 50, None),
        (401, 49, 49, june(30, 17) - timedelta(minutes=12)),  # a 50th of 15 days
        (425, 25, 25, june(23, 12)),
        (450, 0, 0, june(16)),
    ],
)
async def test_what_is_unspent_of_a_seat_is_voided_and_the_answer_says_what_was_used(
    ledger: RunningLedger, spent: int, voided: int, unused: int, kept_from: datetime | None
) -> None:
    await ledger.change_seats(1, june(16), sequence=1)
    ledger.clock.advance_to(june(16))
    if spent:
        await ledger.debit(spent)

    answer = await ledger.peer.VoidSeatChange(a_void())

    (of_schedule,) = answer.voided
    assert (of_schedule.granted_micros, of_schedule.voided_micros) == (50 * CREDIT, voided * CREDIT)
    assert of_schedule.to_come_micros == 0
    assert (answer.unused.numerator, answer.unused.denominator) == (unused * CREDIT, 50 * CREDIT)
    kept = [days(one.start_time, one.end_time) for one in answer.kept]
    assert kept == ([] if kept_from is None else [(kept_from, JULY)])
    assert (await ledger.pool()).available_micros == (450 - spent - voided) * CREDIT
    ledger.clock.advance_to(JULY)
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()
