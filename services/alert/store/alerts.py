# SPDX-License-Identifier: Apache-2.0
"""Statements about alerts."""

from typing import Any

from sqlalchemy import Row, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller, only_visible
from meshkit.page import Page
from meshkit.quantity import Credits
from services.alert.domain.alert import (
    Alert,
    AlertId,
    AlertOwner,
    AlertType,
    CreditTypeId,
    CustomerId,
    SpendWindow,
)
from services.alert.domain.errors import AlertNameTaken, AlertNotFound
from services.alert.domain.queries import ListAlerts
from services.alert.tables import alerts

_SELECT = select(
    alerts.c.alert_id,
    alerts.c.name,
    alerts.c.alert_type,
    alerts.c.customer_id,
    alerts.c.credit_type_id,
    alerts.c.threshold_micros,
    alerts.c.group_key,
    alerts.c.group_value,
    alerts.c.version,
    alerts.c.create_time,
    alerts.c.archive_time,
    alerts.c.rearm_micros,
    alerts.c.quiet_period,
    alerts.c.pause_time,
    alerts.c.expires_within_days,
    alerts.c.spend_window,
    alerts.c.product_id,
    alerts.c.currency_code,
    alerts.c.owner,
)
_HAS_UNIQUE_NAME = and_(alerts.c.archive_time.is_(None), alerts.c.has_unique_name)


class StoredAlerts:
    """An alert keeps what it watches of whom. Its version grows with every change of its watch."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, alert: Alert) -> None:
        """Raises AlertNameTaken."""
        await self._require_free(alert)
        inserted = (
            insert(alerts)
            .values(
                alert_id=alert.alert_id,
                name=alert.name,
                alert_type=alert.alert_type.value,
                customer_id=alert.customer_id,
                credit_type_id=alert.credit_type_id,
                threshold_micros=alert.threshold.micros,
                group_key=alert.group_key,
                group_value=alert.group_value,
                version=alert.version,
                create_time=alert.create_time,
                archive_time=alert.archive_time,
                rearm_micros=alert.rearm.micros,
                quiet_period=alert.quiet_period,
                pause_time=alert.pause_time,
                currency_code=alert.currency_code,
                invoice_position=None if alert.is_of_ledger else 0,
                has_unique_name=True,
                expires_within_days=alert.expires_within_days,
                spend_window=alert.window.value,
                product_id=alert.product_id,
                owner=alert.owner.value,
            )
            .on_conflict_do_nothing(
                index_elements=[alerts.c.customer_id, alerts.c.name], index_where=_HAS_UNIQUE_NAME
            )
            .returning(alerts.c.alert_id)
        )
        if (await self._connection.execute(inserted)).first() is None:
            await self._require_free(alert)  # a concurrent transaction has inserted the name, and committed
            raise AssertionError("the name was taken, and is free")

    async def find(self, alert_id: AlertId) -> Alert | None:
        """Return an alert, archived or not; None if it does not exist."""
        row = (await self._connection.execute(_SELECT.where(alerts.c.alert_id == alert_id))).first()
        return None if row is None else _from_row(row)

    async def get(self, alert_id: AlertId) -> Alert:
        """Return an alert, archived or not. Raises AlertNotFound."""
        alert = await self.find(alert_id)
        if alert is not None and current_caller().may_see(alert.customer_id):
            return alert
        raise AlertNotFound(alert_id=alert_id)

    async def lock(self, alert_id: AlertId) -> Alert:
        """Return an alert, locked until the commit. Raises AlertNotFound."""
        locked = _SELECT.where(alerts.c.alert_id == alert_id).with_for_update(key_share=True)
        row = (await self._connection.execute(locked)).first()
        if row is None or not current_caller().may_see(row.customer_id):
            raise AlertNotFound(alert_id=alert_id)
        return _from_row(row)

    async def save(self, before: Alert, after: Alert) -> None:
        """Save what has changed in a locked alert; all invoices are observed anew. Raises AlertNameTaken."""
        if after.name != before.name:
            await self._rename(after)
        saved = update(alerts).where(alerts.c.alert_id == before.alert_id, alerts.c.version == before.version)
        updated = await self._connection.execute(
            saved.values(
                threshold_micros=after.threshold.micros,
                version=after.version,
                archive_time=after.archive_time,
                rearm_micros=after.rearm.micros,
                quiet_period=after.quiet_period,
                pause_time=after.pause_time,
                invoice_position=None if after.is_of_ledger else 0,
            )
        )
        assert updated.rowcount == 1  # the caller has locked it

    async def _rename(self, alert: Alert) -> None:
        await self._require_free(alert)
        renamed = update(alerts).where(alerts.c.alert_id == alert.alert_id)
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(renamed.values(name=alert.name, has_unique_name=True))
        except IntegrityError:
            await self._require_free(alert)  # a concurrent transaction has taken the name, and committed
            raise

    async def _require_free(self, alert: Alert) -> None:
        """Raise AlertNameTaken if another alert has the name, also one from before names were unique."""
        wanted = select(alerts.c.alert_id).where(
            alerts.c.customer_id == alert.customer_id,
            alerts.c.name == alert.name,
            alerts.c.archive_time.is_(None),
            alerts.c.alert_id != alert.alert_id,
        )
        if (holder := (await self._connection.execute(wanted.limit(1))).scalar()) is not None:
            raise AlertNameTaken(name=alert.name, alert_id=holder)

    async def count_own(self, customer_id: CustomerId) -> int:
        """Return how many alerts a customer owns that are not archived."""
        wanted = select(func.count()).where(
            alerts.c.customer_id == customer_id,
            alerts.c.owner == AlertOwner.CUSTOMER.value,
            alerts.c.archive_time.is_(None),
        )
        return int((await self._connection.execute(wanted)).scalar_one())

    async def list(self, query: ListAlerts, page: Page) -> list[Alert]:
        """Return a page in order of creation, and one row more if there is one."""
        wanted = only_visible(_SELECT, alerts.c.customer_id).order_by(alerts.c.alert_id).limit(page.size + 1)
        if query.customer_id:
            wanted = wanted.where(alerts.c.customer_id == query.customer_id)
        if query.name:
            wanted = wanted.where(alerts.c.name == query.name)
        if query.owner is not None:
            wanted = wanted.where(alerts.c.owner == query.owner.value)
        if not query.include_archived:
            wanted = wanted.where(alerts.c.archive_time.is_(None))
        if page.after is not None:
            wanted = wanted.where(alerts.c.alert_id > page.after[0])
        return [_from_row(row) for row in await self._connection.execute(wanted)]


def _from_row(row: Row[*tuple[Any, ...]]) -> Alert:
    return Alert(
        alert_id=AlertId(row.alert_id),
        name=row.name,
        alert_type=AlertType(row.alert_type),
        customer_id=CustomerId(row.customer_id),
        credit_type_id=CreditTypeId(row.credit_type_id),
        threshold=Credits(row.threshold_micros),
        group_key=row.group_key,
        group_value=row.group_value,
        version=row.version,
        create_time=row.create_time,
        archive_time=row.archive_time,
        rearm=Credits(row.threshold_micros if row.rearm_micros is None else row.rearm_micros),
        quiet_period=row.quiet_period,
        pause_time=row.pause_time,
        expires_within_days=row.expires_within_days,
        window=SpendWindow(row.spend_window),
        product_id=row.product_id,
        currency_code=row.currency_code,
        owner=AlertOwner(row.owner),
    )
