# SPDX-License-Identifier: Apache-2.0
"""Captured usage by window, product and group value."""

from dataclasses import dataclass
from enum import Enum

from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId


class SummaryWindow(Enum):
    """How finely usage is told apart in time."""

    PERIOD = "PERIOD"
    DAY = "DAY"
    HOUR = "HOUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one group value used of one product in one window."""

    window: Period
    product_id: str
    credit_type_id: CreditTypeId
    group_value: str
    captured: Credits
    shortfall: Credits
    captures: int
