# SPDX-License-Identifier: Apache-2.0
"""ChangeSeats, ListSeatChanges, PreviewSeatChange."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.errors import FieldViolation, InvalidFields
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.billing import charges
from services.contract.domain.billing.state import BillingState, next_due, next_due_of, subscription_now
from services.contract.domain.commands.seats import (
    ChangeSeats,
    ListedSeatChange,
    ScheduleCredits,
    SeatPreview,
    SeatRequest,
    SeatsMoved,
)
from services.contract.domain.contract import Contract, Subscription, find_subscription
from services.contract.domain.errors.catalog import PeerUnavailable
from services.contract.domain.ids import ContractId, SeatChangeId, SubscriptionId
from services.contract.domain.invoice import total_of
from services.contract.domain.notices import seats_changed
from services.contract.domain.seats.naming import refuse_conflicts
from services.contract.domain.seats.request import planned_change, quantity_after
from services.contract.domain.seats.timeline import SeatChange
from services.contract.operations.billing.due_run import Billing
from services.contract.operations.billing.instant import bill_increases
from services.contract.operations.billing.issuing import issue
from services.contract.operations.ports import Catalog, Ledger, Relay
from services.contract.operations.terms import lock_contract
from services.contract.store import PostgresStore, Transaction

NO_CHANGE_ID = SeatChangeId("")


class Seats:
    """Changes the number of seats, charges for them, and notifies the Ledger."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        catalog: Catalog,
        ledger: Ledger,
        relay: Relay,
        billing: Billing,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._ledger = ledger
        self._relay = relay
        self._billing = billing
        self._clock = clock
        self._ids = ids

    async def change(self, command: ChangeSeats) -> SeatsMoved:
        """Change seats from an instant on, and bill an increase if it is due.

        Raises ContractNotFound, SubscriptionNotFound, ContractEnded, SeatsBelowZero, OutsideOpenPeriod,
        EffectiveAfterContractEnd, SeatsNotNamed, TooFewSeats, SeatAlreadyAssigned, SeatNotAssigned.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, SeatsMoved)) is not None:
            return first
        contract_id = command.seats.contract_id
        await self._billing.catch_up(contract_id, at)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, SeatsMoved)) is not None:
                return first
            contract = await lock_contract(tx, contract_id)
            moved = await change_seats(tx, contract, command.seats, at=at, ids=self._ids)
            await tx.responses.store(command, moved)
        await self._relay.deliver_now(contract.customer_id)
        return moved

    async def list_changes(
        self, contract_id: ContractId, subscription_id: SubscriptionId | None, page: Page
    ) -> Sequence[ListedSeatChange]:
        """Return a page by effective_time, then in the order received, and one more if there is one.

        Raises ContractNotFound, SubscriptionNotFound.
        """
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(contract_id)
            return await tx.seats.listed_changes(asked_subscription(contract, subscription_id), page)

    async def preview(self, request: SeatRequest) -> SeatPreview:
        """Return what `change` would do now, without doing it. Raises the same errors, and PeerUnavailable."""
        at = self._clock.now()
        await self._billing.catch_up(request.contract_id, at)
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(request.contract_id)
            [states] = await tx.billing.states([contract])
        before = state_of(states, asked_subscription(contract, request.subscription_id))
        change, timeline = planned_change(request, before, seat_change_id=NO_CHANGE_ID, at=at)
        before = await self._priced_now(contract, before, change)
        lines = charges.preview(before, replace(before, timeline=timeline), change.effective_time)
        return SeatPreview(
            quantity_after=quantity_after(timeline, change),
            lines=lines,
            total=total_of(lines, before.subscription.rates[0].currency_code),
            credits=tuple(await self._credits(contract, change)),
        )

    async def _priced_now(self, contract: Contract, state: BillingState, change: SeatChange) -> BillingState:
        """Return the state with the Catalog's prices as they are now, if the change falls into a period to come.

        If the Catalog is down, it keeps the prices that were copied when the last period was billed.
        """
        if state.billed is not None and change.effective_time < state.billed.period.end:
            return state
        subscription = state.subscription
        try:
            rates = await self._catalog.rates(contract.rate_card_id, subscription.product_id)
        except PeerUnavailable:
            return state
        now = rates.get(subscription.billing_frequency) or subscription.rates
        return replace(state, subscription=replace(subscription, rates=now))

    async def _credits(self, contract: Contract, change: SeatChange) -> Collection[ScheduleCredits]:
        # The Ledger can only take into account what was delivered to it.
        await self._relay.deliver_now(contract.customer_id)
        return await self._ledger.preview_seat_change(
            customer_id=contract.customer_id,
            subscription_id=change.subscription_id,
            effective_time=change.effective_time,
            quantity_delta=change.quantity_delta,
            new_quantity=change.new_quantity,
        )


async def change_seats(
    tx: Transaction, contract: Contract, request: SeatRequest, *, at: datetime, ids: Ids
) -> SeatsMoved:
    """Change the seats of a locked contract, bill an increase if it is due, and write the notice to the Ledger.

    Raises SubscriptionNotFound, ContractEnded, SeatsBelowZero, OutsideOpenPeriod, EffectiveAfterContractEnd,
    SeatsNotNamed, TooFewSeats, SeatAlreadyAssigned, SeatNotAssigned.
    """
    [states] = await tx.billing.states([contract])
    before = state_of(states, asked_subscription(contract, request.subscription_id))
    seat_change_id = SeatChangeId(ids.new("chg"))
    change, timeline = planned_change(request, before, seat_change_id=seat_change_id, at=at)
    names = request.names
    if names:
        known = await tx.seats.steps_of(change.subscription_id, names.seat_ids)
        refuse_conflicts(
            [*known, *names.steps(effective_time=change.effective_time, sequence=change.sequence)]
        )
    subscription = replace(before.subscription, changes=change.sequence)
    after = replace(before, subscription=subscription, timeline=timeline)
    await tx.seats.insert_change(change, names)
    await tx.contracts.save_subscription(subscription)
    states[states.index(before)] = after
    invoice = None
    # If a period is due that could not be priced yet, the due run charges it first, and then the increase.
    if contract.next_due_time is None or contract.next_due_time > at:
        owed_since = min(next_due(after) or at, at)
        states, draft = await bill_increases(tx, contract, states, at=at, issue_time=owed_since, ids=ids)
        invoice = None if draft is None else (await issue(tx, [draft], at=at, ids=ids))[0]
    await tx.contracts.save_due(contract.contract_id, next_due_of(states))
    await tx.outbox.enqueue(seats_changed(contract.customer_id, change, names), key=contract.customer_id)
    return SeatsMoved(
        listed=ListedSeatChange(change=change, quantity_after=quantity_after(timeline, change), names=names),
        subscription=subscription_now(after, at),
        invoice=invoice,
    )


def asked_subscription(contract: Contract, subscription_id: SubscriptionId | None) -> Subscription:
    """Return the subscription that a request names; None: the only one. Raises SubscriptionNotFound, InvalidFields."""
    if subscription_id is None and len(contract.subscriptions) > 1:
        message = f"is required: the contract has {len(contract.subscriptions)} subscriptions"
        raise InvalidFields([FieldViolation("subscription_id", message)])
    return find_subscription(contract, subscription_id)


def state_of(states: Sequence[BillingState], subscription: Subscription) -> BillingState:
    return next(one for one in states if one.subscription.subscription_id == subscription.subscription_id)
