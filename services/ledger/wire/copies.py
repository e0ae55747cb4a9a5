# SPDX-License-Identifier: Apache-2.0
"""The Apply… rpcs, PreviewSeatChange and WatchThreshold on the wire."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from meshkit.quantity import INT64_MAX, Credits, Ratio
from meshkit.rpc.fields import Fields
from purser.ledger.v1 import ledger_admin_pb2 as pb
from services.ledger.domain.copies import (
    Aggregation,
    ContractTold,
    CustomerTold,
    ProductTold,
    PropertyFilter,
    RateCardTold,
    SeatChangeTold,
    SubscriptionTold,
    WatchTold,
)
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId, ScheduleId
from services.ledger.domain.credits.proration import SeatChange
from services.ledger.domain.credits.schedule import (
    UNIT_AMOUNT_MAX,
    GrantFrequency,
    PeriodProration,
    Schedule,
    ScheduleCredits,
)
from services.ledger.domain.crossings.watch import Watch, WatchKind
from services.ledger.domain.rating import Rate
from services.ledger.wire.credits.grants import PRIORITY_MAX, scope_from_wire

SEATS_MAX = 1_000_000
COMMIT_DURATION_MAX = 120
# Periods are counted from here on, and a grant may live 120 years: all of it must be a date.
START_TIME_END = datetime(9_000, 1, 1, tzinfo=UTC)

_AGGREGATIONS: Final[Mapping[int, Aggregation]] = {
    pb.AGGREGATION_COUNT: Aggregation.COUNT,
    pb.AGGREGATION_SUM: Aggregation.SUM,
}
_FREQUENCIES: Final[Mapping[int, GrantFrequency]] = {
    pb.GRANT_FREQUENCY_MONTHLY: GrantFrequency.MONTHLY,
    pb.GRANT_FREQUENCY_ANNUAL: GrantFrequency.ANNUAL,
}
_PRORATIONS: Final[Mapping[int, PeriodProration]] = {
    pb.PERIOD_PRORATION_FIRST_AND_LAST: PeriodProration.FIRST_AND_LAST,
    pb.PERIOD_PRORATION_FIRST: PeriodProration.FIRST,
    pb.PERIOD_PRORATION_LAST: PeriodProration.LAST,
    pb.PERIOD_PRORATION_NONE: PeriodProration.NONE,
}
_WATCH_KINDS: Final[Mapping[int, WatchKind]] = {
    pb.WATCH_KIND_LOW_BALANCE: WatchKind.LOW_BALANCE,
    pb.WATCH_KIND_SPEND: WatchKind.SPEND,
}


def customer_from_wire(request: pb.ApplyCustomerRequest) -> CustomerTold:
    fields = Fields()
    fields.request_id(request.request_id)
    told = CustomerTold(
        customer_id=_customer_id(fields, request.customer_id),
        version=_version(fields, request.version),
        aliases=tuple(
            dict.fromkeys(fields.text(f"aliases[{n}]", alias) for n, alias in enumerate(request.aliases))
        ),
        is_suspended=request.is_suspended,
    )
    fields.check()
    return told


def product_from_wire(request: pb.ApplyMetricsRequest) -> ProductTold:
    fields = Fields()
    fields.request_id(request.request_id)
    aggregation = fields.choice("aggregation", request.aggregation, _AGGREGATIONS)
    is_sum = aggregation is Aggregation.SUM
    told = ProductTold(
        product_id=ProductId(fields.text("product_id", request.product_id)),
        version=_version(fields, request.version),
        name=fields.text("name", request.name),
        billable_metric_id=fields.text("billable_metric_id", request.billable_metric_id),
        event_type=fields.text("event_type", request.event_type),
        aggregation=aggregation,
        sum_property=fields.text("sum_property", request.sum_property) if is_sum else None,
        filters=tuple(
            _filter_from_wire(fields, f"filters[{n}]", one) for n, one in enumerate(request.filters)
        ),
        group_keys=tuple(fields.text(f"group_keys[{n}]", key) for n, key in enumerate(request.group_keys)),
    )
    fields.check()
    return told


def _filter_from_wire(fields: Fields, path: str, one: pb.PropertyFilter) -> PropertyFilter:
    if one.in_values and one.not_in_values:
        fields.add(f"{path}.in_values", "give either in_values or not_in_values")
    wanted = [fields.text(f"{path}.in_values[{n}]", value) for n, value in enumerate(one.in_values)]
    unwanted = [fields.text(f"{path}.not_in_values[{n}]", value) for n, value in enumerate(one.not_in_values)]
    return PropertyFilter(
        property=fields.text(f"{path}.property", one.property),
        values=tuple(wanted or unwanted),
        is_negated=bool(unwanted),
    )


def rate_card_from_wire(request: pb.ApplyRateCardRequest) -> RateCardTold:
    fields = Fields()
    fields.request_id(request.request_id)
    told = RateCardTold(
        rate_card_id=fields.text("rate_card_id", request.rate_card_id),
        version=_version(fields, request.version),
        rates=tuple(_rate_from_wire(fields, f"rates[{n}]", rate) for n, rate in enumerate(request.rates)),
    )
    begun: set[tuple[ProductId, datetime]] = set()
    for n, rate in enumerate(told.rates):
        if (rate.product_id, rate.effective_time) in begun:
            fields.add(f"rates[{n}].effective_time", "is that of an earlier rate of the same product")
        begun.add((rate.product_id, rate.effective_time))
    fields.check()
    return told


def _rate_from_wire(fields: Fields, path: str, rate: pb.UsageRate) -> Rate:
    effective_time = fields.time(
        f"{path}.effective_time", rate.effective_time, rate.HasField("effective_time")
    )
    end_time = fields.optional_time(f"{path}.end_time", rate.end_time, rate.HasField("end_time"))
    if end_time is not None and end_time <= effective_time:
        fields.add(f"{path}.end_time", "must be after effective_time")
    return Rate(
        rate_id=fields.text(f"{path}.rate_id", rate.rate_id),
        product_id=ProductId(fields.text(f"{path}.product_id", rate.product_id)),
        credit_type_id=CreditTypeId(fields.text(f"{path}.credit_type_id", rate.credit_type_id)),
        price=Ratio(
            fields.micros(f"{path}.price_micros", rate.price_micros),
            fields.micros(f"{path}.per_micros", rate.per_micros, minimum=1),
        ),
        effective_time=effective_time,
        end_time=end_time,
    )


def contract_from_wire(request: pb.ApplyContractRequest) -> ContractTold:
    fields = Fields()
    fields.request_id(request.request_id)
    start_time = fields.time("start_time", request.start_time, request.HasField("start_time"))
    if start_time >= START_TIME_END:
        fields.add("start_time", f"must be before the year {START_TIME_END.year}")
    end_time = fields.optional_time("end_time", request.end_time, request.HasField("end_time"))
    if end_time is not None and end_time < start_time:
        fields.add("end_time", "must not be before start_time")
    contract_id = fields.text("contract_id", request.contract_id)
    subscriptions = tuple(
        SubscriptionTold(
            fields.text(f"subscriptions[{n}].subscription_id", one.subscription_id),
            fields.count(
                f"subscriptions[{n}].initial_quantity", one.initial_quantity, minimum=0, maximum=SEATS_MAX
            ),
        )
        for n, one in enumerate(request.subscriptions)
    )
    told = ContractTold(
        customer_id=_customer_id(fields, request.customer_id),
        contract_id=contract_id,
        version=_version(fields, request.version),
        rate_card_id=fields.text("rate_card_id", request.rate_card_id),
        start_time=start_time,
        end_time=end_time,
        subscriptions=subscriptions,
        schedules=tuple(
            _schedule_from_wire(
                fields, f"grant_schedules[{n}]", one, contract_id, start_time, end_time, subscriptions
            )
            for n, one in enumerate(request.grant_schedules)
        ),
    )
    fields.check()
    return told


def _schedule_from_wire(
    fields: Fields,
    path: str,
    terms: pb.ScheduleTerms,
    contract_id: str,
    start_time: datetime,
    end_time: datetime | None,
    subscriptions: Sequence[SubscriptionTold],
) -> Schedule:
    if terms.subscription_id and terms.subscription_id not in {one.subscription_id for one in subscriptions}:
        fields.add(f"{path}.subscription_id", "must be one of this contract's subscriptions")
    unit_amount = fields.micros(
        f"{path}.unit_amount_micros", terms.unit_amount_micros, minimum=1, maximum=UNIT_AMOUNT_MAX.micros
    )
    return Schedule(
        schedule_id=ScheduleId(fields.text(f"{path}.grant_schedule_id", terms.grant_schedule_id)),
        contract_id=contract_id,
        subscription_id=terms.subscription_id or None,
        product_id=ProductId(fields.text(f"{path}.product_id", terms.product_id)),
        credit_type_id=CreditTypeId(fields.text(f"{path}.credit_type_id", terms.credit_type_id)),
        unit_amount=Credits(unit_amount),
        frequency=fields.choice(f"{path}.frequency", terms.frequency, _FREQUENCIES),
        anchor=fields.time(f"{path}.anchor_time", terms.anchor_time, terms.HasField("anchor_time")),
        start_time=start_time,
        end_time=end_time,
        priority=fields.count(f"{path}.priority", terms.priority, minimum=1, maximum=PRIORITY_MAX),
        prorates_increases=terms.prorates_increases,
        period_proration=fields.choice(f"{path}.period_proration", terms.period_proration, _PRORATIONS),
        commit_duration=fields.count(
            f"{path}.commit_duration", terms.commit_duration, minimum=1, maximum=COMMIT_DURATION_MAX
        ),
        scope_product_ids=scope_from_wire(fields, f"{path}.scope_product_ids", list(terms.scope_product_ids)),
    )


def seat_change_from_wire(request: pb.ApplySeatChangeRequest) -> SeatChangeTold:
    fields = Fields()
    fields.request_id(request.request_id)
    told = SeatChangeTold(
        customer_id=_customer_id(fields, request.customer_id),
        subscription_id=fields.text("subscription_id", request.subscription_id),
        change=SeatChange(
            effective_time=fields.time(
                "effective_time", request.effective_time, request.HasField("effective_time")
            ),
            sequence=fields.count("sequence", request.sequence, minimum=1, maximum=INT64_MAX),
            seat_change_id=fields.text("seat_change_id", request.seat_change_id),
            quantity_delta=_delta(fields, request.quantity_delta),
        ),
    )
    fields.check()
    return told


def seat_change_to_wire(added: Sequence[ScheduleCredits]) -> pb.ApplySeatChangeResponse:
    return pb.ApplySeatChangeResponse(credits=[_credits_to_wire(one) for one in added])


def preview_from_wire(request: pb.PreviewSeatChangeRequest) -> SeatChangeTold:
    fields = Fields()
    told = SeatChangeTold(
        customer_id=_customer_id(fields, request.customer_id),
        subscription_id=fields.text("subscription_id", request.subscription_id),
        change=SeatChange(
            effective_time=fields.time(
                "effective_time", request.effective_time, request.HasField("effective_time")
            ),
            # Behind every change received so far.
            sequence=INT64_MAX,
            seat_change_id="",
            quantity_delta=_delta(fields, request.quantity_delta),
        ),
    )
    fields.check()
    return told


def preview_to_wire(credits: Sequence[ScheduleCredits]) -> pb.PreviewSeatChangeResponse:
    return pb.PreviewSeatChangeResponse(credits=[_credits_to_wire(one) for one in credits])


def watch_from_wire(request: pb.WatchThresholdRequest) -> WatchTold:
    fields = Fields()
    fields.request_id(request.request_id)
    kind = fields.choice("watch_kind", request.watch_kind, _WATCH_KINDS)
    is_spend = kind is WatchKind.SPEND
    told = WatchTold(
        watch=Watch(
            alert_id=fields.text("alert_id", request.alert_id),
            version=_version(fields, request.version),
            kind=kind,
            customer_id=_customer_id(fields, request.customer_id) if request.customer_id else None,
            credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
            threshold=Credits(fields.micros("threshold_micros", request.threshold_micros)),
            group_key=fields.text("group_key", request.group_key, required=is_spend),
            group_value=fields.text("group_value", request.group_value, required=False),
        ),
        is_active=request.is_active,
    )
    fields.check()
    return told


def _credits_to_wire(one: ScheduleCredits) -> pb.ScheduleCredits:
    return pb.ScheduleCredits(
        grant_schedule_id=one.schedule_id, credit_type_id=one.credit_type_id, amount_micros=one.amount.micros
    )


def _customer_id(fields: Fields, value: str) -> CustomerId:
    return CustomerId(fields.text("customer_id", value))


def _version(fields: Fields, value: int) -> int:
    return fields.count("version", value, minimum=1, maximum=INT64_MAX)


def _delta(fields: Fields, value: int) -> int:
    if value == 0:
        fields.add("quantity_delta", "must not be 0")
    return fields.count("quantity_delta", value, minimum=-SEATS_MAX, maximum=SEATS_MAX)
