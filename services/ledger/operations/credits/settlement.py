# SPDX-License-Identifier: Apache-2.0
"""Reads accounts up to date, and settles pools in which something is due."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from meshkit.errors import Unavailable
from meshkit.ids import Ids
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import ScheduleProgress, bring_up_to_date
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId, ScheduleId
from services.ledger.domain.credits.unit_of_work import DuePool
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.rating.metric import UniqueValue
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction

POOLS_PER_SWEEP_MAX = 200


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """An account as it was read, and as it is now. at: the pool's time, which never goes back."""

    before: Account
    now: Account
    schedules: Mapping[ScheduleId, ScheduleProgress]
    at: datetime

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
) -> OpenAccount:
    """Read an account (under its lock, unless `tx` only reads), and bring it up to date in memory.

    settles: even if the pool's next_due_time is not reached. only_grants: of a pool in which nothing is due, read no
    other grants.
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
    )
    time = reading.account.time_at(at)
    settled = bring_up_to_date(reading, at=time, new_grant_id=lambda: GrantId(ids.new("grt")))
    return OpenAccount(reading.account, settled.account, settled.schedules, time)


class Settlement:
    """Writes what has fallen due. It may run late: every operation settles the pools it uses."""

    def __init__(self, *, store: PostgresStore, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._ids = ids
        self._relay = relay

    async def run_due(self, at: datetime) -> int:
        """Settle every pool in which something is due at `at`, the longest due first; returns how many there were.

        If a pool fails, the others are settled first; then the first error is raised, with a note that names the
        pool. Unavailable is raised immediately.
        """
        settled = 0
        failures: list[Exception] = []
        last: DuePool | None = None
        while pools := await self._store.due_pools(at=at, after=last, pools_max=POOLS_PER_SWEEP_MAX):
            for pool in pools:
                try:
                    await self.settle(pool.customer_id, pool.credit_type_id, at=at)
                except Unavailable:
                    raise
                except Exception as error:
                    error.add_note(f"in the pool of {pool.customer_id} in {pool.credit_type_id}")
                    failures.append(error)
            settled += len(pools)
            last = pools[-1]
        if settled:
            self._relay.wake()
        if failures:
            raise failures[0]
        return settled

    async def settle(self, customer_id: CustomerId, credit_type_id: CreditTypeId, *, at: datetime) -> None:
        """Settle one pool: write everything that is due in it at `at`."""

        async def work(tx: Transaction) -> None:
            opened = await open_account(tx, customer_id, credit_type_id, at=at, ids=self._ids)
            await opened.save(tx, opened.now)

        await self._store.run(work)
