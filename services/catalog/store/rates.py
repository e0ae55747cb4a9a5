# SPDX-License-Identifier: Apache-2.0
"""Statements about rates. Lock the rate card before you write."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from meshkit.quantity import Ratio
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.product import ProductId
from services.catalog.domain.rate import BillingFrequency, Rate, RateId
from services.catalog.domain.rate_card import RateCardId, RateFilter
from services.catalog.store.rows import AnyRow, AnySelect
from services.catalog.tables import rates

_NO_FREQUENCY: Final = "NONE"

_COLUMNS = (
    rates.c.rate_id,
    rates.c.product_id,
    rates.c.billing_frequency,
    rates.c.credit_type_id,
    rates.c.price_micros,
    rates.c.per_micros,
    rates.c.effective_time,
    rates.c.end_time,
)
_ORDER = (rates.c.product_id, rates.c.billing_frequency, rates.c.effective_time)


class StoredRates:
    """Only the end of a rate changes, from open to an instant."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, rate_card_id: RateCardId, added: Sequence[Rate]) -> None:
        """Insert rates that overlap neither each other nor existing ones."""
        rows = [
            {
                "rate_id": rate.rate_id,
                "rate_card_id": rate_card_id,
                "product_id": rate.product_id,
                "billing_frequency": _frequency_to_text(rate.billing_frequency),
                "credit_type_id": rate.credit_type_id,
                "price_micros": rate.price.numerator_micros,
                "per_micros": rate.price.denominator_micros,
                "effective_time": rate.effective_time,
                "end_time": rate.end_time,
            }
            for rate in added
        ]
        await self._connection.execute(insert(rates), rows)

    async def end(self, rate: Rate) -> None:
        """Set the end of an open-ended rate."""
        ended = await self._connection.execute(
            update(rates)
            .where(rates.c.rate_id == rate.rate_id, rates.c.end_time.is_(None))
            .values(end_time=rate.end_time)
        )
        assert ended.rowcount == 1

    async def count(self, rate_card_id: RateCardId) -> int:
        """Return the number of rates of a card."""
        counted = select(func.count()).select_from(rates).where(rates.c.rate_card_id == rate_card_id)
        return (await self._connection.execute(counted)).scalar_one()

    async def of_products(
        self, rate_card_id: RateCardId, product_ids: Collection[ProductId]
    ) -> Sequence[Rate]:
        """Return the card's rates of these products, by product, billing frequency and effective_time."""
        return await self._read(_of(rate_card_id).where(rates.c.product_id.in_(product_ids)))

    async def of_usage(self, rate_card_id: RateCardId) -> Sequence[Rate]:
        """Return the card's usage rates, by product and effective_time."""
        return await self._read(_of(rate_card_id).where(rates.c.billing_frequency == _NO_FREQUENCY))

    async def list(self, asked: RateFilter, page: Page) -> Sequence[Rate]:
        """Return a page by product, billing frequency and effective_time, and one row more if there is one.

        page.after: the rate_id of the last rate before the page. The sort key of a rate never changes.
        """
        wanted = _of(asked.rate_card_id).limit(page.size + 1)
        if asked.product_id is not None:
            wanted = wanted.where(rates.c.product_id == asked.product_id)
        if asked.as_of_time is not None:
            reaches_past = or_(rates.c.end_time.is_(None), rates.c.end_time > asked.as_of_time)
            wanted = wanted.where(rates.c.effective_time <= asked.as_of_time, reaches_past)
        if page.after is not None:
            last = rates.alias("last")
            behind = select(last.c.product_id, last.c.billing_frequency, last.c.effective_time)
            wanted = wanted.where(
                tuple_(*_ORDER) > behind.where(last.c.rate_id == page.after[0]).scalar_subquery()
            )
        return await self._read(wanted)

    async def _read(self, wanted: AnySelect) -> Sequence[Rate]:
        return [_from_row(row) for row in await self._connection.execute(wanted)]


def _of(rate_card_id: RateCardId) -> AnySelect:
    return select(*_COLUMNS).where(rates.c.rate_card_id == rate_card_id).order_by(*_ORDER)


def _from_row(row: AnyRow) -> Rate:
    return Rate(
        rate_id=RateId(row.rate_id),
        product_id=ProductId(row.product_id),
        billing_frequency=_frequency_from_text(row.billing_frequency),
        credit_type_id=CreditTypeId(row.credit_type_id),
        price=Ratio(row.price_micros, row.per_micros),
        effective_time=row.effective_time,
        end_time=row.end_time,
    )


def _frequency_to_text(frequency: BillingFrequency | None) -> str:
    return _NO_FREQUENCY if frequency is None else frequency.value


def _frequency_from_text(text: str) -> BillingFrequency | None:
    return None if text == _NO_FREQUENCY else BillingFrequency(text)
