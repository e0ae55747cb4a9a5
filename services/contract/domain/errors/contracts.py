# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a contract, its terms, its plan or its grant schedules."""

from meshkit.errors import (
    FailedPrecondition,
    Invalid,
    NotFound,
)


class ContractNotFound(NotFound):
    """No contract has the id."""

    reason = "CONTRACT_NOT_FOUND"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} does not exist; ListContracts lists all", contract_id=contract_id
        )


class TermNotOver(FailedPrecondition):
    """The contract would end before its term, or without the notice that was agreed."""

    reason = "TERM_NOT_OVER"

    def __init__(self, *, end_time: str, earliest_end_time: str) -> None:
        super().__init__(
            f"the contract can end at {earliest_end_time} at the earliest, by its term and notice period, and not at"
            f" {end_time}; END_OPTION_TERM_END ends it then, ignores_term ends it anyway",
            end_time=end_time,
            earliest_end_time=earliest_end_time,
        )


class NoTerm(FailedPrecondition):
    """The contract has no term that renews, so there is no end of it to wait for."""

    reason = "NO_TERM"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no term that renews; END_OPTION_PERIOD_END or an end_time ends it",
            contract_id=contract_id,
        )


class PlanChangeNotFound(NotFound):
    """No change of plan has the id."""

    reason = "PLAN_CHANGE_NOT_FOUND"

    def __init__(self, *, plan_change_id: str) -> None:
        super().__init__(
            f"change of plan {plan_change_id!r} does not exist; ListPlanChanges lists a contract's",
            plan_change_id=plan_change_id,
        )


class PlanUnchanged(FailedPrecondition):
    """The new plan has the terms and seats of the old one."""

    reason = "PLAN_UNCHANGED"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has these terms and seats already; nothing was changed",
            contract_id=contract_id,
        )


class PlanNotProrated(FailedPrecondition):
    """A plan's credits are not prorated like its money, or are granted for longer than a billing period."""

    reason = "PLAN_NOT_PRORATED"

    def __init__(self, *, grant_schedule: str) -> None:
        super().__init__(
            f"{grant_schedule} is not prorated like its seats, or grants for longer than they are billed; changing such"
            " plans back and forth can bring more credits than were paid for: set accept_unprorated to allow it",
            grant_schedule=grant_schedule,
        )


class PlanOfferNotFound(NotFound):
    """No offer of a plan has the id, or it is not open to the customer."""

    reason = "PLAN_OFFER_NOT_FOUND"

    def __init__(self, *, plan_offer_id: str) -> None:
        super().__init__(
            f"plan offer {plan_offer_id!r} does not exist or is not open any more; list the offers again",
            plan_offer_id=plan_offer_id,
        )


class ContractHasTerm(FailedPrecondition):
    """The contract is signed for a term, so that only the vendor can change its plan."""

    reason = "CONTRACT_HAS_TERM"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} is signed for a term, so the vendor changes its plan; ask them",
            contract_id=contract_id,
        )


class SubscriptionNotFound(NotFound):
    """The contract has no such subscription."""

    reason = "SUBSCRIPTION_NOT_FOUND"

    def __init__(self, *, contract_id: str, subscription_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no subscription {subscription_id!r}; GetContract lists them",
            contract_id=contract_id,
            subscription_id=subscription_id,
        )


class ContractEnded(FailedPrecondition):
    """The contract has ended."""

    reason = "CONTRACT_ENDED"

    def __init__(self, *, contract_id: str, end_time: str) -> None:
        super().__init__(
            f"contract {contract_id!r} ended at {end_time}; sign a new one",
            contract_id=contract_id,
            end_time=end_time,
        )


class ContractNotStarted(FailedPrecondition):
    """The contract is not in force yet."""

    reason = "CONTRACT_NOT_STARTED"

    def __init__(self, *, contract_id: str, start_time: str) -> None:
        super().__init__(
            f"contract {contract_id!r} starts at {start_time}; order from then on",
            contract_id=contract_id,
            start_time=start_time,
        )


class GrantScheduleNotFound(NotFound):
    """The contract has no such grant schedule."""

    reason = "GRANT_SCHEDULE_NOT_FOUND"

    def __init__(self, *, contract_id: str, grant_schedule_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no grant schedule {grant_schedule_id!r}; GetContract lists them",
            contract_id=contract_id,
            grant_schedule_id=grant_schedule_id,
        )


