# SPDX-License-Identifier: Apache-2.0
"""Statements about credit types."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from services.catalog.domain.credit_type import CreditType, CreditTypeId
from services.catalog.domain.errors import CreditTypeNameTaken
from services.catalog.store.rows import AnyRow, one_page
from services.catalog.tables import credit_types

_SELECT = select(credit_types.c.credit_type_id, credit_types.c.name, credit_types.c.create_time)


class StoredCreditTypes:
    """Credit types are never changed or deleted, so a reader needs no lock."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, credit_type: CreditType) -> None:
        """Raises CreditTypeNameTaken, also if a concurrent transaction inserts the name."""
        inserted = (
            insert(credit_types)
            .values(
                credit_type_id=credit_type.credit_type_id,
                name=credit_type.name,
                create_time=credit_type.create_time,
            )
            .on_conflict_do_nothing(index_elements=[credit_types.c.name])
            .returning(credit_types.c.credit_type_id)
        )
        if (await self._connection.execute(inserted)).first() is None:
            raise CreditTypeNameTaken(name=credit_type.name)

    async def ensure_currency(self, code: CreditTypeId, *, at: datetime) -> None:
        """Insert the credit type of a currency unless it exists. Raises CreditTypeNameTaken by a vendor's own type."""
        currency = CreditType(credit_type_id=code, name=code, create_time=at)
        if code not in await self.known([code]):
            try:
                await self.insert(currency)
            except CreditTypeNameTaken:
                if code not in await self.known([code]):  # a concurrent transaction may have inserted it
                    raise

    async def known(self, credit_type_ids: Collection[CreditTypeId]) -> frozenset[CreditTypeId]:
        """Return the ids that exist."""
        found = select(credit_types.c.credit_type_id).where(
            credit_types.c.credit_type_id.in_(credit_type_ids)
        )
        return frozenset((await self._connection.execute(found)).scalars())

    async def list(self, page: Page) -> Sequence[CreditType]:
        """Return a page in order of creation, currencies first, and one row more if there is one."""
        rows = await self._connection.execute(one_page(_SELECT, credit_types.c.credit_type_id, page))
        return [_from_row(row) for row in rows]


def _from_row(row: AnyRow) -> CreditType:
    return CreditType(
        credit_type_id=CreditTypeId(row.credit_type_id), name=row.name, create_time=row.create_time
    )
