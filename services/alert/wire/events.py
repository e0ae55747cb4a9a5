# SPDX-License-Identifier: Apache-2.0
"""Events of Contract on the wire, and the types that endpoints ask for."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.alert.v1 import alert_peer_pb2 as pb
from services.alert.domain.alert import CustomerId
from services.alert.domain.commands import PublishEvent
from services.alert.domain.event import (
    ALERT_EVENTS,
    PUBLISHED_EVENTS,
    TOLD_EVENTS,
    EventId,
    EventType,
    Occurrence,
)

DATA_LENGTH_MAX: Final = 65_536
_ALL: Final = {one.value: one for one in EventType}
TOLD: Final = {one.value: one for one in TOLD_EVENTS}
_PUBLISHED: Final = {one.value: one for one in PUBLISHED_EVENTS}


def publish_from_wire(request: pb.PublishEventRequest) -> PublishEvent:
    fields = Fields()
    command = PublishEvent(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("PublishEvent", request),
        event=Occurrence(
            event_id=EventId(request.request_id),
            event_type=_event_type(fields, "event_type", request.event_type, _PUBLISHED),
            customer_id=CustomerId(fields.text("customer_id", request.customer_id)),
            event_time=fields.time("event_time", request.event_time, request.HasField("event_time")),
            data=_data(fields, request.data_json),
        ),
    )
    fields.check()
    return command


def event_types_from_wire(fields: Fields, path: str, names: Iterable[str]) -> tuple[EventType, ...]:
    """Return the types that an endpoint asks for, each once, in one order; the alerts if it names none."""
    return known_types(fields, names, path=path, known=TOLD) or ALERT_EVENTS


def known_types(
    fields: Fields, names: Iterable[str], *, path: str = "event_types", known: Mapping[str, EventType] = _ALL
) -> tuple[EventType, ...]:
    """Return the types with these names, each once, in one order."""
    asked = {_event_type(fields, f"{path}[{place}]", name, known) for place, name in enumerate(names)}
    return tuple(one for one in EventType if one in asked)


def _event_type(fields: Fields, field: str, name: str, known: Mapping[str, EventType]) -> EventType:
    if name not in known:
        fields.add(field, f"must be one of {', '.join(known)}")
    return known.get(name, next(iter(known.values())))


def _data(fields: Fields, text: str) -> dict[str, Any]:
    if len(text) > DATA_LENGTH_MAX:
        fields.add("data_json", f"must have at most {DATA_LENGTH_MAX} characters")
        return {}
    try:
        data = json.loads(text, parse_constant=_refuse)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair cannot be sent
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        fields.add("data_json", "must be a JSON object")
        return {}
    return data


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
