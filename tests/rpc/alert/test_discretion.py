# SPDX-License-Identifier: Apache-2.0
"""What is never logged: secrets, bodies, URLs (their paths are secrets at many receivers)."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import ManualClock
from purser.alert.v1 import alert_pb2 as pb
from services.alert.app import Outside
from tests.support.alert import (
    a_crossing,
    an_alert,
    an_endpoint,
    running_alert,
    until_delivery,
)
from tests.support.postgres import Databases


async def test_logs_hold_neither_secrets_nor_bodies_nor_paths(
    databases: Databases, receiver: WebhookReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)  # from where on libraries are heard: meshkit/log.py
    wall = ManualClock(datetime.now(UTC))
    with capture_logs() as events:
        async with running_alert(databases, wall=wall, outside=Outside(jitter=lambda: 1.0)) as running:
            endpoint = await an_endpoint(running.stub, receiver)
            secret = receiver.secret
            await running.stub.RotateWebhookSecret(
                pb.RotateWebhookSecretRequest(
                    request_id="rotate", webhook_endpoint_id=endpoint.webhook_endpoint_id
                )
            )
            receiver.answer(500)
            low = await an_alert(running.stub)
            await running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
            await until_delivery(running.stub, low.alert_id, lambda one: one.last_status_code == 500)
            wall.advance(timedelta(seconds=1))
            running.app.wake()
            await until_delivery(
                running.stub, low.alert_id, lambda one: one.status == pb.DELIVERY_STATUS_DELIVERED
            )

    said = repr(events) + caplog.text
    assert {"webhook_put_off", "webhook_delivered"} <= {event["event"] for event in events}
    for unspeakable in ("whsec_", secret.removeprefix("whsec_"), "threshold_micros", "/webhooks", low.name):
        assert unspeakable not in said
