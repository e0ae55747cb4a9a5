# SPDX-License-Identifier: Apache-2.0
"""Recounts from entries what caps and watches begin to need: most without a lock, the rest under the pool's lock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.gate.recounting import (
    EarlierSums,
    GroupMembers,
    PoolPosition,
    Recount,
    Steps,
    Sums,
    added,
    recount_of,
)
from services.ledger.domain.gate.spend_cap import OWN_KEY, GroupValue, Need
from services.ledger.domain.gate.subjects import held_by
from services.ledger.store import Transaction

# By credit type and subject.
Earlier = Mapping[tuple[CreditTypeId, GroupValue], EarlierSums]
_NOTHING = EarlierSums(0, {})


async def sum_earlier(
    tx: Transaction,
    customer_id: CustomerId,
    needs: Iterable[Need],
    subjects: Iterable[tuple[CreditTypeId, GroupValue]],
    *,
    zone: str | None = None,
    members: GroupMembers | None = None,
    at: datetime,
) -> Earlier:
    """Sum the entries there are for what is needed of these subjects. Nothing is locked.

    needs: of the customer, as they will be. zone, members: as they will be; None: the present ones.
    """
    needs, sums = tuple(needs), {}
    for credit_type_id, subject in subjects:
        position = await tx.recounts.position(customer_id, credit_type_id)
        if position is not None:
            known = members or await tx.cap_groups.members_of(customer_id, subject)
            recount = _recount(needs, credit_type_id, subject, position, zone or position.zone, known, at)
            pool = PoolRecounts(tx, customer_id, credit_type_id)
            sums[credit_type_id, subject] = await pool.sum_earlier(recount, position.sequence)
    return sums


async def recount(
    tx: Transaction,
    customer_id: CustomerId,
    needs: Iterable[Need],
    subjects: Iterable[tuple[CreditTypeId, GroupValue]],
    earlier: Earlier,
    *,
    at: datetime,
) -> None:
    """Write what these subjects have spent, as far as only caps and watches need it.

    The customer's pools must be locked. needs: of the customer.
    """
    needs = tuple(needs)
    for credit_type_id, subject in subjects:
        position = await tx.recounts.position(customer_id, credit_type_id)
        if position is not None:
            members = await tx.cap_groups.members_of(customer_id, subject)
            wanted = _recount(needs, credit_type_id, subject, position, position.zone, members, at)
            pool = PoolRecounts(tx, customer_id, credit_type_id)
            await pool.write(wanted, earlier.get((credit_type_id, subject), _NOTHING))


def _recount(
    needs: Sequence[Need],
    credit_type_id: CreditTypeId,
    subject: GroupValue,
    position: PoolPosition,
    zone: str,
    members: GroupMembers | None,
    at: datetime,
) -> Recount:
    of_subject = [
        need
        for need in needs
        if need.credit_type_id == credit_type_id and (need.group_key, need.group_value) == subject
    ]
    return recount_of(subject, of_subject, zone=zone, anchor=position.anchor, at=at, members=members)


class _Counting:
    """One subject that is counted, and which values are in it if it is a group."""

    def __init__(self, recount: Recount) -> None:
        self.own_subjects = {recount.subject}
        self.groups = None if recount.members is None else _Members(recount.subject, recount.members)


class _Members(dict[GroupValue, GroupValue | None]):
    """The members of a group, each with that group; all other values are in none."""

    def __init__(self, group: GroupValue, members: GroupMembers) -> None:
        super().__init__({(members.group_key, value): group for value in members.values})

    def __missing__(self, key: GroupValue) -> None:
        return None


@dataclass(frozen=True, slots=True)
class PoolRecounts:
    """Recounts of one pool, in one transaction."""

    tx: Transaction
    customer_id: CustomerId
    credit_type_id: CreditTypeId

    async def sum_earlier(self, recount: Recount, sequence: int) -> EarlierSums:
        """Sum the entries up to a sequence, which may take long. Nothing is locked."""
        sums = {
            steps: await self.tx.recounts.sum_up_to(
                self.customer_id, self.credit_type_id, recount, steps, sequence
            )
            for steps in recount.all_steps()
        }
        return EarlierSums(sequence, sums, recount.members)

    async def write(self, recount: Recount, earlier: EarlierSums) -> None:
        """Write what a subject has spent. The pool must be locked.

        earlier: what was summed before; steps that are missing there, or were summed of other members, are summed now,
        because what they depend on has changed meanwhile.
        """
        if earlier.members != recount.members:
            earlier = _NOTHING
        sums = {steps: await self._sums(recount, steps, earlier) for steps in recount.all_steps()}
        group_key, group_value = recount.subject
        if group_key == OWN_KEY:
            held, counting = 0, _Counting(recount)
            for hold in await self.tx.recounts.open_holds(self.customer_id, self.credit_type_id):
                held += held_by(counting, hold).get(recount.subject, Credits(0)).micros
            spend = recount.spend_of(group_value, sums, Credits(held))
            await self.tx.recounts.save_own(self.customer_id, self.credit_type_id, recount.subject, spend)
            return
        for window in recount.windows:
            await self.tx.recounts.forget_window(
                self.customer_id, self.credit_type_id, group_key, window, of=group_value
            )
        spends = {value: recount.spend_of(value, sums) for value in sorted(recount.values(sums))}
        await self.tx.recounts.save_windows(self.customer_id, self.credit_type_id, group_key, spends)

    async def _sums(self, recount: Recount, steps: Steps, earlier: EarlierSums) -> Mapping[str, Sums]:
        known = earlier.by_steps.get(steps)
        rest = await self.tx.recounts.sum_after(
            self.customer_id,
            self.credit_type_id,
            recount,
            steps,
            0 if known is None else earlier.sequence,
        )
        return rest if known is None else added(known, rest)
