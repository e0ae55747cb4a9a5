# SPDX-License-Identifier: Apache-2.0
"""Settles the money of a void of a seat change, once the Ledger has said how much of its credits was unused."""

from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.contract.domain.billing.charges import charge_increases
from services.contract.domain.billing.state import BillingState, next_due_of, open_period, with_voids
from services.contract.domain.contract import Contract, find_subscription
from services.contract.domain.ids import SeatVoidId
from services.contract.domain.invoice import Invoice
from services.contract.domain.plan_change import PlanChangeStatus
from services.contract.domain.seats.voids import EVENT, SeatVoid, VoidAnswer, charge_of, settled
from services.contract.domain.settlement import notes_of, take_back
from services.contract.operations.billing.crediting import charging_invoices, take_off
from services.contract.operations.billing.invoicing import draft_of, new_invoice
from services.contract.operations.billing.issuing import issue
from services.contract.operations.seats import state_of
from services.contract.store import PostgresStore, Transaction


class VoidCredits:
    """Takes what comes back off the charging invoices, and charges what was used and not billed: once per void."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def settle(self, seat_void_id: SeatVoidId, answer: VoidAnswer) -> None:
        """Record the Ledger's answer. Repeating it changes nothing."""
        at = self._clock.now()
        async with self._store.transaction() as tx:
            void = await tx.seat_voids.find(seat_void_id)
            await tx.customers.lock_id(void.customer_id)
            contract = await tx.contracts.lock(void.contract_id)
            void = await tx.seat_voids.lock(seat_void_id)
            if void.status is PlanChangeStatus.APPLIED:
                return
            [states] = await tx.billing.states([contract])
            state = state_of(states, find_subscription(contract, void.paid.subscription_id))
            of_period = state
            if state.billed is not None and state.billed.period != void.paid.period:
                # The period was over when the Ledger answered, or it is in arrears.
                past = await tx.billing.state_in(contract, void.paid.subscription_id, void.paid.period)
                of_period = state if past is None else past
            billed = of_period.billed if of_period.is_billed(void.paid.period) else None
            opened = billed or open_period(state, void.void_time)
            assert opened is not None
            void = settled(void, answer, opened, state.subscription.proration.rounding)
            drafts = await self._settle(tx, contract, void, at)
            if billed is not None:
                drafts += await self._charge_what_is_owed(tx, contract, void, of_period, at)
            [states] = await tx.billing.states([contract])
            await tx.contracts.save_due(contract.contract_id, next_due_of(states))
            await issue(tx, drafts, at=at, ids=self._ids)

    async def _settle(
        self, tx: Transaction, contract: Contract, void: SeatVoid, at: datetime
    ) -> list[Invoice]:
        # All are locked before the series of numbers is, in one order.
        charged_by = await charging_invoices(tx, [void.paid], locks=True)
        lines = [
            line
            for line in (charge_of(void), take_back(void.paid, void.unused, charged_by, event=EVENT))
            if line is not None
        ]
        draft = None
        if lines:
            draft = new_invoice(contract, lines, issue_time=void.void_time, ids=self._ids)
            await tx.invoices.insert(draft)
        reason = f"seat change {void.seat_change_id} voided"
        credited = [
            await take_off(tx, invoice, None, of_note, reason=reason, at=at, ids=self._ids)
            for invoice, of_note in notes_of(charged_by)
        ]
        await tx.seat_voids.save_answer(
            replace(
                void,
                invoice_id=None if draft is None else draft.invoice_id,
                credit_note_ids=tuple(one.credit_note.credit_note_id for one in credited),
            )
        )
        return [] if draft is None else [draft]

    async def _charge_what_is_owed(
        self, tx: Transaction, contract: Contract, void: SeatVoid, before: BillingState, at: datetime
    ) -> list[Invoice]:
        """Charge seats that were added while the void was pending: until then their time was still paid for."""
        assert before.billed is not None
        is_over = before.billed.period.end <= at
        after = replace(before, billed=with_voids(before.billed, void.charges))
        result = charge_increases(after, through=None if is_over else at, due=at)
        draft = await draft_of(tx, contract, result.lines, issue_time=void.void_time, ids=self._ids)
        return [] if draft is None else [draft]
