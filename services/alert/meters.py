# SPDX-License-Identifier: Apache-2.0
"""What Alert shows of its deliveries in /metrics, beside the attempts that webhooks/posting.py counts."""

from prometheus_client import Gauge

from meshkit.clock import Clock
from services.alert.store import PostgresStore

PENDING_DELIVERIES = Gauge(
    "alert_pending_deliveries",
    "Deliveries to endpoints that are enabled which nobody has accepted yet, of all replicas.",
)
DELIVERY_LATE_SECONDS = Gauge(
    "alert_delivery_late_seconds",
    "How long the delivery that is due longest has waited for its next attempt, in seconds; 0: none is due.",
)
FAILING_ENDPOINTS = Gauge(
    "alert_failing_endpoints", "Endpoints that are enabled and whose last attempt failed, of all replicas."
)


async def measure(store: PostgresStore, wall: Clock) -> None:
    """Show what waits now. wall: the clock by which deliveries are due."""
    async with store.transaction() as tx:
        pending, due_time = await tx.deliveries.pending()
        failing = await tx.failures.count()
    late_seconds = 0.0 if due_time is None else (wall.now() - due_time).total_seconds()
    PENDING_DELIVERIES.set(pending)
    DELIVERY_LATE_SECONDS.set(max(0.0, late_seconds))
    FAILING_ENDPOINTS.set(failing)
