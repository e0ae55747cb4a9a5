# SPDX-License-Identifier: Apache-2.0
"""Warnings about rates on the wire."""

from collections.abc import Iterable
from typing import Final

from meshkit.rpc.fields import optional_timestamp, timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from services.catalog.domain.rate_warning import RateWarning, RateWarningType
from services.catalog.wire.prices import FREQUENCIES_TO_WIRE

_TYPES_TO_WIRE: Final = {
    RateWarningType.GAP: pb.RATE_WARNING_TYPE_GAP,
    RateWarningType.UNPRICED_DIMENSION_VALUE: pb.RATE_WARNING_TYPE_UNPRICED_DIMENSION_VALUE,
}


def warnings_to_wire(warnings: Iterable[RateWarning]) -> list[pb.RateWarning]:
    return [_warning_to_wire(warning) for warning in warnings]


def _warning_to_wire(warning: RateWarning) -> pb.RateWarning:
    frequency = warning.billing_frequency
    return pb.RateWarning(
        warning_type=_TYPES_TO_WIRE[warning.warning_type],
        product_id=warning.product_id,
        billing_frequency=None if frequency is None else FREQUENCIES_TO_WIRE[frequency],
        dimension_values=dict(warning.dimension_values),
        start_time=timestamp(warning.start_time),
        end_time=optional_timestamp(warning.end_time),
        description=warning.description,
    )
