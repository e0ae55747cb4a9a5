# SPDX-License-Identifier: Apache-2.0
"""GetUsage, ListUsageEvents, ListTopSpenders, ExplainEntry, ListGrantUsage, GetContractUsage: each on one snapshot,
without locks of pools.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from access import require_all_customers
from meshkit.clock import Clock
from meshkit.page import Page
from meshkit.period import Period, period_at
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.usage.contract_usage import (
    ContractUsage,
    ContractUsageQuestion,
    UsageDetail,
)
from services.ledger.domain.usage.reads import (
    EntryOrigin,
    EventFilter,
    EventPage,
    GrantUse,
    Spender,
    SpenderQuestion,
    TopSpenders,
    UsageQuestion,
    UsageSum,
    UsageSums,
)
from services.ledger.operations.usage.summing import Summing
from services.ledger.store import PostgresStore, Transaction

T = TypeVar("T")


class UsageReads:
    """Reads what was used. Nothing that falls due by the clock is usage, so nothing is settled first."""

    def __init__(self, *, store: PostgresStore, summing: Summing, clock: Clock) -> None:
        self._store = store
        self._summing = summing
        self._clock = clock

    async def sums(self, question: UsageQuestion, page: Page) -> UsageSums:
        """Return a page of sums, and one row more if there is one. Raises CustomerNotFound, TokenRestricted."""

        async def work(tx: Transaction) -> tuple[Sequence[UsageSum], list[PoolKey]]:
            customer_id: CustomerId | None = None
            if question.customer is None:
                require_all_customers()
            else:
                customer_id = await tx.standings.customer_id(question.customer)
            sums = await tx.totals.sums(question, customer_id, page)
            first, last = customer_id or "", customer_id
            if customer_id is None:
                first = page.after[0] if page.after else ""
                last = CustomerId(sums[-1].customer_id) if len(sums) > page.size else None
            return sums, await tx.rollups.behind(first, last)

        return UsageSums(*await self._added_up(work))

    async def top_spenders(self, question: SpenderQuestion) -> TopSpenders:
        """Return who spent most in the usage period that contains an instant. Raises CustomerNotFound."""
        at = question.period_time or self._clock.now()

        async def work(tx: Transaction) -> tuple[tuple[Sequence[Spender], Period | None], list[PoolKey]]:
            customer_id = await tx.standings.customer_id(question.customer)
            behind = await tx.rollups.behind(customer_id, customer_id)
            anchor = await tx.totals.anchor(customer_id)
            if anchor is None:
                return ((), None), behind
            period = period_at(anchor, 1, at)
            spenders = await tx.totals.top_spenders(
                customer_id,
                question.credit_type_id,
                question.group_key,
                period.start,
                question.product_id,
                spenders_max=question.spenders_max,
            )
            return (spenders, period), behind

        (spenders, period), is_complete = await self._added_up(work)
        return TopSpenders(spenders, period, is_complete)

    async def _added_up(
        self, work: Callable[[Transaction], Awaitable[tuple[T, list[PoolKey]]]]
    ) -> tuple[T, bool]:
        """Return what `work` reads, with all that was written before, and whether that is complete.

        work: returns also the pools that it is about and that are not added up.
        """
        found, behind = await self._store.read(work)
        if not behind:
            return found, True
        is_complete = await self._summing.add_up(behind)
        found, _ = await self._store.read(work)
        return found, is_complete

    async def events(self, customer: str, asked: EventFilter, page: Page) -> EventPage:
        """Return a page of stored events, the latest timestamp first. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> EventPage:
            return await tx.history.events(await tx.standings.customer_id(customer), asked, page)

        return await self._store.read(work)

    async def origin(self, customer: str, credit_type_id: CreditTypeId, sequence: int) -> EntryOrigin:
        """Return where an entry comes from. Raises CustomerNotFound, EntryNotFound."""

        async def work(tx: Transaction) -> EntryOrigin:
            customer_id = await tx.standings.customer_id(customer)
            return await tx.history.origin(customer_id, credit_type_id, sequence)

        return await self._store.read(work)

    async def grant_uses(self, customer: str, grant_id: GrantId, page: Page) -> Sequence[GrantUse]:
        """Return what a grant paid for, newest first, and one row more if there is one.

        Raises CustomerNotFound, GrantNotFound.
        """

        async def work(tx: Transaction) -> Sequence[GrantUse]:
            customer_id = await tx.standings.customer_id(customer)
            await tx.accounts.credit_type_of_grant(customer_id, grant_id)
            return await tx.history.grant_uses(customer_id, grant_id, page)

        return await self._store.read(work)

    async def of_contract(self, question: ContractUsageQuestion) -> ContractUsage:
        """Return what a contract has used and earlier answers do not cover. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> ContractUsage:
            await tx.standings.customer_id(question.customer_id)
            anchor = await tx.totals.anchor(question.customer_id)
            period = None if anchor is None else period_at(anchor, 1, question.period_time)
            if period is None or question.positions_only:
                starts = await tx.contract_usages.starts(question)
                return ContractUsage(
                    period=period, positions=starts, detail=UsageDetail.GROUP_AND_GRANT, rows=()
                )
            spans = await tx.contract_usages.spans(question)
            for detail in UsageDetail:
                rows = await tx.contract_usages.rows(question, spans, period.end, detail)
                if len(rows) <= question.rows_max or detail is UsageDetail.PRODUCT_AND_KIND:
                    break
            return ContractUsage(
                period=period,
                positions={pool: last for pool, (_, last, _) in spans.items()},
                detail=detail,
                rows=rows,
                has_more=any(last < latest for _, last, latest in spans.values()),
            )

        return await self._store.read(work)
