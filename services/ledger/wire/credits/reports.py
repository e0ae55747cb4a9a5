# SPDX-License-Identifier: Apache-2.0
"""Lists of grants, entries and holds, usage summaries and recounts: conversions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meshkit.page import Page
from meshkit.period import Period
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.paging import number_key, page_from_wire, page_to_wire, text_key
from purser.ledger.v1 import ledger_admin_pb2 as pb
from purser.type.v1.billing_period_pb2 import BillingPeriod
from services.ledger.domain.credits.balance import SeatBalance
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, Grant, GrantId
from services.ledger.domain.credits.verification import Discrepancy, Verification
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState, state_at
from services.ledger.domain.usage.summary import SummaryWindow, UsageRow
from services.ledger.wire.amounts import optional_credit_type_from_wire
from services.ledger.wire.credits.grants import listed_grant_to_wire, seat_balance_to_wire
from services.ledger.wire.gate.lines import held_lines_to_wire

SPAN_MAX = timedelta(days=400)
HOURLY_SPAN_MAX = timedelta(days=32)

_HOLD_STATES: Final[Mapping[int, HoldState | None]] = {pb.HOLD_STATE_UNSPECIFIED: None} | {
    pb.HoldState.Value(f"HOLD_STATE_{state.name}"): state for state in HoldState
}
_WINDOWS: Final[Mapping[int, SummaryWindow]] = {
    pb.SUMMARY_WINDOW_UNSPECIFIED: SummaryWindow.PERIOD,
    pb.SUMMARY_WINDOW_PERIOD: SummaryWindow.PERIOD,
    pb.SUMMARY_WINDOW_DAY: SummaryWindow.DAY,
    pb.SUMMARY_WINDOW_HOUR: SummaryWindow.HOUR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A request for a list of one customer. Its page tokens are valid for these `filters` only."""

    customer: str
    page: Page
    filters: dict[str, str]
    credit_type_id: CreditTypeId | None = None
    grant_id: GrantId | None = None
    state: HoldState | None = None
    hold_id: HoldId | None = None
    subscription_id: str | None = None


def grants_from_wire(request: pb.ListGrantsRequest) -> ListQuery:
    fields = Fields()
    filters = {"list": "grants", "customer": request.customer, "credit_type_id": request.credit_type_id}
    query = ListQuery(
        customer=fields.text("customer", request.customer),
        page=page_from_wire(fields, request, filters),
        filters=filters,
        credit_type_id=optional_credit_type_from_wire(fields, request.credit_type_id),
    )
    fields.check()
    return query


def grants_to_wire(
    rows: Sequence[tuple[CreditTypeId, Grant]], query: ListQuery, *, at: datetime
) -> pb.ListGrantsResponse:
    shown, token = page_to_wire(
        rows,
        query.page,
        query.filters,
        lambda row: (row[1].grant_id,),
        lambda row: listed_grant_to_wire(row[1], row[0], at=at),
    )
    return pb.ListGrantsResponse(grants=shown, next_page_token=token)


def seats_from_wire(request: pb.ListSeatBalancesRequest) -> ListQuery:
    fields = Fields()
    filters = {"list": "seats", "customer": request.customer, "subscription_id": request.subscription_id}
    query = ListQuery(
        customer=fields.text("customer", request.customer),
        page=page_from_wire(fields, request, filters, keys=(text_key, text_key, text_key)),
        filters=filters,
        subscription_id=fields.text("subscription_id", request.subscription_id, required=False) or None,
    )
    fields.check()
    return query


def seats_to_wire(
    rows: Sequence[SeatBalance], query: ListQuery, *, at: datetime
) -> pb.ListSeatBalancesResponse:
    shown, token = page_to_wire(
        rows,
        query.page,
        query.filters,
        lambda row: (row.seat.subscription_id, row.seat.seat_id, row.seat.credit_type_id),
        lambda row: seat_balance_to_wire(row, at=at),
    )
    return pb.ListSeatBalancesResponse(seats=shown, next_page_token=token, as_of_time=timestamp(at))


def entries_from_wire(request: pb.ListEntriesRequest) -> tuple[ListQuery, CreditTypeId]:
    fields = Fields()
    filters = {
        "list": "entries",
        "customer": request.customer,
        "credit_type_id": request.credit_type_id,
        "grant_id": request.grant_id,
    }
    page = page_from_wire(fields, request, filters, keys=(number_key,))
    credit_type_id = CreditTypeId(fields.text("credit_type_id", request.credit_type_id))
    query = ListQuery(
        customer=fields.text("customer", request.customer),
        page=page,
        filters=filters,
        grant_id=GrantId(fields.text("grant_id", request.grant_id)) if request.grant_id else None,
    )
    fields.check()
    return query, credit_type_id


def entries_to_wire(
    rows: Sequence[Entry], query: ListQuery, credit_type_id: CreditTypeId
) -> pb.ListEntriesResponse:
    shown, token = page_to_wire(
        rows,
        query.page,
        query.filters,
        lambda row: (str(row.sequence),),
        lambda entry: entry_to_wire(entry, credit_type_id),
    )
    return pb.ListEntriesResponse(entries=shown, next_page_token=token)


