# SPDX-License-Identifier: Apache-2.0
"""CreateRateCard, GetRateCard, ListRateCards, ResendRateCard."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.catalog.domain.commands import CreateRateCard, ResendRateCard
from services.catalog.domain.errors import CreditTypeNotFound
from services.catalog.domain.notices import RateCardChanged
from services.catalog.domain.rate_card import RateCard, RateCardId, check_size
from services.catalog.operations.ports import Relay
from services.catalog.store import PostgresStore, Transaction


class RateCards:
    """Creates rate cards. The Ledger receives each one before the response, if it is up."""

    def __init__(self, *, store: PostgresStore, relay: Relay, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._relay = relay
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateRateCard) -> RateCard:
        """Create a rate card, and the credit type of its currency. Raises CreditTypeNotFound, CreditTypeNameTaken."""
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
            await tx.credit_types.ensure_currency(card.fiat_credit_type_id, at=card.create_time)
            await tx.rate_cards.insert(card)
            await notify(tx, card)
            await tx.responses.store(command, card)
        await self._relay.deliver_now(card.rate_card_id)
        return card

    async def get(self, rate_card_id: RateCardId) -> RateCard:
        """Raises RateCardNotFound."""
        async with self._store.transaction() as tx:
            return await tx.rate_cards.get(rate_card_id)

    async def resend(self, command: ResendRateCard) -> RateCard:
        """Send a card with its usage rates to the Ledger again, under a new version. Raises RateCardNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, RateCard)) is not None:
                return first
            card = await tx.rate_cards.advance(await tx.rate_cards.get(command.rate_card_id, locked=True))
            await notify(tx, card)
            await tx.responses.store(command, card)
        await self._relay.deliver_now(card.rate_card_id)
        return card

    async def list(self, page: Page) -> Sequence[RateCard]:
        async with self._store.transaction() as tx:
            return await tx.rate_cards.list(page)


async def notify(tx: Transaction, card: RateCard) -> None:
    """Enqueue the card with its usage rates for the Ledger. Raises RateCardFull if they exceed one message."""
    usage = await tx.rates.of_usage(card.rate_card_id)
    check_size(card, usage)
    changed = RateCardChanged(rate_card_id=card.rate_card_id, version=card.version, rates=tuple(usage))
    await tx.outbox.enqueue(changed, key=card.rate_card_id)
