# SPDX-License-Identifier: Apache-2.0
"""The schema's own checks, the locks that writers rely on, and notices in the order they were written."""

import asyncio

import pytest
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import ManualClock
from meshkit.errors import RequestIdReused
from services.contract import tables
from services.contract.domain.commands.customers import ArchiveCustomer
from services.contract.domain.customer import Customer
from services.contract.domain.invoice import InvoiceLineKind
from services.contract.domain.notices import CustomerChanged
from services.contract.store import PostgresStore
from services.contract.sweeper import NOTICES_KEPT, REQUESTS_KEPT, forget_old
from tests.store.contract.builders import (
    ACME,
    BILLED,
    CONTRACT,
    SEATS,
    a_line,
    an_invoice,
    write_billed,
    write_contract,
)
from tests.support.postgres import Databases
from tests.unit.contract.test_auto_top_ups import an_auto_top_up

COMMAND = ArchiveCustomer(request_id="r1", fingerprint=b"acme", customer="acme")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO customers VALUES ('cus_2', '', false, 1, now())",
        "INSERT INTO customers VALUES ('cus_2', 'x', false, 0, now())",
        "INSERT INTO customer_aliases VALUES ('acme', 'cus_1', 7)",
        "INSERT INTO customer_aliases VALUES ('cus_x', 'cus_1', 7)",
        "INSERT INTO customer_aliases VALUES ('', 'cus_1', 7)",
        "INSERT INTO customer_aliases VALUES ('x', 'cus_1', 20)",
        "INSERT INTO customer_aliases VALUES ('x', 'cus_1', 1)",
        "INSERT INTO customer_aliases VALUES ('x', 'cus_unknown', 1)",
        "UPDATE contracts SET end_time = start_time - interval '1 microsecond'",
        "UPDATE contracts SET version = 0",
        "UPDATE subscriptions SET initial_quantity = -1",
        "UPDATE subscriptions SET initial_quantity = 1000001",
        "UPDATE subscriptions SET billing_frequency = 'DAILY'",
        "UPDATE subscriptions SET collection_schedule = 'SOMETIMES'",
        "UPDATE subscriptions SET interval_count = 0",
        "UPDATE subscriptions SET interval_count = 101",
        "UPDATE subscriptions SET rounding = 'EVEN'",
        "UPDATE subscriptions SET invoicing = 'NEVER'",
        "UPDATE subscriptions SET rates = '[]'",
        "UPDATE subscriptions SET billed_from = NULL WHERE subscription_id = 'sub_1'",
        "UPDATE subscriptions SET position = 0",
        "UPDATE grant_schedules SET unit_amount_micros = 0",
        "UPDATE grant_schedules SET credit_type_id = 'USD'",
        "UPDATE grant_schedules SET priority = 1001",
        "UPDATE grant_schedules SET commit_duration = 121",
        "UPDATE grant_schedules SET frequency = 'HOURLY'",
        "UPDATE grant_schedules SET interval_count = 0",
        "UPDATE grant_schedules SET interval_count = 121",
        "UPDATE grant_schedules SET subscription_id = 'sub_unknown'",
        "UPDATE grant_schedules SET period_proration = 'SOMETIMES'",
        "INSERT INTO seat_changes VALUES ('chg_1', 'sub_1', 0, now(), 1, now())",
        "INSERT INTO seat_changes VALUES ('chg_1', 'sub_1', 1, now(), 1000001, now())",
        "INSERT INTO seat_changes VALUES ('chg_1', 'sub_1', 1, now(), 1, now(), -1)",
        "INSERT INTO seat_changes VALUES ('chg_1', 'sub_1', 1, now(), 1, now(), 1000001)",
        "INSERT INTO seat_changes VALUES ('chg_1', 'sub_unknown', 1, now(), 1, now())",
        "INSERT INTO seat_steps VALUES ('sub_1', 1, 0, 'ann', now(), true)",
        "UPDATE subscriptions SET shared_pool_access = 'EVERYONE'",
        "UPDATE subscriptions SET seat_group_key = 'user_id', shared_pool_access = 'SOME'",
        "UPDATE subscriptions SET seat_group_key = 'user_id', shared_pool_seat_ids = '{ann}'",
        "UPDATE grant_schedules SET allocation = 'EACH'",
        "UPDATE grant_schedules SET allocation = 'INDIVIDUAL', subscription_id = NULL",
        "INSERT INTO plan_offers VALUES ('pof_1', '', '', '{}', '{}', now())",
        "INSERT INTO plan_offers VALUES ('pof_1', repeat('x', 201), '', '{}', '{}', now())",
        "INSERT INTO plan_offers VALUES ('pof_1', 'x', repeat('x', 1001), '{}', '{}', now())",
        "INSERT INTO plan_offers VALUES ('pof_1', 'x', '', '[]', '{}', now())",
        "INSERT INTO plan_offers VALUES ('pof_1', 'x', '', '{}', array_fill('c'::text, ARRAY[101]), now())",
        "INSERT INTO plan_offers VALUES ('pof_1', 'x', '', '{}', '{}', now(), now() - interval '1 second')",
        "UPDATE billed_periods SET period_end = period_start",
        "UPDATE billed_periods SET rate_effective_time = period_end",
        "UPDATE billed_periods SET rate_end_time = period_start",
        "UPDATE billed_periods SET currency_code = 'euro'",
        "INSERT INTO corrected_prices VALUES ('sub_unknown', now(), 1, '{}', now())",
        "INSERT INTO corrected_prices SELECT subscription_id, period_start, 0, '{}', now() FROM billed_periods",
        "INSERT INTO corrected_prices SELECT subscription_id, period_start, 1, '[]', now() FROM billed_periods",
        "UPDATE invoices SET status = 'DRAFT'",
        "UPDATE invoices SET finalize_time = NULL",
        "UPDATE invoices SET status = 'PAID'",
        "UPDATE invoices SET total_micros = -1",
        "UPDATE invoices SET paid_micros = -1",
        "UPDATE invoices SET paid_micros = total_micros, credited_micros = 1",
        "UPDATE invoices SET status = 'VOID', paid_micros = 1",
        "UPDATE invoices SET void_reason = 'why'",
        "UPDATE invoices SET status = 'VOID', finalize_time = NULL, number = '000001'",
        "INSERT INTO invoice_payments VALUES ('pay_1', 'inv_1', 'USD', 0, 'r', now(), now())",
        "INSERT INTO invoice_payments VALUES ('pay_1', 'inv_1', 'USD', 1, '', now(), now())",
        "INSERT INTO invoice_payments VALUES ('pay_1', 'inv_unknown', 'USD', 1, 'r', now(), now())",
        "INSERT INTO number_series VALUES (false, 1, now())",
        "INSERT INTO document_numbers VALUES (0, '000000', 'inv_1', now())",
        "INSERT INTO document_numbers VALUES (1, '1', 'inv_1', now()), (2, '2', 'inv_1', now())",
        "INSERT INTO document_numbers VALUES (1, '1', 'inv_1', now()), (2, '1', 'inv_2', now())",
        "UPDATE invoice_lines SET span_end = NULL",
        "UPDATE invoice_lines SET kind = 'TAX'",
        "UPDATE invoice_lines SET share_numerator = 0",
        "UPDATE invoice_lines SET total_micros = -10000",
        "INSERT INTO seller_details VALUES (false, '{}')",
        "INSERT INTO billing_details VALUES ('cus_unknown', '{}')",
        "INSERT INTO invoice_parties VALUES ('inv_1', '[]')",
        "INSERT INTO account_credits VALUES ('cus_1', 'USD', -1)",
        "INSERT INTO account_credit_entries VALUES ('ace_1', 'cus_1', 'USD', 1, 1, 'USED', 'inv_1', now())",
        "INSERT INTO account_credit_entries VALUES ('ace_1', 'cus_1', 'EUR', 1, 1, 'EXCESS', 'inv_1', now())",
        "INSERT INTO credit_notes VALUES ('crn_1', 'inv_1', '000001', now(), 'USD', 2, 0, 1, 0, 'r')",
        "INSERT INTO credit_notes VALUES ('crn_1', 'inv_1', '000001', now(), 'USD', 0, 0, 0, 0, 'r')",
        "INSERT INTO credit_note_lines VALUES ('crn_1', 'lin_1', 0, 1)",
        "UPDATE invoice_lines SET billing_period_start = NULL",
        "UPDATE invoice_lines SET quantity = 0",
        "UPDATE invoice_lines SET total_micros = 5000",
        "UPDATE invoice_lines SET share_numerator = 2",
        "UPDATE invoice_lines SET kind = 'TOP_UP'",
        "UPDATE invoice_lines SET span_end = span_start",
        "UPDATE invoice_lines SET billing_period_start = billing_period_start - interval '1 year'",
        "UPDATE invoice_lines SET subscription_id = 'sub_0'",
        "INSERT INTO outbox VALUES ('k', 'n', 'SOMETHING_ELSE', '{}', now(), 0, NULL, now())",
        "UPDATE contracts SET collection_method = 'SOMEHOW'",
        "UPDATE contracts SET after_last_retry = 'SUE'",
        "INSERT INTO payment_setups VALUES ('pst_1', 'cus_1', '', '', 'MAYBE', 0, now(), NULL)",
        "INSERT INTO payment_setups VALUES ('pst_1', 'cus_1', '', '', 'SUCCEEDED', 0, now(), now())",
        "INSERT INTO payment_setups VALUES ('pst_1', 'cus_1', '', 'seti_1', 'NEW', 0, now(), now()),"
        " ('pst_2', 'cus_1', '', 'seti_1', 'NEW', 0, now(), now())",
        "INSERT INTO invoice_dunning VALUES ('inv_1', 'cus_1', 'USD', 'SETTLED', '{}', 'NOTHING', now(), NULL, 0,"
        " '', '', NULL, '', true)",
        "INSERT INTO invoice_dunning VALUES ('inv_unknown', 'cus_1', 'USD', 'STOPPED', '{}', 'NOTHING', now(), NULL,"
        " 0, '', '', NULL, '', false)",
        "INSERT INTO invoice_charges VALUES ('pmt_1', 'cus_1', 'USD', 'OPEN', '', false, '', '', 0, 0, 0, now(), NULL)",
        "INSERT INTO invoice_charges VALUES ('pmt_1', 'cus_1', 'USD', 'SUCCEEDED', '', false, '', '', 0, 0, 0, now(),"
        " now())",
        "INSERT INTO invoice_charges VALUES ('pmt_1', 'cus_1', 'USD', 'OPEN', 'pi_1', false, '', '', 0, 0, 0, now(),"
        " now()), ('pmt_2', 'cus_1', 'USD', 'OPEN', 'pi_1', false, '', '', 0, 0, 0, now(), now())",
        "INSERT INTO invoice_charge_parts VALUES ('pmt_unknown', 0, 'inv_1', 1)",
    ],
)
async def test_the_schema_repeats_the_domain(
    store: PostgresStore, owner: AsyncEngine, statement: str
) -> None:
    async with store.transaction() as tx:
        await write_contract(tx)
        await write_billed(tx)
        await tx.invoices.insert(an_invoice(a_line()))

    async with owner.connect() as connection:
        await connection.execute(text("SET search_path TO contract"))
        with pytest.raises(IntegrityError):
            await connection.execute(text(statement))


