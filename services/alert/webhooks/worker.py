# SPDX-License-Identifier: Apache-2.0
"""The worker posts due deliveries as soon as it is woken.

It posts only a few at a time per endpoint, and one at a time to an endpoint that fails, so no endpoint waits for
another, unless 200 hang at once. Mails all go to one server, so only a few are sent at a time. Any number of replicas
may run a worker; the lease of a delivery decides which one posts it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import structlog

from meshkit.errors import error_text
from meshkit.periodic import WokenTask
from services.alert.domain.delivery import POST_SECONDS_MAX, DeliveryId, Due
from services.alert.domain.endpoint import WebhookEndpointId

POLL_SECONDS = 1.0  # for retries, and for deliveries that a dead replica had leased
POSTS_PER_ENDPOINT_MAX = 8
POSTS_MAX = 200
MAILS_MAX = (
    20  # a mail server that hangs must not occupy the places of webhooks, and many accept few connections
)
STOP_SECONDS_MAX = POST_SECONDS_MAX + 2

log = structlog.get_logger(__name__)


class Attempts(Protocol):
    """The work of the worker. Implemented by posting.DeliveryAttempts."""

    async def due(self, *, per_endpoint_max: int) -> Sequence[Due]: ...
    async def attempt(self, delivery_id: DeliveryId) -> bool: ...


class Worker:
    """Makes the attempts that are due. An endpoint that hangs occupies only its own few places."""

    def __init__(self, attempts: Attempts, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._attempts = attempts
        self._task = WokenTask(self._begin_due, poll_seconds=poll_seconds, failed="deliveries_unreadable")
        self._in_hand: defaultdict[WebhookEndpointId, set[DeliveryId]] = defaultdict(set)
        self._tries: set[asyncio.Task[None]] = set()
        self._mails: set[DeliveryId] = set()

    async def start(self) -> None:
        """Start to post in the background."""
        await self._task.start()

    async def stop(self) -> None:
        """Start no more attempts and wait for the running ones (≤ 12 s). The rest is retried after its lease."""
        await self._task.stop()
        if self._tries:
            await asyncio.wait(self._tries, timeout=STOP_SECONDS_MAX)
        for task in self._tries:
            task.cancel()

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._task.wake()

    async def _begin_due(self) -> None:
        if len(self._tries) >= POSTS_MAX:
            return  # the end of one wakes the worker again
        for due in await self._attempts.due(per_endpoint_max=POSTS_PER_ENDPOINT_MAX):
            in_hand = self._in_hand[due.webhook_endpoint_id]
            places = 1 if due.is_failing else POSTS_PER_ENDPOINT_MAX
            has_place = len(in_hand) < places and len(self._tries) < POSTS_MAX
            if due.is_mail and len(self._mails) >= MAILS_MAX:
                continue
            if has_place and due.delivery_id not in in_hand:
                in_hand.add(due.delivery_id)
                if due.is_mail:
                    self._mails.add(due.delivery_id)
                task = asyncio.create_task(self._try(due.webhook_endpoint_id, due.delivery_id))
                self._tries.add(task)
                task.add_done_callback(self._tries.discard)

    async def _try(self, endpoint_id: WebhookEndpointId, delivery_id: DeliveryId) -> None:
        try:
            # Its place is free; but what could not be done would be found again at once.
            if await self._attempts.attempt(delivery_id):
                self._task.wake()
        except Exception as error:
            log.warning("delivery_attempt_broken", delivery_id=delivery_id, error=error_text(error))
        finally:
            self._in_hand[endpoint_id].discard(delivery_id)
            self._mails.discard(delivery_id)
            if not self._in_hand[endpoint_id]:
                del self._in_hand[endpoint_id]
