# SPDX-License-Identifier: Apache-2.0
"""ListUsageEvents, ExplainEntry and ListGrantUsage on the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from meshkit.page import Page, next_token
from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.paging import messages_that_fit, number_key, page_from_wire, page_to_wire, text_key, time_key
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as pb
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, GrantId, ProductId
from services.ledger.domain.rating.price import FlatPrice, PackagePrice
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.rating.tiers import GraduatedPrice, Tier
from services.ledger.domain.usage.event import EventStatus
from services.ledger.domain.usage.reads import (
    EntryOrigin,
    EventCorrection,
    EventFilter,
    EventPage,
    EventRecord,
    GrantUse,
    MeterPosition,
    ReportedEvent,
)
from services.ledger.wire.credits.reports import entry_to_wire
from services.ledger.wire.usage.events import TRANSACTION_ID_MAX, result_to_wire
from services.ledger.wire.usage.reads import period_to_wire

_STATUSES: Final[Mapping[int, EventStatus | None]] = {pb.EVENT_STATUS_UNSPECIFIED: None} | {
    pb.EventStatus.Value(f"EVENT_STATUS_{status.name}"): status
    for status in (EventStatus.ACCEPTED, EventStatus.NO_MATCH, EventStatus.NO_CONTRACT)
}


@dataclass(frozen=True, slots=True)
class EventQuery:
    """A request for events. Its page tokens are valid for these `filters` only."""

    customer: str
    asked: EventFilter
    page: Page
    filters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GrantQuery:
    """A request for what a grant paid for. Its page tokens are valid for these `filters` only."""

    customer: str
    grant_id: GrantId
    page: Page
    filters: Mapping[str, str]


def events_from_wire(request: pb.ListUsageEventsRequest) -> EventQuery:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    start = fields.optional_time("start_time", request.start_time, request.HasField("start_time"))
    end = fields.optional_time("end_time", request.end_time, request.HasField("end_time"))
    if start is not None and end is not None and start >= end:
        fields.add("end_time", "must be after start_time")
    status = fields.choice("event_status", request.event_status, _STATUSES)
    product_id = fields.text("product_id", request.product_id, required=False)
    transaction_id = fields.text(
        "transaction_id", request.transaction_id, required=False, max_length=TRANSACTION_ID_MAX
    )
    filters = {
        "list": "usage_events",
        "customer": customer,
        "start_time": str(start),
        "end_time": str(end),
        "event_status": str(request.event_status),
        "product_id": product_id,
        "transaction_id": transaction_id,
    }
    page = page_from_wire(fields, request, filters, keys=(time_key, text_key))
    fields.check()
    asked = EventFilter(
        start=start,
        end=end,
        status=status,
        product_id=ProductId(product_id) if product_id else None,
        transaction_id=transaction_id or None,
    )
    return EventQuery(customer, asked, page, filters)


def events_to_wire(found: EventPage, query: EventQuery) -> pb.ListUsageEventsResponse:
    shown = messages_that_fit(map(_record_to_wire, found.events))
    after = found.next_after
    if len(shown) < len(found.events):
        last = found.events[len(shown) - 1].event
        after = (last.timestamp.isoformat(), last.transaction_id)
    return pb.ListUsageEventsResponse(
        events=shown, next_page_token=next_token(after, query.filters) if after else ""
    )


def entry_from_wire(request: pb.ExplainEntryRequest) -> tuple[str, CreditTypeId, int]:
    """Return customer, credit type and sequence."""
    fields = Fields()
    customer = fields.text("customer", request.customer)
    credit_type_id = CreditTypeId(fields.text("credit_type_id", request.credit_type_id))
    sequence = fields.count("sequence", request.sequence, minimum=1, maximum=INT64_MAX)
    fields.check()
    return customer, credit_type_id, sequence


def origin_to_wire(origin: EntryOrigin, credit_type_id: CreditTypeId) -> pb.ExplainEntryResponse:
    usage = origin.entry.usage
    return pb.ExplainEntryResponse(
        entry=entry_to_wire(origin.entry, credit_type_id),
        event=_event_to_wire(origin.event),
        dimension_values=usage.dimension_values if usage else None,
        quantity_micros=origin.quantity.micros,
        credits_micros=origin.credits.micros,
        meter=_meter_to_wire(origin.meter),
        rate=_rate_to_wire(origin.rate),
    )


def grant_uses_from_wire(request: pb.ListGrantUsageRequest) -> GrantQuery:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    grant_id = GrantId(fields.text("grant_id", request.grant_id))
    filters = {"list": "grant_usage", "customer": customer, "grant_id": grant_id}
    page = page_from_wire(fields, request, filters, keys=(number_key,))
    fields.check()
    return GrantQuery(customer, grant_id, page, filters)


def grant_uses_to_wire(rows: Sequence[GrantUse], query: GrantQuery) -> pb.ListGrantUsageResponse:
    shown, token = page_to_wire(
        rows,
        query.page,
        query.filters,
        lambda one: (str(one.entry.sequence),),
        lambda one: pb.GrantUse(
            entry=entry_to_wire(one.entry, one.credit_type_id), event=_event_to_wire(one.event)
        ),
    )
    return pb.ListGrantUsageResponse(
        uses=shown,
        next_page_token=token,
    )


def _record_to_wire(record: EventRecord) -> pb.StoredUsageEvent:
    return pb.StoredUsageEvent(
        event=_event_to_wire(record.event),
        receive_time=timestamp(record.receive_time),
        result=result_to_wire(record.result),
        payments=[_payment_to_wire(credit_type_id, entry) for credit_type_id, entry in record.entries],
        corrections=[_correction_to_wire(one) for one in record.corrections],
    )


def _payment_to_wire(credit_type_id: CreditTypeId, entry: Entry) -> pb.EventPayment:
    return pb.EventPayment(
        credit_type_id=credit_type_id,
        entry_sequence=entry.sequence,
        product_id=entry.usage.product_id if entry.usage else None,
        grant_id=entry.grant_id,
        credits_micros=-entry.amount.micros,
        shortfall_micros=entry.shortfall.micros,
    )


def _correction_to_wire(correction: EventCorrection) -> pb.EventCorrection:
    return pb.EventCorrection(
        is_void=correction.event is None,
        event=_event_to_wire(correction.event),
        reason=correction.reason,
        actor=correction.actor,
        create_time=timestamp(correction.create_time),
    )


def _event_to_wire(event: ReportedEvent | None) -> pb.UsageEvent | None:
    if event is None:
        return None
    return pb.UsageEvent(
        transaction_id=event.transaction_id,
        customer=event.customer_id,
        event_type=event.event_type,
        timestamp=timestamp(event.timestamp),
        properties=event.properties,
    )


def _meter_to_wire(meter: MeterPosition | None) -> pb.MeterPosition | None:
    if meter is None:
        return None
    return pb.MeterPosition(
        root_rate_id=meter.root_rate_id,
        period=period_to_wire(meter.period),
        quantity_before_micros=meter.quantity_before.micros,
        quantity_after_micros=meter.quantity_after.micros,
        cost_before_micros=meter.cost_before.micros,
        cost_after_micros=meter.cost_after.micros,
    )


def _rate_to_wire(rate: Rate | None) -> peer_pb.UsageRate | None:
    if rate is None:
        return None
    told = peer_pb.UsageRate(
        rate_id=rate.rate_id,
        product_id=rate.product_id,
        credit_type_id=rate.credit_type_id,
        effective_time=timestamp(rate.effective_time),
        end_time=optional_timestamp(rate.end_time),
        dimension_values=rate.dimension_values,
        corrects_rate_id=rate.corrects_rate_id,
        create_time=optional_timestamp(rate.create_time),
        is_withdrawn=rate.is_withdrawn,
    )
    match rate.price:
        case FlatPrice(ratio):
            told.rate_type = peer_pb.RATE_TYPE_FLAT
        case PackagePrice(ratio):
            told.rate_type = peer_pb.RATE_TYPE_PACKAGE
        case GraduatedPrice(tiers):
            told.rate_type = peer_pb.RATE_TYPE_GRADUATED
            told.tiers.extend(_tier_to_wire(tier) for tier in tiers)
            return told
        case _:
            assert_never(rate.price)
    told.price_micros, told.per_micros = ratio.numerator_micros, ratio.denominator_micros
    return told


def _tier_to_wire(tier: Tier) -> peer_pb.RateTier:
    return peer_pb.RateTier(
        up_to_micros=None if tier.up_to is None else tier.up_to.micros,
        price_micros=tier.ratio.numerator_micros,
        per_micros=tier.ratio.denominator_micros,
    )