@pytest.mark.parametrize(
    "values",
    [
        "'NONE', 'PENDING_PAYMENT', 'inv_1', '', now(), NULL",
        "'EXTERNAL', 'PENDING_PAYMENT', 'inv_1', '', now(), now()",
        "'EXTERNAL', 'PAID', 'inv_1', '', now(), NULL",
        "'EXTERNAL', 'LOST', 'inv_1', '', now(), now()",
        "'EXTERNAL', 'PAID', 'inv_unknown', '', now(), now()",
        "'CASH', 'PAID', 'inv_1', '', now(), now()",
    ],
)
async def test_the_schema_repeats_what_a_top_up_may_be(
    store: PostgresStore, engine: AsyncEngine, values: str
) -> None:
    async with store.transaction() as tx:
        await write_contract(tx)
        await write_billed(tx)
        await tx.invoices.insert(an_invoice(a_line()))
    start = "'top_1', 'con_1', 'cus_1', NULL, 'prd_1', 'crt_1', 1, 'USD', 1, 100, NULL"

    async with engine.connect() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(text(f"INSERT INTO contract.top_ups VALUES ({start}, {values})"))


@pytest.mark.parametrize(
    "change",
    [
        "recharge_to_micros = threshold_micros",
        "threshold_micros = -1",
        "limit_micros = 0",
        "limit_currency_code = 'usd'",
        "payment_gate = 'NONE'",
        "version = 0",
        "status = 'ASKED'",
        "remaining_micros = 1",
        "status = 'ORDERED'",
        "status = 'BLOCKED'",
        "status = 'DISABLED'",
        "stop_reason = 'TIRED'",
        "top_up_id = 'top_unknown'",
        "failures = -1",
        "contract_id = 'con_unknown'",
    ],
)
async def test_the_schema_repeats_what_an_automatic_top_up_may_be(
    store: PostgresStore, engine: AsyncEngine, change: str
) -> None:
    async with store.transaction() as tx:
        await write_contract(tx)
        await tx.auto_top_ups.insert(an_auto_top_up())

    async with engine.connect() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(text(f"UPDATE contract.auto_top_ups SET {change}"))
    with pytest.raises(IntegrityError):
        async with store.transaction() as tx:
            await tx.auto_top_ups.insert(an_auto_top_up(auto_top_up_id="atu_2"))


