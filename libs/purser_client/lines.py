# SPDX-License-Identifier: Apache-2.0
"""The lines of a call that uses several products, or one product at several prices, such as kinds of tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meshkit.quantity import Quantity
from purser_client.amounts import QuantityLike, exact

LINES_MAX = 20  # the Ledger's bound


@dataclass(frozen=True, slots=True)
class Line:
    """A quantity of one product. properties: those by which it is priced, such as model and token_kind."""

    product: str
    quantity: Quantity
    properties: Mapping[str, str] = field(default_factory=dict)


def line(product: str, quantity: QuantityLike, properties: Mapping[str, str] | None = None) -> Line:
    """Return a line of a call. quantity: >= 0; 0 for what may be used. Raises as amounts.py says."""
    exactly = exact(Quantity, quantity, "quantity")
    if exactly.micros < 0:
        raise ValueError(f"a line of {exactly!r} cannot be used; it must be >= 0")
    return Line(product, exactly, dict(properties or {}))


def requested_lines(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return the lines of an authorize or a debit. Raises ValueError unless they are 1 to 20, and one is > 0."""
    if not any(one.quantity.micros > 0 for one in lines):
        raise ValueError("at least one line must have a quantity > 0")
    return used_lines(lines)


def used_lines(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return the lines of a capture. Raises ValueError unless they are 1 to 20."""
    if not 1 <= len(lines) <= LINES_MAX:
        raise ValueError(f"give 1 to {LINES_MAX} lines, not {len(lines)}")
    return tuple(lines)
