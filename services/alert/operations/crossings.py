# SPDX-License-Identifier: Apache-2.0
"""ObserveCrossing: the state follows the newest observation; each edge is posted once, outside quiet periods."""

from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.alert.domain.alert import Alert
from services.alert.domain.commands import ObserveCrossing
from services.alert.domain.event import EventId, edge_of, event_of
from services.alert.domain.status import (
    AlertState,
    AlertStatus,
    Crossing,
    CrossingReceipt,
    held_back,
    notified,
    observe,
    unobserved,
)
from services.alert.operations.notifying import notify
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore, Transaction

DUE_PER_READ_MAX: Final = 200

log = structlog.get_logger(__name__)


class Crossings:
    """Accepts what the Ledger observed.

    clock: business time, of quiet periods. wall: dates deliveries; sandbox time must not affect their retries.
    """

    def __init__(
        self, *, store: PostgresStore, courier: Courier, clock: Clock, wall: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._courier = courier
        self._clock = clock
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
                await self.take(tx, alert, crossing)
            else:
                # Not a fault: the Ledger would retry forever, and the notices behind this one would wait.
                log.info("crossing_ignored", alert_id=crossing.alert_id, customer_id=crossing.customer_id)
            await tx.responses.store(command, taken)
        self._courier.wake()
        return taken

    async def take(self, tx: Transaction, alert: Alert, crossing: Crossing) -> None:
        """Accept an observation of a watched value. Wake the courier after the commit."""
        new = unobserved(alert, crossing.customer_id, crossing.group_value)
        await tx.statuses.insert_if_new(new)
        before = await tx.statuses.lock(new)
        after = observe(before, crossing)
        if after != before:
            at = self._clock.now()
            waiting = held_back(after, last_notified=before.last_notified, at=at)
            if waiting is None:
                after = await self._post(tx, alert, before.last_notified, after, at=at)
            await tx.statuses.update(waiting or after)

    async def run_due(self, at: datetime) -> None:
        """Notify what was held back until the end of a quiet period, if it still differs from what was notified."""
        while True:
            async with self._store.transaction() as tx:
                due = await tx.statuses.quiet_no_more(at=at, rows_max=DUE_PER_READ_MAX)
            for one in due:
                await self._end_quiet_period(one, at=at)
            if due:
                self._courier.wake()
            if len(due) < DUE_PER_READ_MAX:
                return

    async def _end_quiet_period(self, like: AlertStatus, *, at: datetime) -> None:
        async with self._store.transaction() as tx:
            status = await tx.statuses.lock(like)
            if held_back(status, last_notified=status.last_notified, at=at) is not None:
                return  # another replica was first
            alert = await tx.alerts.find(status.alert_id)
            if alert is not None and alert.watches(status.customer_id, status.group_value):
                status = await self._post(tx, alert, status.last_notified, status, at=at)
            else:  # paused: the first observation after it tells what differs
                status = replace(status, quiet_until=None)
            await tx.statuses.save_notified(status)

    async def _post(
        self, tx: Transaction, alert: Alert, last_notified: AlertState, after: AlertStatus, *, at: datetime
    ) -> AlertStatus:
        """Notify a change of state, if it is one that is notified; returns the status after it."""
        event_type = event_of(last_notified, after.state)
        if event_type is None:
            return replace(after, notified_state=None)
        occurrence = edge_of(EventId(self._ids.new("evt")), event_type, alert, after)
        await notify(tx, occurrence, at=self._wall.now(), ids=self._ids)
        return notified(after, quiet_period=alert.quiet_period, at=at)
