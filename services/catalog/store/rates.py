# SPDX-License-Identifier: Apache-2.0
"""Statements about rates. Lock the rate card before you write."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from meshkit.quantity import Ratio
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.errors import RateNotFound
from services.catalog.domain.product import ProductId
from services.catalog.domain.rate import BillingFrequency, Rate, RateId, RateType
from services.catalog.domain.rate_book import RateChange
from services.catalog.domain.rate_card import RateCardId, RateFilter
from services.catalog.store.formats import RATE_TIER
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
    rates.c.rate_type,
    rates.c.tiers,
    rates.c.dimension_values,
    rates.c.create_time,
    rates.c.withdraw_time,
    rates.c.corrects_rate_id,
    rates.c.ended_by_rate_id,
)
_ORDER = ("product_id", "billing_frequency", "dimension_values", "effective_time", "rate_id")


class StoredRates:
    """Of a rate only its end and its withdrawal change."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, rate_card_id: RateCardId, added: Iterable[Rate]) -> None:
        """Insert rates that overlap neither each other nor existing ones, at least one."""
        await self._connection.execute(insert(rates), [_to_row(rate_card_id, rate) for rate in added])

    async def save(self, rate_card_id: RateCardId, change: RateChange) -> None:
        """Save a change of a card's rates, without an overlap between two statements."""
        for before, after in change.changed:
            if _is_narrower(before, after):
                await self._change(before, after)
        if change.added:
            await self.insert(rate_card_id, change.added)
        for before, after in change.changed:
            if not _is_narrower(before, after):
                await self._change(before, after)

    async def card_of(self, rate_id: RateId) -> RateCardId:
        """Return the card of a rate, which never changes. Raises RateNotFound."""
        found = select(rates.c.rate_card_id).where(rates.c.rate_id == rate_id)
        rate_card_id = (await self._connection.execute(found)).scalar_one_or_none()
        if rate_card_id is None:
            raise RateNotFound(rate_id=rate_id)
        return RateCardId(rate_card_id)

    async def products_of(self, rate_card_id: RateCardId, rate_ids: Collection[RateId]) -> set[ProductId]:
        """Return the products of those of these rates that are on the card."""
        found = select(rates.c.product_id).where(
            rates.c.rate_card_id == rate_card_id, rates.c.rate_id.in_(rate_ids)
        )
        return {ProductId(product_id) for product_id in (await self._connection.execute(found)).scalars()}

    async def _change(self, before: Rate, after: Rate) -> None:
        changed = await self._connection.execute(
            update(rates)
            .where(
                rates.c.rate_id == before.rate_id,
                rates.c.end_time.is_not_distinct_from(before.end_time),
                rates.c.withdraw_time.is_not_distinct_from(before.withdraw_time),
            )
            .values(
                end_time=after.end_time,
                ended_by_rate_id=after.ended_by_rate_id,
                withdraw_time=after.withdraw_time,
            )
        )
        assert changed.rowcount == 1

    async def count(self, rate_card_id: RateCardId) -> int:
        """Return the number of rates of a card, withdrawn and corrected ones included."""
        counted = select(func.count()).select_from(rates).where(rates.c.rate_card_id == rate_card_id)
        return (await self._connection.execute(counted)).scalar_one()

    async def of_products(
        self, rate_card_id: RateCardId, product_ids: Collection[ProductId]
    ) -> Sequence[Rate]:
        """Return all rates of these products on the card, in the order of `list`."""
        wanted, _ = _of(rate_card_id)
        return await self._read(wanted.where(rates.c.product_id.in_(product_ids)))

    async def of_usage(self, rate_card_id: RateCardId) -> Sequence[Rate]:
        """Return all usage rates of the card, in the order of `list`."""
        wanted, _ = _of(rate_card_id)
        return await self._read(wanted.where(rates.c.billing_frequency == _NO_FREQUENCY))

    async def list(self, asked: RateFilter, page: Page) -> Sequence[Rate]:
        """Return a page, and one row more if there is one.

        As of an instant: only the rates that price at it.
        By product, billing frequency, dimension values, effective_time and rate_id; none of them ever changes.
        page.after: the rate_id of the last rate before the page.
        """
        wanted, corrected_by = _of(asked.rate_card_id)
        wanted = wanted.limit(page.size + 1)
        if asked.product_id is not None:
            wanted = wanted.where(rates.c.product_id == asked.product_id)
        if asked.as_of_time is not None:
            wanted = wanted.where(
                rates.c.effective_time <= asked.as_of_time,
                or_(rates.c.end_time.is_(None), rates.c.end_time > asked.as_of_time),
                rates.c.withdraw_time.is_(None),
                corrected_by.is_(None),
            )
        if page.after is not None:
            last = rates.alias("last")
            behind = select(*(last.c[name] for name in _ORDER)).where(last.c.rate_id == page.after[0])
            wanted = wanted.where(tuple_(*(rates.c[name] for name in _ORDER)) > behind.scalar_subquery())
        return await self._read(wanted)

    async def _read(self, wanted: AnySelect) -> Sequence[Rate]:
        return [_from_row(row) for row in await self._connection.execute(wanted)]


