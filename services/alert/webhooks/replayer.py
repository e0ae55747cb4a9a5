# SPDX-License-Identifier: Apache-2.0
"""Carries out replays, a few deliveries or missed events in a transaction, each replay in its turn.

Any number of replicas may run it: one works on a replay at a time. After a crash the replay goes on where it was.
"""

from dataclasses import replace
from typing import Final

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.periodic import WokenTask
from services.alert.domain.delivery import ENDPOINT_DISABLED, DeliveryId, NewDelivery
from services.alert.domain.endpoint import WebhookEndpoint
from services.alert.domain.replay import Replay
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore, Transaction

POLL_SECONDS: Final = 1.0
FAIL_SECONDS: Final = 60.0  # how often fail_left runs; it seldom finds anything
DELIVERIES_MAX: Final = 500
EVENTS_MAX: Final = 200


class Replayer:
    """Works on open replays when it is woken, and every second. courier: posts what has become due."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        courier: Courier,
        wall: Clock,
        ids: Ids,
        deliveries_max: int = DELIVERIES_MAX,
        events_max: int = EVENTS_MAX,
    ) -> None:
        self._store = store
        self._courier = courier
        self._wall = wall
        self._ids = ids
        self._deliveries_max = deliveries_max
        self._events_max = events_max
        self._task = WokenTask(self._work_all, poll_seconds=POLL_SECONDS, failed="replays_unworkable")

    async def start(self) -> None:
        """Start in the background."""
        await self._task.start()

    async def stop(self) -> None:
        """Stop; a transaction under way is rolled back."""
        await self._task.stop()

    def wake(self) -> None:
        """Look for open replays now. Call it after the commit."""
        self._task.wake()

    async def work(self) -> bool:
        """Do one step of the replay that waits longest. Returns whether there was one."""
        async with self._store.transaction() as tx:
            replay = await tx.replays.lock_next()
            if replay is None:
                return False
            endpoint = await tx.endpoints.hold(replay.webhook_endpoint_id)
            at = self._wall.now()
            after = await self._step(tx, replay, endpoint)
            await tx.replays.save(after, at=at)
        self._courier.wake()
        return True

    async def _step(self, tx: Transaction, replay: Replay, endpoint: WebhookEndpoint) -> Replay:
        at = self._wall.now()
        if endpoint.disable_time is not None:
            return replace(replay, finish_time=at)  # what it misses now is known in its row
        last = await tx.deliveries.replay_some(replay, at=at, rows_max=self._deliveries_max)
        if last is not None:
            return replace(replay, after_delivery_id=last)
        missed = await tx.feed.missed(replay, endpoint, rows_max=self._events_max)
        if not missed:
            return replace(replay, after_position=replay.until_position, finish_time=at)
        await tx.deliveries.insert(
            [
                NewDelivery(
                    delivery_id=DeliveryId(self._ids.new("dlv")),
                    webhook_endpoint_id=endpoint.webhook_endpoint_id,
                    event=one.event,
                    create_time=at,
                )
                for one in missed
            ],
            known=True,
        )
        return replace(replay, after_position=missed[-1].position)

    async def fail_left(self) -> None:
        """Fail what is pending on disabled endpoints, which was too much for the transaction that disabled them."""
        async with self._store.transaction() as tx:
            found = await tx.endpoints.disabled_with_pending()
        for webhook_endpoint_id in found:
            is_full = True
            while is_full:
                async with self._store.transaction() as tx:
                    endpoint = await tx.endpoints.lock(webhook_endpoint_id)
                    is_full = endpoint.disable_time is not None and bool(
                        await tx.deliveries.fail_pending(webhook_endpoint_id, error=ENDPOINT_DISABLED)
                    )

    async def _work_all(self) -> None:
        while await self.work():
            pass
