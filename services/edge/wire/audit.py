# SPDX-License-Identifier: Apache-2.0
"""Audit logs: the records of all services as one list. Its cursor is a time, and the ids shown at that time."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from google.protobuf.timestamp_pb2 import Timestamp

from purser.audit.v1 import audit_pb2 as pb
from services.edge.wire.fields import (
    LOWER,
    CursorQuery,
    Instant,
    one_violation,
    only,
    time_to_json,
    without_absent,
)


class ListAuditLogs(CursorQuery):
    starting_on: Instant | None = None
    ending_before: Instant | None = None
    resource_id: str = ""
    resource_type: str = ""
    sort: Annotated[
        Literal["date_asc", "date_desc"], LOWER, only("date_desc", "records are listed newest first")
    ] = "date_desc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page ends: at a time, and which records of that time were shown."""

    nanoseconds: int
    shown: Sequence[str]

    def end_time(self) -> Timestamp:
        """Return the end of the next page's span, which shows the records of this time once more."""
        end = Timestamp()
        end.FromNanoseconds(self.nanoseconds + 1_000)
        return end


def place_from_json(cursor: str) -> Place:
    try:
        nanoseconds, *shown = json.loads(base64.urlsafe_b64decode(cursor))
        if not isinstance(nanoseconds, int) or not all(isinstance(one, str) for one in shown):
            raise ValueError
        return Place(nanoseconds=nanoseconds, shown=shown)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise one_violation("next_page", "must be the next_page of an earlier answer") from None


def place_to_json(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([place.nanoseconds, *place.shown]).encode()).decode()


def event_to_json(event: pb.AuditEvent) -> dict[str, object]:
    """Return a record. Its action is the rpc, and its resource the first id that it names."""
    service, _, method = event.rpc.rpartition("/")
    resource_id = event.target_ids[0] if event.target_ids else None
    return without_absent(
        {
            "id": event.audit_event_id,
            "timestamp": time_to_json(event.event_time),
            "action": method,
            "description": event.reason or None,
            "resource_id": resource_id,
            "resource_type": service.rpartition(".")[2] or None,
            "status": "success" if event.outcome == pb.AUDIT_OUTCOME_DONE else "failure",
            "request": without_absent({"id": event.request_id, "ip": event.address or None}),
            "actor": {"id": event.subject, "name": event.subject} if event.subject else None,
        }
    )
