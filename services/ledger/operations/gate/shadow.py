# SPDX-License-Identifier: Apache-2.0
"""SetShadowMode, ListShadowModes, ListShadowDenials."""

from collections.abc import Sequence
from datetime import date

from access import current_caller
from meshkit.clock import Clock
from meshkit.page import Page
from services.ledger.domain.errors import ProductNotFound
from services.ledger.domain.gate.commands import SetShadowMode
from services.ledger.domain.gate.shadow import EVERY_PRODUCT, ShadowDenials, ShadowMode
from services.ledger.store import PostgresStore, Transaction


class Shadows:
    """Switches shadow mode on and off, and reports what it has allowed. The gate reads it at its next decision."""

    def __init__(self, *, store: PostgresStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def set(self, command: SetShadowMode) -> ShadowMode:
        """Switch it on or off. Raises CustomerNotFound, ProductNotFound, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> ShadowMode:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, ShadowMode)) is not None:
                return first
            if command.product_id != EVERY_PRODUCT and not await tx.standings.products([command.product_id]):
                raise ProductNotFound(product_id=command.product_id)
            await tx.copies.lock_customer(customer_id)
            mode = ShadowMode(
                customer_id=customer_id,
                product_id=command.product_id,
                is_on=command.is_on,
                update_time=at,
            )
            await tx.shadows.set(mode)
            await tx.copies.outdate(customer_id)
            await tx.responses.store(customer_id, command, mode, at=at)
            return mode

        return await self._store.run(work, turn_of=command.customer)

    async def modes(self, customer: str) -> Sequence[ShadowMode]:
        """Return what is set of a customer. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> list[ShadowMode]:
            return await tx.shadows.modes(await tx.standings.customer_id(customer))

        return await self._store.read(work)

    async def denials(
        self, customer: str | None, first: date, last: date, page: Page
    ) -> Sequence[ShadowDenials]:
        """Return a page of the report, and one line more when there is.

        customer: None for all that the caller may see. Raises CustomerNotFound.
        """
        visible = current_caller().customer_ids

        async def work(tx: Transaction) -> list[ShadowDenials]:
            asked = visible if customer is None else {await tx.standings.customer_id(customer)}
            return await tx.shadows.denials(asked, first, last, page)

        return await self._store.read(work)
