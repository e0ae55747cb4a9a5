# SPDX-License-Identifier: Apache-2.0
"""Commands about changes of plan."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits, Money
from services.contract.domain.commands.contracts import CreateContract, GrantScheduleTerms, SubscriptionTerms
from services.contract.domain.contract import (
    Contract,
    ContractNow,
    MoneyBack,
)
from services.contract.domain.ids import (
    ContractId,
    CustomerId,
    PlanChangeId,
    RateCardId,
)
from services.contract.domain.invoice import Invoice, InvoiceLine
from services.contract.domain.overage import OverageTerms
from services.contract.domain.plan_change import IncludedCredits, PlanChange, UnusedShare


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTerms:
    """What stays as it is when a customer changes the plan: the end, the seat ids, and the seats.

    quantities: the seats by position of subscription; empty: as many as the contract has when it is changed.
    """

    quantities: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """A change of plan from `contract_id` to the contract that these terms describe.

    kept None: the vendor changes it, and everything is as these terms say.
    """

    contract_id: ContractId
    name: str
    rate_card_id: RateCardId
    end_time: datetime | None
    subscriptions: tuple[SubscriptionTerms, ...]
    grant_schedules: tuple[GrantScheduleTerms, ...]
    included_credits: IncludedCredits
    money_back: MoneyBack
    accept_unprorated: bool
    overage: tuple[OverageTerms, ...] = ()
    kept: KeptTerms | None = None

    def contract(self, customer_id: CustomerId, *, start_time: datetime) -> CreateContract:
        """Return the terms of the new contract. Its id is that of no request."""
        return CreateContract(
            request_id="",
            fingerprint=b"",
            customer=customer_id,
            name=self.name,
            rate_card_id=self.rate_card_id,
            start_time=start_time,
            end_time=self.end_time,
            subscriptions=self.subscriptions,
            grant_schedules=self.grant_schedules,
            overage=self.overage,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlan:
    request_id: str
    fingerprint: bytes
    plan: PlanTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChangeMade:
    """The stored response to ChangePlan: a repeated request gets the change as it is then."""

    plan_change_id: PlanChangeId


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAnswer:
    """The Ledger's answer to a change of plan."""

    unused: tuple[UnusedShare, ...]
    apply_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPreview:
    """What the Ledger would do at a change of plan. granted: at once, by schedule of the new contract."""

    unused: tuple[UnusedShare, ...]
    granted: tuple[Credits, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedPlan:
    """What a change of plan would charge, give back and grant. off_due: taken off unpaid invoices by credit notes."""

    change: PlanChange
    begun: Contract
    lines: tuple[InvoiceLine, ...]
    total: Money
    off_due: Money
    granted: tuple[Credits, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPlan:
    """A change of plan, the contract that it began, and that contract's first invoice, if one was due at its start."""

    change: PlanChange
    contract: ContractNow
    invoice: Invoice | None
