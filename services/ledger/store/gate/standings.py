# SPDX-License-Identifier: Apache-2.0
"""Reads from the local copies which customer a name means, what a product is, and which contracts price it."""

from collections import defaultdict
from collections.abc import Collection, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime

from access import current_caller
from services.ledger.domain.credits.grant import CustomerId, ProductId
from services.ledger.domain.errors import CustomerNotFound
from services.ledger.domain.gate.standing import (
    CatalogCopies,
    CustomerRecord,
    PriceBook,
    PricedContract,
    price_book,
)
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate, price_list
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.rates import (
    RATE_COLUMNS,
    USAGE_PRODUCT_COLUMNS,
    rate_from_row,
    usage_product_from_row,
)

# SQL for the id that a name (an id or an alias) stands for. It does not check that the customer exists.
CUSTOMER_ID = """CASE WHEN starts_with({name}, 'cus_') THEN {name}
        ELSE (SELECT a.customer_id FROM ledger.customer_aliases a WHERE a.alias = {name}) END"""
_CUSTOMERS = f"""
    SELECT n.name, c.customer_id, c.is_suspended
    FROM unnest($1::text[]) AS n (name) JOIN ledger.customers c
        ON c.customer_id = {CUSTOMER_ID.format(name="n.name")}
"""
# SQL for the start of the usage periods of a customer u, fixed with its first contract; NULL without a contract.
USAGE_ANCHOR = """coalesce(u.usage_anchor_time, (SELECT k.start_time FROM ledger.contracts k
        WHERE k.customer_id = u.customer_id ORDER BY k.contract_id LIMIT 1))"""
_CONTRACTS = f"""
    SELECT e.version AS epoch, u.customer_id, {USAGE_ANCHOR} AS anchor_time, c.contract_id, c.rate_card_id,
        c.start_time, c.end_time
    FROM ledger.epochs e LEFT JOIN ledger.customers u ON u.customer_id = ANY ($1)
    LEFT JOIN ledger.contracts c USING (customer_id)
"""
# Without a contract nothing is priced, so it does not matter when its usage periods begin.
_NO_ANCHOR = datetime(1970, 1, 1, tzinfo=UTC)

CustomerProduct = tuple[CustomerId, ProductId]


@dataclass(slots=True)
class _Contracts:
    """A customer's contracts: id, rate card, start, end. anchor: start of its usage periods."""

    anchor: datetime = _NO_ANCHOR
    terms: list[tuple[str, str, datetime, datetime | None]] = field(default_factory=list)


