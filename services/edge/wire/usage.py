# SPDX-License-Identifier: Apache-2.0
"""Usage: events that are reported, and what they came to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import usage_pb2 as pb
from services.edge.faults import InvalidBody
from services.edge.wire.amounts import quantity_to_json
from services.edge.wire.fields import (
    UPPER,
    Body,
    Instant,
    TextList,
    limit_of,
    one_violation,
    refused,
    time_to_json,
    without_absent,
)

EVENTS_MAX: Final = 100
# Of a number on either side of the point; written out, 1e999999999 would be a gigabyte.
DIGITS_MAX: Final = 30
WINDOWS: Final = {"HOUR": pb.USAGE_WINDOW_HOUR, "DAY": pb.USAGE_WINDOW_DAY, "NONE": pb.USAGE_WINDOW_SPAN}
Window = Annotated[Literal["HOUR", "DAY", "NONE"], UPPER]


def _property_texts(value: object) -> object:
    """Return properties as our events have them: texts, and numbers as decimal text."""
    if not isinstance(value, Mapping):
        return value
    return {key: _property_text(key, held) for key, held in value.items() if held is not None}


def _property_text(key: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal() if abs(value.adjusted()) <= DIGITS_MAX:
            return format(value, "f")
        case str():
            return value
        case _:
            raise PydanticCustomError(
                "property", "{key} must be a text, a bool or a number of at most 30 digits", {"key": key}
            )


class Event(Body):
    transaction_id: str
    customer_id: str
    event_type: str
    timestamp: Instant
    properties: Annotated[Mapping[str, str], BeforeValidator(_property_texts)] = {}


class Events(Body):
    """The body of ingest is an array; it is read as the field `events`."""

    events: tuple[Event, ...]


class SearchEvents(Body):
    transactionIds: TextList  # noqa: N815 - the field's name in the body
    # Not in Metronome: ours are unique within one customer. The SDK sends it by extra_body.
    customer_id: str = ""


class GroupBy(Body):
    key: str
    values: TextList = ()


class MetricUsage(Body):
    id: str
    group_by: GroupBy | None = None


class ListUsage(Body):
    customer_ids: TextList = ()
    billable_metrics: tuple[MetricUsage, ...] = ()
    starting_on: Instant
    ending_before: Instant
    window_size: Window


class UsageQuery(Body):
    limit: Annotated[int, limit_of(100)] | None = None
    next_page: str = ""


class UsageGroups(Body):
    customer_id: str
    billable_metric_id: str
    window_size: Window
    starting_on: Instant
    ending_before: Instant
    group_by: GroupBy | None = None
    group_key: tuple[str, ...] = ()
    group_filters: Mapping[str, tuple[str, ...]] = {}
    current_period: Annotated[None, refused("give starting_on and ending_before")] = None


def events_from_json(content: object) -> dict[str, object]:
    """Return the body of ingest as Events reads it."""
    if not isinstance(content, list) or not 1 <= len(content) <= EVENTS_MAX:
        raise one_violation("the body", f"must be an array of 1 to {EVENTS_MAX} events")
    return {"events": content}


def event_from_json(event: Event) -> pb.UsageEvent:
    return pb.UsageEvent(
        transaction_id=event.transaction_id,
        customer=event.customer_id,
        event_type=event.event_type,
        timestamp=timestamp(event.timestamp),
        properties=event.properties,
    )


def rejections(results: Iterable[pb.UsageResult]) -> list[InvalidBody]:
    """Return what is wrong with each event that was not recorded."""
    return [
        one_violation(f"[{at}].{result.field or 'event'}", f"was not recorded: {result.detail}")
        for at, result in enumerate(results)
        if result.event_status == pb.EVENT_STATUS_REJECTED
    ]


def event_to_json(stored: pb.StoredUsageEvent, metrics: Mapping[str, dict[str, object]]) -> dict[str, object]:
    """Return a stored event. metrics: by product, as JSON."""
    event = stored.event
    return {
        "id": event.transaction_id,
        "transaction_id": event.transaction_id,
        "customer_id": event.customer,
        "event_type": event.event_type,
        "timestamp": time_to_json(event.timestamp),
        "processed_at": time_to_json(stored.receive_time),
        "properties": dict(event.properties),
        "matched_customer": {"id": event.customer},
        "matched_billable_metrics": [metrics[line.product_id] for line in stored.result.lines],
    }


def group_of(body: UsageGroups) -> GroupBy | None:
    """Return by what usage is grouped, in the older or the newer form. Raises InvalidBody for several keys."""
    if not body.group_key:
        if body.group_filters:
            raise one_violation("group_filters", "need a group_key")
        return body.group_by
    if len(body.group_key) != 1 or body.group_filters.keys() - set(body.group_key):
        raise one_violation("group_key", "must have one key, and group_filters no other one")
    (key,) = body.group_key
    return GroupBy(key=key, values=body.group_filters.get(key, ()))


def usage_to_json(
    sums: Sequence[pb.UsageSum], metric: Mapping[str, Any], group: GroupBy | None
) -> list[object]:
    """Return one row for each customer and window. sums: of one product; with a group, by its values."""
    rows: dict[tuple[str, int, int], list[pb.UsageSum]] = defaultdict(list)
    for one in sums:
        window = one.window
        rows[one.customer_id, window.start_time.ToNanoseconds(), window.end_time.ToNanoseconds()].append(one)
    return [
        without_absent(
            {
                "billable_metric_id": metric["id"],
                "billable_metric_name": metric["name"],
                "customer_id": held[0].customer_id,
                "start_timestamp": time_to_json(held[0].window.start_time),
                "end_timestamp": time_to_json(held[0].window.end_time),
                "value": quantity_to_json(sum(one.quantity_micros for one in held)),
                "groups": None if group is None else _groups_to_json(held, group),
            }
        )
        for _, held in sorted(rows.items())
    ]


def _groups_to_json(sums: Sequence[pb.UsageSum], group: GroupBy) -> dict[str, object]:
    return {
        one.group_value: quantity_to_json(one.quantity_micros)
        for one in sums
        if not group.values or one.group_value in group.values
    }


def usage_group_to_json(one: pb.UsageSum, group: GroupBy | None) -> dict[str, object]:
    shown: dict[str, object] = {
        "starting_on": time_to_json(one.window.start_time),
        "ending_before": time_to_json(one.window.end_time),
        "value": quantity_to_json(one.quantity_micros),
        "group_key": None,
        "group_value": None,
    }
    if group is not None:
        shown |= {
            "group_key": group.key,
            "group_value": one.group_value,
            "group": {group.key: one.group_value},
        }
    return shown
