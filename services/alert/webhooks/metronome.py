# SPDX-License-Identifier: Apache-2.0
"""What an endpoint of the kind METRONOME gets: body, headers and signature as a receiver of Metronome's expects them.

Source: services/alert/README.md, "Endpoints".
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

from meshkit.quantity import MICROS
from services.alert.domain.endpoint import Secret
from services.alert.domain.event import EventType

_TYPES: Final = {
    "LOW_BALANCE": "low_remaining_contract_credit_and_commit_balance_reached",
    "LOW_PERCENTAGE": "low_remaining_contract_credit_and_commit_percentage_reached",
    "LOW_SEAT_BALANCE": "low_remaining_seat_balance_reached",
    "SPEND": "spend_threshold_reached",
    "GRANT_EXPIRING": "low_remaining_days_for_contract_credit_segment_reached",
    "INVOICE_TOTAL": "invoice_total_reached",
}
_SPENDS: Final = ("SPEND", "INVOICE_TOTAL", "SHORTFALL", "OVERAGE")
# Metronome writes US dollars in cents.
_MICROS_BY_CURRENCY: Final = {"USD": MICROS // 100}


def metronome_body(payload: str, delivery_id: str) -> str:
    """Return the body for an event's payload. An event that is no alert keeps its type and data.

    delivery_id: the same at every attempt, so that the receiver recognizes repeats.
    """
    event = json.loads(payload)
    data = event["data"]
    if event["type"] != EventType.IN_ALARM.value:
        return _written({"id": delivery_id, "type": event["type"], "properties": data})
    kind = data["alert_type"]
    return _written(
        {
            "id": delivery_id,
            "type": f"alerts.{_TYPES.get(kind, kind.lower())}",
            "properties": _properties(data, event["timestamp"], is_spend=kind in _SPENDS),
        }
    )


def _properties(data: dict[str, Any], timestamp: str, *, is_spend: bool) -> dict[str, Any]:
    unit = _MICROS_BY_CURRENCY.get(data["currency_code"] or data["credit_type_id"], MICROS)
    properties = {
        "customer_id": data["customer_id"],
        "alert_id": data["alert_id"],
        "alert_name": data["alert_name"],
        "timestamp": timestamp,
        "threshold": _Number(data["threshold_micros"], unit),
        "credit_type_id": data["credit_type_id"] or data["currency_code"],
        "current_spend" if is_spend else "remaining_balance": _Number(data["value_micros"], unit),
    }
    if data["group_key"]:
        properties["group_values"] = [{"key": data["group_key"], "value": data["group_value"]}]
    return properties


def metronome_headers(body: str, secrets: Sequence[Secret], *, at: datetime) -> dict[str, str]:
    """Return the headers of one attempt. Metronome's scheme has one signature, so the newest secret alone signs.

    at: wall time of this attempt, UTC.
    """
    date = format_datetime(at, usegmt=True)
    signed = hmac.new(secrets[0].text.encode(), f"{date}\n{body}".encode(), hashlib.sha256)
    return {"x-metronome-date": date, "metronome-webhook-signature": signed.hexdigest()}


class _Number:
    """An exact decimal number of JSON."""

    def __init__(self, micros: int, unit_micros: int) -> None:
        whole, part = divmod(abs(micros), unit_micros)
        places = f"{part:0{len(str(unit_micros)) - 1}}".rstrip("0")
        self.text = f"{'-' if micros < 0 else ''}{whole}{'.' if places else ''}{places}"


def _written(value: Any) -> str:
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{_written(held)}" for key, held in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_written, value)) + "]"
        case _Number():
            return value.text
        case _:
            return json.dumps(value, ensure_ascii=False)
