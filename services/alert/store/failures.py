# SPDX-License-Identifier: Apache-2.0
"""Statements about endpoints that fail, in separate rows, so that writers of events do not wait for them."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alert.domain.endpoint import Failures, WebhookEndpointId, next_failure
from services.alert.tables import endpoint_failures as failures
from services.alert.tables import webhook_endpoints


class StoredFailures:
    """An endpoint has a row while its attempts fail. Lock it before a delivery."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, webhook_endpoint_id: WebhookEndpointId) -> Failures | None:
        """Return the row of failures, locked until the commit; None if the last attempt did not fail."""
        wanted = select(failures).where(failures.c.webhook_endpoint_id == webhook_endpoint_id)
        row = (await self._connection.execute(wanted.with_for_update())).first()
        return None if row is None else Failures(since_time=row.since_time, latest_time=row.latest_time)

    async def add(self, webhook_endpoint_id: WebhookEndpointId, *, at: datetime) -> Failures:
        """Add a failure. Returns the row of failures."""
        before = await self.lock(webhook_endpoint_id)
        after = next_failure(before, at=at)
        values = {"since_time": after.since_time, "latest_time": after.latest_time}
        added = insert(failures).values(webhook_endpoint_id=webhook_endpoint_id, **values)
        await self._connection.execute(
            added.on_conflict_do_update(index_elements=[failures.c.webhook_endpoint_id], set_=values)
        )
        return after

    async def count(self) -> int:
        """Return how many enabled endpoints fail."""
        wanted = (
            select(func.count())
            .select_from(failures)
            .join(
                webhook_endpoints, webhook_endpoints.c.webhook_endpoint_id == failures.c.webhook_endpoint_id
            )
            .where(webhook_endpoints.c.disable_time.is_(None))
        )
        count: int = (await self._connection.execute(wanted)).scalar_one()
        return count

    async def end(self, webhook_endpoint_ids: Collection[WebhookEndpointId]) -> None:
        """Forget the failures of endpoints, after a success or when they are enabled."""
        await self._connection.execute(
            delete(failures).where(failures.c.webhook_endpoint_id.in_(webhook_endpoint_ids))
        )
