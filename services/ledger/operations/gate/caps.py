# SPDX-License-Identifier: Apache-2.0
"""SetSpendCap, RemoveSpendCap, ListSpendCaps."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.ledger.domain.errors import GroupKeyUnknown, SpendCapNotFound
from services.ledger.domain.gate.commands import RemoveSpendCap, SetSpendCap
from services.ledger.domain.gate.spend_cap import CustomerSpendCap, SpendCap, SpendCapRemoval
from services.ledger.store import PostgresStore, Transaction


class SpendCaps:
    """Sets, lifts and lists caps. The gate reads them at its next decision."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def set(self, command: SetSpendCap) -> CustomerSpendCap:
        """Set or replace a cap. Raises CustomerNotFound, GroupKeyUnknown, RequestIdReused."""
        at = self._clock.now()
        cap = SpendCap(
            spend_cap_id=self._ids.new("cap"),
            credit_type_id=command.credit_type_id,
            group_key=command.group_key,
            group_value=command.group_value,
            limit=command.limit,
            window=command.window,
            create_time=at,
        )

        async def work(tx: Transaction) -> CustomerSpendCap:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, CustomerSpendCap)) is not None:
                return first
            if not await tx.standings.knows_group_key(command.group_key):
                raise GroupKeyUnknown(group_key=command.group_key)
            await tx.copies.lock_customer(customer_id)
            answer = CustomerSpendCap(customer_id, await tx.caps.set(customer_id, cap))
            await tx.copies.outdate(customer_id)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def remove(self, command: RemoveSpendCap) -> SpendCapRemoval:
        """Lift a cap; one that is lifted stays so. Raises CustomerNotFound, SpendCapNotFound, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> SpendCapRemoval:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, SpendCapRemoval)) is not None:
                return first
            await tx.copies.lock_customer(customer_id)
            if not await tx.caps.lift(customer_id, command.spend_cap_id, at=at):
                raise SpendCapNotFound(spend_cap_id=command.spend_cap_id)
            await tx.copies.outdate(customer_id)
            answer = SpendCapRemoval(command.spend_cap_id)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def list(self, customer: str, page: Page) -> Sequence[CustomerSpendCap]:
        """Return a page by credit type, group key and value, and one more when there is. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> list[CustomerSpendCap]:
            customer_id = await tx.standings.customer_id(customer)
            return [CustomerSpendCap(customer_id, cap) for cap in await tx.caps.list(customer_id, page)]

        return await self._store.read(work)
