# SPDX-License-Identifier: Apache-2.0
"""ApplyPlanChange and PreviewPlanChange: one contract ends and another begins, in one transaction."""

from collections.abc import Mapping
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import ScheduleProgress
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.grant import CreditTypeId, GrantId, ScheduleId
from services.ledger.domain.credits.plan_change import (
    EndedCredits,
    PaidCredits,
    PlanChange,
    PlanChanged,
    end_schedule,
    first_credits,
    unused_shares,
)
from services.ledger.domain.credits.schedule import ScheduleCredits
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
            begun_schedules = () if change.begun is None else change.begun.schedules
            schedules = (*change.ended.schedules, *begun_schedules)
            pools = sorted({schedule.credit_type_id for schedule in schedules})
            # All pools are locked, and settled under the old terms, before the contracts are written.
            for credit_type_id in pools:
                await tx.accounts.make(change.customer_id, credit_type_id)
                opened = await open_account(
                    tx, change.customer_id, credit_type_id, at=at, ids=self._ids, settles=True
                )
                await opened.save(tx, opened.now)
            await tx.copies.keep_contract(change.ended, is_recorded=False)
            if change.begun is not None:
                await tx.copies.keep_contract(change.begun, is_recorded=False)
            ended: list[EndedCredits] = []
            begun: list[ScheduleCredits] = []
            for credit_type_id in pools:
                of_pool = await self._change_pool(tx, change, credit_type_id, at)
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
            for credit_type_id in sorted({schedule.credit_type_id for schedule in change.ended.schedules}):
                opened = await open_account(
                    tx, change.customer_id, credit_type_id, at=at, ids=self._ids, settles=True
                )
                ended += (await self._end(tx, change, opened))[1]
            return PlanChanged(
                ended=tuple(one.schedule for one in ended),
                unused=unused_shares(ended),
                begun=first_credits(change.begun),
                apply_time=at,
            )

        return await self._store.read(work)

    async def _change_pool(
        self, tx: Transaction, change: PlanChange, credit_type_id: CreditTypeId, at: datetime
    ) -> tuple[list[EndedCredits], list[ScheduleCredits]]:
        """Grant what the new contract brings to a pool, then take back what the old one leaves."""
        opened = await open_account(
            tx, change.customer_id, credit_type_id, at=at, ids=self._ids, settles=True
        )
        begun = _begun(opened.now, opened.schedules, change)
        account, ended = await self._end(tx, change, opened)
        await opened.save(tx, account)
        return ended, begun

    async def _end(
        self, tx: Transaction, change: PlanChange, opened: OpenAccount
    ) -> tuple[Account, list[EndedCredits]]:
        """Return a pool without the credits that the old contract's schedules take back, and what that comes to."""
        account, ended = opened.now, []
        for progress in opened.schedules.values():
            if progress.schedule.contract_id != change.ended.contract_id:
                continue
            paid = change.paid_period(progress.schedule)
            of_paid = (
                PaidCredits()
                if paid is None
                else await tx.accounts.paid_credits(
                    change.customer_id, progress.schedule.schedule_id, paid.period
                )
            )
            account, one = end_schedule(
                account,
                progress,
                change,
                of_paid=of_paid,
                at=opened.at,
                new_grant_id=lambda: GrantId(self._ids.new("grt")),
            )
            ended.append(one)
        return account, ended


def _begun(
    account: Account, schedules: Mapping[ScheduleId, ScheduleProgress], change: PlanChange
) -> list[ScheduleCredits]:
    """Return the credits that the new contract's schedules have granted in this transaction."""
    granted: dict[ScheduleId, Credits] = {}
    if change.begun is None:
        return []
    for entry in account.entries:
        schedule_id = ScheduleId(entry.cause_id)
        progress = schedules.get(schedule_id)
        is_grant = entry.kind in (EntryKind.GRANT, EntryKind.SEAT_ADJUSTMENT)
        if is_grant and progress is not None and progress.schedule.contract_id == change.begun.contract_id:
            granted[schedule_id] = granted.get(schedule_id, Credits(0)) + entry.amount
    return [
        ScheduleCredits(schedule_id, account.credit_type_id, amount)
        for schedule_id, amount in granted.items()
    ]