class GrantScheduleEnded(FailedPrecondition):
    """The grant schedule has ended."""

    reason = "GRANT_SCHEDULE_ENDED"

    def __init__(self, *, grant_schedule_id: str, end_time: str) -> None:
        super().__init__(
            f"grant schedule {grant_schedule_id!r} ended at {end_time}; what has ended stays as it is",
            grant_schedule_id=grant_schedule_id,
            end_time=end_time,
        )


class EditBeforeNow(FailedPrecondition):
    """A grant schedule cannot be edited for periods that have begun."""

    reason = "EDIT_BEFORE_NOW"

    def __init__(self, *, effective_time: str, now_time: str) -> None:
        super().__init__(
            f"effective_time {effective_time} is before now ({now_time}); grants that have begun keep their terms",
            effective_time=effective_time,
            now_time=now_time,
        )


class TooManyEditions(FailedPrecondition):
    """The grant schedule was edited too often."""

    reason = "TOO_MANY_EDITIONS"

    def __init__(self, *, grant_schedule_id: str, editions_max: int) -> None:
        super().__init__(
            f"grant schedule {grant_schedule_id!r} has {editions_max} editions; end it, and sign another",
            grant_schedule_id=grant_schedule_id,
            editions_max=str(editions_max),
        )


class EndBeforeNow(FailedPrecondition):
    """Neither a contract nor a grant schedule nor a new plan can end in the past."""

    reason = "END_BEFORE_NOW"

    def __init__(self, *, end_time: str, now_time: str) -> None:
        super().__init__(
            f"end_time {end_time} is not later than now ({now_time}); choose a later one, or leave it out",
            end_time=end_time,
            now_time=now_time,
        )


class AnchorAfterStart(Invalid):
    """Billing periods are counted from an instant at or before the contract's start."""

    reason = "ANCHOR_AFTER_START"

    def __init__(self, *, field: str, anchor_time: str, start_time: str) -> None:
        super().__init__(
            f"{field} {anchor_time} is after the contract's start at {start_time}; use anchor_day to fix only the day",
            field=field,
            anchor_time=anchor_time,
            start_time=start_time,
        )


class NoBillingPeriod(FailedPrecondition):
    """A contract without seats has no billing period to end with."""

    reason = "NO_BILLING_PERIOD"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no seats and so no billing period; name an end_time",
            contract_id=contract_id,
        )


class PeriodStartedTooLongAgo(FailedPrecondition):
    """Only within 24 h of its start is a billing period not wanted."""

    reason = "PERIOD_STARTED_TOO_LONG_AGO"

    def __init__(self, *, period_start: str, now_time: str) -> None:
        super().__init__(
            f"the open billing period started at {period_start}, more than 24 h before now ({now_time});"
            " leave end_option out to end the contract now",
            period_start=period_start,
            now_time=now_time,
        )


class OutsideOpenPeriod(FailedPrecondition):
    """Seats cannot change before the start of the open billing period."""

    reason = "OUTSIDE_OPEN_PERIOD"

    def __init__(self, *, effective_time: str, open_from_time: str) -> None:
        super().__init__(
            f"effective_time {effective_time} is before the open billing period, which starts at {open_from_time}",
            effective_time=effective_time,
            open_from_time=open_from_time,
        )


class EffectiveAfterContractEnd(FailedPrecondition):
    """The change would never take effect."""

    reason = "EFFECTIVE_AFTER_CONTRACT_END"

    def __init__(self, *, effective_time: str, end_time: str) -> None:
        super().__init__(
            f"effective_time {effective_time} is not before the contract's end at {end_time}",
            effective_time=effective_time,
            end_time=end_time,
        )


class PlanChangePending(FailedPrecondition):
    """The invoice is issued when the Ledger has said what comes back of the old plan."""

    reason = "PLAN_CHANGE_PENDING"

    def __init__(self, *, invoice_id: str, plan_change_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} waits for what the Ledger says of change of plan {plan_change_id!r};"
            " it is issued then",
            invoice_id=invoice_id,
            plan_change_id=plan_change_id,
        )
