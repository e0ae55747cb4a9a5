# SPDX-License-Identifier: Apache-2.0
"""What is read and written together for any number of requests: selections, changed accounts, responses to store."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from meshkit.errors import Aborted
from meshkit.values import value
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import ScheduleProgress
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId, SlotId
from services.ledger.domain.credits.seats import SeatName
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.rating.metric import UniqueValue
from services.ledger.domain.responses import Response
from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey

PoolKey = tuple[CustomerId, CreditTypeId]


@value(frozen=True, slots=True)
class DuePool:
    """A pool in which something is due, and since when."""

    next_due_time: datetime
    customer_id: CustomerId
    credit_type_id: CreditTypeId


@value(frozen=True, slots=True)
class DueSlot:
    """A slot in which something is due, and since when."""

    next_due_time: datetime
    customer_id: CustomerId
    credit_type_id: CreditTypeId
    subscription_id: str
    number: int


class AccountsMoved(Aborted):
    """A contract switched to another pool while requests under it were decided."""

    reason = "TRANSACTION_CONFLICT"

    def __init__(self) -> None:
        super().__init__("the contract changed at this very moment; retry")


class LockHeld(Exception):
    """Another transaction holds a lock for longer than the lane waits. Nothing was done."""


@dataclass(slots=True)
class AccountSelection:
    """What to read of one pool in addition to its grants, caps and watches.

    prices: their meters are read, or made. values: of UNIQUE metrics, whether they were reported before.
    used_times: of usage that is reported or corrected; the overage of its usage periods is read.
    pays_late: also read closed grants that can still pay for late usage.
    settles: also read what can fall due, even if the pool's next_due_time is not reached, and compare again what seats
    have brought so far.
    seats: group values of calls, of which some may be seat ids: their slots are read, if the pool has named seats.
    slot_ids: other slots to read.
    only_grants: if nothing is due, read these grants, closed ones too, and no others: see Account.unread.
    """

    group_values: set[GroupValue] = field(default_factory=set)
    hold_ids: set[HoldId] = field(default_factory=set)
    prices: list[MeteredPrice] = field(default_factory=list)
    values: set[tuple[MeterKey, UniqueValue]] = field(default_factory=set)
    used_times: set[datetime] = field(default_factory=set)
    pays_late: bool = False
    settles: bool = False
    only_grants: frozenset[GrantId] | None = None
    seats: set[SeatName] = field(default_factory=set)
    slot_ids: frozenset[SlotId] = frozenset()

    def meter_keys(self) -> set[MeterKey]:
        """Return the meters that usage at these prices counts on."""
        return {price.meter_key for price in self.prices if price.meter_key is not None}


@value(frozen=True, slots=True)
class Change:
    """An account as it was read, and as it is to be written. schedules: those whose progress has changed."""

    before: Account
    after: Account
    schedules: Sequence[ScheduleProgress] = ()

    @property
    def key(self) -> PoolKey:
        return self.after.customer_id, self.after.credit_type_id

    @property
    def is_empty(self) -> bool:
        return self.after is self.before and not self.schedules

    @property
    def is_plain(self) -> bool:
        """Whether one statement can write it: an existing pool, no new grants, crossings or progress, and no voids."""
        return (
            self.before.version > 0
            and not self.schedules
            and not self.after.crossings
            and not self.after.changed_slots
            and self.after.watch_states is self.before.watch_states
            and all(map(self._is_plain_grant, set(self.after.changed_grants)))
        )

    def _is_plain_grant(self, grant_id: GrantId) -> bool:
        before = self.before.grants.get(grant_id)
        return before is not None and is_plain_change(before, self.after.grants[grant_id])


def is_plain_change(before: Grant, after: Grant) -> bool:
    """Whether only amounts that every use of a grant changes have changed."""
    return (
        before.void is after.void
        and before.taken_back is after.taken_back
        and before.rolled_over is after.rolled_over
        and before.withheld is after.withheld
        and before.to_void is after.to_void
    )


def with_new_entries(changes: Iterable[Change]) -> set[PoolKey]:
    """Return the pools that these changes add entries to."""
    return {change.key for change in changes if change.after.entries}


@value(frozen=True, slots=True)
class NewResponse:
    """A response to store beside its effect on a pool. subject: of the caller."""

    key: PoolKey
    request_id: str
    fingerprint: bytes
    response: Response
    create_time: datetime
    subject: str


@value(frozen=True, slots=True)
class NewEvent:
    """An event to store, with its result. key: a pool that it is charged to; None: nothing was charged.

    subject: of who reported it.
    """

    key: PoolKey | None
    event: RecordEvent
    result: EventResult
    receive_time: datetime
    subject: str


@value(frozen=True, slots=True)
class GuessedDenial:
    """A denial of a request that was decided on a cached account. version: the account's."""

    key: PoolKey
    version: int
    request_id: str


@value(frozen=True, slots=True)
class StoredResponse:
    """The response stored for the request of that fingerprint. decode: returns it, given its type."""

    fingerprint: bytes
    decode: Callable[[type[Any]], Any]