async def test_a_period_is_charged_once(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await write_contract(tx)
        await write_billed(tx)
        await tx.invoices.insert(an_invoice(a_line()))

    with pytest.raises(IntegrityError):
        async with store.transaction() as tx:
            await tx.billing.insert_period(SEATS.subscription_id, BILLED)
    with pytest.raises(IntegrityError):
        async with store.transaction() as tx:
            await tx.invoices.insert(an_invoice(a_line(2), invoice_id="inv_2"))
    async with store.transaction() as tx:
        await tx.invoices.insert(an_invoice(a_line(2, InvoiceLineKind.SEAT_INCREASE), invoice_id="inv_2"))


async def test_who_locks_a_contract_keeps_others_waiting(store: PostgresStore, engine: AsyncEngine) -> None:
    async with store.transaction() as tx:
        await write_contract(tx)

    async with store.transaction() as tx:
        await tx.customers.lock("acme")
        await tx.contracts.lock(CONTRACT.contract_id)
        for table in ("customers", "contracts"):
            async with engine.connect() as other:
                with pytest.raises(DBAPIError, match="could not obtain lock"):
                    await other.execute(text(f"SELECT 1 FROM contract.{table} FOR NO KEY UPDATE NOWAIT"))
                # Rows that refer to it may be written meanwhile.
            async with engine.connect() as other:
                await other.execute(text(f"SELECT 1 FROM contract.{table} FOR KEY SHARE NOWAIT"))


async def test_looking_for_a_stored_response_claims_nothing(store: PostgresStore) -> None:
    assert await store.find_response(COMMAND, Customer) is None
    assert await store.find_response(COMMAND, Customer) is None
    async with store.transaction() as tx:
        assert await tx.responses.claim(COMMAND, Customer) is None
        await tx.responses.store(COMMAND, ACME)

    assert await store.find_response(COMMAND, Customer) == ACME
    with pytest.raises(RequestIdReused):
        await store.find_response(
            ArchiveCustomer(request_id="r1", fingerprint=b"other", customer="other"), Customer
        )


def _acme_changed(version: int) -> CustomerChanged:
    return CustomerChanged(customer_id=ACME.customer_id, version=version, aliases=(), is_suspended=False)


async def test_a_notice_is_there_with_its_cause_or_not_at_all(
    store: PostgresStore, engine: AsyncEngine
) -> None:
    async def tell(version: int) -> None:
        async with store.transaction() as tx:
            await tx.customers.lock("acme")
            await tx.outbox.enqueue(_acme_changed(version), key=ACME.customer_id)
            if version < 0:
                raise ZeroDivisionError

    async with store.transaction() as tx:
        await tx.customers.insert(ACME)
    for version in (1, 2, 3):
        await tell(version)
    with pytest.raises(ZeroDivisionError):
        await tell(-1)

    notices = select(tables.outbox.c.payload).order_by(tables.outbox.c.create_time, tables.outbox.c.notice_id)
    async with engine.connect() as connection:
        assert [row.payload["version"] for row in await connection.execute(notices)] == [1, 2, 3]


async def test_what_is_old_is_forgotten(store: PostgresStore, engine: AsyncEngine, wall: ManualClock) -> None:
    async with store.transaction() as tx:
        await tx.responses.claim(COMMAND, Customer)
        await tx.responses.store(COMMAND, ACME)
        await tx.customers.insert(ACME)
        await tx.outbox.enqueue(_acme_changed(1), key=ACME.customer_id)

    wall.advance(REQUESTS_KEPT)
    await forget_old(store, wall)
    assert await store.find_response(COMMAND, Customer) == ACME
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE contract.outbox SET sent_time = create_time"))
    wall.advance(NOTICES_KEPT)
    await forget_old(store, wall)

    assert await store.find_response(COMMAND, Customer) is None
    async with engine.connect() as connection:
        assert (await connection.execute(select(tables.outbox.c.notice_id))).all() == []


async def test_tables_and_migrations_name_the_same_columns(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        there = await connection.run_sync(
            lambda sync: {
                table: {
                    column["name"]: column["nullable"]
                    for column in inspect(sync).get_columns(table, "contract")
                }
                for table in inspect(sync).get_table_names("contract")
            }
        )

    there.pop("alembic_version")
    assert there == {
        table.name: {column.name: column.nullable for column in table.columns}
        for table in tables.metadata.sorted_tables
    }


async def test_migrating_again_changes_nothing(databases: Databases) -> None:
    await asyncio.gather(*(databases.migrate("contract") for _ in range(2)))
