# SPDX-License-Identifier: Apache-2.0
"""CreateProduct, GetProduct, UpdateProduct, ListProducts, ArchiveProduct, ResendProduct."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.catalog.domain.commands import ArchiveProduct, CreateProduct, ResendProduct, UpdateProduct
from services.catalog.domain.errors import ProductNotUsage
from services.catalog.domain.metric import BillableMetric, check_in_use
from services.catalog.domain.notices import ProductChanged
from services.catalog.domain.product import Product, ProductId
from services.catalog.operations.ports import Relay
from services.catalog.store import PostgresStore, Transaction


class Products:
    """Creates and changes products. The Ledger receives usage products before the response, if it is up."""

    def __init__(self, *, store: PostgresStore, relay: Relay, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._relay = relay
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateProduct) -> Product:
        """Create a product. Raises BillableMetricNotFound, BillableMetricArchived."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Product)) is not None:
                return first
            product = Product(
                product_id=ProductId(self._ids.new("prd")),
                name=command.name,
                product_type=command.product_type,
                billable_metric_id=command.billable_metric_id,
                version=1,
                create_time=self._clock.now(),
                conversion=command.conversion,
                pricing_dimensions=command.pricing_dimensions,
            )
            if product.billable_metric_id is None:
                await tx.products.insert(product)
            else:
                # With a shared lock, so that it is not archived before the commit.
                metric = await tx.metrics.get(product.billable_metric_id, shared=True)
                check_in_use(metric)
                await tx.products.insert(product)
                await _notify(tx, product, metric)
            await tx.responses.store(command, product)
        await self._deliver(product)
        return product

    async def get(self, product_id: ProductId) -> Product:
        """Raises ProductNotFound."""
        async with self._store.transaction() as tx:
            return await tx.products.get(product_id)

    async def update(self, command: UpdateProduct) -> Product:
        """Rename a product. Raises ProductNotFound, ProductArchived."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Product)) is not None:
                return first
            product = await tx.products.rename(command.product_id, command.name)
            if product.billable_metric_id is not None:
                await _notify(tx, product, await tx.metrics.get(product.billable_metric_id))
            await tx.responses.store(command, product)
        await self._deliver(product)
        return product

    async def archive(self, command: ArchiveProduct) -> Product:
        """Archive a product. Repeating it changes nothing. Raises ProductNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Product)) is not None:
                return first
            product = await tx.products.archive(command.product_id, at=self._clock.now())
            await tx.responses.store(command, product)
        return product

    async def resend(self, command: ResendProduct) -> Product:
        """Send a usage product to the Ledger again, under a new version. Raises ProductNotFound, ProductNotUsage."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Product)) is not None:
                return first
            product = await tx.products.advance(command.product_id)
            if product.billable_metric_id is None:
                raise ProductNotUsage(product_id=product.product_id)
            await _notify(tx, product, await tx.metrics.get(product.billable_metric_id))
            await tx.responses.store(command, product)
        await self._deliver(product)
        return product

    async def list(self, page: Page, *, include_archived: bool) -> Sequence[Product]:
        async with self._store.transaction() as tx:
            return await tx.products.list(page, include_archived=include_archived)

    async def _deliver(self, product: Product) -> None:
        if product.billable_metric_id is not None:
            await self._relay.deliver_now(product.product_id)


async def _notify(tx: Transaction, product: Product, metric: BillableMetric) -> None:
    changed = ProductChanged(
        product_id=product.product_id,
        version=product.version,
        name=product.name,
        metric=metric,
        conversion=product.conversion,
        pricing_dimensions=product.pricing_dimensions,
    )
    await tx.outbox.enqueue(changed, key=product.product_id)
