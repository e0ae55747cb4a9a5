# SPDX-License-Identifier: Apache-2.0
"""The seat-scoped credits of seats: GetBalance of one seat, and ListSeatBalances."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.ledger.domain.credits.balance import OccupiedSlot, SeatBalance, balance_of_seat
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import PostgresStore, Transaction


class SeatBalances:
    """Reports the present state of seats, on a snapshot: what is due in their slots is settled in memory only."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def of_seat(
        self, customer: str, credit_type_id: CreditTypeId | None, seat_id: str
    ) -> tuple[SeatBalance, ...]:
        """Return what a seat has, by subscription and credit type; nothing if it is not assigned now.

        Raises CustomerNotFound.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> tuple[SeatBalance, ...]:
            customer_id = await tx.standings.customer_id(customer)
            seats = await tx.reports.seats_named(customer_id, credit_type_id, seat_id, at=at)
            return tuple(await self._balances(tx, customer_id, seats, at))

        return await self._store.read(work)

    async def list(
        self, customer: str, subscription_id: str | None, page: Page
    ) -> tuple[Sequence[SeatBalance], datetime]:
        """Return a page by subscription, seat id and credit type, one row more if there is one, and the instant.

        Raises CustomerNotFound.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> Sequence[SeatBalance]:
            customer_id = await tx.standings.customer_id(customer)
            seats = await tx.reports.seats(customer_id, subscription_id, page, at=at)
            return await self._balances(tx, customer_id, seats, at)

        return await self._store.read(work), at

    async def _balances(
        self, tx: Transaction, customer_id: CustomerId, seats: Sequence[OccupiedSlot], at: datetime
    ) -> Sequence[SeatBalance]:
        """Return the balances of seats, in their order."""
        by_pool = attrgetter("credit_type_id")
        found: dict[OccupiedSlot, SeatBalance] = {}
        for credit_type_id, of_pool in groupby(sorted(seats, key=by_pool), key=by_pool):
            slots = list(of_pool)
            opened = await open_account(
                tx, customer_id, credit_type_id, at=at, ids=self._ids, slot_ids=[one.slot_id for one in slots]
            )
            for seat in slots:
                found[seat] = balance_of_seat(opened.now, seat, at=opened.at)
        return [found[seat] for seat in seats]
