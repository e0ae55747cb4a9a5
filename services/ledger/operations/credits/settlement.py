# SPDX-License-Identifier: Apache-2.0
"""Reads accounts up to date, and settles pools in which something is due."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from meshkit.errors import Unavailable
from meshkit.ids import Ids
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import ScheduleProgress, bring_up_to_date
from services.ledger.domain.credits.free_credits import FreeAllowance
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId, ScheduleId, SlotId
from services.ledger.domain.credits.seats import SeatName, slot_id_of
from services.ledger.domain.credits.unit_of_work import DuePool, DueSlot, PoolKey
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.rating.metric import UniqueValue
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction

POOLS_PER_SWEEP_MAX = 200
# In one transaction, which others wait for.
SLOTS_PER_SWEEP_MAX = 200


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """An account as it was read, and as it is now. at: the pool's time, which never goes back.

    free: what more of free credits would be granted, if the account was read to be settled.
    """

    before: Account
    now: Account
    schedules: Mapping[ScheduleId, ScheduleProgress]
    at: datetime
    free: FreeAllowance

    async def save(self, tx: Transaction, after: Account) -> None:
        """Save `after`: the account changed by settlement and by a rule."""
        await tx.accounts.save(self.before, after, self.schedules)


async def open_account(
    tx: Transaction,
    customer_id: CustomerId,
    credit_type_id: CreditTypeId,
    *,
    at: datetime,
    ids: Ids,
    group_values: Iterable[GroupValue] = (),
    hold_id: HoldId | None = None,
    prices: Iterable[MeteredPrice] = (),
    values: Iterable[tuple[MeterKey, UniqueValue]] = (),
    used_times: Iterable[datetime] = (),
    pays_late: bool = False,
    settles: bool = False,
    only_grants: frozenset[GrantId] | None = None,
    seats: Iterable[SeatName] = (),
    slot_ids: Iterable[SlotId] = (),
) -> OpenAccount:
    """Read an account (under its lock, unless `tx` only reads), and bring it up to date in memory.

    settles: even if the pool's next_due_time is not reached. only_grants: of a pool in which nothing is due, read no
    other grants. seats, slot_ids: see AccountSelection.
    """
    reading = await tx.accounts.read(
        customer_id,
        credit_type_id,
        at=at,
        group_values=group_values,
        hold_id=hold_id,
        prices=prices,
        values=values,
        used_times=used_times,
        pays_late=pays_late,
        settles=settles,
        only_grants=only_grants,
        seats=seats,
        slot_ids=slot_ids,
    )
    time = reading.account.time_at(at)
    settled = bring_up_to_date(reading, at=time, new_grant_id=lambda: GrantId(ids.new("grt")))
    return OpenAccount(reading.account, settled.account, settled.schedules, time, settled.free)


class Settlement:
    """Writes what has fallen due. It may run late: every operation settles the pools it uses."""

    def __init__(self, *, store: PostgresStore, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._ids = ids
        self._relay = relay

    async def run_due(self, at: datetime) -> int:
        """Settle every pool, and then every slot, in which something is due at `at`, the longest due first.

        Returns how many there were. If one fails, the others are settled first; then the first error is raised, with a
        note that names the pool. Unavailable is raised immediately.
        """
        settled = 0
        failures: list[Exception] = []
        last: DuePool | None = None
        while pools := await self._store.due_pools(at=at, after=last, pools_max=POOLS_PER_SWEEP_MAX):
            for pool in pools:
                failures += await self._failures((pool.customer_id, pool.credit_type_id), (), at)
            settled += len(pools)
            last = pools[-1]
        last_slot: DueSlot | None = None
        while slots := await self._store.due_slots(at=at, after=last_slot, slots_max=SLOTS_PER_SWEEP_MAX):
            of_pools: dict[PoolKey, list[SlotId]] = defaultdict(list)
            for one in slots:
                slot_id = slot_id_of(one.subscription_id, one.number)
                of_pools[one.customer_id, one.credit_type_id].append(slot_id)
            for key, slot_ids in of_pools.items():
                failures += await self._failures(key, slot_ids, at)
            settled += len(slots)
            last_slot = slots[-1]
        if settled:
            self._relay.wake()
        if failures:
            raise failures[0]
        return settled

    async def _failures(self, key: PoolKey, slot_ids: Sequence[SlotId], at: datetime) -> list[Exception]:
        """Settle a pool and these slots of it; returns the error if that fails. Raises Unavailable."""
        try:
            await self.settle(*key, at=at, slot_ids=slot_ids)
        except Unavailable:
            raise
        except Exception as error:
            error.add_note(f"in the pool of {key[0]} in {key[1]}")
            return [error]
        return []

    async def settle(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        *,
        at: datetime,
        slot_ids: Sequence[SlotId] = (),
    ) -> None:
        """Settle one pool and these slots: write everything that is due in them at `at`."""

        async def work(tx: Transaction) -> None:
            opened = await open_account(
                tx, customer_id, credit_type_id, at=at, ids=self._ids, slot_ids=slot_ids
            )
            await opened.save(tx, opened.now)

        await self._store.run(work)
