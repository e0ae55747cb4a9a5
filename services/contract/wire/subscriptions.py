# SPDX-License-Identifier: Apache-2.0
"""Subscriptions on the wire: their terms, and how they are now."""

from typing import Final

from meshkit.rpc.fields import Fields, optional_timestamp
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.billing.price import Rounding
from services.contract.domain.billing.rhythm import INTERVAL_COUNT_MAX
from services.contract.domain.commands.contracts import SubscriptionTerms
from services.contract.domain.contract import (
    BillingFrequency,
    CollectionSchedule,
    SeatInvoicing,
    SeatProration,
    SubscriptionNow,
)
from services.contract.domain.ids import ProductId
from services.contract.domain.seats.naming import NamedSeats
from services.contract.domain.seats.timeline import SEATS_MAX
from services.contract.wire.seat_names import named_from_wire, seat_ids_from_wire, shared_pool_to_wire
from services.contract.wire.values import by_number, default, money_to_wire, optional_time, period_to_wire

_BILLING_FREQUENCIES: Final = {
    BillingFrequency.WEEKLY: pb.BILLING_FREQUENCY_WEEKLY,
    BillingFrequency.MONTHLY: pb.BILLING_FREQUENCY_MONTHLY,
    BillingFrequency.QUARTERLY: pb.BILLING_FREQUENCY_QUARTERLY,
    BillingFrequency.ANNUAL: pb.BILLING_FREQUENCY_ANNUAL,
}
_COLLECTION_SCHEDULES: Final = {
    CollectionSchedule.ADVANCE: pb.COLLECTION_SCHEDULE_ADVANCE,
    CollectionSchedule.ARREARS: pb.COLLECTION_SCHEDULE_ARREARS,
}
_INVOICINGS: Final = {
    SeatInvoicing.BILL_IMMEDIATELY: pb.SEAT_INVOICING_BILL_IMMEDIATELY,
    SeatInvoicing.BILL_ON_NEXT_COLLECTION_DATE: pb.SEAT_INVOICING_BILL_ON_NEXT_COLLECTION_DATE,
}
_ROUNDINGS: Final = {
    Rounding.HALF_UP: pb.ROUNDING_HALF_UP,
    Rounding.FLOOR: pb.ROUNDING_FLOOR,
    Rounding.CEILING: pb.ROUNDING_CEILING,
}
_QUANTITY_MANAGEMENTS: Final[dict[int, str]] = {
    pb.QUANTITY_MANAGEMENT_QUANTITY_ONLY: "QUANTITY_ONLY",
    pb.QUANTITY_MANAGEMENT_SEAT_BASED: "SEAT_BASED",
}


def terms_from_wire(fields: Fields, path: str, terms: pb.SubscriptionTerms) -> SubscriptionTerms:
    default(fields, f"{path}.quantity_management", terms.quantity_management, _QUANTITY_MANAGEMENTS)
    frequency = fields.choice(
        f"{path}.billing_frequency", terms.billing_frequency, by_number(_BILLING_FREQUENCIES)
    )
    collection_schedule = default(
        fields, f"{path}.collection_schedule", terms.collection_schedule, by_number(_COLLECTION_SCHEDULES)
    )
    return SubscriptionTerms(
        product_id=ProductId(fields.text(f"{path}.product_id", terms.product_id)),
        billing_frequency=frequency,
        interval_count=fields.count(
            f"{path}.interval_count",
            terms.interval_count or 1,
            minimum=1,
            maximum=INTERVAL_COUNT_MAX[frequency],
        ),
        anchor_time=optional_time(
            fields, f"{path}.anchor_time", terms.anchor_time, terms.HasField("anchor_time")
        ),
        anchor_day=_anchor_day(fields, f"{path}.anchor_day", terms),
        collection_schedule=collection_schedule,
        initial_quantity=fields.count(
            f"{path}.initial_quantity", terms.initial_quantity, minimum=0, maximum=SEATS_MAX
        ),
        proration=_proration(fields, f"{path}.proration", terms.proration, collection_schedule),
        named=_named(fields, path, terms),
        initial_seat_ids=seat_ids_from_wire(fields, f"{path}.initial_seat_ids", terms.initial_seat_ids),
    )


