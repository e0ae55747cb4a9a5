# SPDX-License-Identifier: Apache-2.0
"""One attempt of a delivery: lease it, post it, record the result. Three steps, two short transactions."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

import structlog
from prometheus_client import Counter

from meshkit.clock import Clock
from services.alert.domain.delivery import (
    ENDPOINT_DISABLED,
    LEASE,
    SECRET_UNREADABLE,
    Acceptance,
    Answer,
    Attempt,
    DeliveryId,
    FinalFailure,
    GoneEndpoint,
    Retry,
    Verdict,
    error_of,
    judge,
)
from services.alert.domain.endpoint import WebhookEndpointId, signing_secrets
from services.alert.domain.errors import WebhookSecretUnreadable
from services.alert.store import PostgresStore, Transaction
from services.alert.webhooks.poster import Poster, Posting

# Of the pool's eight connections: the others are left to callers, however many webhooks are due.
TRANSACTIONS_MAX = 4

WEBHOOK_TRIES = Counter("alert_webhook_tries", "Tries to post a webhook, by what became of it.", ["result"])

log = structlog.get_logger(__name__)


class DeliveryAttempts:
    """At least once: after a crash between posting and recording, it is posted again with the same webhook-id.

    jitter: 0 to 1, a new value for each failed attempt.
    """

    def __init__(
        self, *, store: PostgresStore, poster: Poster, wall: Clock, jitter: Callable[[], float]
    ) -> None:
        self._store = store
        self._poster = poster
        self._wall = wall
        self._jitter = jitter
        self._places = asyncio.Semaphore(TRANSACTIONS_MAX)

    async def due(self, *, per_endpoint_max: int) -> Sequence[tuple[WebhookEndpointId, DeliveryId]]:
        """Return due deliveries, at most `per_endpoint_max` of each endpoint."""
        async with self._store.transaction() as tx:
            return await tx.deliveries.due(at=self._wall.now(), per_endpoint_max=per_endpoint_max)

    async def attempt(self, delivery_id: DeliveryId) -> None:
        """Make one attempt, unless the delivery is leased or finished, or its secret cannot be decrypted."""
        posting = await self._take(delivery_id)
        if posting is not None:
            answer = await self._post(posting)
            await self._record(posting.attempt, answer)

    async def _take(self, delivery_id: DeliveryId) -> Posting | None:
        async with self._places, self._store.transaction() as tx:
            at = self._wall.now()
            attempt = await tx.deliveries.lease(delivery_id, at=at, until=at + LEASE)
            if attempt is None:
                return None
            endpoint = await tx.endpoints.get(attempt.webhook_endpoint_id)
            try:
                secrets = await tx.endpoints.secrets(attempt.webhook_endpoint_id, at=at)
            except WebhookSecretUnreadable as unreadable:
                # It waits, without an attempt that would count, until the operator has put the key back.
                await tx.deliveries.give_back(attempt, error=SECRET_UNREADABLE)
                log.error("webhook_secret_unreadable", delivery_id=delivery_id, **unreadable.metadata)
                return None
        return Posting(attempt=attempt, url=endpoint.url, secrets=signing_secrets(secrets, at=at), at=at)

    async def _post(self, posting: Posting) -> Answer:
        try:
            return await self._poster.post(posting)
        except Exception as error:  # our bug; without a result it would be retried forever
            # No traceback: its frames contain secrets.
            name = type(error).__name__
            log.error("webhook_posting_broken", delivery_id=posting.attempt.delivery_id, error=name)
            return Answer(error=f"broken: {name}")

    async def _record(self, attempt: Attempt, answer: Answer) -> None:
        at = self._wall.now()
        verdict = judge(attempt, answer, at=at, jitter=self._jitter())
        async with self._places, self._store.transaction() as tx:
            match verdict:
                case Acceptance():
                    await tx.deliveries.accepted(attempt, answer, at=at)
                case Retry(due_time=due):
                    await tx.deliveries.put_off(attempt, answer, due=due)
                case FinalFailure():
                    await tx.deliveries.give_up(attempt, answer)
                case GoneEndpoint():
                    await self._disable(tx, attempt, answer, at=at)
                case _:
                    assert_never(verdict)
        _log(attempt, answer, verdict)

    async def _disable(self, tx: Transaction, attempt: Attempt, answer: Answer, *, at: datetime) -> None:
        endpoint = await tx.endpoints.lock(attempt.webhook_endpoint_id)
        await tx.deliveries.give_up(attempt, answer)
        if endpoint.disable_time is None:
            await tx.endpoints.disable(replace(endpoint, disable_time=max(endpoint.create_time, at)))
            await tx.deliveries.fail_pending(endpoint.webhook_endpoint_id, error=ENDPOINT_DISABLED)


def _log(attempt: Attempt, answer: Answer, verdict: Verdict) -> None:
    known = {
        "delivery_id": attempt.delivery_id,
        "webhook_endpoint_id": attempt.webhook_endpoint_id,
        "attempts": attempt.attempts,
    }
    match verdict:
        case Acceptance():
            WEBHOOK_TRIES.labels("accepted").inc()
            log.info("webhook_delivered", status_code=answer.status_code, **known)
        case Retry(due_time=due):
            WEBHOOK_TRIES.labels("put_off").inc()
            log.warning("webhook_put_off", error=error_of(answer), due_time=due.isoformat(), **known)
        case FinalFailure():
            WEBHOOK_TRIES.labels("given_up").inc()
            log.warning("webhook_given_up", error=error_of(answer), **known)
        case GoneEndpoint():
            WEBHOOK_TRIES.labels("endpoint_gone").inc()
            log.warning("webhook_endpoint_gone", **known)
        case _:
            assert_never(verdict)
