# SPDX-License-Identifier: Apache-2.0
"""ObserveCrossing, from the Ledger's call to the signed webhook."""

from deploy.local.webhook_receiver import WebhookReceiver
from tests.support.alert import ACME, AlertStub, a_crossing, an_alert, an_endpoint


async def test_a_crossing_reaches_the_webhook_signed(alert: AlertStub, receiver: WebhookReceiver) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)

    await alert.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

    event = await receiver.next_event()
    assert event.verified
    assert event.event_type == "alert.in_alarm"
    assert event.data == {
        "alert_id": low.alert_id,
        "alert_name": "Nearly out of credits",
        "alert_type": "LOW_BALANCE",
        "customer_id": ACME,
        "credit_type_id": "crt_ai",
        "group_key": "",
        "group_value": "",
        "state": "IN_ALARM",
        "threshold_micros": 10_000_000,
        "value_micros": 7_500_000,
        "observe_time": "2025-06-01T00:00:00Z",
    }
