# SPDX-License-Identifier: Apache-2.0
"""Seats on the wire: how they are named, how many there are, who gets, loses and passes them on."""

from collections.abc import Mapping, Sequence
from typing import Final

from meshkit.rpc.fields import Fields
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.copies import SubscriptionSeats
from services.ledger.domain.credits.schedule import Allocation
from services.ledger.domain.credits.seat_plan import SeatMoves
from services.ledger.domain.credits.seats import NamedSeats, SharedPoolAccess

SEATS_MAX: Final = 1_000_000
SEAT_IDS_MAX: Final = 1_000
LISTED_MAX: Final = 10_000
GROUP_KEY_LENGTH_MAX: Final = 64

_ACCESS: Final[Mapping[int, SharedPoolAccess]] = {
    pb.SHARED_POOL_ACCESS_UNSPECIFIED: SharedPoolAccess.NOBODY,
    pb.SHARED_POOL_ACCESS_NOBODY: SharedPoolAccess.NOBODY,
    pb.SHARED_POOL_ACCESS_EVERYONE: SharedPoolAccess.EVERYONE,
    pb.SHARED_POOL_ACCESS_LISTED: SharedPoolAccess.LISTED,
}
_ALLOCATIONS: Final[Mapping[int, Allocation]] = {
    pb.ALLOCATION_UNSPECIFIED: Allocation.POOLED,
    pb.ALLOCATION_POOLED: Allocation.POOLED,
    pb.ALLOCATION_INDIVIDUAL: Allocation.INDIVIDUAL,
}


def subscription_from_wire(fields: Fields, path: str, told: pb.SubscriptionSeats) -> SubscriptionSeats:
    return SubscriptionSeats(
        fields.text(f"{path}.subscription_id", told.subscription_id),
        fields.count(f"{path}.initial_quantity", told.initial_quantity, minimum=0, maximum=SEATS_MAX),
        _named_from_wire(fields, path, told),
    )


def _named_from_wire(fields: Fields, path: str, told: pb.SubscriptionSeats) -> NamedSeats | None:
    access = fields.choice(f"{path}.shared_pool_access", told.shared_pool_access, _ACCESS)
    listed = list(told.shared_pool_seat_ids)
    if not told.seat_group_key:
        for field in ("shared_pool_access", "shared_pool_seat_ids", "seat_ids"):
            if getattr(told, field):
                fields.add(f"{path}.{field}", "is for named seats only; set seat_group_key")
        return None
    if len(told.seat_ids) > LISTED_MAX:
        fields.add(f"{path}.seat_ids", f"must have at most {LISTED_MAX} elements")
    if listed and access is not SharedPoolAccess.LISTED:
        fields.add(f"{path}.shared_pool_seat_ids", "must be empty unless shared_pool_access is LISTED")
    if len(listed) > LISTED_MAX:
        fields.add(f"{path}.shared_pool_seat_ids", f"must have at most {LISTED_MAX} elements")
    return NamedSeats(
        group_key=fields.text(f"{path}.seat_group_key", told.seat_group_key, max_length=GROUP_KEY_LENGTH_MAX),
        shared_pool_access=access,
        shared_seat_ids=frozenset(
            fields.text(f"{path}.shared_pool_seat_ids[{n}]", one) for n, one in enumerate(listed)
        ),
        first_seat_ids=tuple(
            dict.fromkeys(fields.text(f"{path}.seat_ids[{n}]", one) for n, one in enumerate(told.seat_ids))
        ),
    )


def allocation_from_wire(
    fields: Fields, path: str, terms: pb.ScheduleTerms, subscriptions: Sequence[SubscriptionSeats]
) -> Allocation:
    allocation = fields.choice(f"{path}.allocation", terms.allocation, _ALLOCATIONS)
    named = {one.subscription_id for one in subscriptions if one.named is not None}
    if allocation is Allocation.INDIVIDUAL and terms.subscription_id not in named:
        fields.add(f"{path}.allocation", "INDIVIDUAL requires a subscription with seat_group_key")
    return allocation


def moves_from_wire(fields: Fields, request: pb.ApplySeatChangeRequest) -> SeatMoves:
    """Return what a change does to seat ids. An id may be named once in each role."""
    unassign = _ids(fields, "unassign_seat_ids", list(request.unassign_seat_ids))
    assign = _ids(fields, "assign_seat_ids", list(request.assign_seat_ids))
    from_ids = _ids(fields, "transfers.from_seat_id", [one.from_seat_id for one in request.transfers])
    to_ids = _ids(fields, "transfers.to_seat_id", [one.to_seat_id for one in request.transfers])
    if len(unassign) + len(assign) + len(from_ids) > SEAT_IDS_MAX:
        fields.add("assign_seat_ids", f"must have at most {SEAT_IDS_MAX} ids together with the other lists")
    transfers = tuple(zip(from_ids, to_ids, strict=True))
    return SeatMoves(unassign=unassign, transfers=transfers, assign=assign)


def _ids(fields: Fields, field: str, seat_ids: list[str]) -> tuple[str, ...]:
    if len(set(seat_ids)) < len(seat_ids):
        fields.add(field, "must not name an id twice")
    return tuple(fields.text(f"{field}[{n}]", one) for n, one in enumerate(seat_ids))
