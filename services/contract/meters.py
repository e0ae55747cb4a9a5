# SPDX-License-Identifier: Apache-2.0
"""What Contract shows of its payments in /metrics, beside the webhooks that payments/webhooks.py counts."""

from prometheus_client import Gauge

from meshkit.clock import Clock
from services.contract.domain.payments import FINAL, PaymentState
from services.contract.store import PostgresStore

OPEN_PAYMENTS = Gauge(
    "contract_open_payments",
    "Payments that the provider is still asked about, by kind (top_up, invoice) and state, of all replicas.",
    ["kind", "state"],
)
PAYMENT_LATE_SECONDS = Gauge(
    "contract_payment_late_seconds",
    "How long the payment that is due longest has waited to be asked about, by kind, in seconds; 0: none is due.",
    ["kind"],
)
_OPEN_STATES = sorted(state.value for state in PaymentState if state not in FINAL)


async def measure(store: PostgresStore, wall: Clock) -> None:
    """Show what is open now. wall: the clock by which payments are due."""
    now = wall.now()
    for one in await store.open_payments():
        for state in _OPEN_STATES:
            OPEN_PAYMENTS.labels(one.kind, state).set(one.by_state.get(state, 0))
        late_seconds = 0.0 if one.due_time is None else (now - one.due_time).total_seconds()
        PAYMENT_LATE_SECONDS.labels(one.kind).set(max(0.0, late_seconds))
