# SPDX-License-Identifier: Apache-2.0
"""Rates on the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.catalog.v1 import catalog_pb2 as pb
from services.catalog.domain.commands import AddRates
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.product import ProductId
from services.catalog.domain.rate import BillingFrequency, Rate, RateId, RateTerms
from services.catalog.domain.rate_card import RATES_PER_REQUEST_MAX, RateCardId, RateFilter, RatesAdded
from services.catalog.wire.prices import (
    FREQUENCIES_TO_WIRE,
    RATE_TYPES_TO_WIRE,
    dimension_values_from_wire,
    pricing_from_wire,
    tier_to_wire,
)
from services.catalog.wire.rate_cards import rate_card_to_wire
from services.catalog.wire.rate_warnings import warnings_to_wire

_FREQUENCIES: Final[dict[int, BillingFrequency]] = {
    theirs: ours for ours, theirs in FREQUENCIES_TO_WIRE.items()
}


def add_from_wire(request: pb.AddRatesRequest) -> AddRates:
    fields = Fields()
    command = AddRates(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("AddRates", request),
        rate_card_id=RateCardId(fields.text("rate_card_id", request.rate_card_id)),
        rates=_terms(fields, request.rates),
    )
    fields.check()
    return command


def add_to_wire(added: RatesAdded) -> pb.AddRatesResponse:
    return pb.AddRatesResponse(
        rates=[rate_to_wire(rate) for rate in added.rates],
        rate_card=rate_card_to_wire(added.rate_card),
        warnings=warnings_to_wire(added.warnings),
    )


def list_from_wire(request: pb.ListRatesRequest) -> tuple[RateFilter, Page]:
    fields = Fields()
    asked = RateFilter(
        rate_card_id=RateCardId(fields.text("rate_card_id", request.rate_card_id)),
        as_of_time=fields.optional_time("as_of_time", request.as_of_time, request.HasField("as_of_time")),
        product_id=ProductId(fields.text("product_id", request.product_id, required=False)) or None,
    )
    page = page_from_wire(fields, request, _list(request))
    fields.check()
    return asked, page


def list_to_wire(rows: Sequence[Rate], page: Page, request: pb.ListRatesRequest) -> pb.ListRatesResponse:
    shown, token = page_to_wire(rows, page, _list(request), lambda row: (row.rate_id,), rate_to_wire)
    return pb.ListRatesResponse(rates=shown, next_page_token=token)


def rate_to_wire(rate: Rate) -> pb.Rate:
    frequency = rate.billing_frequency
    return pb.Rate(
        rate_id=rate.rate_id,
        product_id=rate.product_id,
        billing_frequency=None if frequency is None else FREQUENCIES_TO_WIRE[frequency],
        credit_type_id=rate.credit_type_id,
        price_micros=None if rate.price is None else rate.price.numerator_micros,
        per_micros=None if rate.price is None else rate.price.denominator_micros,
        effective_time=timestamp(rate.effective_time),
        end_time=optional_timestamp(rate.end_time),
        rate_type=RATE_TYPES_TO_WIRE[rate.rate_type],
        tiers=[tier_to_wire(tier) for tier in rate.tiers],
        dimension_values=dict(rate.dimension_values),
        create_time=optional_timestamp(rate.create_time),
        withdraw_time=optional_timestamp(rate.withdraw_time),
        corrects_rate_id=rate.corrects_rate_id,
        corrected_by_rate_id=rate.corrected_by_rate_id,
        ended_by_rate_id=rate.ended_by_rate_id,
    )


def _list(request: pb.ListRatesRequest) -> dict[str, str]:
    at = request.as_of_time
    return {
        "list": "rates",
        "rate_card_id": request.rate_card_id,
        "as_of_time": f"{at.seconds}.{at.nanos}",
        "product_id": request.product_id,
    }


def _terms(fields: Fields, asked: Sequence[pb.RateTerms]) -> tuple[RateTerms, ...]:
    if not 1 <= len(asked) <= RATES_PER_REQUEST_MAX:
        fields.add("rates", f"must have 1 to {RATES_PER_REQUEST_MAX} elements, has {len(asked)}")
        return ()
    return tuple(_one_of_terms(fields, f"rates[{n}]", one) for n, one in enumerate(asked))


def _one_of_terms(fields: Fields, path: str, asked: pb.RateTerms) -> RateTerms:
    effective_time, end_time = _span(fields, path, asked)
    pricing = pricing_from_wire(fields, f"{path}.", asked)
    return RateTerms(
        product_id=ProductId(fields.text(f"{path}.product_id", asked.product_id)),
        billing_frequency=_frequency(fields, f"{path}.billing_frequency", asked.billing_frequency),
        credit_type_id=CreditTypeId(fields.text(f"{path}.credit_type_id", asked.credit_type_id)),
        price=pricing.price,
        effective_time=effective_time,
        end_time=end_time,
        end_previous=asked.end_previous,
        rate_type=pricing.rate_type,
        tiers=pricing.tiers,
        dimension_values=dimension_values_from_wire(
            fields, f"{path}.dimension_values", asked.dimension_values
        ),
        replaces_rate_id=RateId(
            fields.text(f"{path}.replaces_rate_id", asked.replaces_rate_id, required=False)
        )
        or None,
    )


def _span(fields: Fields, path: str, asked: pb.RateTerms) -> tuple[datetime, datetime | None]:
    start = fields.time(f"{path}.effective_time", asked.effective_time, asked.HasField("effective_time"))
    end = fields.optional_time(f"{path}.end_time", asked.end_time, asked.HasField("end_time"))
    # A missing or invalid start is read as the epoch, and every valid end is later than that.
    if end is not None and end <= start:
        fields.add(f"{path}.end_time", "must be later than effective_time")
    return start, end


def _frequency(fields: Fields, path: str, asked: int) -> BillingFrequency | None:
    """Return None for UNSPECIFIED. The product decides whether a frequency is required; check_suits checks it."""
    if asked == pb.BILLING_FREQUENCY_UNSPECIFIED:
        return None
    return fields.choice(path, asked, _FREQUENCIES)
