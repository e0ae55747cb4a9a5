# SPDX-License-Identifier: Apache-2.0
"""Usage events on the wire: each event is read, or rejected, by itself."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import usage_pb2 as pb
from services.ledger.domain.gate.lease import is_lease
from services.ledger.domain.usage.event import (
    EventLine,
    EventResult,
    RecordEvent,
    RejectionReason,
    rejected,
)

Line = TypeVar("Line", pb.EventLine, pb.CorrectedLine)

EVENTS_MAX = 1_000
TRANSACTION_ID_MAX = 128
PROPERTIES_MAX = 50


def check_size(request: pb.RecordUsageRequest | pb.ImportUsageRequest) -> None:
    """Raise InvalidFields for no or too many events."""
    if not 1 <= len(request.events) <= EVENTS_MAX:
        raise InvalidFields(
            [FieldViolation("events", f"must have 1 to {EVENTS_MAX} events, has {len(request.events)}")]
        )


def event_from_wire(event: pb.UsageEvent) -> RecordEvent:
    """Return the command of an event; a malformed one has a rejection."""
    fields = Fields()
    properties = properties_from_wire(fields, event.properties)
    command = RecordEvent(
        transaction_id=fields.text("transaction_id", event.transaction_id, max_length=TRANSACTION_ID_MAX),
        fingerprint=_content_hash(event),
        customer=fields.text("customer", event.customer),
        event_type=fields.text("event_type", event.event_type),
        timestamp=fields.time("timestamp", event.timestamp, event.HasField("timestamp")),
        properties=properties,
        hold_id=fields.text("hold_id", event.hold_id, required=False) or None,
    )
    if is_lease(event.hold_id):
        fields.add("hold_id", "is a lease; report what it was used for with SettleLease")
    try:
        fields.check()
    except InvalidFields as invalid:
        first = invalid.violations[0]
        malformed = rejected(RejectionReason.INVALID_FIELD, field=first.field, detail=first.description)
        return replace(command, rejection=malformed)
    return command


def properties_from_wire(fields: Fields, properties: Mapping[str, str]) -> dict[str, str]:
    if len(properties) > PROPERTIES_MAX:
        fields.add("properties", f"must have at most {PROPERTIES_MAX} keys, has {len(properties)}")
    for key, value in properties.items():
        fields.text("properties", key)
        fields.text(f"properties[{key[:64]}]", value, required=False)
    return dict(properties)


def _content_hash(event: pb.UsageEvent) -> bytes:
    """Return the hash of what was reported: a customer may be named by its id or by an alias."""
    content = pb.UsageEvent()
    content.CopyFrom(event)
    content.ClearField("customer")
    return fingerprint("UsageEvent", content)


def result_to_wire(result: EventResult) -> pb.UsageResult:
    return pb.UsageResult(
        event_status=f"EVENT_STATUS_{result.status.name}",
        is_duplicate=result.is_duplicate,
        differs=result.differs,
        credits_micros=sum(line.credits.micros for line in result.lines),
        shortfall_micros=sum(line.shortfall.micros for line in result.lines),
        lines=[line_to_wire(line, pb.EventLine) for line in result.lines],
        rejection_reason=f"REJECTION_REASON_{result.reason.name}" if result.reason else None,
        field=result.field,
        detail=result.detail,
    )


def line_to_wire(line: EventLine, message: type[Line]) -> Line:
    """Return a line as an EventLine, or as the CorrectedLine of a correction: their fields are the same."""
    return message(
        product_id=line.product_id,
        credit_type_id=line.credit_type_id,
        quantity_micros=line.quantity.micros,
        credits_micros=line.credits.micros,
        shortfall_micros=line.shortfall.micros,
        entry_sequence=line.sequence,
    )
