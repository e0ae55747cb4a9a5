# SPDX-License-Identifier: Apache-2.0
"""Statements about customers and their aliases."""

from typing import Any, Final

from sqlalchemy import Row, Select, Text, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller, only_visible
from meshkit.page import Page
from services.contract.domain.customer import UNEXPLAINED, Customer, Suspension, is_customer_id
from services.contract.domain.errors.customers import AliasTaken, CustomerNotFound
from services.contract.domain.ids import CustomerId
from services.contract.store.customer_search import found_by
from services.contract.store.formats import SUSPENSION
from services.contract.store.paging import one_page
from services.contract.tables import customer_aliases, customers

_own = customer_aliases.alias("own_aliases")
_ALIASES = (
    select(func.array_agg(aggregate_order_by(_own.c.alias, _own.c.position)))
    .where(_own.c.customer_id == customers.c.customer_id)
    .correlate(customers)
    .scalar_subquery()
)
_SELECT: Final[Select[Any]] = select(
    customers.c.customer_id,
    customers.c.name,
    customers.c.is_suspended,
    customers.c.suspensions,
    customers.c.archive_time,
    customers.c.version,
    customers.c.create_time,
    func.coalesce(_ALIASES, literal([], ARRAY(Text))).label("aliases"),
)


class StoredCustomers:
    """Customers are never deleted."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, customer: Customer) -> None:
        """Raises AliasTaken, also if a concurrent transaction gives the alias to another customer."""
        await self._connection.execute(
            insert(customers).values(
                customer_id=customer.customer_id,
                name=customer.name,
                is_suspended=customer.is_suspended,
                suspensions=_suspensions_to_json(customer),
                version=customer.version,
                create_time=customer.create_time,
            )
        )
        await self._insert_aliases(customer)

    async def update(self, customer: Customer) -> None:
        """Save a customer read by `lock` in this transaction. Raises AliasTaken."""
        await self._connection.execute(
            update(customers)
            .where(customers.c.customer_id == customer.customer_id)
            .values(
                name=customer.name,
                is_suspended=customer.is_suspended,
                suspensions=_suspensions_to_json(customer),
                archive_time=customer.archive_time,
                version=customer.version,
            )
        )
        await self._connection.execute(
            delete(customer_aliases).where(customer_aliases.c.customer_id == customer.customer_id)
        )
        await self._insert_aliases(customer)

    async def find(self, customer: str) -> Customer:
        """Return a customer by id or alias. Raises CustomerNotFound."""
        return await self._one(_named(_SELECT, customer), customer)

    async def lock(self, customer: str) -> Customer:
        """Return a customer by id or alias, locked until the commit. Raises CustomerNotFound."""
        customer_id = (await self.find(customer)).customer_id
        await self.lock_id(customer_id)
        # Read again by id: during the wait the customer may have changed, and the alias may have moved.
        return await self.find(customer_id)

    async def lock_id(self, customer_id: CustomerId) -> None:
        """Lock a customer that exists."""
        # Not FOR UPDATE: others may insert rows that refer to the customer.
        locked = (
            select(customers.c.customer_id)
            .where(customers.c.customer_id == customer_id)
            .with_for_update(key_share=True)
        )
        assert (await self._connection.execute(locked)).first() is not None

    async def listed(self, page: Page, *, with_archived: bool, search: str) -> list[Customer]:
        """Return a page in order of creation, and one row more if there is one. search: empty for all."""
        of = only_visible(_SELECT, customers.c.customer_id)
        if search:
            of = of.where(customers.c.customer_id.in_(found_by(search)))
        if not with_archived:
            of = of.where(customers.c.archive_time.is_(None))
        rows = await self._connection.execute(one_page(of, customers.c.customer_id, page))
        return [_from_row(row) for row in rows]

    async def _one(self, statement: Select[Any], customer: str) -> Customer:
        row = (await self._connection.execute(statement)).first()
        if row is None or not current_caller().may_see(row.customer_id):
            raise CustomerNotFound(customer=customer)
        return _from_row(row)

    async def _insert_aliases(self, customer: Customer) -> None:
        # Sorted: two transactions that insert the same two aliases must not wait for each other.
        for position, alias in sorted(enumerate(customer.aliases), key=lambda numbered: numbered[1]):
            inserted = (
                insert(customer_aliases)
                .values(alias=alias, customer_id=customer.customer_id, position=position)
                .on_conflict_do_nothing(index_elements=[customer_aliases.c.alias])
                .returning(customer_aliases.c.alias)
            )
            if (await self._connection.execute(inserted)).first() is None:
                raise AliasTaken(alias=alias)


def _named(statement: Select[Any], customer: str) -> Select[Any]:
    if is_customer_id(customer):
        return statement.where(customers.c.customer_id == customer)
    return statement.join(customer_aliases, customer_aliases.c.customer_id == customers.c.customer_id).where(
        customer_aliases.c.alias == customer
    )


def _from_row(row: Row[Any]) -> Customer:
    return Customer(
        customer_id=CustomerId(row.customer_id),
        name=row.name,
        aliases=tuple(row.aliases),
        version=row.version,
        create_time=row.create_time,
        suspensions=_suspensions_from_row(row),
        archive_time=row.archive_time,
    )


def _suspensions_to_json(customer: Customer) -> list[Any]:
    return [SUSPENSION.encode(one) for one in customer.suspensions]


def _suspensions_from_row(row: Row[Any]) -> tuple[Suspension, ...]:
    """Return the stored reasons, as far as a replica that knows of none has not suspended or resumed since."""
    if not row.is_suspended:
        return ()
    return tuple(SUSPENSION.decode(one) for one in row.suspensions) or (UNEXPLAINED,)
