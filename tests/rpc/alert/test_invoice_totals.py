# SPDX-License-Identifier: Apache-2.0
"""Alerts of the type INVOICE_TOTAL, on a real Alert that gets the events of Contract."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import alert_peer_pb2 as peer_pb
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from tests.support.alert import ACME, JUNE, AlertStub, RunningAlert, an_endpoint, running_alert
from tests.support.faults import bad_fields
from tests.support.ledger_peer import RecordingLedger
from tests.support.ledger_sql import Sql
from tests.support.payloads import example_of, problems_with
from tests.support.postgres import Databases

SECONDS_MAX = 60
MICROS = 1_000_000
FINALIZED, PAID, VOIDED = "invoice.finalized", "invoice.paid", "invoice.voided"
STATUS = {FINALIZED: "OPEN", PAID: "PAID", VOIDED: "VOID"}


class Invoices:
    """Publishes what Contract publishes. Each event happens a minute after the one before."""

    def __init__(self, running: RunningAlert) -> None:
        self._running = running
        self.time = JUNE
        self._number = 0

    async def publish(
        self,
        event_type: str,
        invoice_id: str,
        total: int = 1_000,
        *,
        currency: str = "USD",
        customer_id: str = ACME,
        status: str = "",
    ) -> None:
        self._number += 1
        self.time += timedelta(minutes=1)
        data = example_of(event_type)["data"] | {
            "invoice_id": invoice_id,
            "customer_id": customer_id,
            "status": status or STATUS[event_type],
            "total": {"currency_code": currency, "micros": total * MICROS},
        }
        await self._running.peer.PublishEvent(
            peer_pb.PublishEventRequest(
                request_id=f"ntc_{self._number}",
                event_type=event_type,
                customer_id=customer_id,
                event_time=timestamp(self.time),
                data_json=json.dumps(data),
            )
        )


@pytest.fixture
def invoices(running: RunningAlert) -> Invoices:
    return Invoices(running)


def a_request(**changed: object) -> pb.CreateAlertRequest:
    fields: dict[str, object] = {
        "request_id": "alert",
        "name": "A large invoice",
        "alert_type": pb.ALERT_TYPE_INVOICE_TOTAL,
        "customer_id": ACME,
        "threshold_micros": 1_000 * MICROS,
        "currency_code": "USD",
    }
    return pb.CreateAlertRequest(**(fields | changed))  # type: ignore[arg-type]


async def created(alert: AlertStub, **changed: object) -> pb.Alert:
    return (await alert.CreateAlert(a_request(**changed))).alert


async def states(running: RunningAlert, watched: pb.Alert) -> dict[str, "pb.AlertState.ValueType"]:
    """Return the state of each invoice, once everything is observed."""
    await running.app.run_due(running.clock.now())
    rows = await running.stub.GetAlertState(pb.GetAlertStateRequest(alert_id=watched.alert_id))
    return {one.group_value: one.state for one in rows.statuses}


async def test_an_invoice_that_reaches_the_threshold_is_in_alarm_until_it_is_paid(
    running: RunningAlert, invoices: Invoices, receiver: WebhookReceiver
) -> None:
    await an_endpoint(running.stub, receiver)
    watched = await created(running.stub)

    await invoices.publish(FINALIZED, "inv_small", 999)
    await invoices.publish(FINALIZED, "inv_large", 1_000)
    async with asyncio.timeout(SECONDS_MAX):
        alarm = await receiver.next_event()
    begun = invoices.time
    await invoices.publish(PAID, "inv_small", 999)
    await invoices.publish(PAID, "inv_large", 1_000)
    async with asyncio.timeout(SECONDS_MAX):
        resolved = await receiver.next_event()

    assert (alarm.event_type, resolved.event_type) == ("alert.in_alarm", "alert.resolved")
    for event, state, time in ((alarm, "IN_ALARM", begun), (resolved, "OK", invoices.time)):
        assert problems_with(event.body) == []
        data = json.loads(event.body)["data"]
        assert (data["state"], datetime.fromisoformat(data["observe_time"])) == (state, time)
        assert (data["alert_type"], data["alert_name"]) == ("INVOICE_TOTAL", "A large invoice")
        assert (data["group_key"], data["group_value"]) == ("invoice_id", "inv_large")
        assert (data["threshold_micros"], data["value_micros"]) == (1_000 * MICROS, 1_000 * MICROS)
        assert (data["credit_type_id"], data["currency_code"]) == ("", "USD")
    assert await states(running, watched) == {"inv_large": pb.ALERT_STATE_OK}


async def test_each_invoice_has_a_state_of_its_own_and_a_void_one_is_resolved(
    running: RunningAlert, invoices: Invoices
) -> None:
    watched = await created(running.stub)
    in_alarm, ok = pb.ALERT_STATE_IN_ALARM, pb.ALERT_STATE_OK
    await invoices.publish(FINALIZED, "inv_1", 5_000)
    await invoices.publish(FINALIZED, "inv_2", 2_000)
    assert await states(running, watched) == {"inv_1": in_alarm, "inv_2": in_alarm}

    await invoices.publish(VOIDED, "inv_1", 5_000)

    assert await states(running, watched) == {"inv_1": ok, "inv_2": in_alarm}


async def test_other_currencies_customers_and_invoices_that_are_paid_at_once_are_no_alarm(
    running: RunningAlert, invoices: Invoices
) -> None:
    watched = await created(running.stub)
    await invoices.publish(FINALIZED, "inv_1", 5_000, currency="EUR")
    await invoices.publish(FINALIZED, "inv_2", 5_000, customer_id="cus_other")
    await invoices.publish(FINALIZED, "inv_3", 5_000, status="PAID")

    assert await states(running, watched) == {}


async def test_an_alert_on_every_customer_has_a_state_per_customer_and_invoice(
    running: RunningAlert, invoices: Invoices
) -> None:
    watched = await created(running.stub, customer_id="")
    for number in range(3):
        await invoices.publish(FINALIZED, f"inv_{number}", customer_id=f"cus_{number}")

    assert await states(running, watched) == {f"inv_{n}": pb.ALERT_STATE_IN_ALARM for n in range(3)}


async def test_invoices_that_are_open_when_the_alert_is_created_count_and_those_that_were_do_not(
    running: RunningAlert, invoices: Invoices
) -> None:
    await invoices.publish(FINALIZED, "inv_paid")
    await invoices.publish(FINALIZED, "inv_open")
    await invoices.publish(FINALIZED, "inv_void")
    await invoices.publish(PAID, "inv_paid")
    await invoices.publish(VOIDED, "inv_void")

    watched = await created(running.stub)

    assert await states(running, watched) == {"inv_open": pb.ALERT_STATE_IN_ALARM}
    events = (await running.stub.ListDeliveries(pb.ListDeliveriesRequest())).deliveries
    assert list(events) == []


async def test_more_invoices_than_one_look_reads_are_all_observed(
    running: RunningAlert, invoices: Invoices, databases: Databases
) -> None:
    async with Sql.connected(databases.admin_url) as sql:
        await invoices.publish(FINALIZED, "inv_0")
        await sql.execute(
            """
            INSERT INTO alert.events (event_id, event_type, customer_id, customer_sequence, is_internal, create_time,
                payload, group_value, edge_sequence)
            SELECT 'evt_' || n, event_type, customer_id, customer_sequence + n, is_internal, create_time,
                replace(payload, 'inv_0', 'inv_' || n), group_value, edge_sequence
            FROM alert.events, generate_series(1, 449) n
            """
        )
        await sql.execute("UPDATE alert.customer_sequences SET last_sequence = 450")

    watched = await created(running.stub)

    await running.app.run_due(JUNE)
    async with Sql.connected(databases.admin_url) as sql:
        question = "SELECT count(*) FROM alert.alert_statuses WHERE alert_id = $1 AND state = 'IN_ALARM'"
        assert await sql.value(question, watched.alert_id) == 450


async def test_a_changed_threshold_is_compared_with_the_invoices_that_are_open(
    running: RunningAlert, invoices: Invoices
) -> None:
    watched = await created(running.stub)
    await invoices.publish(FINALIZED, "inv_1", 5_000)
    await invoices.publish(FINALIZED, "inv_2", 500)
    assert await states(running, watched) == {"inv_1": pb.ALERT_STATE_IN_ALARM}

    async def change(threshold: int) -> None:
        await running.stub.UpdateAlert(
            pb.UpdateAlertRequest(
                request_id=f"to-{threshold}", alert_id=watched.alert_id, threshold_micros=threshold * MICROS
            )
        )

    await change(5_001)
    assert await states(running, watched) == {"inv_1": pb.ALERT_STATE_OK}
    await change(500)
    assert await states(running, watched) == {
        "inv_1": pb.ALERT_STATE_IN_ALARM,
        "inv_2": pb.ALERT_STATE_IN_ALARM,
    }


async def test_a_paused_alert_observes_what_it_missed_when_it_is_resumed(
    running: RunningAlert, invoices: Invoices
) -> None:
    alert, watched = running.stub, await created(running.stub)
    await invoices.publish(FINALIZED, "inv_1")
    assert await states(running, watched) == {"inv_1": pb.ALERT_STATE_IN_ALARM}
    await alert.PauseAlert(pb.PauseAlertRequest(request_id="pause", alert_id=watched.alert_id))
    await invoices.publish(PAID, "inv_1")
    await invoices.publish(FINALIZED, "inv_2")
    assert await states(running, watched) == {"inv_1": pb.ALERT_STATE_IN_ALARM}

    await alert.ResumeAlert(pb.ResumeAlertRequest(request_id="resume", alert_id=watched.alert_id))

    assert await states(running, watched) == {
        "inv_1": pb.ALERT_STATE_OK,
        "inv_2": pb.ALERT_STATE_IN_ALARM,
    }


async def test_an_archived_alert_observes_nothing(running: RunningAlert, invoices: Invoices) -> None:
    watched = await created(running.stub)
    await running.stub.ArchiveAlert(pb.ArchiveAlertRequest(request_id="end", alert_id=watched.alert_id))
    await invoices.publish(FINALIZED, "inv_1")

    assert await states(running, watched) == {}


async def test_a_state_that_is_repaired_is_observed_anew(running: RunningAlert, invoices: Invoices) -> None:
    watched = await created(running.stub)
    await invoices.publish(FINALIZED, "inv_1")
    assert await states(running, watched) == {"inv_1": pb.ALERT_STATE_IN_ALARM}

    repair = pb.RepairAlertStateRequest(
        request_id="repair",
        alert_id=watched.alert_id,
        customer_id=ACME,
        group_value="inv_1",
        reason="a test",
        actor="ops",
    )
    assert (await running.stub.RepairAlertState(repair)).status.state == pb.ALERT_STATE_EVALUATING
    assert await states(running, watched) == {"inv_1": pb.ALERT_STATE_IN_ALARM}


async def test_within_a_quiet_period_only_the_last_state_is_notified(
    running: RunningAlert, invoices: Invoices, receiver: WebhookReceiver
) -> None:
    await an_endpoint(running.stub, receiver)
    request = a_request()
    request.quiet_period.FromTimedelta(timedelta(hours=1))
    watched = (await running.stub.CreateAlert(request)).alert
    await invoices.publish(FINALIZED, "inv_1")
    await states(running, watched)
    await invoices.publish(PAID, "inv_1")
    assert await states(running, watched) == {"inv_1": pb.ALERT_STATE_OK}
    assert len((await running.stub.ListDeliveries(pb.ListDeliveriesRequest())).deliveries) == 1

    running.clock.advance(timedelta(hours=1))
    await running.app.run_due(running.clock.now())

    deliveries = (await running.stub.ListDeliveries(pb.ListDeliveriesRequest())).deliveries
    assert [one.event_type for one in deliveries] == ["alert.resolved", "alert.in_alarm"]


async def test_two_replicas_notify_each_invoice_once(
    running: RunningAlert, invoices: Invoices, databases: Databases, receiver: WebhookReceiver
) -> None:
    await an_endpoint(running.stub, receiver)
    await created(running.stub)
    async with running_alert(databases) as other:
        for number in range(20):
            await invoices.publish(FINALIZED, f"inv_{number}")
            await asyncio.gather(other.app.run_due(JUNE), running.app.run_due(JUNE))
        for number in range(20):
            await invoices.publish(PAID, f"inv_{number}")
        await asyncio.gather(other.app.run_due(JUNE), running.app.run_due(JUNE))

        deliveries = await running.stub.ListDeliveries(pb.ListDeliveriesRequest(page_size=100))
    types = [one.event_type for one in deliveries.deliveries]
    assert (types.count("alert.in_alarm"), types.count("alert.resolved")) == (20, 20)


async def test_the_ledger_is_not_told(running: RunningAlert, ledger: RecordingLedger) -> None:
    watched = await created(running.stub)
    for name in ("pause", "resume"):
        request = {"request_id": name, "alert_id": watched.alert_id}
        if name == "pause":
            await running.stub.PauseAlert(pb.PauseAlertRequest(**request))
        else:
            await running.stub.ResumeAlert(pb.ResumeAlertRequest(**request))
    await running.stub.ResendAlert(pb.ResendAlertRequest(request_id="again", alert_id=watched.alert_id))
    await running.app.run_due(JUNE)

    assert ledger.told_of(ledger_pb.WatchThresholdRequest) == []


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"currency_code": ""}, ["currency_code"]),
        ({"currency_code": "usd"}, ["currency_code"]),
        ({"credit_type_id": "crt_ai"}, ["credit_type_id"]),
        ({"threshold_micros": 0}, ["threshold_micros"]),
        ({"group_key": "invoice_id"}, ["group_key"]),
        ({"group_value": "inv_1"}, ["group_value"]),
        ({"rearm_micros": 1}, ["rearm_micros"]),
        (
            {"alert_type": pb.ALERT_TYPE_LOW_BALANCE, "credit_type_id": "crt_ai"},
            ["currency_code"],
        ),
        ({"alert_type": pb.ALERT_TYPE_LOW_BALANCE}, ["credit_type_id", "currency_code"]),
    ],
)
async def test_what_an_alert_on_invoices_lacks_or_has_too_much_is_named(
    running: RunningAlert, changed: dict[str, object], fields: list[str]
) -> None:
    with bad_fields(*fields):
        await created(running.stub, **changed)


async def test_an_event_without_a_total_is_ignored(running: RunningAlert, invoices: Invoices) -> None:
    watched = await created(running.stub)
    await running.peer.PublishEvent(
        peer_pb.PublishEventRequest(
            request_id="ntc_poor",
            event_type=PAID,
            customer_id=ACME,
            event_time=timestamp(JUNE),
            data_json='{"invoice_id":"inv_poor"}',
        )
    )
    await invoices.publish(FINALIZED, "inv_1")

    assert await states(running, watched) == {"inv_1": pb.ALERT_STATE_IN_ALARM}
