# SPDX-License-Identifier: Apache-2.0
"""Does rerate jobs, one after the other, in small steps of one transaction each.

A step locks its job first, so two replicas never do the same one; how far it is, is saved with what it wrote. So it may
be killed at any point, and any replica goes on. Source: services/ledger/README.md, "Rerating".
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.period import period_at
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.account import Account
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage import rerating
from services.ledger.domain.usage.meter import MeteredPrice
from services.ledger.domain.usage.rerate_job import MeterProgress, RerateCredits, RerateJob, ToDo
from services.ledger.domain.usage.rerating import Repriced
from services.ledger.domain.usage.returning import grants_of, seats_of
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.operations.ports import Relay
from services.ledger.operations.usage.correcting import NO_GRANTS
from services.ledger.operations.usage.late_contracts import LateContracts
from services.ledger.operations.usage.replacing import later_draws
from services.ledger.operations.usage.rerate_plan import RatePlan, add_credits, customers_after
from services.ledger.store import PostgresStore, Transaction

log = structlog.get_logger()

CHORE = "rerate"
# Another replica takes over so long after one was killed.
LEASE = timedelta(seconds=10)
# An entry brings two rows at most, and changes few others: below 1,000 rows a transaction.
ENTRIES_PER_STEP_MAX = 200
# A step holds a pool's lock for some 100 ms; then the gate has its turn.
PAUSE_SECONDS = 0.05


class Rerating:
    """Does what RerateUsage has started. clock: dates corrections; wall: dates the chore."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        clock: Clock,
        wall: Clock,
        ids: Ids,
        relay: Relay,
        entries_max: int = ENTRIES_PER_STEP_MAX,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wall = wall
        self._ids = ids
        self._relay = relay
        self._entries_max = entries_max

    async def run(self) -> int:
        """Do all jobs, if there are any and it is this replica's turn; returns how many steps it took."""
        if not await self._store.read(lambda tx: tx.rerate_jobs.is_any_running()):
            return 0
        now = self._wall.now()
        if not await self._store.run(lambda tx: tx.retention.claim(CHORE, at=now, due_again=now + LEASE)):
            return 0
        steps = 0
        while await self.step():
            steps += 1
            await self._keep_turn(LEASE)
            await asyncio.sleep(PAUSE_SECONDS)
        await self._keep_turn(timedelta(0))
        return steps

    async def step(self) -> bool:
        """Do the next step of the oldest job; False if all jobs are done."""
        at = self._clock.now()
        is_left = await self._store.run(lambda tx: self._step(tx, at))
        self._relay.wake()
        return is_left

    async def _keep_turn(self, lease: timedelta) -> None:
        due_again = self._wall.now() + lease
        await self._store.run(lambda tx: tx.retention.prolong(CHORE, due_again=due_again))

    async def _step(self, tx: Transaction, at: datetime) -> bool:
        job = await tx.rerate_jobs.lock_next()
        if job is None:
            return False
        if not job.is_planned:
            await self._plan(tx, job)
        elif (to_do := await tx.rerate_meters.next_to_do()) is None:
            if not await self._charge_events(tx, job, at):
                await tx.rerate_jobs.finish(job.job_id, at=at)
        elif to_do.progress is None:
            await self._begin(tx, job, to_do, at)
        else:
            await self._correct(tx, job, to_do.progress, at)
        return True

    async def _plan(self, tx: Transaction, job: RerateJob) -> None:
        """Enter the meters of the next customers."""
        customer_ids = await customers_after(tx, job)
        if customer_ids is None:
            await tx.rerate_jobs.count_meters(job.job_id, customers=0, meters=0, up_to=None)
            return
        differences = await (await RatePlan.of(tx, job.scope)).differences(customer_ids)
        await tx.rerate_meters.enter(job.job_id, [one.stored for one in differences])
        await tx.rerate_jobs.count_meters(
            job.job_id,
            customers=len({one.stored.key[0] for one in differences}),
            meters=len(differences),
            up_to=customer_ids[-1],
        )
        await tx.rerate_jobs.advance(job.job_id, credits=add_credits((), differences))

    async def _begin(self, tx: Transaction, job: RerateJob, to_do: ToDo, at: datetime) -> None:
        """Give a meter the rate that applies to it now."""
        key, meter_key = to_do.key, to_do.meter_key
        price = await tx.corrections.price_of(key, meter_key)
        opened = await self._open(tx, to_do, price, at)
        meter = opened.now.meters[meter_key]
        anchor = opened.now.usage_anchor
        assert anchor is not None  # usage has a contract
        plan = await RatePlan.of(tx, job.scope)
        winner = await plan.winner(meter_key, meter, period_at(anchor, 1, meter_key.period_start))
        if winner is None:  # it was corrected back meanwhile
            await tx.rerate_meters.remove(key, meter_key)
            await tx.rerate_jobs.advance(job.job_id, meters=1)
            return
        after = rerating.switched(meter, winner.rate_id, plan.pricing(winner))
        await opened.save(tx, opened.now.with_changes(meters={meter_key: after}))
        await tx.rerate_meters.save_unrated(key, meter_key, after)
        until = opened.now.sequence
        progress = MeterProgress(
            key=key,
            meter_key=meter_key,
            until=until,
            total=after.position,
            done=await tx.rerate_entries.before(key, meter_key, until=until),
            position=Quantity(0),
        )
        await tx.rerate_meters.save_progress(progress)
        await tx.rerate_jobs.advance(job.job_id, meters=int(progress.is_done))

    async def _correct(self, tx: Transaction, job: RerateJob, progress: MeterProgress, at: datetime) -> None:
        """Correct the next usage of a meter."""
        key, meter_key = progress.key, progress.meter_key
        price = await tx.corrections.price_of(key, meter_key)
        product = (await tx.standings.products([price.product_id]))[price.product_id]
        account = (await self._open(tx, ToDo(key, meter_key, progress), price, at)).now
        page = await tx.rerate_entries.page(progress, entries_max=self._entries_max)
        repriced, position = rerating.reprice(
            page.pieces, price.pricing, position=progress.position, total=progress.total
        )
        # What comes back pays for what costs more.
        less = [one for one in repriced if one.difference < Credits(0)]
        more = [one for one in repriced if one.difference > Credits(0)]
        if less:
            account = await self._write(tx, job, progress, product, price, less, at, is_return=True)
        if more:
            account = await self._write(tx, job, progress, product, price, more, at, is_return=False)
        meter = account.meters[meter_key]
        progress = MeterProgress(
            key=key,
            meter_key=meter_key,
            until=progress.until,
            total=progress.total,
            done=page.done,
            position=position,
        )
        if progress.is_done and meter.unrated:
            # VerifyLedger reports it. Later usage keeps its right price.
            log.error("meter_not_rated", customer_id=key[0], root_rate_id=meter_key.root_rate_id)
        await tx.rerate_meters.save_progress(progress)
        await tx.rerate_jobs.advance(
            job.job_id,
            meters=int(progress.is_done),
            entries=page.entries,
            credits=[
                RerateCredits(
                    credit_type_id=key[1],
                    returned=-_sum(less),
                    charged=_sum(more),
                )
            ],
        )

    async def _charge_events(self, tx: Transaction, job: RerateJob, at: datetime) -> bool:
        """Charge the next events that had no contract; False if there are no more."""
        product = (await tx.standings.products([job.scope.product_id]))[job.scope.product_id]
        late = LateContracts(
            tx=tx, scope=job.scope, event_type=product.metric.event_type, ids=self._ids, at=at
        )
        charged = await late.charge(job.events_position, events_max=self._entries_max)
        if charged is None:
            return False
        await tx.rerate_jobs.charge_events(job.job_id, charged.position, events=charged.events)
        await tx.rerate_jobs.advance(
            job.job_id,
            credits=[
                RerateCredits(credit_type_id=credit_type_id, charged=credits)
                for credit_type_id, credits in charged.credits.items()
            ],
        )
        return True

    async def _write(
        self,
        tx: Transaction,
        job: RerateJob,
        progress: MeterProgress,
        product: UsageProduct,
        price: MeteredPrice,
        repriced: list[Repriced],
        at: datetime,
        *,
        is_return: bool,
    ) -> Account:
        returned = [left for one in repriced for left in one.returned()]
        later = await later_draws(tx, progress.key, returned, at=at, ids=self._ids)
        opened = await open_account(
            tx,
            *progress.key,
            at=at,
            ids=self._ids,
            group_values=rerating.counted_values(product, repriced),
            prices=[price],
            used_times={one.piece.first.effective_time for one in repriced},
            pays_late=not is_return,
            only_grants=grants_of([*returned, *later]) if is_return else None,
            seats={
                *seats_of(later),
                *(name for one in repriced for name in one.piece.usage.group_values.items()),
            },
        )
        anchor = opened.now.usage_anchor
        assert anchor is not None
        account = rerating.correct(
            opened.now, product, repriced, later=later, cause_id=job.job_id, anchor=anchor, at=opened.at
        )
        await opened.save(tx, account)
        await tx.rerate_meters.save_unrated(
            progress.key, progress.meter_key, account.meters[progress.meter_key]
        )
        return account

    async def _open(self, tx: Transaction, to_do: ToDo, price: MeteredPrice, at: datetime) -> OpenAccount:
        """Lock a pool and read one meter of it."""
        return await open_account(tx, *to_do.key, at=at, ids=self._ids, prices=[price], only_grants=NO_GRANTS)


def _sum(repriced: list[Repriced]) -> Credits:
    return Credits(sum(one.difference.micros for one in repriced))
