# SPDX-License-Identifier: Apache-2.0
"""Statements about deliveries: the log of what was posted, and the queue of what is still to be posted.

An attempt leases its row by moving `due_time` into the future. No other worker takes it before that time, and if the
worker dies the delivery is due again then.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Update, delete, exists, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from services.alert.domain.alert import AlertId
from services.alert.domain.delivery import (
    GIVE_UP_AFTER,
    SUSPECT_AFTER,
    Answer,
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryStatus,
    Due,
    MailProgress,
    NewDelivery,
    error_of,
)
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.errors import DeliveryNotFound
from services.alert.domain.event import EventId, EventType
from services.alert.domain.queries import ListDeliveries
from services.alert.domain.replay import Replay
from services.alert.domain.status import AlertStatus
from services.alert.tables import deliveries, endpoint_failures, events, webhook_endpoints

# Before there were events, each delivery had its body in its own row.
_PAYLOAD = func.coalesce(
    deliveries.c.payload,
    select(events.c.payload)
    .where(events.c.event_id == deliveries.c.event_id)
    .correlate(deliveries)
    .scalar_subquery(),
).label("payload")
DELIVERY_COLUMNS = (
    deliveries.c.delivery_id,
    deliveries.c.webhook_endpoint_id,
    deliveries.c.alert_id,
    deliveries.c.event_type,
    deliveries.c.status,
    deliveries.c.attempts,
    deliveries.c.last_status_code,
    deliveries.c.last_error,
    deliveries.c.create_time,
    deliveries.c.deliver_time,
    deliveries.c.due_time,
    _PAYLOAD,
)
_IS_PENDING = deliveries.c.status == DeliveryStatus.PENDING.value


class StoredDeliveries:
    """A delivery is inserted with its cause. After that, only the worker, a replay or a disabling changes it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, new: Sequence[NewDelivery], *, known: bool = False) -> None:
        """Insert deliveries that are due immediately. known: leave out those whose endpoint and event have one."""
        if new:
            inserted = insert(deliveries).values([_to_row(delivery) for delivery in new])
            await self._connection.execute(inserted.on_conflict_do_nothing() if known else inserted)

    async def release_sequences(self, status: AlertStatus) -> None:
        """Move the sequences of a status's deliveries below all others, so that new deliveries may have them.

        The caller has locked the status, so none is added.
        """
        columns = deliveries.c
        lowest = func.least(0, func.min(columns.sequence).over())
        moved = (
            select(
                columns.delivery_id,
                (lowest - func.row_number().over(order_by=columns.delivery_id)).label("sequence"),
            )
            .where(
                columns.alert_id == status.alert_id,
                columns.customer_id == status.customer_id,
                columns.group_value == status.group_value,
            )
            .subquery()
        )
        await self._connection.execute(
            update(deliveries)
            .where(columns.delivery_id == moved.c.delivery_id)
            .values(sequence=moved.c.sequence)
        )

    async def get(self, delivery_id: DeliveryId) -> Delivery:
        """Return a delivery. Raises DeliveryNotFound."""
        wanted = select(*DELIVERY_COLUMNS).where(deliveries.c.delivery_id == delivery_id)
        row = (await self._connection.execute(wanted)).first()
        if row is None:
            raise DeliveryNotFound(delivery_id=delivery_id)
        return delivery_from_row(row)

    async def list(self, query: ListDeliveries, page: Page) -> list[Delivery]:
        """Return a page, newest first, and one row more if there is one."""
        wanted = select(*DELIVERY_COLUMNS).order_by(deliveries.c.delivery_id.desc()).limit(page.size + 1)
        if query.webhook_endpoint_id:
            wanted = wanted.where(deliveries.c.webhook_endpoint_id == query.webhook_endpoint_id)
        if query.alert_id:
            wanted = wanted.where(deliveries.c.alert_id == query.alert_id)
        if query.event_types:
            wanted = wanted.where(deliveries.c.event_type.in_([one.value for one in query.event_types]))
        if query.status is not None:
            wanted = wanted.where(deliveries.c.status == query.status.value)
        if page.after is not None:
            wanted = wanted.where(deliveries.c.delivery_id < page.after[0])
        return [delivery_from_row(row) for row in await self._connection.execute(wanted)]

    async def replay(self, delivery_id: DeliveryId, *, at: datetime) -> Delivery | None:
        """Make a finished delivery pending again, due immediately; None if it is pending."""
        replayed = (
            _replayed(at)
            .where(
                deliveries.c.delivery_id == delivery_id, deliveries.c.status != DeliveryStatus.PENDING.value
            )
            .returning(*DELIVERY_COLUMNS)
        )
        row = (await self._connection.execute(replayed)).first()
        return None if row is None else delivery_from_row(row)

    async def replay_some(self, replay: Replay, *, at: datetime, rows_max: int) -> DeliveryId | None:
        """Make the next finished deliveries of a replay pending again. The caller holds the endpoint.

        Returns the last delivery that was looked at, of at most `rows_max`; None if there was none.
        """
        columns = deliveries.c
        looked_at = (
            select(columns.delivery_id)
            .where(
                columns.webhook_endpoint_id == replay.webhook_endpoint_id,
                columns.delivery_id > replay.after_delivery_id,
                columns.delivery_id < replay.until_delivery_id,
            )
            .order_by(columns.delivery_id)
            .limit(rows_max)
        )
        ids = (await self._connection.execute(looked_at)).scalars().all()
        if not ids:
            return None
        failed, delivered = DeliveryStatus.FAILED.value, DeliveryStatus.DELIVERED.value
        replayed = _replayed(at).where(
            columns.delivery_id.in_(ids),
            columns.status.in_([failed] if replay.failed_only else [failed, delivered]),
            columns.create_time >= replay.start_time,
            columns.create_time < replay.end_time,
        )
        if replay.event_types:
            replayed = replayed.where(columns.event_type.in_([one.value for one in replay.event_types]))
        await self._connection.execute(replayed)
        return DeliveryId(ids[-1])

    async def fail_pending(
        self, webhook_endpoint_id: WebhookEndpointId, *, error: str, rows_max: int = 5_000
    ) -> int:
        """Fail pending deliveries of an endpoint, at most `rows_max`. Returns how many.

        The caller has locked the endpoint, so none is added.
        """
        some = (
            select(deliveries.c.delivery_id)
            .where(deliveries.c.webhook_endpoint_id == webhook_endpoint_id, _IS_PENDING)
            .limit(rows_max)
        )
        failed = await self._connection.execute(
            update(deliveries)
            .where(deliveries.c.delivery_id.in_(some), _IS_PENDING)
            .values(status=DeliveryStatus.FAILED.value, due_time=None, last_error=error)
        )
        return failed.rowcount

    async def pending(self) -> tuple[int, datetime | None]:
        """Return how many deliveries to enabled endpoints are pending, and when the first of them was or is due."""
        counted = (
            select(func.count(), func.min(deliveries.c.due_time))
            .join_from(
                deliveries,
                webhook_endpoints,
                webhook_endpoints.c.webhook_endpoint_id == deliveries.c.webhook_endpoint_id,
            )
            .where(_IS_PENDING, webhook_endpoints.c.disable_time.is_(None))
        )
        count, due_time = (await self._connection.execute(counted)).one()
        return count, due_time

    async def due(self, *, at: datetime, per_endpoint_max: int) -> Sequence[Due]:
        """Return the deliveries that are due and not leased, at most `per_endpoint_max` of each endpoint."""
        is_failing = exists().where(
            endpoint_failures.c.webhook_endpoint_id == webhook_endpoints.c.webhook_endpoint_id,
            endpoint_failures.c.since_time <= at - SUSPECT_AFTER,
        )
        first_few = (
            select(deliveries.c.delivery_id, deliveries.c.due_time)
            .where(
                deliveries.c.webhook_endpoint_id == webhook_endpoints.c.webhook_endpoint_id,
                _IS_PENDING,
                deliveries.c.due_time <= at,
            )
            .order_by(deliveries.c.due_time, deliveries.c.delivery_id)
            .limit(per_endpoint_max)
            .lateral()
        )
        wanted = (
            select(
                webhook_endpoints.c.webhook_endpoint_id,
                first_few.c.delivery_id,
                is_failing.label("is_failing"),
                (webhook_endpoints.c.recipients != []).label("is_mail"),
            )
            .join_from(webhook_endpoints, first_few, true())
            .where(webhook_endpoints.c.disable_time.is_(None))
            .order_by(first_few.c.due_time, first_few.c.delivery_id)
        )
        rows = await self._connection.execute(wanted)
        return [
            Due(
                webhook_endpoint_id=WebhookEndpointId(row.webhook_endpoint_id),
                delivery_id=DeliveryId(row.delivery_id),
                is_failing=row.is_failing,
                is_mail=row.is_mail,
            )
            for row in rows
        ]

    async def lease(
        self, delivery_ids: Sequence[DeliveryId], *, at: datetime, until: datetime
    ) -> Sequence[Attempt]:
        """Lease those of the deliveries that are due, until an instant, and count the attempts.

        Left out are those that are not pending or not due, and those that another transaction is writing.
        """
        free = (
            select(deliveries.c.delivery_id)
            .where(deliveries.c.delivery_id.in_(delivery_ids), _IS_PENDING, deliveries.c.due_time <= at)
            .with_for_update(skip_locked=True)
        )
        leased = (
            update(deliveries)
            .where(deliveries.c.delivery_id.in_(free))
            .values(due_time=until, attempts=deliveries.c.attempts + 1)
            .returning(
                deliveries.c.delivery_id,
                deliveries.c.webhook_endpoint_id,
                deliveries.c.attempts,
                deliveries.c.earlier_attempts,
                deliveries.c.give_up_time,
                deliveries.c.mail_accepted,
                deliveries.c.mail_refused,
                _PAYLOAD,
            )
        )
        return [
            Attempt(
                delivery_id=DeliveryId(row.delivery_id),
                webhook_endpoint_id=WebhookEndpointId(row.webhook_endpoint_id),
                attempts=row.attempts,
                tries=row.attempts - row.earlier_attempts,
                give_up_time=row.give_up_time,
                payload=row.payload,
                mailed=MailProgress(
                    accepted=frozenset(row.mail_accepted or ()), refused=row.mail_refused or {}
                ),
            )
            for row in await self._connection.execute(leased)
        ]

    async def give_back(self, attempt: Attempt, *, error: str) -> None:
        """Undo the count of a lease whose attempt was not made. It is due again when the lease runs out."""
        await self._connection.execute(
            update(deliveries)
            .where(deliveries.c.delivery_id == attempt.delivery_id)
            .values(attempts=attempt.attempts - 1, last_error=error)
        )

    async def accepted(self, accepted: Sequence[tuple[Attempt, Answer]], *, at: datetime) -> None:
        """Record that endpoints accepted them, even if leases have run out or endpoints were disabled."""
        by_code: defaultdict[int, list[DeliveryId]] = defaultdict(list)
        for attempt, answer in accepted:
            by_code[answer.status_code].append(attempt.delivery_id)
        for status_code, delivery_ids in sorted(by_code.items()):
            locked = (
                select(deliveries.c.delivery_id)
                .where(
                    deliveries.c.delivery_id.in_(delivery_ids),
                    deliveries.c.status != DeliveryStatus.DELIVERED.value,
                )
                .order_by(deliveries.c.delivery_id)
                .with_for_update()
            )
            await self._connection.execute(
                update(deliveries)
                .where(deliveries.c.delivery_id.in_(locked))
                .values(
                    status=DeliveryStatus.DELIVERED.value,
                    deliver_time=at,
                    due_time=None,
                    last_status_code=status_code,
                    last_error="",
                    mail_accepted=None,
                    mail_refused=None,
                )
            )

    async def mailed(self, attempt: Attempt, progress: MailProgress) -> None:
        """Record who needs no more mails, even if the endpoint was disabled meanwhile: enabling it mails to the others.

        Does nothing if another attempt has started since.
        """
        await self._connection.execute(
            update(deliveries)
            .where(
                deliveries.c.delivery_id == attempt.delivery_id,
                deliveries.c.attempts == attempt.attempts,
                deliveries.c.status != DeliveryStatus.DELIVERED.value,
            )
            .values(mail_accepted=sorted(progress.accepted), mail_refused=dict(progress.refused))
        )

    async def put_off(self, attempt: Attempt, answer: Answer, *, due: datetime) -> None:
        """Record a failed attempt that is retried. Does nothing if another attempt has started since."""
        await self._end_in_failure(attempt, answer, due_time=due)

    async def give_up(self, attempt: Attempt, answer: Answer) -> None:
        """Record the last failed attempt. Does nothing if another attempt has started since."""
        await self._end_in_failure(attempt, answer, due_time=None, status=DeliveryStatus.FAILED.value)

    async def forget_finished(self, *, before: datetime, rows_max: int = 10_000) -> Sequence[EventId | None]:
        """Delete finished deliveries created before an instant, at most `rows_max`. Returns their events, repeated."""
        old = (
            select(deliveries.c.delivery_id)
            .where(deliveries.c.create_time < before, deliveries.c.status != DeliveryStatus.PENDING.value)
            .order_by(deliveries.c.create_time)
            .limit(rows_max)
        )
        dropped = await self._connection.execute(
            delete(deliveries)
            .where(deliveries.c.delivery_id.in_(old), deliveries.c.status != DeliveryStatus.PENDING.value)
            .returning(deliveries.c.event_id)
        )
        return list(dropped.scalars())

    async def _end_in_failure(self, attempt: Attempt, answer: Answer, **values: object) -> None:
        await self._connection.execute(
            update(deliveries)
            .where(
                deliveries.c.delivery_id == attempt.delivery_id,
                deliveries.c.attempts == attempt.attempts,
                _IS_PENDING,
            )
            .values(last_status_code=answer.status_code, last_error=error_of(answer), **values)
        )


