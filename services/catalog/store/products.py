# SPDX-License-Identifier: Apache-2.0
"""Statements about products."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from services.catalog.domain.errors import ProductArchived, ProductNotFound
from services.catalog.domain.metric import BillableMetricId
from services.catalog.domain.product import Product, ProductId, ProductType
from services.catalog.store.formats import PRICING_DIMENSION, QUANTITY_CONVERSION
from services.catalog.store.rows import AnyRow, one_page
from services.catalog.tables import products

_COLUMNS = (
    products.c.product_id,
    products.c.name,
    products.c.product_type,
    products.c.billable_metric_id,
    products.c.version,
    products.c.create_time,
    products.c.archive_time,
    products.c.conversion,
    products.c.pricing_dimensions,
)


class StoredProducts:
    """A product can be renamed until it is archived."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, product: Product) -> None:
        await self._connection.execute(
            insert(products).values(
                product_id=product.product_id,
                name=product.name,
                product_type=product.product_type.value,
                billable_metric_id=product.billable_metric_id,
                version=product.version,
                create_time=product.create_time,
                archive_time=product.archive_time,
                conversion=None
                if product.conversion is None
                else QUANTITY_CONVERSION.encode(product.conversion),
                pricing_dimensions=[PRICING_DIMENSION.encode(one) for one in product.pricing_dimensions],
            )
        )

    async def get(self, product_id: ProductId) -> Product:
        """Raises ProductNotFound."""
        found = select(*_COLUMNS).where(products.c.product_id == product_id)
        row = (await self._connection.execute(found)).first()
        if row is None:
            raise ProductNotFound(product_id=product_id)
        return _from_row(row)

    async def share(self, product_ids: Collection[ProductId]) -> dict[ProductId, Product]:
        """Return the products that exist, locked against changes until the transaction ends."""
        found = (
            select(*_COLUMNS)
            .where(products.c.product_id.in_(product_ids))
            .order_by(products.c.product_id)
            .with_for_update(read=True)
        )
        shared = [_from_row(row) for row in await self._connection.execute(found)]
        return {product.product_id: product for product in shared}

    async def rename(self, product_id: ProductId, name: str) -> Product:
        """Raises ProductNotFound, ProductArchived. The row stays locked until the transaction ends."""
        renamed = (
            update(products)
            .where(products.c.product_id == product_id, products.c.archive_time.is_(None))
            .values(name=name, version=products.c.version + 1)
            .returning(*_COLUMNS)
        )
        row = (await self._connection.execute(renamed)).first()
        if row is None:
            archived = await self.get(product_id)
            raise ProductArchived(product_id=archived.product_id)
        return _from_row(row)

    async def advance(self, product_id: ProductId) -> Product:
        """Save and return the next version of a product, archived or not. Raises ProductNotFound."""
        advanced = (
            update(products)
            .where(products.c.product_id == product_id)
            .values(version=products.c.version + 1)
            .returning(*_COLUMNS)
        )
        row = (await self._connection.execute(advanced)).first()
        if row is None:
            raise ProductNotFound(product_id=product_id)
        return _from_row(row)

    async def archive(self, product_id: ProductId, *, at: datetime) -> Product:
        """Archive a product, unless it is archived already. Raises ProductNotFound."""
        archived = (
            update(products)
            .where(products.c.product_id == product_id, products.c.archive_time.is_(None))
            .values(archive_time=at)
            .returning(*_COLUMNS)
        )
        row = (await self._connection.execute(archived)).first()
        return await self.get(product_id) if row is None else _from_row(row)

    async def list(self, page: Page, *, include_archived: bool) -> Sequence[Product]:
        """Return a page in order of creation, and one row more if there is one."""
        wanted = select(*_COLUMNS)
        if not include_archived:
            wanted = wanted.where(products.c.archive_time.is_(None))
        rows = await self._connection.execute(one_page(wanted, products.c.product_id, page))
        return [_from_row(row) for row in rows]


def _from_row(row: AnyRow) -> Product:
    metric = row.billable_metric_id
    return Product(
        product_id=ProductId(row.product_id),
        name=row.name,
        product_type=ProductType(row.product_type),
        billable_metric_id=None if metric is None else BillableMetricId(metric),
        version=row.version,
        create_time=row.create_time,
        archive_time=row.archive_time,
        conversion=None if row.conversion is None else QUANTITY_CONVERSION.decode(row.conversion),
        pricing_dimensions=tuple(PRICING_DIMENSION.decode(one) for one in row.pricing_dimensions),
    )
