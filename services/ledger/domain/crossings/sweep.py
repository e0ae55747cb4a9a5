# SPDX-License-Identifier: Apache-2.0
"""A sweep: a watch on every customer is observed in the pools that were there before it, customer by customer."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.crossings.watch import Watch
from services.ledger.domain.gate.spend_cap import GroupValue


@dataclass(frozen=True, slots=True)
class Sweep:
    """A watch on every customer, and the last customer it was observed of; '' at the beginning."""

    watch: Watch
    swept_to: str


@dataclass(frozen=True, slots=True)
class SweptPage:
    """Customers in whose pool a watch may be in alarm, or not any more, with the values that it watches there.

    last: of all customers that were gone through; None: there are no more.
    """

    found: Mapping[CustomerId, frozenset[GroupValue]]
    last: CustomerId | None
