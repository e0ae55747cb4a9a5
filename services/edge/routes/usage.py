# SPDX-License-Identifier: Apache-2.0
"""Usage: reporting and reading it. The Ledger adds up by product, so a metric is read by a product that it measures."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.ledger.v1 import usage_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.faults import Refused
from services.edge.pages import all_pages, page_of
from services.edge.wire import usage as wire
from services.edge.wire.fields import body_from_json, one_violation
from services.edge.wire.pricing import metric_to_json

SEARCHED_MAX = 100


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric as JSON, and one product that it measures."""

    metric: dict[str, object]
    product_id: str


async def ingest(ask: Ask) -> object:
    """Record events. Answers 400 if one is rejected; the others are recorded, and repeating them changes nothing."""
    body = body_from_json(wire.Events, wire.events_from_json(ask.content))
    events = [wire.event_from_json(event) for event in body.events]
    recorded = await ask.mesh.usage.RecordUsage(pb.RecordUsageRequest(events=events))
    rejected = wire.rejections(recorded.results)
    if rejected:
        raise Refused(400, "; ".join(one.message for one in rejected))
    return None


async def search_events(ask: Ask) -> object:
    body = ask.body(wire.SearchEvents)
    if not body.customer_id:
        raise one_violation(
            "customer_id",
            "is required: a transaction id belongs to one customer (SDK: extra_body={'customer_id': …})",
        )
    if len(body.transactionIds) > SEARCHED_MAX:
        raise one_violation("transactionIds", f"must have at most {SEARCHED_MAX} ids")
    found = await asyncio.gather(
        *(
            ask.mesh.usage.ListUsageEvents(
                pb.ListUsageEventsRequest(customer=body.customer_id, transaction_id=transaction_id)
            )
            for transaction_id in body.transactionIds
        )
    )
    events = [stored for listed in found for stored in listed.events]
    metrics = {one.product_id: one.metric for one in await _measured(ask)} if events else {}
    return [wire.event_to_json(stored, metrics) for stored in events]


async def _measured(ask: Ask) -> list[Measured]:
    """Return every usage product with its metric."""
    metrics = {
        metric.billable_metric_id: metric_to_json(metric)
        async for listed in all_pages(
            lambda token: ask.mesh.catalog.ListBillableMetrics(
                catalog.ListBillableMetricsRequest(include_archived=True, page_size=500, page_token=token)
            )
        )
        for metric in listed.billable_metrics
    }
    return [
        Measured(metrics[product.billable_metric_id], product.product_id)
        async for found in all_pages(
            lambda token: ask.mesh.catalog.ListProducts(
                catalog.ListProductsRequest(include_archived=True, page_size=500, page_token=token)
            )
        )
        for product in found.products
        if product.billable_metric_id
    ]


def _by_metric(measured: list[Measured]) -> Mapping[str, Measured]:
    """Return the first product of each metric: all of them measure the same."""
    return {str(one.metric["id"]): one for one in reversed(measured)}


def _product_of(metrics: Mapping[str, Measured], metric_id: str) -> Measured:
    if metric_id not in metrics:
        raise Refused(404, f"billable metric {metric_id!r} measures no product, so nothing is added up by it")
    return metrics[metric_id]


async def list_usage(ask: Ask) -> object:
    ask.query_of(wire.UsageQuery)
    body = ask.body(wire.ListUsage)
    metrics = _by_metric(await _measured(ask))
    asked = body.billable_metrics or tuple(wire.MetricUsage(id=metric_id) for metric_id in metrics)
    rows: list[object] = []
    for one in asked:
        measured = _product_of(metrics, one.id)
        for customer in body.customer_ids or ("",):
            sums = await _sums(ask, body, customer, measured.product_id, one.group_by)
            rows += wire.usage_to_json(sums, measured.metric, one.group_by)
    return page_of(rows, "")


async def _sums(
    ask: Ask, body: wire.ListUsage, customer: str, product_id: str, group: wire.GroupBy | None
) -> list[pb.UsageSum]:
    return [
        one
        async for listed in all_pages(
            lambda token: ask.mesh.usage.GetUsage(
                pb.GetUsageRequest(
                    customer=customer,
                    start_time=timestamp(body.starting_on),
                    end_time=timestamp(body.ending_before),
                    window=wire.WINDOWS[body.window_size],
                    product_id=product_id,
                    group_key="" if group is None else group.key,
                    page_size=500,
                    page_token=token,
                )
            )
        )
        for one in listed.sums
    ]


async def list_usage_groups(ask: Ask) -> object:
    query, body = ask.query_of(wire.UsageQuery), ask.body(wire.UsageGroups)
    group = wire.group_of(body)
    measured = _product_of(_by_metric(await _measured(ask)), body.billable_metric_id)
    values = () if group is None else group.values
    listed = await ask.mesh.usage.GetUsage(
        pb.GetUsageRequest(
            customer=body.customer_id,
            start_time=timestamp(body.starting_on),
            end_time=timestamp(body.ending_before),
            window=wire.WINDOWS[body.window_size],
            product_id=measured.product_id,
            group_key="" if group is None else group.key,
            group_value=values[0] if len(values) == 1 else "",
            page_size=query.limit or 0,
            page_token=query.next_page,
        )
    )
    shown: list[object] = [
        wire.usage_group_to_json(one, group) for one in listed.sums if not values or one.group_value in values
    ]
    return page_of(shown, listed.next_page_token)


ENTRIES = (
    Entry("POST", "/v1/ingest", ingest),
    Entry("POST", "/v1/events/search", search_events),
    Entry("POST", "/v1/usage", list_usage),
    Entry("POST", "/v1/usage/groups", list_usage_groups),
)
