# SPDX-License-Identifier: Apache-2.0
"""Rate cards and rates."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from meshkit.quantity import MICROS
from meshkit.rpc.fields import optional_timestamp, timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from services.edge.wire.amounts import (
    USD,
    CreditTypes,
    amount_to_json,
    credit_type_id_from_json,
    micros_from_json,
    price_from_json,
    price_to_json,
    quantity_micros_from_json,
    quantity_to_json,
)
from services.edge.wire.fields import (
    UPPER,
    Body,
    CursorQuery,
    Instant,
    Number,
    name_of,
    one_violation,
    only,
    refused,
    time_to_json,
    without_absent,
)
from services.edge.wire.pricing import CREATED_BY

FREQUENCIES: Final = {
    "MONTHLY": pb.BILLING_FREQUENCY_MONTHLY,
    "QUARTERLY": pb.BILLING_FREQUENCY_QUARTERLY,
    "ANNUAL": pb.BILLING_FREQUENCY_ANNUAL,
    "WEEKLY": pb.BILLING_FREQUENCY_WEEKLY,
}
Frequency = Annotated[Literal["MONTHLY", "QUARTERLY", "ANNUAL", "WEEKLY"], UPPER]


class CreditTypeConversion(Body):
    custom_credit_type_id: str
    fiat_per_custom_credit: Number


class CreateRateCard(Body):
    name: str
    fiat_credit_type_id: str = USD
    credit_type_conversions: tuple[CreditTypeConversion, ...] = ()
    aliases: Annotated[None, refused("name the rate card by its id")] = None


class Tier(Body):
    price: Number
    size: Number | None = None


class RateTerms(Body):
    product_id: str
    rate_type: Annotated[Literal["FLAT", "SUBSCRIPTION", "TIERED"], UPPER]
    entitled: Annotated[bool, only(True, "a product without a rate is not entitled, so add none")]
    starting_at: Instant
    ending_before: Instant | None = None
    price: Number | None = None
    credit_type_id: str = USD
    billing_frequency: Frequency | None = None
    pricing_group_values: Mapping[str, str] = {}
    tiers: tuple[Tier, ...] = ()
    quantity: Annotated[Number, only(1, "the contract says how many seats there are")] | None = None
    is_prorated: Annotated[None, refused("the subscription of a contract says whether it is prorated")] = None
    commit_rate: Annotated[None, refused("all usage has the list rate")] = None


class AddRate(RateTerms):
    rate_card_id: str


class AddRates(Body):
    rate_card_id: str
    rates: tuple[RateTerms, ...]


class Selector(Body):
    product_id: str = ""
    billing_frequency: Frequency | None = None
    pricing_group_values: Mapping[str, str] = {}
    partial_pricing_group_values: Mapping[str, str] = {}
    product_tags: Annotated[None, refused("products have no tags")] = None


class GetRates(Body):
    rate_card_id: str
    at: Instant
    selectors: tuple[Selector, ...] = ()


class GetRateSchedule(Body):
    rate_card_id: str
    starting_at: Instant
    ending_before: Instant | None = None
    selectors: tuple[Selector, ...] = ()


RatesQuery = CursorQuery


def rate_card_from_json(body: CreateRateCard, request_id: str) -> pb.CreateRateCardRequest:
    fiat = credit_type_id_from_json(body.fiat_credit_type_id)
    return pb.CreateRateCardRequest(
        request_id=request_id,
        name=body.name,
        fiat_credit_type_id=fiat,
        conversions=[
            pb.CreditConversion(
                credit_type_id=one.custom_credit_type_id,
                fiat_per_credit_micros=micros_from_json(
                    f"credit_type_conversions[{at}].fiat_per_custom_credit", one.fiat_per_custom_credit, fiat
                ),
            )
            for at, one in enumerate(body.credit_type_conversions)
        ],
    )


def credit_type_ids_of(card: pb.RateCard) -> set[str]:
    return {card.fiat_credit_type_id, *(one.credit_type_id for one in card.conversions)}


def rate_card_to_json(card: pb.RateCard, credit_types: CreditTypes) -> dict[str, object]:
    return {
        "id": card.rate_card_id,
        "name": card.name,
        "created_at": time_to_json(card.create_time),
        "created_by": CREATED_BY,
        "fiat_credit_type": credit_types.shown(card.fiat_credit_type_id),
        "credit_type_conversions": [
            {
                "custom_credit_type": credit_types.shown(one.credit_type_id),
                # A text in Metronome's answers.
                "fiat_per_custom_credit": _plain(one.fiat_per_credit_micros, card.fiat_credit_type_id),
            }
            for one in card.conversions
        ],
    }


def _plain(micros: int, credit_type_id: str) -> str:
    return format(amount_to_json(micros, credit_type_id).normalize(), "f")


def rate_from_json(terms: RateTerms, field: str = "") -> pb.RateTerms:
    """Return the terms. As in Metronome, a rate ends an open-ended one of the same line."""
    credit_type_id = credit_type_id_from_json(terms.credit_type_id)
    rate = pb.RateTerms(
        product_id=terms.product_id,
        credit_type_id=credit_type_id,
        effective_time=timestamp(terms.starting_at),
        end_time=optional_timestamp(terms.ending_before),
        end_previous=True,
        dimension_values=terms.pricing_group_values,
    )
    if terms.billing_frequency is not None:
        rate.billing_frequency = FREQUENCIES[terms.billing_frequency]
    if terms.rate_type == "TIERED":
        rate.rate_type = pb.RATE_TYPE_GRADUATED
        rate.tiers.extend(_tiers_from_json(terms, credit_type_id, field))
    elif terms.price is None:
        raise one_violation(f"{field}price", "is required")
    else:
        rate.rate_type = pb.RATE_TYPE_FLAT
        rate.price_micros, rate.per_micros = price_from_json(f"{field}price", terms.price, credit_type_id)
    return rate


def _tiers_from_json(terms: RateTerms, credit_type_id: str, field: str) -> Iterable[pb.RateTier]:
    """Yield tiers by where they end; Metronome's have a size."""
    end = 0
    for at, tier in enumerate(terms.tiers):
        price, per = price_from_json(f"{field}tiers[{at}].price", tier.price, credit_type_id)
        made = pb.RateTier(price_micros=price, per_micros=per)
        if tier.size is not None:
            end += quantity_micros_from_json(f"{field}tiers[{at}].size", tier.size)
            made.up_to_micros = end
        yield made


