# SPDX-License-Identifier: Apache-2.0
"""Audit logs: the records of all four services, newest first."""

import asyncio

from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.rpc.fields import optional_timestamp
from purser.audit.v1 import audit_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.mesh import SERVICES
from services.edge.pages import page_of
from services.edge.wire import audit as wire

LIMIT_DEFAULT = 50


async def list_audit_logs(ask: Ask) -> object:
    query = ask.query_of(wire.ListAuditLogs)
    limit = query.limit or LIMIT_DEFAULT
    place = wire.place_from_json(query.next_page) if query.next_page else None
    end = place.end_time() if place is not None else optional_timestamp(query.ending_before)
    # So many more as were shown already, of the time at which the last page ended.
    known = set() if place is None else set(place.shown)
    found = await asyncio.gather(
        *(_records(ask, service, query, end, limit + len(known)) for service in SERVICES)
    )
    left = [event for listed in found for event in listed.audit_events if event.audit_event_id not in known]
    left.sort(key=lambda event: (event.event_time.ToNanoseconds(), event.audit_event_id), reverse=True)
    page, has_more = left[:limit], len(left) > limit or any(listed.next_page_token for listed in found)
    cursor = ""
    if page and has_more:
        last = page[-1].event_time.ToNanoseconds()
        same = [event.audit_event_id for event in page if event.event_time.ToNanoseconds() == last]
        earlier = place.shown if place is not None and place.nanoseconds == last else ()
        cursor = wire.place_to_json(wire.Place(nanoseconds=last, shown=[*earlier, *same]))
    return page_of([wire.event_to_json(event) for event in page], cursor)


async def _records(
    ask: Ask, service: str, query: wire.ListAuditLogs, end: Timestamp | None, size: int
) -> pb.ListAuditEventsResponse:
    return await ask.mesh.audit(service).ListAuditEvents(
        pb.ListAuditEventsRequest(
            start_time=optional_timestamp(query.starting_on),
            end_time=end,
            target_id=query.resource_id,
            page_size=min(size, 500),
        )
    )


ENTRIES = (Entry("GET", "/v1/auditLogs", list_audit_logs),)
