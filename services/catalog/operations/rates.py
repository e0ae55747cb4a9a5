# SPDX-License-Identifier: Apache-2.0
"""AddRates, WithdrawRate, EndRate, CorrectRate, ListRates."""

from collections.abc import Sequence
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.catalog.domain import rate_book
from services.catalog.domain.commands import AddRates, CorrectRate, EndRate, WithdrawRate
from services.catalog.domain.rate import Rate, RateId, check_type_suits
from services.catalog.domain.rate_book import RateBook
from services.catalog.domain.rate_card import (
    RateCard,
    RateChanged,
    RateFilter,
    RatesAdded,
    check_room,
    check_room_for_correction,
    check_terms,
)
from services.catalog.domain.rate_warning import RateWarning, warnings_of
from services.catalog.operations.ports import Relay
from services.catalog.operations.rate_cards import notify
from services.catalog.store import PostgresStore, Transaction


class Rates:
    """Adds and repairs rates. The Ledger receives each change before the response, if it is up.

    A card is locked before its rates are read: two writers must not both use the same gap.
    """

    def __init__(self, *, store: PostgresStore, relay: Relay, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._relay = relay
        self._clock = clock
        self._ids = ids

    async def add(self, command: AddRates) -> RatesAdded:
        """Add prices, all or none.

        Raises RateCardNotFound, RateCardFull, and what check_terms and rate_book.add_rates raise.
        """
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, RatesAdded)) is not None:
                return first
            card = await tx.rate_cards.get(command.rate_card_id, locked=True)
            present = await tx.rates.count(card.rate_card_id)
            check_room(card, present=present, asked=len(command.rates))
            products = await tx.products.share({terms.product_id for terms in command.rates})
            credit_types = await tx.credit_types.known({terms.credit_type_id for terms in command.rates})
            check_terms(card, command.rates, products=products, credit_type_ids=credit_types)
            replaced = {terms.replaces_rate_id for terms in command.rates if terms.replaces_rate_id}
            touched = products.keys() | await tx.rates.products_of(card.rate_card_id, replaced)
            before = rate_book.open_book(await tx.rates.of_products(card.rate_card_id, touched))
            asked = [(RateId(self._ids.new("rat")), terms) for terms in command.rates]
            now = self._clock.now()
            after = rate_book.add_rates(before, asked, at=now)
            card, warnings = await self._save(tx, card, before, after, at=now)
            rates = tuple(after.rates[rate_id] for rate_id, _ in asked)
            added = RatesAdded(rates=rates, rate_card=card, warnings=warnings)
            await tx.responses.store(command, added)
        await self._relay.deliver_now(card.rate_card_id)
        return added

    async def withdraw(self, command: WithdrawRate) -> RateChanged:
        """Withdraw a rate. Repeating it changes nothing. Raises what rate_book.withdraw raises."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, RateChanged)) is not None:
                return first
            card, before = await _card_and_book(tx, command.rate_id)
            now = self._clock.now()
            after = rate_book.withdraw(before, command.rate_id, at=now)
            card, warnings = await self._save(tx, card, before, after, at=now)
            changed = RateChanged(rate=after.rates[command.rate_id], rate_card=card, warnings=warnings)
            await tx.responses.store(command, changed)
        await self._relay.deliver_now(card.rate_card_id)
        return changed

    async def end(self, command: EndRate) -> RateChanged:
        """End a rate. Raises what rate_book.end raises."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, RateChanged)) is not None:
                return first
            card, before = await _card_and_book(tx, command.rate_id)
            now = self._clock.now()
            after = rate_book.end(before, command.rate_id, command.end_time or now, at=now)
            card, warnings = await self._save(tx, card, before, after, at=now)
            changed = RateChanged(rate=after.rates[command.rate_id], rate_card=card, warnings=warnings)
            await tx.responses.store(command, changed)
        await self._relay.deliver_now(card.rate_card_id)
        return changed

    async def correct(self, command: CorrectRate) -> RateChanged:
        """Correct a rate. Raises RateCardFull, RateDoesNotSuitProduct, and what rate_book.correct raises."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, RateChanged)) is not None:
                return first
            card, before = await _card_and_book(tx, command.rate_id)
            check_room_for_correction(card, present=await tx.rates.count(card.rate_card_id))
            product = await tx.products.get(before.rates[command.rate_id].product_id)
            check_type_suits(command.pricing.rate_type, command.pricing.tiers, product)
            correction_id, now = RateId(self._ids.new("rat")), self._clock.now()
            after = rate_book.correct(before, correction_id, command.rate_id, command.pricing, at=now)
            card, warnings = await self._save(tx, card, before, after, at=now)
            changed = RateChanged(rate=after.rates[correction_id], rate_card=card, warnings=warnings)
            await tx.responses.store(command, changed)
        await self._relay.deliver_now(card.rate_card_id)
        return changed

    async def list(self, asked: RateFilter, page: Page) -> Sequence[Rate]:
        """Raises RateCardNotFound."""
        async with self._store.transaction() as tx:
            await tx.rate_cards.get(asked.rate_card_id)
            return await tx.rates.list(asked, page)

    async def _save(
        self, tx: Transaction, card: RateCard, before: RateBook, after: RateBook, *, at: datetime
    ) -> tuple[RateCard, tuple[RateWarning, ...]]:
        """Save what changed. Returns the card at its next version, and what it leaves without a price.

        If nothing changed, the card stays as it is, and there is nothing to warn of.
        """
        if after is before:
            return card, ()
        change = rate_book.difference(before, after)
        await tx.rates.save(card.rate_card_id, change)
        card = await tx.rate_cards.advance(card)
        await notify(tx, card)
        products = await tx.products.share({rate.product_id for rate in after.rates.values()})
        return card, warnings_of(after, change, products.values(), at=at)


async def _card_and_book(tx: Transaction, rate_id: RateId) -> tuple[RateCard, RateBook]:
    """Lock the card of a rate, and read the rates of its product. Raises RateNotFound."""
    card = await tx.rate_cards.get(await tx.rates.card_of(rate_id), locked=True)
    products = await tx.rates.products_of(card.rate_card_id, {rate_id})
    return card, rate_book.open_book(await tx.rates.of_products(card.rate_card_id, products))
