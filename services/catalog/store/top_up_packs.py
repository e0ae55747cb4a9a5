# SPDX-License-Identifier: Apache-2.0
"""Statements about top-up packs."""

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from meshkit.quantity import Credits, Money
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.errors import TopUpPackNotFound
from services.catalog.domain.product import ProductId
from services.catalog.domain.top_up_pack import TopUpPack, TopUpPackId
from services.catalog.store.rows import AnyRow, one_page
from services.catalog.tables import top_up_packs as packs

_COLUMNS = (
    packs.c.top_up_pack_id,
    packs.c.name,
    packs.c.product_id,
    packs.c.credit_type_id,
    packs.c.amount_micros,
    packs.c.price_currency_code,
    packs.c.price_micros,
    packs.c.priority,
    packs.c.lifetime,
    packs.c.create_time,
)


class StoredTopUpPacks:
    """Packs never change."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, pack: TopUpPack) -> None:
        await self._connection.execute(
            insert(packs).values(
                top_up_pack_id=pack.top_up_pack_id,
                name=pack.name,
                product_id=pack.product_id,
                credit_type_id=pack.credit_type_id,
                amount_micros=pack.amount.micros,
                price_currency_code=pack.price.currency_code,
                price_micros=pack.price.micros,
                priority=pack.priority,
                lifetime=pack.lifetime,
                create_time=pack.create_time,
            )
        )

    async def get(self, top_up_pack_id: TopUpPackId) -> TopUpPack:
        """Raises TopUpPackNotFound."""
        found = select(*_COLUMNS).where(packs.c.top_up_pack_id == top_up_pack_id)
        row = (await self._connection.execute(found)).first()
        if row is None:
            raise TopUpPackNotFound(top_up_pack_id=top_up_pack_id)
        return _from_row(row)

    async def list(self, page: Page) -> Sequence[TopUpPack]:
        """Return a page in order of creation, and one row more if there is one."""
        rows = await self._connection.execute(one_page(select(*_COLUMNS), packs.c.top_up_pack_id, page))
        return [_from_row(row) for row in rows]


def _from_row(row: AnyRow) -> TopUpPack:
    return TopUpPack(
        top_up_pack_id=TopUpPackId(row.top_up_pack_id),
        name=row.name,
        product_id=ProductId(row.product_id),
        credit_type_id=CreditTypeId(row.credit_type_id),
        amount=Credits(row.amount_micros),
        price=Money(row.price_currency_code, row.price_micros),
        priority=row.priority,
        lifetime=row.lifetime,
        create_time=row.create_time,
    )
