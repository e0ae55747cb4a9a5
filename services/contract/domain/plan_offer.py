# SPDX-License-Identifier: Apache-2.0
"""Plan offers: plans to which customers may change their contracts themselves.

Source: services/contract/README.md, "Plan offers".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from meshkit.errors import FieldViolation, InvalidFields
from services.contract.domain.commands.contracts import GrantScheduleTerms, SubscriptionTerms
from services.contract.domain.commands.plan_changes import KeptTerms, PlanTerms
from services.contract.domain.contract import Contract, MoneyBack, Subscription
from services.contract.domain.errors.contracts import ContractHasTerm
from services.contract.domain.errors.seats import SeatsByVendor
from services.contract.domain.ids import (
    ContractId,
    CustomerId,
    PlanOfferId,
    RateCardId,
    SeatId,
    SubscriptionId,
)
from services.contract.domain.overage import OverageTerms
from services.contract.domain.plan_change import IncludedCredits
from services.contract.domain.seats.naming import SEAT_IDS_PER_CHANGE_MAX

CUSTOMERS_MAX: Final = 100
DESCRIPTION_LENGTH_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTerms:
    """The terms of a plan that is offered: those of a change of plan without seat ids and dates."""

    rate_card_id: RateCardId
    subscriptions: tuple[SubscriptionTerms, ...]
    grant_schedules: tuple[GrantScheduleTerms, ...]
    included_credits: IncludedCredits
    money_back: MoneyBack
    accept_unprorated: bool
    overage: tuple[OverageTerms, ...]

    def plan(self, contract_id: ContractId, name: str, kept: KeptTerms | None) -> PlanTerms:
        """Return the change of a contract to this plan."""
        return PlanTerms(
            contract_id=contract_id,
            name=name,
            rate_card_id=self.rate_card_id,
            end_time=None,
            subscriptions=self.subscriptions,
            grant_schedules=self.grant_schedules,
            included_credits=self.included_credits,
            money_back=self.money_back,
            accept_unprorated=self.accept_unprorated,
            overage=self.overage,
            kept=kept,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOffer:
    """customer_ids: who sees it; empty: every customer. archive_time None: customers may change to it."""

    plan_offer_id: PlanOfferId
    name: str
    description: str
    terms: OfferedTerms
    customer_ids: tuple[CustomerId, ...]
    create_time: datetime
    archive_time: datetime | None

    def is_open_to(self, customer_id: CustomerId) -> bool:
        return self.archive_time is None and (not self.customer_ids or customer_id in self.customer_ids)

    def plan(self, contract_id: ContractId, quantities: tuple[int, ...]) -> PlanTerms:
        """Return a customer's change of a contract to this plan. quantities: empty: those that the contract has.

        Raises InvalidFields if their number is not that of the subscriptions.
        """
        wanted = len(self.terms.subscriptions)
        if quantities and len(quantities) != wanted:
            problem = f"must have {wanted} elements, one for each subscription of the offer, or none"
            raise InvalidFields([FieldViolation("quantities", problem)])
        return self.terms.plan(contract_id, self.name, KeptTerms(quantities=quantities))


def with_kept_terms(
    plan: PlanTerms,
    kept: KeptTerms,
    old: Contract,
    quantities: Mapping[SubscriptionId, int],
    seat_ids: Mapping[SubscriptionId, Sequence[SeatId]],
) -> PlanTerms:
    """Return a customer's change of plan with the end, the seats and the seat ids of the contract that it ends.

    quantities, seat_ids: in force now, by subscription. Raises ContractHasTerm, SeatsByVendor.
    """
    if old.term is not None:
        raise ContractHasTerm(contract_id=old.contract_id)
    subscriptions = []
    for position, terms in enumerate(plan.subscriptions):
        before = old.subscriptions[position] if position < len(old.subscriptions) else None
        quantity = terms.initial_quantity if before is None else quantities[before.subscription_id]
        if kept.quantities:
            quantity = kept.quantities[position]
        named: tuple[SeatId, ...] = ()
        if before is not None and _has_same_names(before, terms):
            named = tuple(seat_ids[before.subscription_id])
        if len(named) > SEAT_IDS_PER_CHANGE_MAX:
            raise SeatsByVendor(contract_id=old.contract_id, seat_ids_max=str(SEAT_IDS_PER_CHANGE_MAX))
        subscriptions.append(replace(terms, initial_quantity=quantity, initial_seat_ids=named))
    return replace(plan, end_time=old.end_time, subscriptions=tuple(subscriptions))


def _has_same_names(before: Subscription, after: SubscriptionTerms) -> bool:
    """Return whether the seats of both are named by the same property of usage."""
    return (
        before.named is not None
        and after.named is not None
        and before.named.seat_group_key == after.named.seat_group_key
    )
