# SPDX-License-Identifier: Apache-2.0
"""The Catalog's seat prices during one run of billing."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.contract.domain.billing.state import bills_period
from services.contract.domain.billing.tiers import SeatPrice
from services.contract.domain.contract import BillingFrequency, Contract, Subscription
from services.contract.domain.errors.catalog import PeerUnavailable
from services.contract.domain.ids import ProductId, RateCardId, SubscriptionId
from services.contract.operations.ports import Catalog

Rates = Mapping[SubscriptionId, tuple[SeatPrice, ...]]


class SeatPrices:
    """A cache for one run: each product is read once, and a Catalog that is down is called once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._cached: dict[
            tuple[RateCardId, ProductId], Mapping[BillingFrequency, tuple[SeatPrice, ...]]
        ] = {}
        self._unavailable: PeerUnavailable | None = None

    async def of(self, contract: Contract, due_time: datetime) -> Rates:
        """Return the prices of the subscriptions of which a period is charged. Raises PeerUnavailable."""
        due = [one for one in contract.subscriptions if bills_period(contract, one, due_time)]
        return await self._of_subscriptions(contract, due)

    async def of_all(self, contract: Contract) -> Rates:
        """Return the prices of all subscriptions. Raises PeerUnavailable."""
        return await self._of_subscriptions(contract, contract.subscriptions)

    async def _of_subscriptions(self, contract: Contract, subscriptions: Iterable[Subscription]) -> Rates:
        return {
            one.subscription_id: (await self._of_product(contract.rate_card_id, one.product_id)).get(
                one.billing_frequency, ()
            )
            for one in subscriptions
        }

    async def _of_product(
        self, rate_card_id: RateCardId, product_id: ProductId
    ) -> Mapping[BillingFrequency, tuple[SeatPrice, ...]]:
        key = (rate_card_id, product_id)
        if key not in self._cached:
            if self._unavailable is not None:
                raise self._unavailable
            try:
                self._cached[key] = await self._catalog.rates(rate_card_id, product_id)
            except PeerUnavailable as fault:
                self._unavailable = fault
                raise
        return self._cached[key]
