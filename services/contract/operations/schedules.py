# SPDX-License-Identifier: Apache-2.0
"""EditGrantSchedule, EndGrantSchedule."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from services.contract.domain.commands.contracts import EditGrantSchedule, EndGrantSchedule, ScheduleChanged
from services.contract.domain.contract import find_schedule, refuse_over
from services.contract.domain.ids import ProductId
from services.contract.domain.offer import CatalogQuery
from services.contract.domain.schedules import GrantSchedule, edited, with_end
from services.contract.operations.ports import Catalog, Relay
from services.contract.operations.terms import lock_contract, save_terms
from services.contract.store import PostgresStore


class Schedules:
    """Changes the grant schedules of contracts, and notifies the Ledger, which applies them."""

    def __init__(self, *, store: PostgresStore, catalog: Catalog, relay: Relay, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._relay = relay
        self._clock = clock

    async def edit(self, command: EditGrantSchedule) -> ScheduleChanged:
        """Give the periods that begin at an instant or later other terms; grants that have begun keep theirs.

        Raises ContractNotFound, ContractEnded, GrantScheduleNotFound, GrantScheduleEnded, EditBeforeNow,
        TooManyEditions, ProductNotFound, PeerUnavailable.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, ScheduleChanged)) is not None:
            return first
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(command.contract_id)
            find_schedule(contract, command.grant_schedule_id)
        if command.edit.scope_product_ids:
            await self._catalog.offer(_products(frozenset(command.edit.scope_product_ids)))
        return await self._change(
            command, lambda schedule: edited(schedule, command.edit, command.effective_time, at=at), at=at
        )

    async def end(self, command: EndGrantSchedule) -> ScheduleChanged:
        """Set, move or remove the end of a schedule until it has passed.

        Raises ContractNotFound, ContractEnded, GrantScheduleNotFound, GrantScheduleEnded, EndBeforeNow.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, ScheduleChanged)) is not None:
            return first
        return await self._change(
            command,
            lambda schedule: with_end(schedule, command.end_time, removes_end=command.removes_end, at=at),
            at=at,
        )

    async def _change(
        self,
        command: EditGrantSchedule | EndGrantSchedule,
        change: Callable[[GrantSchedule], GrantSchedule],
        *,
        at: datetime,
    ) -> ScheduleChanged:
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, ScheduleChanged)) is not None:
                return first
            contract = await lock_contract(tx, command.contract_id)
            refuse_over(contract, at=at)
            changed = change(find_schedule(contract, command.grant_schedule_id))
            grant_schedules = tuple(
                changed if one.grant_schedule_id == changed.grant_schedule_id else one
                for one in contract.grant_schedules
            )
            await tx.contracts.save_schedule(changed)
            contract = await save_terms(
                tx, replace(contract, accept_time=at, grant_schedules=grant_schedules)
            )
            response = ScheduleChanged(grant_schedule=changed)
            await tx.responses.store(command, response)
        await self._relay.deliver_now(contract.customer_id)
        return response


def _products(product_ids: frozenset[ProductId]) -> CatalogQuery:
    return CatalogQuery(rate_card_id=None, product_ids=product_ids, credit_type_ids=frozenset())