def subscription_terms_to_wire(terms: SubscriptionTerms) -> pb.SubscriptionTerms:
    """Return terms without the seat ids, which may be many."""
    named = terms.named
    return pb.SubscriptionTerms(
        product_id=terms.product_id,
        billing_frequency=_BILLING_FREQUENCIES[terms.billing_frequency],
        collection_schedule=_COLLECTION_SCHEDULES[terms.collection_schedule],
        quantity_management=_quantity_management(named),
        initial_quantity=terms.initial_quantity,
        proration=_proration_to_wire(terms.proration),
        interval_count=terms.interval_count,
        anchor_time=optional_timestamp(terms.anchor_time),
        anchor_day=terms.anchor_day,
        seat_group_key="" if named is None else named.seat_group_key,
        shared_pool=None if named is None else shared_pool_to_wire(named.shared_pool),
    )


def subscription_to_wire(now: SubscriptionNow) -> pb.Subscription:
    subscription = now.subscription
    named = subscription.named
    return pb.Subscription(
        subscription_id=subscription.subscription_id,
        product_id=subscription.product_id,
        billing_frequency=_BILLING_FREQUENCIES[subscription.billing_frequency],
        collection_schedule=_COLLECTION_SCHEDULES[subscription.collection_schedule],
        quantity_management=_quantity_management(named),
        quantity=now.quantity,
        proration=_proration_to_wire(subscription.proration),
        unit_price=money_to_wire(now.unit_price),
        current_period=period_to_wire(now.current_period),
        interval_count=subscription.interval_count,
        anchor_time=optional_timestamp(subscription.anchor_time),
        seat_group_key="" if named is None else named.seat_group_key,
        shared_pool=None if named is None else shared_pool_to_wire(named.shared_pool),
        assigned_quantity=now.assigned_quantity,
    )


def _quantity_management(named: NamedSeats | None) -> pb.QuantityManagement:
    return pb.QUANTITY_MANAGEMENT_QUANTITY_ONLY if named is None else pb.QUANTITY_MANAGEMENT_SEAT_BASED


def _proration_to_wire(proration: SeatProration) -> pb.SeatProration:
    return pb.SeatProration(
        is_prorated=proration.is_prorated,
        invoicing=_INVOICINGS[proration.invoicing],
        rounding=_ROUNDINGS[proration.rounding],
    )


def _named(fields: Fields, path: str, terms: pb.SubscriptionTerms) -> NamedSeats | None:
    if terms.quantity_management == pb.QUANTITY_MANAGEMENT_SEAT_BASED:
        return named_from_wire(fields, f"{path}.", terms.seat_group_key, terms.shared_pool)
    given = {
        "seat_group_key": bool(terms.seat_group_key),
        "initial_seat_ids": bool(terms.initial_seat_ids),
        "shared_pool": terms.HasField("shared_pool"),
    }
    for name, is_given in given.items():
        if is_given:
            fields.add(f"{path}.{name}", "must be left out unless quantity_management is SEAT_BASED")
    return None


def _anchor_day(fields: Fields, field: str, terms: pb.SubscriptionTerms) -> int | None:
    if not terms.HasField("anchor_day"):
        return None
    if terms.billing_frequency == pb.BILLING_FREQUENCY_WEEKLY:
        fields.add(field, "must be left out for WEEKLY, which has no day of the month; set anchor_time")
    return fields.count(field, terms.anchor_day, minimum=1, maximum=31)


def _proration(
    fields: Fields, path: str, proration: pb.SeatProration, collection_schedule: CollectionSchedule
) -> SeatProration:
    invoicing = default(fields, f"{path}.invoicing", proration.invoicing, by_number(_INVOICINGS))
    if collection_schedule is CollectionSchedule.ARREARS:
        if proration.invoicing == pb.SEAT_INVOICING_BILL_IMMEDIATELY:
            fields.add(f"{path}.invoicing", "must not be BILL_IMMEDIATELY in arrears")
        invoicing = SeatInvoicing.BILL_ON_NEXT_COLLECTION_DATE
    return SeatProration(
        is_prorated=proration.is_prorated,
        invoicing=invoicing,
        rounding=default(fields, f"{path}.rounding", proration.rounding, by_number(_ROUNDINGS)),
    )
