# SPDX-License-Identifier: Apache-2.0
"""GetUsage and ListTopSpenders on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from meshkit.page import Page
from meshkit.period import Period
from meshkit.rpc.fields import EPOCH, Fields, timestamp
from meshkit.rpc.paging import page_from_wire, page_to_wire, text_key, time_key
from purser.ledger.v1 import usage_pb2 as pb
from purser.type.v1.billing_period_pb2 import BillingPeriod
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.usage.reads import (
    Spender,
    SpenderQuestion,
    TopSpenders,
    UsageQuestion,
    UsageSum,
    UsageSums,
    UsageWindow,
)
from services.ledger.wire.amounts import time_in_periods

SPAN_MAX: Final = timedelta(days=400)
HOURLY_SPAN_MAX: Final = timedelta(days=32)
SPENDERS_DEFAULT: Final = 10
SPENDERS_MAX: Final = 100

_HOUR: Final = timedelta(hours=1)
_WINDOWS: Final[Mapping[int, UsageWindow]] = {
    pb.UsageWindow.Value(f"USAGE_WINDOW_{window.name}"): window for window in UsageWindow
}


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """A request for sums. Its page tokens are valid for these `filters` only."""

    question: UsageQuestion
    page: Page
    filters: Mapping[str, str]


def usage_from_wire(request: pb.GetUsageRequest) -> UsageQuery:
    fields = Fields()
    window = fields.choice("window", request.window, _WINDOWS)
    span = _span_from_wire(fields, request, window)
    customer = fields.text("customer", request.customer, required=False)
    product_id = fields.text("product_id", request.product_id, required=False)
    group_key = fields.text("group_key", request.group_key, required=False, max_length=64)
    group_value = fields.text("group_value", request.group_value, required=False)
    dimension_key = fields.text("dimension_key", request.dimension_key, required=False, max_length=64)
    if group_value and not group_key:
        fields.add("group_key", "is required with group_value")
    filters = {
        "list": "usage",
        "customer": customer,
        "start_time": span.start.isoformat(),
        "end_time": span.end.isoformat(),
        "window": window.name,
        "product_id": product_id,
        "group_key": group_key,
        "group_value": group_value,
        "dimension_key": dimension_key,
    }
    keys = (text_key, text_key, time_key, text_key, text_key, text_key)
    page = page_from_wire(fields, request, filters, keys=keys)
    fields.check()
    question = UsageQuestion(
        customer=customer or None,
        span=span,
        window=window,
        product_id=ProductId(product_id) if product_id else None,
        group_key=group_key,
        group_value=group_value or None,
        dimension_key=dimension_key,
    )
    return UsageQuery(question, page, filters)


def usage_to_wire(found: UsageSums, query: UsageQuery) -> pb.GetUsageResponse:
    shown, token = page_to_wire(found.sums, query.page, query.filters, _keys, _sum_to_wire)
    return pb.GetUsageResponse(sums=shown, next_page_token=token, is_complete=found.is_complete)


def spenders_from_wire(request: pb.ListTopSpendersRequest) -> SpenderQuestion:
    fields = Fields()
    product_id = fields.text("product_id", request.product_id, required=False)
    period_time = fields.optional_time("period_time", request.period_time, request.HasField("period_time"))
    question = SpenderQuestion(
        customer=fields.text("customer", request.customer),
        credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
        group_key=fields.text("group_key", request.group_key, max_length=64),
        period_time=None if period_time is None else time_in_periods(fields, "period_time", period_time),
        product_id=ProductId(product_id) if product_id else None,
        spenders_max=fields.count("spenders_max", request.spenders_max, minimum=0, maximum=SPENDERS_MAX)
        or SPENDERS_DEFAULT,
    )
    fields.check()
    return question


def spenders_to_wire(found: TopSpenders) -> pb.ListTopSpendersResponse:
    return pb.ListTopSpendersResponse(
        spenders=[_spender_to_wire(one) for one in found.spenders],
        period=None if found.period is None else period_to_wire(found.period),
        is_complete=found.is_complete,
    )


def period_to_wire(period: Period) -> BillingPeriod:
    return BillingPeriod(start_time=timestamp(period.start), end_time=timestamp(period.end))


def _span_from_wire(fields: Fields, request: pb.GetUsageRequest, window: UsageWindow) -> Period:
    """Return the span; any span if its times are wrong, which is recorded."""
    start = fields.time("start_time", request.start_time, request.HasField("start_time"))
    end = fields.time("end_time", request.end_time, request.HasField("end_time"))
    if EPOCH in (start, end):
        return Period(EPOCH, EPOCH + _HOUR)
    if window is not UsageWindow.USAGE_PERIOD:
        for field, time in (("start_time", start), ("end_time", end)):
            if (time - EPOCH) % _HOUR:
                fields.add(field, "must be the start of an hour, because usage is added up by hour")
    longest = HOURLY_SPAN_MAX if window is UsageWindow.HOUR else SPAN_MAX
    if start >= end:
        fields.add("end_time", "must be after start_time")
        return Period(EPOCH, EPOCH + _HOUR)
    if end - start > longest:
        fields.add("end_time", f"must be at most {longest.days} days after start_time")
    return Period(start, end)


def _keys(one: UsageSum) -> tuple[str, ...]:
    return (
        one.customer_id,
        one.group_value,
        one.start.isoformat(),
        one.product_id,
        one.credit_type_id,
        one.dimension_value,
    )


def _sum_to_wire(one: UsageSum) -> pb.UsageSum:
    return pb.UsageSum(
        customer_id=one.customer_id,
        window=period_to_wire(one.window),
        product_id=one.product_id,
        credit_type_id=one.credit_type_id,
        group_value=one.group_value,
        dimension_value=one.dimension_value,
        quantity_micros=one.quantity.micros,
        credits_micros=one.credits.micros,
        shortfall_micros=one.shortfall.micros,
        uses=one.uses,
    )


def _spender_to_wire(one: Spender) -> pb.Spender:
    return pb.Spender(
        group_value=one.group_value,
        credits_micros=one.credits.micros,
        shortfall_micros=one.shortfall.micros,
        uses=one.uses,
    )