def _replayed(at: datetime) -> Update:
    """Return what makes deliveries pending again, due immediately. Mails: to those for whom they were not accepted."""
    return update(deliveries).values(
        status=DeliveryStatus.PENDING.value,
        earlier_attempts=deliveries.c.attempts,
        deliver_time=None,
        due_time=at,
        give_up_time=at + GIVE_UP_AFTER,
        mail_refused=None,
    )


def _to_row(new: NewDelivery) -> dict[str, object]:
    edge = new.event.edge
    return {
        "delivery_id": new.delivery_id,
        "webhook_endpoint_id": new.webhook_endpoint_id,
        "alert_id": None if edge is None else edge.alert_id,
        "event_id": new.event.event_id,
        "customer_id": new.event.customer_id,
        "group_value": "" if edge is None else edge.group_value,
        "sequence": 0 if edge is None else edge.sequence,
        "event_type": new.event.event_type.value,
        "status": DeliveryStatus.PENDING.value,
        "attempts": 0,
        "earlier_attempts": 0,
        "last_status_code": 0,
        "last_error": "",
        "create_time": new.create_time,
        "due_time": new.create_time,
        "give_up_time": new.create_time + GIVE_UP_AFTER,
        "payload": None if new.is_stored else new.event.payload,
    }


def delivery_from_row(row: Row[*tuple[Any, ...]]) -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(row.delivery_id),
        webhook_endpoint_id=WebhookEndpointId(row.webhook_endpoint_id),
        alert_id=None if row.alert_id is None else AlertId(row.alert_id),
        event_type=EventType(row.event_type),
        status=DeliveryStatus(row.status),
        attempts=row.attempts,
        last_status_code=row.last_status_code,
        last_error=row.last_error,
        create_time=row.create_time,
        deliver_time=row.deliver_time,
        due_time=row.due_time,
        payload=row.payload,
    )
