# SPDX-License-Identifier: Apache-2.0
"""Overage: whether usage goes on when a contract's credits run out, and how much of it a usage period may have.

Source: services/contract/README.md, "Overage".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from meshkit.quantity import INT64_MAX, MICROS, Credits, Money
from services.contract.domain.errors.catalog import ConversionMissing, CurrencyDiffers
from services.contract.domain.ids import CreditTypeId, RateCardId

LIMITS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OverageTerms:
    """Overage in one credit type, as it is agreed. The caps are per usage period; None: there is none."""

    credit_type_id: CreditTypeId
    cap: Credits | None
    fiat_cap: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverageLimit:
    """Overage in one credit type, at the price of the rate card. fiat_per_credit_micros: money for one credit."""

    credit_type_id: CreditTypeId
    cap: Credits | None
    fiat_cap: Money | None
    fiat_per_credit_micros: int

    @property
    def credits_cap(self) -> Credits | None:
        """The lower one of both caps, in credits. What a cap in money buys is rounded down to the micro."""
        caps = [] if self.cap is None else [self.cap.micros]
        if self.fiat_cap is not None:
            caps.append(self.fiat_cap.micros * MICROS // self.fiat_per_credit_micros)
        return Credits(min(*caps, INT64_MAX)) if caps else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardMoney:
    """The currency of a rate card, and what one credit of each type is worth in it, in micros. Neither ever changes."""

    currency_code: str
    per_credit_micros: Mapping[CreditTypeId, int]


def limits_at(
    terms: Iterable[OverageTerms], money: CardMoney, rate_card_id: RateCardId
) -> tuple[OverageLimit, ...]:
    """Return what was agreed, at a rate card's prices. Raises ConversionMissing, CurrencyDiffers."""
    limits = []
    for one in terms:
        price = money.per_credit_micros.get(one.credit_type_id)
        if price is None:
            raise ConversionMissing(rate_card_id=rate_card_id, credit_type_id=one.credit_type_id)
        if one.fiat_cap is not None and one.fiat_cap.currency_code != money.currency_code:
            raise CurrencyDiffers(currency_code=one.fiat_cap.currency_code, expected=money.currency_code)
        limit = OverageLimit(
            credit_type_id=one.credit_type_id,
            cap=one.cap,
            fiat_cap=one.fiat_cap,
            fiat_per_credit_micros=price,
        )
        limits.append(limit)
    return tuple(limits)
