# SPDX-License-Identifier: Apache-2.0
"""How far a contract's usage is on invoices, and when to look next. Source: services/contract/README.md,
"Usage on invoices".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from meshkit.period import Period
from services.contract.domain.contract import Contract
from services.contract.domain.ids import ContractId, CreditTypeId, InvoiceId
from services.contract.domain.invoice import InvoiceLine
from services.contract.domain.usage.report import UsageReport

# Usage that is reported late, and corrections, are invoiced for so long after the end of a contract.
LATE_USAGE_MAX: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePosition:
    """Which entries of the Ledger are covered: up to these sequences, by credit type, and dated before `time`."""

    time: datetime
    sequences: Mapping[CreditTypeId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageProgress:
    """How far a contract's usage is on invoices. closed_time: end of the last usage period that is closed.

    invoice_id: the draft that follows the usage of the open period; None: there is none yet.
    """

    contract_id: ContractId
    closed_time: datetime
    covered: UsagePosition
    invoice_id: InvoiceId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageAnswer:
    """The Ledger's answer: what is not covered of usage dated before the period's end, and what is covered with it."""

    period: Period
    covered: UsagePosition
    report: UsageReport


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceUsage:
    """The usage on an invoice. refresh_time: as of when. close_time: when a statement became final; None for invoices.

    span: the part of the usage period in which the contract was in force.
    draft_lines: the overage of a draft; once the draft is issued, they are its lines.
    """

    span: Period
    group_key: str
    refresh_time: datetime
    covered: UsagePosition
    report: UsageReport
    close_time: datetime | None = None
    draft_lines: tuple[InvoiceLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRhythm:
    """grace: how long after its end a usage period is closed. interval: how often a draft follows usage."""

    grace: timedelta
    interval: timedelta


def first_progress(contract: Contract, usage_from: datetime | None) -> UsageProgress:
    """Return the progress of a contract without any. usage_from: where its usage begins to be invoiced, if later."""
    start = max(contract.start_time, usage_from or contract.start_time)
    return UsageProgress(
        contract_id=contract.contract_id, closed_time=start, covered=UsagePosition(time=start)
    )


def is_over(contract: Contract, progress: UsageProgress) -> bool:
    """Whether nothing of a contract will be invoiced any more."""
    end = contract.end_time
    return end is not None and progress.closed_time >= end + LATE_USAGE_MAX


def usage_span(contract: Contract, progress: UsageProgress, period: Period) -> Period:
    """Return what an invoice of the open period says it is for: the period, cut by the contract's start and end."""
    start = max(period.start, contract.start_time)
    end = contract.end_time
    is_cut = end is not None and max(start, progress.closed_time) < end < period.end
    return Period(start, end if is_cut and end is not None else period.end)


def next_look(
    contract: Contract, progress: UsageProgress, closes: datetime, *, at: datetime, rhythm: UsageRhythm
) -> datetime:
    """Return when to look at the usage again. closes: when the open period is closed."""
    end = contract.end_time
    if end is not None and progress.closed_time >= end:
        return closes  # nobody uses it any more
    return min(at + rhythm.interval, closes)


def closed(progress: UsageProgress, answer: UsageAnswer) -> UsageProgress:
    """Return the progress once the open period is closed."""
    return replace(progress, closed_time=answer.period.end, covered=answer.covered, invoice_id=None)
