# SPDX-License-Identifier: Apache-2.0
"""Prices on the wire: the part of a rate that says how a quantity becomes a cost, and for which dimension values."""

from collections.abc import Mapping, Sequence
from typing import Final

from meshkit.quantity import MICROS, Ratio
from meshkit.rpc.fields import Fields
from purser.catalog.v1 import catalog_pb2 as pb
from services.catalog.domain.dimension import DIMENSIONS_MAX
from services.catalog.domain.rate import (
    TIERED,
    TIERS_MAX,
    BillingFrequency,
    DimensionValues,
    Pricing,
    RateTier,
    RateType,
)
from services.catalog.wire.ascending import ends_from_wire
from services.catalog.wire.dimensions import dimension_text

FREQUENCIES_TO_WIRE: Final = {
    BillingFrequency.WEEKLY: pb.BILLING_FREQUENCY_WEEKLY,
    BillingFrequency.MONTHLY: pb.BILLING_FREQUENCY_MONTHLY,
    BillingFrequency.QUARTERLY: pb.BILLING_FREQUENCY_QUARTERLY,
    BillingFrequency.ANNUAL: pb.BILLING_FREQUENCY_ANNUAL,
}
RATE_TYPES_TO_WIRE: Final = {
    RateType.FLAT: pb.RATE_TYPE_FLAT,
    RateType.GRADUATED: pb.RATE_TYPE_GRADUATED,
    RateType.PACKAGE: pb.RATE_TYPE_PACKAGE,
    RateType.VOLUME: pb.RATE_TYPE_VOLUME,
}
_RATE_TYPES: Final[dict[int, RateType]] = {
    pb.RATE_TYPE_UNSPECIFIED: RateType.FLAT,
    **{theirs: ours for ours, theirs in RATE_TYPES_TO_WIRE.items()},
}


def pricing_from_wire(fields: Fields, prefix: str, asked: pb.RateTerms | pb.CorrectRateRequest) -> Pricing:
    """Read the price of a rate. prefix: of the fields' paths, such as "rates[3]."."""
    rate_type = fields.choice(f"{prefix}rate_type", asked.rate_type, _RATE_TYPES)
    if rate_type in TIERED:
        for name, given in (("price_micros", asked.price_micros), ("per_micros", asked.per_micros)):
            if given:
                fields.add(
                    f"{prefix}{name}",
                    f"must be absent for RATE_TYPE_{rate_type.value}: each tier has a price",
                )
        return Pricing(rate_type=rate_type, price=None, tiers=_tiers(fields, f"{prefix}tiers", asked.tiers))
    if asked.tiers:
        fields.add(f"{prefix}tiers", "is for RATE_TYPE_GRADUATED and RATE_TYPE_VOLUME only")
    return Pricing(rate_type=rate_type, price=_price(fields, prefix, asked.price_micros, asked.per_micros))


def dimension_values_from_wire(fields: Fields, path: str, asked: Mapping[str, str]) -> DimensionValues:
    if len(asked) > DIMENSIONS_MAX:
        fields.add(path, f"must have at most {DIMENSIONS_MAX} entries, has {len(asked)}")
        return ()
    for key in sorted(asked):
        dimension_text(fields, f"{path}[{key}]", key)
        dimension_text(fields, f"{path}[{key}]", asked[key])
    return tuple(sorted(asked.items()))


def tier_to_wire(tier: RateTier) -> pb.RateTier:
    return pb.RateTier(
        up_to_micros=tier.up_to_micros,
        price_micros=tier.price.numerator_micros,
        per_micros=tier.price.denominator_micros,
    )


def _price(fields: Fields, prefix: str, price_micros: int, per_micros: int) -> Ratio:
    price = fields.micros(f"{prefix}price_micros", price_micros)
    return Ratio(price, fields.micros(f"{prefix}per_micros", per_micros or MICROS, minimum=1))


def _tiers(fields: Fields, path: str, asked: Sequence[pb.RateTier]) -> tuple[RateTier, ...]:
    if not 1 <= len(asked) <= TIERS_MAX:
        fields.add(path, f"must have 1 to {TIERS_MAX} elements, has {len(asked)}")
        return ()
    ends = ends_from_wire(fields, path, asked, minimum=1)
    return tuple(
        RateTier(up_to_micros=end, price=_price(fields, f"{path}[{n}].", one.price_micros, one.per_micros))
        for n, (one, end) in enumerate(zip(asked, ends, strict=True))
    )
