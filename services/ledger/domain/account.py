# SPDX-License-Identifier: Apache-2.0
"""An account: all that one customer's decisions in one credit type rest on, as read under the pool's lock.

Rules take an account and return the account after them, with the lines they wrote; the store saves the
difference. So any number of requests can be decided one after the other before anything is saved.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain import burn_down
from services.ledger.domain.entry import Entry, EntryKind, Usage
from services.ledger.domain.grant import CreditTypeId, CustomerId, Grant, GrantId
from services.ledger.domain.hold import Hold, HoldId
from services.ledger.domain.spend_cap import GroupValue, Spend, SpendCap
from services.ledger.domain.watch import Crossing, Watch, WatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A pool with its grants, and the holds, spends and watches that the question at hand needs.

    sequence: of the pool's last entry. shortfall: usage that nothing covered, ever. next_due_time: the first
    instant at which something becomes so by the clock alone; None: never. settled_time: up to where what is so by
    the clock has been written. entries, crossings: written since the
    account was read. holds and spends: those read or written.
    """

    customer_id: CustomerId
    credit_type_id: CreditTypeId
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

    def available(self, at: datetime) -> Credits:
        return burn_down.available(self.grants.values(), at=at)

    def remaining(self, at: datetime) -> Credits:
        """Credits left in active grants: what is available, and what open holds reserve."""
        return Credits(sum(g.remaining.micros for g in self.grants.values() if g.is_active(at)))

    def is_news(self, at: datetime) -> bool:
        """Whether an instant has not been settled before."""
        return self.settled_time is None or at > self.settled_time

    def with_grants(self, changed: Iterable[Grant]) -> "Account":
        return replace(self, grants={**self.grants, **{grant.grant_id: grant for grant in changed}})

    def with_hold(self, hold: Hold) -> "Account":
        return replace(self, holds={**self.holds, hold.hold_id: hold})

    def with_spends(self, changed: Mapping[GroupValue, Spend]) -> "Account":
        return replace(self, spends={**self.spends, **changed}) if changed else self

    def due_no_later_than(self, at: datetime) -> "Account":
        """Make sure that the clock is looked at again at `at`."""
        if self.next_due_time is not None and self.next_due_time <= at:
            return self
        return replace(self, next_due_time=at)

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
        return replace(
            self,
            sequence=entry.sequence,
            shortfall=self.shortfall + entry.shortfall,
            entries=(*self.entries, entry),
        )
