# SPDX-License-Identifier: Apache-2.0
"""The bodies and signatures that endpoints of the kind METRONOME get."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.alert.domain.endpoint import Secret, SecretId, WebhookEndpointId
from services.alert.webhooks.metronome import metronome_body, metronome_headers
from tests.support.payloads import example_of

AT = datetime(2025, 6, 1, 12, 0, 1, tzinfo=UTC)


def body_of(**changed: object) -> Any:
    event = example_of("alert.in_alarm")
    event["data"] |= changed
    return json.loads(metronome_body(json.dumps(event), "dlv_1"), parse_float=Decimal)


def a_secret(text: str) -> Secret:
    return Secret(
        secret_id=SecretId("sec_1"), webhook_endpoint_id=WebhookEndpointId("end_1"), text=text, create_time=AT
    )


def test_an_alarm_has_metronomes_type_and_properties() -> None:
    body = body_of(alert_id="alr_1", customer_id="cus_1", credit_type_id="crt_1", alert_name="Low")

    assert body == {
        "id": "dlv_1",
        "type": "alerts.low_remaining_contract_credit_and_commit_balance_reached",
        "properties": {
            "customer_id": "cus_1",
            "alert_id": "alr_1",
            "alert_name": "Low",
            "timestamp": "2025-06-01T00:00:01Z",
            "threshold": 10,
            "credit_type_id": "crt_1",
            "remaining_balance": Decimal("8.548387"),
        },
    }


def test_a_spend_names_what_was_spent_and_by_whom() -> None:
    properties = body_of(alert_type="SPEND", group_key="user_id", group_value="user_1234")["properties"]

    assert properties["current_spend"] == Decimal("8.548387")
    assert "remaining_balance" not in properties
    assert properties["group_values"] == [{"key": "user_id", "value": "user_1234"}]


@pytest.mark.parametrize(
    ("currency", "micros", "written"),
    [
        ("USD", 12_345_600, "1234.56"),
        ("USD", 10_000, "1"),
        ("EUR", 12_345_600, "12.3456"),
        ("", 9_223_372_036_854_775_807, "9223372036854.775807"),
        ("", -1, "-0.000001"),
        ("", 0, "0"),
    ],
)
def test_amounts_are_exact_and_dollars_are_cents(currency: str, micros: int, written: str) -> None:
    event = example_of("alert.in_alarm")
    event["data"] |= {"currency_code": currency, "value_micros": micros}

    assert f'"remaining_balance":{written}' in metronome_body(json.dumps(event), "dlv_1")


def test_an_event_that_is_no_alarm_keeps_its_type_and_data() -> None:
    event = example_of("top_up.paid")

    body = json.loads(metronome_body(json.dumps(event), "dlv_1"))

    assert body == {"id": "dlv_1", "type": "top_up.paid", "properties": event["data"]}


def test_the_signature_is_that_of_date_and_body_with_the_newest_secret() -> None:
    headers = metronome_headers("{}", [a_secret("whsec_new"), a_secret("whsec_old")], at=AT)

    assert headers["x-metronome-date"] == "Sun, 01 Jun 2025 12:00:01 GMT"
    signed = hmac.new(b"whsec_new", b"Sun, 01 Jun 2025 12:00:01 GMT\n{}", hashlib.sha256).hexdigest()
    assert headers["metronome-webhook-signature"] == signed
