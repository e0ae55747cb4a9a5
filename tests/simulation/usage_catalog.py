# SPDX-License-Identifier: Apache-2.0
"""What is sold in the simulation of usage: products with every kind of metric, rates of every kind, in two pools.

For the model, and applied to a Ledger.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from types import SimpleNamespace as Thing
from typing import Any

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.simulation.usage_model_prices import NEVER, UNIT
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, a_schedule

TURN = datetime(2025, 6, 20, tzinfo=UTC)  # prices change
CHAT = "crt_chat"
SEATS = 5
MONTHLY = {AI: 12 * CREDIT, CHAT: 5 * CREDIT}  # of a seat
# By customer: its alias, and the start of its contract. An hour of globex has two usage periods.
CUSTOMERS = {"cus_acme": ("acme", JUNE), "cus_globex": ("globex", JUNE + timedelta(days=4, minutes=30))}
AS_IT_IS = (Fraction(1), "")


def _product(name: str, event: str, aggregation: str, prop: str = "", **more: Any) -> Thing:
    told = {"conversion": AS_IT_IS, "dimensions": {}, "filters": {}} | more
    return Thing(name=name, event=event, aggregation=aggregation, property=prop, **told)


def _rate(name: str, product: str, kind: str, *tiers: Any, **more: Any) -> Thing:
    told = {"start": datetime(2025, 1, 1, tzinfo=UTC), "end": NEVER, "dimensions": {}, "pool": AI} | more
    return Thing(name=name, product=product, kind=kind, tiers=tiers, **told)


PRODUCTS = {
    one.name: one
    for one in (
        _product("prd_flat", "flat", "SUM", "units"),
        _product("prd_tiers", "call", "SUM", "units"),
        _product("prd_extra", "call", "COUNT", filters={"plan": ["pro", "max"]}),
        _product("prd_jobs", "job", "SUM", "units", conversion=(Fraction(1, 4), "HALF_UP")),
        _product("prd_exact", "exact", "SUM", "units", conversion=(Fraction(3, 7), "")),
        _product(
            "prd_chat",
            "chat",
            "SUM",
            "tokens",
            conversion=(Fraction(1, 1000), "UP"),
            dimensions={"model": (), "tokens": [("short", 200), ("long", None)]},
        ),
        _product("prd_peak", "peak", "MAX", "units"),
        _product("prd_seen", "seen", "UNIQUE", "user_id"),
    )
}
FALLING = ((10, Fraction(1)), (100, Fraction(1, 2)), (None, Fraction(1, 4)))
RISING = ((10, Fraction(1, 3)), (None, Fraction(2)))
RATES = [
    _rate("rat_flat_1", "prd_flat", "FLAT", (None, Fraction(7, 3)), end=TURN),
    _rate("rat_flat_2", "prd_flat", "FLAT", (None, Fraction(5, 7)), start=TURN),
    _rate("rat_tiers_1", "prd_tiers", "GRADUATED", *FALLING, end=TURN),
    _rate("rat_tiers_2", "prd_tiers", "GRADUATED", *RISING, start=TURN),
    _rate("rat_extra", "prd_extra", "PACKAGE", price=Fraction(5), block=3, pool=CHAT),
    _rate("rat_jobs", "prd_jobs", "PACKAGE", price=Fraction(2), block=2, start=JUNE + timedelta(days=5)),
    _rate("rat_exact", "prd_exact", "GRADUATED", *RISING),
    _rate("rat_large", "prd_chat", "FLAT", (None, Fraction(3)), dimensions={"model": "large"}, pool=CHAT),
    _rate("rat_small", "prd_chat", "GRADUATED", *FALLING, dimensions={"model": "small"}, pool=CHAT),
    _rate(
        "rat_small_long",
        "prd_chat",
        "FLAT",
        (None, Fraction(1, 9)),
        dimensions={"model": "small", "tokens": "long"},
        pool=CHAT,
    ),
    _rate("rat_peak_1", "prd_peak", "FLAT", (None, Fraction(2)), end=TURN),
    _rate("rat_peak_2", "prd_peak", "FLAT", (None, Fraction(1, 8)), start=TURN, pool=CHAT),
    _rate("rat_seen", "prd_seen", "GRADUATED", (2, Fraction(2)), (None, Fraction(1, 2))),
]


async def set_up(ledger: RunningLedger) -> None:
    """Apply products, rates, and the customers with their contracts."""
    for one in PRODUCTS.values():
        factor, rounding = one.conversion
        conversion = peer_pb.QuantityConversion(
            priced_micros=factor.numerator * UNIT,
            per_micros=factor.denominator * UNIT,
            rounding=peer_pb.QuantityRounding.Value(f"QUANTITY_ROUNDING_{rounding or 'UNSPECIFIED'}"),
        )
        await ledger.tell_product(
            one.name,
            event_type=one.event,
            aggregation=peer_pb.Aggregation.Value(f"AGGREGATION_{one.aggregation}"),
            sum_property="",
            aggregated_property=one.property,
            conversion=None if one.conversion == AS_IT_IS else conversion,
            filters=[
                peer_pb.PropertyFilter(property=name, in_values=values)
                for name, values in one.filters.items()
            ],
            pricing_dimensions=[
                peer_pb.PricingDimension(
                    key=key,
                    property=key,
                    bands=[
                        peer_pb.DimensionBand(value=name, up_to_micros=None if top is None else top * UNIT)
                        for name, top in bands
                    ],
                )
                for key, bands in one.dimensions.items()
            ],
        )
    await ledger.tell_card(*map(_told_rate, RATES))
    for customer_id, (alias, start) in CUSTOMERS.items():
        await ledger.tell_customer(customer_id, alias)
        await ledger.apply_contract(
            customer_id=customer_id,
            contract_id=f"con_{alias}",
            start=start,
            subscriptions=[peer_pb.SubscriptionSeats(subscription_id=f"sub_{alias}", initial_quantity=SEATS)],
            schedules=[
                a_schedule(
                    grant_schedule_id=f"sch_{alias}_{pool}",
                    unit_amount_micros=amount,
                    credit_type_id=pool,
                    subscription_id=f"sub_{alias}",
                    prorates_increases=False,
                    anchor_time=timestamp(start),
                )
                for pool, amount in MONTHLY.items()
            ],
        )


def _told_rate(one: Thing) -> peer_pb.UsageRate:
    price, per = (one.price, one.block) if one.kind == "PACKAGE" else (one.tiers[0][1], 1)
    is_graduated = one.kind == "GRADUATED"
    tiers = [
        peer_pb.RateTier(
            up_to_micros=None if end is None else end * UNIT,
            price_micros=price.numerator * CREDIT,
            per_micros=price.denominator * UNIT,
        )
        for end, price in one.tiers
    ]
    return peer_pb.UsageRate(
        rate_id=one.name,
        product_id=one.product,
        credit_type_id=one.pool,
        rate_type=peer_pb.RateType.Value(f"RATE_TYPE_{one.kind}"),
        price_micros=0 if is_graduated else price.numerator * CREDIT,
        per_micros=0 if is_graduated else per * price.denominator * UNIT,
        tiers=tiers if is_graduated else [],
        effective_time=timestamp(one.start),
        end_time=None if one.end == NEVER else timestamp(one.end),
        dimension_values=one.dimensions,
    )
