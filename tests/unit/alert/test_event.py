# SPDX-License-Identifier: Apache-2.0
"""The body of a notification, byte for byte."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from meshkit.quantity import Credits
from services.alert.domain.alert import NOT_QUIET, Alert, AlertId, AlertType, CreditTypeId, CustomerId
from services.alert.domain.event import EventId, EventType, edge_of, event_from
from services.alert.domain.status import AlertState, AlertStatus

AT = datetime(2025, 7, 3, 12, 30, 0, 250_000, tzinfo=UTC)
ALERT = Alert(
    alert_id=AlertId("alr_1"),
    name='Zoë\'s "limit"',
    alert_type=AlertType.SPEND,
    customer_id=CustomerId(""),
    credit_type_id=CreditTypeId("crt_1"),
    threshold=Credits.of(1_000),
    group_key="user_id",
    group_value="",
    version=1,
    create_time=AT,
    rearm=Credits.of(1_000),
    quiet_period=NOT_QUIET,
)
STATUS = AlertStatus(
    alert_id=ALERT.alert_id,
    customer_id=CustomerId("cus_1"),
    group_value="user_1234",
    state=AlertState.IN_ALARM,
    value=Credits.of("1000.5"),
    observe_time=AT,
    sequence=1,
)


def body_of(event_type: EventType, alert: Alert, status: AlertStatus) -> str:
    edge = edge_of(EventId("evt_1"), event_type, alert, status)
    return event_from(edge, customer_sequence=7, at=AT).payload


def test_the_body_is_type_timestamp_order_and_data() -> None:
    assert body_of(EventType.IN_ALARM, ALERT, STATUS) == (
        '{"type":"alert.in_alarm","timestamp":"2025-07-03T12:30:00.250000Z","event_id":"evt_1",'
        '"customer_sequence":7,"payload_version":1,"data":{"alert_id":"alr_1",'
        '"alert_name":"Zoë\'s \\"limit\\"","alert_type":"SPEND","customer_id":"cus_1",'
        '"credit_type_id":"crt_1","currency_code":"",'
        '"group_key":"user_id","group_value":"user_1234","state":"IN_ALARM","threshold_micros":1000000000,'
        '"value_micros":1000500000,"observe_time":"2025-07-03T12:30:00.250000Z","window":"BILLING_PERIOD","product_id":""}}'
    )


def test_times_are_told_in_utc_whatever_zone_they_came_in() -> None:
    berlin = AT.astimezone(timezone(timedelta(hours=2)))

    body = json.loads(body_of(EventType.RESOLVED, ALERT, replace(STATUS, observe_time=berlin)))

    assert body["timestamp"] == body["data"]["observe_time"] == "2025-07-03T12:30:00.250000Z"
    assert body["type"] == "alert.resolved"


def test_what_happens_to_an_alert_on_every_customer_is_not_for_the_customer() -> None:
    on_one = replace(ALERT, customer_id=CustomerId("cus_1"))

    assert edge_of(EventId("evt_1"), EventType.IN_ALARM, ALERT, STATUS).is_internal
    assert not edge_of(EventId("evt_1"), EventType.IN_ALARM, on_one, STATUS).is_internal
