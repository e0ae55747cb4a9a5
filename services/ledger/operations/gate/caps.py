# SPDX-License-Identifier: Apache-2.0
"""SetSpendCap, RemoveSpendCap, ListSpendCaps."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.errors import CapGroupNotFound, GroupKeyUnknown, ProductNotFound, SpendCapNotFound
from services.ledger.domain.gate.commands import RemoveSpendCap, SetSpendCap, SetTimeZone
from services.ledger.domain.gate.spend_cap import (
    OWN_KEY,
    CustomerSpendCap,
    CustomerTimeZone,
    GroupValue,
    Need,
    SpendCap,
    SpendCapRemoval,
    own_subjects,
    stepped_windows_of,
)
from services.ledger.domain.gate.subjects import group_of, is_group, product_of
from services.ledger.domain.gate.windows import CapWindow, stepped
from services.ledger.operations.gate.recounts import Earlier, recount, sum_earlier
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
            owner=command.owner,
            is_shadow=command.is_shadow,
        )
        subject = (command.group_key, command.group_value)
        counted = [(command.credit_type_id, subject)]

        async def look(tx: Transaction) -> Earlier:
            customer_id = await tx.standings.customer_id(command.customer)
            needs = [cap, *await tx.recounts.needs(customer_id)]
            return await sum_earlier(tx, customer_id, needs, counted, at=at)

        earlier = await self._store.read(look)

        async def work(tx: Transaction) -> CustomerSpendCap:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, CustomerSpendCap)) is not None:
                return first
            await tx.copies.lock_customer(customer_id)
            await _require_known(tx, customer_id, subject)
            answer = CustomerSpendCap(customer_id, await tx.caps.set(customer_id, cap))
            await tx.copies.outdate(customer_id)  # locks the pools too
            await recount(tx, customer_id, await tx.recounts.needs(customer_id), counted, earlier, at=at)
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
            is_foreign = cap is not None and command.owner not in (cap.owner, None)
            if is_foreign or not await tx.caps.lift(customer_id, command.spend_cap_id, at=at):
                raise SpendCapNotFound(spend_cap_id=command.spend_cap_id)
            await tx.copies.outdate(customer_id)
            if cap is not None:
                await _forget(tx, customer_id, cap)
            answer = SpendCapRemoval(command.spend_cap_id)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def set_time_zone(self, command: SetTimeZone) -> CustomerTimeZone:
        """Set the time zone of calendar windows, and count again what they need.

        Raises CustomerNotFound, RequestIdReused.
        """
        at = self._clock.now()

        async def look(tx: Transaction) -> Earlier:
            customer_id = await tx.standings.customer_id(command.customer)
            needs = await tx.recounts.needs(customer_id)
            counted = _in_calendar(needs)
            return await sum_earlier(tx, customer_id, needs, counted, zone=command.time_zone, at=at)

        earlier = await self._store.read(look)

        async def work(tx: Transaction) -> CustomerTimeZone:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, CustomerTimeZone)) is not None:
                return first
            await tx.copies.lock_customer(customer_id)
            zone = await tx.caps.time_zone(customer_id)
            await tx.caps.set_time_zone(customer_id, command.time_zone)
            await tx.copies.outdate(customer_id)  # locks the pools too
            needs = await tx.recounts.needs(customer_id)
            for need in needs:
                window = stepped(need.window, need.hours, zone)
                if window is not None and zone != command.time_zone and need.window is not CapWindow.ROLLING:
                    await tx.recounts.forget_window(customer_id, need.credit_type_id, need.group_key, window)
            await recount(tx, customer_id, needs, _in_calendar(needs), earlier, at=at)
            answer = CustomerTimeZone(customer_id, command.time_zone)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def list(self, customer: str, page: Page) -> tuple[Sequence[CustomerSpendCap], str]:
        """Return a page by credit type, group key and value, and one more when there is; and the time zone.

        Raises CustomerNotFound.
        """

        async def work(tx: Transaction) -> tuple[list[CustomerSpendCap], str]:
            customer_id = await tx.standings.customer_id(customer)
            caps = [CustomerSpendCap(customer_id, cap) for cap in await tx.caps.list(customer_id, page)]
            return caps, await tx.caps.time_zone(customer_id)

        return await self._store.read(work)


def _in_calendar(needs: Sequence[Need]) -> list[tuple[CreditTypeId, GroupValue]]:
    """Return the subjects that are needed in windows that depend on the time zone."""
    return sorted(
        {
            (need.credit_type_id, (need.group_key, need.group_value))
            for need in needs
            if need.window in (CapWindow.MONTH, CapWindow.WEEK, CapWindow.DAY)
        }
    )


async def _require_known(tx: Transaction, customer_id: CustomerId, subject: GroupValue) -> None:
    """Raise GroupKeyUnknown, ProductNotFound or CapGroupNotFound for a subject that no call could have."""
    group_key, _ = subject
    product_id = product_of(subject)
    if is_group(subject) and await tx.cap_groups.find(customer_id, group_of(subject)) is None:
        raise CapGroupNotFound(cap_group_id=group_of(subject))
    if group_key and not await tx.standings.knows_group_key(group_key):
        raise GroupKeyUnknown(group_key=group_key)
    if product_id is not None and not await tx.standings.products([product_id]):
        raise ProductNotFound(product_id=product_id)


async def _forget(tx: Transaction, customer_id: CustomerId, cap: SpendCap) -> None:
    """Remove what was counted only because of a cap that is lifted."""
    position = await tx.recounts.position(customer_id, cap.credit_type_id)
    if position is None:
        return
    needs = [one for one in await tx.recounts.needs(customer_id) if one.credit_type_id == cap.credit_type_id]
    subject = (cap.group_key, cap.group_value)
    if cap.group_key == OWN_KEY:
        if subject not in own_subjects(needs):
            await tx.recounts.forget_own(customer_id, cap.credit_type_id, [subject])
        return
    window = stepped(cap.window, cap.hours, position.zone)
    if window is None:
        return
    needed = stepped_windows_of(needs, position.zone)
    kept = {value for (key, value), windows in needed.items() if key == cap.group_key and window in windows}
    if "" not in kept:
        await tx.recounts.forget_window(
            customer_id, cap.credit_type_id, cap.group_key, window, kept=sorted(kept)
        )
