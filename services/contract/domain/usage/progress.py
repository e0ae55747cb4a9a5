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


# Usage may be dated so far ahead, and an hour for clocks that differ.
_AHEAD_MAX: Final = timedelta(hours=25)

# The sequence of an entry of the Ledger, by credit type.
Positions = Mapping[CreditTypeId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageProgress:
    """How far a contract's usage is on invoices. closed_time: end of the last usage period that is closed.

    closed: on invoices are entries up to these that are dated before closed_time. read: entries up to these were read
    for the open period. base: entries up to these are dated before the open period's end, so the next one
    begins to read there. invoice_id: the draft that follows the open period; None: there is none yet.
    """

    contract_id: ContractId
    closed_time: datetime
    closed: Positions = field(default_factory=dict)
    read: Positions = field(default_factory=dict)
    base: Positions = field(default_factory=dict)
    invoice_id: InvoiceId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageAnswer:
    """The Ledger's answer: what the entries after `read` and up to `positions` say about the open period.

    has_more: whether there are more entries.
    """

    period: Period
    positions: Positions
    report: UsageReport
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceUsage:
    """The usage on an invoice. refresh_time: as of when. close_time: when a statement became final; None for invoices.

    span: the part of the usage period in which the contract was in force. covered, covered_time: what it shows are
    entries up to these that are dated before covered_time, the period's end, and on no earlier invoice.
    draft_lines: the overage of a draft; once the draft is issued, they are its lines.
    """

    span: Period
    group_key: str
    refresh_time: datetime
    covered: Positions
    covered_time: datetime
    report: UsageReport
    close_time: datetime | None = None
    draft_lines: tuple[InvoiceLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRhythm:
    """grace: how long after its end a usage period is closed. interval: how often a draft follows usage."""

    grace: timedelta
    interval: timedelta


def first_progress(contract: Contract, usage_from: datetime | None) -> UsageProgress:
    """Return the progress of a contract that was never looked at.

    usage_from: where its usage begins to be invoiced, if later than at its start.
    """
    start = max(contract.start_time, usage_from or contract.start_time)
    return UsageProgress(contract_id=contract.contract_id, closed_time=start)


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


def advanced(progress: UsageProgress, answer: UsageAnswer, *, at: datetime) -> UsageProgress:
    """Return the progress once an answer that was given `at` is used."""
    is_early = at + _AHEAD_MAX <= answer.period.end
    return replace(progress, read=answer.positions, base=answer.positions if is_early else progress.base)


def closed(progress: UsageProgress, period: Period) -> UsageProgress:
    """Return the progress once the open period is closed."""
    return replace(
        progress, closed_time=period.end, closed=progress.read, read=progress.base, invoice_id=None
    )
