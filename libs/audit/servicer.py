# SPDX-License-Identifier: Apache-2.0
"""purser.audit.v1.AuditService. Source of the rules: services/README.md, "Audit"."""

from collections.abc import Mapping
from typing import Any, Final

import grpc.aio

from audit.event import AuditEvent, Outcome
from audit.listing import AuditEvents, AuditQuery
from meshkit.page import Page
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.paging import page_from_wire, page_to_wire, text_key, time_key
from purser.audit.v1 import audit_pb2 as pb
from purser.audit.v1 import audit_pb2_grpc

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["AuditService"].full_name
# Longer than any subject of a token (access.tokens).
SUBJECT_CHARACTERS_MAX: Final = 256

_OUTCOMES: Final[Mapping[int, Outcome]] = {
    pb.AUDIT_OUTCOME_DONE: Outcome.DONE,
    pb.AUDIT_OUTCOME_REFUSED: Outcome.REFUSED,
}
_OUTCOMES_TO_WIRE: Final = {
    Outcome.DONE: pb.AUDIT_OUTCOME_DONE,
    Outcome.REFUSED: pb.AUDIT_OUTCOME_REFUSED,
}

Context = grpc.aio.ServicerContext[Any, Any]


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Lists the records of one service."""

    def __init__(self, events: AuditEvents) -> None:
        self._events = events

    async def ListAuditEvents(
        self, request: pb.ListAuditEventsRequest, context: Context
    ) -> pb.ListAuditEventsResponse:
        query, page = _from_wire(request)
        rows = await self._events.list(query, page)
        shown, token = page_to_wire(rows, page, _filters(query), _keys, _to_wire)
        return pb.ListAuditEventsResponse(audit_events=shown, next_page_token=token)


def _from_wire(request: pb.ListAuditEventsRequest) -> tuple[AuditQuery, Page]:
    fields = Fields()
    query = AuditQuery(
        start_time=fields.optional_time("start_time", request.start_time, request.HasField("start_time")),
        end_time=fields.optional_time("end_time", request.end_time, request.HasField("end_time")),
        subject=fields.text("subject", request.subject, required=False, max_length=SUBJECT_CHARACTERS_MAX),
        rpc=fields.text("rpc", request.rpc, required=False),
        target_id=fields.text("target_id", request.target_id, required=False),
        outcome=fields.choice("outcome", request.outcome, _OUTCOMES) if request.outcome else None,
        request_id=fields.text("request_id", request.request_id, required=False),
    )
    if query.request_id and not query.target_id:
        # No index leads to a request; one leads to the records of an id, which are few.
        fields.add("request_id", "needs a target_id, such as the id of the customer")
    page = page_from_wire(fields, request, _filters(query), keys=(time_key, text_key))
    fields.check()
    return query, page


def _filters(query: AuditQuery) -> Mapping[str, str]:
    return {
        "list": "audit_events",
        "start_time": "" if query.start_time is None else query.start_time.isoformat(),
        "end_time": "" if query.end_time is None else query.end_time.isoformat(),
        "subject": query.subject,
        "rpc": query.rpc,
        "target_id": query.target_id,
        "outcome": "" if query.outcome is None else query.outcome.value,
    } | ({"request_id": query.request_id} if query.request_id else {})


def _keys(event: AuditEvent) -> tuple[str, str]:
    return event.event_time.isoformat(), event.audit_event_id


def _to_wire(event: AuditEvent) -> pb.AuditEvent:
    return pb.AuditEvent(
        audit_event_id=event.audit_event_id,
        event_time=timestamp(event.event_time),
        outcome=_OUTCOMES_TO_WIRE[event.outcome],
        subject=event.subject,
        roles=event.roles,
        address=event.address,
        rpc=event.rpc,
        request_id=event.request_id,
        target_ids=event.target_ids,
        change=event.change,
        reason=event.reason,
        left_out=event.left_out,
    )
