# SPDX-License-Identifier: Apache-2.0
"""One element of holds.lines: what the columns of a hold say of its first line, for any of its lines."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """Named as the columns of holds. draws: how many of the hold's draws are this line's; those of the lines before it
    come first.
    """

    product_id: str
    contract_id: str
    rate_type: str
    price_micros: int
    per_micros: int
    tiers: list[Json] | None
    conversion: Json | None
    rate_id: str
    root_rate_id: str | None
    dimension_values: dict[str, str]
    counted_group_values: dict[str, str]
    quantity_micros: int
    draws: int
