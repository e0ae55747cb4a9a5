# SPDX-License-Identifier: Apache-2.0
"""Named seats: who occupies which slot of a subscription, and whose credits a call may draw.

Credits of an INDIVIDUAL schedule belong to slots, one per purchased seat. A seat id occupies a slot for some time, and
its usage draws the credits of that slot. Source: services/ledger/README.md, "Named seats".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from services.ledger.domain.credits.grant import Grant, GrantId, ProductId, SlotId
from services.ledger.domain.credits.schedule import Schedule

# A subscription and the id of one of its seats.
SeatKey = tuple[str, str]
# A group value: the key and the value that a call or an event has.
SeatName = tuple[str, str]


class SharedPoolAccess(Enum):
    """Which seats may draw shared credits when their own are used up."""

    NOBODY = "NOBODY"
    EVERYONE = "EVERYONE"
    LISTED = "LISTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSeats:
    """How the seats of a subscription are named. group_key: the group value that is a call's seat id.

    shared_seat_ids: with LISTED, the seats that may draw shared credits. first_seat_ids: of a contract that begins by a
    change of plan, the ids that have seats from its start.
    """

    group_key: str
    shared_pool_access: SharedPoolAccess = SharedPoolAccess.NOBODY
    shared_seat_ids: frozenset[str] = frozenset()
    first_seat_ids: tuple[str, ...] = ()

    def shares_pool_with(self, seat_id: str | None) -> bool:
        match self.shared_pool_access:
            case SharedPoolAccess.NOBODY:
                return False
            case SharedPoolAccess.EVERYONE:
                return True
            case SharedPoolAccess.LISTED:
                return seat_id in self.shared_seat_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatRule:
    """An INDIVIDUAL schedule, and the named seats whose slots it grants to."""

    schedule: Schedule
    subscription_id: str
    seats: NamedSeats

    def governs(self, contract_id: str | None, product_id: ProductId, at: datetime) -> bool:
        """Whether usage of a product under a contract is paid by a seat."""
        schedule = self.schedule
        return (
            schedule.contract_id == contract_id
            and schedule.start_time <= at
            and (schedule.end_time is None or at < schedule.end_time)
            and schedule.covers(product_id, at)
        )


@dataclass(frozen=True, slots=True)
class Assignment:
    """A seat id occupies a slot over `[start_time, end_time)`; None: until further notice."""

    slot_id: SlotId
    start_time: datetime
    end_time: datetime | None

    def is_in_force(self, at: datetime) -> bool:
        return self.start_time <= at and (self.end_time is None or at < self.end_time)


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot of an account. next_due_time: the first instant at which the clock alone changes it; None: never.

    grant_ids: its grants in the account.
    """

    next_due_time: datetime | None = None
    grant_ids: tuple[GrantId, ...] = ()

    def is_due(self, at: datetime) -> bool:
        return self.next_due_time is not None and self.next_due_time <= at


@dataclass(frozen=True, slots=True)
class Purse:
    """Whose credits a call may draw: those of slots, and behind them the shared pool if `is_shared`."""

    slot_ids: tuple[SlotId, ...]
    is_shared: bool

    def allows(self, grant: Grant) -> bool:
        return self.is_shared if grant.slot_id is None else grant.slot_id in self.slot_ids


POOL = Purse((), True)
NOTHING = Purse((), False)


def purse_of(
    rules: Iterable[SeatRule],
    seats: Mapping[SeatKey, tuple[Assignment, ...]],
    *,
    contract_id: str | None,
    product_id: ProductId,
    group_values: Mapping[str, str],
    at: datetime,
) -> Purse | None:
    """Return what usage at `at` may draw; None if a seat must pay for it, and its seat id is not assigned then.

    seats: of the call's seat ids. An id draws all slots that it has then, also those of a contract that has ended. If
    no seat must pay, shared credits are behind them; otherwise if one of the seats that must pay may draw them.
    """
    slot_ids: dict[SlotId, None] = {}
    is_governed = is_assigned = is_shared = False
    for rule in rules:
        governs = rule.governs(contract_id, product_id, at)
        is_governed = is_governed or governs
        if not rule.schedule.covers(product_id, at):
            continue
        seat_id = group_values.get(rule.seats.group_key, "")
        for one in seats.get((rule.subscription_id, seat_id), ()):
            if one.is_in_force(at):
                slot_ids[one.slot_id] = None
                is_assigned = is_assigned or governs
                is_shared = is_shared or (governs and rule.seats.shares_pool_with(seat_id))
    if not is_governed:
        return Purse(tuple(slot_ids), is_shared=True) if slot_ids else POOL
    return Purse(tuple(slot_ids), is_shared) if is_assigned else None


def purse_without_seat(
    rules: Iterable[SeatRule],
    *,
    contract_id: str | None,
    product_id: ProductId,
    group_values: Mapping[str, str],
    at: datetime,
) -> Purse:
    """Return what usage that has happened may draw although its id was not assigned: shared credits, if it may."""
    for rule in rules:
        seat_id = group_values.get(rule.seats.group_key)
        if rule.governs(contract_id, product_id, at) and rule.seats.shares_pool_with(seat_id):
            return POOL
    return NOTHING


def own_grants(grants: Mapping[GrantId, Grant], slots: Mapping[SlotId, Slot], purse: Purse) -> list[Grant]:
    """Return the grants of a purse's slots."""
    return [grants[one] for slot_id in purse.slot_ids for one in slots[slot_id].grant_ids]


def slot_id_of(subscription_id: str, number: int) -> SlotId:
    return SlotId(f"{subscription_id}#{number}")


def number_of(slot_id: SlotId) -> int:
    return int(slot_id.rpartition("#")[2])


def subscription_of(slot_id: SlotId) -> str:
    return slot_id.rpartition("#")[0]
