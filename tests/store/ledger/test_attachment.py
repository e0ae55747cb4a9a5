# SPDX-License-Identifier: Apache-2.0
"""The chore that attaches what ApplyCustomer missed, and drops what waited in vain."""

from datetime import timedelta

from meshkit.clock import ManualClock
from services.ledger.domain.usage.event import EventStatus, RecordEvent
from services.ledger.operations.usage.attachment import EVERY, Attachment
from services.ledger.operations.usage.intake import Intake
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import ACME, JUNE, Books

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


def an_event(customer: str, transaction_id: str = "tx-1") -> RecordEvent:
    return RecordEvent(
        transaction_id=transaction_id,
        fingerprint=b"body",
        customer=customer,
        event_type="ai_call",
        timestamp=JUNE,
        properties={"units": "1"},
    )


def an_attachment(books: Books, wall: ManualClock) -> Attachment:
    intake = Intake(books.lane, left_seconds=lambda: None)
    return Attachment(store=books.store, intake=intake, clock=books.clock, wall=wall)


async def wait_under(books: Books, name: str) -> None:
    """Let an event wait under a name, whether or not somebody has it."""
    await books.store.run(
        lambda tx: tx.events.insert_unattached([(an_event(name), "alice")], at=books.clock.now())
    )


async def test_what_came_while_the_name_was_given_is_attached_by_the_chore(books: Books, sql: Sql) -> None:
    await books.sign()
    await wait_under(books, ACME)
    await wait_under(books, "nobody")

    attached = await an_attachment(books, ManualClock(JUNE)).run()

    assert attached == 1
    assert await sql.value("SELECT customer_name FROM ledger.unattached_events") == "nobody"
    assert await sql.value("SELECT status FROM ledger.usage_events") == EventStatus.ACCEPTED.value


async def test_one_replica_does_the_chore_and_again_after_five_minutes(books: Books) -> None:
    await books.sign()
    wall = ManualClock(JUNE)
    attachment = an_attachment(books, wall)
    await attachment.run()

    await wait_under(books, ACME)
    at_once = await attachment.run()
    wall.advance(EVERY)

    assert (at_once, await attachment.run()) == (0, 1)


async def test_what_waited_34_days_in_vain_is_dropped_and_not_a_moment_earlier(
    books: Books, sql: Sql
) -> None:
    wall = ManualClock(JUNE)
    attachment = an_attachment(books, wall)
    await wait_under(books, "nobody")

    books.clock.advance_to(JUNE + 34 * DAY)
    await attachment.run()
    kept = await sql.count("unattached_events")
    books.clock.advance(TICK)
    wall.advance(EVERY)
    await attachment.run()

    assert (kept, await sql.count("unattached_events")) == (1, 0)
