# SPDX-License-Identifier: Apache-2.0
"""What is old is forgotten, and nothing that is promised to be kept."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import ManualClock
from services.alert import tables
from services.alert.domain.alert import Alert, AlertId
from services.alert.domain.commands import ArchiveAlert
from services.alert.domain.delivery import Answer
from services.alert.domain.notices import watch_of
from services.alert.store import PostgresStore
from services.alert.sweeper import forget_old
from tests.support.alert import JUNE
from tests.support.alert_store import a_new_delivery, an_alert_row, an_endpoint_row, keep

DAY = timedelta(days=1)


async def test_what_is_old_is_forgotten_and_what_waits_is_not(
    store: PostgresStore, engine: AsyncEngine, wall: ManualClock
) -> None:
    alert, pending, done = an_alert_row(), a_new_delivery(1), a_new_delivery(2)
    await keep(store, alert, an_endpoint_row(), pending, done)
    command = ArchiveAlert(request_id="r", fingerprint=b"body", alert_id=AlertId("alr_001"))
    async with store.transaction() as tx:
        assert await tx.responses.claim(command, Alert) is None
        await tx.responses.store(command, alert)
        await tx.outbox.enqueue(watch_of(alert), key=alert.alert_id)
        await tx.outbox.enqueue(watch_of(alert), key="unheard")
        (attempt,) = await tx.deliveries.lease([done.delivery_id], at=JUNE, until=JUNE)
        await tx.deliveries.accepted([(attempt, Answer(status_code=204))], at=JUNE)
    async with engine.begin() as connection:
        heard = tables.outbox.update().where(tables.outbox.c.key == alert.alert_id).values(sent_time=JUNE)
        await connection.execute(heard)

    async def kept() -> tuple[int, int, int]:
        async with engine.connect() as connection:
            counts = [
                (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (tables.outbox, tables.requests, tables.deliveries)
            ]
        return counts[0], counts[1], counts[2]

    for days, left in ((7, (2, 1, 2)), (8, (1, 1, 2)), (35, (1, 1, 2)), (36, (1, 0, 2)), (91, (1, 0, 1))):
        wall.advance_to(JUNE + days * DAY)
        await forget_old(store, wall)
        assert await kept() == left, f"after {days} days"
