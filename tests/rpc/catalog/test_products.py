# SPDX-License-Identifier: Apache-2.0
"""CreateProduct, GetProduct, UpdateProduct, ListProducts, ArchiveProduct."""

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from tests.support.catalog import JULY, JUNE, CatalogStub, Shop, running_catalog
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases

SUBSCRIPTION, USAGE, FIXED = (
    pb.PRODUCT_TYPE_SUBSCRIPTION,
    pb.PRODUCT_TYPE_USAGE,
    pb.PRODUCT_TYPE_FIXED,
)


@pytest.mark.parametrize("product_type", [SUBSCRIPTION, USAGE, FIXED])
async def test_a_product_of_each_type_is_made_and_read(
    catalog: CatalogStub, shop: Shop, product_type: pb.ProductType
) -> None:
    made = await shop.product(product_type, "AI Assistant")

    read = (await catalog.GetProduct(pb.GetProductRequest(product_id=made.product_id))).product
    assert made.product_id.startswith("prd_")
    assert (made.name, made.product_type, made.create_time) == ("AI Assistant", product_type, timestamp(JUNE))
    assert made.billable_metric_id.startswith("met_" if product_type == USAGE else "")
    assert bool(made.billable_metric_id) == (product_type == USAGE)
    assert not made.HasField("archive_time")
    assert read == made


async def test_a_product_is_renamed(catalog: CatalogStub, shop: Shop) -> None:
    product = await shop.product()

    request = pb.UpdateProductRequest(request_id="r1", product_id=product.product_id, name="Credits")
    renamed = (await catalog.UpdateProduct(request)).product

    product.name = "Credits"
    assert renamed == product
    assert (await catalog.GetProduct(pb.GetProductRequest(product_id=product.product_id))).product == product


async def test_an_archived_product_is_listed_only_when_asked_for_and_stays_as_it_was(
    databases: Databases,
) -> None:
    async with running_catalog(databases) as running:
        catalog, shop = running.stub, Shop(running.stub)
        kept, product = await shop.product(), await shop.product()
        running.clock.advance_to(JULY)
        archived = await shop.archived(product)
        again = await shop.archived(product)

        with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_ARCHIVED", product_id=product.product_id):
            await catalog.UpdateProduct(
                pb.UpdateProductRequest(request_id="r1", product_id=product.product_id, name="Too late")
            )
        sold = await catalog.ListProducts(pb.ListProductsRequest())
        all_of_them = await catalog.ListProducts(pb.ListProductsRequest(include_archived=True))

    assert archived.archive_time == timestamp(JULY)
    assert again == archived
    assert list(sold.products) == [kept]
    assert list(all_of_them.products) == [kept, archived]


async def test_an_unknown_product_is_not_found(catalog: CatalogStub) -> None:
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_x"):
        await catalog.GetProduct(pb.GetProductRequest(product_id="prd_x"))
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_x"):
        await catalog.UpdateProduct(
            pb.UpdateProductRequest(request_id="r1", product_id="prd_x", name="Credits")
        )
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_x"):
        await catalog.ArchiveProduct(pb.ArchiveProductRequest(request_id="r1", product_id="prd_x"))


async def test_a_usage_product_needs_a_metric_that_exists_and_is_in_use(
    catalog: CatalogStub, shop: Shop
) -> None:
    archived = await shop.archived_metric()
    request = pb.CreateProductRequest(
        request_id="r1", name="AI Assistant", product_type=USAGE, billable_metric_id="met_x"
    )

    with fault(StatusCode.NOT_FOUND, "BILLABLE_METRIC_NOT_FOUND", billable_metric_id="met_x"):
        await catalog.CreateProduct(request)
    request.billable_metric_id = archived.billable_metric_id
    with fault(
        StatusCode.FAILED_PRECONDITION,
        "BILLABLE_METRIC_ARCHIVED",
        billable_metric_id=archived.billable_metric_id,
    ):
        await catalog.CreateProduct(request)


async def test_a_product_keeps_a_metric_that_is_archived_later(catalog: CatalogStub, shop: Shop) -> None:
    product = await shop.usage()
    await catalog.ArchiveBillableMetric(
        pb.ArchiveBillableMetricRequest(request_id="r1", billable_metric_id=product.billable_metric_id)
    )

    request = pb.UpdateProductRequest(request_id="r2", product_id=product.product_id, name="Renamed")

    assert (await catalog.UpdateProduct(request)).product.billable_metric_id == product.billable_metric_id


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (pb.CreateProductRequest(), ["request_id", "name", "product_type"]),
        (pb.CreateProductRequest(billable_metric_id="met_1"), ["request_id", "name", "product_type"]),
        (
            pb.CreateProductRequest(request_id="r1", product_type=USAGE),
            ["name", "billable_metric_id"],
        ),
        (
            pb.CreateProductRequest(
                request_id="r1", name="x", product_type=FIXED, billable_metric_id="met_1"
            ),
            ["billable_metric_id"],
        ),
        (
            pb.CreateProductRequest(
                request_id="r1", name="x", product_type=SUBSCRIPTION, billable_metric_id="met_1"
            ),
            ["billable_metric_id"],
        ),
        (
            pb.CreateProductRequest(request_id="?", name="x" * 201, product_type=FIXED),
            ["request_id", "name"],
        ),
    ],
)
async def test_all_bad_fields_of_a_product_are_named_at_once(
    catalog: CatalogStub, request_: pb.CreateProductRequest, fields: list[str]
) -> None:
    with bad_fields(*fields):
        await catalog.CreateProduct(request_)


async def test_ids_and_names_are_required(catalog: CatalogStub) -> None:
    with bad_fields("product_id"):
        await catalog.GetProduct(pb.GetProductRequest())
    with bad_fields("request_id", "product_id", "name"):
        await catalog.UpdateProduct(pb.UpdateProductRequest())
    with bad_fields("request_id", "product_id"):
        await catalog.ArchiveProduct(pb.ArchiveProductRequest())
