# SPDX-License-Identifier: Apache-2.0
"""An account: all that one customer's decisions in one credit type rest on, as read under the pool's lock.

Rules take an account and return the account after them, with the lines they wrote; the store saves the
difference. So any number of requests can be decided one after the other before anything is saved.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.mapping import with_items, without
from meshkit.quantity import Credits
from services.ledger.domain import burn_down
from services.ledger.domain.entry import Entry, EntryKind, Usage
from services.ledger.domain.grant import CreditTypeId, CustomerId, Grant, GrantId
from services.ledger.domain.hold import Hold, HoldId, HoldState
from services.ledger.domain.spend_cap import GroupValue, Spend, SpendCap
from services.ledger.domain.watch import Crossing, Watch, WatchState


@dataclass(frozen=True, kw_only=True)  # no slots: evolve
class Account:
    """A pool with its grants, and the holds, spends and watches that the question at hand needs.

    version: of the stored pool, 0 when there is none yet; it grows with every write of anything in the account.
    sequence: of the pool's last entry. shortfall: usage that nothing covered, ever. next_due_time: the first
    instant at which something becomes so by the clock alone; None: never. settled_time: up to where what is so by
    the clock has been written. entries, crossings: written since the
    account was read; changed_…: what was, in order, with repetitions. holds and spends: those read or written.
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

    def available(self, at: datetime) -> Credits:
        return burn_down.available(self.grants.values(), at=at)

    def remaining(self, at: datetime) -> Credits:
        """Credits left in active grants: what is available, and what open holds reserve."""
        return Credits(sum(g.remaining.micros for g in self.grants.values() if g.is_active(at)))

    def time_at(self, at: datetime) -> datetime:
        """Return `at`, or the instant already settled if that is later: a pool's time never goes back."""
        return at if self.settled_time is None else max(at, self.settled_time)

    def is_news(self, at: datetime) -> bool:
        """Whether an instant has not been settled before."""
        return self.settled_time is None or at > self.settled_time

    def with_grants(self, changed: Iterable[Grant]) -> "Account":
        by_id = {grant.grant_id: grant for grant in changed}
        return evolve(
            self, grants=with_items(self.grants, by_id), changed_grants=(*self.changed_grants, *by_id)
        )

    def with_hold(self, hold: Hold) -> "Account":
        return evolve(
            self,
            holds=with_items(self.holds, {hold.hold_id: hold}),
            changed_holds=(*self.changed_holds, hold.hold_id),
        )

    def with_spends(self, changed: Mapping[GroupValue, Spend]) -> "Account":
        if not changed:
            return self
        return evolve(
            self, spends=with_items(self.spends, changed), changed_spends=(*self.changed_spends, *changed)
        )

    def due_no_later_than(self, at: datetime) -> "Account":
        """Make sure that the clock is looked at again at `at`."""
        if self.next_due_time is not None and self.next_due_time <= at:
            return self
        return evolve(self, next_due_time=at)

    def with_entry(
        self,
        kind: EntryKind,
        *,
        grant_id: GrantId | None,
        amount: Credits,
        effective_time: datetime,
        create_time: datetime,
        cause_id: str,
        usage: Usage | None = None,
    ) -> "Account":
        """Append a line to the pool's history. A SHORTFALL's `amount` is its shortfall; it changes no grant."""
        is_shortfall = kind is EntryKind.SHORTFALL
        entry = Entry(
            sequence=self.sequence + 1,
            kind=kind,
            grant_id=grant_id,
            amount=Credits(0) if is_shortfall else amount,
            shortfall=amount if is_shortfall else Credits(0),
            effective_time=effective_time,
            create_time=create_time,
            cause_id=cause_id,
            usage=usage,
        )
        return evolve(
            self,
            sequence=entry.sequence,
            shortfall=self.shortfall + entry.shortfall,
            entries=(*self.entries, entry),
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
