# SPDX-License-Identifier: Apache-2.0
"""Caps while a replica of the previous version still serves: its own statements, run on the tables of today."""

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.ledger import AI, CREDIT, RunningLedger
from tests.support.ledger_sql import Sql

WEEK = admin.CAP_WINDOW_WEEK
# As the previous version reads and sets caps, and writes a spend.
_READ = "SELECT spend_cap_id, cap_window FROM ledger.spend_caps WHERE customer_id = 'cus_acme' AND credit_type_id = $1"
_SET = (
    "INSERT INTO ledger.spend_caps (customer_id, spend_cap_id, credit_type_id, group_key, group_value, limit_micros,"
    " cap_window, create_time) VALUES ('cus_acme', 'cap_previous', $1, 'user_id', 'ann', $2, $3, now())"
    " ON CONFLICT (customer_id, credit_type_id, group_key, group_value)"
    " DO UPDATE SET limit_micros = $2, cap_window = $3 RETURNING spend_cap_id"
)
_OUTDATE = "UPDATE ledger.pools SET version = version + 1 WHERE customer_id = 'cus_acme'"
_SPEND = """
    INSERT INTO ledger.spends AS s (customer_id, credit_type_id, group_key, group_value, held_micros,
        period_start, period_spent_micros, period_ahead_micros, day_start, day_spent_micros, day_ahead_micros)
    SELECT d.* FROM unnest(ARRAY[ROW('cus_acme', 'crt_ai', 'user_id', 'ann', 0, '2025-06-01', 70000000, 0, '2025-06-01',
        70000000, 0)::ledger.spend_change_12]) AS d
    ON CONFLICT (customer_id, credit_type_id, group_key, group_value) DO UPDATE SET
        held_micros = excluded.held_micros, period_spent_micros = excluded.period_spent_micros,
        day_spent_micros = excluded.day_spent_micros
"""


async def _left(ledger: RunningLedger) -> int:
    denied = await ledger.authorize(399, user="ann")
    assert denied.denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
    return denied.affordable_credits_micros // CREDIT


async def test_the_previous_version_finds_no_cap_that_it_cannot_read(ledger: RunningLedger, sql: Sql) -> None:
    known = await ledger.set_cap(100, user="ann")
    await ledger.set_cap(10, user="ann", window=WEEK)
    await ledger.set_cap(10, user="ann", window=admin.CAP_WINDOW_DAY)
    await ledger.set_cap(10, window=admin.CAP_WINDOW_ROLLING, window_hours=3)
    await ledger.set_cap(10, group_key="", scope=pb.CAP_SCOPE_CUSTOMER)
    await ledger.cap_own(10, group_key="user_id", group_value="bob")

    assert await sql.rows(_READ, AI) == [{"spend_cap_id": known.spend_cap_id, "cap_window": "BILLING_PERIOD"}]


async def test_a_cap_that_the_previous_version_sets_holds_until_it_is_set_again(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.set_cap(100, user="ann")
    day = await ledger.set_cap(50, user="ann", window=admin.CAP_WINDOW_DAY)
    # It replaces the only cap on ann that it knows, in another window.
    await sql.execute(_SET, AI, 20 * CREDIT, "DAY")
    await sql.execute(_OUTDATE)
    strictest = await _left(ledger)
    again = await ledger.set_cap(60, user="ann", window=admin.CAP_WINDOW_DAY)
    caps = (await ledger.admin.ListSpendCaps(admin.ListSpendCapsRequest(customer="acme"))).spend_caps

    assert (strictest, again.spend_cap_id, await _left(ledger)) == (20, day.spend_cap_id, 60)
    assert list(caps) == [again]


async def test_what_the_previous_version_spends_is_reported_and_counted_when_the_cap_is_set_again(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.set_cap(100, user="ann", window=WEEK)
    await ledger.debit(40, user="ann")
    await ledger.set_cap(30, user="bob", window=WEEK)
    await ledger.debit(30, user="ann")
    # As if the second debit had been of the previous version, which leaves the windows as they are.
    await sql.execute(
        "UPDATE ledger.spends SET windows = jsonb_set(windows, '{WEEK UTC,steps}',"
        " '{\"1748217600\": 40000000}') WHERE group_value = 'ann'"
    )
    await sql.execute(_SPEND)
    await sql.execute(_OUTDATE)
    before = await _left(ledger)
    verified = await ledger.admin.VerifyLedger(admin.VerifyLedgerRequest(customer="acme"))
    await ledger.set_cap(100, user="ann", window=WEEK)

    assert (before, await _left(ledger)) == (60, 30)
    assert [one.figure for one in verified.discrepancies] == ["WEEK UTC of user_id ann"]
    await ledger.assert_adds_up()
