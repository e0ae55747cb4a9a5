# SPDX-License-Identifier: Apache-2.0
"""SetSpendCap, RemoveSpendCap, ListSpendCaps."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.errors import GroupKeyUnknown, SpendCapNotFound
from services.ledger.domain.gate.commands import RemoveSpendCap, SetSpendCap
from services.ledger.domain.gate.recounting import EarlierSums, PoolPosition, Recount, recount_of
from services.ledger.domain.gate.spend_cap import (
    OWN_KEY,
    CustomerSpendCap,
    SpendCap,
    SpendCapRemoval,
    own_subjects,
    stepped_windows_of,
)
from services.ledger.domain.gate.windows import stepped
from services.ledger.operations.gate.recounts import NOTHING_SUMMED, PoolRecounts
from services.ledger.store import PostgresStore, Transaction


class SpendCaps:
    """Sets, lifts and lists caps. The gate reads them at its next decision."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def set(self, command: SetSpendCap) -> CustomerSpendCap:
        """Set or replace a cap, and count again what it needs.

        Raises CustomerNotFound, GroupKeyUnknown, RequestIdReused.
        """
        at = self._clock.now()
        cap = SpendCap(
            spend_cap_id=self._ids.new("cap"),
            credit_type_id=command.credit_type_id,
            group_key=command.group_key,
            group_value=command.group_value,
            limit=command.limit,
            window=command.window,
            create_time=at,
            hours=command.hours,
            is_shadow=command.is_shadow,
        )
        earlier = await self._store.read(lambda tx: _sum_earlier(tx, command.customer, cap))

        async def work(tx: Transaction) -> CustomerSpendCap:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, CustomerSpendCap)) is not None:
                return first
            if not await tx.standings.knows_group_key(command.group_key):
                raise GroupKeyUnknown(group_key=command.group_key)
            await tx.copies.lock_customer(customer_id)
            answer = CustomerSpendCap(customer_id, await tx.caps.set(customer_id, cap))
            await tx.copies.outdate(customer_id)  # locks the pools too
            await _recount(tx, customer_id, cap, earlier)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def remove(self, command: RemoveSpendCap) -> SpendCapRemoval:
        """Lift a cap; one that is lifted stays so. Raises CustomerNotFound, SpendCapNotFound, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> SpendCapRemoval:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, SpendCapRemoval)) is not None:
                return first
            await tx.copies.lock_customer(customer_id)
            cap = await tx.caps.find(customer_id, command.spend_cap_id)
            if not await tx.caps.lift(customer_id, command.spend_cap_id, at=at):
                raise SpendCapNotFound(spend_cap_id=command.spend_cap_id)
            await tx.copies.outdate(customer_id)
            if cap is not None:
                await _forget(tx, customer_id, cap)
            answer = SpendCapRemoval(command.spend_cap_id)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def list(self, customer: str, page: Page) -> Sequence[CustomerSpendCap]:
        """Return a page by credit type, group key and value, and one more when there is. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> list[CustomerSpendCap]:
            customer_id = await tx.standings.customer_id(customer)
            return [CustomerSpendCap(customer_id, cap) for cap in await tx.caps.list(customer_id, page)]

        return await self._store.read(work)


async def _sum_earlier(tx: Transaction, customer: str, cap: SpendCap) -> EarlierSums:
    """Sum the entries there are for what a cap that is about to be set needs."""
    customer_id = await tx.standings.customer_id(customer)
    position = await tx.recounts.position(customer_id, cap.credit_type_id)
    if position is None:
        return NOTHING_SUMMED
    recount = await _recount_for(tx, customer_id, cap, position)
    pool = PoolRecounts(tx, customer_id, cap.credit_type_id)
    return await pool.sum_earlier(recount, position.sequence)


async def _recount(tx: Transaction, customer_id: CustomerId, cap: SpendCap, earlier: EarlierSums) -> None:
    """Write what the subject of a cap has spent, as far as nothing but caps needs it. The pool must be locked."""
    position = await tx.recounts.position(customer_id, cap.credit_type_id)
    if position is not None:
        recount = await _recount_for(tx, customer_id, cap, position)
        await PoolRecounts(tx, customer_id, cap.credit_type_id).write(recount, earlier)


async def _recount_for(
    tx: Transaction, customer_id: CustomerId, cap: SpendCap, position: PoolPosition
) -> Recount:
    """Return what to recount for a cap: its own window or, of a subject of the Ledger's own, all that it needs."""
    caps = [cap]
    if cap.group_key == OWN_KEY:
        caps += await tx.caps.of_pool(customer_id, cap.credit_type_id)
    subject = (cap.group_key, cap.group_value)
    return recount_of(subject, caps, zone=position.zone, anchor=position.anchor, at=cap.create_time)


async def _forget(tx: Transaction, customer_id: CustomerId, cap: SpendCap) -> None:
    """Remove what was counted only because of a cap that is lifted."""
    position = await tx.recounts.position(customer_id, cap.credit_type_id)
    if position is None:
        return
    caps = await tx.caps.of_pool(customer_id, cap.credit_type_id)
    subject = (cap.group_key, cap.group_value)
    if cap.group_key == OWN_KEY:
        if subject not in own_subjects(caps):
            await tx.recounts.forget_own(customer_id, cap.credit_type_id, [subject])
        return
    window = stepped(cap.window, cap.hours, position.zone)
    if window is None:
        return
    needed = stepped_windows_of(caps, position.zone)
    kept = {value for (key, value), windows in needed.items() if key == cap.group_key and window in windows}
    if "" not in kept:
        await tx.recounts.forget_window(
            customer_id, cap.credit_type_id, cap.group_key, window, kept=sorted(kept)
        )
