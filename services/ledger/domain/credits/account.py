# SPDX-License-Identifier: Apache-2.0
"""An account: everything that decisions about one customer in one credit type depend on.

A rule takes an account and returns the changed account, including the entries it wrote. The store saves the
difference. So any number of requests can be decided in sequence before anything is saved.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from meshkit.evolve import evolve
from meshkit.mapping import with_items, without
from meshkit.quantity import Credits
from services.ledger.domain.credits import burn_down
from services.ledger.domain.credits.burn_down import Ranking, burn_down_key
from services.ledger.domain.credits.entry import UNCOVERED, Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantId,
    Owed,
    ProductId,
    SlotId,
)
from services.ledger.domain.credits.seats import (
    POOL,
    Assignment,
    Purse,
    SeatKey,
    SeatRule,
    Slot,
    own_grants,
    purse_of,
    purse_without_seat,
)
from services.ledger.domain.crossings.watch import Crossing, LevelCrossing, Watch, WatchState
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.gate.in_flight import ConcurrencyCap, InFlight, in_flight_after
from services.ledger.domain.gate.shadow import ShadowRecord
from services.ledger.domain.gate.spend_cap import GroupValue, Spend, SpendCap
from services.ledger.domain.gate.windows import ZONE_DEFAULT, SteppedWindow
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
    time_zone: of the customer's calendar windows.
    owed: of grants whose money went back although they were used; only in a snapshot, for the balance.
    shortfall: all usage that no credits covered, overage included, since the pool exists.
    unread: what remains in active grants that were not read. Such an account is for changes of other grants only, not
    for the gate; if no crossing can depend on the exact amount, it may be less than what remains.
    unread_included: of these grants, what `included` counts.
    is_partial: whether grants were left unread.
    had_grants: whether a grant that was not read has begun; known only where a watch needs it.
    pays_late: whether `grants` has the closed ones that can still pay for late usage.
    next_due_time: the first instant at which the clock alone changes the account; None: never.
    settled_time: everything that fell due up to this instant is written.
    concurrency_caps: by subject. in_flight: the open holds of what they limit, known only while there are such caps;
    None: they are too many to be cached.
    shadow_products: those in shadow mode, EVERY_PRODUCT among them if the customer is.
    overage_caps: by contract, the most overage in a usage period; None: no limit. Contracts that never allowed overage
    are left out.
    windows, own_subjects: what is counted only because a cap or a watch needs it (spend_cap.py); empty without one.
    groups: of the group values that the current requests name, the group that each is in; None if none is counted.
    seat_rules: which usage is paid by seats; empty for customers without seat-scoped credits.
    seats, slots: of the seat ids that the current requests name, the slots that they occupy or occupied lately; and
    these slots, whose grants are among `grants`. All figures of the pool are those of its shared grants.
    values: of UNIQUE metrics, how many events have reported each; only those that the current requests report.
    entries, crossings, shadow_records: those added since the account was read.
    changed_…: ids of what changed since then, in order, with repetitions.
    rankings: cached by product (None: all products). bounds: of the watches, cached by crossings/bounds.py. They never
    influence a decision.
    """

    customer_id: CustomerId
    credit_type_id: CreditTypeId
    version: int = 0
    sequence: int = 0
    usage_anchor: datetime | None = None
    time_zone: str = ZONE_DEFAULT
    shortfall: Credits = Credits(0)
    owed: tuple[Owed, ...] = ()
    next_due_time: datetime | None = None
    settled_time: datetime | None = None
    grants: Mapping[GrantId, Grant] = field(default_factory=dict)
    unread: Credits = Credits(0)
    unread_included: Credits = Credits(0)
    is_partial: bool = False
    had_grants: bool = False
    pays_late: bool = False
    holds: Mapping[HoldId, Hold] = field(default_factory=dict)
    caps: tuple[SpendCap, ...] = ()
    concurrency_caps: Mapping[GroupValue, ConcurrencyCap] = field(default_factory=dict)
    in_flight: InFlight | None = field(default_factory=dict)
    shadow_products: frozenset[ProductId] = frozenset()
    overage_caps: Mapping[str, Credits | None] = field(default_factory=dict)
    windows: Mapping[GroupValue, tuple[SteppedWindow, ...]] = field(default_factory=dict)
    own_subjects: frozenset[GroupValue] = frozenset()
    groups: Mapping[GroupValue, GroupValue | None] | None = None
    spends: Mapping[GroupValue, Spend] = field(default_factory=dict)
    meters: Mapping[MeterKey, Meter] = field(default_factory=dict)
    values: Mapping[tuple[MeterKey, UniqueValue], int] = field(default_factory=dict)
    seat_rules: tuple[SeatRule, ...] = ()
    seats: Mapping[SeatKey, tuple[Assignment, ...]] = field(default_factory=dict)
    slots: Mapping[SlotId, Slot] = field(default_factory=dict)
    watches: tuple[Watch, ...] = ()
    watch_states: Mapping[tuple[str, str], WatchState] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    crossings: tuple[Crossing | LevelCrossing, ...] = ()
    shadow_records: tuple[ShadowRecord, ...] = ()
    changed_grants: tuple[GrantId, ...] = field(default=(), compare=False)
    changed_holds: tuple[HoldId, ...] = field(default=(), compare=False)
    changed_spends: tuple[GroupValue, ...] = field(default=(), compare=False)
    changed_meters: tuple[MeterKey, ...] = field(default=(), compare=False)
    changed_values: tuple[tuple[MeterKey, UniqueValue], ...] = field(default=(), compare=False)
    changed_slots: tuple[SlotId, ...] = field(default=(), compare=False)
    rankings: dict[ProductId | None, Ranking] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    bounds: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def available(self, at: datetime, product_id: ProductId | None = None, purse: Purse = POOL) -> Credits:
        """Return what could be authorized at `at` for `product_id` (None: by all products together)."""
        if purse is POOL:
            return self.ranking(at, product_id).rest
        own = sum(grant.rest.micros for grant in self._own(at, product_id, purse))
        return Credits(own + self.ranking(at, product_id).rest.micros if purse.is_shared else own)

    def purse(
        self,
        contract_id: str | None,
        product_id: ProductId,
        group_values: Mapping[str, str],
        at: datetime,
    ) -> Purse | None:
        """Return whose credits usage at `at` may draw; None if its seat id is not assigned then."""
        if not self.seat_rules:
            return POOL
        return purse_of(
            self.seat_rules,
            self.seats,
            contract_id=contract_id,
            product_id=product_id,
            group_values=group_values,
            at=at,
        )

    def remaining(self, at: datetime) -> Credits:
        """Return the credits left in active grants: available ones, and those that open holds reserve."""
        ranking = self.ranking(at)
        return Credits(ranking.rest.micros + ranking.held.micros + self.unread.micros)

    def included(self, at: datetime) -> Credits:
        """Return what the pool was granted for its present period: included credits of active grants, not voided."""
        return Credits(self.ranking(at).included.micros + self.unread_included.micros)

    def was_granted(self, at: datetime) -> bool:
        """Whether any grant of the pool has begun by `at`, however little is left of it."""
        return self.had_grants or any(grant.effective_time <= at for grant in self.grants.values())

    def purse_of_usage(
        self,
        contract_id: str | None,
        product_id: ProductId,
        group_values: Mapping[str, str],
        used_time: datetime,
    ) -> Purse:
        """Return whose credits usage that has happened may draw: nothing refuses it, whoever it was."""
        purse = self.purse(contract_id, product_id, group_values, used_time)
        if purse is not None:
            return purse
        return purse_without_seat(
            self.seat_rules,
            contract_id=contract_id,
            product_id=product_id,
            group_values=group_values,
            at=used_time,
        )

    def drawable(
        self, at: datetime, product_id: ProductId | None = None, purse: Purse = POOL
    ) -> Iterator[Grant]:
        """Yield the grants that `product_id` (None: any product) may draw at `at`, in burn-down order."""
        if purse is POOL:
            return (self.grants[grant_id] for grant_id in self.ranking(at, product_id).grant_ids)
        own = self._own(at, product_id, purse)
        return (
            heapq.merge(own, self.drawable(at, product_id), key=burn_down_key)
            if purse.is_shared
            else iter(own)
        )

    def _own(self, at: datetime, product_id: ProductId | None, purse: Purse) -> list[Grant]:
        """Return the grants of a purse's slots that may be drawn, in burn-down order."""
        own = own_grants(self.grants, self.slots, purse)
        return burn_down.in_burn_down_order(own, at=at, product_id=product_id)

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
            kept = burn_down.rank(self._shared_grants(), at=at, product_id=product_id)
            self.rankings[product_id] = kept
        return kept

    def _shared_grants(self) -> Iterable[Grant]:
        if not self.seat_rules:
            return self.grants.values()
        return [grant for grant in self.grants.values() if grant.slot_id is None]

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
            if self.seat_rules:
                changes["slots"] = self._slots_with(by_id)
        if holds:
            held = {hold.hold_id: hold for hold in holds}
            changes["holds"] = with_items(self.holds, held)
            changes["changed_holds"] = _behind(self.changed_holds, held)
            if self.concurrency_caps and self.in_flight is not None:
                changes["in_flight"] = in_flight_after(self.concurrency_caps, self.in_flight, held.values())
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

    def with_shadow(self, record: ShadowRecord) -> "Account":
        """Return the account with a record of what shadow mode has allowed."""
        return evolve(self, shadow_records=(*self.shadow_records, record))

    def _rankings_after(self, changed: Mapping[GrantId, Grant]) -> dict[ProductId | None, Ranking]:
        rankings = self.rankings
        for grant_id, grant in changed.items():
            before = self.grants.get(grant_id)
            if before is None and grant.slot_id is not None:
                continue
            if before is None:
                return {}
            rankings = {key: ranking.after(before, grant) for key, ranking in rankings.items()}
        return rankings

    def _slots_with(self, grants: Mapping[GrantId, Grant]) -> Mapping[SlotId, Slot]:
        slots = self.slots
        for grant_id, grant in grants.items():
            if grant.slot_id is not None and grant_id not in self.grants:
                slot = slots.get(grant.slot_id, Slot())
                slots = with_items(
                    slots, {grant.slot_id: replace(slot, grant_ids=(*slot.grant_ids, grant_id))}
                )
        return slots

    def due_no_later_than(self, at: datetime, slot_id: SlotId | None = None) -> "Account":
        """Return the account with a next_due_time of `at` or earlier, of the pool or of a slot."""
        if slot_id is None:
            return self if self.is_due(at) else evolve(self, next_due_time=at)
        slot = self.slots.get(slot_id, Slot())
        if slot.is_due(at):
            return self
        slots = with_items(self.slots, {slot_id: replace(slot, next_due_time=at)})
        return evolve(self, slots=slots, changed_slots=(*self.changed_slots, slot_id))

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

        behind: how many other new entries come before it. amount: of what no credits covered, and of a CORRECTION
        without grant, the shortfall; that entry changes no grant.
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
            shadow_records=(),
            changed_grants=(),
            changed_holds=(),
            changed_spends=(),
            changed_meters=(),
            changed_values=(),
            changed_slots=(),
        )


def _behind(names: tuple[T, ...], more: Iterable[T]) -> tuple[T, ...]:
    """Append each name unless it is the last one already: one grant often pays for many requests in a row."""
    for name in more:
        if names[-1:] != (name,):
            names = (*names, name)
    return names
