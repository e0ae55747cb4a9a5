# SPDX-License-Identifier: Apache-2.0
"""CreatePlanOffer, GetPlanOffer, ListPlanOffers, ArchivePlanOffer; and a customer's change to an offered plan."""

from collections.abc import Sequence
from dataclasses import replace

from meshkit.clock import Clock
from meshkit.errors import MeshError, Unavailable
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.commands.plan_changes import (
    ChangedPlan,
    ChangePlan,
    PlanChangeMade,
    PlanTerms,
    PreviewedPlan,
)
from services.contract.domain.commands.plan_offers import (
    ArchivePlanOffer,
    ChangeOwnPlan,
    CreatePlanOffer,
    OwnPlanChange,
    OwnPlanOffer,
)
from services.contract.domain.contract import refuse_not_in_force
from services.contract.domain.errors.contracts import ContractHasTerm, PlanOfferNotFound
from services.contract.domain.ids import ContractId, CustomerId, PlanOfferId
from services.contract.domain.plan_change import refuse_unprorated_plan
from services.contract.domain.plan_offer import PlanOffer
from services.contract.operations.contracts import Contracts, catalog_query
from services.contract.operations.plan_changes import PlanChanges
from services.contract.operations.ports import Catalog
from services.contract.store import PostgresStore


class PlanOffers:
    """Offers plans to customers. The change itself is made by PlanChanges."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        catalog: Catalog,
        contracts: Contracts,
        plan_changes: PlanChanges,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._contracts = contracts
        self._plan_changes = plan_changes
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreatePlanOffer) -> PlanOffer:
        """Offer a plan. Its terms are checked as if a contract with them began now.

        Raises CustomerNotFound, PlanNotProrated, what Contracts.create raises for the terms, PeerUnavailable.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, PlanOffer)) is not None:
            return first
        nobody = CustomerId("")
        terms = command.terms.plan(ContractId(""), command.name, None).contract(nobody, start_time=at)
        offer = await self._catalog.offer(catalog_query(terms))
        begun = self._contracts.new_contract(terms, nobody, offer, at=at)
        if not command.terms.accept_unprorated:
            refuse_unprorated_plan(begun, is_new=True)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, PlanOffer)) is not None:
                return first
            customers = [await tx.customers.find(one) for one in command.customers]
            made = PlanOffer(
                plan_offer_id=PlanOfferId(self._ids.new("pof")),
                name=command.name,
                description=command.description,
                terms=command.terms,
                # An id and an alias may name the same customer.
                customer_ids=tuple(dict.fromkeys(one.customer_id for one in customers)),
                create_time=at,
                archive_time=None,
            )
            await tx.plan_offers.insert(made)
            await tx.responses.store(command, made)
        return made

    async def get(self, plan_offer_id: PlanOfferId) -> PlanOffer:
        """Raises PlanOfferNotFound."""
        async with self._store.transaction() as tx:
            return await tx.plan_offers.find(plan_offer_id)

    async def list(self, page: Page, *, with_archived: bool) -> Sequence[PlanOffer]:
        """Return a page in order of creation, and one more if there is one."""
        async with self._store.transaction() as tx:
            return await tx.plan_offers.listed(page, with_archived=with_archived)

    async def archive(self, command: ArchivePlanOffer) -> PlanOffer:
        """Close an offer; an archived one stays as it is. Raises PlanOfferNotFound."""
        at = self._clock.now()
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, PlanOffer)) is not None:
                return first
            archived = await tx.plan_offers.archive(command.plan_offer_id, at=at)
            await tx.responses.store(command, archived)
        return archived

    async def list_own(self, contract_id: ContractId, page: Page) -> Sequence[OwnPlanOffer]:
        """Return a page of what is offered to a contract, and one more if there is one.

        Raises ContractNotFound, ContractEnded, ContractNotStarted, ContractHasTerm, PeerUnavailable.
        """
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(contract_id)
            refuse_not_in_force(contract, at=self._clock.now())
            if contract.term is not None:
                raise ContractHasTerm(contract_id=contract_id)
            offers = await tx.plan_offers.open_to(contract.customer_id, page)
        return [await self._own(contract_id, one) for one in offers]

    async def preview_own(self, change: OwnPlanChange) -> PreviewedPlan:
        """Return what `change_own` would do now, without doing it. Raises the same errors."""
        return await self._plan_changes.preview(await self._plan(change))

    async def change_own(self, command: ChangeOwnPlan) -> ChangedPlan:
        """Change a contract to an offered plan. A repeated request returns the change as it is now.

        Raises ContractNotFound, PlanOfferNotFound, ContractHasTerm, SeatsByVendor and what PlanChanges.change raises.
        """
        # An offer that was archived in the meantime does not matter to a repeated request.
        if (first := await self._store.find_response(command, PlanChangeMade)) is not None:
            return await self._plan_changes.made(first)
        plan = await self._plan(command.plan)
        change = ChangePlan(request_id=command.request_id, fingerprint=command.fingerprint, plan=plan)
        return await self._plan_changes.change(change)

    async def _plan(self, change: OwnPlanChange) -> PlanTerms:
        async with self._store.transaction() as tx:
            customer_id = await tx.contracts.customer_of(change.contract_id)
            offer = await tx.plan_offers.find(change.plan_offer_id)
        if not offer.is_open_to(customer_id):
            raise PlanOfferNotFound(plan_offer_id=change.plan_offer_id)
        return offer.plan(change.contract_id, change.quantities)

    async def _own(self, contract_id: ContractId, offer: PlanOffer) -> OwnPlanOffer:
        """Return an offer as a contract sees it: with its seats and prices, or why it cannot be changed to."""
        try:
            begun = await self._plan_changes.would_begin(offer.plan(contract_id, ()))
        except Unavailable:
            raise
        except MeshError as refusal:
            return OwnPlanOffer(
                offer=offer, subscriptions=offer.terms.subscriptions, unit_prices=(), refusal=refusal
            )
        seats = zip(offer.terms.subscriptions, begun.contract.subscriptions, strict=True)
        return OwnPlanOffer(
            offer=offer,
            subscriptions=tuple(
                replace(terms, initial_quantity=one.initial_quantity) for terms, one in seats
            ),
            unit_prices=tuple(one.unit_price for one in begun.subscriptions),
            refusal=None,
        )
