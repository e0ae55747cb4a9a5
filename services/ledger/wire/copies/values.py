# SPDX-License-Identifier: Apache-2.0
"""Fields that the updates of several services share."""

from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import Fields
from services.ledger.domain.credits.grant import CustomerId


def customer_id_from_wire(fields: Fields, value: str) -> CustomerId:
    return CustomerId(fields.text("customer_id", value))


def version_from_wire(fields: Fields, value: int) -> int:
    return fields.count("version", value, minimum=1, maximum=INT64_MAX)
