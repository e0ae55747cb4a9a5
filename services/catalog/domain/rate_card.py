# SPDX-License-Identifier: Apache-2.0
"""Rate cards: the price books. Rates are added together or not at all; that is decided here."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from meshkit.currency import is_currency
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.errors import (
    ConversionMissing,
    CreditTypeNotFound,
    CurrencyDiffers,
    ProductArchived,
    ProductNotFound,
    RateCardFull,
)
from services.catalog.domain.product import Product, ProductId
from services.catalog.domain.rate import Rate, RateTerms, check_suits
from services.catalog.domain.rate_warning import RateWarning

RateCardId = NewType("RateCardId", str)

CONVERSIONS_MAX = 100
RATES_PER_REQUEST_MAX = 500
RATES_PER_CARD_MAX = 10_000
CORRECTIONS_PER_CARD_MAX = 1_000  # in addition to the rates of a full card, whose prices may be wrong too
RATES_BYTES_MAX = (
    4_000_000  # all usage rates of a card go to the Ledger in one message; gRPC accepts 4,194,304 bytes
)

# Upper bounds of one rate's, tier's and dimension value's size in that message.
_RATE_BYTES = 240
_TIER_BYTES = 32
_VALUE_BYTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditConversion:
    """The value of one credit in micros of the card's currency when it is billed as money; > 0."""

    credit_type_id: CreditTypeId
    fiat_per_credit_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCard:
    """A price book without its rates. `version` grows by one with every change."""

    rate_card_id: RateCardId
    name: str
    fiat_credit_type_id: CreditTypeId
    conversions: tuple[CreditConversion, ...]
    version: int
    create_time: datetime

    def converts(self, credit_type_id: CreditTypeId) -> bool:
        """Return whether prices in the credit type can be billed as money on this card."""
        return credit_type_id == self.fiat_credit_type_id or any(
            conversion.credit_type_id == credit_type_id for conversion in self.conversions
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateFilter:
    """A filter for the rates of a card. None: all."""

    rate_card_id: RateCardId
    as_of_time: datetime | None
    product_id: ProductId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesAdded:
    """The result of AddRates: the rates in the requested order, and the card at its new version."""

    rates: tuple[Rate, ...]
    rate_card: RateCard
    warnings: tuple[RateWarning, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChanged:
    """The result of WithdrawRate, EndRate and CorrectRate: the rate as it is now, and the card at its version."""

    rate: Rate
    rate_card: RateCard
    warnings: tuple[RateWarning, ...] = ()


def check_room(card: RateCard, *, present: int, asked: int) -> None:
    """Raise RateCardFull if a card with `present` rates has no room for the `asked` number."""
    if present + asked > RATES_PER_CARD_MAX:
        raise _full(card)


def check_room_for_correction(card: RateCard, *, present: int) -> None:
    """Raise RateCardFull if a card with `present` rates has no room for a correction."""
    if present >= RATES_PER_CARD_MAX + CORRECTIONS_PER_CARD_MAX:
        raise _full(card)


def check_size(card: RateCard, usage_rates: Iterable[Rate]) -> None:
    """Raise RateCardFull if the usage rates of the card may not fit into one message to the Ledger."""
    if sum(bytes_max(rate) for rate in usage_rates) > RATES_BYTES_MAX:
        raise _full(card)


def bytes_max(rate: Rate) -> int:
    """Return an upper bound of a usage rate's size in the message to the Ledger."""
    values = (_VALUE_BYTES + len(key.encode()) + len(value.encode()) for key, value in rate.dimension_values)
    return _RATE_BYTES + _TIER_BYTES * len(rate.tiers) + sum(values)


def check_terms(
    card: RateCard,
    asked: Sequence[RateTerms],
    *,
    products: Mapping[ProductId, Product],
    credit_type_ids: AbstractSet[CreditTypeId],
) -> None:
    """Raise unless every requested rate prices a product on sale, in a way that this card can bill.

    products, credit_type_ids: the existing ones that `asked` refers to. Raises, in this precedence,
    ProductNotFound, CurrencyDiffers, CreditTypeNotFound; then per rate ProductArchived, what check_suits raises,
    ConversionMissing.
    """
    for terms in asked:
        if terms.product_id not in products:
            raise ProductNotFound(product_id=terms.product_id)
        if is_currency(terms.credit_type_id) and terms.credit_type_id != card.fiat_credit_type_id:
            raise CurrencyDiffers(
                rate_card_id=card.rate_card_id,
                currency_code=terms.credit_type_id,
                expected=card.fiat_credit_type_id,
            )
        if terms.credit_type_id not in credit_type_ids:
            raise CreditTypeNotFound(credit_type_id=terms.credit_type_id)
    for terms in asked:
        product = products[terms.product_id]
        if product.archive_time is not None:
            raise ProductArchived(product_id=product.product_id)
        check_suits(terms, product)
        if not card.converts(terms.credit_type_id):
            raise ConversionMissing(rate_card_id=card.rate_card_id, credit_type_id=terms.credit_type_id)


def _full(card: RateCard) -> RateCardFull:
    return RateCardFull(
        rate_card_id=card.rate_card_id, rates_max=str(RATES_PER_CARD_MAX), bytes_max=str(RATES_BYTES_MAX)
    )
