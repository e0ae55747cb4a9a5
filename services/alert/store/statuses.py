# SPDX-License-Identifier: Apache-2.0
"""Statements about the states of alerts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from meshkit.quantity import Credits
from services.alert.domain.alert import AlertId, CustomerId
from services.alert.domain.errors import AlertStateNotFound
from services.alert.domain.queries import ListStatuses
from services.alert.domain.status import AlertState, AlertStatus
from services.alert.tables import alert_statuses as statuses

_SELECT = select(
    statuses.c.alert_id,
    statuses.c.customer_id,
    statuses.c.group_value,
    statuses.c.state,
    statuses.c.value_micros,
    statuses.c.observe_time,
    statuses.c.sequence,
    statuses.c.quiet_until,
    statuses.c.notified_state,
)


class StoredStatuses:
    """One row per alert, customer and group value; its sequence only grows, unless an operator resets it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert_if_new(self, status: AlertStatus) -> None:
        """Insert a status unless the same alert, customer and group value has one."""
        await self._connection.execute(
            insert(statuses)
            .values(
                alert_id=status.alert_id,
                customer_id=status.customer_id,
                group_value=status.group_value,
                **_values(status),
            )
            .on_conflict_do_nothing()
        )

    async def find_locked(self, like: AlertStatus) -> AlertStatus | None:
        """Return the status of the same alert, customer and group value, locked until the commit, if there is one."""
        row = (await self._connection.execute(_locked(like))).first()
        return None if row is None else _from_row(row)

    async def lock(self, like: AlertStatus) -> AlertStatus:
        """Return the status of the same alert, customer and group value, locked until the commit."""
        row = (await self._connection.execute(_locked(like))).one()
        return _from_row(row)

    async def reset(self, status: AlertStatus) -> AlertStatus:
        """Replace the status of the same alert, customer and group value by an unobserved one; returns what it was.

        Raises AlertStateNotFound.
        """
        row = (await self._connection.execute(_locked(status))).first()
        if row is None:
            raise AlertStateNotFound(
                alert_id=status.alert_id, customer_id=status.customer_id, group_value=status.group_value
            )
        await self._connection.execute(update(statuses).where(_same(status)).values(_values(status)))
        return _from_row(row)

    async def update(self, status: AlertStatus) -> None:
        newer = (
            update(statuses)
            .where(_same(status), statuses.c.sequence < status.sequence)
            .values(_values(status))
        )
        updated = await self._connection.execute(newer)
        assert updated.rowcount == 1  # the caller has locked it and read an older sequence

    async def save_notified(self, status: AlertStatus) -> None:
        """Save what was notified of a locked status, which is observed as before."""
        await self._connection.execute(update(statuses).where(_same(status)).values(_values(status)))

    async def quiet_no_more(self, *, at: datetime, rows_max: int) -> Sequence[AlertStatus]:
        """Return statuses whose quiet period is over while a change of them was held back, the earliest first."""
        over = _SELECT.where(statuses.c.notified_state.is_not(None), statuses.c.quiet_until <= at)
        rows = await self._connection.execute(over.order_by(statuses.c.quiet_until).limit(rows_max))
        return [_from_row(row) for row in rows]

    async def list(self, query: ListStatuses, page: Page) -> list[AlertStatus]:
        """Return a page by customer and group value, and one row more if there is one."""
        order = (statuses.c.customer_id, statuses.c.group_value)
        wanted = _SELECT.where(statuses.c.alert_id == query.alert_id).order_by(*order).limit(page.size + 1)
        if query.customer_id:
            wanted = wanted.where(statuses.c.customer_id == query.customer_id)
        if page.after is not None:
            wanted = wanted.where(tuple_(*order) > tuple_(*page.after))
        return [_from_row(row) for row in await self._connection.execute(wanted)]


def _locked(like: AlertStatus) -> Select[Any]:
    return _SELECT.where(_same(like)).with_for_update(key_share=True)


def _values(status: AlertStatus) -> dict[str, Any]:
    """Return the columns that an observation changes."""
    return {
        "state": status.state.value,
        "value_micros": status.value.micros,
        "observe_time": status.observe_time,
        "sequence": status.sequence,
        "quiet_until": status.quiet_until,
        "notified_state": None if status.notified_state is None else status.notified_state.value,
    }


def _same(status: AlertStatus) -> ColumnElement[bool]:
    return and_(
        statuses.c.alert_id == status.alert_id,
        statuses.c.customer_id == status.customer_id,
        statuses.c.group_value == status.group_value,
    )


def _from_row(row: Row[*tuple[Any, ...]]) -> AlertStatus:
    return AlertStatus(
        alert_id=AlertId(row.alert_id),
        customer_id=CustomerId(row.customer_id),
        group_value=row.group_value,
        state=AlertState(row.state),
        value=Credits(row.value_micros),
        observe_time=row.observe_time,
        sequence=row.sequence,
        quiet_until=row.quiet_until,
        notified_state=None if row.notified_state is None else AlertState(row.notified_state),
    )
