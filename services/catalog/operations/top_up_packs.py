# SPDX-License-Identifier: Apache-2.0
"""CreateTopUpPack, GetTopUpPack, ListTopUpPacks."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.catalog.domain.commands import CreateTopUpPack
from services.catalog.domain.errors import CreditTypeNotFound, ProductNotFound
from services.catalog.domain.top_up_pack import TopUpPack, TopUpPackId, check_sold_as
from services.catalog.store import PostgresStore


class TopUpPacks:
    """Creates and lists packs of credits. Contract sells them."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateTopUpPack) -> TopUpPack:
        """Create a pack. Raises ProductNotFound, CreditTypeNotFound, ProductArchived, ProductNotFixed."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, TopUpPack)) is not None:
                return first
            # With a shared lock, so that it is not archived before the commit.
            product = (await tx.products.share({command.product_id})).get(command.product_id)
            if product is None:
                raise ProductNotFound(product_id=command.product_id)
            if not await tx.credit_types.known({command.credit_type_id}):
                raise CreditTypeNotFound(credit_type_id=command.credit_type_id)
            check_sold_as(product)
            pack = TopUpPack(
                top_up_pack_id=TopUpPackId(self._ids.new("pck")),
                name=command.name,
                product_id=command.product_id,
                credit_type_id=command.credit_type_id,
                amount=command.amount,
                price=command.price,
                priority=command.priority,
                lifetime=command.lifetime,
                create_time=self._clock.now(),
            )
            await tx.top_up_packs.insert(pack)
            await tx.responses.store(command, pack)
        return pack

    async def get(self, top_up_pack_id: TopUpPackId) -> TopUpPack:
        """Raises TopUpPackNotFound."""
        async with self._store.transaction() as tx:
            return await tx.top_up_packs.get(top_up_pack_id)

    async def list(self, page: Page) -> Sequence[TopUpPack]:
        async with self._store.transaction() as tx:
            return await tx.top_up_packs.list(page)
