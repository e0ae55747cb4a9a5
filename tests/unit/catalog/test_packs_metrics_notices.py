# SPDX-License-Identifier: Apache-2.0
"""Small rules: what a pack is sold as, what a new product is measured by; notices survive the outbox."""

from dataclasses import replace
from datetime import timedelta

import pytest

from meshkit.errors import MeshError
from meshkit.quantity import Credits, Money, Ratio
from services.catalog.domain.credit_type import USD
from services.catalog.domain.errors import BillableMetricArchived, ProductArchived, ProductNotFixed
from services.catalog.domain.metric import (
    Aggregation,
    BillableMetric,
    BillableMetricId,
    FilterKind,
    PropertyFilter,
    check_in_use,
)
from services.catalog.domain.notices import ProductChanged, RateCardChanged
from services.catalog.domain.product import Product, ProductType, QuantityConversion, QuantityRounding
from services.catalog.domain.rate import BillingFrequency, RateTier, RateType
from services.catalog.domain.rate_card import RateCardId, RatesAdded
from services.catalog.domain.top_up_pack import TopUpPack, TopUpPackId, check_sold_as
from services.catalog.store.formats import NOTICES, RESPONSES
from tests.unit.catalog.builders import (
    AI_CREDITS,
    ASSISTANT,
    FEBRUARY,
    JANUARY,
    KIND,
    LENGTH,
    a_card,
    a_product,
    a_rate,
)

METRIC = BillableMetric(
    billable_metric_id=BillableMetricId("met_1"),
    name="units",
    event_type="ai.call",
    aggregation=Aggregation.SUM,
    aggregated_property="units",
    filters=(PropertyFilter(property="model", kind=FilterKind.NOT_IN, values=("free", "test")),),
    group_keys=("user_id",),
    create_time=JANUARY,
)
THOUSANDS = QuantityConversion(ratio=Ratio(1_000_000, 1_000_000_000), rounding=QuantityRounding.UP)
GRADUATED = replace(
    a_rate("rat_3", dimension_values=(("kind", "input"), ("model", "large")), ended_by="rat_4"),
    price=None,
    rate_type=RateType.GRADUATED,
    tiers=(
        RateTier(up_to_micros=1_000_000_000, price=Ratio(1_000_000, 1_000_000)),
        RateTier(up_to_micros=None, price=Ratio(250_000, 1_000_000)),
    ),
    create_time=JANUARY,
    withdraw_time=FEBRUARY,
)
PACK = TopUpPack(
    top_up_pack_id=TopUpPackId("pck_1"),
    name="1,000 credits",
    product_id=ASSISTANT,
    credit_type_id=AI_CREDITS,
    amount=Credits.of(1_000),
    price=Money.of(USD, 80),
    priority=100,
    lifetime=timedelta(days=365, microseconds=1),
    create_time=JANUARY,
)


@pytest.mark.parametrize(
    ("product", "fault"),
    [
        (a_product(ProductType.FIXED), None),
        (a_product(ProductType.FIXED, archive_time=JANUARY), ProductArchived),
        (a_product(ProductType.USAGE), ProductNotFixed),
        (a_product(ProductType.SUBSCRIPTION), ProductNotFixed),
    ],
)
def test_a_pack_is_sold_as_a_fixed_product_in_use(product: Product, fault: type[MeshError] | None) -> None:
    if fault is None:
        check_sold_as(product)
    else:
        with pytest.raises(fault):
            check_sold_as(product)


def test_new_products_are_measured_by_a_metric_in_use() -> None:
    check_in_use(METRIC)
    with pytest.raises(BillableMetricArchived):
        check_in_use(replace(METRIC, archive_time=FEBRUARY))


@pytest.mark.parametrize(
    "value",
    [
        METRIC,
        PACK,
        replace(PACK, lifetime=None),
        a_product(),
        a_card(),
        replace(a_product(), conversion=THOUSANDS, pricing_dimensions=(LENGTH, KIND)),
        ProductChanged(product_id=ASSISTANT, version=2, name="AI Assistant", metric=METRIC),
        ProductChanged(
            product_id=ASSISTANT,
            version=2,
            name="AI Assistant",
            metric=replace(METRIC, aggregation=Aggregation.COUNT, aggregated_property=None),
            conversion=THOUSANDS,
            pricing_dimensions=(LENGTH, KIND),
        ),
        RateCardChanged(
            rate_card_id=RateCardId("rcd_1"),
            version=3,
            rates=(a_rate("rat_1"), a_rate("rat_2", end=FEBRUARY), GRADUATED),
        ),
        RatesAdded(rates=(a_rate("rat_1", frequency=BillingFrequency.ANNUAL),), rate_card=a_card()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_responses_and_notices_come_back_from_json_as_they_were(value: object) -> None:
    stored = {one.stored_type: one for one in (*RESPONSES, *NOTICES)}[type(value)]

    assert stored.decode(stored.encode(value)) == value