def entry_to_wire(entry: Entry, credit_type_id: CreditTypeId) -> pb.Entry:
    usage = entry.usage
    return pb.Entry(
        sequence=entry.sequence,
        credit_type_id=credit_type_id,
        grant_id=entry.grant_id,
        entry_kind=f"ENTRY_KIND_{entry.kind.name}",
        amount_micros=entry.amount.micros,
        shortfall_micros=entry.shortfall.micros,
        effective_time=timestamp(entry.effective_time),
        create_time=timestamp(entry.create_time),
        hold_id=usage.hold_id if usage else None,
        product_id=usage.product_id if usage else None,
        group_values=usage.group_values if usage else None,
        cause_id=entry.cause_id,
        contract_id=usage.contract_id if usage else None,
        quantity_micros=usage.quantity.micros if usage else 0,
        transaction_id=usage.transaction_id if usage else None,
        corrects_sequence=entry.corrects,
        subject=entry.subject,
    )


def holds_from_wire(request: pb.ListHoldsRequest) -> ListQuery:
    fields = Fields()
    filters = {"list": "holds", "customer": request.customer, "hold_state": str(request.hold_state)} | (
        {"hold_id": request.hold_id} if request.hold_id else {}
    )
    query = ListQuery(
        customer=fields.text("customer", request.customer),
        page=page_from_wire(fields, request, filters),
        filters=filters,
        state=fields.choice("hold_state", request.hold_state, _HOLD_STATES),
        hold_id=HoldId(fields.text("hold_id", request.hold_id, required=False)) or None,
    )
    fields.check()
    return query


def holds_to_wire(
    rows: Sequence[tuple[CreditTypeId, Hold, str]], query: ListQuery, *, at: datetime
) -> pb.ListHoldsResponse:
    shown, token = page_to_wire(
        rows,
        query.page,
        query.filters,
        lambda row: (row[1].hold_id,),
        lambda row: _hold_to_wire(row[1], row[0], row[2], at),
    )
    return pb.ListHoldsResponse(holds=shown, next_page_token=token)


def _hold_to_wire(hold: Hold, credit_type_id: CreditTypeId, subject: str, at: datetime) -> pb.Hold:
    return pb.Hold(
        hold_id=hold.hold_id,
        credit_type_id=credit_type_id,
        product_id=hold.product_id,
        hold_state=f"HOLD_STATE_{state_at(hold, at).name}",
        amount_micros=hold.amount.micros,
        captured_micros=hold.captured.micros,
        group_values=hold.group_values,
        create_time=timestamp(hold.create_time),
        expire_time=timestamp(hold.expire_time),
        lines=held_lines_to_wire(hold.lines),
        subject=subject,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """A request for a usage summary."""

    customer: str
    span: Period
    group_key: str
    window: SummaryWindow


def usage_from_wire(request: pb.GetUsageSummaryRequest) -> UsageQuery:
    fields = Fields()
    start = fields.time("start_time", request.start_time, request.HasField("start_time"))
    end = fields.time("end_time", request.end_time, request.HasField("end_time"))
    window = fields.choice("window", request.window, _WINDOWS)
    longest = HOURLY_SPAN_MAX if window is SummaryWindow.HOUR else SPAN_MAX
    has_both = request.HasField("start_time") and request.HasField("end_time")
    if has_both and start >= end:
        fields.add("end_time", "must be after start_time")
    elif has_both and end - start > longest:
        fields.add("end_time", f"must be at most {longest.days} days after start_time")
    customer = fields.text("customer", request.customer)
    group_key = fields.text("group_key", request.group_key, required=False, max_length=64)
    fields.check()
    return UsageQuery(customer=customer, span=Period(start, end), group_key=group_key, window=window)


def usage_to_wire(rows: Sequence[UsageRow]) -> pb.GetUsageSummaryResponse:
    return pb.GetUsageSummaryResponse(rows=[_usage_row_to_wire(row) for row in rows])


def _usage_row_to_wire(row: UsageRow) -> pb.UsageRow:
    return pb.UsageRow(
        window=BillingPeriod(start_time=timestamp(row.window.start), end_time=timestamp(row.window.end)),
        product_id=row.product_id,
        credit_type_id=row.credit_type_id,
        group_value=row.group_value,
        captured_micros=row.captured.micros,
        shortfall_micros=row.shortfall.micros,
        captures=row.captures,
    )


def verify_from_wire(request: pb.VerifyLedgerRequest) -> str | None:
    fields = Fields()
    customer = fields.text("customer", request.customer, required=False)
    fields.check()
    return customer or None


def verify_to_wire(found: Verification) -> pb.VerifyLedgerResponse:
    return pb.VerifyLedgerResponse(
        is_consistent=not found.discrepancies,
        discrepancies=[_discrepancy_to_wire(one) for one in found.discrepancies],
        pools=found.pools,
        grants=found.grants,
        entries=found.entries,
        holds=found.holds,
    )


def _discrepancy_to_wire(one: Discrepancy) -> pb.Discrepancy:
    return pb.Discrepancy(
        customer_id=one.customer_id,
        credit_type_id=one.credit_type_id,
        grant_id=one.grant_id,
        figure=one.figure,
        stored_micros=one.stored_micros,
        recomputed_micros=one.recomputed_micros,
    )
