# SPDX-License-Identifier: Apache-2.0
"""Where a contract ends. Source: services/contract/README.md, "Ends"."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from meshkit.period import Period
from services.contract.domain.billing.state import BillingState, current_period
from services.contract.domain.contract import Contract, EndOption, end_of, refuse_over
from services.contract.domain.errors.contracts import NoBillingPeriod, NoTerm, PeriodStartedTooLongAgo
from services.contract.domain.term import earliest_end, refuse_before_term_end

UNWANTED_WITHIN = timedelta(hours=24)


def planned_end(
    contract: Contract,
    states: Sequence[BillingState],
    option: EndOption,
    end_time: datetime | None,
    *,
    ignores_term: bool,
    at: datetime,
) -> datetime | None:
    """Return the end that a request received at `at` sets; None: the contract is open-ended.

    states: one per subscription. end_time: of AT_TIME only; None: now. Raises ContractEnded, EndBeforeNow,
    NoBillingPeriod, PeriodStartedTooLongAgo, NoTerm; TermNotOver unless `ignores_term`.
    """
    refuse_over(contract, at=at)
    planned = _planned(contract, states, option, end_time, at=at)
    if not ignores_term:
        refuse_before_term_end(contract.term, contract.start_time, planned, at=at)
    return planned


def _planned(
    contract: Contract,
    states: Sequence[BillingState],
    option: EndOption,
    end_time: datetime | None,
    *,
    at: datetime,
) -> datetime | None:
    match option:
        case EndOption.AT_TIME:
            return end_of(contract, end_time, at=at)
        case EndOption.NEVER:
            return None
        case EndOption.PERIOD_END:
            return max(period.end for period in _open_periods(contract, states, at))
        case EndOption.TERM_END:
            if contract.term is None or not contract.term.renews:
                raise NoTerm(contract_id=contract.contract_id)
            return earliest_end(contract.term, contract.start_time, at=at)
        case EndOption.PERIOD_START:
            return _unwanted_from(contract, states, at)
        case _:
            assert_never(option)


def _unwanted_from(contract: Contract, states: Sequence[BillingState], at: datetime) -> datetime:
    start = max(max(period.start for period in _open_periods(contract, states, at)), contract.start_time)
    if at - start > UNWANTED_WITHIN:
        raise PeriodStartedTooLongAgo(period_start=start.isoformat(), now_time=at.isoformat())
    return start


def _open_periods(contract: Contract, states: Sequence[BillingState], at: datetime) -> list[Period]:
    if not states:
        raise NoBillingPeriod(contract_id=contract.contract_id)
    return [current_period(contract, state.subscription, at) for state in states]
