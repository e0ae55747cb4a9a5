# SPDX-License-Identifier: Apache-2.0
"""Events that come before their customer wait under its name, and are recorded when somebody has the name."""

from datetime import UTC, datetime, timedelta

from purser.ledger.v1 import usage_pb2 as usage
from tests.support.ledger import CREDIT, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.reported import an_event, report

TICK = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)


async def record(
    ledger: RunningLedger, transaction_id: str, *, customer: str, units: str = "1", at: datetime = JUNE
) -> usage.UsageResult:
    event = an_event(transaction_id, units, at=at, customer=customer, user=None)
    return (await report(ledger, event))[0]


async def charged(ledger: RunningLedger) -> list[tuple[str, int]]:
    """Return transaction_id and cost of acme's charged events, oldest first."""
    return [
        (one.transaction_id, -one.amount_micros // CREDIT)
        for one in reversed(await ledger.entries())
        if one.transaction_id
    ]


async def test_a_new_alias_attaches_what_waited_for_it_in_the_order_in_which_it_came(
    ledger: RunningLedger, sql: Sql
) -> None:
    await record(ledger, "tx-2", customer="acme-eu", units="2")
    ledger.clock.advance(HOUR)
    await record(ledger, "tx-1", customer="acme-eu")
    await record(ledger, "tx-3", customer="acme-us")

    await ledger.tell_customer("cus_acme", "acme", "acme-eu", version=2)

    assert await charged(ledger) == [("tx-2", 24), ("tx-1", 12)]
    assert await sql.count("unattached_events") == 1
    assert (await record(ledger, "tx-2", customer="acme", units="2")).is_duplicate
    await ledger.assert_adds_up()


async def test_an_event_that_was_also_sent_under_the_customers_id_is_charged_once(
    ledger: RunningLedger, sql: Sql
) -> None:
    await record(ledger, "tx-1", customer="acme-eu")
    await record(ledger, "tx-1", customer="cus_acme")

    await ledger.tell_customer("cus_acme", "acme", "acme-eu", version=2)

    assert await charged(ledger) == [("tx-1", 12)]
    assert await sql.count("unattached_events") == 0


async def test_a_new_customer_gets_what_waited_for_its_id(ledger: RunningLedger, sql: Sql) -> None:
    await record(ledger, "tx-1", customer="cus_globex")

    await ledger.tell_customer("cus_globex", "globex")

    assert await sql.value("SELECT status FROM ledger.usage_events") == "NO_CONTRACT"
    assert await sql.count("unattached_events") == 0


async def test_lateness_counts_from_the_first_receipt(ledger: RunningLedger) -> None:
    await record(ledger, "tx-1", customer="acme-eu")
    ledger.clock.advance_to(JUNE + 34 * DAY + HOUR)

    await ledger.tell_customer("cus_acme", "acme", "acme-eu", version=2)

    assert await charged(ledger) == [("tx-1", 12)]


async def test_what_is_rejected_when_it_is_attached_waits_and_is_tried_again_an_hour_later(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.tell_card(version=2)
    await record(ledger, "tx-1", customer="acme-eu")
    await ledger.tell_customer("cus_acme", "acme", "acme-eu", version=2)
    await ledger.tell_card(a_rate(), version=3)

    ledger.clock.advance(HOUR)
    await ledger.tell_customer("cus_acme", "acme", "acme-eu", version=3)
    too_early = await charged(ledger)
    ledger.clock.advance(TICK)
    await ledger.tell_customer("cus_acme", "acme", "acme-eu", version=4)

    assert (too_early, await charged(ledger)) == ([], [("tx-1", 12)])
    assert await sql.count("unattached_events") == 0
