# SPDX-License-Identifier: Apache-2.0
"""Pricing units, billable metrics and products: the Catalog's."""

from purser.catalog.v1 import catalog_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.faults import Refused
from services.edge.pages import page_of
from services.edge.wire import pricing as wire
from services.edge.wire.fields import CursorQuery, IdBody, id_to_json, one_violation


async def create_credit_type(ask: Ask) -> object:
    body = ask.body(wire.CreateCreditType)
    made = await ask.mesh.catalog.CreateCreditType(
        pb.CreateCreditTypeRequest(request_id=ask.request_id(), name=body.name)
    )
    return id_to_json(made.credit_type.credit_type_id)


async def list_credit_types(ask: Ask) -> object:
    query = ask.query_of(CursorQuery)
    listed = await ask.mesh.catalog.ListCreditTypes(
        pb.ListCreditTypesRequest(page_size=query.limit or 0, page_token=query.next_page)
    )
    return page_of([wire.credit_type_to_json(one) for one in listed.credit_types], listed.next_page_token)


async def archive_credit_type(_: Ask) -> object:
    raise Refused(501, "Purser keeps credit types: there is no way to archive one")


async def create_metric(ask: Ask) -> object:
    request = wire.metric_from_json(ask.body(wire.CreateMetric), ask.request_id())
    made = await ask.mesh.catalog.CreateBillableMetric(request)
    return id_to_json(made.billable_metric.billable_metric_id)


async def get_metric(ask: Ask) -> object:
    found = await ask.mesh.catalog.GetBillableMetric(
        pb.GetBillableMetricRequest(billable_metric_id=ask.path_values["billable_metric_id"])
    )
    return {"data": wire.metric_to_json(found.billable_metric)}


async def list_metrics(ask: Ask) -> object:
    query = ask.query_of(wire.ListMetrics)
    listed = await ask.mesh.catalog.ListBillableMetrics(
        pb.ListBillableMetricsRequest(
            page_size=query.limit or 0, page_token=query.next_page, include_archived=query.include_archived
        )
    )
    return page_of([wire.metric_to_json(one) for one in listed.billable_metrics], listed.next_page_token)


async def archive_metric(ask: Ask) -> object:
    body = ask.body(IdBody)
    await ask.mesh.catalog.ArchiveBillableMetric(
        pb.ArchiveBillableMetricRequest(request_id=ask.request_id(), billable_metric_id=body.id)
    )
    return id_to_json(body.id)


async def create_product(ask: Ask) -> object:
    body = ask.body(wire.CreateProduct)
    if body.presentation_group_key:
        await _require_group_keys(ask, body)
    made = await ask.mesh.catalog.CreateProduct(wire.product_from_json(body, ask.request_id()))
    return id_to_json(made.product.product_id)


async def _require_group_keys(ask: Ask, body: wire.CreateProduct) -> None:
    """Refuse a presentation group key by which the metric cannot group: in Purser the metric says it."""
    found = await ask.mesh.catalog.GetBillableMetric(
        pb.GetBillableMetricRequest(billable_metric_id=body.billable_metric_id)
    )
    missing = [key for key in body.presentation_group_key if key not in found.billable_metric.group_keys]
    if missing:
        raise one_violation(
            "presentation_group_key",
            f"must be among the group_keys of the billable metric: {', '.join(missing)}",
        )


async def get_product(ask: Ask) -> object:
    found = await ask.mesh.catalog.GetProduct(pb.GetProductRequest(product_id=ask.body(IdBody).id))
    return {"data": wire.product_to_json(found.product)}


async def update_product(ask: Ask) -> object:
    body = ask.body(wire.UpdateProduct)
    updated = await ask.mesh.catalog.UpdateProduct(
        pb.UpdateProductRequest(request_id=ask.request_id(), product_id=body.product_id, name=body.name)
    )
    return id_to_json(updated.product.product_id)


async def list_products(ask: Ask) -> object:
    query, archive_filter = (
        ask.query_of(wire.ListProductsQuery),
        ask.body(wire.ListProductsBody).archive_filter,
    )
    listed = await ask.mesh.catalog.ListProducts(
        pb.ListProductsRequest(
            page_size=query.limit or 0,
            page_token=query.next_page,
            include_archived=archive_filter != "NOT_ARCHIVED",
        )
    )
    shown = [wire.product_to_json(one) for one in listed.products if wire.is_listed(one, archive_filter)]
    return page_of(shown, listed.next_page_token)


async def archive_product(ask: Ask) -> object:
    body = ask.body(wire.ArchiveProduct)
    await ask.mesh.catalog.ArchiveProduct(
        pb.ArchiveProductRequest(request_id=ask.request_id(), product_id=body.product_id)
    )
    return id_to_json(body.product_id)


ENTRIES = (
    Entry("POST", "/v1/credit-types/create", create_credit_type),
    Entry("GET", "/v1/credit-types/list", list_credit_types),
    Entry("POST", "/v1/credit-types/archive", archive_credit_type),
    Entry("POST", "/v1/billable-metrics/create", create_metric),
    Entry("GET", "/v1/billable-metrics", list_metrics),
    Entry("GET", "/v1/billable-metrics/{billable_metric_id}", get_metric),
    Entry("POST", "/v1/billable-metrics/archive", archive_metric),
    Entry("POST", "/v1/contract-pricing/products/create", create_product),
    Entry("POST", "/v1/contract-pricing/products/get", get_product),
    Entry("POST", "/v1/contract-pricing/products/update", update_product),
    Entry("POST", "/v1/contract-pricing/products/list", list_products),
    Entry("POST", "/v1/contract-pricing/products/archive", archive_product),
)
