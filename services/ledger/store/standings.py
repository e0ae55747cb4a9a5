# SPDX-License-Identifier: Apache-2.0
"""Who a customer is, what a product is, and which contract prices it: the Ledger's own copies."""

from datetime import datetime

from meshkit.quantity import Ratio
from services.ledger.domain.errors import CustomerNotFound, ProductNotFound
from services.ledger.domain.gate import Entitlement
from services.ledger.domain.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.standing import Standing
from services.ledger.store.connection import Connection

CUSTOMER_ID_PREFIX = "cus_"

_CUSTOMER = """
    SELECT customer_id, is_suspended FROM ledger.customers
    WHERE customer_id = CASE WHEN starts_with($1, 'cus_') THEN $1
        ELSE (SELECT customer_id FROM ledger.customer_aliases WHERE alias = $1) END
"""

# Of several contracts in force that price the product, the one that began first.
_ENTITLEMENT = """
    SELECT c.contract_id, c.start_time, r.credit_type_id, r.price_micros, r.per_micros
    FROM ledger.contracts c JOIN ledger.rates r ON r.rate_card_id = c.rate_card_id AND r.product_id = $2
    WHERE c.customer_id = $1
        AND c.start_time <= $3 AND (c.end_time IS NULL OR c.end_time > $3)
        AND r.effective_time <= $3 AND (r.end_time IS NULL OR r.end_time > $3)
    ORDER BY c.start_time, c.contract_id
    LIMIT 1
"""


class Standings:
    """Customers and products, as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def customer_id(self, customer: str) -> CustomerId:
        """Return the id behind an id or alias. Raises CustomerNotFound."""
        row = await self._connection.fetchrow(_CUSTOMER, customer)
        if row is None:
            raise CustomerNotFound(customer=customer)
        return CustomerId(row["customer_id"])

    async def of(self, customer: str, product_id: ProductId, *, at: datetime) -> Standing:
        """Return how a customer (id or alias) stands towards a product. Raises CustomerNotFound, ProductNotFound."""
        known = await self._connection.fetchrow(_CUSTOMER, customer)
        if known is None:
            raise CustomerNotFound(customer=customer)
        group_keys = await self._connection.fetchval(
            "SELECT group_keys FROM ledger.products WHERE product_id = $1", product_id
        )
        if group_keys is None:
            raise ProductNotFound(product_id=product_id)
        row = await self._connection.fetchrow(_ENTITLEMENT, known["customer_id"], product_id, at)
        entitlement = None
        if row is not None:
            entitlement = Entitlement(
                contract_id=row["contract_id"],
                anchor=row["start_time"],
                credit_type_id=CreditTypeId(row["credit_type_id"]),
                price=Ratio(row["price_micros"], row["per_micros"]),
            )
        return Standing(
            customer_id=CustomerId(known["customer_id"]),
            is_suspended=known["is_suspended"],
            product_id=product_id,
            group_keys=frozenset(group_keys),
            entitlement=entitlement,
        )

    async def knows_group_key(self, group_key: str) -> bool:
        """Whether any usage product tells usage apart by this property."""
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM ledger.products WHERE $1 = ANY (group_keys))", group_key
        )
        return found
