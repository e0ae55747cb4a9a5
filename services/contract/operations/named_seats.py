# SPDX-License-Identifier: Apache-2.0
"""NameSeats, SetSharedPoolAccess, ListSeats."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.billing.state import contract_now
from services.contract.domain.commands.seats import (
    ListedSeats,
    NameSeats,
    SeatRequest,
    SetSharedPoolAccess,
    SubscriptionChanged,
)
from services.contract.domain.contract import Contract, Subscription, refuse_over
from services.contract.domain.errors.seats import SeatsAlreadyNamed, SeatsNotNamed
from services.contract.domain.ids import ContractId, SubscriptionId
from services.contract.domain.seats.naming import SeatNames
from services.contract.operations.contracts import TICK
from services.contract.operations.ports import Relay
from services.contract.operations.seats import asked_subscription, change_seats
from services.contract.operations.terms import lock_contract, save_terms
from services.contract.store import PostgresStore, Transaction


class NamedSeats:
    """Names seats, says who has them, and sets who may draw shared credits; notifies the Ledger."""

    def __init__(self, *, store: PostgresStore, relay: Relay, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._relay = relay
        self._clock = clock
        self._ids = ids

    async def name(self, command: NameSeats) -> SubscriptionChanged:
        """Make counted seats named ones, for good, and assign the first ids.

        Raises ContractNotFound, SubscriptionNotFound, ContractEnded, SeatsAlreadyNamed, TooFewSeats.
        """
        at = self._clock.now()

        def named(seats: Subscription) -> Subscription:
            if seats.named is not None:
                raise SeatsAlreadyNamed(subscription_id=seats.subscription_id)
            return replace(seats, named=command.named)

        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, SubscriptionChanged)) is not None:
                return first
            contract, seats = await self._changed(tx, command.contract_id, command.subscription_id, named, at)
            if command.seat_ids:
                request = SeatRequest(
                    contract_id=contract.contract_id,
                    subscription_id=seats.subscription_id,
                    new_quantity=None,
                    quantity_delta=None,
                    effective_time=max(at, contract.start_time),
                    names=SeatNames(assign=command.seat_ids),
                )
                await change_seats(tx, contract, request, at=at, ids=self._ids)
            response = await _as_it_is(tx, contract.contract_id, seats, at=at)
            await tx.responses.store(command, response)
        await self._relay.deliver_now(contract.customer_id)
        return response

    async def set_shared_pool(self, command: SetSharedPoolAccess) -> SubscriptionChanged:
        """Set who may draw shared credits from now on.

        Raises ContractNotFound, SubscriptionNotFound, ContractEnded, SeatsNotNamed.
        """
        at = self._clock.now()

        def opened(seats: Subscription) -> Subscription:
            if seats.named is None:
                raise SeatsNotNamed(subscription_id=seats.subscription_id)
            return replace(seats, named=replace(seats.named, shared_pool=command.shared_pool))

        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, SubscriptionChanged)) is not None:
                return first
            contract, seats = await self._changed(
                tx, command.contract_id, command.subscription_id, opened, at
            )
            response = await _as_it_is(tx, contract.contract_id, seats, at=at)
            await tx.responses.store(command, response)
        await self._relay.deliver_now(contract.customer_id)
        return response

    async def list(
        self,
        contract_id: ContractId,
        subscription_id: SubscriptionId | None,
        at: datetime | None,
        page: Page,
    ) -> ListedSeats:
        """Return a page, and one more if there is one, of the ids that have a seat at `at` (None: now).

        Raises ContractNotFound, SubscriptionNotFound.
        """
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(contract_id)
            seats = asked_subscription(contract, subscription_id)
            inside = max(at or self._clock.now(), contract.start_time)
            if contract.end_time is not None:
                inside = min(inside, contract.end_time - TICK)
            return ListedSeats(
                assigned=tuple(await tx.seats.assigned(seats, inside, page)),
                counts=await tx.seats.counts_at(seats, inside),
            )

    async def _changed(
        self,
        tx: Transaction,
        contract_id: ContractId,
        subscription_id: SubscriptionId | None,
        change: Callable[[Subscription], Subscription],
        at: datetime,
    ) -> tuple[Contract, Subscription]:
        """Lock a contract, change how the seats of a subscription are named, and write the notice to the Ledger."""
        contract = await lock_contract(tx, contract_id)
        refuse_over(contract, at=at)
        before = asked_subscription(contract, subscription_id)
        after = change(before)
        subscriptions = tuple(after if one == before else one for one in contract.subscriptions)
        await tx.contracts.save_naming(after)
        return await save_terms(tx, replace(contract, subscriptions=subscriptions)), after


async def _as_it_is(
    tx: Transaction, contract_id: ContractId, seats: Subscription, *, at: datetime
) -> SubscriptionChanged:
    contract = await tx.contracts.find(contract_id)
    [states] = await tx.billing.states([contract])
    now = contract_now(contract, states, at).subscriptions
    return SubscriptionChanged(
        subscription=next(one for one in now if one.subscription.subscription_id == seats.subscription_id)
    )
