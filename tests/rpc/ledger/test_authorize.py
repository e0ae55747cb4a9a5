# SPDX-License-Identifier: Apache-2.0
"""Authorize: allowed with a hold, or denied with a reason and with what would be allowed."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import span, timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, AUGUST, CREDIT, JULY, JUNE, RunningLedger, a_rate, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

TICK = timedelta(microseconds=1)
UNIT = 1_000_000
SUSPENDED = pb.DENIAL_REASON_CUSTOMER_SUSPENDED
NOT_ENTITLED = pb.DENIAL_REASON_NOT_ENTITLED
CAP_REACHED = pb.DENIAL_REASON_SPEND_CAP_REACHED
INSUFFICIENT = pb.DENIAL_REASON_INSUFFICIENT_CREDITS


async def _authorize_units(
    ledger: RunningLedger, quantity_micros: int, *, allow_partial: bool = False
) -> pb.AuthorizeResponse:
    return await ledger.gate.Authorize(
        pb.AuthorizeRequest(
            request_id=ledger.request_id(),
            customer="acme",
            product_id="prd_assistant",
            quantity_micros=quantity_micros,
            allow_partial=allow_partial,
        )
    )


async def test_an_allowed_ask_is_held_for_five_minutes_and_priced_by_the_rate(ledger: RunningLedger) -> None:
    answer = await _authorize_units(ledger, 2_500_000)

    assert answer == pb.AuthorizeResponse(
        decision=pb.DECISION_ALLOWED,
        hold_id=answer.hold_id,
        held_micros=30 * CREDIT,
        held_quantity_micros=2_500_000,
        credit_type_id=AI,
        available_micros=370 * CREDIT,
        affordable_quantity_micros=30_833_333,
        affordable_credits_micros=370 * CREDIT,
        expire_time=timestamp(JUNE + timedelta(minutes=5)),
    )
    assert answer.hold_id.startswith("hld_")
    await ledger.assert_adds_up()


async def test_credits_may_be_asked_for_as_they_are_by_alias_or_id(ledger: RunningLedger) -> None:
    by_alias = await ledger.authorize(100)
    by_id = await ledger.authorize(100, customer="cus_acme")

    assert (by_alias.held_micros, by_alias.held_quantity_micros) == (100 * CREDIT, 0)
    assert by_id.available_micros == 200 * CREDIT


async def test_usage_is_never_free_by_rounding(ledger: RunningLedger) -> None:
    await ledger.tell_card(a_rate(price_micros=1, per_micros=3 * UNIT), version=2)

    assert (await _authorize_units(ledger, 1)).held_micros == 1
    assert (await _authorize_units(ledger, 3 * UNIT)).held_micros == 1
    assert (await _authorize_units(ledger, 3 * UNIT + 1)).held_micros == 2


async def test_a_free_product_is_allowed_without_credits(ledger: RunningLedger) -> None:
    await ledger.tell_card(a_rate(price_micros=0), version=2)
    await ledger.debit(400)

    answer = await _authorize_units(ledger, 7 * UNIT)

    assert (answer.decision, answer.held_micros) == (pb.DECISION_ALLOWED, 0)
    assert answer.affordable_quantity_micros == INT64_MAX
    assert (await ledger.capture(answer.hold_id)).captured_micros == 0
    await ledger.assert_adds_up()


async def test_without_the_credits_it_is_denied_and_told_what_would_be_allowed(ledger: RunningLedger) -> None:
    denied = await ledger.authorize(401)

    assert denied == pb.AuthorizeResponse(
        decision=pb.DECISION_DENIED,
        denial_reason=INSUFFICIENT,
        credit_type_id=AI,
        available_micros=400 * CREDIT,
        affordable_quantity_micros=33_333_333,
        affordable_credits_micros=400 * CREDIT,
    )
    assert (await ledger.authorize(400)).decision == pb.DECISION_ALLOWED


async def test_the_affordable_quantity_is_allowed_and_a_micro_more_is_not(ledger: RunningLedger) -> None:
    affordable = (await ledger.authorize(401)).affordable_quantity_micros

    more = await _authorize_units(ledger, affordable + 1)
    as_told = await _authorize_units(ledger, affordable)

    assert (more.denial_reason, as_told.decision) == (INSUFFICIENT, pb.DECISION_ALLOWED)


async def test_a_suspended_customer_is_denied_until_resumed(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)

    denied = await ledger.authorize(1)
    await ledger.tell_customer("cus_acme", "acme", version=3)
    allowed = await ledger.authorize(1)

    assert denied == pb.AuthorizeResponse(decision=pb.DECISION_DENIED, denial_reason=SUSPENDED)
    assert allowed.decision == pb.DECISION_ALLOWED


async def test_a_product_that_no_rate_prices_is_not_entitled(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_preview")

    denied = await ledger.authorize(1, product_id="prd_preview")

    assert denied == pb.AuthorizeResponse(decision=pb.DECISION_DENIED, denial_reason=NOT_ENTITLED)


async def test_a_contract_entitles_from_its_start_to_before_its_end(databases: Databases) -> None:
    async with running_ledger(databases, at=JUNE - TICK) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme(end=JULY)
        await ledger.top_up(1_000)

        reasons = []
        for instant in (JUNE - TICK, JUNE, JULY - TICK, JULY):
            ledger.clock.advance_to(instant)
            reasons.append((await ledger.authorize(1)).denial_reason)

    assert reasons == [NOT_ENTITLED, 0, 0, NOT_ENTITLED]


async def test_a_rate_entitles_and_prices_from_its_effective_time_to_before_its_end(
    ledger: RunningLedger,
) -> None:
    await ledger.tell_card(
        a_rate(start=JUNE + TICK, end=JULY),
        a_rate(price_micros=20 * CREDIT, start=JULY, end=AUGUST),
        version=2,
    )

    held = []
    for instant in (JUNE, JUNE + TICK, JULY - TICK, JULY, AUGUST - TICK, AUGUST):
        ledger.clock.advance_to(instant)
        held.append((await _authorize_units(ledger, UNIT)).held_micros // CREDIT)

    assert held == [0, 12, 12, 20, 20, 0]


async def test_a_spend_cap_denies_before_credits_do(ledger: RunningLedger) -> None:
    cap = await ledger.set_cap(100, user="ann")

    over_both = await ledger.authorize(500, user="ann")
    within = await ledger.authorize(100, user="ann")
    nothing_left = await ledger.authorize(1, user="ann")

    assert over_both == pb.AuthorizeResponse(
        decision=pb.DECISION_DENIED,
        denial_reason=CAP_REACHED,
        credit_type_id=AI,
        available_micros=400 * CREDIT,
        affordable_quantity_micros=8_333_333,
        affordable_credits_micros=100 * CREDIT,
        reached_cap=pb.SpendCapUse(
            spend_cap_id=cap.spend_cap_id,
            group_key="user_id",
            group_value="ann",
            limit_micros=100 * CREDIT,
            window_start_time=timestamp(JUNE),
            window_end_time=timestamp(JULY),
            scope=pb.CAP_SCOPE_GROUP_VALUE,
            owner=pb.CAP_OWNER_VENDOR,
        ),
    )
    assert (within.decision, within.affordable_credits_micros) == (pb.DECISION_ALLOWED, 0)
    assert (nothing_left.denial_reason, nothing_left.available_micros) == (CAP_REACHED, 300 * CREDIT)


async def test_the_first_reason_that_applies_is_told(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_preview")
    await ledger.set_cap(0)
    await ledger.debit(400)

    capped = await ledger.authorize(1, user="ann")
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    suspended = await ledger.authorize(1, user="ann", product_id="prd_preview")

    assert (capped.denial_reason, suspended.denial_reason) == (CAP_REACHED, SUSPENDED)


@pytest.mark.parametrize(
    ("asked_units", "held_units", "held_credits"),
    [
        (33_333_333, 33_333_333, 399_999_996),
        (33_333_334, 33_333_333, 399_999_996),
        (UNIT * 99, 33_333_333, 399_999_996),
    ],
)
async def test_a_part_is_held_when_the_caller_allows_it(
    ledger: RunningLedger, asked_units: int, held_units: int, held_credits: int
) -> None:
    answer = await _authorize_units(ledger, asked_units, allow_partial=True)

    assert answer.decision == pb.DECISION_ALLOWED
    assert (answer.held_quantity_micros, answer.held_micros) == (held_units, held_credits)
    assert answer.available_micros == 400 * CREDIT - held_credits
    await ledger.assert_adds_up()


async def test_a_part_of_credits_is_what_cap_and_pool_allow(ledger: RunningLedger) -> None:
    await ledger.set_cap(100, user="ann")

    capped = await ledger.authorize(101, user="ann", allow_partial=True)
    rest = await ledger.authorize(500, allow_partial=True)
    nothing = await ledger.authorize(1, allow_partial=True)
    capped_again = await ledger.authorize(1, user="ann", allow_partial=True)

    assert (capped.held_micros, rest.held_micros) == (100 * CREDIT, 300 * CREDIT)
    assert (nothing.denial_reason, capped_again.denial_reason) == (INSUFFICIENT, CAP_REACHED)


async def test_a_part_too_small_for_a_micro_unit_is_denied(ledger: RunningLedger) -> None:
    await ledger.debit(0, credits_micros=400 * CREDIT - 11)

    assert (await _authorize_units(ledger, UNIT, allow_partial=True)).denial_reason == INSUFFICIENT


async def test_credits_of_another_products_scope_are_not_there(ledger: RunningLedger) -> None:
    await ledger.top_up(1_000, scope_product_ids=["prd_preview"])

    denied = await ledger.authorize(401)

    assert (denied.denial_reason, denied.available_micros) == (INSUFFICIENT, 400 * CREDIT)


async def test_unknown_customers_and_products_are_faults(ledger: RunningLedger) -> None:
    for customer in ("nobody", "cus_nobody"):
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer=customer):
            await ledger.authorize(1, customer=customer)
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_unknown"):
        await ledger.authorize(1, product_id="prd_unknown")


async def test_every_bad_field_is_named_at_once(ledger: RunningLedger) -> None:
    with bad_fields("request_id", "customer", "product_id", "quantity_micros"):
        await ledger.gate.Authorize(pb.AuthorizeRequest())
    with bad_fields("request_id", "credits_micros", "group_values", "group_values[team]", "hold_ttl"):
        await ledger.authorize(
            0,
            request_id="not an id",
            group_values={"": "x", "team": " ", **{f"key_{n}": "x" for n in range(8)}},
            hold_ttl=Duration(seconds=0),
        )
    with bad_fields("group_values"):
        await ledger.authorize(1, group_values={f"key_{n}": "x" for n in range(11)})
    with bad_fields("quantity_micros"):
        await _authorize_units(ledger, -1)


async def test_a_hold_lives_one_second_to_one_day(ledger: RunningLedger) -> None:
    second, day = timedelta(seconds=1), timedelta(hours=24)

    for ttl in (second, day):
        assert (await ledger.authorize(1, hold_ttl=span(ttl))).expire_time == timestamp(JUNE + ttl)
    for ttl in (second - TICK, day + TICK):
        with bad_fields("hold_ttl"):
            await ledger.authorize(1, hold_ttl=span(ttl))


async def test_more_than_a_billion_credits_are_refused_and_a_billion_are_denied(
    ledger: RunningLedger,
) -> None:
    billion = 10**9
    assert (await ledger.authorize(billion)).denial_reason == INSUFFICIENT
    with bad_fields("credits_micros"):
        await ledger.authorize(0, credits_micros=billion * CREDIT + 1)
    await ledger.tell_card(a_rate(price_micros=CREDIT), version=2)
    assert (await _authorize_units(ledger, billion * UNIT)).denial_reason == INSUFFICIENT
    for quantity_micros in (billion * UNIT + 1, INT64_MAX):
        with bad_fields("quantity_micros"):
            await _authorize_units(ledger, quantity_micros)


async def test_a_hold_stops_counting_at_its_expire_time(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(400, hold_ttl=Duration(seconds=60))
    ledger.clock.advance_to(JUNE + timedelta(seconds=60) - TICK)
    before = await ledger.authorize(400)
    ledger.clock.advance(TICK)
    at_the_end = await ledger.authorize(400)

    assert (before.denial_reason, at_the_end.decision) == (INSUFFICIENT, pb.DECISION_ALLOWED)
    states = {one.hold_id: one.hold_state for one in await ledger.holds()}
    assert states == {
        hold.hold_id: admin.HOLD_STATE_EXPIRED,
        at_the_end.hold_id: admin.HOLD_STATE_HELD,
    }
    await ledger.assert_adds_up()


async def test_a_denial_writes_nothing(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.set_cap(10, user="ann")
    await ledger.tell_product("prd_preview")
    hold = await ledger.authorize(100)
    before = await sql.everything()

    answers: list[Any] = [
        await ledger.authorize(301),
        await ledger.authorize(11, user="ann"),
        await ledger.authorize(1, product_id="prd_preview"),
        await ledger.debit(301),
        await ledger.extend(hold.hold_id, 301),
    ]

    assert {answer.decision for answer in answers} == {pb.DECISION_DENIED}
    assert await sql.everything() == before


async def test_it_answers_while_every_peer_is_away_and_has_something_to_hear(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.watch(399)
    await ledger.debit(1)

    answer = await ledger.authorize(399)

    assert answer.decision == pb.DECISION_ALLOWED
    assert await sql.value("SELECT count(*) FROM ledger.outbox WHERE sent_time IS NULL") == 2
