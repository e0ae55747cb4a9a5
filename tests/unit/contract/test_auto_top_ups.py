# SPDX-License-Identifier: Apache-2.0
"""Automatic top-ups: when packs are ordered, how many, and what stops them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshkit.errors import InvalidFields
from meshkit.quantity import Credits, Money
from services.contract.domain.auto_top_up import (
    ORDERS_A_DAY_MAX,
    RETRY_AFTER,
    AutoTopUp,
    AutoTopUpStatus,
    AutoTopUpTerms,
    LevelReport,
    Ordered,
    StopReason,
    action_required,
    blocked,
    charged,
    disabled,
    month_start,
    new_auto_top_up,
    order_ended,
    ordered,
    packs_to_order,
    payment_window,
    refuse_bad_terms,
    reported,
    set_again,
    terms_of_order,
    unblocked,
)
from services.contract.domain.events import EventType, events_of_auto_top_up
from services.contract.domain.ids import (
    AutoTopUpId,
    ContractId,
    CreditTypeId,
    CustomerId,
    ProductId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.top_up import AMOUNT_MAX, PaymentGate, TopUp, TopUpStatus, TopUpTerms
from tests.unit.contract.builders import JUNE
from tests.unit.contract.test_top_ups import a_top_up

IDLE, ASKED, ORDERED = AutoTopUpStatus.IDLE, AutoTopUpStatus.ASKED, AutoTopUpStatus.ORDERED
BLOCKED, DISABLED = AutoTopUpStatus.BLOCKED, AutoTopUpStatus.DISABLED
PENDING, PAID = TopUpStatus.PENDING_PAYMENT, TopUpStatus.PAID
STRIPE, EXTERNAL = PaymentGate.STRIPE, PaymentGate.EXTERNAL
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


def usd(cents: int) -> Money:
    return Money("USD", cents * 10_000)


NOTHING = Ordered(spent=usd(0), orders=0)
# 1,000 credits for $80.00.
PACK = TopUpTerms(
    product_id=ProductId("prd_1"),
    credit_type_id=CreditTypeId("crt_ai"),
    amount=Credits.of(1_000),
    price=usd(8_000),
    priority=100,
    lifetime=None,
)


def some_terms(**more: Any) -> AutoTopUpTerms:
    """Below 500: up to 3,000, at most $500.00 a month."""
    return replace(
        AutoTopUpTerms(
            contract_id=ContractId("con_1"),
            top_up_pack_id=TopUpPackId("pck_1"),
            threshold=Credits.of(500),
            recharge_to=Credits.of(3_000),
            monthly_limit=usd(50_000),
            payment_gate=STRIPE,
        ),
        **more,
    )


def an_auto_top_up(**more: Any) -> AutoTopUp:
    made = new_auto_top_up(
        AutoTopUpId("atu_1"), CustomerId("cus_1"), CreditTypeId("crt_ai"), some_terms(), at=JUNE
    )
    return replace(made, **more)


def a_report(remaining: int | str = 480, **more: Any) -> LevelReport:
    told = LevelReport(
        auto_top_up_id=AutoTopUpId("atu_1"),
        version=1,
        sequence=1,
        in_alarm=True,
        remaining=Credits.of(remaining),
    )
    return replace(told, **more)


def asked(remaining: int | str = 480, **terms: Any) -> AutoTopUp:
    return reported(an_auto_top_up(terms=some_terms(**terms)), a_report(remaining))


def an_order(number: int = 1, status: TopUpStatus = PENDING, gate: PaymentGate = STRIPE) -> TopUp:
    return replace(
        a_top_up(status),
        payment_gate=gate,
        top_up_id=TopUpId(f"top_{number}"),
        contract_id=ContractId("con_1"),
        create_time=JUNE,
        expire_time=JUNE + payment_window(gate),
    )


def waiting(number: int = 1, gate: PaymentGate = STRIPE, **more: Any) -> AutoTopUp:
    return replace(ordered(asked(), an_order(number, gate=gate), at=JUNE), **more)


def test_a_low_pool_asks_and_one_that_is_not_low_does_not() -> None:
    low = reported(an_auto_top_up(), a_report(480))
    high = reported(an_auto_top_up(), a_report(501, in_alarm=False))

    assert (low.status, low.remaining, low.has_step) == (ASKED, Credits.of(480), True)
    assert (high.status, high.remaining, high.has_step) == (IDLE, None, False)


@pytest.mark.parametrize(
    "late",
    [{"sequence": 1, "version": 2}, {"sequence": 2, "version": 1}, {"sequence": 3, "version": 3}],
    ids=["repeated", "of an earlier version", "of a version to come"],
)
def test_a_report_that_is_not_the_next_one_of_this_version_changes_nothing(late: dict[str, Any]) -> None:
    auto = an_auto_top_up(version=2, sequence=1)

    assert reported(auto, a_report(**late)) is auto


def test_credits_that_arrive_before_the_order_is_made_withdraw_the_question() -> None:
    again = reported(asked(), a_report(900, in_alarm=False, sequence=2))

    assert (again.status, again.remaining) == (IDLE, None)


@pytest.mark.parametrize("status", [ORDERED, BLOCKED, DISABLED])
def test_while_it_waits_reports_start_nothing(status: AutoTopUpStatus) -> None:
    auto = an_auto_top_up(status=status, top_up_id=TopUpId("top_1"), stop=StopReason.PAYMENT_FAILED)

    heard = reported(auto, a_report())

    assert heard == replace(auto, sequence=1)


@pytest.mark.parametrize(
    ("remaining", "packs"),
    [("0", 3), ("0.000001", 3), ("480", 3), ("500", 3)],
)
def test_packs_are_rounded_up_to_reach_the_level(remaining: str, packs: int) -> None:
    assert packs_to_order(asked(remaining), PACK, NOTHING, usd(0)) == packs


@pytest.mark.parametrize(("recharge_to", "packs"), [("2480", 2), ("2480.000001", 3), ("481", 1)])
def test_a_pack_more_is_bought_only_for_what_is_missing(recharge_to: str, packs: int) -> None:
    auto = asked("480", threshold=Credits.of(480), recharge_to=Credits.of(recharge_to))

    assert packs_to_order(auto, PACK, NOTHING, usd(0)) == packs


@pytest.mark.parametrize(
    ("spent", "packs"),
    [
        (0, 3),
        (26_000, 3),  # $240.00 are left: exactly three
        (26_001, 2),  # a cent less
        (42_000, 1),  # $80.00 are left
        (42_001, StopReason.MONTHLY_LIMIT),
        (50_000, StopReason.MONTHLY_LIMIT),
        (60_000, StopReason.MONTHLY_LIMIT),  # the limit was lowered meanwhile
    ],
)
def test_an_order_buys_what_the_month_allows(spent: int, packs: int | StopReason) -> None:
    assert packs_to_order(asked(), PACK, Ordered(spent=usd(spent), orders=0), usd(0)) == packs


@pytest.mark.parametrize(("owed", "packs"), [(3_840, 3), (3_841, 4), (4_800, 4)])
def test_an_order_also_pays_what_is_owed(owed: int, packs: int) -> None:
    """480 remain; with 480 owed ($38.40), 3 packs bring exactly 3,000."""
    assert packs_to_order(asked("480"), PACK, NOTHING, usd(owed)) == packs


def test_five_orders_are_made_a_day_and_no_sixth() -> None:
    fifth = packs_to_order(asked(), PACK, Ordered(spent=usd(0), orders=ORDERS_A_DAY_MAX - 1), usd(0))
    sixth = packs_to_order(asked(), PACK, Ordered(spent=usd(0), orders=ORDERS_A_DAY_MAX), usd(0))

    assert (fifth, sixth) == (3, StopReason.DAILY_LIMIT)


def test_an_order_is_no_larger_than_a_grant_may_be() -> None:
    huge = replace(PACK, amount=Credits(AMOUNT_MAX.micros * 2 // 3))
    auto = asked(0, recharge_to=AMOUNT_MAX)

    assert packs_to_order(auto, huge, NOTHING, usd(0)) == 1


def test_an_order_has_the_price_and_the_credits_of_its_packs() -> None:
    terms = terms_of_order(PACK, 3)

    assert (terms.amount, terms.price) == (Credits.of(3_000), usd(24_000))
    assert replace(terms, amount=PACK.amount, price=PACK.price) == PACK


def test_an_order_through_the_provider_is_charged_and_waits_an_hour() -> None:
    through_stripe, external = waiting(), waiting(gate=EXTERNAL)

    assert (through_stripe.status, through_stripe.top_up_id, through_stripe.has_step) == (
        ORDERED,
        "top_1",
        True,
    )
    assert not external.has_step
    assert not charged(through_stripe).has_step
    assert payment_window(STRIPE) == timedelta(hours=1)
    assert payment_window(EXTERNAL) == DAY


def test_a_payment_that_the_payer_must_confirm_says_so_until_its_order_expires() -> None:
    auto = action_required(waiting(), an_order())

    assert (auto.status, auto.stop, auto.until) == (
        ORDERED,
        StopReason.ACTION_REQUIRED,
        JUNE + timedelta(hours=1),
    )
    assert not auto.has_step


def test_a_paid_order_asks_the_ledger_again_under_the_next_version() -> None:
    auto = order_ended(waiting(failures=1, version=4), an_order(status=PAID), at=JUNE)

    assert (auto.status, auto.version, auto.top_up_id, auto.failures) == (IDLE, 5, None, 0)


@pytest.mark.parametrize("end", [TopUpStatus.FAILED, TopUpStatus.CANCELLED, TopUpStatus.EXPIRED])
def test_an_order_that_ends_unpaid_blocks_for_an_hour_and_the_second_one_disables(end: TopUpStatus) -> None:
    first = order_ended(waiting(), an_order(status=end), at=JUNE)
    second = order_ended(waiting(2, failures=1), an_order(2, status=end), at=JUNE)

    assert (first.status, first.stop, first.until, first.failures) == (
        BLOCKED,
        StopReason.PAYMENT_FAILED,
        JUNE + RETRY_AFTER,
        1,
    )
    assert (second.status, second.stop, second.until, second.failures) == (
        DISABLED,
        StopReason.PAYMENT_FAILED,
        None,
        2,
    )
    assert (first.version, second.version) == (1, 2)


def test_only_the_order_that_is_waited_for_counts_and_only_its_end() -> None:
    auto = waiting()

    assert order_ended(auto, an_order(2, status=PAID), at=JUNE) is auto
    assert order_ended(auto, an_order(), at=JUNE) is auto


@pytest.mark.parametrize("end", [PAID, TopUpStatus.EXPIRED])
def test_an_order_that_ends_after_it_was_disabled_enables_nothing(end: TopUpStatus) -> None:
    auto = order_ended(
        disabled(waiting(), StopReason.BY_REQUEST, at=JUNE), an_order(status=end), at=JUNE + DAY
    )

    assert (auto.status, auto.stop, auto.top_up_id) == (DISABLED, StopReason.BY_REQUEST, None)


def test_disabling_twice_changes_nothing_and_keeps_the_first_reason() -> None:
    auto = disabled(an_auto_top_up(), StopReason.CONTRACT_ENDED, at=JUNE)

    assert disabled(auto, StopReason.BY_REQUEST, at=JUNE + DAY) is auto


@pytest.mark.parametrize(
    ("reason", "at", "until"),
    [
        (StopReason.DAILY_LIMIT, datetime(2025, 6, 30, 23, 59, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)),
        (StopReason.DAILY_LIMIT, datetime(2025, 7, 1, tzinfo=UTC), datetime(2025, 7, 2, tzinfo=UTC)),
        (StopReason.MONTHLY_LIMIT, datetime(2025, 1, 31, 9, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)),
        (StopReason.MONTHLY_LIMIT, datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_limit_blocks_until_its_day_or_month_is_over(
    reason: StopReason, at: datetime, until: datetime
) -> None:
    auto = blocked(asked(), reason, at=at)

    assert (auto.status, auto.stop, auto.until) == (BLOCKED, reason, until)
    assert unblocked(auto, at=until - TICK, is_suspended=False) is auto
    again = unblocked(auto, at=until, is_suspended=False)
    assert (again.status, again.stop, again.until, again.version) == (IDLE, None, None, 2)


def test_a_suspension_blocks_until_it_is_lifted_whatever_the_clock_says() -> None:
    auto = blocked(asked(), StopReason.CUSTOMER_SUSPENDED, at=JUNE)

    assert auto.until is None
    assert unblocked(auto, at=JUNE + 1_000 * DAY, is_suspended=True) is auto
    assert unblocked(auto, at=JUNE, is_suspended=False).status is IDLE


@pytest.mark.parametrize("status", [IDLE, ASKED, ORDERED, DISABLED])
def test_only_what_is_blocked_is_unblocked(status: AutoTopUpStatus) -> None:
    auto = an_auto_top_up(status=status, until=JUNE)

    assert unblocked(auto, at=JUNE, is_suspended=False) is auto


@pytest.mark.parametrize(
    "auto",
    [
        blocked(asked(), StopReason.MONTHLY_LIMIT, at=JUNE),
        disabled(asked(), StopReason.BY_REQUEST, at=JUNE),
        replace(disabled(asked(), StopReason.PAYMENT_FAILED, at=JUNE), failures=2),
        asked(),
    ],
)
def test_setting_it_again_enables_it_and_asks_the_ledger(auto: AutoTopUp) -> None:
    terms = some_terms(threshold=Credits.of(700))

    again = set_again(auto, terms, at=JUNE + DAY)

    assert (again.status, again.stop, again.until, again.failures) == (IDLE, None, None, 0)
    assert (again.terms, again.version) == (terms, auto.version + 1)


def test_setting_it_again_waits_for_an_order_that_is_under_way() -> None:
    terms = some_terms(threshold=Credits.of(700))
    confirming = action_required(waiting(), an_order())

    kept = set_again(confirming, terms, at=JUNE)
    enabled = set_again(disabled(confirming, StopReason.BY_REQUEST, at=JUNE), terms, at=JUNE)

    assert (kept.status, kept.top_up_id, kept.stop) == (ORDERED, "top_1", StopReason.ACTION_REQUIRED)
    assert (enabled.status, enabled.top_up_id, enabled.stop, enabled.until) == (ORDERED, "top_1", None, None)
    assert (kept.version, enabled.version) == (2, 3)


def test_terms_must_be_able_to_buy_a_pack() -> None:
    refuse_bad_terms(some_terms(recharge_to=Credits.of("500.000001"), monthly_limit=usd(8_000)), PACK)
    with pytest.raises(InvalidFields) as refused:
        refuse_bad_terms(some_terms(recharge_to=Credits.of(500), monthly_limit=usd(7_999)), PACK)

    assert [one.field for one in refused.value.violations] == ["recharge_to_micros", "monthly_limit.micros"]


def test_a_month_begins_in_utc() -> None:
    on_the_first = datetime.fromisoformat("2025-07-01T01:00:00+02:00")

    assert month_start(on_the_first) == datetime(2025, 6, 1, tzinfo=UTC)


def test_each_new_reason_to_stop_is_an_event_and_a_request_is_none() -> None:
    stopped, placed = EventType.AUTO_TOP_UP_STOPPED, EventType.AUTO_TOP_UP_ORDERED
    first = order_ended(waiting(), an_order(status=TopUpStatus.EXPIRED), at=JUNE)
    second = order_ended(waiting(2, failures=1), an_order(2, status=TopUpStatus.EXPIRED), at=JUNE)
    steps = [
        (asked(), waiting(), [placed]),
        (waiting(), charged(waiting()), []),
        (waiting(), action_required(waiting(), an_order()), [stopped]),
        (waiting(), first, [stopped]),
        (first, unblocked(first, at=JUNE + DAY, is_suspended=False), []),
        (waiting(2, failures=1), second, [stopped]),
        (asked(), blocked(asked(), StopReason.DAILY_LIMIT, at=JUNE), [stopped]),
        (asked(), disabled(asked(), StopReason.CONTRACT_ENDED, at=JUNE), [stopped]),
        (asked(), disabled(asked(), StopReason.BY_REQUEST, at=JUNE), []),
        (waiting(), order_ended(waiting(), an_order(status=PAID), at=JUNE), []),
    ]

    for before, after, wanted in steps:
        events = events_of_auto_top_up(before, after, at=JUNE)
        assert [one.event_type for one in events] == wanted
