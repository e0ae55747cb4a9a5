# SPDX-License-Identifier: Apache-2.0
"""Contracts to sign: subscriptions and recurring credits."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from meshkit.quantity import MICROS
from meshkit.rpc.fields import optional_timestamp, timestamp
from purser.contract.v1 import contract_pb2 as pb
from services.edge.wire.amounts import USD_ID, credit_type_id_from_json, micros_from_json
from services.edge.wire.contracts.terms import (
    ALLOCATIONS,
    BILLING_FREQUENCIES,
    COLLECTION_SCHEDULES,
    GRANT_FREQUENCIES,
    PERIOD_PRORATIONS,
    QUANTITY_MANAGEMENTS,
    ROUNDINGS,
    SEAT_INVOICINGS,
    BillingFrequency,
    GrantFrequency,
)
from services.edge.wire.fields import (
    UPPER,
    Body,
    Instant,
    Number,
    Whole,
    limit_of,
    one_violation,
    only,
    refused,
)

_LATER = "add it with /v2/contracts/edit, once the contract is signed"
_NO_TAGS = "name products by their ids"


class Rounding(Body):
    rounding_method: Annotated[Literal["HALF_UP", "FLOOR", "CEILING"], UPPER]
    decimal_places: Annotated[Whole, only(0, "money is rounded to its smallest unit")] = 0


class Proration(Body):
    is_prorated: bool = False
    invoice_behavior: Annotated[Literal["BILL_IMMEDIATELY", "BILL_ON_NEXT_COLLECTION_DATE"], UPPER] | None = (
        None
    )
    rounding: Rounding | None = None


class SubscriptionRate(Body):
    product_id: str
    billing_frequency: BillingFrequency


class BillingCycle(Body):
    anchor_date: Instant | None = None
    invoice_placement: (
        Annotated[
            Literal["ON_SCHEDULED_INVOICE", "ON_USAGE_INVOICE"],
            UPPER,
            only("ON_SCHEDULED_INVOICE", "seats have invoices of their own"),
        ]
        | None
    ) = None


class SeatConfig(Body):
    seat_group_key: str
    initial_seat_ids: tuple[str, ...] = ()
    initial_unassigned_seats: Whole = 0


class Subscription(Body):
    ignores: ClassVar[frozenset[str]] = frozenset({"name"})

    subscription_rate: SubscriptionRate
    collection_schedule: Annotated[Literal["ADVANCE", "ARREARS"], UPPER]
    proration: Proration = Proration()
    initial_quantity: Whole | None = None
    quantity_management_mode: Annotated[Literal["QUANTITY_ONLY", "SEAT_BASED"], UPPER] | None = None
    seat_config: SeatConfig | None = None
    billing_cycle_config: BillingCycle = BillingCycle()
    temporary_id: str = ""
    starting_at: Instant | None = None
    ending_before: Instant | None = None


class SeatIncrease(Body):
    is_prorated: bool = False


class SubscriptionConfig(Body):
    subscription_id: str
    allocation: Annotated[Literal["POOLED", "INDIVIDUAL"], UPPER] = "POOLED"
    apply_seat_increase_config: SeatIncrease


class AccessAmount(Body):
    unit_price: Number
    quantity: Number | None = None
    credit_type_id: str = USD_ID


class CommitDuration(Body):
    value: Whole
    unit: Annotated[Literal["PERIODS"], UPPER] = "PERIODS"


class RecurringCredit(Body):
    ignores: ClassVar[frozenset[str]] = frozenset({"name", "temporary_id"})

    product_id: str
    access_amount: AccessAmount
    commit_duration: CommitDuration
    priority: Whole
    starting_at: Instant
    ending_before: Instant | None = None
    recurrence_frequency: GrantFrequency = "MONTHLY"
    proration: Annotated[Literal["NONE", "FIRST", "LAST", "FIRST_AND_LAST"], UPPER] = "FIRST_AND_LAST"
    rollover_fraction: Number | None = None
    subscription_config: SubscriptionConfig | None = None
    applicable_product_ids: tuple[str, ...] = ()
    applicable_product_tags: Annotated[None, refused(_NO_TAGS)] = None
    rate_type: Annotated[Literal["LIST_RATE"], UPPER] = "LIST_RATE"


class UsageStatements(Body):
    frequency: Annotated[Literal["MONTHLY"], UPPER]
    day: Annotated[Literal["FIRST_OF_MONTH", "CONTRACT_START"], UPPER] = "CONTRACT_START"


class CreateContract(Body):
    customer_id: str
    starting_at: Instant
    ending_before: Instant | None = None
    name: str = ""
    rate_card_id: str
    subscriptions: tuple[Subscription, ...] = ()
    recurring_credits: tuple[RecurringCredit, ...] = ()
    usage_statement_schedule: UsageStatements | None = None
    uniqueness_key: str = ""
    rate_card_alias: Annotated[None, refused("give rate_card_id")] = None
    commits: Annotated[None, refused(_LATER)] = None
    credits: Annotated[None, refused(_LATER)] = None
    prepaid_balance_threshold_configuration: Annotated[
        None, refused("AutoTopUpService.SetAutoTopUp buys packs when credits run low")
    ] = None
    spend_threshold_configuration: Annotated[None, refused("SetOveragePolicy caps what is billed later")] = (
        None
    )


class ContractOf(Body):
    """Names a contract of a customer."""

    ignores: ClassVar[frozenset[str]] = frozenset({"include_archived"})

    customer_id: str
    contract_id: str
    include_balance: bool = False
    include_ledgers: bool = False
    as_of_date: Annotated[None, refused("contracts are shown as they are now")] = None


class ListContracts(Body):
    ignores: ClassVar[frozenset[str]] = frozenset({"include_archived"})

    customer_id: str
    cursor: str = ""
    limit: Annotated[Whole, limit_of(20)] = 20
    covering_date: Instant | None = None
    starting_at: Instant | None = None
    include_balance: bool = False
    include_ledgers: bool = False


class UpdateEndDate(Body):
    customer_id: str
    contract_id: str
    ending_before: Instant | None = None
    allow_ending_before_finalized_invoice: bool = False


def contract_from_json(body: CreateContract, request_id: str) -> pb.CreateContractRequest:
    _require_statements_from_start(body)
    indexes = {one.temporary_id: at for at, one in enumerate(body.subscriptions) if one.temporary_id}
    return pb.CreateContractRequest(
        request_id=request_id,
        customer=body.customer_id,
        name=body.name,
        rate_card_id=body.rate_card_id,
        start_time=timestamp(body.starting_at),
        end_time=optional_timestamp(body.ending_before),
        subscriptions=[
            _subscription_from_json(one, body, f"subscriptions[{at}]")
            for at, one in enumerate(body.subscriptions)
        ],
        grant_schedules=[
            _schedule_from_json(one, body, indexes, f"recurring_credits[{at}]")
            for at, one in enumerate(body.recurring_credits)
        ],
    )


def _require_statements_from_start(body: CreateContract) -> None:
    schedule = body.usage_statement_schedule
    if schedule is not None and schedule.day == "FIRST_OF_MONTH" and body.starting_at.day != 1:
        raise one_violation(
            "usage_statement_schedule.day",
            "must be CONTRACT_START: usage periods begin on the day of the start",
        )


def _subscription_from_json(one: Subscription, body: CreateContract, field: str) -> pb.SubscriptionTerms:
    _require_same_span(one, body, field)
    seats = one.seat_config
    terms = pb.SubscriptionTerms(
        product_id=one.subscription_rate.product_id,
        billing_frequency=BILLING_FREQUENCIES[one.subscription_rate.billing_frequency],
        collection_schedule=COLLECTION_SCHEDULES[one.collection_schedule],
        initial_quantity=one.initial_quantity or 0,
        anchor_time=optional_timestamp(one.billing_cycle_config.anchor_date),
        proration=_proration_from_json(one.proration),
    )
    if one.quantity_management_mode is not None:
        terms.quantity_management = QUANTITY_MANAGEMENTS[one.quantity_management_mode]
    if seats is not None:
        terms.seat_group_key = seats.seat_group_key
        terms.initial_seat_ids.extend(seats.initial_seat_ids)
        terms.initial_quantity = len(seats.initial_seat_ids) + seats.initial_unassigned_seats
    return terms


def _require_same_span(one: Subscription | RecurringCredit, body: CreateContract, field: str) -> None:
    if one.starting_at not in (None, body.starting_at):
        raise one_violation(f"{field}.starting_at", "must be that of the contract")
    if one.ending_before not in (None, body.ending_before):
        raise one_violation(f"{field}.ending_before", "must be that of the contract")


def _proration_from_json(proration: Proration) -> pb.SeatProration:
    made = pb.SeatProration(is_prorated=proration.is_prorated)
    if proration.invoice_behavior is not None:
        made.invoicing = SEAT_INVOICINGS[proration.invoice_behavior]
    if proration.rounding is not None:
        made.rounding = ROUNDINGS[proration.rounding.rounding_method]
    return made


def _schedule_from_json(
    one: RecurringCredit, body: CreateContract, indexes: Mapping[str, int], field: str
) -> pb.GrantScheduleTerms:
    _require_same_span(one, body, field)
    credit_type_id = credit_type_id_from_json(one.access_amount.credit_type_id)
    quantity = Decimal(1) if one.access_amount.quantity is None else one.access_amount.quantity
    amount = f"{field}.access_amount.unit_price"
    terms = pb.GrantScheduleTerms(
        product_id=one.product_id,
        credit_type_id=credit_type_id,
        unit_amount_micros=micros_from_json(amount, one.access_amount.unit_price * quantity, credit_type_id),
        frequency=GRANT_FREQUENCIES[one.recurrence_frequency],
        priority=one.priority,
        period_proration=PERIOD_PRORATIONS[one.proration],
        commit_duration=one.commit_duration.value,
        scope_product_ids=one.applicable_product_ids,
    )
    config = one.subscription_config
    if config is not None:
        if config.subscription_id not in indexes:
            raise one_violation(
                f"{field}.subscription_config.subscription_id",
                "must be the temporary_id of a subscription here",
            )
        if one.access_amount.quantity is not None:
            raise one_violation(
                f"{field}.access_amount.quantity", "must be left out: the seats are the quantity"
            )
        terms.subscription_index = indexes[config.subscription_id]
        terms.allocation = ALLOCATIONS[config.allocation]
        terms.prorates_increases = config.apply_seat_increase_config.is_prorated
    if one.rollover_fraction is not None:
        terms.rollover.fraction_millionths = int(one.rollover_fraction * MICROS)
    return terms


def is_covered(contract: pb.Contract, body: ListContracts) -> bool:
    """Whether a list of contracts with these filters shows the contract."""
    zone = None if body.covering_date is None else body.covering_date.tzinfo
    start = contract.start_time.ToDatetime(tzinfo=zone)
    covers = body.covering_date is None or (
        start <= body.covering_date
        and (
            not contract.HasField("end_time")
            or contract.end_time.ToDatetime(tzinfo=zone) > body.covering_date
        )
    )
    from_start = (
        body.starting_at is None
        or contract.start_time.ToDatetime(tzinfo=body.starting_at.tzinfo) >= body.starting_at
    )
    return covers and from_start
