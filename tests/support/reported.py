# SPDX-License-Identifier: Apache-2.0
"""Usage that acme reports."""

from datetime import datetime

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.ledger import JUNE, RunningLedger


def an_event(
    transaction_id: str = "tx-1",
    units: str | None = "1",
    *,
    at: datetime = JUNE,
    customer: str = "acme",
    event_type: str = "ai_call",
    user: str | None = "ann",
    **more: str,
) -> usage.UsageEvent:
    """Return an event of ann's ai_call; `more`: other properties."""
    properties = more if units is None else {"units": units, **more}
    if user is not None:
        properties["user_id"] = user
    return usage.UsageEvent(
        transaction_id=transaction_id,
        customer=customer,
        event_type=event_type,
        timestamp=timestamp(at),
        properties=properties,
    )


async def report(ledger: RunningLedger, *events: usage.UsageEvent) -> list[usage.UsageResult]:
    """Record events, whatever becomes of them."""
    return list((await ledger.usage.RecordUsage(usage.RecordUsageRequest(events=events))).results)


async def record(ledger: RunningLedger, *events: usage.UsageEvent) -> list[usage.UsageResult]:
    """Record events; asserts that all are accepted."""
    results = await report(ledger, *events)
    assert {one.event_status for one in results} == {usage.EVENT_STATUS_ACCEPTED}
    return results
