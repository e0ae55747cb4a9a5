# SPDX-License-Identifier: Apache-2.0
"""CreateCreditType, ListCreditTypes."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.catalog.domain.commands import CreateCreditType
from services.catalog.domain.credit_type import CreditType, CreditTypeId
from services.catalog.store import PostgresStore


class CreditTypes:
    """Creates and lists credit types."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateCreditType) -> CreditType:
        """Create a credit type. Raises CreditTypeNameTaken."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, CreditType)) is not None:
                return first
            credit_type = CreditType(
                credit_type_id=CreditTypeId(self._ids.new("crt")),
                name=command.name,
                create_time=self._clock.now(),
            )
            await tx.credit_types.insert(credit_type)
            await tx.responses.store(command, credit_type)
        return credit_type

    async def list(self, page: Page) -> Sequence[CreditType]:
        """Return a page in order of creation, and one row more if there is one."""
        async with self._store.transaction() as tx:
            return await tx.credit_types.list(page)
