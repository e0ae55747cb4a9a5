# SPDX-License-Identifier: Apache-2.0
"""EndContract."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.contract.domain.billing.ends import planned_end
from services.contract.domain.billing.state import BillingState, contract_now, next_due_of
from services.contract.domain.commands.contracts import EndContract, EndedContract
from services.contract.domain.contract import Contract, ContractNow
from services.contract.domain.errors.contracts import ContractEnded
from services.contract.domain.ids import PlanChangeId
from services.contract.domain.notices import contract_changed, plan_changed
from services.contract.domain.plan_change import PlanChange, PromisedSeats, promised_seats
from services.contract.domain.settlement import end_settlement
from services.contract.operations.billing.due_run import Billing
from services.contract.operations.billing.instant import bill_increases
from services.contract.operations.billing.issuing import issue
from services.contract.operations.contracts import TICK
from services.contract.operations.ports import Relay
from services.contract.operations.terms import lock_contract
from services.contract.store import PostgresStore, Transaction


class Ends:
    """Ends contracts. Money that comes back is settled by operations/billing/plan_credits.py."""

    def __init__(
        self, *, store: PostgresStore, relay: Relay, billing: Billing, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._relay = relay
        self._billing = billing
        self._clock = clock
        self._ids = ids

    async def end(self, command: EndContract) -> EndedContract:
        """Set, move or remove the end of a contract; charge the difference of a later one, settle an end now.

        An end to come is settled when it passes (operations/billing/passed_ends.py). A repeated request returns the
        settlement as it is now. Raises ContractNotFound, ContractEnded, EndBeforeNow, NoBillingPeriod,
        PeriodStartedTooLongAgo, NoTerm, TermNotOver.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, ContractNow)) is not None:
            return await self._delivered(first)
        # A period that begins at this instant waits: the contract may end at it.
        await self._billing.catch_up(command.contract_id, at - TICK)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, ContractNow)) is not None:
                return await self._delivered(first)
            contract = await lock_contract(tx, command.contract_id)
            await _refuse_settled(tx, contract)
            [states] = await tx.billing.states([contract])
            promised = await tx.billing.promised(contract)
            end_time = planned_end(
                contract,
                states,
                command.end_option,
                command.end_time,
                ignores_term=command.ignores_term,
                at=at,
            )
            settlement = None
            if end_time is not None and end_time <= at:
                settlement = end_settlement(
                    contract,
                    states,
                    promised,
                    plan_change_id=PlanChangeId(self._ids.new("pch")),
                    end_time=end_time,
                    money_back=command.money_back,
                    at=at,
                )
            else:
                await _keep_promises(tx, states, promised, end_time=end_time, at=at)
            ended = replace(
                contract,
                end_time=end_time,
                version=contract.version + 1,
                accept_time=at,
                end_money_back=None if end_time is None else command.money_back,
                settles_end=end_time is not None and end_time > at,
            )
            states = [replace(state, contract=ended) for state in states]
            draft = None
            if ended.next_due_time is None or ended.next_due_time > at:
                states, draft = await bill_increases(tx, ended, states, issue_time=at, at=at, ids=self._ids)
            ended = replace(ended, next_due_time=next_due_of(states))
            await tx.contracts.save_terms(ended)
            await self._tell(tx, ended, settlement)
            response = contract_now(ended, states, at)
            await tx.responses.store(command, response)
            await issue(tx, [] if draft is None else [draft], at=at, ids=self._ids)
        # Also what waited for the next collection date: it is due at the end of the contract.
        await self._billing.catch_up(command.contract_id, at)
        return await self._delivered(response)

    async def _tell(self, tx: Transaction, ended: Contract, settlement: PlanChange | None) -> None:
        if settlement is None:
            await tx.outbox.enqueue(contract_changed(ended), key=ended.customer_id)
        else:
            await tx.plan_changes.insert(settlement)
            notice = plan_changed(settlement, ended=ended, begun=None)
            await tx.outbox.enqueue(notice, key=ended.customer_id)

    async def _delivered(self, ended: ContractNow) -> EndedContract:
        """Return an end with its settlement as it is after an attempt to tell the Ledger."""
        contract = ended.contract
        await self._relay.deliver_now(contract.customer_id)
        async with self._store.transaction() as tx:
            settlement = await tx.plan_changes.end_of(contract.contract_id)
        return EndedContract(contract=ended, settlement=settlement)


async def _refuse_settled(tx: Transaction, contract: Contract) -> None:
    """Raise ContractEnded if a replica whose clock is ahead has settled the end of a locked contract."""
    if (change := await tx.plan_changes.that_ended(contract.contract_id)) is not None:
        raise ContractEnded(contract_id=contract.contract_id, end_time=change.change_time.isoformat())


async def _keep_promises(
    tx: Transaction,
    states: Sequence[BillingState],
    promised: Sequence[PromisedSeats],
    *,
    end_time: datetime | None,
    at: datetime,
) -> None:
    """Store what an end to come leaves unbilled although it has credits: it is charged by use when the end passes."""
    for state in states:
        kept = promised_seats(state, promised, end_time=end_time, at=at)
        await tx.billing.insert_promised(kept, at=at)
