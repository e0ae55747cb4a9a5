# SPDX-License-Identifier: Apache-2.0
"""VoidSeatChange: a seat change does not count any more; of one that was in effect, what was unused is answered."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId, ScheduleId, SlotId
from services.ledger.domain.credits.proration import SeatChange, Seats
from services.ledger.domain.credits.schedule import Schedule
from services.ledger.domain.credits.seat_void import (
    PeriodPart,
    SeatChangeVoid,
    SeatChangeVoided,
    VoidedSchedule,
    seat_change_voided,
    to_come,
    unknown_change,
    void_credits,
    void_of_unread,
)
from services.ledger.domain.credits.seats import number_of, slot_id_of
from services.ledger.domain.crossings import alarm
from services.ledger.operations.credits.seat_plans import Replanned
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.operations.ports import Relay
from services.ledger.operations.seat_changes import RemovedChange, remove_seat_change
from services.ledger.store import PostgresStore, Transaction


class SeatVoids:
    """Carries out voids of seat changes. Source: services/ledger/README.md, "Void seat changes"."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay

    async def void(self, void: SeatChangeVoid) -> SeatChangeVoided | None:
        """Count seats as if a change had never been received, and void what it had brought, as far as it is unspent.

        None: the change was voided before it took effect; a repeated or unknown one of these is ignored. Otherwise a
        repeated request gets the stored response. Raises CustomerNotFound, RequestIdReused.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> SeatChangeVoided | None:
            await tx.copies.lock_known_customer(void.customer_id)
            if void.paid is not None:
                first = await tx.responses.find(void.customer_id, void, SeatChangeVoided)
                if first is not None:
                    return first
            schedules = await self._void(tx, void, at)
            if void.paid is None:
                if schedules is not None:
                    await tx.audit.record({"seat_change_id": void.seat_change_id})
                return None
            if schedules is None:
                voided = unknown_change(void.paid, at=at)
            else:
                voided = seat_change_voided(void.paid, schedules, at=at)
            await tx.responses.store(void.customer_id, void, voided, at=at)
            return voided

        voided = await self._store.run(work, turn_of=void.customer_id)
        self._relay.wake()
        return voided

    async def _void(self, tx: Transaction, void: SeatChangeVoid, at: datetime) -> list[VoidedSchedule] | None:
        """Remove the change, and take back what it had brought; None if it is not known."""
        before = await tx.seat_changes.seats(void.customer_id, void.subscription_id)
        if before is None:
            return None
        change = next((one for one in before.changes if one.seat_change_id == void.seat_change_id), None)
        if change is None:
            return None
        await self._settle_slots(tx, void, at)
        removed = await remove_seat_change(
            tx, void.customer_id, void.subscription_id, void.seat_change_id, at=at, ids=self._ids
        )
        assert removed is not None
        schedules: list[VoidedSchedule] = []
        for credit_type_id, slot_ids in removed.slots.items():
            schedules += await self._void_in_pool(
                tx, void, removed, change, before, credit_type_id, slot_ids, at
            )
        return schedules

    async def _settle_slots(self, tx: Transaction, void: SeatChangeVoid, at: datetime) -> None:
        """Grant to the slots that may change what they get with the change: otherwise it would not be counted."""
        if not await tx.seat_plans.is_named(void.customer_id, void.subscription_id):
            return
        plan = await tx.seat_plans.find(void.customer_id, void.subscription_id)
        first = min(
            (one.first for one in plan.turns if one.change.seat_change_id == void.seat_change_id),
            default=None,
        )
        if first is None:
            return
        pools = await tx.seat_changes.credit_types_of_subscription(void.customer_id, void.subscription_id)
        for credit_type_id in pools:
            known = await tx.seat_plans.known_slots(void.customer_id, credit_type_id, void.subscription_id)
            slot_ids = [slot_id_of(void.subscription_id, number) for number in known if number >= first]
            opened = await self._open(tx, void, credit_type_id, slot_ids, at)
            await opened.save(tx, opened.now)

    async def _void_in_pool(
        self,
        tx: Transaction,
        void: SeatChangeVoid,
        removed: RemovedChange,
        change: SeatChange,
        before: Seats,
        credit_type_id: CreditTypeId,
        slot_ids: Iterable[SlotId],
        at: datetime,
    ) -> list[VoidedSchedule]:
        opened = await self._open(tx, void, credit_type_id, slot_ids, at)
        account, after = opened.now, opened.now.seat_rules
        of_slots: dict[ScheduleId, list[PeriodPart]] = {}
        voided: list[VoidedSchedule] = []
        individual = [one.schedule for one in after if one.subscription_id == void.subscription_id]
        for progress in opened.schedules.values():
            schedule, seats = progress.schedule, (before, progress.counted_seats)
            if schedule.subscription_id != void.subscription_id:
                continue
            if schedule.slot_id is not None:
                assert removed.planned is not None
                seats = _seats_of_slot(removed.planned, number_of(schedule.slot_id))
            account, parts = void_credits(account, schedule, change, *seats, at=opened.at)
            if schedule.slot_id is None:
                voided.append(_of_schedule(void, credit_type_id, schedule, parts, at=opened.at))
            else:
                of_slots.setdefault(_of_all_slots(individual, schedule), []).extend(parts)
        for schedule in individual:
            assert removed.planned is not None
            known = await tx.seat_plans.known_slots(void.customer_id, credit_type_id, void.subscription_id)
            parts = (
                *of_slots.get(schedule.schedule_id, ()),
                *_of_unread_slots(schedule, change, removed.planned, known, at=opened.at),
            )
            voided.append(_of_schedule(void, credit_type_id, schedule, _by_time(parts), at=opened.at))
        if account is not opened.now:
            account = alarm.observe_balance(account, at=opened.at)
        await opened.save(tx, account)
        return voided

    async def _open(
        self,
        tx: Transaction,
        void: SeatChangeVoid,
        credit_type_id: CreditTypeId,
        slot_ids: Iterable[SlotId],
        at: datetime,
    ) -> OpenAccount:
        return await open_account(
            tx,
            void.customer_id,
            credit_type_id,
            at=at,
            ids=self._ids,
            settles=True,
            slot_ids=slot_ids,
        )


def _of_schedule(
    void: SeatChangeVoid,
    credit_type_id: CreditTypeId,
    schedule: Schedule,
    parts: Iterable[PeriodPart],
    *,
    at: datetime,
) -> VoidedSchedule:
    return VoidedSchedule(
        schedule_id=schedule.schedule_id,
        credit_type_id=credit_type_id,
        parts=tuple(parts),
        to_come=Credits(0) if void.paid is None else to_come(schedule, void.paid, at=at),
    )


def _seats_of_slot(planned: Replanned, number: int) -> tuple[Seats, Seats]:
    return planned.before.seats_of(number), planned.after.seats_of(number)


def _of_all_slots(individual: Iterable[Schedule], of_slot: Schedule) -> ScheduleId:
    """Return the INDIVIDUAL schedule that a slot's schedule belongs to."""
    assert of_slot.slot_id is not None
    slot_id = of_slot.slot_id
    return next(
        one.schedule_id for one in individual if one.for_slot(slot_id).schedule_id == of_slot.schedule_id
    )


def _of_unread_slots(
    schedule: Schedule, change: SeatChange, planned: Replanned, known: set[int], *, at: datetime
) -> list[PeriodPart]:
    parts: list[PeriodPart] = []
    for first, last in planned.after.differing_from(planned.before):
        count = last - first + 1 - len([number for number in known if first <= number <= last])
        if count:
            before, after = _seats_of_slot(planned, first)
            parts += void_of_unread(schedule, change, before, after, at=at, count=count)
    return parts


def _by_time(parts: Iterable[PeriodPart]) -> list[PeriodPart]:
    """Return what all slots together had in each period."""
    summed: dict[object, PeriodPart] = {}
    for part in parts:
        known = summed.get(part.time)
        if known is not None:
            part = replace(part, granted=part.granted + known.granted, voided=part.voided + known.voided)
        summed[part.time] = part
    return list(summed.values())
