# SPDX-License-Identifier: Apache-2.0
"""Statements about rate cards and their conversions."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.errors import RateCardNotFound
from services.catalog.domain.rate_card import CreditConversion, RateCard, RateCardId
from services.catalog.store.rows import AnyRow, one_page
from services.catalog.tables import credit_conversions as conversions
from services.catalog.tables import rate_cards

_COLUMNS = (
    rate_cards.c.rate_card_id,
    rate_cards.c.name,
    rate_cards.c.fiat_credit_type_id,
    rate_cards.c.version,
    rate_cards.c.create_time,
)


class StoredRateCards:
    """Only the version of a card changes; its conversions never do."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, card: RateCard) -> None:
        await self._connection.execute(
            insert(rate_cards).values(
                rate_card_id=card.rate_card_id,
                name=card.name,
                fiat_credit_type_id=card.fiat_credit_type_id,
                version=card.version,
                create_time=card.create_time,
            )
        )
        if card.conversions:
            rows = [
                {
                    "rate_card_id": card.rate_card_id,
                    "credit_type_id": conversion.credit_type_id,
                    "fiat_per_credit_micros": conversion.fiat_per_credit_micros,
                }
                for conversion in card.conversions
            ]
            await self._connection.execute(insert(conversions), rows)

    async def get(self, rate_card_id: RateCardId, *, locked: bool = False) -> RateCard:
        """Raises RateCardNotFound. locked: no other transaction changes the card or its rates."""
        found = select(*_COLUMNS).where(rate_cards.c.rate_card_id == rate_card_id)
        row = (await self._connection.execute(found.with_for_update() if locked else found)).first()
        if row is None:
            raise RateCardNotFound(rate_card_id=rate_card_id)
        return (await self._with_conversions([row]))[0]

    async def advance(self, card: RateCard) -> RateCard:
        """Save the next version of a locked card."""
        advanced = replace(card, version=card.version + 1)
        updated = await self._connection.execute(
            update(rate_cards)
            .where(rate_cards.c.rate_card_id == card.rate_card_id, rate_cards.c.version == card.version)
            .values(version=advanced.version)
        )
        assert updated.rowcount == 1
        return advanced

    async def list(self, page: Page) -> Sequence[RateCard]:
        """Return a page in order of creation, and one row more if there is one."""
        rows = await self._connection.execute(one_page(select(*_COLUMNS), rate_cards.c.rate_card_id, page))
        return await self._with_conversions(rows.all())

    async def _with_conversions(self, rows: Sequence[AnyRow]) -> Sequence[RateCard]:
        by_card = await self._conversions([row.rate_card_id for row in rows])
        return [
            RateCard(
                rate_card_id=RateCardId(row.rate_card_id),
                name=row.name,
                fiat_credit_type_id=CreditTypeId(row.fiat_credit_type_id),
                conversions=tuple(by_card.get(row.rate_card_id, ())),
                version=row.version,
                create_time=row.create_time,
            )
            for row in rows
        ]

    async def _conversions(self, rate_card_ids: Collection[str]) -> Mapping[str, Sequence[CreditConversion]]:
        found = (
            select(
                conversions.c.rate_card_id,
                conversions.c.credit_type_id,
                conversions.c.fiat_per_credit_micros,
            )
            .where(conversions.c.rate_card_id.in_(rate_card_ids))
            .order_by(conversions.c.rate_card_id, conversions.c.credit_type_id)
        )
        by_card = defaultdict(list)
        for row in await self._connection.execute(found):
            conversion = CreditConversion(
                credit_type_id=CreditTypeId(row.credit_type_id),
                fiat_per_credit_micros=row.fiat_per_credit_micros,
            )
            by_card[row.rate_card_id].append(conversion)
        return by_card
