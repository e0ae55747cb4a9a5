# SPDX-License-Identifier: Apache-2.0
"""VoidSeatChange."""

from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.contract.domain.billing.state import BillingState, next_due_of, subscription_now
from services.contract.domain.commands.seats import (
    SeatRequest,
    SubscriptionChanged,
    VoidedSeatChange,
    VoidSeatChange,
)
from services.contract.domain.contract import Contract, MoneyBack, find_subscription, refuse_over
from services.contract.domain.ids import SeatVoidId
from services.contract.domain.notices import seats_changed
from services.contract.domain.seats.naming import SeatNames, refuse_conflicts
from services.contract.domain.seats.timeline import SeatChange
from services.contract.domain.seats.voids import (
    SeatVoid,
    opposite_delta,
    refuse_not_voidable,
    refuse_promised,
    seat_void,
)
from services.contract.operations.billing.due_run import Billing
from services.contract.operations.billing.instant import bill_increases
from services.contract.operations.billing.issuing import issue
from services.contract.operations.ports import Relay
from services.contract.operations.seats import change_seats, state_of
from services.contract.operations.terms import lock_contract
from services.contract.store import PostgresStore, Transaction


class SeatVoids:
    """Voids seat changes. Money that comes back is settled by operations/billing/void_credits.py."""

    def __init__(
        self, *, store: PostgresStore, relay: Relay, billing: Billing, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._relay = relay
        self._billing = billing
        self._clock = clock
        self._ids = ids

    async def void(self, command: VoidSeatChange) -> VoidedSeatChange:
        """Undo a change, as if it had never been received; settle the money of one in effect.

        A repeated request returns the settlement as it is now. Raises ContractNotFound, ContractEnded,
        SeatChangeNotFound, SeatChangeInEffect, SeatChangePeriodOver, PeriodNotBilled, SeatsPromised; if later changes
        rely on it, SeatsBelowZero, TooFewSeats, SeatAlreadyAssigned, SeatNotAssigned.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, SubscriptionChanged)) is not None:
            return await self._delivered(command, first)
        await self._billing.catch_up(command.contract_id, at)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, SubscriptionChanged)) is not None:
                return await self._delivered(command, first)
            contract = await lock_contract(tx, command.contract_id)
            refuse_over(contract, at=at)
            change, names = await tx.seats.find_change(contract, command.seat_change_id)
            await tx.seat_voids.refuse_void(contract.contract_id, command.seat_change_id)
            response = await self._void(tx, contract, change, names, command.money_back, at)
            await tx.responses.store(command, response)
        return await self._delivered(command, response)

    async def _void(
        self,
        tx: Transaction,
        contract: Contract,
        change: SeatChange,
        names: SeatNames,
        money_back: MoneyBack,
        at: datetime,
    ) -> SubscriptionChanged:
        [states] = await tx.billing.states([contract])
        before = state_of(states, find_subscription(contract, change.subscription_id))
        after = replace(before, timeline=before.timeline.without(change))
        settlement = None
        if change.effective_time <= at:
            opened = refuse_not_voidable(change, names, before, at=at)
            settlement = seat_void(
                before,
                after.timeline,
                opened,
                change,
                seat_void_id=SeatVoidId(self._ids.new("svd")),
                money_back=money_back,
                at=at,
            )
        if settlement is not None and settlement.unbilled:
            # They would be charged at the void and at the end.
            refuse_promised(settlement, await tx.billing.promised(contract))
        if settlement is not None and not settlement.has_money:
            return await self._make_opposite(tx, contract, before, after, settlement, names, at)
        steps = await tx.seats.steps_of(change.subscription_id, names.seat_ids)
        refuse_conflicts(one for one in steps if one.sequence != change.sequence)
        await tx.seats.void(change, at=at)
        if settlement is not None:
            await tx.seat_voids.insert(settlement)
        states[states.index(before)] = after
        notice = seats_changed(contract.customer_id, change, names, is_void=True, settlement=settlement)
        await tx.outbox.enqueue(notice, key=contract.customer_id)
        await self._bill(tx, contract, states, at)
        return SubscriptionChanged(subscription=subscription_now(after, at))

    async def _bill(
        self, tx: Transaction, contract: Contract, states: list[BillingState], at: datetime
    ) -> None:
        """Charge the seats that are back without a decrease, beyond the highest quantity that is paid for."""
        draft = None
        if contract.next_due_time is None or contract.next_due_time > at:
            states, draft = await bill_increases(tx, contract, states, issue_time=at, at=at, ids=self._ids)
        await tx.contracts.save_due(contract.contract_id, next_due_of(states))
        await issue(tx, [] if draft is None else [draft], at=at, ids=self._ids)

    async def _make_opposite(
        self,
        tx: Transaction,
        contract: Contract,
        before: BillingState,
        after: BillingState,
        settlement: SeatVoid,
        names: SeatNames,
        at: datetime,
    ) -> SubscriptionChanged:
        """End the seats now without money: by a change, as an operator would do it."""
        subscription_id = before.subscription.subscription_id
        await tx.seat_voids.insert_without_money(
            settlement.seat_void_id, subscription_id, settlement.seat_change_id
        )
        delta = opposite_delta(before.timeline, after.timeline, at)
        if not delta and not names:
            return SubscriptionChanged(subscription=subscription_now(before, at))
        request = SeatRequest(
            contract_id=contract.contract_id,
            subscription_id=subscription_id,
            new_quantity=None,
            quantity_delta=delta,
            effective_time=None,
            names=names.reversed(),
        )
        moved = await change_seats(tx, contract, request, at=at, ids=self._ids)
        return SubscriptionChanged(subscription=moved.subscription)

    async def _delivered(self, command: VoidSeatChange, changed: SubscriptionChanged) -> VoidedSeatChange:
        """Return a void with its settlement as it is after an attempt to tell the Ledger."""
        async with self._store.transaction() as tx:
            customer_id = await tx.contracts.customer_of(command.contract_id)
        await self._relay.deliver_now(customer_id)
        async with self._store.transaction() as tx:
            settlement = await tx.seat_voids.of_change(command.seat_change_id)
        return VoidedSeatChange(subscription=changed.subscription, settlement=settlement)
