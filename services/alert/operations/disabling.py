# SPDX-License-Identifier: Apache-2.0
"""Disables an endpoint, whoever asks for it, and tells the others and the feed."""

from dataclasses import replace
from datetime import datetime

from meshkit.ids import Ids
from services.alert.domain.delivery import ENDPOINT_DISABLED
from services.alert.domain.endpoint import DisableReason, WebhookEndpoint, WebhookEndpointId
from services.alert.domain.event import VENDOR, EventId, endpoint_disabled
from services.alert.operations.notifying import notify
from services.alert.store import Transaction


async def lock_endpoint(tx: Transaction, webhook_endpoint_id: WebhookEndpointId) -> WebhookEndpoint:
    """Lock an endpoint that is to be disabled or enabled. Raises WebhookEndpointNotFound.

    Those who do that take turns: each also locks the feed, and one that disables also holds the other endpoints.
    """
    await tx.events.hold_sequence(VENDOR)
    return await tx.endpoints.lock(webhook_endpoint_id)


async def last_position(tx: Transaction) -> int:
    """Return the position of the newest event of an endpoint that is locked. What it misses comes later.

    Writers of events hold the endpoints that want them, so each has committed, or will find what the caller commits.
    """
    while await tx.feed.place(rows_max=10_000):
        pass
    return (await tx.feed.state()).last_position


async def disable(
    tx: Transaction, endpoint: WebhookEndpoint, *, reason: DisableReason, at: datetime, ids: Ids
) -> WebhookEndpoint:
    """Disable an endpoint that lock_endpoint has locked, and fail its pending deliveries; a disabled one is unchanged.

    Wake the courier after the commit.
    """
    if endpoint.disable_time is not None:
        return endpoint
    disabled = replace(endpoint, disable_time=max(endpoint.create_time, at), disable_reason=reason)
    unfinished = await tx.replays.first_missed(endpoint.webhook_endpoint_id)
    newest = await last_position(tx)
    await tx.endpoints.disable(disabled, missed_after=newest if unfinished is None else unfinished)
    await tx.deliveries.fail_pending(endpoint.webhook_endpoint_id, error=ENDPOINT_DISABLED)
    failures = await tx.failures.lock(endpoint.webhook_endpoint_id)
    occurrence = endpoint_disabled(
        EventId(ids.new("evt")),
        endpoint.webhook_endpoint_id,
        reason=reason.value,
        failing_since=None if failures is None else failures.since_time,
        at=at,
    )
    await notify(tx, occurrence, at=at, ids=ids)
    return disabled
