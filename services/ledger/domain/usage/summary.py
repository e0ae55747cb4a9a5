# SPDX-License-Identifier: Apache-2.0
"""Captured usage by window, product and group value."""

from dataclasses import dataclass
from enum import Enum

from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId


class SummaryWindow(Enum):
    """The length of the windows that a usage summary is divided into; PERIOD: one window."""

    PERIOD = "PERIOD"
    DAY = "DAY"
    HOUR = "HOUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one group value used of one product in one window. captures: how many requests spent it."""

    window: Period
    product_id: str
    credit_type_id: CreditTypeId
    group_value: str
    captured: Credits
    shortfall: Credits
    captures: int
