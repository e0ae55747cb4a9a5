# SPDX-License-Identifier: Apache-2.0
"""ResendAlert, RepairAlertState."""

import structlog

from services.alert.domain.alert import Alert, AlertId, renew
from services.alert.domain.commands import RepairAlertState, ResendAlert
from services.alert.domain.notices import watch_of
from services.alert.domain.status import AlertStatus, unobserved
from services.alert.operations.ports import Courier, Relay
from services.alert.store import PostgresStore, Transaction

log = structlog.get_logger(__name__)


class Repairs:
    """Brings Alert and the Ledger together again after a false notice. invoices: watches those here."""

    def __init__(self, *, store: PostgresStore, relay: Relay, invoices: Courier) -> None:
        self._store = store
        self._relay = relay
        self._invoices = invoices

    async def resend(self, command: ResendAlert) -> Alert:
        """Send an alert's threshold to the Ledger again, under a new version. Raises AlertNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Alert)) is not None:
                return first
            alert = await _send_again(tx, command.alert_id)
            await tx.responses.store(command, alert)
        await self._observe_now(alert)
        return alert

    async def repair_state(self, command: RepairAlertState) -> AlertStatus:
        """Forget what was observed of one customer and group value, and have the Ledger observe it anew.

        Raises AlertNotFound, AlertStateNotFound.
        """
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, AlertStatus)) is not None:
                return first
            alert = await _send_again(tx, command.alert_id)
            status = unobserved(alert, command.customer_id, command.group_value)
            before = await tx.statuses.reset(status)
            await tx.deliveries.release_sequences(status)
            await tx.responses.store(command, status)
        log.warning(
            "alert_state_repaired",
            alert_id=command.alert_id,
            customer_id=command.customer_id,
            group_value=command.group_value,
            sequence_before=before.sequence,
            reason=command.reason,
            actor=command.actor,
        )
        await self._observe_now(alert)
        return status

    async def _observe_now(self, alert: Alert) -> None:
        if alert.is_of_ledger:
            await self._relay.deliver_now(alert.alert_id)
        else:
            self._invoices.wake()


async def _send_again(tx: Transaction, alert_id: AlertId) -> Alert:
    before = await tx.alerts.lock(alert_id)
    alert = renew(before)
    await tx.alerts.save(before, alert)
    if alert.is_of_ledger:
        await tx.outbox.enqueue(watch_of(alert), key=alert.alert_id)
    return alert
