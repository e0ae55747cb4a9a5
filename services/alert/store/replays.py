# SPDX-License-Identifier: Apache-2.0
"""Statements about replays."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alert.domain.delivery import DeliveryId
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.event import EventType
from services.alert.domain.replay import Replay, ReplayId
from services.alert.tables import replays

_IS_OPEN = replays.c.finish_time.is_(None)


class StoredReplays:
    """Lock a replay before its endpoint, and the endpoint before its deliveries."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, replay: Replay) -> None:
        await self._connection.execute(
            insert(replays).values(
                replay_id=replay.replay_id,
                webhook_endpoint_id=replay.webhook_endpoint_id,
                event_types=[one.value for one in replay.event_types],
                failed_only=replay.failed_only,
                start_time=replay.start_time,
                end_time=replay.end_time,
                create_time=replay.create_time,
                wake_time=replay.create_time,
                **_progress(replay),
            )
        )

    async def lock_next(self) -> Replay | None:
        """Return an open replay that no other replica works on, locked until the commit: that which waits longest."""
        wanted = select(replays).where(_IS_OPEN).order_by(replays.c.wake_time, replays.c.replay_id).limit(1)
        row = (await self._connection.execute(wanted.with_for_update(skip_locked=True))).first()
        return None if row is None else _from_row(row)

    async def save(self, replay: Replay, *, at: datetime) -> None:
        """Save how far a locked replay is. at: others that wait longer are next."""
        await self._connection.execute(
            update(replays)
            .where(replays.c.replay_id == replay.replay_id)
            .values(wake_time=at, **_progress(replay))
        )

    async def first_missed(self, webhook_endpoint_id: WebhookEndpointId) -> int | None:
        """Return the position after which an endpoint's open replays still have events to post; None: there is none."""
        wanted = select(func.min(replays.c.after_position)).where(
            replays.c.webhook_endpoint_id == webhook_endpoint_id,
            _IS_OPEN,
            replays.c.after_position < replays.c.until_position,
        )
        position: int | None = (await self._connection.execute(wanted)).scalar_one()
        return position

    async def forget_finished(self, *, before: datetime, rows_max: int = 10_000) -> int:
        """Delete replays that were finished before an instant, at most `rows_max`. Returns how many."""
        old = select(replays.c.replay_id).where(replays.c.finish_time < before).limit(rows_max)
        return (await self._connection.execute(delete(replays).where(replays.c.replay_id.in_(old)))).rowcount


def _progress(replay: Replay) -> dict[str, Any]:
    return {
        "after_delivery_id": replay.after_delivery_id,
        "until_delivery_id": replay.until_delivery_id,
        "after_position": replay.after_position,
        "until_position": replay.until_position,
        "finish_time": replay.finish_time,
    }


def _from_row(row: Row[*tuple[Any, ...]]) -> Replay:
    return Replay(
        replay_id=ReplayId(row.replay_id),
        webhook_endpoint_id=WebhookEndpointId(row.webhook_endpoint_id),
        event_types=tuple(EventType(one) for one in row.event_types),
        failed_only=row.failed_only,
        start_time=row.start_time,
        end_time=row.end_time,
        after_delivery_id=DeliveryId(row.after_delivery_id),
        until_delivery_id=DeliveryId(row.until_delivery_id),
        after_position=row.after_position,
        until_position=row.until_position,
        create_time=row.create_time,
        finish_time=row.finish_time,
    )