def _of(rate_card_id: RateCardId) -> tuple[AnySelect, ColumnElement[str | None]]:
    """Return the statement for a card's rates, and its expression for the correction that prices instead of one."""
    newer = rates.alias("newer")
    latest = (
        select(newer.c.corrects_rate_id.label("root_id"), newer.c.rate_id.label("latest_id"))
        .ext(distinct_on(newer.c.corrects_rate_id))
        .where(newer.c.rate_card_id == rate_card_id, newer.c.corrects_rate_id.is_not(None))
        .order_by(newer.c.corrects_rate_id, newer.c.create_time.desc())
        # Materialized: without statistics, PostgreSQL would sort the corrections again for each rate.
        .cte("latest")
        .prefix_with("MATERIALIZED")
    )
    root_id = func.coalesce(rates.c.corrects_rate_id, rates.c.rate_id)
    corrected_by = func.nullif(latest.c.latest_id, rates.c.rate_id)
    wanted = (
        select(*_COLUMNS, corrected_by.label("corrected_by_rate_id"))
        .select_from(rates.outerjoin(latest, latest.c.root_id == root_id))
        .where(rates.c.rate_card_id == rate_card_id)
        .order_by(*(rates.c[name] for name in _ORDER))
    )
    return wanted, corrected_by


def _is_narrower(before: Rate, after: Rate) -> bool:
    """Return whether a rate was withdrawn, or ends earlier than before."""
    is_earlier = after.end_time is not None and before.reaches_past(after.end_time)
    return after.withdraw_time != before.withdraw_time or is_earlier


def _to_row(rate_card_id: RateCardId, rate: Rate) -> dict[str, object]:
    price = rate.price
    return {
        "rate_id": rate.rate_id,
        "rate_card_id": rate_card_id,
        "product_id": rate.product_id,
        "billing_frequency": _NO_FREQUENCY
        if rate.billing_frequency is None
        else rate.billing_frequency.value,
        "credit_type_id": rate.credit_type_id,
        "price_micros": None if price is None else price.numerator_micros,
        "per_micros": None if price is None else price.denominator_micros,
        "effective_time": rate.effective_time,
        "end_time": rate.end_time,
        "rate_type": rate.rate_type.value,
        "tiers": [RATE_TIER.encode(tier) for tier in rate.tiers],
        "dimension_values": dict(rate.dimension_values),
        "create_time": rate.create_time,
        "withdraw_time": rate.withdraw_time,
        "corrects_rate_id": rate.corrects_rate_id,
        "ended_by_rate_id": rate.ended_by_rate_id,
    }


def _from_row(row: AnyRow) -> Rate:
    return Rate(
        rate_id=RateId(row.rate_id),
        product_id=ProductId(row.product_id),
        billing_frequency=None
        if row.billing_frequency == _NO_FREQUENCY
        else BillingFrequency(row.billing_frequency),
        credit_type_id=CreditTypeId(row.credit_type_id),
        price=None if row.price_micros is None else Ratio(row.price_micros, row.per_micros),
        effective_time=row.effective_time,
        end_time=row.end_time,
        rate_type=RateType(row.rate_type),
        tiers=tuple(RATE_TIER.decode(tier) for tier in row.tiers),
        dimension_values=tuple(sorted(row.dimension_values.items())),
        create_time=row.create_time,
        withdraw_time=row.withdraw_time,
        corrects_rate_id=_rate_id(row.corrects_rate_id),
        ended_by_rate_id=_rate_id(row.ended_by_rate_id),
        corrected_by_rate_id=_rate_id(row.corrected_by_rate_id),
    )


def _rate_id(text: str | None) -> RateId | None:
    return None if text is None else RateId(text)
