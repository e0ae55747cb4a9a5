# SPDX-License-Identifier: Apache-2.0
"""Shadow mode: what would be denied is allowed, said in the response, and counted in a report."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate, running_ledger
from tests.support.postgres import Databases

DAY = timedelta(days=1)
ALLOWED = pb.DECISION_ALLOWED
TOO_MANY = pb.DENIAL_REASON_TOO_MANY_IN_FLIGHT
CAP_REACHED = pb.DENIAL_REASON_SPEND_CAP_REACHED
NO_CREDITS = pb.DENIAL_REASON_INSUFFICIENT_CREDITS
NO_SEAT = pb.DENIAL_REASON_SEAT_NOT_ASSIGNED


def _denial(reason: pb.DenialReason, missing: int = 0, **cap: str) -> pb.ShadowDenial:
    return pb.ShadowDenial(denial_reason=reason, missing_micros=missing * CREDIT, **cap)


async def test_a_mode_is_told_as_it_was_set(ledger: RunningLedger) -> None:
    whole = await ledger.set_shadow()
    ledger.clock.advance(DAY)
    product = await ledger.set_shadow(product_id="prd_assistant", is_on=False)

    modes = await ledger.admin.ListShadowModes(admin.ListShadowModesRequest(customer="acme"))

    assert whole == admin.ShadowMode(customer_id="cus_acme", is_on=True, update_time=timestamp(JUNE))
    assert product == admin.ShadowMode(
        customer_id="cus_acme", product_id="prd_assistant", update_time=timestamp(JUNE + DAY)
    )
    assert list(modes.shadow_modes) == [whole, product]


async def test_a_concurrency_cap_in_shadow_mode_denies_nothing_and_is_reported(ledger: RunningLedger) -> None:
    cap = await ledger.set_concurrency_cap(1, group_key="user_id", group_value="ann", is_shadow=True)
    assert cap.is_shadow

    first = await ledger.authorize(1, user="ann")
    second = await ledger.authorize(2, user="ann")
    other = await ledger.authorize(1, user="bob")

    assert not first.HasField("shadow_denial")
    assert not other.HasField("shadow_denial")
    assert (second.decision, second.held_micros) == (ALLOWED, 2 * CREDIT)
    assert second.shadow_denial == _denial(TOO_MANY, concurrency_cap_id=cap.concurrency_cap_id)
    assert await ledger.shadow_denials() == [
        admin.ShadowDenials(
            customer_id="cus_acme",
            day=timestamp(JUNE),
            credit_type_id=AI,
            denial_reason=TOO_MANY,
            cap_id=cap.concurrency_cap_id,
            product_id="prd_assistant",
            group_key="user_id",
            group_value="ann",
            denials=1,
            credits_micros=2 * CREDIT,
            first_time=timestamp(JUNE),
            last_time=timestamp(JUNE),
        )
    ]
    await ledger.assert_adds_up()


async def test_a_spend_cap_in_shadow_mode_denies_nothing_until_it_is_set_again_without(
    ledger: RunningLedger,
) -> None:
    cap = await ledger.set_cap(10, user="ann", is_shadow=True)
    weekly = await ledger.set_cap(20, user="ann", window=admin.CAP_WINDOW_WEEK, is_shadow=True)
    assert (cap.is_shadow, weekly.is_shadow) == (True, True)

    within = await ledger.debit(10, user="ann")
    beyond = await ledger.debit(5, user="ann")
    far_beyond = await ledger.debit(10, user="ann")
    enforced = await ledger.set_cap(10, user="ann")
    denied = await ledger.debit(1, user="ann")

    assert not within.HasField("shadow_denial")
    assert within.affordable_credits_micros == 390 * CREDIT
    assert beyond.shadow_denial == _denial(CAP_REACHED, spend_cap_id=cap.spend_cap_id)
    assert far_beyond.shadow_denial.spend_cap_id == cap.spend_cap_id  # of both, it leaves least
    assert (enforced.spend_cap_id, enforced.is_shadow) == (cap.spend_cap_id, False)
    assert denied.reached_cap.spend_cap_id == cap.spend_cap_id
    (line,) = await ledger.shadow_denials()
    assert (line.cap_id, line.denials, line.credits_micros) == (cap.spend_cap_id, 2, 15 * CREDIT)


async def test_an_enforced_cap_denies_what_a_tighter_one_in_shadow_mode_would(ledger: RunningLedger) -> None:
    await ledger.set_cap(10, user="ann", is_shadow=True)
    weekly = await ledger.set_cap(20, user="ann", window=admin.CAP_WINDOW_WEEK)

    denied = await ledger.debit(21, user="ann")
    allowed = await ledger.debit(20, user="ann")

    assert denied.reached_cap.spend_cap_id == weekly.spend_cap_id
    assert denied.affordable_credits_micros == 20 * CREDIT
    assert allowed.shadow_denial.denial_reason == CAP_REACHED
    assert [one.denials for one in await ledger.shadow_denials()] == [1]


async def test_another_check_still_denies_and_then_nothing_is_reported(ledger: RunningLedger) -> None:
    await ledger.set_concurrency_cap(0, is_shadow=True)
    await ledger.set_concurrency_cap(1, group_key="user_id")
    assert (await ledger.authorize(1, user="ann")).decision == ALLOWED

    full = await ledger.authorize(1, user="ann")
    unaffordable = await ledger.authorize(1_000, user="bob")

    assert (full.denial_reason, unaffordable.denial_reason) == (TOO_MANY, NO_CREDITS)
    assert full.reached_concurrency_cap.group_value == "ann"
    assert [one.denials for one in await ledger.shadow_denials()] == [1]


async def test_a_hold_without_enough_credits_covers_what_there_is_and_its_capture_leaves_a_shortfall(
    ledger: RunningLedger,
) -> None:
    await ledger.set_shadow()

    hold = await ledger.authorize(0, user="ann", quantity_micros=50_000_000)  # 600 credits; there are 400
    captured = await ledger.capture(hold.hold_id)

    assert (hold.decision, hold.held_micros, hold.held_quantity_micros) == (ALLOWED, 400 * CREDIT, 50_000_000)
    assert hold.shadow_denial == _denial(NO_CREDITS, 200)
    assert (hold.available_micros, hold.affordable_credits_micros) == (0, 0)
    assert (captured.captured_micros, captured.shortfall_micros) == (400 * CREDIT, 200 * CREDIT)
    pool = await ledger.pool()
    assert (pool.available_micros, pool.held_micros, pool.shortfall_micros) == (0, 0, 200 * CREDIT)
    (line,) = await ledger.shadow_denials()
    assert (line.denial_reason, line.cap_id, line.group_key) == (NO_CREDITS, "", "")
    assert (line.denials, line.credits_micros) == (1, 600 * CREDIT)
    await ledger.assert_adds_up()


async def test_such_a_hold_expires_or_is_released_with_what_it_has(ledger: RunningLedger) -> None:
    await ledger.set_shadow()
    first = await ledger.authorize(500)
    released = await ledger.release(first.hold_id)
    second = await ledger.authorize(500, hold_ttl=Duration(seconds=60))
    ledger.clock.advance(timedelta(seconds=60))

    assert released.released_micros == 400 * CREDIT
    assert second.held_micros == 400 * CREDIT
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_a_debit_draws_what_there_is_and_the_rest_is_a_shortfall(ledger: RunningLedger) -> None:
    await ledger.set_shadow()

    debited = await ledger.debit(500, user="ann")
    nothing_left = await ledger.debit(3, user="ann")

    assert (debited.decision, debited.debited_micros) == (ALLOWED, 400 * CREDIT)
    assert debited.shadow_denial == _denial(NO_CREDITS, 100)
    assert (nothing_left.debited_micros, nothing_left.shadow_denial) == (0, _denial(NO_CREDITS, 3))
    assert (await ledger.pool()).shortfall_micros == 103 * CREDIT
    (line,) = await ledger.shadow_denials()
    assert (line.denials, line.credits_micros) == (2, 503 * CREDIT)
    await ledger.assert_adds_up()


async def test_overage_comes_before_a_shortfall(ledger: RunningLedger) -> None:
    limit = peer_pb.OverageLimit(credit_type_id=AI, cap_micros=50 * CREDIT)
    await ledger.apply_contract(start=JUNE, version=2, overage=peer_pb.OveragePolicy(limits=[limit]))
    await ledger.set_shadow()

    debited = await ledger.debit(500)
    hold = await ledger.authorize(10)

    assert (debited.debited_micros, debited.overage_micros) == (450 * CREDIT, 50 * CREDIT)
    assert debited.shadow_denial == _denial(NO_CREDITS, 50)
    assert (hold.held_micros, hold.overage_held_micros) == (0, 0)
    await ledger.assert_adds_up()


async def test_spend_caps_of_a_customer_in_shadow_mode_deny_nothing_and_go_on_counting(
    ledger: RunningLedger,
) -> None:
    cap = await ledger.set_cap(10, user="ann")
    await ledger.set_shadow()

    debited = await ledger.debit(30, user="ann")
    hold = await ledger.authorize(5, user="ann")
    longer = await ledger.extend(hold.hold_id, 7)
    await ledger.set_shadow(is_on=False)
    denied = await ledger.debit(1, user="ann")

    expected = _denial(CAP_REACHED, spend_cap_id=cap.spend_cap_id)
    assert (debited.shadow_denial, hold.shadow_denial, longer.shadow_denial) == (expected,) * 3
    assert (longer.decision, longer.held_micros) == (ALLOWED, 12 * CREDIT)
    assert (denied.denial_reason, denied.reached_cap.used_micros) == (CAP_REACHED, 42 * CREDIT)
    assert not denied.HasField("shadow_denial")
    (line,) = await ledger.shadow_denials()
    assert (line.cap_id, line.group_value, line.denials) == (cap.spend_cap_id, "ann", 3)
    assert line.credits_micros == 42 * CREDIT


async def test_the_first_reason_in_the_order_of_checks_is_reported(ledger: RunningLedger) -> None:
    full = await ledger.set_concurrency_cap(0)
    await ledger.set_cap(1, user="ann")
    await ledger.set_shadow()

    hold = await ledger.authorize(1_000, user="ann")
    debited = await ledger.debit(1_000, user="ann")

    assert hold.shadow_denial == _denial(TOO_MANY, 600, concurrency_cap_id=full.concurrency_cap_id)
    assert debited.shadow_denial.denial_reason == CAP_REACHED  # a debit is not in flight
    assert debited.shadow_denial.missing_micros == 1_000 * CREDIT


async def test_a_product_in_shadow_mode_leaves_the_others_as_they_are(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_search")
    await ledger.tell_card(a_rate(), a_rate("prd_search"), version=2)
    await ledger.set_shadow(product_id="prd_search")
    lines = [
        pb.UsageLine(product_id=one, quantity_micros=40_000_000) for one in ("prd_search", "prd_assistant")
    ]

    async def ask(*asked: pb.UsageLine) -> pb.DebitResponse:
        return await ledger.gate.Debit(
            pb.DebitRequest(request_id=ledger.request_id(), customer="acme", lines=asked)
        )

    other = await ledger.debit(401)
    both = await ask(*lines)
    in_shadow = await ledger.debit(401, product_id="prd_search")

    assert (other.denial_reason, both.denial_reason) == (NO_CREDITS, NO_CREDITS)
    assert in_shadow.shadow_denial == _denial(NO_CREDITS, 1)
    assert [one.product_id for one in await ledger.shadow_denials()] == ["prd_search"]


async def test_several_lines_are_allowed_and_what_each_lacks_is_said(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_search")
    await ledger.tell_card(a_rate(), a_rate("prd_search"), version=2)
    await ledger.set_shadow()
    lines = [
        pb.UsageLine(product_id=product_id, quantity_micros=25_000_000)  # 300 credits each
        for product_id in ("prd_assistant", "prd_search")
    ]

    hold = await ledger.gate.Authorize(
        pb.AuthorizeRequest(request_id=ledger.request_id(), customer="acme", lines=lines)
    )
    captured = await ledger.capture(hold.hold_id)
    debited = await ledger.gate.Debit(
        pb.DebitRequest(request_id=ledger.request_id(), customer="acme", lines=lines)
    )

    assert hold.shadow_denial == _denial(NO_CREDITS, 200)
    assert hold.held_micros == 400 * CREDIT
    assert [one.credits_micros // CREDIT for one in hold.lines] == [300, 100]
    assert [one.shortfall_micros for one in hold.lines] == [0, 0]
    assert [(one.credits_micros // CREDIT, one.shortfall_micros // CREDIT) for one in captured.lines] == [
        (300, 0),
        (100, 200),
    ]
    assert debited.shadow_denial == _denial(NO_CREDITS, 600)
    assert [one.shortfall_micros // CREDIT for one in debited.lines] == [300, 300]
    await ledger.assert_adds_up()


async def test_a_missing_seat_is_allowed_and_draws_what_usage_without_it_draws(databases: Databases) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_named_seats()
        await ledger.assign("ann", sequence=1)
        await ledger.set_shadow()

        debited = await ledger.debit(5, user="nobody")
        hold = await ledger.authorize(5, user="nobody")
        beyond = await ledger.debit(130, user="ann")
        await ledger.set_shadow(is_on=False)
        denied = await ledger.debit(5, user="nobody")

        # A stranger draws no seat's credits, so all of it is missing.
        assert debited.shadow_denial == _denial(NO_SEAT, 5)
        assert (hold.decision, hold.held_micros, hold.shadow_denial) == (ALLOWED, 0, _denial(NO_SEAT, 5))
        assert (beyond.debited_micros, beyond.shadow_denial) == (100 * CREDIT, _denial(NO_CREDITS, 30))
        assert denied.denial_reason == NO_SEAT
        await ledger.assert_adds_up()


async def test_a_suspended_customer_and_one_without_a_price_are_denied_all_the_same(
    ledger: RunningLedger,
) -> None:
    await ledger.tell_product("prd_search")
    await ledger.set_shadow()

    unpriced = await ledger.debit(1, product_id="prd_search")
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    suspended = await ledger.debit(1)

    assert unpriced.denial_reason == pb.DENIAL_REASON_NOT_ENTITLED
    assert suspended.denial_reason == pb.DENIAL_REASON_CUSTOMER_SUSPENDED
    assert await ledger.shadow_denials() == []


async def test_a_repeated_request_gets_its_response_and_is_counted_once(ledger: RunningLedger) -> None:
    await ledger.set_shadow()
    hold = await ledger.authorize(500, request_id="one")
    debited = await ledger.debit(5, request_id="two")
    longer = await ledger.extend(hold.hold_id, 1, request_id="three")
    await ledger.set_shadow(is_on=False)

    assert await ledger.authorize(500, request_id="one") == hold
    assert await ledger.debit(5, request_id="two") == debited
    assert await ledger.extend(hold.hold_id, 1, request_id="three") == longer
    (line,) = await ledger.shadow_denials()
    assert line.denials == 3


async def test_the_report_has_a_line_per_day_and_is_read_in_pages(ledger: RunningLedger) -> None:
    await ledger.set_shadow()
    await ledger.debit(400)
    for days in range(3):
        ledger.clock.advance_to(JUNE + days * DAY + timedelta(hours=1))
        await ledger.debit(1)
        ledger.clock.advance(timedelta(hours=2))
        await ledger.debit(2)

    whole = await ledger.shadow_denials()
    middle = await ledger.shadow_denials(start_time=timestamp(JUNE + DAY), end_time=timestamp(JUNE + 2 * DAY))
    everybody = await ledger.shadow_denials(customer="")
    asked = admin.ListShadowDenialsRequest(
        customer="acme", start_time=timestamp(JUNE), end_time=timestamp(JULY), page_size=2
    )
    page = await ledger.admin.ListShadowDenials(asked)
    asked.page_token = page.next_page_token
    rest = await ledger.admin.ListShadowDenials(asked)

    assert [one.day for one in whole] == [timestamp(JUNE + days * DAY) for days in range(3)]
    assert {(one.denials, one.credits_micros) for one in whole} == {(2, 3 * CREDIT)}
    assert (middle, everybody) == (whole[1:2], whole)
    assert middle[0].first_time == timestamp(JUNE + DAY + timedelta(hours=1))
    assert middle[0].last_time == timestamp(JUNE + DAY + timedelta(hours=3))
    assert [*page.shadow_denials, *rest.shadow_denials] == whole
    assert not rest.next_page_token


async def test_a_decision_is_explained_with_what_would_deny_it(ledger: RunningLedger) -> None:
    await ledger.set_shadow()
    ask = pb.DecisionAsk(product_id="prd_assistant", credits_micros=500 * CREDIT)

    explained = await ledger.gate.GetDecision(pb.GetDecisionRequest(customer="acme", ask=ask))

    assert explained.decision == ALLOWED
    assert explained.shadow_denial == _denial(NO_CREDITS, 100)
    assert sum(draw.amount_micros for draw in explained.draws) == 400 * CREDIT
    assert await ledger.shadow_denials() == []


async def test_wrong_names_are_faults(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.set_shadow(customer="nobody")
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_none"):
        await ledger.set_shadow(product_id="prd_none")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.shadow_denials(customer="nobody")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"start_time": timestamp(JUNE + timedelta(hours=1))}, "start_time"),
        ({"end_time": timestamp(JULY + timedelta(microseconds=1))}, "end_time"),
        ({"end_time": timestamp(JUNE)}, "end_time"),
        ({"page_token": "x"}, "page_token"),
    ],
)
async def test_a_report_is_of_whole_days(ledger: RunningLedger, wrong: dict[str, object], field: str) -> None:
    with bad_fields(field):
        await ledger.shadow_denials(**wrong)
