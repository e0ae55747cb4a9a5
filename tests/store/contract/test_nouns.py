# SPDX-License-Identifier: Apache-2.0
"""What goes in comes out: customers, contracts, seats, invoices, top-ups; and lists in their order."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from meshkit.page import Page
from meshkit.period import Period
from meshkit.quantity import MICROS, Money
from services.contract.domain.billing.coverage import Charge
from services.contract.domain.billing.state import BillingState
from services.contract.domain.customer import UNEXPLAINED, Customer
from services.contract.domain.errors.contracts import ContractNotFound
from services.contract.domain.errors.customers import AliasTaken, CustomerNotFound
from services.contract.domain.errors.invoices import InvoiceNotFound
from services.contract.domain.errors.top_ups import TopUpNotFound
from services.contract.domain.ids import ContractId, CustomerId, InvoiceId, SubscriptionId, TopUpId
from services.contract.domain.invoice import InvoiceLineKind, InvoiceStatus, Share
from services.contract.domain.seats.timeline import SeatChange, Timeline
from services.contract.domain.top_up import PaymentError, TopUpStatus
from services.contract.store import PostgresStore
from tests.store.contract.builders import (
    A_TOP_UP,
    ACME,
    BILLED,
    CONTRACT,
    SEATS,
    YEAR,
    a_change,
    a_count,
    a_line,
    a_purchase_line,
    an_invoice,
    write_billed,
    write_contract,
)
from tests.support.catalog import JUNE
from tests.support.contract import day

ALL = Page(500, None)


async def test_a_customer_is_found_by_id_and_alias_and_locked_by_both(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await tx.customers.insert(ACME)

    async with store.transaction() as tx:
        for name in ("cus_1", "acme", "crm:42"):
            assert await tx.customers.find(name) == ACME
            assert await tx.customers.lock(name) == ACME
        for name in ("cus_2", "ACME"):
            with pytest.raises(CustomerNotFound):
                await tx.customers.find(name)


async def test_aliases_are_replaced_as_a_whole_and_keep_their_order(store: PostgresStore) -> None:
    renamed = replace(ACME, aliases=("z", "acme", "a"), suspensions=(UNEXPLAINED,), version=2)
    async with store.transaction() as tx:
        await tx.customers.insert(ACME)
    async with store.transaction() as tx:
        await tx.customers.update(renamed)

    async with store.transaction() as tx:
        assert await tx.customers.find("z") == renamed
        with pytest.raises(CustomerNotFound):
            await tx.customers.find("crm:42")


async def test_a_taken_alias_undoes_the_whole_customer(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await tx.customers.insert(ACME)

    with pytest.raises(AliasTaken):
        async with store.transaction() as tx:
            await tx.customers.insert(
                replace(ACME, customer_id=CustomerId("cus_2"), aliases=("free", "acme"))
            )
    async with store.transaction() as tx:
        assert await tx.customers.listed(ALL, with_archived=True, search="") == [ACME]


async def test_customers_are_listed_in_the_order_of_their_ids(store: PostgresStore) -> None:
    made: list[Customer] = [
        replace(ACME, customer_id=CustomerId(f"cus_{letter}"), aliases=()) for letter in "bZa"
    ]
    async with store.transaction() as tx:
        for customer in made:
            await tx.customers.insert(customer)

    async with store.transaction() as tx:
        # Byte by byte, and one row more than asked, to tell that there is a next page.
        first = await tx.customers.listed(Page(1, None), with_archived=False, search="")
        rest = await tx.customers.listed(Page(5, ("cus_a",)), with_archived=False, search="")
        assert [one.customer_id for one in first] == ["cus_Z", "cus_a"]
        assert [one.customer_id for one in rest] == ["cus_b"]


async def test_a_contract_comes_back_as_it_was_signed(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await write_contract(tx)

    async with store.transaction() as tx:
        assert await tx.contracts.find(CONTRACT.contract_id) == CONTRACT
        assert await tx.contracts.lock(CONTRACT.contract_id) == CONTRACT
        assert await tx.contracts.customer_of(CONTRACT.contract_id) == ACME.customer_id
        assert await tx.contracts.listed(None, ALL) == [CONTRACT]
        assert await tx.contracts.listed(ACME.customer_id, ALL) == [CONTRACT]
        assert await tx.contracts.listed(CustomerId("cus_2"), ALL) == []
        for read in (tx.contracts.find, tx.contracts.lock, tx.contracts.customer_of):
            with pytest.raises(ContractNotFound):
                await read(ContractId("con_2"))


async def test_a_contract_without_anything_is_one_too(store: PostgresStore) -> None:
    bare = replace(CONTRACT, subscriptions=(), grant_schedules=(), end_time=None)
    async with store.transaction() as tx:
        await write_contract(tx, bare)

    async with store.transaction() as tx:
        assert await tx.contracts.find(bare.contract_id) == bare
        assert await tx.billing.states([bare]) == [[]]


async def test_contracts_are_due_by_time_then_id_behind_the_last_one(store: PostgresStore) -> None:
    bare = replace(CONTRACT, subscriptions=(), grant_schedules=())
    dues = {"con_a": day(7, 1), "con_b": JUNE, "con_c": JUNE, "con_d": None, "con_e": day(8, 1)}
    async with store.transaction() as tx:
        await tx.customers.insert(ACME)
        for contract_id, due in dues.items():
            await tx.contracts.insert(replace(bare, contract_id=ContractId(contract_id)))
            await tx.contracts.save_due(ContractId(contract_id), due)

    async with store.transaction() as tx:
        due_now = await tx.contracts.due(at=day(7, 1), after=None, rows_max=10)
        rest = await tx.contracts.due(at=day(7, 1), after=(JUNE, ContractId("con_b")), rows_max=10)
        first = await tx.contracts.due(at=day(7, 1), after=None, rows_max=1)

    assert [contract_id for _, contract_id in due_now] == ["con_b", "con_c", "con_a"]
    assert rest == due_now[1:]
    assert first == due_now[:1]


async def test_an_account_begins_with_the_period_billed_last(store: PostgresStore) -> None:
    changes = [
        a_change(1, day(7, 3, 2024), -1),
        a_change(2, JUNE, 2),
        a_change(3, day(7, 3), 1),
        a_change(4, day(6, 1, 2026), 1),
    ]
    async with store.transaction() as tx:
        await write_contract(tx)
        await write_billed(tx)
        for change in changes:
            await tx.seats.insert_change(change)
        await tx.invoices.insert(an_invoice(a_line()))

    async with store.transaction() as tx:
        contract = await tx.contracts.find(CONTRACT.contract_id)
        [[billed, unbilled]] = await tx.billing.states([contract])

    first, second = contract.subscriptions
    assert billed == BillingState(
        contract=contract,
        subscription=first,
        timeline=Timeline(opening_quantity=3, changes=tuple(changes[1:])),
        billed=BILLED,
    )
    assert unbilled == BillingState(
        contract=contract, subscription=second, timeline=Timeline(opening_quantity=4), billed=None
    )


@pytest.mark.parametrize(
    ("before_the_year", "opening"),
    [
        ([a_count(1, day(5, 1), 7)], 7),
        ([a_count(1, day(5, 1), 7), a_change(2, day(5, 2), 2)], 9),
        ([a_count(1, day(5, 2), 7), a_change(2, day(5, 1), 2)], 7),
        ([a_change(1, day(5, 1), 2), a_count(2, day(5, 1), 7), a_change(3, day(5, 1), -1)], 6),
        ([a_count(1, day(5, 1), 7), a_count(2, day(5, 3), 0), a_change(3, day(5, 2), -1)], 0),
        ([a_count(1, JUNE, 7)], 4),
    ],
)
async def test_the_opening_seats_are_the_last_count_and_what_was_added_since(
    store: PostgresStore, before_the_year: list[SeatChange], opening: int
) -> None:
    async with store.transaction() as tx:
        await write_contract(tx)
        await write_billed(tx)
        for change in before_the_year:
            await tx.seats.insert_change(change)

    async with store.transaction() as tx:
        [[state, _]] = await tx.billing.states([await tx.contracts.find(CONTRACT.contract_id)])
        listed = await tx.seats.listed_changes(SEATS, ALL)
    assert state.timeline.opening_quantity == opening
    in_order = sorted(before_the_year, key=lambda one: (one.effective_time, one.sequence))
    assert [one.quantity_after for one in listed] == [
        quantity for _, quantity in Timeline(opening_quantity=4, changes=tuple(in_order)).running()
    ]


async def test_what_is_paid_is_what_the_lines_of_the_period_say(store: PostgresStore) -> None:
    july = Period(day(7, 3), YEAR.end)
    async with store.transaction() as tx:
        await write_contract(tx)
        await write_billed(tx)
        await tx.invoices.insert(an_invoice(a_line()))
        # 333/365 of two seats. Of one that is not prorated, an earlier version stored the span from its instant on.
        share = Share(333, 365)
        increase = replace(
            a_line(2, InvoiceLineKind.SEAT_INCREASE, july, seats=2), share=share, carried_micros=7
        )
        unprorated = a_line(3, InvoiceLineKind.SEAT_INCREASE, july, seats=1)
        await tx.invoices.insert(an_invoice(increase, unprorated, invoice_id="inv_2"))

    async with store.transaction() as tx:
        [[state, _]] = await tx.billing.states([await tx.contracts.find(CONTRACT.contract_id)])
    assert state.billed is not None
    assert state.billed.charges == (
        Charge(seats=4, span=YEAR),
        Charge(seats=2, span=july),
        Charge(seats=1, span=YEAR),
    )
    assert state.billed.charged_micros == 700 * MICROS
    async with store.transaction() as tx:
        assert (await tx.invoices.find(InvoiceId("inv_2"))).lines == (increase, unprorated)


async def test_changes_are_listed_by_time_then_as_received_with_the_seats_after_each(
    store: PostgresStore,
) -> None:
    async with store.transaction() as tx:
        await write_contract(tx)
        for change in (
            a_change(1, day(7, 10), 3),
            a_change(2, day(7, 3), -1),
            a_change(3, day(7, 10), 2),
        ):
            await tx.seats.insert_change(change)

    async with store.transaction() as tx:
        everything = await tx.seats.listed_changes(SEATS, ALL)
        behind = await tx.seats.listed_changes(SEATS, Page(5, (day(7, 10).isoformat(), "1")))
        nobody = await tx.seats.listed_changes(replace(SEATS, subscription_id=SubscriptionId("sub_0")), ALL)
    assert [(one.change.sequence, one.quantity_after) for one in everything] == [(2, 3), (1, 6), (3, 8)]
    assert behind == everything[2:]
    assert nobody == []


async def test_invoices_come_back_with_their_lines_by_date(store: PostgresStore) -> None:
    early = an_invoice(a_line(), issue_time=JUNE, invoice_id="inv_2")
    late = an_invoice(
        a_line(2, InvoiceLineKind.SEAT_INCREASE), a_purchase_line(3), issue_time=day(7, 1), invoice_id="inv_1"
    )
    async with store.transaction() as tx:
        await write_contract(tx)
        await write_billed(tx)
        for invoice in (late, early):
            await tx.invoices.insert(invoice)

    async with store.transaction() as tx:
        assert await tx.invoices.listed(ACME.customer_id, None, ALL) == [early, late]
        assert await tx.invoices.listed(ACME.customer_id, CONTRACT.contract_id, ALL) == [early, late]
        assert await tx.invoices.listed(ACME.customer_id, ContractId("con_2"), ALL) == []
        behind = Page(5, (JUNE.isoformat(), "inv_2"))
        assert await tx.invoices.listed(ACME.customer_id, None, behind) == [late]
        assert await tx.invoices.find(early.invoice_id) == early
        with pytest.raises(InvoiceNotFound):
            await tx.invoices.find(InvoiceId("inv_3"))


async def test_a_draft_of_seats_without_an_amount_waits_for_more_lines(store: PostgresStore) -> None:
    nothing = replace(a_line(4, InvoiceLineKind.SEAT_INCREASE), exact_micros=0, total=Money.zero("USD"))
    free = replace(a_purchase_line(3), total=Money.zero("USD"))
    draft = partial(an_invoice, status=InvoiceStatus.DRAFT)
    async with store.transaction() as tx:
        await write_contract(tx)
        await write_billed(tx)
        for invoice in (
            draft(free, invoice_id="inv_1"),
            draft(a_line(5, InvoiceLineKind.SEAT_INCREASE), invoice_id="inv_2"),
        ):
            await tx.invoices.insert(invoice)
        assert await tx.invoices.lock_waiting(CONTRACT.contract_id) is None
        waiting = draft(nothing, invoice_id="inv_3")
        await tx.invoices.insert(waiting)

    extended = replace(draft(nothing, a_line(6), invoice_id="inv_3"), issue_time=day(7, 1))
    async with store.transaction() as tx:
        assert await tx.invoices.lock_waiting(CONTRACT.contract_id) == waiting
        assert await tx.invoices.lock_waiting(ContractId("con_2")) is None
        await tx.invoices.extend(extended, stored=1)
    async with store.transaction() as tx:
        assert await tx.invoices.find(waiting.invoice_id) == extended
        assert await tx.invoices.lock_waiting(CONTRACT.contract_id) is None


async def test_what_becomes_of_a_top_up_is_kept(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await write_contract(tx)
        draft = an_invoice(a_purchase_line(), invoice_id="inv_9", status=InvoiceStatus.DRAFT)
        await tx.invoices.insert(draft)
        await tx.top_ups.insert(A_TOP_UP)
    declined = replace(
        A_TOP_UP,
        last_payment_error=PaymentError(code="card_declined", message="no", create_time=day(6, 30)),
    )
    kept = replace(declined, status=TopUpStatus.PAID, payment_reference="pi_1", resolve_time=day(7, 1))

    async with store.transaction() as tx:
        assert await tx.top_ups.find(A_TOP_UP.top_up_id) == A_TOP_UP
        assert await tx.top_ups.due(at=day(7, 2) - timedelta(microseconds=1), rows_max=9) == []
        assert await tx.top_ups.due(at=day(7, 2), rows_max=9) == [(A_TOP_UP.top_up_id, A_TOP_UP.customer_id)]
        await tx.top_ups.save(declined)
    async with store.transaction() as tx:
        assert await tx.top_ups.find(A_TOP_UP.top_up_id) == declined
        await tx.top_ups.save(kept)
    async with store.transaction() as tx:
        assert await tx.top_ups.due(at=day(7, 2), rows_max=9) == []
    async with store.transaction() as tx:
        assert await tx.top_ups.listed(CONTRACT.contract_id, ALL) == [kept]
        assert await tx.top_ups.of_invoice(draft.invoice_id) == kept
        assert await tx.top_ups.of_invoice(InvoiceId("inv_1")) is None
        with pytest.raises(TopUpNotFound):
            await tx.top_ups.find(TopUpId("top_2"))
