# SPDX-License-Identifier: Apache-2.0
"""GetUsage, ListUsageEvents, ListTopSpenders, ExplainEntry, ListGrantUsage: each on one snapshot, without locks."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.page import Page
from meshkit.period import period_at
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId
from services.ledger.domain.usage.reads import (
    EntryOrigin,
    EventFilter,
    EventPage,
    GrantUse,
    SpenderQuestion,
    TopSpenders,
    UsageQuestion,
    UsageSums,
)
from services.ledger.store import PostgresStore, Transaction


class UsageReads:
    """Reads what was used. Nothing that falls due by the clock is usage, so nothing is settled first."""

    def __init__(self, *, store: PostgresStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def sums(self, question: UsageQuestion, page: Page) -> UsageSums:
        """Return a page of sums, and one row more if there is one. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> UsageSums:
            customer_id: CustomerId | None = None
            if question.customer is not None:
                customer_id = await tx.standings.customer_id(question.customer)
            sums = await tx.totals.sums(question, customer_id, page)
            first, last = customer_id or "", customer_id
            if customer_id is None:
                first = page.after[0] if page.after else ""
                last = CustomerId(sums[-1].customer_id) if len(sums) > page.size else None
            return UsageSums(sums, await tx.totals.is_complete(first, last))

        return await self._store.read(work)

    async def top_spenders(self, question: SpenderQuestion) -> TopSpenders:
        """Return who spent most in the usage period that contains an instant. Raises CustomerNotFound."""
        at = question.period_time or self._clock.now()

        async def work(tx: Transaction) -> TopSpenders:
            customer_id = await tx.standings.customer_id(question.customer)
            is_complete = await tx.totals.is_complete(customer_id, customer_id)
            anchor = await tx.totals.anchor(customer_id)
            if anchor is None:
                return TopSpenders((), None, is_complete)
            period = period_at(anchor, 1, at)
            spenders = await tx.totals.top_spenders(
                customer_id,
                question.credit_type_id,
                question.group_key,
                period.start,
                question.product_id,
                spenders_max=question.spenders_max,
            )
            return TopSpenders(spenders, period, is_complete)

        return await self._store.read(work)

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
