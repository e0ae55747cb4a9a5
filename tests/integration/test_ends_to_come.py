# SPDX-License-Identifier: Apache-2.0
"""Ends that are set ahead, with a real Catalog, Contract and Ledger: their money is settled when they pass."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from tests.support.catalog import JUNE
from tests.support.contract import NEXT_DATE, day, dollars
from tests.support.ends import SeatsCo, acme
from tests.support.postgres import Databases

CREDIT_UNUSED = pb.MONEY_BACK_CREDIT_UNUSED
MIDDLE = day(6, 16)
ARREARS = {
    "collection_schedule": pb.COLLECTION_SCHEDULE_ARREARS,
    "invoicing": pb.SEAT_INVOICING_UNSPECIFIED,
}


@pytest.fixture
async def seatsco(databases: Databases) -> AsyncIterator[SeatsCo]:
    async with acme(databases) as made:
        yield made


async def _totals(seatsco: SeatsCo, signed: pb.CreateContractResponse) -> list[str]:
    """What invoices come to; statements of usage come to nothing."""
    totals = [dollars(one.total) for one in await seatsco.desk.invoices(signed) if one.total.micros]
    return sorted(totals, key=float)


async def _back(seatsco: SeatsCo, signed: pb.CreateContractResponse) -> list[str]:
    """What came back on the first invoice."""
    return [dollars(one.amount) for one in await seatsco.notes(signed.invoices[0])]


@pytest.mark.parametrize(("spent", "back"), [(0, ["20.00"]), (200, ["20.00"]), (300, ["10.00"]), (400, [])])
async def test_an_end_to_come_gives_back_what_is_left_and_unused_when_it_passes(
    seatsco: SeatsCo, spent: int, back: list[str]
) -> None:
    signed = await seatsco.sign()
    await seatsco.go(day(6, 5))

    set_ahead = await seatsco.end(signed, end_time=timestamp(MIDDLE), money_back=CREDIT_UNUSED)

    assert not set_ahead.HasField("settlement")
    assert set_ahead.contract.end_money_back == CREDIT_UNUSED
    if spent:
        await seatsco.spend(spent)
    await seatsco.go(MIDDLE - timedelta(microseconds=1))
    assert await _back(seatsco, signed) == []
    assert await seatsco.balance() == 400 - spent

    await seatsco.go(MIDDLE)

    assert await _back(seatsco, signed) == back
    assert await seatsco.balance() == 0  # what is paid back is voided
    (settlement,) = await seatsco.settlements(signed)
    assert settlement.status == pb.PLAN_CHANGE_STATUS_APPLIED
    assert settlement.change_time == timestamp(MIDDLE)


async def test_an_end_to_come_that_is_settled_late_counts_as_of_the_end(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.end(signed, end_time=timestamp(MIDDLE), money_back=CREDIT_UNUSED)
    await seatsco.spend(300)

    await seatsco.go(day(6, 29))

    assert await _back(seatsco, signed) == ["10.00"]


async def test_credits_that_expire_before_the_end_is_settled_were_unused_at_the_end(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.end(signed, end_time=timestamp(MIDDLE), money_back=CREDIT_UNUSED)
    await seatsco.spend(300)

    await seatsco.go(day(7, 20))

    assert await _back(seatsco, signed) == ["10.00"]


async def test_an_end_with_the_period_gives_nothing_back(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()

    await seatsco.end(signed, end_option=pb.END_OPTION_PERIOD_END, money_back=CREDIT_UNUSED)

    await seatsco.go(day(7, 1))
    assert await _back(seatsco, signed) == []
    assert await seatsco.settlements(signed) == []
    assert len(await seatsco.desk.invoices(signed)) == 1


async def test_the_option_is_replaced_when_the_end_is_moved(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.end(signed, end_time=timestamp(MIDDLE), money_back=CREDIT_UNUSED)

    moved = await seatsco.end(signed, end_time=timestamp(day(6, 21)))

    assert moved.contract.end_money_back == pb.MONEY_BACK_NONE
    await seatsco.go(day(6, 21))
    assert await _back(seatsco, signed) == []
    assert await seatsco.balance() == 400


async def test_an_end_that_is_moved_pays_back_from_where_it_was_moved_to(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.end(signed, end_time=timestamp(day(6, 11)))
    await seatsco.go(day(6, 6))

    await seatsco.end(signed, end_time=timestamp(MIDDLE), money_back=CREDIT_UNUSED)

    await seatsco.go(day(6, 11))
    assert await _back(seatsco, signed) == []
    await seatsco.go(MIDDLE)
    assert await _back(seatsco, signed) == ["20.00"]


async def test_a_removed_end_gives_nothing_back(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.end(signed, end_time=timestamp(MIDDLE), money_back=CREDIT_UNUSED)
    await seatsco.go(day(6, 10))

    removed = await seatsco.end(signed, end_option=pb.END_OPTION_NEVER)

    assert removed.contract.end_money_back == pb.MONEY_BACK_UNSPECIFIED
    await seatsco.go(day(7, 1))
    assert await _back(seatsco, signed) == []
    assert [dollars(one.total) for one in await seatsco.desk.invoices(signed)] == ["40.00", "40.00"]
    assert await seatsco.balance() == 400


async def test_an_end_now_replaces_one_to_come_and_gives_back_what_was_charged_beyond_it(
    seatsco: SeatsCo,
) -> None:
    signed = await seatsco.sign()
    await seatsco.end(signed, end_time=timestamp(day(6, 21)))
    await seatsco.go(MIDDLE)

    await seatsco.end(signed, money_back=CREDIT_UNUSED)

    assert await _back(seatsco, signed) == ["20.00"]
    await seatsco.go(day(7, 1))
    assert len(await seatsco.settlements(signed)) == 1


async def test_a_seat_that_was_added_when_the_end_was_known_has_nothing_left_at_it(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.end(signed, end_time=timestamp(MIDDLE), money_back=CREDIT_UNUSED)
    await seatsco.go(day(6, 10))
    added = await seatsco.desk.add_seats(signed, 1)
    assert dollars(added.invoice.total) == "2.00"  # 6 of 30 days

    await seatsco.go(MIDDLE)

    # $20.00 of $42.00: the last invoice first.
    assert [dollars(one.amount) for one in await seatsco.notes(added.invoice)] == ["2.00"]
    assert await _back(seatsco, signed) == ["18.00"]


async def test_credits_to_come_count_only_for_seats_that_are_paid_until_then(seatsco: SeatsCo) -> None:
    """As found: a seat that was paid for 37 days counted as unused for a year, and gave back what others had used."""
    signed = await seatsco.sign(frequency=pb.BILLING_FREQUENCY_ANNUAL)
    await seatsco.spend(400)
    await seatsco.end(signed, end_time=timestamp(JUNE + timedelta(hours=900)), money_back=CREDIT_UNUSED)
    added = await seatsco.desk.add_seats(signed, 1)
    assert dollars(added.invoice.total) == "10.27"  # 900 of 8,760 hours at $100

    ended = await seatsco.end(signed, money_back=CREDIT_UNUSED)

    # The new seat's 100 and 11 months of 4 seats are unused, of 500 granted and as many months.
    (credit,) = ended.settlement.credits
    assert credit.credits_unused == pb.Fraction(numerator=45, denominator=49)


async def test_an_end_that_cuts_the_next_period_gives_nothing_of_it_back(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.end(signed, end_time=timestamp(day(7, 11)), money_back=CREDIT_UNUSED)

    await seatsco.go(day(7, 11))

    assert await _totals(seatsco, signed) == ["12.90", "40.00"]
    assert await seatsco.settlements(signed) == []


@pytest.mark.parametrize(("spent", "charged"), [(0, ["20.00"]), (200, ["20.00"]), (400, ["20.00", "20.00"])])
async def test_seats_in_arrears_cost_at_an_end_to_come_the_greater_of_time_and_use(
    seatsco: SeatsCo, spent: int, charged: list[str]
) -> None:
    signed = await seatsco.sign(**ARREARS)
    await seatsco.go(day(6, 5))
    await seatsco.end(signed, end_time=timestamp(MIDDLE))
    if spent:
        await seatsco.spend(spent)

    await seatsco.go(MIDDLE)

    assert await _totals(seatsco, signed) == charged


async def test_seats_in_arrears_of_a_period_whose_end_was_known_cost_what_was_granted(
    seatsco: SeatsCo,
) -> None:
    signed = await seatsco.sign(**ARREARS)
    await seatsco.end(signed, end_time=timestamp(day(7, 11)))
    await seatsco.go(day(7, 1))
    await seatsco.spend(129)

    await seatsco.go(day(7, 11))

    assert await _totals(seatsco, signed) == ["12.90", "40.00"]


async def test_increases_that_wait_to_be_billed_cost_by_use_at_an_end_to_come(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign(invoicing=NEXT_DATE)
    await seatsco.desk.add_seats(signed, 4)  # $40.00 until the end of June, billed then
    await seatsco.spend(800)
    await seatsco.go(day(6, 2))
    await seatsco.end(signed, end_time=timestamp(day(6, 21)), money_back=CREDIT_UNUSED)
    await seatsco.go(day(6, 3))
    await seatsco.end(signed, end_time=timestamp(MIDDLE), money_back=CREDIT_UNUSED)

    await seatsco.go(MIDDLE)

    # Half by time, and the rest because all was used.
    assert await _totals(seatsco, signed) == ["20.00", "20.00", "40.00"]
    assert await _back(seatsco, signed) == []


async def test_a_change_of_plan_before_the_end_settles_instead(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.desk.pay(signed.invoices[0])
    await seatsco.end(signed, end_time=timestamp(day(6, 21)), money_back=CREDIT_UNUSED)
    await seatsco.go(MIDDLE)

    changed = await seatsco.change_plan(signed)

    assert dollars(changed.invoice.total) == "60.00"  # $80.00 − $20.00
    await seatsco.go(day(6, 21))
    assert [one.plan_change_id for one in await seatsco.settlements(signed)] == [
        changed.plan_change.plan_change_id
    ]
