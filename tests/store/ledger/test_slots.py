# SPDX-License-Identifier: Apache-2.0
"""What is read and written of slots: those that requests name, and nothing of the others."""

from dataclasses import replace
from datetime import timedelta

import pytest

from meshkit.quantity import Credits
from services.ledger.domain.copies import ContractUpdate, SeatChangeUpdate, SubscriptionSeats
from services.ledger.domain.credits.grant import SlotId
from services.ledger.domain.credits.proration import SeatChange
from services.ledger.domain.credits.schedule import Allocation
from services.ledger.domain.credits.seat_plan import SeatMoves
from services.ledger.domain.credits.seats import NamedSeats
from services.ledger.domain.gate.decision import DenialReason
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import A_SCHEDULE, ACME, JULY, JUNE, Books

SEATS = 10_000


@pytest.fixture
async def named(books: Books) -> Books:
    """Acme has 10,000 named seats with 100 credits a month too; seats 0 to 999 are assigned."""
    await books.copies.apply_contract(
        ContractUpdate(
            customer_id=ACME,
            contract_id="con_0",
            version=1,
            rate_card_id="rcd_1",
            # Of two contracts the one that began first entitles.
            start_time=JUNE - timedelta(days=1),
            end_time=None,
            subscriptions=(SubscriptionSeats("sub_2", SEATS, NamedSeats(group_key="user_id")),),
            schedules=(
                replace(
                    A_SCHEDULE,
                    schedule_id="sch_2",
                    contract_id="con_0",
                    subscription_id="sub_2",
                    start_time=JUNE - timedelta(days=1),
                    allocation=Allocation.INDIVIDUAL,
                ),
            ),
        )
    )
    await _change(books, 1, assign=tuple(f"seat_{number}" for number in range(1_000)))
    return books


async def _change(books: Books, sequence: int, *, delta: int = 0, assign: tuple[str, ...] = ()) -> None:
    await books.copies.apply_seat_change(
        SeatChangeUpdate(
            customer_id=ACME,
            subscription_id="sub_2",
            change=SeatChange(JUNE, sequence, f"chg_{sequence}", delta),
            moves=SeatMoves(assign=assign),
        )
    )


async def test_ten_thousand_seats_that_nobody_has_used_are_no_rows(named: Books, sql: Sql) -> None:
    await _change(named, 2, delta=SEATS)

    assert await sql.value("SELECT count(*) FROM ledger.slots") == 0
    assert await sql.value("SELECT count(*) FROM ledger.grants WHERE slot_id IS NOT NULL") == 0
    assert await sql.value("SELECT array_agg((first_slot, last_slot)::text) FROM ledger.slot_turns") == [
        f"({SEATS + 1},{2 * SEATS})"
    ]


async def test_a_call_reads_and_writes_the_slot_of_its_seat_only(named: Books, sql: Sql) -> None:
    debited = await named.debit(30, user="seat_7")

    assert debited.reason is None
    assert await sql.value("SELECT array_agg(slot) FROM ledger.slots") == [8]
    account = await named.read(group_values=(("user_id", "seat_7"),))
    slot_id = SlotId("sub_2#8")
    assert list(account.slots) == [slot_id]
    own = [grant for grant in account.grants.values() if grant.slot_id is not None]
    assert [grant.slot_id for grant in own] == [slot_id]
    # That of May was over before anybody named the slot.
    assert [grant.rest for grant in own if grant.is_active(JUNE)] == [Credits.of(70)]


async def test_the_shared_pool_is_read_without_slots(named: Books) -> None:
    await named.debit(30, user="seat_7")

    account = await named.read()

    assert account.available(JUNE) == account.remaining(JUNE) == Credits.of(400)
    assert not account.slots
    assert (await named.debit(1, user="nobody")).reason is DenialReason.SEAT_NOT_ASSIGNED


async def test_a_slot_knows_when_it_is_due_next(named: Books, sql: Sql) -> None:
    await named.debit(30, user="seat_7")

    assert await sql.value("SELECT next_due_time FROM ledger.slots") == JULY
    named.clock.advance_to(JULY)
    assert await named.settlement.run_due(JULY) >= 1
    assert await sql.value("SELECT next_due_time FROM ledger.slots") > JULY


async def test_customers_without_named_seats_have_no_rules(books: Books) -> None:
    account = await books.read(group_values=(("user_id", "ann"),))

    assert (account.seat_rules, account.seats, account.slots) == ((), {}, {})
