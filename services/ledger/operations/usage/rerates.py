# SPDX-License-Identifier: Apache-2.0
"""RerateUsage, GetRerateJob, ListRerateJobs. The jobs themselves are done by rerating.py."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from access import require_all_customers
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.errors import ProductNotFound
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.usage.event import AHEAD_MAX
from services.ledger.domain.usage.rerate_job import (
    JobState,
    RerateJob,
    RerateJobId,
    RerateScope,
    RerateUsage,
)
from services.ledger.operations.usage.rerate_plan import RatePlan, add_credits, customers_after
from services.ledger.store import PostgresStore, Transaction

# Who asks for the jobs that the Ledger starts by itself.
ACTOR: Final = "catalog"
RATES_NAMED_MAX: Final = 3


class Rerates:
    """Starts rerate jobs and shows them."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def start(self, command: RerateUsage) -> RerateJob:
        """Start a job, or add up what it would do. A repeated request gets the job as it is now.

        Raises ProductNotFound, CustomerNotFound, RequestIdReused, TokenRestricted.
        """
        at = self._clock.now()
        job_id = RerateJobId(self._ids.new("rrj"))

        async def work(tx: Transaction) -> RerateJob:
            if not command.is_preview and (first := await tx.rerate_jobs.find_asked(command)) is not None:
                return first
            if not command.customer:
                require_all_customers()
            if not await tx.standings.products([command.product_id]):
                raise ProductNotFound(product_id=command.product_id)
            customer_id = await tx.standings.customer_id(command.customer) if command.customer else None
            job = RerateJob(
                job_id=job_id,
                scope=RerateScope(
                    product_id=command.product_id,
                    customer_id=customer_id,
                    start_time=command.start_time,
                    end_time=command.end_time,
                ),
                reason=command.reason,
                actor=command.actor,
                state=JobState.RUNNING,
                create_time=at,
            )
            if command.is_preview:
                return await _previewed(tx, replace(job, job_id=RerateJobId("")))
            await tx.rerate_jobs.insert(job, command)
            return job

        return await (self._store.read(work) if command.is_preview else self._store.run(work))

    async def get(self, job_id: str) -> RerateJob:
        """Return a job. Raises RerateJobNotFound."""
        return await self._store.read(lambda tx: tx.rerate_jobs.get(job_id))

    async def jobs(self, page: Page) -> Sequence[RerateJob]:
        """Return a page of jobs, newest first, and one more if there is one."""
        return await self._store.read(lambda tx: tx.rerate_jobs.page(page))


async def rerate_withdrawn(tx: Transaction, withdrawn: Iterable[Rate], *, ids: Ids, at: datetime) -> None:
    """Start jobs for usage that was charged at rates that were withdrawn since: one per product.

    A withdrawal that arrives in time finds no usage, unless it was dated ahead.
    """
    by_product: dict[ProductId, list[Rate]] = defaultdict(list)
    for rate in withdrawn:
        if await tx.rerate_meters.is_used(rate.root_id):
            by_product[rate.product_id].append(rate)
    for product_id, rates in by_product.items():
        names = ", ".join(rate.rate_id for rate in rates[:RATES_NAMED_MAX])
        job = RerateJob(
            job_id=RerateJobId(ids.new("rrj")),
            scope=RerateScope(
                product_id=product_id,
                customer_id=None,
                start_time=min(rate.effective_time for rate in rates),
                end_time=at + 2 * AHEAD_MAX,  # beyond all usage so far
            ),
            reason=f"usage was charged before it became known that these rates were withdrawn: {names}",
            actor=ACTOR,
            state=JobState.RUNNING,
            create_time=at,
        )
        await tx.rerate_jobs.insert(job, None)


async def _previewed(tx: Transaction, job: RerateJob) -> RerateJob:
    """Return a job with what it would do."""
    plan = await RatePlan.of(tx, job.scope)
    while (customer_ids := await customers_after(tx, job)) is not None:
        differences = await plan.differences(customer_ids)
        job = replace(
            job,
            planned_customer_id=customer_ids[-1],
            customers_total=job.customers_total + len({one.stored.key[0] for one in differences}),
            meters_total=job.meters_total + len(differences),
            credits=add_credits(job.credits, differences),
        )
    return job
