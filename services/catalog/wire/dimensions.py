# SPDX-License-Identifier: Apache-2.0
"""Pricing dimensions on the wire."""

from collections.abc import Sequence

from meshkit.rpc.fields import Fields
from purser.catalog.v1 import catalog_pb2 as pb
from services.catalog.domain.dimension import (
    BANDS_MAX,
    DIMENSION_TEXT_MAX,
    DIMENSIONS_MAX,
    VALUES_MAX,
    DimensionBand,
    PricingDimension,
)
from services.catalog.wire.ascending import ends_from_wire


def dimensions_from_wire(fields: Fields, request: pb.CreateProductRequest) -> tuple[PricingDimension, ...]:
    asked = request.pricing_dimensions
    is_usage = request.product_type == pb.PRODUCT_TYPE_USAGE
    if asked and not is_usage and request.product_type != pb.PRODUCT_TYPE_UNSPECIFIED:
        fields.add("pricing_dimensions", "is for PRODUCT_TYPE_USAGE only")
        return ()
    if len(asked) > DIMENSIONS_MAX:
        fields.add("pricing_dimensions", f"must have at most {DIMENSIONS_MAX} elements, has {len(asked)}")
        return ()
    dimensions = []
    for n, one in enumerate(asked):
        path = f"pricing_dimensions[{n}]"
        if one.key and any(one.key == earlier.key for earlier in asked[:n]):
            fields.add(f"{path}.key", f"is a duplicate of {one.key!r}")
        dimensions.append(_dimension(fields, path, one))
    return tuple(dimensions)


def dimension_to_wire(dimension: PricingDimension) -> pb.PricingDimension:
    return pb.PricingDimension(
        key=dimension.key,
        property=dimension.property,
        bands=[
            pb.DimensionBand(value=band.value, up_to_micros=band.up_to_micros) for band in dimension.bands
        ],
        values=dimension.values,
    )


def dimension_text(fields: Fields, path: str, value: str) -> str:
    """Return a dimension's key or value."""
    return fields.text(path, value, max_length=DIMENSION_TEXT_MAX)


def _dimension(fields: Fields, path: str, asked: pb.PricingDimension) -> PricingDimension:
    if asked.bands and asked.values:
        fields.add(f"{path}.values", "must be empty with bands, whose values are the known ones")
    if len(asked.values) > VALUES_MAX:
        fields.add(f"{path}.values", f"must have at most {VALUES_MAX} elements, has {len(asked.values)}")
    key = dimension_text(fields, f"{path}.key", asked.key)
    return PricingDimension(
        key=key,
        property=fields.text(f"{path}.property", asked.property, required=False) or key,
        bands=_bands(fields, f"{path}.bands", asked.bands),
        values=_different(fields, path, asked.values[:VALUES_MAX]),
    )


def _bands(fields: Fields, path: str, asked: Sequence[pb.DimensionBand]) -> tuple[DimensionBand, ...]:
    if len(asked) > BANDS_MAX:
        fields.add(path, f"must have at most {BANDS_MAX} elements, has {len(asked)}")
        return ()
    for n, one in enumerate(asked):
        dimension_text(fields, f"{path}[{n}].value", one.value)
        if one.value and any(one.value == earlier.value for earlier in asked[:n]):
            fields.add(f"{path}[{n}].value", f"is a duplicate of {one.value!r}")
    ends = ends_from_wire(fields, path, asked, minimum=0)
    return tuple(
        DimensionBand(value=one.value, up_to_micros=end) for one, end in zip(asked, ends, strict=True)
    )


def _different(fields: Fields, path: str, asked: Sequence[str]) -> tuple[str, ...]:
    seen: set[str] = set()
    for n, value in enumerate(asked):
        dimension_text(fields, f"{path}.values[{n}]", value)
        if value and value in seen:
            fields.add(f"{path}.values[{n}]", f"is a duplicate of {value!r}")
        seen.add(value)
    return tuple(asked)