def rate_to_json(rate: pb.Rate, credit_types: CreditTypes) -> dict[str, object]:
    """Return the price of a rate. What Metronome has no word for is CUSTOM."""
    shown: dict[str, object] = {"credit_type": credit_types.shown(rate.credit_type_id)}
    if rate.rate_type == pb.RATE_TYPE_FLAT:
        shown |= {
            "rate_type": "FLAT",
            "price": price_to_json(rate.price_micros, rate.per_micros, rate.credit_type_id),
        }
    elif rate.rate_type == pb.RATE_TYPE_GRADUATED:
        shown |= {"rate_type": "TIERED", "tiers": _tiers_to_json(rate)}
    else:
        custom: dict[str, object] = {
            "type": pb.RateType.Name(rate.rate_type).removeprefix("RATE_TYPE_"),
            "tiers": _tiers_to_json(rate),
        }
        if rate.rate_type == pb.RATE_TYPE_PACKAGE:
            custom["price"] = amount_to_json(rate.price_micros, rate.credit_type_id)
            custom["block_size"] = quantity_to_json(rate.per_micros)
        shown |= {"rate_type": "CUSTOM", "custom_rate": custom}
    if rate.dimension_values:
        shown["pricing_group_values"] = dict(rate.dimension_values)
    return shown


def _tiers_to_json(rate: pb.Rate) -> list[object]:
    tiers: list[object] = []
    begin = 0
    for tier in rate.tiers:
        price = price_to_json(tier.price_micros, tier.per_micros or MICROS, rate.credit_type_id)
        if tier.HasField("up_to_micros"):
            tiers.append({"price": price, "size": quantity_to_json(tier.up_to_micros - begin)})
            begin = tier.up_to_micros
        else:
            tiers.append({"price": price})
    return tiers


def listed_rate_to_json(
    rate: pb.Rate, product_names: Mapping[str, str], credit_types: CreditTypes
) -> dict[str, object]:
    frequency = rate.billing_frequency
    return without_absent(
        {
            "entitled": True,
            "product_id": rate.product_id,
            "product_name": product_names[rate.product_id],
            "product_custom_fields": {},
            "product_tags": [],
            "rate": rate_to_json(rate, credit_types),
            "starting_at": time_to_json(rate.effective_time),
            "ending_before": time_to_json(rate.end_time) if rate.HasField("end_time") else None,
            "billing_frequency": name_of(FREQUENCIES, frequency) if frequency else None,
            "pricing_group_values": dict(rate.dimension_values) or None,
        }
    )


def is_selected(rate: pb.Rate, selectors: tuple[Selector, ...]) -> bool:
    """Whether any selector matches the rate; none given: every rate."""
    return not selectors or any(_matches(rate, selector) for selector in selectors)


def _matches(rate: pb.Rate, selector: Selector) -> bool:
    values, frequency = rate.dimension_values, selector.billing_frequency
    return (
        selector.product_id in ("", rate.product_id)
        and (frequency is None or FREQUENCIES[frequency] == rate.billing_frequency)
        and (not selector.pricing_group_values or dict(values) == dict(selector.pricing_group_values))
        and all(values.get(key) == value for key, value in selector.partial_pricing_group_values.items())
    )


def is_in_span(rate: pb.Rate, start: datetime, end: datetime | None) -> bool:
    """Whether a rate is in force at any instant of a span, and neither withdrawn nor corrected by another."""
    if rate.HasField("withdraw_time") or rate.corrected_by_rate_id:
        return False
    begins = end is None or rate.effective_time.ToDatetime(tzinfo=start.tzinfo) < end
    goes_on = not rate.HasField("end_time") or rate.end_time.ToDatetime(tzinfo=start.tzinfo) > start
    return begins and goes_on
