# SPDX-License-Identifier: Apache-2.0
"""SetCapGroup, RemoveCapGroup, GetCapGroup, ListCapGroups."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.errors import (
    CapGroupInUse,
    CapGroupNotFound,
    GroupKeyFixed,
    GroupKeyUnknown,
    ValueInOtherGroup,
)
from services.ledger.domain.gate.cap_group import (
    CapGroup,
    CapGroupRemoval,
    CustomerCapGroup,
    RemoveCapGroup,
    SetCapGroup,
)
from services.ledger.domain.gate.recounting import GroupMembers
from services.ledger.domain.gate.spend_cap import GroupValue, Need
from services.ledger.domain.gate.subjects import of_group
from services.ledger.operations.gate.recounts import Earlier, recount, sum_earlier
from services.ledger.store import PostgresStore, Transaction


class CapGroups:
    """Sets, removes and lists groups. Their caps hold for the new members at the next decision."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def set(self, command: SetCapGroup) -> CustomerCapGroup:
        """Make or change a group, and count again what its members have spent.

        Raises CustomerNotFound, CapGroupNotFound, GroupKeyUnknown, GroupKeyFixed, ValueInOtherGroup, RequestIdReused.
        """
        at = self._clock.now()
        group = CapGroup(
            cap_group_id=command.cap_group_id or self._ids.new("cgr"),
            name=command.name,
            group_key=command.group_key,
            create_time=at,
            size=len(command.values),
        )

        async def look(tx: Transaction) -> Earlier:
            customer_id = await tx.standings.customer_id(command.customer)
            needs = await tx.recounts.needs(customer_id)
            members = GroupMembers(command.group_key, command.values)
            return await sum_earlier(
                tx, customer_id, needs, _of_group(needs, command.cap_group_id), members=members, at=at
            )

        earlier = await self._store.read(look) if command.cap_group_id else {}

        async def work(tx: Transaction) -> CustomerCapGroup:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, CustomerCapGroup)) is not None:
                return first
            if not await tx.standings.knows_group_key(command.group_key):
                raise GroupKeyUnknown(group_key=command.group_key)
            await tx.copies.lock_customer(customer_id)
            if command.cap_group_id:
                await _require_same_key(tx, customer_id, group)
            if (taken := await tx.cap_groups.in_other_group(customer_id, group, command.values)) is not None:
                raise ValueInOtherGroup(group_value=taken[0], cap_group_id=taken[1])
            await tx.cap_groups.set(customer_id, group, command.values)
            await tx.copies.outdate(customer_id)  # locks the pools too
            needs = await tx.recounts.needs(customer_id)
            await recount(tx, customer_id, needs, _of_group(needs, group.cap_group_id), earlier, at=at)
            kept = await tx.cap_groups.find(customer_id, group.cap_group_id)
            assert kept is not None
            answer = CustomerCapGroup(customer_id, kept)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def remove(self, command: RemoveCapGroup) -> CapGroupRemoval:
        """Remove a group that no cap limits.

        Raises CustomerNotFound, CapGroupNotFound, CapGroupInUse, RequestIdReused.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> CapGroupRemoval:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, CapGroupRemoval)) is not None:
                return first
            await tx.copies.lock_customer(customer_id)
            if await tx.cap_groups.find(customer_id, command.cap_group_id) is None:
                raise CapGroupNotFound(cap_group_id=command.cap_group_id)
            if _of_group(await tx.caps.all(customer_id), command.cap_group_id):
                raise CapGroupInUse(cap_group_id=command.cap_group_id)
            await tx.cap_groups.remove(customer_id, command.cap_group_id)
            await tx.copies.outdate(customer_id)
            answer = CapGroupRemoval(command.cap_group_id)
            await tx.responses.store(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work, turn_of=command.customer)

    async def get(self, customer: str, cap_group_id: str) -> tuple[CustomerCapGroup, Sequence[str]]:
        """Return a group and its values. Raises CustomerNotFound, CapGroupNotFound."""

        async def work(tx: Transaction) -> tuple[CustomerCapGroup, Sequence[str]]:
            customer_id = await tx.standings.customer_id(customer)
            group = await tx.cap_groups.find(customer_id, cap_group_id)
            if group is None:
                raise CapGroupNotFound(cap_group_id=cap_group_id)
            values = await tx.cap_groups.values(customer_id, cap_group_id)
            return CustomerCapGroup(customer_id, group), values

        return await self._store.read(work)

    async def list(self, customer: str, page: Page) -> Sequence[CustomerCapGroup]:
        """Return a page by group key and name, and one more when there is. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> list[CustomerCapGroup]:
            customer_id = await tx.standings.customer_id(customer)
            return [
                CustomerCapGroup(customer_id, group) for group in await tx.cap_groups.list(customer_id, page)
            ]

        return await self._store.read(work)


async def _require_same_key(tx: Transaction, customer_id: CustomerId, group: CapGroup) -> None:
    known = await tx.cap_groups.find(customer_id, group.cap_group_id)
    if known is None:
        raise CapGroupNotFound(cap_group_id=group.cap_group_id)
    if known.group_key != group.group_key:
        raise GroupKeyFixed(cap_group_id=group.cap_group_id, group_key=known.group_key)


def _of_group(needs: Sequence[Need], cap_group_id: str) -> list[tuple[CreditTypeId, GroupValue]]:
    """Return where a group is counted: one subject for each credit type in which it has a cap."""
    subject = of_group(cap_group_id)
    return sorted(
        {(need.credit_type_id, subject) for need in needs if (need.group_key, need.group_value) == subject}
    )
