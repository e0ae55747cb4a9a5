# SPDX-License-Identifier: Apache-2.0
"""An account: everything that decisions about one customer in one credit type depend on.

A rule takes an account and returns the changed account, including the entries it wrote. The store saves the
difference. So any number of requests can be decided in sequence before anything is saved.
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
from services.ledger.domain.credits.entry import UNCOVERED, Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId, ProductId
from services.ledger.domain.crossings.watch import Crossing, Watch, WatchState
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.gate.spend_cap import GroupValue, Spend, SpendCap
from services.ledger.domain.rating.metric import UniqueValue
from services.ledger.domain.totals import countable
from services.ledger.domain.usage.meter import Meter, MeterKey

T = TypeVar("T")

RANKINGS_MAX = 8


@dataclass(frozen=True, kw_only=True)  # no slots: evolve
class Account:
    """A pool with its open grants, and those holds, spends, meters and watches that the current requests need.

    version: of the stored pool, 0 if there is none yet; every write to the account increases it.
    sequence: of the pool's last entry.
    usage_anchor: start of the customer's usage periods; None before its first contract.
    shortfall: all usage that no credits covered, overage included, since the pool exists.
    unread: what remains in active grants that were not read. Such an account is for changes of other grants only, not
    for the gate; if no crossing can depend on the exact amount, it may be less than what remains.
    pays_late: whether `grants` has the closed ones that can still pay for late usage.
    next_due_time: the first instant at which the clock alone changes the account; None: never.
    settled_time: everything that fell due up to this instant is written.
    overage_caps: by contract, the most overage in a usage period; None: no limit. Contracts that never allowed overage
    are left out.
    values: of UNIQUE metrics, how many events have reported each; only those that the current requests report.
    entries, crossings: those added since the account was read.
    changed_…: ids of what changed since then, in order, with repetitions.
    rankings: cached by product (None: all products). They never influence a decision.
    """

    customer_id: CustomerId
    credit_type_id: CreditTypeId
    version: int = 0
    sequence: int = 0
    usage_anchor: datetime | None = None
    shortfall: Credits = Credits(0)
    next_due_time: datetime | None = None
    settled_time: datetime | None = None
    grants: Mapping[GrantId, Grant] = field(default_factory=dict)
    unread: Credits = Credits(0)
    pays_late: bool = False
    holds: Mapping[HoldId, Hold] = field(default_factory=dict)
    caps: tuple[SpendCap, ...] = ()
    overage_caps: Mapping[str, Credits | None] = field(default_factory=dict)
    spends: Mapping[GroupValue, Spend] = field(default_factory=dict)
    meters: Mapping[MeterKey, Meter] = field(default_factory=dict)
    values: Mapping[tuple[MeterKey, UniqueValue], int] = field(default_factory=dict)
    watches: tuple[Watch, ...] = ()
    watch_states: Mapping[tuple[str, str], WatchState] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    changed_grants: tuple[GrantId, ...] = field(default=(), compare=False)
    changed_holds: tuple[HoldId, ...] = field(default=(), compare=False)
    changed_spends: tuple[GroupValue, ...] = field(default=(), compare=False)
    changed_meters: tuple[MeterKey, ...] = field(default=(), compare=False)
    changed_values: tuple[tuple[MeterKey, UniqueValue], ...] = field(default=(), compare=False)
    rankings: dict[ProductId | None, Ranking] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def available(self, at: datetime, product_id: ProductId | None = None) -> Credits:
        """Return what could be authorized at `at` for `product_id` (None: by all products together)."""
        return self.ranking(at, product_id).rest

    def remaining(self, at: datetime) -> Credits:
        """Return the credits left in active grants: available ones, and those that open holds reserve."""
        ranking = self.ranking(at)
        return Credits(ranking.rest.micros + ranking.held.micros + self.unread.micros)

    def drawable(self, at: datetime, product_id: ProductId | None = None) -> Iterator[Grant]:
        """Yield the grants that `product_id` (None: any product) may draw at `at`, in burn-down order."""
        return (self.grants[grant_id] for grant_id in self.ranking(at, product_id).grant_ids)

    def ranking(self, at: datetime, product_id: ProductId | None = None) -> Ranking:
        """Return the ranking at `at`, from the cache if possible."""
        ranking = self._ranking(at, None)
        # If no grant is limited to some products, all products share one ranking.
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
        """Return `at`, or settled_time if that is later: a pool's time never goes back."""
        return at if self.settled_time is None else max(at, self.settled_time)

    def is_due(self, at: datetime) -> bool:
        """Whether something may have fallen due that is not written yet."""
        return self.next_due_time is not None and self.next_due_time <= at

    def is_news(self, at: datetime) -> bool:
        """Whether `at` is later than everything settled so far."""
        return self.settled_time is None or at > self.settled_time

    def with_changes(
        self,
        *,
        grants: Iterable[Grant] = (),
        holds: Iterable[Hold] = (),
        spends: Mapping[GroupValue, Spend] | None = None,
        meters: Mapping[MeterKey, Meter] | None = None,
        values: Mapping[tuple[MeterKey, UniqueValue], int] | None = None,
        entries: Sequence[Entry] = (),
    ) -> "Account":
        """Return the account with these grants, holds, spends, meters and values replaced or added, and more entries.

        entries: in the order of their sequence, made by next_entry. Raises TotalTooLarge for the shortfall.
        """
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
        if meters:
            changes["meters"] = with_items(self.meters, meters)
            changes["changed_meters"] = _behind(self.changed_meters, meters)
        if values:
            changes["values"] = with_items(self.values, values)
            changes["changed_values"] = _behind(self.changed_values, values)
        if entries:
            changes["entries"] = (*self.entries, *entries)
            changes["sequence"] = entries[-1].sequence
            shortfall = sum([entry.shortfall.micros for entry in entries], self.shortfall.micros)
            changes["shortfall"] = countable(Credits(shortfall), "the pool's shortfall")
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
        """Return the account with a next_due_time of `at` or earlier."""
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
        corrects: int | None = None,
    ) -> Entry:
        """Return the next entry of the pool's history. It changes nothing: see with_changes.

        behind: how many other new entries come before it. amount: of a SHORTFALL or OVERAGE, and of a CORRECTION of
        one, what no credits covered; that entry changes no grant.
        """
        is_shortfall = kind in UNCOVERED or (kind is EntryKind.CORRECTION and grant_id is None)
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
            corrects=corrects,
        )

    def as_saved(self, *, version: int) -> "Account":
        """Return the account as the store has it after a save: nothing unsaved, and no ended holds."""
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
            changed_meters=(),
            changed_values=(),
        )


def _behind(names: tuple[T, ...], more: Iterable[T]) -> tuple[T, ...]:
    """Append each name unless it is the last one already: one grant often pays for many requests in a row."""
    for name in more:
        if names[-1:] != (name,):
            names = (*names, name)
    return names
