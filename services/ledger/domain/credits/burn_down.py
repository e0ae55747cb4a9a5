# SPDX-License-Identifier: Apache-2.0
"""Burn-down: which grant pays first. A total order, so the same inputs always give the same draws."""

from collections.abc import Iterable
from datetime import UTC, datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits
from meshkit.values import value
from services.ledger.domain.credits.grant import Grant, GrantId, ProductId

_NEVER = datetime.max.replace(tzinfo=UTC)
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_UNSCOPED = 1_000_000


@value(frozen=True, slots=True)
class Draw:
    """The amount taken from one grant."""

    grant_id: GrantId
    amount: Credits


@value(frozen=True, slots=True)
class Allocation:
    """Draws in burn-down order, and the amount that they do not cover."""

    draws: tuple[Draw, ...]
    uncovered: Credits


def burn_down_key(grant: Grant) -> tuple[int, bool, int, bool, datetime, datetime, datetime, str]:
    """Return what grants are sorted by. Source: services/ledger/README.md, "Burn-down order"."""
    return (
        grant.priority,
        grant.slot_id is None,
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


@value(frozen=True)  # no slots: evolve
class Ranking:
    """The grants that a product may draw over `[start, end)`, in burn-down order, and their total amounts.

    It is cached: the order does not depend on the amounts of grants, so with 1,000 grants a debit reads only the
    first. included: of what was granted, the included credits. has_scopes: whether any grant of the pool, active or
    not, is limited to some products.
    """

    grant_ids: dict[GrantId, None]
    rest: Credits
    held: Credits
    included: Credits
    has_scopes: bool
    start: datetime
    end: datetime | None

    def is_of(self, at: datetime) -> bool:
        return self.start <= at and (self.end is None or at < self.end)

    def after(self, before: Grant, after: Grant) -> "Ranking":
        """Return the ranking after the amounts of one grant of the pool have changed."""
        if after.grant_id not in self.grant_ids:
            return self
        return evolve(
            self,
            rest=Credits(self.rest.micros + after.rest.micros - before.rest.micros),
            held=Credits(self.held.micros + after.held.micros - before.held.micros),
            included=self._included_after(before, after),
        )

    def _included_after(self, before: Grant, after: Grant) -> Credits:
        # Spending changes neither.
        is_alike = (
            after.granted is before.granted
            and after.voided is before.voided
            and after.is_closed is before.is_closed
        )
        return self.included if is_alike else self.included + after.included - before.included


def rank(grants: Iterable[Grant], *, at: datetime, product_id: ProductId | None = None) -> Ranking:
    """Rank the grants active at `at` that `product_id` (None: any product) may draw."""
    pool = tuple(grants)
    ordered = in_burn_down_order(pool, at=at, product_id=product_id)
    turns = [g.effective_time for g in pool] + [g.expire_time for g in pool if g.expire_time is not None]
    return Ranking(
        grant_ids=dict.fromkeys(grant.grant_id for grant in ordered),
        rest=Credits(sum(grant.rest.micros for grant in ordered)),
        held=Credits(sum(grant.held.micros for grant in ordered)),
        included=Credits(sum(grant.included.micros for grant in ordered)),
        has_scopes=any(grant.scope_product_ids for grant in pool),
        start=max((turn for turn in turns if turn <= at), default=_BEGINNING),
        end=min((turn for turn in turns if turn > at), default=None),
    )


def allocate(ordered: Iterable[Grant], amount: Credits) -> Allocation:
    """Take `amount` from grants in burn-down order, as far as they cover it.

    ordered: active and in scope. amount: ≥ 0. Draws and uncovered amount sum to `amount`. There is at most one draw
    per grant, and never more than its rest.
    Source: services/ledger/README.md, "Burn-down order".
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
