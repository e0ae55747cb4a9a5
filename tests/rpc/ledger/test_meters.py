# SPDX-License-Identifier: Apache-2.0
"""The gate prices by meters: tiers, packages, pricing dimensions, conversions and corrected rates."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import CREDIT, JULY, RunningLedger, a_rate
from tests.support.ledger_sql import Sql

UNIT = 1_000_000
TICK = timedelta(microseconds=1)
# 0 to 1,000 units at 1 credit, to 10,000 at 0.5, above at 0.25.
FALLING = [
    peer_pb.RateTier(up_to_micros=1_000 * UNIT, price_micros=CREDIT, per_micros=UNIT),
    peer_pb.RateTier(up_to_micros=10_000 * UNIT, price_micros=CREDIT // 2, per_micros=UNIT),
    peer_pb.RateTier(price_micros=CREDIT // 4, per_micros=UNIT),
]


def a_graduated_rate(tiers: list[peer_pb.RateTier] = FALLING, **more: object) -> peer_pb.UsageRate:
    return a_rate(
        price_micros=0,
        per_micros=0,
        rate_id="rat_graduated",
        rate_type=peer_pb.RATE_TYPE_GRADUATED,
        tiers=tiers,
        **more,
    )


@pytest.fixture
async def graduated(ledger: RunningLedger) -> RunningLedger:
    """prd_assistant has falling tiers, and acme 100,000 credits."""
    await ledger.tell_card(a_graduated_rate(), version=2)
    await ledger.top_up(100_000)
    return ledger


async def debited(ledger: RunningLedger, units: int, **properties: str) -> int:
    """Debit units; returns what they cost in micro-credits."""
    answer = await ledger.debit(0, quantity_micros=units * UNIT, properties=properties)
    assert answer.decision == pb.DECISION_ALLOWED
    return answer.debited_micros


async def test_twelve_thousand_units_cost_six_thousand_at_once_or_in_parts(graduated: RunningLedger) -> None:
    at_once = await debited(graduated, 12_000)
    graduated.clock.advance_to(JULY)
    parts = [await debited(graduated, part) for part in (800, 400, 8_800, 2_000)]

    assert at_once == 6_000 * CREDIT
    assert parts == [800 * CREDIT, 300 * CREDIT, 4_400 * CREDIT, 500 * CREDIT]
    await graduated.assert_adds_up()


async def test_a_meter_begins_again_with_the_usage_period_and_not_before(graduated: RunningLedger) -> None:
    await debited(graduated, 1_000)

    graduated.clock.advance_to(JULY - TICK)
    last_of_june = await debited(graduated, 10)
    graduated.clock.advance_to(JULY)

    assert (last_of_june, await debited(graduated, 10)) == (5 * CREDIT, 10 * CREDIT)


async def test_a_hold_is_captured_where_the_meter_is_then(graduated: RunningLedger) -> None:
    """Hold 10,000 and hold 12,000, release the first, capture the second: 6,000."""
    first = await graduated.authorize(0, quantity_micros=10_000 * UNIT)
    second = await graduated.authorize(0, quantity_micros=12_000 * UNIT)

    await graduated.release(first.hold_id)
    captured = await graduated.capture(second.hold_id)

    assert (first.held_micros, second.held_micros) == (5_500 * CREDIT, 6_000 * CREDIT)
    assert (captured.captured_micros, captured.released_micros) == (6_000 * CREDIT, 0)


async def test_usage_in_between_makes_a_capture_cheaper_and_releases_the_difference(
    graduated: RunningLedger,
) -> None:
    hold = await graduated.authorize(0, quantity_micros=1_000 * UNIT)
    await debited(graduated, 1_000)

    captured = await graduated.capture(hold.hold_id)

    assert hold.held_micros == 1_000 * CREDIT
    assert (captured.captured_micros, captured.released_micros) == (500 * CREDIT, 500 * CREDIT)
    await graduated.assert_adds_up()


async def test_a_capture_counts_in_the_period_of_its_authorize(graduated: RunningLedger) -> None:
    graduated.clock.advance_to(JULY - TICK)
    await debited(graduated, 1_000)
    hold = await graduated.authorize(0, quantity_micros=100 * UNIT, hold_ttl=Duration(seconds=3_600))
    graduated.clock.advance_to(JULY + TICK)

    captured = await graduated.capture(hold.hold_id)

    assert captured.captured_micros == 50 * CREDIT
    assert await debited(graduated, 100) == 100 * CREDIT


async def test_a_credit_amount_moves_no_meter(graduated: RunningLedger) -> None:
    await graduated.debit(5_000)

    assert await debited(graduated, 1_000) == 1_000 * CREDIT


async def test_what_is_affordable_follows_from_the_tiers(ledger: RunningLedger) -> None:
    await ledger.tell_card(a_graduated_rate(), version=2)
    await ledger.top_up(700)

    denied = await ledger.authorize(0, quantity_micros=1_201 * UNIT)
    allowed = await ledger.authorize(0, quantity_micros=1_200 * UNIT)

    assert (denied.decision, denied.affordable_quantity_micros) == (pb.DECISION_DENIED, 1_200 * UNIT)
    assert (allowed.decision, allowed.held_micros) == (pb.DECISION_ALLOWED, 1_100 * CREDIT)


async def test_every_started_block_of_a_package_costs_its_price(ledger: RunningLedger) -> None:
    package = a_rate(
        price_micros=5 * CREDIT,
        per_micros=100 * UNIT,
        rate_type=peer_pb.RATE_TYPE_PACKAGE,
        rate_id="rat_package",
    )
    await ledger.tell_card(package, version=2)

    assert [await debited(ledger, units) for units in (100, 1, 99, 1)] == [
        5 * CREDIT,
        5 * CREDIT,
        0,
        5 * CREDIT,
    ]
    await ledger.assert_adds_up()


async def test_a_thousand_small_debits_cost_what_one_large_one_does(ledger: RunningLedger) -> None:
    await ledger.tell_card(a_rate(price_micros=1, per_micros=3 * UNIT, rate_id="rat_thirds"), version=2)

    assert sum([await debited(ledger, 1) for _ in range(30)]) == 10


async def test_models_have_prices_and_meters_of_their_own(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_tokens", dimensions=("model",))
    await ledger.tell_card(
        a_rate(),
        a_rate(
            "prd_tokens", price_micros=3 * CREDIT, dimension_values={"model": "large"}, rate_id="rat_large"
        ),
        a_rate(
            "prd_tokens", price_micros=1 * CREDIT, dimension_values={"model": "small"}, rate_id="rat_small"
        ),
        version=2,
    )

    costs = [
        (await ledger.debit(0, product_id="prd_tokens", quantity_micros=UNIT, properties={"model": model}))
        for model in ("large", "small")
    ]
    assert [one.debited_micros for one in costs] == [3 * CREDIT, CREDIT]


async def test_a_dimension_value_without_a_rate_is_a_fault_and_never_free(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_tokens", dimensions=("model",))
    large = a_rate("prd_tokens", dimension_values={"model": "large"}, rate_id="rat_large")
    await ledger.tell_card(a_rate(), large, version=2)

    for properties in ({"model": "huge"}, {}):
        with fault(StatusCode.NOT_FOUND, "RATE_NOT_FOUND", product_id="prd_tokens"):
            await ledger.debit(0, product_id="prd_tokens", quantity_micros=UNIT, properties=properties)
        with fault(StatusCode.NOT_FOUND, "RATE_NOT_FOUND", product_id="prd_tokens"):
            await ledger.authorize(0, product_id="prd_tokens", quantity_micros=UNIT, properties=properties)


async def test_a_hold_of_a_dimension_is_extended_and_captured_at_its_price(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_tokens", dimensions=("model",))
    await ledger.tell_card(
        a_rate(),
        a_rate(
            "prd_tokens", price_micros=3 * CREDIT, dimension_values={"model": "large"}, rate_id="rat_large"
        ),
        version=2,
    )
    hold = await ledger.authorize(
        0, product_id="prd_tokens", quantity_micros=10 * UNIT, properties={"model": "large"}
    )

    await ledger.extend(hold.hold_id, quantity_micros=5 * UNIT)
    captured = await ledger.capture(hold.hold_id, quantity_micros=12 * UNIT)

    assert captured.captured_micros == 36 * CREDIT


async def test_a_meter_keeps_the_rate_that_costs_it_when_the_rate_is_corrected(ledger: RunningLedger) -> None:
    wrong = a_rate(price_micros=12 * CREDIT, rate_id="rat_wrong")
    await ledger.tell_card(wrong, version=2)
    await debited(ledger, 1)
    right = a_rate(price_micros=10 * CREDIT, rate_id="rat_right", corrects_rate_id="rat_wrong")

    await ledger.tell_card(wrong, right, version=3)
    of_old_meter = await debited(ledger, 1)
    await ledger.top_up(100, expire_time=None)
    ledger.clock.advance_to(JULY)

    assert (of_old_meter, await debited(ledger, 1)) == (12 * CREDIT, 10 * CREDIT)


async def test_a_hold_from_before_there_were_meters_is_captured_at_its_price(
    ledger: RunningLedger, sql: Sql
) -> None:
    hold = await ledger.authorize(0, quantity_micros=2 * UNIT)
    await sql.execute("UPDATE ledger.holds SET rate_id = NULL, root_rate_id = NULL, quantity_micros = 0")
    await sql.execute("UPDATE ledger.epochs SET version = version + 1")
    await sql.execute("UPDATE ledger.pools SET version = version + 1")

    captured = await ledger.capture(hold.hold_id)

    assert captured.captured_micros == 24 * CREDIT
    assert await sql.count("meters") == 0


async def test_properties_are_bounded_and_named(ledger: RunningLedger) -> None:
    properties = {f"p{number}": "x" for number in range(10)} | {"": "x"}

    with bad_fields("properties", "properties"):
        await ledger.debit(1, properties=properties)
