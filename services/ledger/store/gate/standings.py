# SPDX-License-Identifier: Apache-2.0
"""Reads from the local copies which customer a name means, what a product is, and which contracts price it."""

from collections import defaultdict
from collections.abc import Collection

from meshkit.quantity import Ratio
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.errors import CustomerNotFound
from services.ledger.domain.gate.decision import Entitlement
from services.ledger.domain.gate.standing import CustomerRecord, PriceLine
from services.ledger.store.connection import Connection

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
_PRICES = f"""
    SELECT q.customer_id, q.product_id, c.contract_id, {USAGE_ANCHOR} AS anchor_time, c.start_time, c.end_time,
        r.credit_type_id, r.price_micros, r.per_micros, r.effective_time, r.end_time AS rate_end_time
    FROM unnest($1::text[], $2::text[]) AS q (customer_id, product_id)
    JOIN ledger.customers u USING (customer_id)
    JOIN ledger.contracts c USING (customer_id)
    JOIN ledger.rates r ON r.rate_card_id = c.rate_card_id AND r.product_id = q.product_id
    JOIN ledger.products p ON p.product_id = q.product_id
    WHERE r.rate_type = 'FLAT' AND r.dimension_values = '{{}}' AND NOT r.is_withdrawn
        AND p.conversion IS NULL AND p.aggregation IN ('COUNT', 'SUM')
        AND NOT EXISTS (
            SELECT FROM ledger.rates l WHERE l.rate_card_id = r.rate_card_id AND l.product_id = r.product_id
                AND COALESCE(l.corrects_rate_id, l.rate_id) = COALESCE(r.corrects_rate_id, r.rate_id)
                AND NOT l.is_withdrawn AND l.corrects_rate_id IS NOT NULL AND l.rate_id <> r.rate_id
                AND (r.corrects_rate_id IS NULL OR (l.create_time, l.rate_id) > (r.create_time, r.rate_id))
        )
    ORDER BY q.customer_id, q.product_id, c.start_time, c.contract_id, r.effective_time
"""

CustomerProduct = tuple[CustomerId, ProductId]


class Standings:
    """Reads customers and products in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def customer_id(self, customer: str) -> CustomerId:
        """Return the id of the customer with this id or alias. Raises CustomerNotFound."""
        known = await self.customers({customer})
        if customer in known:
            return known[customer].customer_id
        raise CustomerNotFound(customer=customer)

    async def customers(self, names: Collection[str]) -> dict[str, CustomerRecord]:
        """Return customers by id or alias. Keys: the given names; unknown names are left out."""
        rows = await self._connection.fetch(_CUSTOMERS, sorted(names))
        return {
            row["name"]: CustomerRecord(
                customer_id=CustomerId(row["customer_id"]), is_suspended=row["is_suspended"]
            )
            for row in rows
        }

    async def group_keys(self, product_ids: Collection[ProductId]) -> dict[ProductId, frozenset[str]]:
        """Return the properties by which each product groups usage; unknown products are left out."""
        rows = await self._connection.fetch(
            "SELECT product_id, group_keys FROM ledger.products WHERE product_id = ANY ($1)",
            sorted(product_ids),
        )
        return {ProductId(row["product_id"]): frozenset(row["group_keys"]) for row in rows}

    async def prices(
        self, asked: Collection[CustomerProduct]
    ) -> dict[CustomerProduct, tuple[PriceLine, ...]]:
        """Return all prices of products for customers, past and future, ordered by start_time and contract_id."""
        pairs = sorted(asked)
        rows = await self._connection.fetch(
            _PRICES, [customer_id for customer_id, _ in pairs], [product_id for _, product_id in pairs]
        )
        lines: dict[CustomerProduct, list[PriceLine]] = defaultdict(list)
        for row in rows:
            lines[row["customer_id"], row["product_id"]].append(
                PriceLine(
                    entitlement=Entitlement(
                        contract_id=row["contract_id"],
                        anchor=row["anchor_time"],
                        credit_type_id=CreditTypeId(row["credit_type_id"]),
                        price=Ratio(row["price_micros"], row["per_micros"]),
                    ),
                    start_time=row["start_time"],
                    end_time=row["end_time"],
                    effective_time=row["effective_time"],
                    rate_end_time=row["rate_end_time"],
                )
            )
        return {pair: tuple(lines.get(pair, ())) for pair in pairs}

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
