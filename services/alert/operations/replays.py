# SPDX-License-Identifier: Apache-2.0
"""ReplayDeliveries: many deliveries become pending again. webhooks/replayer.py does the work."""

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.alert.domain.commands import ReplayDeliveries
from services.alert.domain.errors import WebhookEndpointDisabled
from services.alert.domain.replay import ReplayId, ReplaysStarted, replay_of_deliveries
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore


class Replays:
    """Starts replays. replayer: carries them out."""

    def __init__(self, *, store: PostgresStore, replayer: Courier, wall: Clock, ids: Ids) -> None:
        self._store = store
        self._replayer = replayer
        self._wall = wall
        self._ids = ids

    async def start(self, command: ReplayDeliveries) -> ReplaysStarted:
        """Start to make finished deliveries pending again. Raises WebhookEndpointNotFound, WebhookEndpointDisabled."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, ReplaysStarted)) is not None:
                return first
            at = self._wall.now()
            asked = command.webhook_endpoint_id
            if asked and (await tx.endpoints.get(asked)).disable_time is not None:
                raise WebhookEndpointDisabled(webhook_endpoint_id=asked)
            chosen = [asked] if asked else await tx.endpoints.enabled()
            for webhook_endpoint_id in chosen:
                replay = replay_of_deliveries(
                    ReplayId(self._ids.new("rpl")),
                    webhook_endpoint_id,
                    event_types=command.event_types,
                    failed_only=command.failed_only,
                    start_time=command.start_time,
                    end_time=command.end_time,
                    at=at,
                )
                await tx.replays.insert(replay)
            started = ReplaysStarted(webhook_endpoint_ids=tuple(chosen))
            await tx.responses.store(command, started)
        self._replayer.wake()
        return started
