# SPDX-License-Identifier: Apache-2.0
"""Usage is added up by hour and by usage period before it is read."""

from datetime import timedelta

from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.reported import an_event, record

HOUR, HALF = timedelta(hours=1), timedelta(minutes=30)


async def by_hour(ledger: RunningLedger, sql: Sql) -> list[tuple[object, ...]]:
    """Return hour (after 1 June), group value, units, credits, shortfall and uses."""
    await ledger.add_up()
    rows = await sql.rows("SELECT * FROM ledger.usage_by_hour ORDER BY start_time, group_value")
    return [
        (
            (row["start_time"] - JUNE) // HOUR,
            row["group_value"],
            row["quantity_micros"] // CREDIT,
            row["credits_micros"] // CREDIT,
            row["shortfall_micros"] // CREDIT,
            row["uses"],
        )
        for row in rows
    ]


async def test_gated_and_reported_usage_are_added_up_in_one_row(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.debit(5, user="ann")
    hold = await ledger.authorize(0, user="ann", quantity_micros=2 * CREDIT)
    await ledger.capture(hold.hold_id)
    await record(ledger, an_event("tx-1", "2"), an_event("tx-2", "0"), an_event("tx-3", "3", at=JUNE + HOUR))

    assert await by_hour(ledger, sql) == [
        (0, "", 4, 53, 0, 4),
        (0, "ann", 4, 53, 0, 4),
        (1, "", 3, 36, 0, 1),
        (1, "ann", 3, 36, 0, 1),
    ]
    await ledger.assert_adds_up()


async def test_usage_that_several_grants_pay_for_is_one_use(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.top_up(10)

    await record(ledger, an_event("tx-1", "40"))

    assert await by_hour(ledger, sql) == [(0, "", 40, 480, 70, 1), (0, "ann", 40, 480, 70, 1)]
    await ledger.assert_adds_up()


async def test_an_hour_in_which_a_usage_period_begins_counts_in_both_periods(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    start = JUNE + HALF
    await ledger.apply_contract(
        start=start, customer_id="cus_globex", contract_id="con_2", subscriptions=[], schedules=[]
    )
    ledger.clock.advance_to(JULY + HOUR)
    events = [an_event("tx-1", at=JULY + HALF - timedelta(microseconds=1)), an_event("tx-2", at=JULY + HALF)]
    for event in events:
        event.customer = "globex"

    await record(ledger, *events)
    await ledger.add_up()

    rows = await sql.rows(
        "SELECT start_time, uses FROM ledger.usage_by_period WHERE group_key = '' ORDER BY 1"
    )
    assert [(row["start_time"], row["uses"]) for row in rows] == [(start, 1), (JULY + HALF, 1)]
    assert await sql.value("SELECT uses FROM ledger.usage_by_hour WHERE group_key = ''") == 2
    await ledger.assert_adds_up()


async def test_a_pool_from_before_the_first_contract_counts_in_the_periods_of_that_contract(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    await ledger.top_up(100, customer="globex")
    denied = await ledger.debit(1, customer="globex")
    await ledger.apply_contract(
        start=JUNE - HOUR, customer_id="cus_globex", contract_id="con_2", subscriptions=[], schedules=[]
    )

    allowed = await ledger.debit(1, customer="globex")
    await ledger.add_up()

    assert (denied.debited_micros, allowed.debited_micros) == (0, CREDIT)
    assert await sql.value("SELECT start_time FROM ledger.usage_by_period") == JUNE - HOUR
    await ledger.assert_adds_up()
