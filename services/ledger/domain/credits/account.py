# SPDX-License-Identifier: Apache-2.0
"""An account: all that one customer's decisions in one credit type rest on, as read under the pool's lock.

Rules take an account and return the account after them, with the lines they wrote; the store saves the
difference. So any number of requests can be decided one after the other before anything is saved.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from meshkit.evolve import evolve
from meshkit.mapping import with_items, without
from meshkit.quantity import Credits
from services.ledger.domain.credits import burn_down
from services.ledger.domain.credits.burn_down import Ranking
from services.ledger.domain.credits.entry import Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId, ProductId
from services.ledger.domain.crossings.watch import Crossing, Watch, WatchState
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.gate.spend_cap import GroupValue, Spend, SpendCap

T = TypeVar("T")

RANKINGS_MAX = 8


@dataclass(frozen=True, kw_only=True)  # no slots: evolve
class Account:
    """A pool with its grants, and the holds, spends and watches that the question at hand needs.

    version: of the stored pool, 0 when there is none yet; it grows with every write of anything in the account.
    sequence: of the pool's last entry. shortfall: usage that nothing covered, ever. next_due_time: the first
    instant at which something becomes so by the clock alone; None: never. settled_time: up to where what is so by
    the clock has been written. entries, crossings: written since the
    account was read; changed_…: what was, in order, with repetitions. holds and spends: those read or written.
    rankings: those asked for so far, by product; nothing is decided by whether one is there.
    """

    customer_id: CustomerId
    credit_type_id: CreditTypeId
    version: int = 0
    sequence: int = 0
    shortfall: Credits = Credits(0)
    next_due_time: datetime | None = None
    settled_time: datetime | None = None
    grants: Mapping[GrantId, Grant] = field(default_factory=dict)
    holds: Mapping[HoldId, Hold] = field(default_factory=dict)
    caps: tuple[SpendCap, ...] = ()
    spends: Mapping[GroupValue, Spend] = field(default_factory=dict)
    watches: tuple[Watch, ...] = ()
    watch_states: Mapping[tuple[str, str], WatchState] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    changed_grants: tuple[GrantId, ...] = field(default=(), compare=False)
    changed_holds: tuple[HoldId, ...] = field(default=(), compare=False)
    changed_spends: tuple[GroupValue, ...] = field(default=(), compare=False)
    rankings: dict[ProductId | None, Ranking] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def available(self, at: datetime, product_id: ProductId | None = None) -> Credits:
        """Return what could be authorized at `at` for `product_id` (None: by all products together)."""
        return self.ranking(at, product_id).rest

    def remaining(self, at: datetime) -> Credits:
        """Credits left in active grants: what is available, and what open holds reserve."""
        ranking = self.ranking(at)
        return ranking.rest + ranking.held

    def drawable(self, at: datetime, product_id: ProductId | None = None) -> Iterator[Grant]:
        """Yield the grants that `product_id` (None: any product) may draw at `at`, in burn-down order."""
        return (self.grants[grant_id] for grant_id in self.ranking(at, product_id).grant_ids)

    def ranking(self, at: datetime, product_id: ProductId | None = None) -> Ranking:
        """Return the ranking at `at`, kept from an earlier question or made now."""
        ranking = self._ranking(at, None)
        # Where no grant is for some products only, one ranking is every product's.
        return self._ranking(at, product_id) if ranking.has_scopes and product_id is not None else ranking

    def _ranking(self, at: datetime, product_id: ProductId | None) -> Ranking:
        kept = self.rankings.get(product_id)
        if kept is None or not kept.is_of(at):
            if len(self.rankings) == RANKINGS_MAX:
                self.rankings.clear()
            kept = burn_down.rank(self.grants.values(), at=at, product_id=product_id)
            self.rankings[product_id] = kept
        return kept

    def time_at(self, at: datetime) -> datetime:
        """Return `at`, or the instant already settled if that is later: a pool's time never goes back."""
        return at if self.settled_time is None else max(at, self.settled_time)

    def is_due(self, at: datetime) -> bool:
        """Whether something may have become so by the clock that is not written yet."""
        return self.next_due_time is not None and self.next_due_time <= at

    def is_news(self, at: datetime) -> bool:
        """Whether an instant has not been settled before."""
        return self.settled_time is None or at > self.settled_time

    def with_changes(
        self,
        *,
        grants: Iterable[Grant] = (),
        holds: Iterable[Hold] = (),
        spends: Mapping[GroupValue, Spend] | None = None,
        entries: Sequence[Entry] = (),
    ) -> "Account":
        """Put grants, holds and spends in place of what they were, and append entries (see next_entry)."""
        changes: dict[str, Any] = {}
        if grants:
            by_id = {grant.grant_id: grant for grant in grants}
            changes["grants"] = with_items(self.grants, by_id)
            changes["changed_grants"] = _behind(self.changed_grants, by_id)
            changes["rankings"] = self._rankings_after(by_id)
        if holds:
            held = {hold.hold_id: hold for hold in holds}
            changes["holds"] = with_items(self.holds, held)
            changes["changed_holds"] = _behind(self.changed_holds, held)
        if spends:
            changes["spends"] = with_items(self.spends, spends)
            changes["changed_spends"] = _behind(self.changed_spends, spends)
        if entries:
            changes["entries"] = (*self.entries, *entries)
            changes["sequence"] = entries[-1].sequence
            changes["shortfall"] = Credits(
                sum([entry.shortfall.micros for entry in entries], self.shortfall.micros)
            )
        return evolve(self, **changes) if changes else self

    def _rankings_after(self, changed: Mapping[GrantId, Grant]) -> dict[ProductId | None, Ranking]:
        rankings = self.rankings
        for grant_id, grant in changed.items():
            before = self.grants.get(grant_id)
            if before is None:
                return {}
            rankings = {key: ranking.after(before, grant) for key, ranking in rankings.items()}
        return rankings

    def due_no_later_than(self, at: datetime) -> "Account":
        """Make sure that the clock is looked at again at `at`."""
        return self if self.is_due(at) else evolve(self, next_due_time=at)

    def next_entry(
        self,
        kind: EntryKind,
        *,
        grant_id: GrantId | None,
        amount: Credits,
        effective_time: datetime,
        create_time: datetime,
        cause_id: str,
        usage: Usage | None = None,
        behind: int = 0,
    ) -> Entry:
        """Return a line for the end of the pool's history, `behind` others that are not in the account yet.

        A SHORTFALL's `amount` is its shortfall; it changes no grant.
        """
        is_shortfall = kind is EntryKind.SHORTFALL
        return Entry(
            sequence=self.sequence + behind + 1,
            kind=kind,
            grant_id=grant_id,
            amount=Credits(0) if is_shortfall else amount,
            shortfall=amount if is_shortfall else Credits(0),
            effective_time=effective_time,
            create_time=create_time,
            cause_id=cause_id,
            usage=usage,
        )

    def as_saved(self, *, version: int) -> "Account":
        """Return the account as it stands in the store now: nothing unsaved, and no holds that have ended."""
        holds = self.holds
        for hold_id in self.changed_holds:
            if hold_id in holds and holds[hold_id].state is not HoldState.HELD:
                holds = without(holds, hold_id)
        return evolve(
            self,
            version=version,
            holds=holds,
            entries=(),
            crossings=(),
            changed_grants=(),
            changed_holds=(),
            changed_spends=(),
        )


def _behind(names: tuple[T, ...], more: Iterable[T]) -> tuple[T, ...]:
    """Append what is not last already: one grant pays for many requests on end."""
    for name in more:
        if names[-1:] != (name,):
            names = (*names, name)
    return names
