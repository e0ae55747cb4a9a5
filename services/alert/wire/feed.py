# SPDX-License-Identifier: Apache-2.0
"""Events of the feed on the wire. A cursor is a position; it fits every query."""

from collections.abc import Iterator
from typing import Final

from meshkit.page import next_token, read_token
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.paging import messages_that_fit, number_key, read_page
from purser.alert.v1 import feed_pb2 as pb
from services.alert.domain.alert import CustomerId
from services.alert.domain.event import Event
from services.alert.domain.feed import FeedEnd, FeedPage, Start
from services.alert.domain.queries import FindEvents
from services.alert.wire.events import TOLD, known_types

_CURSOR: Final = {"list": "events"}


def list_from_wire(request: pb.ListEventsRequest) -> tuple[FindEvents, Start, int]:
    """Return what to find, from where, and how many events."""
    fields = Fields()
    query, start = _query(fields, request), _start(fields, request, FeedEnd.OLDEST)
    page = read_page(fields, page_size=request.page_size, page_token="", filters={})
    fields.check()
    return query, start, page.size


def list_to_wire(page: FeedPage) -> pb.ListEventsResponse:
    shown = messages_that_fit(_event_to_wire(one.event) for one in page.events)
    is_cut = len(shown) < len(page.events)
    return pb.ListEventsResponse(
        events=shown,
        cursor=_cursor(page.events[len(shown) - 1].position if is_cut else page.position),
        has_more=is_cut or page.has_more,
    )


def watch_from_wire(request: pb.WatchEventsRequest) -> tuple[FindEvents, Start]:
    fields = Fields()
    query, start = _query(fields, request), _start(fields, request, FeedEnd.NEWEST)
    fields.check()
    return query, start


def watch_to_wire(page: FeedPage) -> Iterator[pb.WatchEventsResponse]:
    """Yield a response for each event, or one without."""
    for one in page.events:
        yield pb.WatchEventsResponse(event=_event_to_wire(one.event), cursor=_cursor(one.position))
    if not page.events:
        yield pb.WatchEventsResponse(cursor=_cursor(page.position))


def _query(fields: Fields, request: pb.ListEventsRequest | pb.WatchEventsRequest) -> FindEvents:
    return FindEvents(
        customer_id=CustomerId(fields.text("customer_id", request.customer_id, required=False)),
        event_types=known_types(fields, request.event_types, known=TOLD),
    )


def _start(
    fields: Fields, request: pb.ListEventsRequest | pb.WatchEventsRequest, otherwise: FeedEnd
) -> Start:
    start_time = fields.optional_time("start_time", request.start_time, request.HasField("start_time"))
    if not request.cursor:
        return start_time or otherwise
    if start_time is not None:
        fields.add("start_time", "must be absent if there is a cursor")
    try:
        (position,) = read_token(request.cursor, _CURSOR) or ("",)
        return number_key(position)
    except ValueError:
        fields.add("cursor", "must be the cursor of a response of ListEvents or WatchEvents")
        return otherwise


def _cursor(position: int) -> str:
    return next_token((str(position),), _CURSOR)


def _event_to_wire(event: Event) -> pb.Event:
    return pb.Event(
        event_id=event.event_id,
        event_type=event.event_type.value,
        customer_id=event.customer_id,
        customer_sequence=event.customer_sequence,
        create_time=timestamp(event.create_time),
        payload=event.payload,
    )
