# SPDX-License-Identifier: Apache-2.0
"""Who watches invoices is woken by what concerns them, and by nothing else: the other events cost it nothing."""

import pytest

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from services.alert.domain.commands import PublishEvent
from services.alert.domain.event import PUBLISHED_EVENTS, EventId, EventType, Occurrence
from services.alert.domain.invoice_total import INVOICE_EVENTS
from services.alert.operations.events import Events
from services.alert.store import PostgresStore
from tests.support.alert import JUNE
from tests.support.alert_store import ACME_ID, Courier


@pytest.mark.parametrize("event_type", PUBLISHED_EVENTS)
async def test_only_events_of_invoices_wake_it(
    store: PostgresStore, wall: ManualClock, event_type: EventType
) -> None:
    courier, invoices = Courier(), Courier()
    events = Events(store=store, courier=courier, invoices=invoices, wall=wall, ids=Ids(wall))
    occurrence = Occurrence(
        event_id=EventId("ntc_1"), event_type=event_type, customer_id=ACME_ID, event_time=JUNE, data={}
    )

    await events.publish(PublishEvent(request_id="ntc_1", fingerprint=b"body", event=occurrence))

    assert courier.woken == 1
    assert invoices.woken == (1 if event_type in INVOICE_EVENTS else 0)
