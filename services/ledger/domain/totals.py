# SPDX-License-Identifier: Apache-2.0
"""The most that a stored total counts: int64 micros. Usage that would take one beyond it is refused by name.

Source: services/ledger/README.md, "Largest totals".
"""

from typing import TypeVar

from meshkit.quantity import INT64_MAX, Credits, Quantity
from services.ledger.domain.errors import TotalTooLarge

Total = TypeVar("Total", Credits, Quantity)


def countable(total: Total, name: str) -> Total:
    """Return a total that is stored. Raises TotalTooLarge if int64 cannot hold it. name: for people."""
    if total.micros > INT64_MAX:
        raise TotalTooLarge(total=name)
    return total
