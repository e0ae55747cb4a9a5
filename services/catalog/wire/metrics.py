# SPDX-License-Identifier: Apache-2.0
"""Billable metrics on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.catalog.v1 import catalog_pb2 as pb
from services.catalog.domain.commands import ArchiveBillableMetric, CreateBillableMetric
from services.catalog.domain.metric import (
    FILTER_VALUES_MAX,
    FILTERS_MAX,
    GROUP_KEYS_MAX,
    Aggregation,
    BillableMetric,
    BillableMetricId,
    FilterKind,
    PropertyFilter,
)

_AGGREGATIONS_TO_WIRE: Final = {
    Aggregation.COUNT: pb.AGGREGATION_COUNT,
    Aggregation.SUM: pb.AGGREGATION_SUM,
    Aggregation.MAX: pb.AGGREGATION_MAX,
    Aggregation.UNIQUE: pb.AGGREGATION_UNIQUE,
}
_AGGREGATIONS: Final[dict[int, Aggregation]] = {
    theirs: ours for ours, theirs in _AGGREGATIONS_TO_WIRE.items()
}


def create_from_wire(request: pb.CreateBillableMetricRequest) -> CreateBillableMetric:
    fields = Fields()
    command = CreateBillableMetric(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateBillableMetric", request),
        name=fields.text("name", request.name),
        event_type=fields.text("event_type", request.event_type),
        aggregation=fields.choice("aggregation", request.aggregation, _AGGREGATIONS),
        aggregated_property=_aggregated_property(fields, request),
        filters=_filters(fields, request.filters),
        group_keys=_group_keys(fields, request.group_keys),
    )
    fields.check()
    return command


def create_to_wire(metric: BillableMetric) -> pb.CreateBillableMetricResponse:
    return pb.CreateBillableMetricResponse(billable_metric=metric_to_wire(metric))


def get_from_wire(request: pb.GetBillableMetricRequest) -> BillableMetricId:
    fields = Fields()
    billable_metric_id = BillableMetricId(fields.text("billable_metric_id", request.billable_metric_id))
    fields.check()
    return billable_metric_id


def get_to_wire(metric: BillableMetric) -> pb.GetBillableMetricResponse:
    return pb.GetBillableMetricResponse(billable_metric=metric_to_wire(metric))


def list_from_wire(request: pb.ListBillableMetricsRequest) -> Page:
    fields = Fields()
    page = page_from_wire(fields, request, _list(request))
    fields.check()
    return page


def list_to_wire(
    rows: Sequence[BillableMetric], page: Page, request: pb.ListBillableMetricsRequest
) -> pb.ListBillableMetricsResponse:
    shown, token = page_to_wire(
        rows, page, _list(request), lambda row: (row.billable_metric_id,), metric_to_wire
    )
    return pb.ListBillableMetricsResponse(billable_metrics=shown, next_page_token=token)


def archive_from_wire(request: pb.ArchiveBillableMetricRequest) -> ArchiveBillableMetric:
    fields = Fields()
    command = ArchiveBillableMetric(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ArchiveBillableMetric", request),
        billable_metric_id=BillableMetricId(fields.text("billable_metric_id", request.billable_metric_id)),
    )
    fields.check()
    return command


def archive_to_wire(metric: BillableMetric) -> pb.ArchiveBillableMetricResponse:
    return pb.ArchiveBillableMetricResponse(billable_metric=metric_to_wire(metric))


def metric_to_wire(metric: BillableMetric) -> pb.BillableMetric:
    property_ = metric.aggregated_property or ""
    return pb.BillableMetric(
        billable_metric_id=metric.billable_metric_id,
        name=metric.name,
        event_type=metric.event_type,
        aggregation=_AGGREGATIONS_TO_WIRE[metric.aggregation],
        sum_property=property_ if metric.aggregation is Aggregation.SUM else "",
        filters=[_filter_to_wire(one) for one in metric.filters],
        group_keys=metric.group_keys,
        create_time=timestamp(metric.create_time),
        archive_time=optional_timestamp(metric.archive_time),
        aggregated_property=property_,
    )


def _list(request: pb.ListBillableMetricsRequest) -> dict[str, str]:
    return {"list": "billable_metrics", "include_archived": str(request.include_archived)}


def _aggregated_property(fields: Fields, request: pb.CreateBillableMetricRequest) -> str | None:
    given, older = request.aggregated_property, request.sum_property
    if request.aggregation not in _AGGREGATIONS:
        return None
    if older and request.aggregation != pb.AGGREGATION_SUM:
        fields.add("sum_property", "is for AGGREGATION_SUM only")
    elif older and given and older != given:
        fields.add("sum_property", "must equal aggregated_property, or be left out")
    elif older:
        return fields.text("sum_property", older)
    if request.aggregation != pb.AGGREGATION_COUNT:
        return fields.text("aggregated_property", given)
    if given:
        fields.add("aggregated_property", "is not for AGGREGATION_COUNT")
    return None


def _filters(fields: Fields, asked: Sequence[pb.PropertyFilter]) -> tuple[PropertyFilter, ...]:
    if len(asked) > FILTERS_MAX:
        fields.add("filters", f"must have at most {FILTERS_MAX} elements, has {len(asked)}")
        return ()
    return tuple(_filter(fields, f"filters[{n}]", one) for n, one in enumerate(asked))


def _filter(fields: Fields, path: str, asked: pb.PropertyFilter) -> PropertyFilter:
    conditions = {
        FilterKind.EXISTS: asked.exists,
        FilterKind.IN: bool(asked.in_values),
        FilterKind.NOT_IN: bool(asked.not_in_values),
    }
    given = [kind for kind, is_given in conditions.items() if is_given]
    if len(given) != 1:
        fields.add(path, "must have exactly one of exists, in_values, not_in_values")
    return PropertyFilter(
        property=fields.text(f"{path}.property", asked.property),
        kind=given[0] if given else FilterKind.EXISTS,
        values=(
            *_values(fields, f"{path}.in_values", asked.in_values),
            *_values(fields, f"{path}.not_in_values", asked.not_in_values),
        ),
    )


def _values(fields: Fields, path: str, asked: Sequence[str]) -> tuple[str, ...]:
    if len(asked) > FILTER_VALUES_MAX:
        fields.add(path, f"must have at most {FILTER_VALUES_MAX} elements, has {len(asked)}")
        return ()
    return tuple(fields.text(f"{path}[{n}]", value) for n, value in enumerate(asked))


def _group_keys(fields: Fields, asked: Sequence[str]) -> tuple[str, ...]:
    if len(asked) > GROUP_KEYS_MAX:
        fields.add("group_keys", f"must have at most {GROUP_KEYS_MAX} elements, has {len(asked)}")
        return ()
    for n, key in enumerate(asked):
        fields.text(f"group_keys[{n}]", key)
        if key and key in asked[:n]:
            fields.add(f"group_keys[{n}]", f"is a duplicate of {key!r}")
    return tuple(asked)


def _filter_to_wire(one: PropertyFilter) -> pb.PropertyFilter:
    return pb.PropertyFilter(
        property=one.property,
        exists=one.kind is FilterKind.EXISTS,
        in_values=one.values if one.kind is FilterKind.IN else (),
        not_in_values=one.values if one.kind is FilterKind.NOT_IN else (),
    )
