# SPDX-License-Identifier: Apache-2.0
"""Statements about plan offers."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Row, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from services.contract.domain.errors.contracts import PlanOfferNotFound
from services.contract.domain.ids import CustomerId, PlanOfferId
from services.contract.domain.plan_offer import PlanOffer
from services.contract.store.formats import OFFERED_TERMS
from services.contract.store.paging import one_page
from services.contract.tables import plan_offers

_COLUMNS: Final[tuple[Column[Any], ...]] = (
    plan_offers.c.plan_offer_id,
    plan_offers.c.name,
    plan_offers.c.description,
    plan_offers.c.terms,
    plan_offers.c.customer_ids,
    plan_offers.c.create_time,
    plan_offers.c.archive_time,
)


class StoredPlanOffers:
    """Offers are never deleted, and only archived."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, offer: PlanOffer) -> None:
        await self._connection.execute(
            insert(plan_offers).values(
                plan_offer_id=offer.plan_offer_id,
                name=offer.name,
                description=offer.description,
                terms=OFFERED_TERMS.encode(offer.terms),
                customer_ids=list(offer.customer_ids),
                create_time=offer.create_time,
                archive_time=offer.archive_time,
            )
        )

    async def find(self, plan_offer_id: PlanOfferId) -> PlanOffer:
        """Return an offer, whoever sees it. Raises PlanOfferNotFound."""
        found = select(*_COLUMNS).where(plan_offers.c.plan_offer_id == plan_offer_id)
        return _one((await self._connection.execute(found)).first(), plan_offer_id)

    async def archive(self, plan_offer_id: PlanOfferId, *, at: datetime) -> PlanOffer:
        """Archive an offer, and return it; an archived one stays as it is. Raises PlanOfferNotFound."""
        archived = (
            update(plan_offers)
            .where(plan_offers.c.plan_offer_id == plan_offer_id)
            .values(archive_time=func.coalesce(plan_offers.c.archive_time, at))
            .returning(*_COLUMNS)
        )
        return _one((await self._connection.execute(archived)).first(), plan_offer_id)

    async def listed(self, page: Page, *, with_archived: bool) -> list[PlanOffer]:
        """Return a page in order of creation, and one row more if there is one."""
        of = select(*_COLUMNS)
        if not with_archived:
            of = of.where(plan_offers.c.archive_time.is_(None))
        rows = await self._connection.execute(one_page(of, plan_offers.c.plan_offer_id, page))
        return [_from_row(row) for row in rows]

    async def open_to(self, customer_id: CustomerId, page: Page) -> list[PlanOffer]:
        """Return a page of what a customer sees (PlanOffer.is_open_to), and one row more if there is one."""
        of = select(*_COLUMNS).where(
            plan_offers.c.archive_time.is_(None),
            or_(plan_offers.c.customer_ids == [], plan_offers.c.customer_ids.contains([customer_id])),
        )
        rows = await self._connection.execute(one_page(of, plan_offers.c.plan_offer_id, page))
        return [_from_row(row) for row in rows]


def _one(row: Row[Any] | None, plan_offer_id: PlanOfferId) -> PlanOffer:
    if row is None:
        raise PlanOfferNotFound(plan_offer_id=plan_offer_id)
    return _from_row(row)


def _from_row(row: Row[Any]) -> PlanOffer:
    return PlanOffer(
        plan_offer_id=PlanOfferId(row.plan_offer_id),
        name=row.name,
        description=row.description,
        terms=OFFERED_TERMS.decode(row.terms),
        customer_ids=tuple(CustomerId(one) for one in row.customer_ids),
        create_time=row.create_time,
        archive_time=row.archive_time,
    )