class Standings:
    """Reads customers and products in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def customer_id(self, name: str) -> CustomerId:
        """Return the id of the customer with this id or alias. Raises CustomerNotFound, as `customer` does."""
        return (await self.customer(name)).customer_id

    async def customer(self, name: str) -> CustomerRecord:
        """Return the customer with this id or alias. Raises CustomerNotFound.

        One that the present caller may not see is not found either.
        """
        found = (await self.customers({name})).get(name)
        if found is None or not current_caller().may_see(found.customer_id):
            raise CustomerNotFound(customer=name)
        return found

    async def customers(self, names: Collection[str]) -> dict[str, CustomerRecord]:
        """Return customers by id or alias. Keys: the given names; unknown names are left out."""
        rows = await self._connection.fetch(_CUSTOMERS, sorted(names))
        return {
            row["name"]: CustomerRecord(
                customer_id=CustomerId(row["customer_id"]), is_suspended=row["is_suspended"]
            )
            for row in rows
        }

    async def price_books(
        self, asked: Collection[CustomerProduct], copies: CatalogCopies
    ) -> tuple[dict[CustomerProduct, PriceBook], CatalogCopies]:
        """Return what products cost customers, and the copies of the present epoch; unknown products are left out.

        copies: what is known of the Catalog's data. If they are of the present epoch, what is missing is added to them.
        """
        contracts, copies = await self._contracts({customer_id for customer_id, _ in asked}, copies)
        await self._add_products({product_id for _, product_id in asked} - copies.products.keys(), copies)
        known = [pair for pair in sorted(asked) if pair[1] in copies.products]
        priced = {
            (rate_card_id, product_id)
            for customer_id, product_id in known
            for _, rate_card_id, _, _ in contracts[customer_id].terms
        }
        await self._add_price_lists(priced - copies.price_lists.keys(), copies)
        books = {
            (customer_id, product_id): price_book(
                copies.products[product_id],
                contracts[customer_id].anchor,
                [
                    PricedContract(
                        contract_id=contract_id,
                        start_time=start_time,
                        end_time=end_time,
                        prices=copies.price_lists[rate_card_id, product_id],
                    )
                    for contract_id, rate_card_id, start_time, end_time in contracts[customer_id].terms
                ],
            )
            for customer_id, product_id in known
        }
        return books, copies

    async def event_products(self, event_types: Set[str], copies: CatalogCopies) -> CatalogCopies:
        """Return the copies of the present epoch, with the products whose metrics count events of these types."""
        copies = copies.at(await self.epoch())
        missing = sorted(event_types - copies.by_event_type.keys())
        if missing:
            rows = await self._connection.fetch(
                f"SELECT {USAGE_PRODUCT_COLUMNS} FROM ledger.products WHERE event_type = ANY ($1) ORDER BY product_id",
                missing,
            )
            products = [usage_product_from_row(row) for row in rows]
            copies.products.update({product.product_id: product for product in products})
            for event_type in missing:
                copies.by_event_type[event_type] = tuple(
                    product.product_id for product in products if product.metric.event_type == event_type
                )
        return copies

    async def products(self, product_ids: Collection[ProductId]) -> dict[ProductId, UsageProduct]:
        """Return the products; unknown ones are left out."""
        copies = CatalogCopies()
        await self._add_products(product_ids, copies)
        return copies.products

    async def epoch(self) -> int:
        """Return the version of the Catalog's copies and of the watches on every customer."""
        version: int = await self._connection.fetchval("SELECT version FROM ledger.epochs")
        return version

    async def knows_group_key(self, group_key: str) -> bool:
        """Whether any usage product groups usage by this property."""
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM ledger.products WHERE $1 = ANY (group_keys))", group_key
        )
        return found

    async def _contracts(
        self, customer_ids: Collection[CustomerId], copies: CatalogCopies
    ) -> tuple[dict[CustomerId, _Contracts], CatalogCopies]:
        contracts: dict[CustomerId, _Contracts] = defaultdict(_Contracts)
        for row in await fetch_by_customer(self._connection, _CONTRACTS, sorted(customer_ids)):
            copies = copies.at(row["epoch"])
            if row["contract_id"] is not None:
                of_customer = contracts[row["customer_id"]]
                of_customer.anchor = row["anchor_time"]
                of_customer.terms.append(
                    (row["contract_id"], row["rate_card_id"], row["start_time"], row["end_time"])
                )
        return contracts, copies

    async def _add_products(self, product_ids: Collection[ProductId], copies: CatalogCopies) -> None:
        if product_ids:
            rows = await self._connection.fetch(
                f"SELECT {USAGE_PRODUCT_COLUMNS} FROM ledger.products WHERE product_id = ANY ($1)",
                sorted(product_ids),
            )
            for product in map(usage_product_from_row, rows):
                copies.products[product.product_id] = product

    async def _add_price_lists(
        self, missing: Collection[tuple[str, ProductId]], copies: CatalogCopies
    ) -> None:
        if not missing:
            return
        pairs = sorted(missing)
        rows = await self._connection.fetch(
            f"SELECT rate_card_id, {RATE_COLUMNS} FROM unnest($1::text[], $2::text[]) AS q (rate_card_id, product_id)"
            " JOIN ledger.rates r USING (rate_card_id, product_id)",
            [rate_card_id for rate_card_id, _ in pairs],
            [product_id for _, product_id in pairs],
        )
        rates: dict[tuple[str, ProductId], list[Rate]] = {pair: [] for pair in pairs}
        for row in rows:
            rates[row["rate_card_id"], row["product_id"]].append(rate_from_row(row))
        for pair, group in rates.items():
            dimensions = copies.products[pair[1]].dimensions
            copies.price_lists[pair] = price_list(group, [dimension.key for dimension in dimensions])
