# SPDX-License-Identifier: Apache-2.0
"""The operations of the Catalog, one file per rpc family: claim, lock, load, decide, save, notify."""

from dataclasses import dataclass

from services.catalog.operations.credit_types import CreditTypes
from services.catalog.operations.metrics import Metrics
from services.catalog.operations.products import Products
from services.catalog.operations.rate_cards import RateCards
from services.catalog.operations.rates import Rates
from services.catalog.operations.top_up_packs import TopUpPacks


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """All operations, for the servicer."""

    credit_types: CreditTypes
    metrics: Metrics
    products: Products
    rate_cards: RateCards
    rates: Rates
    top_up_packs: TopUpPacks
