# SPDX-License-Identifier: Apache-2.0
"""CreateAlert, GetAlert, ListAlerts, UpdateAlert, PauseAlert, ResumeAlert, ArchiveAlert, GetAlertState."""

from collections.abc import Callable, Sequence
from datetime import datetime

from access import require_visible
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.alert.domain.alert import (
    EVERY_CUSTOMER,
    OWN_ALERTS_MAX,
    Alert,
    AlertId,
    AlertOwner,
    archive,
    paused,
    rearm_of,
    resumed,
    updated,
)
from services.alert.domain.commands import ArchiveAlert, CreateAlert, PauseAlert, ResumeAlert, UpdateAlert
from services.alert.domain.errors import AlertLimitReached, AlertNotFound
from services.alert.domain.notices import watch_of
from services.alert.domain.queries import ListAlerts, ListStatuses
from services.alert.domain.status import AlertStatus, unobserved
from services.alert.operations.ports import Courier, Relay
from services.alert.store import PostgresStore


class Alerts:
    """Creates, lists and archives alerts, and sends the thresholds to watch to the Ledger.

    invoices: watches invoices here.
    """

    def __init__(
        self, *, store: PostgresStore, relay: Relay, invoices: Courier, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._invoices = invoices
        self._relay = relay
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateAlert) -> Alert:
        """Create an alert. Its state is EVALUATING until the Ledger's first observation.

        Raises TokenRestricted, InvalidFields, AlertNameTaken, AlertLimitReached.
        """
        require_visible(command.customer_id)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Alert)) is not None:
                return first
            if command.owner is AlertOwner.CUSTOMER:
                # So that a customer's alerts are counted one after the other.
                await tx.events.hold_sequence(command.customer_id)
                if await tx.alerts.count_own(command.customer_id) >= OWN_ALERTS_MAX:
                    raise AlertLimitReached(limit=OWN_ALERTS_MAX)
            alert = Alert(
                alert_id=AlertId(self._ids.new("alr")),
                name=command.name,
                alert_type=command.alert_type,
                customer_id=command.customer_id,
                credit_type_id=command.credit_type_id,
                threshold=command.threshold,
                group_key=command.group_key,
                group_value=command.group_value,
                version=1,
                create_time=self._clock.now(),
                rearm=rearm_of(command.alert_type, command.threshold, command.rearm),
                quiet_period=command.quiet_period,
                expires_within_days=command.expires_within_days,
                window=command.window,
                product_id=command.product_id,
                currency_code=command.currency_code,
                owner=command.owner,
            )
            await tx.alerts.insert(alert)
            if alert.customer_id != EVERY_CUSTOMER and alert.is_of_ledger:
                await tx.statuses.insert_if_new(unobserved(alert, alert.customer_id, alert.group_value))
            if alert.is_of_ledger:
                await tx.outbox.enqueue(watch_of(alert), key=alert.alert_id)
            await tx.responses.store(command, alert)
        await self._observe_now(alert)
        return alert

    async def get(self, alert_id: AlertId) -> Alert:
        """Return an alert, archived or not. Raises AlertNotFound."""
        async with self._store.transaction() as tx:
            return await tx.alerts.get(alert_id)

    async def list(self, query: ListAlerts, page: Page) -> Sequence[Alert]:
        """Return a page in order of creation, and one row more if there is one."""
        async with self._store.transaction() as tx:
            return await tx.alerts.list(query, page)

    async def update(self, command: UpdateAlert) -> Alert:
        """Change an alert. Raises AlertNotFound, AlertArchived, AlertNameTaken, InvalidFields."""
        return await self._change(command, lambda alert: updated(alert, command.changes))

    async def pause(self, command: PauseAlert) -> Alert:
        """Watch nothing until the alert is resumed. Raises AlertNotFound, AlertArchived."""
        return await self._change(command, lambda alert: paused(alert, at=self._now(alert)))

    async def resume(self, command: ResumeAlert) -> Alert:
        """Watch again; the Ledger reports the value anew. Raises AlertNotFound, AlertArchived."""
        return await self._change(command, resumed)

    async def archive(self, command: ArchiveAlert) -> Alert:
        """Archive an alert, which frees its name. Repeating it changes nothing and sends no notice.

        Raises AlertNotFound.
        """

        def archived(alert: Alert) -> Alert:
            if command.owner not in (None, alert.owner):
                raise AlertNotFound(alert_id=command.alert_id)
            return archive(alert, at=self._now(alert))

        return await self._change(command, archived)

    def _now(self, alert: Alert) -> datetime:
        return max(alert.create_time, self._clock.now())

    async def _change(
        self,
        command: UpdateAlert | PauseAlert | ResumeAlert | ArchiveAlert,
        change: Callable[[Alert], Alert],
    ) -> Alert:
        """Apply a rule to an alert, and tell the Ledger if it changes what is watched."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Alert)) is not None:
                return first
            before = await tx.alerts.lock(command.alert_id)
            alert = change(before)
            if alert != before:
                await tx.alerts.save(before, alert)
            if alert.version != before.version and alert.is_of_ledger:
                await tx.outbox.enqueue(watch_of(alert), key=alert.alert_id)
            await tx.responses.store(command, alert)
        await self._observe_now(alert)
        return alert

    async def _observe_now(self, alert: Alert) -> None:
        """Have a changed alert observed, by the Ledger or by whoever watches invoices."""
        if alert.is_of_ledger:
            await self._relay.deliver_now(alert.alert_id)
        else:
            self._invoices.wake()

    async def list_statuses(self, query: ListStatuses, page: Page) -> Sequence[AlertStatus]:
        """Return a page by customer and group value, and one row more if there is one. Raises AlertNotFound."""
        async with self._store.transaction() as tx:
            await tx.alerts.get(query.alert_id)
            return await tx.statuses.list(query, page)
