# SPDX-License-Identifier: Apache-2.0
"""Quiet periods: at most one notification in each, and at its end what differs from the last one."""

from datetime import timedelta

import pytest

from deploy.local.webhook_receiver import WebhookReceiver
from purser.alert.v1 import alert_pb2 as pb
from tests.support.alert import (
    ACME,
    JUNE,
    AlertStub,
    RunningAlert,
    a_crossing,
    an_endpoint,
    deliveries_of,
)

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
async def quiet(alert: AlertStub, receiver: WebhookReceiver) -> pb.Alert:
    """An alert with a quiet period of an hour, and an endpoint."""
    await an_endpoint(alert, receiver)
    request = pb.CreateAlertRequest(
        request_id="quiet",
        name="Nearly out of credits",
        alert_type=pb.ALERT_TYPE_LOW_BALANCE,
        customer_id=ACME,
        credit_type_id="crt_ai",
        threshold_micros=10_000_000,
    )
    request.quiet_period.FromTimedelta(HOUR)
    return (await alert.CreateAlert(request)).alert


class Told:
    """Sends observations of one alert at business instants, and lists what was notified."""

    def __init__(self, running: RunningAlert, quiet: pb.Alert) -> None:
        self._running = running
        self._alert = quiet
        self._sequence = 0

    async def observe(self, in_alarm: bool, *, after: timedelta) -> None:
        """Observe it once this much of the time since 1 June has passed."""
        self._running.clock.advance_to(JUNE + after)
        self._sequence += 1
        crossing = a_crossing(self._alert, self._sequence, in_alarm=in_alarm, at=JUNE + after)
        await self._running.peer.ObserveCrossing(crossing)

    async def wait(self, *, until: timedelta) -> None:
        self._running.clock.advance_to(JUNE + until)
        await self._running.app.run_due(JUNE + until)

    async def notified(self) -> list[str]:
        listed = await deliveries_of(self._running.stub, self._alert.alert_id)
        return [one.event_type for one in reversed(listed)]


@pytest.fixture
def told(running: RunningAlert, quiet: pb.Alert) -> Told:
    return Told(running, quiet)


async def test_a_change_within_the_quiet_period_is_notified_at_its_end(told: Told) -> None:
    await told.observe(True, after=0 * HOUR)
    await told.observe(False, after=HOUR / 2)

    await told.wait(until=HOUR - TICK)
    assert await told.notified() == ["alert.in_alarm"]
    await told.wait(until=HOUR)
    assert await told.notified() == ["alert.in_alarm", "alert.resolved"]
    await told.wait(until=3 * HOUR)
    assert await told.notified() == ["alert.in_alarm", "alert.resolved"]


async def test_a_state_that_is_back_at_the_end_is_not_notified(told: Told) -> None:
    await told.observe(True, after=0 * HOUR)
    for number, in_alarm in enumerate((False, True, False, True), start=1):
        await told.observe(in_alarm, after=number * HOUR / 5)

    await told.wait(until=2 * HOUR)

    assert await told.notified() == ["alert.in_alarm"]


async def test_a_change_at_the_end_of_the_quiet_period_is_notified_at_once(told: Told) -> None:
    await told.observe(True, after=0 * HOUR)
    await told.observe(False, after=HOUR)
    assert await told.notified() == ["alert.in_alarm", "alert.resolved"]


async def test_what_is_notified_at_the_end_begins_another_quiet_period(told: Told) -> None:
    await told.observe(True, after=0 * HOUR)
    await told.observe(False, after=HOUR / 2)
    await told.wait(until=HOUR)
    await told.observe(True, after=2 * HOUR - TICK)

    assert await told.notified() == ["alert.in_alarm", "alert.resolved"]
    await told.wait(until=2 * HOUR)
    assert await told.notified() == ["alert.in_alarm", "alert.resolved", "alert.in_alarm"]


async def test_what_was_held_back_shows_the_value_and_time_of_its_observation(
    told: Told, receiver: WebhookReceiver
) -> None:
    await told.observe(True, after=0 * HOUR)
    await receiver.next_event()
    await told.observe(False, after=HOUR / 2)

    await told.wait(until=HOUR)

    event = await receiver.next_event()
    assert (event.event_type, event.data["state"]) == ("alert.resolved", "OK")
    assert event.data["observe_time"] == "2025-06-01T00:30:00Z"


async def test_the_state_itself_never_waits(told: Told, alert: AlertStub, quiet: pb.Alert) -> None:
    await told.observe(True, after=0 * HOUR)
    await told.observe(False, after=HOUR / 2)

    states = (await alert.GetAlertState(pb.GetAlertStateRequest(alert_id=quiet.alert_id))).statuses

    assert [one.state for one in states] == [pb.ALERT_STATE_OK]


@pytest.mark.parametrize("request_of", [pb.ArchiveAlertRequest, pb.PauseAlertRequest])
async def test_an_alert_that_ended_or_is_paused_notifies_nothing_that_was_held_back(
    told: Told, alert: AlertStub, quiet: pb.Alert, request_of: type[pb.ArchiveAlertRequest]
) -> None:
    await told.observe(True, after=0 * HOUR)
    await told.observe(False, after=HOUR / 2)
    rpc = getattr(alert, request_of.__name__.removesuffix("Request"))
    await rpc(request_of(request_id="end", alert_id=quiet.alert_id))

    await told.wait(until=2 * HOUR)

    assert await told.notified() == ["alert.in_alarm"]


async def test_what_was_held_back_before_a_pause_is_notified_after_it(
    told: Told, alert: AlertStub, quiet: pb.Alert
) -> None:
    await told.observe(True, after=0 * HOUR)
    await told.observe(False, after=HOUR / 2)
    await alert.PauseAlert(pb.PauseAlertRequest(request_id="p", alert_id=quiet.alert_id))
    await told.wait(until=2 * HOUR)
    await alert.ResumeAlert(pb.ResumeAlertRequest(request_id="s", alert_id=quiet.alert_id))
    assert await told.notified() == ["alert.in_alarm"]

    await told.observe(False, after=2 * HOUR)

    assert await told.notified() == ["alert.in_alarm", "alert.resolved"]
