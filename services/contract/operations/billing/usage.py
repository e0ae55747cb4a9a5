# SPDX-License-Identifier: Apache-2.0
"""Puts usage on invoices: a draft follows the open usage period, and is issued once the period is over.

The Ledger is asked outside of a transaction; its answer is used only if the contract's progress is still the one that
it was asked for. So each entry is on one invoice, whatever is killed, repeated, or done by another replica.
Source: services/contract/README.md, "Usage on invoices".
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.ids import Ids
from services.contract.domain.contract import Contract
from services.contract.domain.errors.catalog import PeerUnavailable
from services.contract.domain.ids import ContractId
from services.contract.domain.invoice import Invoice
from services.contract.domain.overage import CardMoney
from services.contract.domain.usage.overage import overage_lines
from services.contract.domain.usage.progress import (
    InvoiceUsage,
    UsageAnswer,
    UsageProgress,
    UsageRhythm,
    advanced,
    closed,
    first_progress,
    is_over,
    next_look,
    usage_span,
)
from services.contract.domain.usage.report import UsageReport
from services.contract.operations.billing.invoicing import new_invoice
from services.contract.operations.billing.issuing import issue
from services.contract.operations.billing.usage_drafts import fix_usage
from services.contract.operations.ports import Catalog, UsageSource
from services.contract.store import PostgresStore, Transaction

CONTRACTS_PER_READ_MAX: Final = 200
# Of one contract. The next run goes on.
ANSWERS_PER_RUN_MAX: Final = 1_000
ANSWERS_PER_READER_MAX: Final = 5
# The most amounts on one invoice: beyond them usage is divided less finely. Its PDF takes some 5 s.
ROWS_MAX: Final = 1_000

log = structlog.get_logger(__name__)


class UsageInvoices:
    """Follows the usage of contracts. group_key: the property that identifies who used, such as "user_id"."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        catalog: Catalog,
        ledger: UsageSource,
        clock: Clock,
        ids: Ids,
        rhythm: UsageRhythm,
        group_key: str,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._rhythm = rhythm
        self._group_key = group_key
        # Contracts whose last attempt failed. Each is logged once, not every second.
        self._waiting: set[ContractId] = set()

    async def run_due(self, at: datetime) -> None:
        """Look at the usage of every contract that is due up to `at`; the rest waits for the next run."""
        after: tuple[datetime, ContractId] | None = None
        while due := await self._due(at, after):
            for due_time, contract_id in due:
                after = (due_time, contract_id)
                try:
                    await self._follow(contract_id, at=at, closes=True)
                except PeerUnavailable as fault:
                    self._log_waiting(contract_id, fault)
                    return  # the others would wait for the same peer
                except MeshError as fault:
                    self._log_waiting(contract_id, fault)
                else:
                    self._waiting.discard(contract_id)

    async def refresh(self, contract_id: ContractId) -> None:
        """Bring the draft that follows a contract's usage up to date. Raises nothing if a peer is down."""
        try:
            await self._follow(contract_id, at=self._clock.now(), closes=False)
        except MeshError as fault:
            self._log_waiting(contract_id, fault)

    def _log_waiting(self, contract_id: ContractId, fault: MeshError) -> None:
        if contract_id not in self._waiting:
            self._waiting.add(contract_id)
            log.warning("usage_not_invoiced", contract_id=contract_id, reason=fault.reason)

    async def _due(
        self, at: datetime, after: tuple[datetime, ContractId] | None
    ) -> list[tuple[datetime, ContractId]]:
        async with self._store.transaction() as tx:
            return await tx.usage.due(at=at, after=after, rows_max=CONTRACTS_PER_READ_MAX)

    async def _follow(self, contract_id: ContractId, *, at: datetime, closes: bool) -> None:
        """Put the usage of the open period on its draft; if it `closes`, also close every period that is over."""
        for _ in range(ANSWERS_PER_RUN_MAX if closes else ANSWERS_PER_READER_MAX):
            if await self._follow_period(contract_id, at=at, closes=closes):
                return

    async def _follow_period(self, contract_id: ContractId, *, at: datetime, closes: bool) -> bool:
        """Follow the open usage period of a contract; returns whether nothing is left to do now."""
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(contract_id)
            before = await tx.usage.progress(contract_id)
            usage_from = await tx.usage.usage_from(contract_id) if before is None else None
            if contract.start_time > at:
                await tx.usage.save_due(contract_id, contract.start_time)
                return True
        progress = before or first_progress(contract, usage_from)
        if is_over(contract, progress):
            async with self._store.transaction() as tx:
                await tx.usage.save_due(contract_id, None)
            return True
        answer = await self._ledger.contract_usage(
            contract,
            progress,
            group_key=self._group_key,
            rows_max=ROWS_MAX,
            positions_only=before is None,
        )
        if answer is None:
            return True  # the Ledger does not know the contract yet: it is looked at again
        money = None
        if answer.report.lines or (closes and progress.invoice_id is not None):
            money = await self._catalog.card_money(contract.rate_card_id)
        async with self._store.transaction() as tx:
            contract = await tx.contracts.lock(contract_id)
            if await tx.usage.progress(contract_id) != before:
                return False  # another replica, or a reader of the draft, was here meanwhile
            if before is None:  # the first answer only says where its usage begins in the pools
                await tx.usage.save_progress(replace(progress, read=answer.positions, base=answer.positions))
                return False
            return await self._put(tx, contract, progress, answer, money, at=at, closes=closes)

    async def _put(
        self,
        tx: Transaction,
        contract: Contract,
        progress: UsageProgress,
        answer: UsageAnswer,
        money: CardMoney | None,
        *,
        at: datetime,
        closes: bool,
    ) -> bool:
        """Use an answer in a transaction that has locked the contract; returns whether nothing is left to do."""
        span = usage_span(contract, progress, answer.period)
        close_time = span.end + self._rhythm.grace
        draft = None
        if money is not None:
            draft = await self._draft(tx, contract, progress, answer, money, at=at)
            progress = replace(progress, invoice_id=draft.invoice_id)
        progress = advanced(progress, answer, at=at)
        if answer.has_more or not (closes and close_time <= at):
            await tx.usage.save_progress(progress)
            if answer.has_more:
                return False
            if closes:  # a reader does not put off the next look
                look = next_look(contract, progress, close_time, at=at, rhythm=self._rhythm)
                await tx.usage.save_due(contract.contract_id, look)
            return True
        await tx.usage.save_progress(closed(progress, answer.period))
        if draft is not None:
            await fix_usage(tx, draft, statement_time=None if draft.has_amount else at)
            await tx.due_records.billed(contract, draft)
            await issue(tx, [draft], at=at, ids=self._ids)
        return False

    async def _draft(
        self,
        tx: Transaction,
        contract: Contract,
        progress: UsageProgress,
        answer: UsageAnswer,
        money: CardMoney,
        *,
        at: datetime,
    ) -> Invoice:
        """Return the draft of the open usage period with the usage of the answer added to it."""
        span = usage_span(contract, progress, answer.period)
        report, draft = UsageReport(), None
        if progress.invoice_id is not None:
            draft = await tx.invoices.lock(progress.invoice_id)
            if (shown := await tx.usage.of_invoice(progress.invoice_id)) is not None:
                report = shown.report
        report = report.plus(answer.report).limited(ROWS_MAX)
        so_far = await tx.usage.overage_so_far(contract.contract_id)
        fresh = new_invoice(
            contract,
            overage_lines(report, money, so_far, span),
            issue_time=span.end,
            ids=self._ids,
            currency_code=money.currency_code,
        )
        without_lines = replace(fresh, lines=(), invoice_id=(draft or fresh).invoice_id)
        if draft is None:
            await tx.invoices.insert(without_lines)
        else:
            await tx.invoices.extend(without_lines, stored=0)
        shown = InvoiceUsage(
            span=span,
            group_key=self._group_key,
            refresh_time=at,
            covered=answer.positions,
            covered_time=answer.period.end,
            report=report,
            draft_lines=fresh.lines,
        )
        await tx.usage.save(without_lines.invoice_id, shown)
        return replace(without_lines, lines=fresh.lines)
