# SPDX-License-Identifier: Apache-2.0
"""The Apply… rpcs, PreviewSeatChange and WatchThreshold: updates from other services.

No responses are stored for them: a repeated update is recognized by its version, sequence or id. Every Apply… rpc and
WatchThreshold raises NoticeTooFarAhead and, except for seat changes, NoticeTooFarBehind (meshkit/distance.py).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.copies import (
    ContractUpdate,
    CustomerUpdate,
    ProductUpdate,
    RateCardUpdate,
    SeatChangeUpdate,
    WatchUpdate,
)
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.adjusting import (
    grant_withheld,
    living_grants,
    take_back_for_seats,
    take_back_for_terms,
)
from services.ledger.domain.credits.due import ScheduleProgress
from services.ledger.domain.credits.entry import Entry, EntryKind
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ScheduleId, SlotId
from services.ledger.domain.credits.proration import SeatChange, Seats
from services.ledger.domain.credits.schedule import (
    Allocation,
    Schedule,
    ScheduleCredits,
    credits_of_change,
)
from services.ledger.domain.credits.seats import SeatName, number_of
from services.ledger.domain.crossings import alarm
from services.ledger.domain.crossings.watch import OF_SPEND, WatchKind
from services.ledger.domain.errors import SubscriptionNotFound
from services.ledger.operations.credits.seat_plans import (
    Replanned,
    credits_of_slots,
    preview_plan,
    replan,
    slots_under_new_terms,
)
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.operations.gate.recounts import Earlier, recount, sum_earlier
from services.ledger.operations.ports import Relay
from services.ledger.operations.usage.attachment import Attachment
from services.ledger.operations.usage.rerates import rerate_withdrawn
from services.ledger.store import PostgresStore, Transaction

# What a late notice makes of an account, given one schedule, at an instant.
LateRule = Callable[[Account, ScheduleProgress, datetime], Account]


class Copies:
    """Maintains the Ledger's local copies, and settles what an update makes due."""

    def __init__(
        self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay, attachment: Attachment
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay
        self._attachment = attachment

    async def apply_product(self, update: ProductUpdate) -> int:
        """Store a usage product; returns the version in force."""
        return await self._store.run(lambda tx: tx.copies.keep_product(update))

    async def apply_rate_card(self, update: RateCardUpdate) -> int:
        """Store a card's usage rates; returns the version in force.

        Usage that was charged at a rate that is withdrawn now is priced again.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> int:
            version, withdrawn = await tx.copies.keep_rate_card(update)
            await rerate_withdrawn(tx, withdrawn, ids=self._ids, at=at)
            return version

        return await self._store.run(work)

    async def apply_customer(self, update: CustomerUpdate) -> int:
        """Store a customer, and attach events that came before it; returns the version in force."""
        version = await self._store.run(
            lambda tx: tx.copies.keep_customer(update), turn_of=update.customer_id
        )
        await self._attachment.attach_now((update.customer_id, *update.aliases))
        return version

    async def apply_contract(self, update: ContractUpdate) -> int:
        """Store a contract, and issue the grants that it makes due; returns the version in force.

        Raises CustomerNotFound.
        """
        at = self._clock.now()
        pools = sorted({schedule.credit_type_id for schedule in update.schedules})

        async def work(tx: Transaction) -> int:
            await tx.copies.lock_known_customer(update.customer_id)
            # The pools are locked before the contract is written, so a concurrent settlement sees all of it or nothing.
            # They are first settled under the old terms: otherwise the result would depend on earlier reads.
            before: dict[ScheduleId, Schedule] = {}
            slot_ids: dict[CreditTypeId, list[SlotId]] = {}
            for credit_type_id in pools:
                await tx.accounts.make(update.customer_id, credit_type_id)
                slot_ids[credit_type_id] = await slots_under_new_terms(tx, update, credit_type_id, at=at)
                settled = await self._settle(
                    tx, update.customer_id, credit_type_id, at, slot_ids=slot_ids[credit_type_id]
                )
                before |= {key: one.schedule for key, one in settled.schedules.items()}
            version = await tx.copies.keep_contract(update)
            for one in update.subscriptions:
                # An outdated update may name one that the version in force does not have.
                if one.named is not None and await tx.seat_plans.is_named(
                    update.customer_id, one.subscription_id
                ):
                    of_seats = [pool for pool in pools if _grants_to_slots(update, one.subscription_id, pool)]
                    await replan(tx, update.customer_id, one.subscription_id, of_seats, at=at, ids=self._ids)
            for credit_type_id in pools:
                await self._settle(
                    tx,
                    update.customer_id,
                    credit_type_id,
                    at,
                    slot_ids=slot_ids[credit_type_id],
                    late=lambda account, progress, time: _on_new_terms(
                        account, progress, before, accept_time=update.accept_time, at=time
                    ),
                )
            return version

        version = await self._store.run(work, turn_of=update.customer_id)
        self._relay.wake()
        return version

    async def apply_seat_change(self, update: SeatChangeUpdate) -> tuple[ScheduleCredits, ...]:
        """Store a seat change, and adjust current grants; returns the credits added by it now.

        Raises CustomerNotFound, SubscriptionNotFound.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> tuple[ScheduleCredits, ...]:
            await tx.copies.lock_known_customer(update.customer_id)
            pools = await self._pools_of(tx, update.customer_id, update.subscription_id)
            for credit_type_id in pools:
                # Settled with the seats known so far, so that the credits added below are those of this change.
                await self._settle(tx, update.customer_id, credit_type_id, at)
            received = update.received_at(at)
            if not await tx.seat_changes.keep(received):
                return ()
            planned: Replanned | None = None
            if await tx.seat_plans.is_named(update.customer_id, update.subscription_id):
                planned = await replan(
                    tx,
                    update.customer_id,
                    update.subscription_id,
                    pools,
                    at=at,
                    ids=self._ids,
                    seat_change_id=update.change.seat_change_id,
                )
                await tx.copies.outdate(update.customer_id)
            added: list[ScheduleCredits] = []
            for credit_type_id in pools:
                settled = await self._settle(
                    tx,
                    update.customer_id,
                    credit_type_id,
                    at,
                    slot_ids=() if planned is None else planned.slots[credit_type_id],
                    late=lambda account, progress, time: _without_excess(
                        account,
                        progress,
                        received.subscription_id,
                        progress.counted_seats.without_change(received.change),
                        planned,
                        at=time,
                    ),
                )
                added += _adjustments(settled.now, credit_type_id)
                if planned is not None:
                    added += credits_of_slots(settled.now, update.subscription_id, planned, through=at)
            return tuple(added)

        added = await self._store.run(work, turn_of=update.customer_id)
        self._relay.wake()
        return added

    async def preview_seat_change(self, update: SeatChangeUpdate) -> tuple[ScheduleCredits, ...]:
        """Return the credits that a seat change would add to its period, per schedule; writes nothing.

        Raises CustomerNotFound, SubscriptionNotFound.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> tuple[ScheduleCredits, ...]:
            await tx.standings.customer_id(update.customer_id)
            credits: list[ScheduleCredits] = []
            for credit_type_id in await self._pools_of(tx, update.customer_id, update.subscription_id):
                opened = await open_account(
                    tx, update.customer_id, credit_type_id, at=at, ids=self._ids, settles=True
                )
                credits += [
                    ScheduleCredits(
                        schedule_id, credit_type_id, _previewed(opened, progress, update.change, at)
                    )
                    for schedule_id, progress in opened.schedules.items()
                    if progress.schedule.subscription_id == update.subscription_id
                ]
                if opened.now.seat_rules:
                    planned = await preview_plan(
                        tx, update.customer_id, update.subscription_id, update.change, at=at
                    )
                    through = max(at, update.change.effective_time)
                    credits += credits_of_slots(
                        opened.now, update.subscription_id, planned, through=through, has_zeros=True
                    )
            return tuple(credits)

        return await self._store.read(work)

    async def watch_threshold(self, update: WatchUpdate) -> int:
        """Store a watch, and observe its customer; returns the version in force.

        A watch on every customer is observed when accounts change. Raises CustomerNotFound.
        """
        at = self._clock.now()
        watch = update.watch
        counted = [(watch.credit_type_id, (watch.group_key, watch.group_value))]
        counts = watch.kind in OF_SPEND and update.is_active

        async def look(tx: Transaction, customer_id: CustomerId) -> Earlier:
            needs = [watch, *await tx.recounts.needs(customer_id)]
            return await sum_earlier(tx, customer_id, needs, counted, at=at)

        earlier: Earlier = {}
        if watch.customer_id is not None and counts:
            earlier = await self._store.read(partial(look, customer_id=watch.customer_id))

        async def work(tx: Transaction) -> int:
            if watch.customer_id is None:
                return await tx.copies.keep_watch(update)
            await tx.copies.lock_known_customer(watch.customer_id)
            await tx.accounts.make(watch.customer_id, watch.credit_type_id)
            version = await tx.copies.keep_watch(update)  # locks the pools too
            if counts:
                needs = await tx.recounts.needs(watch.customer_id)
                await recount(tx, watch.customer_id, needs, counted, earlier, at=at)
            is_on_seat = watch.kind is WatchKind.LOW_SEAT_BALANCE and watch.group_value
            seats = {(watch.group_key, watch.group_value)} if is_on_seat else set()
            await self._settle(tx, watch.customer_id, watch.credit_type_id, at, seats=seats)
            return version

        version = await self._store.run(work)
        self._relay.wake()
        return version

    async def _pools_of(
        self, tx: Transaction, customer_id: CustomerId, subscription_id: str
    ) -> list[CreditTypeId]:
        if await tx.seat_changes.seats(customer_id, subscription_id) is None:
            raise SubscriptionNotFound(subscription_id=subscription_id)
        return list(await tx.seat_changes.credit_types_of_subscription(customer_id, subscription_id))

    async def _settle(
        self,
        tx: Transaction,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        at: datetime,
        *,
        slot_ids: Iterable[SlotId] = (),
        seats: Iterable[SeatName] = (),
        late: LateRule | None = None,
    ) -> OpenAccount:
        """Settle a pool, these slots and those of these seats, and save it.

        late: what a notice that came late takes back then, for each schedule.
        """
        opened = await open_account(
            tx,
            customer_id,
            credit_type_id,
            at=at,
            ids=self._ids,
            settles=True,
            slot_ids=slot_ids,
            seats=seats,
        )
        after = opened.now
        if late is not None:
            for progress in opened.schedules.values():
                after = late(after, progress, opened.at)
            if after is not opened.now:
                after = alarm.observe_balance(after, at=opened.at)
        await opened.save(tx, after)
        return opened


def _grants_to_slots(update: ContractUpdate, subscription_id: str, credit_type_id: CreditTypeId) -> bool:
    return any(
        one.allocation is Allocation.INDIVIDUAL
        and one.subscription_id == subscription_id
        and one.credit_type_id == credit_type_id
        for one in update.schedules
    )


def _adjustments(account: Account, credit_type_id: CreditTypeId) -> list[ScheduleCredits]:
    """Return the credits of the seat adjustments that were written, per schedule of shared credits."""
    added: dict[ScheduleId, Credits] = {}
    for entry in account.entries:
        if entry.kind is EntryKind.SEAT_ADJUSTMENT and not _is_of_slot(account, entry):
            schedule_id = ScheduleId(entry.cause_id)
            added[schedule_id] = added.get(schedule_id, Credits(0)) + entry.amount
    return [ScheduleCredits(schedule_id, credit_type_id, amount) for schedule_id, amount in added.items()]


def _is_of_slot(account: Account, entry: Entry) -> bool:
    return entry.grant_id is not None and account.grants[entry.grant_id].slot_id is not None


def _without_excess(
    account: Account,
    progress: ScheduleProgress,
    subscription_id: str,
    before: Seats,
    planned: Replanned | None,
    *,
    at: datetime,
) -> Account:
    """Take back what a schedule would not have granted if a change of seats had been known in time.

    before: the seats without the change. planned: of named seats.
    """
    schedule, after = progress.schedule, progress.counted_seats
    if schedule.subscription_id != subscription_id:
        return account
    if schedule.slot_id is not None:
        assert planned is not None
        number = number_of(schedule.slot_id)
        before, after = planned.before.seats_of(number), planned.after.seats_of(number)
    return take_back_for_seats(account, schedule, before, after, at=at)


def _on_new_terms(
    account: Account,
    progress: ScheduleProgress,
    before: Mapping[ScheduleId, Schedule],
    *,
    accept_time: datetime | None,
    at: datetime,
) -> Account:
    known = before.get(progress.schedule.schedule_id)
    if known is None or known == progress.schedule:
        return account
    account = grant_withheld(account, progress.schedule, at=at)
    return take_back_for_terms(
        account, known, progress.schedule, progress.counted_seats, accept_time=accept_time, at=at
    )


def _previewed(opened: OpenAccount, progress: ScheduleProgress, change: SeatChange, at: datetime) -> Credits:
    schedule = progress.schedule
    counted = {schedule.index_of(grant): grant.counted for grant in living_grants(opened.now, schedule)}
    added = credits_of_change(schedule, progress.counted_seats, change, at=at, counted=counted)
    active = schedule.active_period(schedule.index_at(max(at, change.effective_time)))
    if active is None or not schedule.is_free_at(active.start):
        return added
    return added - opened.free.withhold(schedule, active.start, added)
