# SPDX-License-Identifier: Apache-2.0
"""Burn-down: which grant pays first. A total order, so the same inputs always give the same draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from meshkit.quantity import Credits
from services.ledger.domain.grant import Grant, GrantId, ProductId

_NEVER = datetime.max.replace(tzinfo=UTC)
_UNSCOPED = 1_000_000


@dataclass(frozen=True, slots=True)
class Draw:
    """What one grant gives."""

    grant_id: GrantId
    amount: Credits


@dataclass(frozen=True, slots=True)
class Allocation:
    """Draws in burn-down order, and what they leave uncovered."""

    draws: tuple[Draw, ...]
    uncovered: Credits


def burn_down_key(grant: Grant) -> tuple[int, int, bool, datetime, datetime, datetime, str]:
    """Return what grants are sorted by, in the order of domain.md §5."""
    return (
        grant.priority,
        len(grant.scope_product_ids) or _UNSCOPED,
        grant.cost_basis_micros > 0,
        grant.expire_time or _NEVER,
        grant.effective_time,
        grant.create_time,
        grant.grant_id,
    )


def in_burn_down_order(
    grants: Iterable[Grant], *, at: datetime, product_id: ProductId | None = None
) -> list[Grant]:
    """Return the grants active at `at` that `product_id` (None: any product) may draw, in burn-down order."""
    drawable = (g for g in grants if g.is_active(at) and (product_id is None or g.covers(product_id)))
    return sorted(drawable, key=burn_down_key)


def available(grants: Iterable[Grant], *, at: datetime, product_id: ProductId | None = None) -> Credits:
    """Return what could be authorized at `at` for `product_id` (None: by all products together)."""
    return Credits(
        sum(g.rest.micros for g in grants if g.is_active(at) and (product_id is None or g.covers(product_id)))
    )


def allocate(ordered: Sequence[Grant], amount: Credits) -> Allocation:
    """Take `amount` from grants that are in burn-down order, as far as they reach.

    ordered: active and in scope. amount: ≥ 0. The draws and the uncovered rest add up to `amount`; each grant
    gives at most once, and never more than its rest. Source: domain.md §5.
    """
    draws: list[Draw] = []
    uncovered = amount
    for grant in ordered:
        if not uncovered:
            break
        taken = min(grant.rest, uncovered)
        if taken:
            draws.append(Draw(grant.grant_id, taken))
            uncovered -= taken
    return Allocation(tuple(draws), uncovered)
