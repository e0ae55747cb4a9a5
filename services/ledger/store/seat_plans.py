# SPDX-License-Identifier: Apache-2.0
"""The slots of subscriptions with named seats: what every change opened and ended, and who occupies which of them."""

from collections.abc import Sequence

from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant
from services.ledger.domain.credits.proration import SeatChange
from services.ledger.domain.credits.seat_plan import (
    NamedChange,
    SeatMoves,
    SeatPlan,
    SeatSpan,
    SlotNumber,
    SlotTurn,
)
from services.ledger.domain.credits.seats import SeatName, number_of, subscription_of
from services.ledger.store.connection import Connection

_CHANGE = "c.effective_time, c.sequence, c.seat_change_id, c.quantity_delta, c.new_quantity, c.accept_time"


async def plan_of(connection: Connection, customer_id: CustomerId, subscription_id: str) -> SeatPlan:
    """Return the slots of a known subscription, without their occupants."""
    initial = await connection.fetchval(
        "SELECT initial_quantity FROM ledger.subscriptions WHERE customer_id = $1 AND subscription_id = $2",
        customer_id,
        subscription_id,
    )
    rows = await connection.fetch(
        f"SELECT {_CHANGE}, t.first_slot, t.last_slot, t.opens FROM ledger.slot_turns t"
        " JOIN ledger.seat_changes c USING (customer_id, subscription_id, seat_change_id)"
        " WHERE t.customer_id = $1 AND t.subscription_id = $2 ORDER BY c.effective_time, c.sequence, t.first_slot",
        customer_id,
        subscription_id,
    )
    turns = tuple(SlotTurn(SeatChange(*row[:6]), row[6], row[7], row[8]) for row in rows)
    return SeatPlan(initial, turns)


class SeatPlans:
    """Slots and their occupants, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def is_named(self, customer_id: CustomerId, subscription_id: str) -> bool:
        """Whether the seats of a subscription have names."""
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM ledger.subscriptions WHERE customer_id = $1 AND subscription_id = $2"
            " AND seat_group_key IS NOT NULL)",
            customer_id,
            subscription_id,
        )
        return found

    async def find(self, customer_id: CustomerId, subscription_id: str) -> SeatPlan:
        """Return the plan as it was last saved."""
        plan = await plan_of(self._connection, customer_id, subscription_id)
        rows = await self._connection.fetch(
            "SELECT seat_id, slot, start_time, end_time FROM ledger.seat_assignments"
            " WHERE customer_id = $1 AND subscription_id = $2 ORDER BY start_time, seat_id",
            customer_id,
            subscription_id,
        )
        return SeatPlan(plan.initial_quantity, plan.turns, tuple(SeatSpan(*row) for row in rows))

    async def changes(self, customer_id: CustomerId, subscription_id: str) -> list[NamedChange]:
        """Return all changes of a subscription, in their order."""
        rows = await self._connection.fetch(
            f"SELECT {_CHANGE}, c.unassign_seat_ids, c.from_seat_ids, c.to_seat_ids, c.assign_seat_ids"
            " FROM ledger.seat_changes c WHERE c.customer_id = $1 AND c.subscription_id = $2"
            " ORDER BY c.effective_time, c.sequence",
            customer_id,
            subscription_id,
        )
        return [
            NamedChange(
                SeatChange(*row[:6]),
                SeatMoves(
                    unassign=tuple(row["unassign_seat_ids"] or ()),
                    transfers=tuple(zip(row["from_seat_ids"] or (), row["to_seat_ids"] or (), strict=True)),
                    assign=tuple(row["assign_seat_ids"] or ()),
                ),
            )
            for row in rows
        ]

    async def known_slots(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId, subscription_id: str
    ) -> set[SlotNumber]:
        """Return the slots of a subscription that were read in a pool."""
        rows = await self._connection.fetch(
            "SELECT slot FROM ledger.slots WHERE customer_id = $1 AND credit_type_id = $2 AND subscription_id = $3",
            customer_id,
            credit_type_id,
            subscription_id,
        )
        return {row["slot"] for row in rows}

    async def occupants(self, customer_id: CustomerId, grant: Grant) -> list[SeatName]:
        """Return the group values of the seats that had the slot of a grant while the grant lived."""
        assert grant.slot_id is not None
        rows = await self._connection.fetch(
            "SELECT DISTINCT u.seat_group_key, a.seat_id FROM ledger.seat_assignments a"
            " JOIN ledger.subscriptions u USING (customer_id, subscription_id)"
            " WHERE a.customer_id = $1 AND a.subscription_id = $2 AND a.slot = $3"
            " AND ($5::timestamptz IS NULL OR a.start_time < $5) AND (a.end_time IS NULL OR a.end_time > $4)",
            customer_id,
            subscription_of(grant.slot_id),
            number_of(grant.slot_id),
            grant.effective_time,
            grant.expire_time,
        )
        return [(row["seat_group_key"], row["seat_id"]) for row in rows]

    async def save(
        self, customer_id: CustomerId, subscription_id: str, before: SeatPlan, after: SeatPlan
    ) -> None:
        """Write what differs between two plans of a subscription."""
        await self._save_turns(customer_id, subscription_id, before.turns, after.turns)
        await self._save_spans(customer_id, subscription_id, before.spans, after.spans)

    async def _save_turns(
        self,
        customer_id: CustomerId,
        subscription_id: str,
        before: Sequence[SlotTurn],
        after: Sequence[SlotTurn],
    ) -> None:
        def rows(turns: Sequence[SlotTurn]) -> set[tuple[str, int, int, bool]]:
            return {(one.change.seat_change_id, one.first, one.last, one.opens) for one in turns}

        gone, new = rows(before) - rows(after), rows(after) - rows(before)
        await self._connection.executemany(
            "DELETE FROM ledger.slot_turns WHERE customer_id = $1 AND subscription_id = $2"
            " AND seat_change_id = $3 AND first_slot = $4",
            [(customer_id, subscription_id, *one[:2]) for one in sorted(gone)],
        )
        await self._connection.executemany(
            "INSERT INTO ledger.slot_turns (customer_id, subscription_id, seat_change_id, first_slot, last_slot,"
            " opens) VALUES ($1, $2, $3, $4, $5, $6)",
            [(customer_id, subscription_id, *one) for one in sorted(new)],
        )

    async def _save_spans(
        self,
        customer_id: CustomerId,
        subscription_id: str,
        before: Sequence[SeatSpan],
        after: Sequence[SeatSpan],
    ) -> None:
        gone, new = set(before) - set(after), set(after) - set(before)
        await self._connection.executemany(
            "DELETE FROM ledger.seat_assignments WHERE customer_id = $1 AND subscription_id = $2"
            " AND seat_id = $3 AND start_time = $4",
            [(customer_id, subscription_id, one.seat_id, one.start_time) for one in gone],
        )
        await self._connection.executemany(
            "INSERT INTO ledger.seat_assignments (customer_id, subscription_id, seat_id, slot, start_time, end_time)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            [
                (customer_id, subscription_id, one.seat_id, one.slot, one.start_time, one.end_time)
                for one in new
            ],
        )
