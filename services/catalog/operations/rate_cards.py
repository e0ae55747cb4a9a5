# SPDX-License-Identifier: Apache-2.0
"""CreateRateCard, GetRateCard, ListRateCards, AddRates, ListRates."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.catalog.domain.commands import AddRates, CreateRateCard
from services.catalog.domain.errors import CreditTypeNotFound
from services.catalog.domain.notices import RateCardChanged
from services.catalog.domain.rate import Rate, RateId
from services.catalog.domain.rate_card import (
    RateCard,
    RateCardId,
    RateFilter,
    RatesAdded,
    add_rates,
    check_room,
    check_size,
    check_terms,
)
from services.catalog.operations.ports import Relay
from services.catalog.store import PostgresStore, Transaction


class RateCards:
    """Creates rate cards and adds rates. The Ledger receives each change before the response, if it is up."""

    def __init__(self, *, store: PostgresStore, relay: Relay, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._relay = relay
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateRateCard) -> RateCard:
        """Create a rate card. Raises CreditTypeNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, RateCard)) is not None:
                return first
            asked = [conversion.credit_type_id for conversion in command.conversions]
            known = await tx.credit_types.known(asked)
            for credit_type_id in asked:
                if credit_type_id not in known:
                    raise CreditTypeNotFound(credit_type_id=credit_type_id)
            card = RateCard(
                rate_card_id=RateCardId(self._ids.new("rcd")),
                name=command.name,
                fiat_credit_type_id=command.fiat_credit_type_id,
                conversions=tuple(sorted(command.conversions, key=lambda one: one.credit_type_id)),
                version=1,
                create_time=self._clock.now(),
            )
            await tx.rate_cards.insert(card)
            await _notify(tx, card)
            await tx.responses.store(command, card)
        await self._relay.deliver_now(card.rate_card_id)
        return card

    async def get(self, rate_card_id: RateCardId) -> RateCard:
        """Raises RateCardNotFound."""
        async with self._store.transaction() as tx:
            return await tx.rate_cards.get(rate_card_id)

    async def list(self, page: Page) -> Sequence[RateCard]:
        async with self._store.transaction() as tx:
            return await tx.rate_cards.list(page)

    async def add_rates(self, command: AddRates) -> RatesAdded:
        """Add prices, all or none. Raises RateCardNotFound, RateCardFull, RateOverlaps, and what check_terms raises."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, RatesAdded)) is not None:
                return first
            # Locked before its rates are read: two writers must not both use the same gap.
            card = await tx.rate_cards.get(command.rate_card_id, locked=True)
            present = await tx.rates.count(card.rate_card_id)
            check_room(card, present=present, asked=len(command.rates))
            products = await tx.products.share({terms.product_id for terms in command.rates})
            credit_types = await tx.credit_types.known({terms.credit_type_id for terms in command.rates})
            check_terms(card, command.rates, products=products, credit_type_ids=credit_types)
            new = add_rates(
                await tx.rates.of_products(card.rate_card_id, products.keys()),
                [(RateId(self._ids.new("rat")), terms) for terms in command.rates],
                at=self._clock.now(),
            )
            for before, after in new.ended:
                await tx.rates.change(before, after)
            await tx.rates.insert(card.rate_card_id, new.added)
            card = await tx.rate_cards.advance(card)
            await _notify(tx, card)
            added = RatesAdded(rates=new.added, rate_card=card)
            await tx.responses.store(command, added)
        await self._relay.deliver_now(card.rate_card_id)
        return added

    async def list_rates(self, asked: RateFilter, page: Page) -> Sequence[Rate]:
        """Raises RateCardNotFound."""
        async with self._store.transaction() as tx:
            await tx.rate_cards.get(asked.rate_card_id)
            return await tx.rates.list(asked, page)


async def _notify(tx: Transaction, card: RateCard) -> None:
    usage = await tx.rates.of_usage(card.rate_card_id)
    check_size(card, usage)
    changed = RateCardChanged(rate_card_id=card.rate_card_id, version=card.version, rates=tuple(usage))
    await tx.outbox.enqueue(changed, key=card.rate_card_id)
