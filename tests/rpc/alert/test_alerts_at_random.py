# SPDX-License-Identifier: Apache-2.0
"""One alert with a quiet period against a model of a few lines: observations, waits, pauses and updates at random."""

import random
from datetime import datetime, timedelta

import pytest

from deploy.local.webhook_receiver import WebhookReceiver
from purser.alert.v1 import alert_pb2 as pb
from tests.support.alert import ACME, JUNE, AlertStub, RunningAlert, a_crossing, an_endpoint, deliveries_of

MINUTE = timedelta(minutes=1)
QUIET = timedelta(hours=1)


class Model:
    """What is notified: at most once in a quiet period, and at its end what differs from the last notification."""

    def __init__(self) -> None:
        self.notified: list[str] = []
        self.in_alarm = self.told = False  # what was observed, and notified, last
        self.quiet_until: datetime | None = None
        self.is_paused = False

    def observe(self, in_alarm: bool, at: datetime) -> None:
        if not self.is_paused:
            self.in_alarm = in_alarm
            self._notify(at)

    def wait(self, at: datetime) -> None:
        if self.quiet_until is not None and at >= self.quiet_until and self.in_alarm != self.told:
            if self.is_paused:
                self.quiet_until = None
            else:
                self._notify(at)

    def _notify(self, at: datetime) -> None:
        if self.in_alarm != self.told and (self.quiet_until is None or at >= self.quiet_until):
            self.notified.append("alert.in_alarm" if self.in_alarm else "alert.resolved")
            self.told, self.quiet_until = self.in_alarm, at + QUIET


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_notified_is_what_the_model_says(
    running: RunningAlert, alert: AlertStub, receiver: WebhookReceiver, seed: int
) -> None:
    draw, model, at = random.Random(seed), Model(), JUNE
    await an_endpoint(alert, receiver)
    request = pb.CreateAlertRequest(
        request_id="made",
        name="Nearly out of credits",
        alert_type=pb.ALERT_TYPE_LOW_PERCENTAGE,
        customer_id=ACME,
        credit_type_id="crt_ai",
        threshold_micros=20_000_000,
    )
    request.quiet_period.FromTimedelta(QUIET)
    made = (await alert.CreateAlert(request)).alert
    for number in range(1, 41):
        at += draw.choice((MINUTE, 20 * MINUTE, 40 * MINUTE, QUIET))
        running.clock.advance_to(at)
        step = draw.choice((*["observe"] * 6, *["wait"] * 3, "pause", *["resume"] * 3, "update"))
        request_id = f"step-{number}"
        if step == "observe":
            in_alarm = draw.random() < 0.5
            await running.peer.ObserveCrossing(a_crossing(made, number, in_alarm=in_alarm, at=at))
            model.observe(in_alarm, at)
        elif step == "wait":
            await running.app.run_due(at)
            model.wait(at)
        elif step == "update":
            level = draw.randint(1, 99) * 1_000_000
            await alert.UpdateAlert(
                pb.UpdateAlertRequest(request_id=request_id, alert_id=made.alert_id, threshold_micros=level)
            )
        elif step == "pause":
            await alert.PauseAlert(pb.PauseAlertRequest(request_id=request_id, alert_id=made.alert_id))
            model.is_paused = True
        else:
            await alert.ResumeAlert(pb.ResumeAlertRequest(request_id=request_id, alert_id=made.alert_id))
            model.is_paused = False

    listed = await deliveries_of(alert, made.alert_id)
    assert [one.event_type for one in reversed(listed)] == model.notified
    assert len(model.notified) > 2
