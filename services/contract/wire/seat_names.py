# SPDX-License-Identifier: Apache-2.0
"""Values of named seats on the wire: seat ids, what a change does with them, access to shared credits."""

from collections.abc import Sequence
from typing import Final

from meshkit.rpc.fields import Fields
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.ids import SeatId
from services.contract.domain.seats.naming import (
    SEAT_IDS_PER_CHANGE_MAX,
    NamedSeats,
    SeatNames,
    SeatTransfer,
    SharedPool,
    SharedPoolAccess,
)
from services.contract.wire.values import by_number, default, each

# As the key of a group value in the Ledger.
SEAT_GROUP_KEY_MAX = 64
_ACCESSES: Final = {
    SharedPoolAccess.NOBODY: pb.SHARED_POOL_ACCESS_NOBODY,
    SharedPoolAccess.EVERYONE: pb.SHARED_POOL_ACCESS_EVERYONE,
    SharedPoolAccess.LISTED: pb.SHARED_POOL_ACCESS_LISTED,
}


def names_from_wire(
    fields: Fields,
    assign: Sequence[str],
    unassign: Sequence[str],
    transfers: Sequence[pb.SeatTransfer],
) -> SeatNames:
    """Return the seat ids of a change: each named once, and not too many."""
    names = SeatNames(
        assign=_each_id(fields, "assign_seat_ids", assign),
        unassign=_each_id(fields, "unassign_seat_ids", unassign),
        transfers=each(fields, "transfers", transfers, SEAT_IDS_PER_CHANGE_MAX // 2, _transfer_from_wire),
    )
    if len(names.seat_ids) > SEAT_IDS_PER_CHANGE_MAX:
        fields.add("assign_seat_ids", f"a change must name at most {SEAT_IDS_PER_CHANGE_MAX} ids in all")
    _refuse_duplicates(fields, "assign_seat_ids", names.seat_ids)
    return names


def seat_ids_from_wire(fields: Fields, field: str, seat_ids: Sequence[str]) -> tuple[SeatId, ...]:
    """Return different seat ids, and not too many."""
    ids = _each_id(fields, field, seat_ids)
    _refuse_duplicates(fields, field, ids)
    return ids


def named_from_wire(
    fields: Fields, prefix: str, seat_group_key: str, shared_pool: pb.SharedPool
) -> NamedSeats:
    """Return how seats are named. prefix: of the fields' names, such as "subscriptions[0]."."""
    return NamedSeats(
        seat_group_key=fields.text(f"{prefix}seat_group_key", seat_group_key, max_length=SEAT_GROUP_KEY_MAX),
        shared_pool=shared_pool_from_wire(fields, f"{prefix}shared_pool", shared_pool),
    )


def shared_pool_from_wire(fields: Fields, path: str, shared_pool: pb.SharedPool) -> SharedPool:
    access = default(fields, f"{path}.access", shared_pool.access, by_number(_ACCESSES))
    seat_ids = seat_ids_from_wire(fields, f"{path}.seat_ids", shared_pool.seat_ids)
    if access is SharedPoolAccess.LISTED and not shared_pool.seat_ids:
        fields.add(f"{path}.seat_ids", "is required for LISTED")
    if access is not SharedPoolAccess.LISTED and shared_pool.seat_ids:
        fields.add(f"{path}.seat_ids", "must be left out unless access is LISTED")
    return SharedPool(access=access, seat_ids=seat_ids)


def shared_pool_to_wire(shared_pool: SharedPool) -> pb.SharedPool:
    return pb.SharedPool(access=_ACCESSES[shared_pool.access], seat_ids=shared_pool.seat_ids)


def transfers_to_wire(names: SeatNames) -> list[pb.SeatTransfer]:
    return [
        pb.SeatTransfer(from_seat_id=one.from_seat_id, to_seat_id=one.to_seat_id) for one in names.transfers
    ]


def _each_id(fields: Fields, field: str, seat_ids: Sequence[str]) -> tuple[SeatId, ...]:
    return each(fields, field, seat_ids, SEAT_IDS_PER_CHANGE_MAX, _seat_id)


def _seat_id(fields: Fields, field: str, seat_id: str) -> SeatId:
    return SeatId(fields.text(field, seat_id))


def _transfer_from_wire(fields: Fields, path: str, transfer: pb.SeatTransfer) -> SeatTransfer:
    return SeatTransfer(
        from_seat_id=_seat_id(fields, f"{path}.from_seat_id", transfer.from_seat_id),
        to_seat_id=_seat_id(fields, f"{path}.to_seat_id", transfer.to_seat_id),
    )


def _refuse_duplicates(fields: Fields, field: str, seat_ids: Sequence[SeatId]) -> None:
    seen: set[SeatId] = set()
    for seat_id in seat_ids:
        if seat_id and seat_id in seen:
            fields.add(field, f"names {seat_id!r} twice")
        seen.add(seat_id)
