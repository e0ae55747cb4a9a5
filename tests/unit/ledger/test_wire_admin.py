# SPDX-License-Identifier: Apache-2.0
"""What operators and the other services may send to the Ledger, and what they get back."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.errors import InvalidFields
from meshkit.period import Cadence, Period
from meshkit.quantity import INT64_MAX, Credits, Quantity, Ratio
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.entry import Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import CustomerId, GrantId, GrantKind, ProductId
from services.ledger.domain.credits.schedule import GrantFrequency, PeriodProration, Rollover
from services.ledger.domain.credits.verification import Discrepancy, Verification
from services.ledger.domain.crossings.watch import WatchKind
from services.ledger.domain.gate.decision import CREDITS_MAX
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.gate.spend_cap import CustomerSpendCap
from services.ledger.domain.gate.windows import CapWindow
from services.ledger.domain.rating.metric import Aggregation
from services.ledger.domain.rating.price import FlatPrice
from services.ledger.domain.usage.summary import SummaryWindow, UsageRow
from services.ledger.wire.copies import alert, catalog, contract
from services.ledger.wire.credits import grants, reports
from services.ledger.wire.gate import caps
from tests.unit.ledger.builders import (
    ACME,
    AI,
    ASSISTANT,
    AUGUST,
    JULY,
    JUNE,
    a_cap,
    a_grant,
    a_price,
    fields_refused,
    when,
)

ZERO = Timestamp()
# Those that Alert may watch.
ALERT_KINDS = set(WatchKind) - {WatchKind.TOP_UP_LEVEL}
TOO_LONG = "x" * 201


def a_top_up(**more: Any) -> admin.IssueGrantRequest:
    told: dict[str, Any] = {
        "request_id": "r1",
        "customer": "acme",
        "credit_type_id": AI,
        "grant_kind": pb.GRANT_KIND_TOP_UP,
        "amount_micros": 1,
    }
    return admin.IssueGrantRequest(**(told | more))


def some_terms(**more: Any) -> peer_pb.ScheduleTerms:
    told: dict[str, Any] = {
        "grant_schedule_id": "sch_1",
        "product_id": "prd_included",
        "credit_type_id": AI,
        "unit_amount_micros": 100_000_000,
        "subscription_id": "sub_1",
        "frequency": peer_pb.GRANT_FREQUENCY_MONTHLY,
        "anchor_time": timestamp(JUNE),
        "priority": 1,
        "prorates_increases": True,
        "period_proration": peer_pb.PERIOD_PRORATION_FIRST_AND_LAST,
        "commit_duration": 1,
    }
    return peer_pb.ScheduleTerms(**(told | more))


def some_edition(**more: Any) -> peer_pb.ScheduleEdition:
    told: dict[str, Any] = {
        "effective_time": timestamp(JULY),
        "unit_amount_micros": 50_000_000,
        "priority": 1,
        "period_proration": peer_pb.PERIOD_PRORATION_NONE,
        "commit_duration": 1,
    }
    return peer_pb.ScheduleEdition(**(told | more))


def a_contract(*terms: peer_pb.ScheduleTerms, **more: Any) -> peer_pb.ApplyContractRequest:
    told: dict[str, Any] = {
        "request_id": "r1",
        "customer_id": ACME,
        "contract_id": "con_1",
        "version": 1,
        "rate_card_id": "rcd_1",
        "start_time": timestamp(JUNE),
        "subscriptions": [peer_pb.SubscriptionSeats(subscription_id="sub_1", initial_quantity=4)],
        "grant_schedules": terms,
    }
    return peer_pb.ApplyContractRequest(**(told | more))


def a_usage_rate(**more: Any) -> peer_pb.UsageRate:
    told: dict[str, Any] = {
        "rate_id": "rat_1",
        "product_id": ASSISTANT,
        "credit_type_id": AI,
        "price_micros": 12,
        "per_micros": 1,
        "effective_time": timestamp(JUNE),
    }
    return peer_pb.UsageRate(**(told | more))


def a_card(*rates: peer_pb.UsageRate) -> peer_pb.ApplyRateCardRequest:
    return peer_pb.ApplyRateCardRequest(request_id="r1", rate_card_id="rcd_1", version=1, rates=rates)


def a_metric(**more: Any) -> peer_pb.ApplyMetricsRequest:
    told: dict[str, Any] = {
        "request_id": "r1",
        "product_id": ASSISTANT,
        "version": 1,
        "name": "Assistant",
        "billable_metric_id": "met_1",
        "event_type": "assistant",
        "aggregation": peer_pb.AGGREGATION_COUNT,
    }
    return peer_pb.ApplyMetricsRequest(**(told | more))


def a_seat_change_request(**more: Any) -> peer_pb.ApplySeatChangeRequest:
    told: dict[str, Any] = {
        "request_id": "r1",
        "customer_id": ACME,
        "subscription_id": "sub_1",
        "seat_change_id": "chg_1",
        "sequence": 1,
        "effective_time": timestamp(JUNE),
        "quantity_delta": 1,
    }
    return peer_pb.ApplySeatChangeRequest(**(told | more))


def a_watch_request(**more: Any) -> peer_pb.WatchThresholdRequest:
    told: dict[str, Any] = {
        "request_id": "r1",
        "alert_id": "alr_1",
        "version": 1,
        "is_active": True,
        "watch_kind": peer_pb.WATCH_KIND_SPEND,
        "credit_type_id": AI,
        "group_key": "user_id",
    }
    return peer_pb.WatchThresholdRequest(**(told | more))


def a_summary(**more: Any) -> admin.GetUsageSummaryRequest:
    told: dict[str, Any] = {
        "customer": "acme",
        "start_time": timestamp(JUNE),
        "end_time": timestamp(JULY),
    }
    return admin.GetUsageSummaryRequest(**(told | more))


# Each row: what reads the request, a request in which everything is wrong, and the fields to be named.
ALL_WRONG: list[tuple[Callable[[Any], object], object, set[str]]] = [
    (
        grants.issue_from_wire,
        admin.IssueGrantRequest(
            cost_basis_micros=-1,
            priority=1_001,
            effective_time=ZERO,
            expire_time=ZERO,
            scope_product_ids=["", "prd_1"],
            source_id=TOO_LONG,
            product_id=" ",
        ),
        {
            *("request_id", "customer", "credit_type_id", "grant_kind", "amount_micros", "cost_basis_micros"),
            *("priority", "effective_time", "expire_time", "scope_product_ids[0]", "source_id", "product_id"),
        },
    ),
    (
        contract.customer_from_wire,
        peer_pb.ApplyCustomerRequest(aliases=["acme", ""]),
        {"request_id", "customer_id", "version", "aliases[1]"},
    ),
    (
        catalog.product_from_wire,
        peer_pb.ApplyMetricsRequest(aggregation=peer_pb.AGGREGATION_SUM, group_keys=[""]),
        {
            *("request_id", "product_id", "version", "name", "billable_metric_id", "event_type"),
            *("aggregated_property", "group_keys[0]"),
        },
    ),
    (
        catalog.rate_card_from_wire,
        peer_pb.ApplyRateCardRequest(rates=[peer_pb.UsageRate(price_micros=-1, end_time=ZERO)]),
        {
            *("request_id", "rate_card_id", "version", "rates[0].rate_id", "rates[0].product_id"),
            *("rates[0].credit_type_id", "rates[0].price_micros", "rates[0].per_micros"),
            *("rates[0].effective_time", "rates[0].end_time"),
        },
    ),
    (
        contract.contract_from_wire,
        peer_pb.ApplyContractRequest(
            end_time=ZERO,
            subscriptions=[peer_pb.SubscriptionSeats(initial_quantity=-1)],
            grant_schedules=[peer_pb.ScheduleTerms(subscription_id="sub_other", scope_product_ids=[""])],
        ),
        {
            *(
                "request_id",
                "customer_id",
                "contract_id",
                "version",
                "rate_card_id",
                "start_time",
                "end_time",
            ),
            *("subscriptions[0].subscription_id", "subscriptions[0].initial_quantity"),
            *(
                f"grant_schedules[0].{field}"
                for field in (
                    *("grant_schedule_id", "product_id", "credit_type_id", "unit_amount_micros"),
                    *("subscription_id", "frequency", "anchor_time", "priority", "period_proration"),
                    *("commit_duration", "scope_product_ids[0]"),
                )
            ),
        },
    ),
    (
        contract.seat_change_from_wire,
        peer_pb.ApplySeatChangeRequest(),
        {
            *("request_id", "customer_id", "subscription_id", "seat_change_id", "sequence", "effective_time"),
            "quantity_delta",
        },
    ),
    (
        contract.preview_from_wire,
        peer_pb.PreviewSeatChangeRequest(effective_time=ZERO, quantity_delta=1_000_001),
        {"customer_id", "subscription_id", "effective_time", "quantity_delta"},
    ),
    (
        alert.watch_from_wire,
        peer_pb.WatchThresholdRequest(threshold_micros=-1, customer_id=" ", group_value=" "),
        {
            *("request_id", "alert_id", "version", "watch_kind", "customer_id", "credit_type_id"),
            *("threshold_micros", "group_value"),
        },
    ),
    (
        alert.watch_from_wire,
        a_watch_request(group_key="", watch_kind=peer_pb.WATCH_KIND_LOW_SEAT_BALANCE),
        {"group_key"},
    ),
    (
        caps.set_from_wire,
        admin.SetSpendCapRequest(limit_micros=-1, window=99, group_value=" "),  # type: ignore[arg-type]
        {"request_id", "customer", "credit_type_id", "group_key", "group_value", "limit_micros", "window"},
    ),
    (caps.remove_from_wire, admin.RemoveSpendCapRequest(), {"request_id", "customer", "spend_cap_id"}),
    (
        caps.list_from_wire,
        admin.ListSpendCapsRequest(page_size=-1, page_token="?"),
        {"customer", "page_size", "page_token"},
    ),
    (
        reports.grants_from_wire,
        admin.ListGrantsRequest(page_size=-1, credit_type_id=" "),
        {"customer", "page_size", "credit_type_id"},
    ),
    (reports.entries_from_wire, admin.ListEntriesRequest(), {"customer", "credit_type_id"}),
    (
        reports.holds_from_wire,
        admin.ListHoldsRequest(hold_state=99),  # type: ignore[arg-type]
        {"customer", "hold_state"},
    ),
    (
        reports.usage_from_wire,
        admin.GetUsageSummaryRequest(group_key="k" * 65, window=99),  # type: ignore[arg-type]
        {"customer", "start_time", "end_time", "group_key", "window"},
    ),
    (reports.verify_from_wire, admin.VerifyLedgerRequest(customer=" "), {"customer"}),
]


@pytest.mark.parametrize(("from_wire", "request_", "fields"), ALL_WRONG)
def test_all_bad_fields_are_named_at_once(
    from_wire: Callable[[Any], object], request_: object, fields: set[str]
) -> None:
    assert fields_refused(from_wire, request_) == fields


# Each row: what reads a request, how to make one with a time in it, and what the field is called.
@pytest.mark.parametrize(
    ("from_wire", "with_time", "field"),
    [
        (grants.issue_from_wire, lambda at: a_top_up(effective_time=at), "effective_time"),
        (grants.issue_from_wire, lambda at: a_top_up(expire_time=at), "expire_time"),
        (
            catalog.rate_card_from_wire,
            lambda at: a_card(a_usage_rate(effective_time=at)),
            "rates[0].effective_time",
        ),
        (catalog.rate_card_from_wire, lambda at: a_card(a_usage_rate(end_time=at)), "rates[0].end_time"),
        (contract.contract_from_wire, lambda at: a_contract(start_time=at), "start_time"),
        (contract.contract_from_wire, lambda at: a_contract(end_time=at), "end_time"),
        (
            contract.contract_from_wire,
            lambda at: a_contract(some_terms(anchor_time=at)),
            "grant_schedules[0].anchor_time",
        ),
        (
            contract.seat_change_from_wire,
            lambda at: a_seat_change_request(effective_time=at),
            "effective_time",
        ),
        (reports.usage_from_wire, lambda at: a_summary(start_time=at), "start_time"),
    ],
)
def test_a_zero_timestamp_is_refused_wherever_a_time_is_told(
    from_wire: Callable[[Any], object], with_time: Callable[[Timestamp], object], field: str
) -> None:
    assert field in fields_refused(from_wire, with_time(ZERO))


def names_of(numbers: Iterable[int], name_of: Callable[[int], str], prefix: str) -> dict[int, str]:
    return {number: name_of(number).removeprefix(prefix) for number in numbers}


def the_choices(read: Callable[[int], Enum | None], numbers: Iterable[int]) -> dict[int, str | None]:
    """Return what each number is read as, by name; a number that is refused is left out."""
    found: dict[int, str | None] = {}
    for number in numbers:
        try:
            choice = read(number)
        except InvalidFields:
            continue
        found[number] = None if choice is None else choice.name
    return found


def frequency_of(number: Any) -> Enum:
    return contract.contract_from_wire(a_contract(some_terms(frequency=number))).schedules[0].frequency


def proration_of(number: Any) -> Enum:
    told = contract.contract_from_wire(a_contract(some_terms(period_proration=number)))
    return told.schedules[0].terms.period_proration


def aggregation_of(number: Any) -> Enum:
    aggregated = "" if number == peer_pb.AGGREGATION_COUNT else "units"
    told = catalog.product_from_wire(a_metric(aggregation=number, aggregated_property=aggregated))
    return told.product.metric.aggregation


def watch_kind_of(number: Any) -> Enum:
    within_days = 7 if number == peer_pb.WATCH_KIND_GRANT_EXPIRING else 0
    return alert.watch_from_wire(a_watch_request(watch_kind=number, within_days=within_days)).watch.kind


def cap_window_of(number: Any) -> Enum:
    request = admin.SetSpendCapRequest(
        request_id="r1", customer="acme", credit_type_id=AI, group_key="user_id", window=number
    )
    request.window_hours = 24 if number == admin.CAP_WINDOW_ROLLING else 0
    return caps.set_from_wire(request).window


def summary_window_of(number: Any) -> Enum:
    return reports.usage_from_wire(a_summary(window=number)).window


def hold_state_of(number: Any) -> Enum | None:
    return reports.holds_from_wire(admin.ListHoldsRequest(customer="acme", hold_state=number)).state


# Each row: what reads the enum, the enum on the wire, its prefix, ours, and what unspecified means; absent: refused.
@pytest.mark.parametrize(
    ("read", "wire", "prefix", "domain", "unspecified"),
    [
        (frequency_of, peer_pb.GrantFrequency, "GRANT_FREQUENCY_", GrantFrequency, {}),
        (proration_of, peer_pb.PeriodProration, "PERIOD_PRORATION_", PeriodProration, {}),
        (aggregation_of, peer_pb.Aggregation, "AGGREGATION_", Aggregation, {}),
        (watch_kind_of, peer_pb.WatchKind, "WATCH_KIND_", ALERT_KINDS, {}),
        (cap_window_of, admin.CapWindow, "CAP_WINDOW_", CapWindow, {0: "BILLING_PERIOD"}),
        (summary_window_of, admin.SummaryWindow, "SUMMARY_WINDOW_", SummaryWindow, {0: "PERIOD"}),
        (hold_state_of, admin.HoldState, "HOLD_STATE_", HoldState, {0: None}),
    ],
)
def test_every_member_of_an_enum_is_read_by_its_name_and_unknown_ones_are_refused(
    read: Callable[[int], Enum | None],
    wire: Any,
    prefix: str,
    domain: Iterable[Enum],
    unspecified: Mapping[int, str | None],
) -> None:
    specified = names_of((number for number in wire.values() if number), wire.Name, prefix)

    assert the_choices(read, [*wire.values(), 99]) == {**specified, **unspecified}
    assert set(specified.values()) == {one.name for one in domain}


def test_only_top_ups_and_promotions_can_be_issued_by_hand() -> None:
    kinds = the_choices(
        lambda number: grants.issue_from_wire(a_top_up(grant_kind=number)).kind, [*pb.GrantKind.values(), 99]
    )

    assert kinds == {pb.GRANT_KIND_TOP_UP: "TOP_UP", pb.GRANT_KIND_PROMOTIONAL: "PROMOTIONAL"}


def test_a_grant_is_issued_now_for_ever_and_behind_included_ones_unless_told_otherwise() -> None:
    plain = grants.issue_from_wire(a_top_up())
    told = grants.issue_from_wire(
        a_top_up(
            product_id="prd_pack",
            cost_basis_micros=80,
            priority=7,
            effective_time=timestamp(JUNE),
            expire_time=timestamp(JULY),
            scope_product_ids=["prd_1", "prd_2"],
            source_id="top_1",
        )
    )

    assert (plain.priority, plain.effective_time, plain.expire_time) == (100, None, None)
    assert (plain.product_id, plain.source_id, plain.scope_product_ids) == (None, None, frozenset())
    assert (told.kind, told.priority, told.cost_basis_micros) == (GrantKind.TOP_UP, 7, 80)
    assert (told.effective_time, told.expire_time) == (JUNE, JULY)
    assert told.scope_product_ids == frozenset(map(ProductId, ("prd_1", "prd_2")))
    assert told.source_id == "top_1"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"amount_micros": 0}, "amount_micros"),
        ({"amount_micros": CREDITS_MAX.micros + 1}, "amount_micros"),
        ({"priority": -1}, "priority"),
        ({"scope_product_ids": [f"prd_{n}" for n in range(51)]}, "scope_product_ids"),
    ],
)
def test_a_grant_just_out_of_bounds_is_refused(more: dict[str, Any], field: str) -> None:
    assert fields_refused(grants.issue_from_wire, a_top_up(**more)) == {field}


def test_a_grant_just_within_bounds_is_taken() -> None:
    products = [f"prd_{n}" for n in range(50)]

    told = grants.issue_from_wire(
        a_top_up(amount_micros=CREDITS_MAX.micros, priority=1_000, scope_product_ids=products)
    )

    assert (told.amount, told.priority, len(told.scope_product_ids)) == (CREDITS_MAX, 1_000, 50)


def test_a_contract_is_read_with_its_seats_and_schedules() -> None:
    told = contract.contract_from_wire(
        a_contract(
            some_terms(scope_product_ids=[ASSISTANT]),
            some_terms(subscription_id=""),
            end_time=timestamp(JULY),
        )
    )

    assert (told.customer_id, told.contract_id, told.start_time, told.end_time) == (ACME, "con_1", JUNE, JULY)
    assert [(one.subscription_id, one.initial_quantity) for one in told.subscriptions] == [("sub_1", 4)]
    per_seat, plain = told.schedules
    assert (per_seat.subscription_id, plain.subscription_id) == ("sub_1", None)
    assert (per_seat.start_time, per_seat.end_time, per_seat.anchor) == (JUNE, None, JUNE)
    assert (per_seat.terms.unit_amount, per_seat.interval_count) == (Credits.of(100), 1)
    assert per_seat.terms.scope_product_ids == frozenset({ASSISTANT})


def test_a_schedule_is_read_with_its_rhythm_its_end_its_rollover_and_its_editions_in_order() -> None:
    later = some_edition(effective_time=timestamp(AUGUST), unit_amount_micros=7)
    rollover = peer_pb.RolloverTerms(fraction_millionths=500_000, cap_micros=9, duration=60)
    terms = some_terms(
        frequency=peer_pb.GRANT_FREQUENCY_WEEKLY,
        interval_count=2,
        end_time=timestamp(JULY),
        commit_duration=60,
        rollover=rollover,
        editions=[later, some_edition()],
    )

    [told] = contract.contract_from_wire(a_contract(terms)).schedules

    assert told.cadence == Cadence(days=14)
    assert told.end_time == JULY
    assert told.terms.rollover == Rollover(fraction_millionths=500_000, cap=Credits(9), duration=60)
    assert [(one.effective_time, one.terms.unit_amount, one.terms.rollover) for one in told.editions] == [
        (JULY, Credits.of(50), None),
        (AUGUST, Credits(7), None),
    ]


def test_neither_a_schedule_nor_an_edition_of_it_has_bad_terms() -> None:
    bad = some_terms(
        interval_count=2,
        commit_duration=61,  # 2 × 61 is more than 120
        rollover=peer_pb.RolloverTerms(fraction_millionths=1_000_001, cap_micros=-1, duration=61),
        editions=[peer_pb.ScheduleEdition(rollover=peer_pb.RolloverTerms())],
    )
    many = some_terms(interval_count=121, editions=101 * [some_edition()])

    assert fields_refused(contract.contract_from_wire, a_contract(bad, many)) == {
        *(f"grant_schedules[0].{field}" for field in ("commit_duration", "rollover.duration")),
        *(f"grant_schedules[0].rollover.{field}" for field in ("fraction_millionths", "cap_micros")),
        *(
            f"grant_schedules[0].editions[0].{field}"
            for field in (
                *("effective_time", "unit_amount_micros", "priority", "period_proration", "commit_duration"),
                *("rollover.fraction_millionths", "rollover.duration"),
            )
        ),
        *("grant_schedules[1].interval_count", "grant_schedules[1].editions"),
    }


def test_a_contract_cannot_end_before_it_starts() -> None:
    late = a_contract(start_time=timestamp(JULY), end_time=timestamp(JUNE))

    assert fields_refused(contract.contract_from_wire, late) == {"end_time"}


def test_rates_are_read_as_exact_ratios() -> None:
    told = catalog.rate_card_from_wire(a_card(a_usage_rate(end_time=timestamp(JULY))))

    assert [(one.price, one.effective_time, one.end_time) for one in told.rates] == [
        (FlatPrice(Ratio(12, 1)), JUNE, JULY)
    ]


def test_a_seat_change_is_read_and_one_previewed_comes_behind_all_there_are() -> None:
    told = contract.seat_change_from_wire(a_seat_change_request(quantity_delta=-3, sequence=7))
    previewed = contract.preview_from_wire(
        peer_pb.PreviewSeatChangeRequest(
            customer_id=ACME, subscription_id="sub_1", effective_time=timestamp(JUNE), quantity_delta=1
        )
    )

    assert (told.change.quantity_delta, told.change.sequence, told.change.effective_time) == (-3, 7, JUNE)
    assert previewed.change.sequence == INT64_MAX


@pytest.mark.parametrize("delta", [0, 1_000_001, -1_000_001])
def test_a_seat_change_changes_something_and_not_too_much(delta: int) -> None:
    request = a_seat_change_request(quantity_delta=delta)

    assert fields_refused(contract.seat_change_from_wire, request) == {"quantity_delta"}


def test_a_seat_change_may_be_a_count_and_say_when_it_was_accepted() -> None:
    told = contract.seat_change_from_wire(
        a_seat_change_request(quantity_delta=0, new_quantity=0, accept_time=timestamp(JUNE))
    )

    assert (told.change.quantity_delta, told.change.new_quantity) == (0, 0)
    assert told.change.accept_time == JUNE
    assert contract.seat_change_from_wire(a_seat_change_request()).change.accept_time is None


@pytest.mark.parametrize("count", [-1, 1_000_001])
def test_a_count_of_seats_is_neither_negative_nor_too_large(count: int) -> None:
    request = a_seat_change_request(quantity_delta=0, new_quantity=count)

    assert fields_refused(contract.seat_change_from_wire, request) == {"new_quantity"}


def test_a_seat_change_is_either_a_difference_or_a_count() -> None:
    both = a_seat_change_request(quantity_delta=1, new_quantity=5)

    assert fields_refused(contract.seat_change_from_wire, both) == {"quantity_delta"}


def test_a_watch_on_nobody_in_particular_is_on_everybody() -> None:
    everybody = alert.watch_from_wire(a_watch_request())
    somebody = alert.watch_from_wire(a_watch_request(customer_id=ACME, group_value="ann", is_active=False))

    assert (everybody.watch.customer_id, everybody.watch.group_value, everybody.is_active) == (None, "", True)
    assert (somebody.watch.customer_id, somebody.watch.group_value, somebody.is_active) == (
        ACME,
        "ann",
        False,
    )


def test_a_filter_says_there_one_of_or_none_of() -> None:
    told = catalog.product_from_wire(
        a_metric(
            filters=[
                peer_pb.PropertyFilter(property="model", exists=True),
                peer_pb.PropertyFilter(property="model", in_values=["a", "b"]),
                peer_pb.PropertyFilter(property="model", not_in_values=["c"]),
            ]
        )
    )

    assert [(one.values, one.is_negated) for one in told.product.metric.filters] == [
        ((), False),
        (("a", "b"), False),
        (("c",), True),
    ]


# Each row: window, length of the span asked for, and whether that is too long.
@pytest.mark.parametrize(
    ("window", "length", "is_refused"),
    [
        (admin.SUMMARY_WINDOW_DAY, timedelta(days=400), False),
        (admin.SUMMARY_WINDOW_DAY, timedelta(days=400, microseconds=1), True),
        (admin.SUMMARY_WINDOW_HOUR, timedelta(days=32), False),
        (admin.SUMMARY_WINDOW_HOUR, timedelta(days=32, microseconds=1), True),
        (admin.SUMMARY_WINDOW_PERIOD, timedelta(microseconds=1), False),
        (admin.SUMMARY_WINDOW_PERIOD, timedelta(0), True),
    ],
)
def test_a_summary_is_of_a_span_that_is_not_empty_and_not_too_long(
    window: Any, length: timedelta, is_refused: bool
) -> None:
    request = a_summary(window=window, end_time=timestamp(JUNE + length))

    if is_refused:
        assert fields_refused(reports.usage_from_wire, request) == {"end_time"}
    else:
        assert reports.usage_from_wire(request).span == Period(JUNE, JUNE + length)


@pytest.mark.parametrize(
    ("window", "hours", "is_refused"),
    [
        (admin.CAP_WINDOW_ROLLING, 0, True),
        (admin.CAP_WINDOW_ROLLING, 1, False),
        (admin.CAP_WINDOW_ROLLING, 168, False),
        (admin.CAP_WINDOW_ROLLING, 169, True),
        (admin.CAP_WINDOW_WEEK, 1, True),
        (admin.CAP_WINDOW_WEEK, 0, False),
    ],
)
def test_a_rolling_window_has_1_to_168_hours_and_no_other_has_any(
    window: Any, hours: int, is_refused: bool
) -> None:
    request = admin.SetSpendCapRequest(
        request_id="r1",
        customer="acme",
        credit_type_id=AI,
        group_key="user_id",
        window=window,
        window_hours=hours,
    )

    if is_refused:
        assert fields_refused(caps.set_from_wire, request) == {"window_hours"}
    else:
        assert caps.set_from_wire(request).hours == hours


@pytest.mark.parametrize("window", CapWindow)
def test_a_cap_is_told_as_it_was_set(window: CapWindow) -> None:
    sent = caps.set_to_wire(CustomerSpendCap(ACME, a_cap(5, user="ann", window=window))).spend_cap

    assert (sent.customer_id, sent.group_key, sent.group_value) == (ACME, "user_id", "ann")
    assert (sent.limit_micros, admin.CapWindow.Name(sent.window)) == (5_000_000, f"CAP_WINDOW_{window.name}")


@pytest.mark.parametrize("kind", EntryKind)
def test_every_kind_of_entry_is_told_by_its_name(kind: EntryKind) -> None:
    asked, credit_type_id = reports.entries_from_wire(
        admin.ListEntriesRequest(customer="acme", credit_type_id=AI)
    )
    entry = Entry(
        sequence=3,
        kind=kind,
        grant_id=GrantId("grt_1"),
        amount=Credits(-5),
        shortfall=Credits(0),
        effective_time=JUNE,
        create_time=JULY,
        cause_id="req-1",
        usage=Usage(
            product_id=ASSISTANT,
            contract_id="con_1",
            group_values={"user_id": "ann"},
            hold_id="hld_1",
            quantity=Quantity(7),
        ),
    )

    (sent,) = reports.entries_to_wire([entry], asked, credit_type_id).entries

    assert admin.EntryKind.Name(sent.entry_kind) == f"ENTRY_KIND_{kind.name}"
    assert (sent.sequence, sent.amount_micros, sent.hold_id, dict(sent.group_values)) == (
        3,
        -5,
        "hld_1",
        {"user_id": "ann"},
    )
    assert (sent.effective_time, sent.create_time) == (timestamp(JUNE), timestamp(JULY))
    assert (sent.contract_id, sent.quantity_micros) == ("con_1", 7)


# Each row: the state a hold is stored in, when it is looked at, and what is told.
@pytest.mark.parametrize(
    ("state", "at", "told"),
    [
        (HoldState.HELD, when("06-01 00:04:59.999999"), "HELD"),
        (HoldState.HELD, when("06-01 00:05"), "EXPIRED"),
        (HoldState.EXPIRED, when("06-02"), "EXPIRED"),
        (HoldState.CAPTURED, when("06-02"), "CAPTURED"),
        (HoldState.RELEASED, when("06-02"), "RELEASED"),
    ],
)
def test_a_hold_is_told_in_the_state_that_the_clock_says(state: HoldState, at: datetime, told: str) -> None:
    asked = reports.holds_from_wire(admin.ListHoldsRequest(customer="acme"))
    hold = Hold(
        hold_id=HoldId("hld_1"),
        product_id=ASSISTANT,
        contract_id="con_1",
        anchor=JUNE,
        price=a_price(),
        group_values={"user_id": "ann"},
        counted_group_values={},
        state=state,
        draws=(Draw(GrantId("grt_1"), Credits(3)), Draw(GrantId("grt_2"), Credits(4))),
        create_time=JUNE,
        expire_time=when("06-01 00:05"),
    )

    (sent,) = reports.holds_to_wire([(AI, hold, "app")], asked, at=at).holds

    assert admin.HoldState.Name(sent.hold_state) == f"HOLD_STATE_{told}"
    assert (sent.amount_micros, dict(sent.group_values)) == (7, {"user_id": "ann"})


def test_a_page_tells_of_the_next_one_only_if_there_is_one() -> None:
    rows = [(AI, a_grant(grant_id="grt_1")), (AI, a_grant(grant_id="grt_2"))]
    one_by_one = reports.grants_from_wire(admin.ListGrantsRequest(customer="acme", page_size=1))

    first = reports.grants_to_wire(rows, one_by_one, at=JUNE)
    second_asked = reports.grants_from_wire(
        admin.ListGrantsRequest(customer="acme", page_size=1, page_token=first.next_page_token)
    )
    second = reports.grants_to_wire(rows[1:], second_asked, at=JUNE)

    assert [grant.grant_id for grant in first.grants] == ["grt_1"]
    assert second_asked.page.after == ("grt_1",)
    assert second.next_page_token == ""


@pytest.mark.parametrize(
    "request_",
    [
        admin.ListGrantsRequest(customer="other", page_size=1),
        admin.ListGrantsRequest(customer="acme", credit_type_id=AI, page_size=1),
    ],
    ids=["another customer", "another credit type"],
)
def test_a_page_token_is_of_one_list_with_one_set_of_filters(request_: admin.ListGrantsRequest) -> None:
    asked = reports.grants_from_wire(admin.ListGrantsRequest(customer="acme", page_size=1))
    rows = [(AI, a_grant(grant_id="grt_1")), (AI, a_grant(grant_id="grt_2"))]
    request_.page_token = reports.grants_to_wire(rows, asked, at=JUNE).next_page_token

    assert fields_refused(reports.grants_from_wire, request_) == {"page_token"}


def test_usage_and_recounts_are_told_row_by_row() -> None:
    usage = reports.usage_to_wire(
        [
            UsageRow(
                window=Period(JUNE, JULY),
                product_id=ASSISTANT,
                credit_type_id=AI,
                group_value="ann",
                captured=Credits(5),
                shortfall=Credits(1),
                captures=2,
            )
        ]
    )
    found = reports.verify_to_wire(
        Verification(
            discrepancies=(
                Discrepancy(
                    customer_id=CustomerId("cus_1"),
                    credit_type_id=AI,
                    grant_id=None,
                    figure="sequence",
                    stored_micros=1,
                    recomputed_micros=2,
                ),
            ),
            pools=1,
            grants=2,
            entries=3,
            holds=4,
        )
    )

    assert [(row.captured_micros, row.shortfall_micros, row.captures) for row in usage.rows] == [(5, 1, 2)]
    assert usage.rows[0].window.start_time == timestamp(JUNE)
    assert (found.is_consistent, found.pools, found.grants, found.entries, found.holds) == (False, 1, 2, 3, 4)
    assert [(one.grant_id, one.figure) for one in found.discrepancies] == [("", "sequence")]


def test_a_recount_of_nobody_in_particular_is_of_everybody() -> None:
    assert reports.verify_from_wire(admin.VerifyLedgerRequest()) is None
    assert reports.verify_from_wire(admin.VerifyLedgerRequest(customer="acme")) == "acme"


def test_times_keep_their_microseconds_on_the_way_out_and_in() -> None:
    at = datetime(2025, 6, 1, 12, 30, 15, 123_456, tzinfo=UTC)

    told = contract.seat_change_from_wire(a_seat_change_request(effective_time=timestamp(at)))

    assert told.change.effective_time == at
