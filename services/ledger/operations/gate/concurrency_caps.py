# SPDX-License-Identifier: Apache-2.0
"""SetConcurrencyCap, RemoveConcurrencyCap, ListConcurrencyCaps."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.ledger.domain.errors import ConcurrencyCapNotFound, GroupKeyUnknown, ProductNotFound
from services.ledger.domain.gate.commands import RemoveConcurrencyCap, SetConcurrencyCap
from services.ledger.domain.gate.in_flight import (
    ConcurrencyCap,
    ConcurrencyCapRemoval,
    CustomerConcurrencyCap,
    product_of_subject,
)
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.store import PostgresStore, Transaction


class ConcurrencyCaps:
    """Sets, lifts and lists concurrency caps. The gate reads them at its next decision."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def set(self, command: SetConcurrencyCap) -> CustomerConcurrencyCap:
        """Set or replace a cap. Raises CustomerNotFound, GroupKeyUnknown, ProductNotFound, RequestIdReused."""
        at = self._clock.now()
        cap = ConcurrencyCap(
            concurrency_cap_id=self._ids.new("ccp"),
            credit_type_id=command.credit_type_id,
            subject=command.subject,
            holds_max=command.holds_max,
            is_shadow=command.is_shadow,
            create_time=at,
        )

        async def work(tx: Transaction) -> CustomerConcurrencyCap:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, CustomerConcurrencyCap)) is not None:
                return first
            await _require_known(tx, command.subject)
            await tx.copies.lock_customer(customer_id)
            answer = CustomerConcurrencyCap(customer_id, await tx.concurrency_caps.set(customer_id, cap))
            await tx.copies.outdate(customer_id)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def remove(self, command: RemoveConcurrencyCap) -> ConcurrencyCapRemoval:
        """Lift a cap; one that is lifted stays so. Raises CustomerNotFound, ConcurrencyCapNotFound, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> ConcurrencyCapRemoval:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, ConcurrencyCapRemoval)) is not None:
                return first
            await tx.copies.lock_customer(customer_id)
            if not await tx.concurrency_caps.lift(customer_id, command.concurrency_cap_id, at=at):
                raise ConcurrencyCapNotFound(concurrency_cap_id=command.concurrency_cap_id)
            await tx.copies.outdate(customer_id)
            answer = ConcurrencyCapRemoval(command.concurrency_cap_id)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def list(self, customer: str, page: Page) -> Sequence[CustomerConcurrencyCap]:
        """Return a page by credit type and subject, and one more when there is. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> list[CustomerConcurrencyCap]:
            customer_id = await tx.standings.customer_id(customer)
            caps = await tx.concurrency_caps.list(customer_id, page)
            return [CustomerConcurrencyCap(customer_id, cap) for cap in caps]

        return await self._store.read(work)


async def _require_known(tx: Transaction, subject: GroupValue) -> None:
    """Raise GroupKeyUnknown or ProductNotFound for a subject that no call could have."""
    group_key, _ = subject
    product_id = product_of_subject(subject)
    if group_key and not await tx.standings.knows_group_key(group_key):
        raise GroupKeyUnknown(group_key=group_key)
    if product_id is not None and not await tx.standings.products([product_id]):
        raise ProductNotFound(product_id=product_id)
