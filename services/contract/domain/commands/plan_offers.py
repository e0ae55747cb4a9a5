# SPDX-License-Identifier: Apache-2.0
"""Commands about plan offers, and about a customer's change to one."""

from dataclasses import dataclass

from meshkit.errors import MeshError
from meshkit.quantity import Money
from services.contract.domain.commands.contracts import SubscriptionTerms
from services.contract.domain.ids import ContractId, PlanOfferId
from services.contract.domain.plan_offer import OfferedTerms, PlanOffer


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePlanOffer:
    """customers: by id or alias; empty: every customer."""

    request_id: str
    fingerprint: bytes
    name: str
    description: str
    terms: OfferedTerms
    customers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlanOffer:
    request_id: str
    fingerprint: bytes
    plan_offer_id: PlanOfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPlanChange:
    """A customer's change to an offered plan. quantities: empty: as many seats as the contract has."""

    contract_id: ContractId
    plan_offer_id: PlanOfferId
    quantities: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOwnPlan:
    request_id: str
    fingerprint: bytes
    plan: OwnPlanChange


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPlanOffer:
    """An offer as a contract sees it. subscriptions: with its seats. refusal None: it can be changed to now.

    unit_prices: of one seat today, by position; empty if refused.
    """

    offer: PlanOffer
    subscriptions: tuple[SubscriptionTerms, ...]
    unit_prices: tuple[Money, ...]
    refusal: MeshError | None
