# SPDX-License-Identifier: Apache-2.0
"""ObserveCrossing: the state follows the newest observation; each edge is posted once."""

import structlog

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.alert.domain.alert import Alert
from services.alert.domain.commands import ObserveCrossing
from services.alert.domain.delivery import Edge
from services.alert.domain.event import EventId, edge_of, event_of
from services.alert.domain.status import AlertStatus, CrossingReceipt, observe, unobserved
from services.alert.operations.notifying import notify
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore, Transaction

log = structlog.get_logger(__name__)


class Crossings:
    """Accepts what the Ledger observed. wall: dates deliveries; sandbox time must not affect their retries."""

    def __init__(self, *, store: PostgresStore, courier: Courier, wall: Clock, ids: Ids) -> None:
        self._store = store
        self._courier = courier
        self._wall = wall
        self._ids = ids

    async def observe(self, command: ObserveCrossing) -> CrossingReceipt:
        """Accept an observation. It changes nothing if the alert is unknown, archived or watches something else.

        Raises NoticeTooFarAhead, NoticeTooFarBehind.
        """
        crossing, taken = command.crossing, CrossingReceipt()
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, CrossingReceipt)) is not None:
                return first
            alert = await tx.alerts.find(crossing.alert_id)
            if alert is not None and alert.watches(crossing.customer_id, crossing.group_value):
                await self._take(tx, alert, command)
            else:
                # Not a fault: the Ledger would retry forever, and the notices behind this one would wait.
                log.info("crossing_ignored", alert_id=crossing.alert_id, customer_id=crossing.customer_id)
            await tx.responses.store(command, taken)
        self._courier.wake()
        return taken

    async def _take(self, tx: Transaction, alert: Alert, command: ObserveCrossing) -> None:
        crossing = command.crossing
        new = unobserved(alert, crossing.customer_id, crossing.group_value)
        await tx.statuses.insert_if_new(new)
        before = await tx.statuses.lock(new)
        after = observe(before, crossing)
        if after != before:
            await tx.statuses.update(after)
            await self._post(tx, alert, before, after)

    async def _post(self, tx: Transaction, alert: Alert, before: AlertStatus, after: AlertStatus) -> None:
        event_type = event_of(before.state, after.state)
        if event_type is None:
            return
        await notify(
            tx,
            edge_of(EventId(self._ids.new("evt")), event_type, alert, after),
            at=self._wall.now(),
            ids=self._ids,
            edge=Edge(alert_id=alert.alert_id, group_value=after.group_value, sequence=after.sequence),
        )
