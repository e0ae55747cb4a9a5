# SPDX-License-Identifier: Apache-2.0
"""Alerts, and their states for one customer."""

import asyncio
from collections.abc import Sequence

from purser.alert.v1 import alert_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.faults import Refused
from services.edge.pages import all_pages, page_of
from services.edge.wire import alerts as wire
from services.edge.wire.fields import id_to_json

ACTOR, REASON = "edge", "reset through /v1/customer-alerts/reset"
# One rpc for each: the state of an alert.
PAGE_SIZE = 50


async def create_alert(ask: Ask) -> object:
    body = ask.body(wire.CreateAlert)
    made = await ask.mesh.alert.CreateAlert(wire.alert_from_json(body, ask.request_id(body.uniqueness_key)))
    return id_to_json(made.alert.alert_id)


async def archive_alert(ask: Ask) -> object:
    body = ask.body(wire.ArchiveAlert)
    await ask.mesh.alert.ArchiveAlert(pb.ArchiveAlertRequest(request_id=ask.request_id(), alert_id=body.id))
    return id_to_json(body.id)


async def get_customer_alert(ask: Ask) -> object:
    body = ask.body(wire.CustomerAlert)
    alert = (await ask.mesh.alert.GetAlert(pb.GetAlertRequest(alert_id=body.alert_id))).alert
    if alert.customer_id not in ("", body.customer_id):
        raise Refused(404, f"alert {body.alert_id!r} is not on customer {body.customer_id!r}")
    states = await _states(ask, alert.alert_id, body.customer_id)
    value = wire.value_asked_for(body)
    (shown,) = await _to_json(ask, [(alert, [one for one in states if value in ("", one.group_value)])])
    return {"data": shown}


async def list_customer_alerts(ask: Ask) -> object:
    """List the alerts on the customer and those on every customer."""
    query, body = ask.query_of(wire.ListCustomerAlertsQuery), ask.body(wire.ListCustomerAlerts)
    listed = await ask.mesh.alert.ListAlerts(
        pb.ListAlertsRequest(
            include_archived="ARCHIVED" in body.alert_statuses,
            page_size=PAGE_SIZE,
            page_token=query.next_page,
        )
    )
    alerts = [
        alert
        for alert in listed.alerts
        if alert.customer_id in ("", body.customer_id)
        and wire.status_of(alert).upper() in body.alert_statuses
    ]
    states = await asyncio.gather(*(_states(ask, alert.alert_id, body.customer_id) for alert in alerts))
    shown = await _to_json(ask, list(zip(alerts, states, strict=True)))
    return page_of(shown, listed.next_page_token)


async def _states(ask: Ask, alert_id: str, customer_id: str) -> list[pb.AlertStatus]:
    return [
        state
        async for listed in all_pages(
            lambda token: ask.mesh.alert.GetAlertState(
                pb.GetAlertStateRequest(
                    alert_id=alert_id, customer_id=customer_id, page_size=500, page_token=token
                )
            )
        )
        for state in listed.statuses
    ]


async def _to_json(ask: Ask, alerts: Sequence[tuple[pb.Alert, list[pb.AlertStatus]]]) -> list[object]:
    credit_types = await ask.names.credit_types(
        ask.mesh, (alert.credit_type_id or alert.currency_code for alert, _ in alerts)
    )
    shown = [wire.alert_to_json(alert, states, credit_types) for alert, states in alerts]
    return [one for one in shown if one is not None]


async def reset_customer_alert(ask: Ask) -> object:
    """Evaluate the alert anew for the customer: each group value that was observed."""
    body = ask.body(wire.CustomerAlert)
    states = await _states(ask, body.alert_id, body.customer_id)
    for state in states:
        await ask.mesh.alert.RepairAlertState(
            pb.RepairAlertStateRequest(
                request_id=ask.request_id(part=state.group_value or "-"),
                alert_id=body.alert_id,
                customer_id=state.customer_id,
                group_value=state.group_value,
                reason=REASON,
                actor=ACTOR,
            )
        )
    return None


ENTRIES = (
    Entry("POST", "/v1/alerts/create", create_alert),
    Entry("POST", "/v1/alerts/archive", archive_alert),
    Entry("POST", "/v1/customer-alerts/get", get_customer_alert),
    Entry("POST", "/v1/customer-alerts/list", list_customer_alerts),
    Entry("POST", "/v1/customer-alerts/reset", reset_customer_alert),
)
