# SPDX-License-Identifier: Apache-2.0
"""Products on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.quantity import Ratio
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.catalog.v1 import catalog_pb2 as pb
from services.catalog.domain.commands import ArchiveProduct, CreateProduct, ResendProduct, UpdateProduct
from services.catalog.domain.metric import BillableMetricId
from services.catalog.domain.product import (
    Product,
    ProductId,
    ProductType,
    QuantityConversion,
    QuantityRounding,
)
from services.catalog.wire.dimensions import dimension_to_wire, dimensions_from_wire

_TYPES_TO_WIRE: Final = {
    ProductType.SUBSCRIPTION: pb.PRODUCT_TYPE_SUBSCRIPTION,
    ProductType.USAGE: pb.PRODUCT_TYPE_USAGE,
    ProductType.FIXED: pb.PRODUCT_TYPE_FIXED,
}
_TYPES: Final[dict[int, ProductType]] = {theirs: ours for ours, theirs in _TYPES_TO_WIRE.items()}
_ROUNDINGS_TO_WIRE: Final = {
    QuantityRounding.NONE: pb.QUANTITY_ROUNDING_UNSPECIFIED,
    QuantityRounding.UP: pb.QUANTITY_ROUNDING_UP,
    QuantityRounding.DOWN: pb.QUANTITY_ROUNDING_DOWN,
    QuantityRounding.HALF_UP: pb.QUANTITY_ROUNDING_HALF_UP,
}
_ROUNDINGS: Final[dict[int, QuantityRounding]] = {theirs: ours for ours, theirs in _ROUNDINGS_TO_WIRE.items()}


def create_from_wire(request: pb.CreateProductRequest) -> CreateProduct:
    fields = Fields()
    command = CreateProduct(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateProduct", request),
        name=fields.text("name", request.name),
        product_type=fields.choice("product_type", request.product_type, _TYPES),
        billable_metric_id=_billable_metric_id(fields, request),
        conversion=_conversion(fields, request),
        pricing_dimensions=dimensions_from_wire(fields, request),
    )
    fields.check()
    return command


def create_to_wire(product: Product) -> pb.CreateProductResponse:
    return pb.CreateProductResponse(product=product_to_wire(product))


def get_from_wire(request: pb.GetProductRequest) -> ProductId:
    fields = Fields()
    product_id = ProductId(fields.text("product_id", request.product_id))
    fields.check()
    return product_id


def get_to_wire(product: Product) -> pb.GetProductResponse:
    return pb.GetProductResponse(product=product_to_wire(product))


def update_from_wire(request: pb.UpdateProductRequest) -> UpdateProduct:
    fields = Fields()
    command = UpdateProduct(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("UpdateProduct", request),
        product_id=ProductId(fields.text("product_id", request.product_id)),
        name=fields.text("name", request.name),
    )
    fields.check()
    return command


def update_to_wire(product: Product) -> pb.UpdateProductResponse:
    return pb.UpdateProductResponse(product=product_to_wire(product))


def resend_from_wire(request: pb.ResendProductRequest) -> ResendProduct:
    fields = Fields()
    command = ResendProduct(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ResendProduct", request),
        product_id=ProductId(fields.text("product_id", request.product_id)),
    )
    fields.check()
    return command


def resend_to_wire(product: Product) -> pb.ResendProductResponse:
    return pb.ResendProductResponse(product=product_to_wire(product))


def list_from_wire(request: pb.ListProductsRequest) -> Page:
    fields = Fields()
    page = page_from_wire(fields, request, _list(request))
    fields.check()
    return page


def list_to_wire(
    rows: Sequence[Product], page: Page, request: pb.ListProductsRequest
) -> pb.ListProductsResponse:
    shown, token = page_to_wire(rows, page, _list(request), lambda row: (row.product_id,), product_to_wire)
    return pb.ListProductsResponse(products=shown, next_page_token=token)


def archive_from_wire(request: pb.ArchiveProductRequest) -> ArchiveProduct:
    fields = Fields()
    command = ArchiveProduct(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ArchiveProduct", request),
        product_id=ProductId(fields.text("product_id", request.product_id)),
    )
    fields.check()
    return command


def archive_to_wire(product: Product) -> pb.ArchiveProductResponse:
    return pb.ArchiveProductResponse(product=product_to_wire(product))


def product_to_wire(product: Product) -> pb.Product:
    return pb.Product(
        product_id=product.product_id,
        name=product.name,
        product_type=_TYPES_TO_WIRE[product.product_type],
        billable_metric_id=product.billable_metric_id or "",
        create_time=timestamp(product.create_time),
        archive_time=optional_timestamp(product.archive_time),
        conversion=None if product.conversion is None else _conversion_to_wire(product.conversion),
        pricing_dimensions=[dimension_to_wire(one) for one in product.pricing_dimensions],
    )


def _list(request: pb.ListProductsRequest) -> dict[str, str]:
    return {"list": "products", "include_archived": str(request.include_archived)}


def _billable_metric_id(fields: Fields, request: pb.CreateProductRequest) -> BillableMetricId | None:
    if request.product_type == pb.PRODUCT_TYPE_USAGE:
        return BillableMetricId(fields.text("billable_metric_id", request.billable_metric_id))
    if request.product_type in _TYPES and request.billable_metric_id:
        fields.add("billable_metric_id", "is for PRODUCT_TYPE_USAGE only")
    return None


def _conversion(fields: Fields, request: pb.CreateProductRequest) -> QuantityConversion | None:
    if not request.HasField("conversion"):
        return None
    if request.product_type in _TYPES and request.product_type != pb.PRODUCT_TYPE_USAGE:
        fields.add("conversion", "is for PRODUCT_TYPE_USAGE only")
        return None
    asked = request.conversion
    priced = fields.micros("conversion.priced_micros", asked.priced_micros, minimum=1)
    measured = fields.micros("conversion.per_micros", asked.per_micros, minimum=1)
    rounding = fields.choice("conversion.rounding", asked.rounding, _ROUNDINGS)
    return QuantityConversion(ratio=Ratio(priced, measured), rounding=rounding)


def _conversion_to_wire(conversion: QuantityConversion) -> pb.QuantityConversion:
    return pb.QuantityConversion(
        priced_micros=conversion.ratio.numerator_micros,
        per_micros=conversion.ratio.denominator_micros,
        rounding=_ROUNDINGS_TO_WIRE[conversion.rounding],
    )
