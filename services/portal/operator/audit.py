# SPDX-License-Identifier: Apache-2.0
"""Who changed what: the records of all four services, newest first."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from grpc.aio import AioRpcError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshkit.rpc.fields import timestamp
from purser.audit.v1.audit_pb2 import AuditEvent, ListAuditEventsRequest
from services.portal.formats import instant
from services.portal.mesh import SERVICES, Mesh
from services.portal.operator.acts.fields import Field, Kind, Problems, Values, read
from services.portal.operator.showing import AWAY, head_of, show
from services.portal.rendering import formats_of
from services.portal.session import viewer_of

NAME = "Audit"
ROWS = 50
OUTCOMES = ("DONE", "REFUSED")
CONDITIONS = (
    Field(name="start", label="From", kind=Kind.TIME, is_required=False),
    Field(name="end", label="Before", kind=Kind.TIME, is_required=False),
    Field(name="subject", label="Who", is_required=False),
    Field(name="rpc", label="Rpc", is_required=False),
    Field(name="target", label="Id", is_required=False),
)


@dataclass(frozen=True, slots=True)
class Record:
    """A record, and the service that has it."""

    service: str
    event: AuditEvent


async def audit(request: Request) -> Response:
    values, problems = read(CONDITIONS, request.query_params, formats_of(request).zone)
    return await _page(request, "audit.html", values, problems)


async def of_customer(request: Request) -> Response:
    head = await head_of(request)
    return await _page(
        request, "customer_audit.html", {"target": head.customer.customer_id}, {}, head=head, tab="audit"
    )


async def _page(
    request: Request, template: str, values: Values, problems: Problems, **more: object
) -> Response:
    asked = request.query_params
    outcome, before = asked.get("outcome", ""), asked.get("before", "")
    services = [asked["service"]] if asked.get("service") in SERVICES else list(SERVICES)
    conditions = ListAuditEventsRequest(
        start_time=values.get("start"),
        end_time=_time(before) or values.get("end"),
        subject=values.get("subject"),
        rpc=values.get("rpc"),
        target_id=values.get("target"),
        outcome=f"AUDIT_OUTCOME_{outcome}" if outcome in OUTCOMES else None,
        page_size=ROWS,
    )
    mesh = viewer_of(request).mesh
    found: dict[str, Sequence[AuditEvent] | None] = {}
    if not problems:
        answers = await asyncio.gather(*(_of(mesh, one, conditions) for one in services))
        found = dict(zip(services, answers, strict=True))
    records, next_before = newest(found)
    return show(
        request,
        template,
        status=400 if problems else 200,
        records=records,
        before=next_before,
        away=[service for service, events in found.items() if events is None],
        asked=asked,
        services=SERVICES,
        outcomes=OUTCOMES,
        fields=CONDITIONS,
        problems=problems,
        zone_name=formats_of(request).zone.key,
        **more,
    )


def newest(found: Mapping[str, Sequence[AuditEvent] | None]) -> tuple[list[Record], str]:
    """Return the newest records of several services, and before when to ask for older ones; empty if there are none.

    found: the newest ROWS records of each service. A page ends between two instants, so that none is left out.
    """
    records = [Record(service, event) for service, events in found.items() for event in events or ()]
    records.sort(key=lambda record: instant(record.event.event_time), reverse=True)
    is_whole = len(records) <= ROWS and all(len(events or ()) < ROWS for events in found.values())
    if is_whole:
        return records, ""
    last = instant(records[min(ROWS, len(records)) - 1].event.event_time)
    shown = [record for record in records if instant(record.event.event_time) >= last]
    return shown, last.isoformat()


async def _of(mesh: Mesh, service: str, conditions: ListAuditEventsRequest) -> Sequence[AuditEvent] | None:
    """Return the newest records of a service; None if it is away."""
    try:
        return (await mesh.audit(service).ListAuditEvents(conditions)).audit_events
    except AioRpcError as error:
        if error.code() not in AWAY:
            raise
        return None


def _time(text: str) -> Timestamp | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return timestamp(time) if time.tzinfo is not None else None


ROUTES: Sequence[Route] = (
    Route("/operator/audit", audit),
    Route("/operator/customers/{customer}/audit", of_customer),
)
