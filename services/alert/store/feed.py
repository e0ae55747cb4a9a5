# SPDX-License-Identifier: Apache-2.0
"""Statements about the feed: which position an event has, and what is listed.

A position is given to committed events only, under the lock of the feed's row, so no writer of events waits for another
one or for a reader. Events that get positions together are in the order of their times, as far as those agree with the
numbers of each customer's events.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, and_, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller, only_visible
from services.alert.domain.alert import AlertId, AlertOwner, CustomerId
from services.alert.domain.endpoint import WebhookEndpoint
from services.alert.domain.event import Edge, Event, EventId, EventType
from services.alert.domain.feed import FeedPage, FeedState, Placed
from services.alert.domain.queries import FindEvents
from services.alert.domain.replay import Replay
from services.alert.tables import alerts, deliveries, events, feed

# A search by type alone reads so many events at most, and then says where it goes on.
EXAMINED_MAX: Final = 10_000
# Events of about the same time may have positions in another order than their times, which are of several clocks.
CLOCKS_DIFFER_MAX: Final = timedelta(minutes=1)

_SELECT = select(
    events.c.position,
    events.c.event_id,
    events.c.event_type,
    events.c.customer_id,
    events.c.customer_sequence,
    events.c.is_internal,
    events.c.create_time,
    events.c.payload,
    events.c.alert_id,
    events.c.group_value,
    events.c.edge_sequence,
)


class StoredFeed:
    """The events in the order of their positions."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def state(self) -> FeedState:
        row = (await self._connection.execute(select(feed))).one()
        return FeedState(last_position=row.last_position, forgotten_position=row.forgotten_position)

    async def place(self, *, rows_max: int) -> int:
        """Give the next positions to committed events that have none, at most `rows_max`. Returns how many."""
        without = events.c.position.is_(None)
        if not (await self._connection.execute(select(exists().where(without)))).scalar_one():
            return 0
        locked = select(feed.c.last_position).with_for_update()
        last: int = (await self._connection.execute(locked)).scalar_one()
        # A new statement, so it sees all that was committed before the lock was given.
        time = func.max(events.c.create_time).over(
            partition_by=events.c.customer_id, order_by=events.c.customer_sequence
        )
        found = select(
            events.c.event_id, events.c.customer_id, events.c.customer_sequence, time.label("time")
        )
        one = found.where(without).subquery().c
        number = func.row_number().over(order_by=(one.time, one.customer_id, one.customer_sequence))
        order = select(one.event_id, number.label("number")).order_by("number").limit(rows_max).subquery()
        placed = await self._connection.execute(
            update(events).where(events.c.event_id == order.c.event_id).values(position=last + order.c.number)
        )
        await self._connection.execute(update(feed).values(last_position=last + placed.rowcount))
        return placed.rowcount

    async def after(self, query: FindEvents, position: int, *, rows_max: int) -> FeedPage:
        """Return the next events that the present caller may see. Raises EventCursorExpired, EventCursorUnknown."""
        last = (await self.state()).last_position
        # The events of one customer have an index.
        until = last if query.customer_id else min(last, position + EXAMINED_MAX)
        wanted = only_visible(_SELECT, events.c.customer_id).where(
            events.c.position > position, events.c.position <= until
        )
        if current_caller().customer_ids is not None:
            wanted = wanted.where(~events.c.is_internal)
        if query.customer_id:
            wanted = wanted.where(events.c.customer_id == query.customer_id)
        if query.event_types:
            wanted = wanted.where(events.c.event_type.in_([one.value for one in query.event_types]))
        rows = (await self._connection.execute(wanted.order_by(events.c.position).limit(rows_max))).all()
        # Afterwards, so that nothing was deleted before it was read.
        (await self.state()).check(position)
        reached = rows[-1].position if len(rows) == rows_max else until
        return FeedPage(events=[_from_row(row) for row in rows], position=reached, has_more=reached < last)

    async def missed(self, replay: Replay, wanted: WebhookEndpoint, *, rows_max: int) -> Sequence[Placed]:
        """Return the next events of a replay that the endpoint wants, locked so that none is deleted meanwhile.

        Not those of alerts that customers own, which go to their destinations.
        """
        is_own = exists().where(
            alerts.c.alert_id == events.c.alert_id, alerts.c.owner != AlertOwner.VENDOR.value
        )
        chosen = (
            _SELECT.where(
                events.c.position > replay.after_position,
                events.c.position <= replay.until_position,
                events.c.event_type.in_([one.value for one in wanted.event_types]),
                ~is_own,
            )
            .order_by(events.c.position)
            .limit(rows_max)
            .with_for_update(key_share=True, read=True)
        )
        return [_from_row(row) for row in await self._connection.execute(chosen)]

    async def before(self, at: datetime) -> int:
        """Return the position after which all events are that were created at an instant or later."""
        since = select(events.c.create_time).where(events.c.create_time >= at)
        first = (await self._connection.execute(since.order_by(events.c.create_time).limit(1))).scalar()
        state = await self.state()
        if first is None:
            return state.last_position
        about = events.c.create_time.between(first, first + CLOCKS_DIFFER_MAX)
        lowest = await self._connection.execute(select(func.min(events.c.position)).where(about))
        return max((lowest.scalar() or state.last_position + 1) - 1, state.forgotten_position)

    async def forget(self, *, before: datetime, rows_max: int) -> int:
        """List events no more that were created before an instant, the oldest `rows_max`. Returns how many.

        It deletes those that no delivery posts.
        """
        locked = await self._connection.execute(select(feed).with_for_update())
        forgotten: int = locked.one().forgotten_position
        listed = select(events.c.position, events.c.create_time).where(events.c.position > forgotten)
        oldest = (await self._connection.execute(listed.order_by(events.c.position).limit(rows_max))).all()
        until, gone = forgotten, 0
        for row in oldest:
            if row.create_time >= before:
                break
            until, gone = row.position, gone + 1
        if gone:
            await self._connection.execute(update(feed).values(forgotten_position=until))
            old = and_(events.c.position > forgotten, events.c.position <= until)
            await self._connection.execute(delete(events).where(old, _is_not_posted()))
        return gone

    async def drop_unposted(self, event_ids: Sequence[EventId]) -> None:
        """Delete those events that are not listed any more, if no delivery posts them."""
        forgotten = select(feed.c.forgotten_position).scalar_subquery()
        await self._connection.execute(
            delete(events).where(
                events.c.event_id.in_(event_ids), events.c.position <= forgotten, _is_not_posted()
            )
        )


def _edge_from(row: Row[*tuple[Any, ...]]) -> Edge | None:
    if row.alert_id is None:
        return None
    return Edge(alert_id=AlertId(row.alert_id), group_value=row.group_value, sequence=row.edge_sequence)


def _is_not_posted() -> Any:
    return ~exists().where(deliveries.c.event_id == events.c.event_id)


def _from_row(row: Row[*tuple[Any, ...]]) -> Placed:
    return Placed(
        position=row.position,
        event=Event(
            event_id=EventId(row.event_id),
            event_type=EventType(row.event_type),
            customer_id=CustomerId(row.customer_id),
            customer_sequence=row.customer_sequence,
            is_internal=row.is_internal,
            create_time=row.create_time,
            payload=row.payload,
            edge=_edge_from(row),
        ),
    )
