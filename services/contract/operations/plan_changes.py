# SPDX-License-Identifier: Apache-2.0
"""ChangePlan, PreviewPlanChange, GetPlanChange, ListPlanChanges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from meshkit.quantity import Money
from services.contract.domain.billing.charges import charge_due
from services.contract.domain.billing.state import BillingState, contract_now, next_due_of, subscription_now
from services.contract.domain.commands.plan_changes import (
    ChangedPlan,
    ChangePlan,
    PlanChangeMade,
    PlanTerms,
    PreviewedPlan,
)
from services.contract.domain.commands.seats import ListedSeatChange
from services.contract.domain.contract import Contract, ContractNow, refuse_not_in_force
from services.contract.domain.customer import refuse_archived
from services.contract.domain.ids import ContractId, CustomerId, PlanChangeId, SeatId, SubscriptionId
from services.contract.domain.invoice import total_of
from services.contract.domain.notices import FirstSeats, PlanChanged, plan_changed
from services.contract.domain.offer import Offer
from services.contract.domain.plan_change import (
    PlanChange,
    PlanChangeStatus,
    PromisedSeats,
    balanced,
    paid_seats,
    refuse_other_currency,
    refuse_past_end,
    refuse_unchanged,
    refuse_unprorated,
)
from services.contract.domain.plan_offer import with_kept_terms
from services.contract.domain.seats.naming import SEAT_IDS_PER_CHANGE_MAX
from services.contract.domain.settlement import settled_money
from services.contract.operations.billing.crediting import charging_invoices
from services.contract.operations.billing.due_run import Billing
from services.contract.operations.contracts import (
    TICK,
    Contracts,
    catalog_query,
    states_at_start,
    tell_first_changes,
)
from services.contract.operations.ports import Catalog, Ledger, Relay
from services.contract.store import PostgresStore, Transaction


@dataclass(frozen=True, slots=True)
class _Planned:
    """A change of plan that nothing refuses, before anything is written. ended: the old contract, with its end."""

    change: PlanChange
    ended: Contract
    begun: Contract
    first_changes: tuple[ListedSeatChange, ...]

    def notice(self, change: PlanChange) -> PlanChanged:
        """Return the notice to the Ledger. change: as it is stored."""
        first_seats = (
            FirstSeats(subscription_id=one.change.subscription_id, seat_ids=one.names.assign)
            for one in self.first_changes
        )
        return plan_changed(change, ended=self.ended, begun=self.begun, first_seats=first_seats)


class PlanChanges:
    """Changes plans. The Ledger's answer is written by operations/billing/plan_credits.py."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        catalog: Catalog,
        ledger: Ledger,
        relay: Relay,
        billing: Billing,
        contracts: Contracts,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._ledger = ledger
        self._relay = relay
        self._billing = billing
        self._contracts = contracts
        self._clock = clock
        self._ids = ids

    async def change(self, command: ChangePlan) -> ChangedPlan:
        """End a contract now and begin another. A repeated request returns the change as it is now.

        Raises ContractNotFound, ContractEnded, ContractNotStarted, EndBeforeNow, PlanUnchanged, PlanNotProrated,
        CurrencyDiffers, CustomerArchived, what Contracts.create raises for the terms, PeerUnavailable.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, PlanChangeMade)) is not None:
            return await self._delivered(first.plan_change_id)
        plan = command.plan
        customer_id, offer = await self._offered(plan, at=at)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, PlanChangeMade)) is not None:
                return await self._delivered(first.plan_change_id)
            refuse_archived(await tx.customers.lock(customer_id))
            old = await tx.contracts.lock(plan.contract_id)
            planned = await self._planned(tx, plan, old, offer, at=at)
            await tx.contracts.save_terms(planned.ended)
            # The invoice stays a draft until the Ledger has said what comes back.
            created = await self._contracts.begin(tx, planned.begun, planned.first_changes, at=at)
            invoice_id = created.invoices[0].invoice_id if created.invoices else None
            change = replace(planned.change, invoice_id=invoice_id)
            await tx.plan_changes.insert(change)
            notice = planned.notice(change)
            await tx.outbox.enqueue(notice, key=customer_id)
            await tell_first_changes(tx, planned.begun, planned.first_changes)
            await tx.responses.store(command, PlanChangeMade(plan_change_id=change.plan_change_id))
        # Increases billed on the next collection date are due at the end of the contract.
        await self._billing.catch_up(plan.contract_id, at)
        return await self._delivered(change.plan_change_id)

    async def preview(self, plan: PlanTerms) -> PreviewedPlan:
        """Return what `change` would do now, without doing it. Raises the same errors."""
        at = self._clock.now()
        customer_id, offer = await self._offered(plan, at=at)
        async with self._store.transaction() as tx:
            old = await tx.contracts.find(plan.contract_id)
            planned = await self._planned(tx, plan, old, offer, at=at)
            charged_by = await charging_invoices(tx, planned.change.paid, locks=False)
        # The Ledger can only take into account what was delivered to it.
        await self._relay.deliver_now(customer_id)
        answer = await self._ledger.preview_plan_change(planned.notice(planned.change))
        change = replace(planned.change, unused=answer.unused)
        begun = states_at_start(planned.begun, planned.first_changes)
        charged = [charge_due(one, at, one.subscription.rates) for one in begun]
        money = settled_money(change, charged_by)
        lines = (*(line for result in charged for line in result.lines), *money.lines)
        lines = balanced(lines, offer.currency_code)
        total = total_of(lines)
        off_due = sum(
            (one.amount for _, note in money.notes for one in note), start=Money.zero(offer.currency_code)
        )
        return PreviewedPlan(
            change=change,
            begun=planned.begun,
            lines=lines,
            total=total,
            off_due=off_due,
            granted=answer.granted,
        )

    async def would_begin(self, plan: PlanTerms) -> ContractNow:
        """Return the contract that `change` would begin now. Raises the same errors."""
        at = self._clock.now()
        _, offer = await self._offered(plan, at=at)
        async with self._store.transaction() as tx:
            old = await tx.contracts.find(plan.contract_id)
            planned = await self._planned(tx, plan, old, offer, at=at)
        return contract_now(planned.begun, states_at_start(planned.begun, planned.first_changes), at)

    async def made(self, made: PlanChangeMade) -> ChangedPlan:
        """Return a change that was made before as it is now, after an attempt to tell the Ledger."""
        return await self._delivered(made.plan_change_id)

    async def get(self, plan_change_id: PlanChangeId) -> PlanChange:
        """Raises PlanChangeNotFound."""
        async with self._store.transaction() as tx:
            return await tx.plan_changes.find(plan_change_id)

    async def list(self, contract_id: ContractId, page: Page) -> Sequence[PlanChange]:
        """Return a page of a contract's changes, and one more if there is one. Raises ContractNotFound."""
        async with self._store.transaction() as tx:
            await tx.contracts.customer_of(contract_id)
            return await tx.plan_changes.listed(contract_id, page)

    async def _offered(self, plan: PlanTerms, *, at: datetime) -> tuple[CustomerId, Offer]:
        """Bill what the old contract has due, and read from the Catalog what the new one refers to."""
        async with self._store.transaction() as tx:
            old = await tx.contracts.find(plan.contract_id)
        refuse_not_in_force(old, at=at)
        # A period that begins at this instant is not the old contract's any more.
        await self._billing.catch_up(plan.contract_id, at - TICK)
        offer = await self._catalog.offer(catalog_query(plan.contract(old.customer_id, start_time=at)))
        return old.customer_id, offer

    async def _planned(
        self, tx: Transaction, plan: PlanTerms, old: Contract, offer: Offer, *, at: datetime
    ) -> _Planned:
        [states] = await tx.billing.states([old])
        promised = await tx.billing.promised(old)
        if plan.kept is not None:
            quantities = {
                one.subscription.subscription_id: subscription_now(one, at).quantity for one in states
            }
            plan = with_kept_terms(plan, plan.kept, old, quantities, await _seat_ids(tx, old, at=at))
        return self._plan(plan, old, states, promised, offer, at=at)

    def _plan(
        self,
        plan: PlanTerms,
        old: Contract,
        states: Sequence[BillingState],
        promised: Sequence[PromisedSeats],
        offer: Offer,
        *,
        at: datetime,
    ) -> _Planned:
        refuse_not_in_force(old, at=at)
        refuse_past_end(plan.end_time, at=at)
        terms = plan.contract(old.customer_id, start_time=at)
        begun = self._contracts.new_contract(terms, old.customer_id, offer, at=at)
        begun = replace(begun, collection=old.collection)
        first_changes = self._contracts.first_changes(terms, begun, at=at)
        refuse_unchanged(
            old,
            begun,
            {one.subscription.subscription_id: subscription_now(one, at).quantity for one in states},
        )
        if not plan.accept_unprorated:
            refuse_unprorated(old, begun)
        ended = replace(
            old,
            end_time=at,
            version=old.version + 1,
            accept_time=at,
            end_money_back=None,
            settles_end=False,
        )
        after = [replace(one, contract=ended) for one in states]
        paid = (paid_seats(one, end_time=at, at=at, promised=promised) for one in states)
        change = PlanChange(
            plan_change_id=PlanChangeId(self._ids.new("pch")),
            customer_id=old.customer_id,
            ended_contract_id=old.contract_id,
            begun_contract_id=begun.contract_id,
            change_time=at,
            included_credits=plan.included_credits,
            money_back=plan.money_back,
            paid=tuple(one for one in paid if one is not None),
            status=PlanChangeStatus.PENDING,
            invoice_id=None,
            unused=(),
            apply_time=None,
        )
        refuse_other_currency(change, offer.currency_code)
        return _Planned(change, replace(ended, next_due_time=next_due_of(after)), begun, first_changes)

    async def _delivered(self, plan_change_id: PlanChangeId) -> ChangedPlan:
        """Return a change as it is after an attempt to tell the Ledger."""
        async with self._store.transaction() as tx:
            change = await tx.plan_changes.find(plan_change_id)
        if change.status is PlanChangeStatus.PENDING:
            await self._relay.deliver_now(change.customer_id)
        async with self._store.transaction() as tx:
            change = await tx.plan_changes.find(plan_change_id)
            assert change.begun_contract_id is not None
            contract = await tx.contracts.find(change.begun_contract_id)
            [states] = await tx.billing.states([contract])
            invoice = None if change.invoice_id is None else await tx.invoices.find(change.invoice_id)
        return ChangedPlan(
            change=change, contract=contract_now(contract, states, self._clock.now()), invoice=invoice
        )


async def _seat_ids(
    tx: Transaction, contract: Contract, *, at: datetime
) -> dict[SubscriptionId, tuple[SeatId, ...]]:
    """Return who has the named seats of a contract; of too many for one change, one more than it can have."""
    page = Page(size=SEAT_IDS_PER_CHANGE_MAX, after=None)
    return {
        one.subscription_id: tuple(step.seat_id for step in await tx.seats.assigned(one, at, page))
        for one in contract.subscriptions
        if one.named is not None
    }
