# SPDX-License-Identifier: Apache-2.0
"""The Ledger's copy of seat changes. Each is kept once; none replaces another."""

from meshkit.distance import check_not_far_ahead
from meshkit.errors import InvalidFields
from services.ledger.domain.copies import SeatChangeUpdate
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.credits.proration import Seats
from services.ledger.domain.credits.seat_plan import SeatMoves
from services.ledger.domain.errors import sequence_taken
from services.ledger.store.audit import Audit
from services.ledger.store.connection import Connection
from services.ledger.store.credits.schedules import credit_types_of_subscription, seats_of


class SeatChanges:
    """Seats over time, in one transaction."""

    def __init__(self, connection: Connection, audit: Audit) -> None:
        self._connection = connection
        self._audit = audit

    async def seats(self, customer_id: CustomerId, subscription_id: str) -> Seats | None:
        return await seats_of(self._connection, customer_id, subscription_id)

    async def credit_types_of_subscription(
        self, customer_id: CustomerId, subscription_id: str
    ) -> list[CreditTypeId]:
        return await credit_types_of_subscription(self._connection, customer_id, subscription_id)

    async def keep(self, update: SeatChangeUpdate) -> bool:
        """Store a change of a known subscription; returns whether it was new.

        Raises InvalidFields if another change has its sequence, NoticeTooFarAhead.
        """
        change = update.change
        known = await self._connection.fetchval(
            "SELECT max(sequence) FROM ledger.seat_changes WHERE customer_id = $1 AND subscription_id = $2",
            update.customer_id,
            update.subscription_id,
        )
        # Not too far behind: every change counts, whatever its place among them.
        check_not_far_ahead(change.sequence, known=known or 0, field="sequence")
        is_new = await self._connection.fetchval(
            "INSERT INTO ledger.seat_changes (customer_id, subscription_id, seat_change_id, sequence,"
            " effective_time, quantity_delta, new_quantity, accept_time, unassign_seat_ids, from_seat_ids, to_seat_ids,"
            " assign_seat_ids) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
            " ON CONFLICT DO NOTHING RETURNING true",
            update.customer_id,
            update.subscription_id,
            change.seat_change_id,
            change.sequence,
            change.effective_time,
            await self._difference(update),
            change.new_quantity,
            change.accept_time,
            *_moves_to_row(update.moves),
        )
        if is_new is not None:
            await self._audit.record({"seat_change_id": change.seat_change_id})
            return True
        is_known = await self._connection.fetchval(
            "SELECT true FROM ledger.seat_changes"
            " WHERE customer_id = $1 AND subscription_id = $2 AND seat_change_id = $3",
            update.customer_id,
            update.subscription_id,
            change.seat_change_id,
        )
        if is_known is None:
            raise await self._sequence_taken(update)
        return False

    async def remove(self, customer_id: CustomerId, subscription_id: str, seat_change_id: str) -> int | None:
        """Remove a change, with the slots that it opened and ended; returns its sequence, None if it is not known."""
        await self._connection.execute(
            "DELETE FROM ledger.slot_turns WHERE customer_id = $1 AND subscription_id = $2 AND seat_change_id = $3",
            customer_id,
            subscription_id,
            seat_change_id,
        )
        sequence: int | None = await self._connection.fetchval(
            "DELETE FROM ledger.seat_changes WHERE customer_id = $1 AND subscription_id = $2 AND seat_change_id = $3"
            " RETURNING sequence",
            customer_id,
            subscription_id,
            seat_change_id,
        )
        return sequence

    async def _difference(self, update: SeatChangeUpdate) -> int:
        """Return the seats that a change adds now; replicas of the version before absolute counts add it up."""
        change = update.change
        if change.new_quantity is None:
            return change.quantity_delta
        seats = await self.seats(update.customer_id, update.subscription_id)
        assert seats is not None
        return change.new_quantity - seats.quantity_at(change.effective_time)

    async def _sequence_taken(self, update: SeatChangeUpdate) -> InvalidFields:
        other = await self._connection.fetchval(
            "SELECT seat_change_id FROM ledger.seat_changes"
            " WHERE customer_id = $1 AND subscription_id = $2 AND sequence = $3",
            update.customer_id,
            update.subscription_id,
            update.change.sequence,
        )
        return sequence_taken(by=other)


def _moves_to_row(moves: SeatMoves) -> tuple[list[str] | None, ...]:
    """Return the values of unassign_seat_ids, from_seat_ids, to_seat_ids and assign_seat_ids; NULL without ids."""
    from_ids = [from_id for from_id, _ in moves.transfers]
    to_ids = [to_id for _, to_id in moves.transfers]
    return (list(moves.unassign) or None, from_ids or None, to_ids or None, list(moves.assign) or None)
