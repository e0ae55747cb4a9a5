# SPDX-License-Identifier: Apache-2.0
"""The Catalog, read when something is written."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final

import grpc.aio

from meshkit.currency import is_currency
from meshkit.errors import Invalid, NotFound
from meshkit.quantity import MICROS, Credits, Money, Ratio
from purser.catalog.v1 import catalog_pb2, catalog_pb2_grpc
from services.contract.domain.billing.price import SeatRate
from services.contract.domain.billing.tiers import SeatPrice, SeatTier, TieredSeatRate, TierPricing
from services.contract.domain.contract import BillingFrequency
from services.contract.domain.errors.catalog import (
    CreditTypeNotFound,
    ProductNotFound,
    RateCardNotFound,
    TopUpPackNotFound,
)
from services.contract.domain.ids import CreditTypeId, ProductId, RateCardId, TopUpPackId
from services.contract.domain.offer import NO_MONEY, CatalogQuery, Offer, OfferedProduct, ProductType
from services.contract.domain.overage import CardMoney
from services.contract.domain.top_up import TopUpPack, TopUpTerms
from services.contract.peers.calls import calling, instant, some_at_once

PAGE_SIZE = 500
PAGES_MAX = 1_000
_PRODUCT_TYPES: Final = {
    catalog_pb2.PRODUCT_TYPE_SUBSCRIPTION: ProductType.SUBSCRIPTION,
    catalog_pb2.PRODUCT_TYPE_USAGE: ProductType.USAGE,
    catalog_pb2.PRODUCT_TYPE_FIXED: ProductType.FIXED,
}
_BILLING_FREQUENCIES: Final = {
    catalog_pb2.BILLING_FREQUENCY_WEEKLY: BillingFrequency.WEEKLY,
    catalog_pb2.BILLING_FREQUENCY_MONTHLY: BillingFrequency.MONTHLY,
    catalog_pb2.BILLING_FREQUENCY_QUARTERLY: BillingFrequency.QUARTERLY,
    catalog_pb2.BILLING_FREQUENCY_ANNUAL: BillingFrequency.ANNUAL,
}
_TIER_PRICINGS: Final[Mapping[int, TierPricing]] = {
    catalog_pb2.RATE_TYPE_GRADUATED: TierPricing.GRADUATED,
    catalog_pb2.RATE_TYPE_VOLUME: TierPricing.VOLUME,
}


class CatalogPeer:
    """Reads the Catalog. Raises PeerUnavailable if it is down."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = catalog_pb2_grpc.CatalogServiceStub(channel)

    async def offer(self, query: CatalogQuery) -> Offer:
        """Read everything in the query, several calls at a time.

        Raises RateCardNotFound, ProductNotFound, CreditTypeNotFound.
        """
        money = NO_MONEY
        if query.rate_card_id is not None:
            money = await self.card_money(query.rate_card_id)
        product_ids = sorted(query.product_ids)
        products = await some_at_once([self._product(one) for one in product_ids])
        await self._check_credit_types(query.credit_type_ids)
        rates: dict[tuple[ProductId, BillingFrequency], tuple[SeatPrice, ...]] = {}
        if query.rate_card_id is not None:
            priced = sorted(query.priced)
            found = await some_at_once([self.rates(query.rate_card_id, one) for one in priced])
            for product_id, by_frequency in zip(priced, found, strict=True):
                rates |= {(product_id, frequency): its for frequency, its in by_frequency.items()}
        return Offer(products={one.product_id: one for one in products}, rates=rates, money=money)

    async def rates(
        self, rate_card_id: RateCardId, product_id: ProductId
    ) -> Mapping[BillingFrequency, tuple[SeatPrice, ...]]:
        """Read all past, present and future prices of a seat that apply; none if the Catalog does not know the card."""
        found: defaultdict[BillingFrequency, list[SeatPrice]] = defaultdict(list)
        page_token = ""
        for _ in range(PAGES_MAX):
            request = catalog_pb2.ListRatesRequest(
                rate_card_id=rate_card_id, product_id=product_id, page_size=PAGE_SIZE, page_token=page_token
            )
            try:
                async with calling("catalog"):
                    page = await self._stub.ListRates(request)
            except (NotFound, Invalid):
                return {}
            for rate in filter(_applies, page.rates):
                frequency = _BILLING_FREQUENCIES.get(rate.billing_frequency)
                if frequency is not None and is_currency(rate.credit_type_id):
                    found[frequency].append(_rate_from_wire(rate))
            page_token = page.next_page_token
            if not page_token:
                break
        return {frequency: tuple(rates) for frequency, rates in found.items()}

    async def packs(self) -> Sequence[TopUpPack]:
        """Read all packs, in order of creation."""
        found: list[TopUpPack] = []
        page_token = ""
        for _ in range(PAGES_MAX):
            request = catalog_pb2.ListTopUpPacksRequest(page_size=PAGE_SIZE, page_token=page_token)
            async with calling("catalog"):
                page = await self._stub.ListTopUpPacks(request)
            for pack in page.top_up_packs:
                pack_id = TopUpPackId(pack.top_up_pack_id)
                found.append(TopUpPack(top_up_pack_id=pack_id, name=pack.name, terms=_terms_from_wire(pack)))
            page_token = page.next_page_token
            if not page_token:
                break
        return found

    async def pack_terms(self, top_up_pack_id: TopUpPackId) -> TopUpTerms:
        """Read the credits and the price of a pack. Raises TopUpPackNotFound."""
        try:
            async with calling("catalog"):
                answer = await self._stub.GetTopUpPack(
                    catalog_pb2.GetTopUpPackRequest(top_up_pack_id=top_up_pack_id)
                )
        except (NotFound, Invalid):
            raise TopUpPackNotFound(top_up_pack_id=top_up_pack_id) from None
        return _terms_from_wire(answer.top_up_pack)

    async def card_money(self, rate_card_id: RateCardId) -> CardMoney:
        """Read the currency of a card and what credits are worth in it. Raises RateCardNotFound."""
        try:
            async with calling("catalog"):
                answer = await self._stub.GetRateCard(
                    catalog_pb2.GetRateCardRequest(rate_card_id=rate_card_id)
                )
        except (NotFound, Invalid):
            raise RateCardNotFound(rate_card_id=rate_card_id) from None
        card = answer.rate_card
        return CardMoney(
            currency_code=card.fiat_credit_type_id,
            per_credit_micros={
                CreditTypeId(card.fiat_credit_type_id): MICROS,
                **{CreditTypeId(one.credit_type_id): one.fiat_per_credit_micros for one in card.conversions},
            },
        )

    async def _product(self, product_id: ProductId) -> OfferedProduct:
        try:
            async with calling("catalog"):
                answer = await self._stub.GetProduct(catalog_pb2.GetProductRequest(product_id=product_id))
        except (NotFound, Invalid):
            raise ProductNotFound(product_id=product_id) from None
        return OfferedProduct(
            product_id=product_id,
            name=answer.product.name,
            product_type=_PRODUCT_TYPES[answer.product.product_type],
        )

    async def _check_credit_types(self, credit_type_ids: Collection[CreditTypeId]) -> None:
        """Raises CreditTypeNotFound."""
        missing = set(credit_type_ids)
        page_token = ""
        for _ in range(PAGES_MAX):
            if not missing:
                return
            request = catalog_pb2.ListCreditTypesRequest(page_size=PAGE_SIZE, page_token=page_token)
            async with calling("catalog"):
                page = await self._stub.ListCreditTypes(request)
            missing -= {CreditTypeId(one.credit_type_id) for one in page.credit_types}
            page_token = page.next_page_token
            if not page_token:
                break
        if missing:
            raise CreditTypeNotFound(credit_type_id=min(missing))


