# SPDX-License-Identifier: Apache-2.0
"""ApplyPlanChange and PreviewPlanChange: one contract ends and another begins, in one transaction."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import ScheduleProgress
from services.ledger.domain.credits.ended_slots import all_slots, end_unread_slots
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.free_credits import FreeAllowance
from services.ledger.domain.credits.grant import CreditTypeId, Grant, GrantId, ScheduleId, SlotId
from services.ledger.domain.credits.plan_change import (
    EndedCredits,
    PaidCredits,
    PlanChange,
    PlanChanged,
    end_schedule,
    first_credits,
    unused_shares,
)
from services.ledger.domain.credits.schedule import Allocation, ScheduleCredits
from services.ledger.operations.credits.ended_slots import (
    EndedSlots,
    first_spans,
    rolls_to,
    slots_rolled_to,
    slots_that_end,
)
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction


class PlanChanges:
    """Carries out changes of plan. Source: services/ledger/README.md, "Change of plan"."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay

    async def apply(self, change: PlanChange) -> PlanChanged:
        """End one contract and begin another; returns what was granted, taken back and unused.

        Usage until now stays with the contract that ends. A repeated request gets the stored response.
        Raises CustomerNotFound, RequestIdReused, NoticeTooFarAhead, NoticeTooFarBehind.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> PlanChanged:
            await tx.copies.lock_known_customer(change.customer_id)
            if (first := await tx.responses.find(change.customer_id, change, PlanChanged)) is not None:
                return first
            pools = change.credit_type_ids
            # All pools are locked, and settled under the old terms, before the contracts are written.
            slots: dict[CreditTypeId, EndedSlots] = {}
            for credit_type_id in pools:
                await tx.accounts.make(change.customer_id, credit_type_id)
                slots[credit_type_id] = await slots_that_end(tx, change, credit_type_id, at=at)
                opened = await self._open(tx, change, credit_type_id, slots[credit_type_id].slot_ids, at)
                await opened.save(tx, opened.now)
            await tx.copies.keep_contract(change.ended, is_recorded=False)
            if change.begun is not None:
                await tx.copies.keep_contract(change.begun, is_recorded=False)
            for subscription_id, plan in first_spans(change).items():
                before = await tx.seat_plans.find(change.customer_id, subscription_id)
                await tx.seat_plans.save(change.customer_id, subscription_id, before, plan)
            ended: list[EndedCredits] = []
            begun: list[ScheduleCredits] = []
            for credit_type_id in pools:
                of_pool = await self._change_pool(tx, change, credit_type_id, slots[credit_type_id], at)
                ended += of_pool[0]
                begun += of_pool[1]
            changed = PlanChanged(
                ended=tuple(one.schedule for one in ended),
                unused=unused_shares(ended),
                begun=tuple(begun),
                apply_time=at,
            )
            await tx.responses.store(change.customer_id, change, changed, at=at)
            return changed

        changed = await self._store.run(work, turn_of=change.customer_id)
        self._relay.wake()
        return changed

    async def preview(self, change: PlanChange) -> PlanChanged:
        """Return what `apply` would do now; writes nothing. Raises CustomerNotFound."""
        at = self._clock.now()

        async def work(tx: Transaction) -> PlanChanged:
            await tx.standings.customer_id(change.customer_id)
            ended: list[EndedCredits] = []
            free: dict[CreditTypeId, FreeAllowance] = {}
            for credit_type_id in change.credit_type_ids:
                slots = await slots_that_end(tx, change, credit_type_id, at=at)
                opened = await self._open(tx, change, credit_type_id, slots.slot_ids, at)
                free[credit_type_id] = opened.free
                ended += (await self._end(tx, change, opened, slots))[1]
            return PlanChanged(
                ended=tuple(one.schedule for one in ended),
                unused=unused_shares(ended),
                begun=first_credits(change.begun, free),
                apply_time=at,
            )

        return await self._store.read(work)

    async def _open(
        self,
        tx: Transaction,
        change: PlanChange,
        credit_type_id: CreditTypeId,
        slot_ids: Iterable[SlotId],
        at: datetime,
    ) -> OpenAccount:
        return await open_account(
            tx,
            change.customer_id,
            credit_type_id,
            at=at,
            ids=self._ids,
            settles=True,
            slot_ids=slot_ids,
            # Also grants that have expired since the change and can still pay for late usage.
            pays_late=True,
        )

    async def _change_pool(
        self,
        tx: Transaction,
        change: PlanChange,
        credit_type_id: CreditTypeId,
        slots: EndedSlots,
        at: datetime,
    ) -> tuple[list[EndedCredits], list[ScheduleCredits]]:
        """Grant what the new contract brings to a pool, then take back what the old one leaves."""
        # A slot that a rest rolls to is read, so that what falls due in it is known.
        slot_ids = (*slots.slot_ids, *slots_rolled_to(change, slots, credit_type_id))
        opened = await self._open(tx, change, credit_type_id, slot_ids, at)
        begun = _begun(opened, change)
        account, ended = await self._end(tx, change, opened, slots)
        await opened.save(tx, account)
        return ended, begun

    async def _end(
        self, tx: Transaction, change: PlanChange, opened: OpenAccount, slots: EndedSlots
    ) -> tuple[Account, list[EndedCredits]]:
        """Return a pool without the credits that the old contract's schedules take back, and what that comes to."""
        account, ended = opened.now, []
        unsaved: dict[ScheduleId, list[Grant]] = defaultdict(list)
        for grant in account.grants.values():
            if grant.schedule_id is not None and grant.grant_id not in opened.before.grants:
                unsaved[grant.schedule_id].append(grant)
        ending = [
            one for one in opened.schedules.values() if one.schedule.contract_id == change.ended.contract_id
        ]
        for progress in ending:
            if progress.schedule.slot_id is None:
                account, one = await self._end_schedule(
                    tx,
                    change,
                    account,
                    progress,
                    opened.at,
                    unsaved=unsaved[progress.schedule.schedule_id],
                )
                ended.append(one)
        seats = rolls_to(change, account.credit_type_id)
        for schedule in slots.schedules:
            account, unread = end_unread_slots(
                account,
                schedule,
                change,
                slots.unread[schedule.schedule_id],
                at=opened.at,
                new_grant_id=self._new_grant_id,
            )
            parts = [unread]
            of_slots = {schedule.for_slot(slot_id).schedule_id for slot_id in slots.slot_ids}
            for progress in ending:
                slot_id = progress.schedule.slot_id
                if slot_id is not None and progress.schedule.schedule_id in of_slots:
                    seat_id = slots.occupants.get(slot_id)
                    account, one = await self._end_schedule(
                        tx,
                        change,
                        account,
                        progress,
                        opened.at,
                        unsaved=unsaved[progress.schedule.schedule_id],
                        rolls_to=None if seat_id is None else seats.get(seat_id),
                    )
                    parts.append(one)
            ended.append(all_slots(parts))
        return account, ended

    async def _end_schedule(
        self,
        tx: Transaction,
        change: PlanChange,
        account: Account,
        progress: ScheduleProgress,
        at: datetime,
        *,
        unsaved: Iterable[Grant],
        rolls_to: SlotId | None = None,
    ) -> tuple[Account, EndedCredits]:
        """End one schedule. unsaved: its grants that are in the account only."""
        schedule, paid = progress.schedule, change.paid_period(progress.schedule)
        of_paid = PaidCredits()
        if paid is not None:
            of_paid = await tx.accounts.paid_credits(
                change.customer_id, schedule.schedule_id, paid.period, change_time=change.change_time
            )
            of_paid = of_paid.with_grants(unsaved, paid.period)
        return end_schedule(
            account,
            progress,
            change,
            of_paid=of_paid,
            at=at,
            new_grant_id=self._new_grant_id,
            rolls_to=rolls_to,
        )

    def _new_grant_id(self) -> GrantId:
        return GrantId(self._ids.new("grt"))


def _begun(opened: OpenAccount, change: PlanChange) -> list[ScheduleCredits]:
    """Return the credits that the new contract's schedules have granted in this transaction."""
    account = opened.now
    granted: dict[ScheduleId, Credits] = {}
    if change.begun is None:
        return []
    for entry in account.entries:
        schedule_id = ScheduleId(entry.cause_id)
        progress = opened.schedules.get(schedule_id)
        if progress is None or progress.schedule.slot_id is not None:
            continue
        is_grant = entry.kind in (EntryKind.GRANT, EntryKind.SEAT_ADJUSTMENT)
        if is_grant and progress.schedule.contract_id == change.begun.contract_id:
            granted[schedule_id] = granted.get(schedule_id, Credits(0)) + entry.amount
    free = {account.credit_type_id: opened.free.without(change.begun.contract_id)}
    of_slots = {one.schedule_id for one in change.begun.schedules if one.allocation is Allocation.INDIVIDUAL}
    return [
        ScheduleCredits(schedule_id, account.credit_type_id, amount)
        for schedule_id, amount in granted.items()
    ] + [
        one
        for one in first_credits(change.begun, free)
        if one.schedule_id in of_slots and one.credit_type_id == account.credit_type_id
    ]
