# SPDX-License-Identifier: Apache-2.0
"""Entries, holds and events say who caused them; what falls due by itself is the clock's."""

from datetime import timedelta

from access.control import INSECURE
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import usage_pb2 as usage
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from tests.support.ledger import JULY, RunningLedger
from tests.support.ledger_sql import Sql

ME = INSECURE.subject


async def test_the_gates_entries_and_holds_are_signed_by_their_callers(ledger: RunningLedger) -> None:
    # The first one is decided under locks, the others on the cache.
    for _ in range(3):
        await ledger.debit(12)
    held = await ledger.authorize(12)
    await ledger.capture(held.hold_id)

    captures = [one for one in await ledger.entries() if one.entry_kind == admin.ENTRY_KIND_CAPTURE]
    assert [one.subject for one in captures] == [ME] * 4
    assert [one.subject for one in await ledger.holds()] == [ME]


async def test_what_falls_due_is_signed_by_the_clock_whoever_notices_it(ledger: RunningLedger) -> None:
    held = await ledger.authorize(12)
    ledger.clock.advance_to(JULY)
    await ledger.debit(12)

    by_kind = {one.entry_kind: one.subject for one in await ledger.entries()}
    assert by_kind == {
        admin.ENTRY_KIND_GRANT: "clock",
        admin.ENTRY_KIND_EXPIRY: "clock",
        admin.ENTRY_KIND_CAPTURE: ME,
    }
    assert held.hold_id


async def test_what_operators_cause_is_signed_by_them(ledger: RunningLedger) -> None:
    grant = await ledger.top_up(7)
    await ledger.void(grant.grant_id)

    latest = (await ledger.entries())[:2]
    assert [(one.entry_kind, one.subject) for one in latest] == [
        (admin.ENTRY_KIND_VOID, ME),
        (admin.ENTRY_KIND_GRANT, ME),
    ]


async def test_reported_usage_is_signed_by_its_reporter_also_if_it_waited_for_its_customer(
    ledger: RunningLedger, sql: Sql
) -> None:
    async with open_channel(ledger.address) as channel:
        stub = UsageServiceStub(channel)
        for customer in ("acme", "cus_new"):
            await stub.RecordUsage(
                usage.RecordUsageRequest(
                    events=[
                        usage.UsageEvent(
                            transaction_id=f"tx-{customer}",
                            customer=customer,
                            event_type="ai_call",
                            timestamp=timestamp(ledger.clock.now() - timedelta(hours=1)),
                            properties={"units": "1"},
                        )
                    ]
                )
            )
    await sql.execute("UPDATE ledger.unattached_events SET subject = 'reporter'")
    await ledger.tell_customer("cus_new")

    rows = await sql.rows("SELECT transaction_id, subject FROM ledger.usage_events ORDER BY transaction_id")
    assert [tuple(row.values()) for row in rows] == [("tx-acme", ME), ("tx-cus_new", "reporter")]