def _applies(rate: catalog_pb2.Rate) -> bool:
    """Return whether a rate prices its span: it was neither withdrawn nor corrected by a later rate."""
    return not (rate.HasField("withdraw_time") or rate.corrected_by_rate_id)


def _rate_from_wire(rate: catalog_pb2.Rate) -> SeatPrice:
    effective_time = instant(rate.effective_time)
    end_time = instant(rate.end_time) if rate.HasField("end_time") else None
    pricing = _TIER_PRICINGS.get(rate.rate_type)
    if pricing is None:
        return SeatRate(
            rate_id=rate.rate_id,
            currency_code=rate.credit_type_id,
            price=Ratio(rate.price_micros, rate.per_micros),
            effective_time=effective_time,
            end_time=end_time,
        )
    return TieredSeatRate(
        rate_id=rate.rate_id,
        currency_code=rate.credit_type_id,
        pricing=pricing,
        tiers=tuple(
            SeatTier(
                up_to=tier.up_to_micros // MICROS if tier.HasField("up_to_micros") else None,
                price=Ratio(tier.price_micros, tier.per_micros),
            )
            for tier in rate.tiers
        ),
        effective_time=effective_time,
        end_time=end_time,
    )


def _terms_from_wire(pack: catalog_pb2.TopUpPack) -> TopUpTerms:
    lifetime = pack.lifetime
    return TopUpTerms(
        product_id=ProductId(pack.product_id),
        credit_type_id=CreditTypeId(pack.credit_type_id),
        amount=Credits(pack.amount_micros),
        price=Money(pack.price.currency_code, pack.price.micros),
        priority=pack.priority,
        lifetime=timedelta(seconds=lifetime.seconds, microseconds=lifetime.nanos // 1_000)
        if pack.HasField("lifetime")
        else None,
    )
