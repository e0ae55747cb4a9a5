# SPDX-License-Identifier: Apache-2.0
"""Several lines per call: one decision, one hold, all or nothing, captured line by line."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.call_lines import (
    THOUSAND,
    authorize_lines,
    capture_lines,
    debit_lines,
    figures,
    sell_tokens,
    tokens,
)
from tests.support.faults import bad_fields, fault
from tests.support.ledger import CREDIT, JULY, RunningLedger, a_rate
from tests.support.ledger_sql import Sql

TICK = timedelta(microseconds=1)
ALLOWED, DENIED = pb.DECISION_ALLOWED, pb.DECISION_DENIED


@pytest.fixture
async def ledger(ledger: RunningLedger) -> RunningLedger:
    """Acme has 400 credits; a thousand input tokens cost 1, output 4, cached 0.25."""
    await sell_tokens(ledger)
    return ledger


async def test_the_golden_call_of_three_kinds_of_tokens(ledger: RunningLedger) -> None:
    await ledger.debit(300)

    held = await authorize_lines(
        ledger, tokens("input", 20_000), tokens("output", 10_000), tokens("cached", 0)
    )
    captured = await capture_lines(
        ledger, held.hold_id, tokens("input", 8_000), tokens("output", 12_000), tokens("cached", 16_000)
    )

    assert (held.decision, held.held_micros, held.held_quantity_micros) == (ALLOWED, 60 * CREDIT, 0)
    assert (held.available_micros, held.affordable_credits_micros) == (40 * CREDIT, 40 * CREDIT)
    assert figures(held.lines) == [
        ("input", 20_000, 20 * CREDIT, 0),
        ("output", 10_000, 40 * CREDIT, 0),
        ("cached", 0, 0, 0),
    ]
    assert (captured.captured_micros, captured.released_micros, captured.shortfall_micros) == (
        60 * CREDIT,
        0,
        0,
    )
    assert (captured.available_micros, captured.is_late, captured.differs) == (40 * CREDIT, False, False)
    assert figures(captured.lines) == [
        ("input", 8_000, 8 * CREDIT, 0),
        ("output", 12_000, 48 * CREDIT, 0),
        ("cached", 16_000, 4 * CREDIT, 0),
    ]
    await ledger.assert_adds_up()


async def test_twenty_more_tokens_than_the_hold_covers_are_drawn(ledger: RunningLedger) -> None:
    await ledger.debit(300)
    held = await authorize_lines(
        ledger, tokens("input", 20_000), tokens("output", 10_000), tokens("cached", 0)
    )

    captured = await capture_lines(
        ledger, held.hold_id, tokens("input", 8_000), tokens("output", 12_020), tokens("cached", 16_000)
    )

    assert (captured.captured_micros, captured.released_micros) == (60_080_000, 0)
    assert captured.available_micros == 39_920_000
    await ledger.assert_adds_up()


async def test_lines_are_held_all_or_not_at_all(ledger: RunningLedger, sql: Sql) -> None:
    before = await sql.everything()

    too_much = await authorize_lines(ledger, tokens("input", 200_000), tokens("output", 50_001))
    after = await sql.everything()
    all_of_it = await authorize_lines(ledger, tokens("input", 200_000), tokens("output", 50_000))

    assert (too_much.decision, too_much.denial_reason) == (DENIED, pb.DENIAL_REASON_INSUFFICIENT_CREDITS)
    assert (too_much.available_micros, too_much.affordable_credits_micros) == (400 * CREDIT, 400 * CREDIT)
    assert (too_much.hold_id, list(too_much.lines)) == ("", [])
    assert after == before
    assert (all_of_it.decision, all_of_it.held_micros, all_of_it.available_micros) == (
        ALLOWED,
        400 * CREDIT,
        0,
    )
    await ledger.assert_adds_up()


async def test_a_debit_spends_all_lines_or_none(ledger: RunningLedger, sql: Sql) -> None:
    spent = await debit_lines(ledger, tokens("input", 100_000), tokens("output", 10_000), user="ann")
    before = await sql.everything()
    denied = await debit_lines(ledger, tokens("input", 100_000), tokens("output", 40_100), user="ann")

    assert (spent.decision, spent.debited_micros, spent.available_micros) == (
        ALLOWED,
        140 * CREDIT,
        260 * CREDIT,
    )
    assert figures(spent.lines) == [("input", 100_000, 100 * CREDIT, 0), ("output", 10_000, 40 * CREDIT, 0)]
    assert denied.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert (denied.available_micros, list(denied.lines)) == (260 * CREDIT, [])
    assert await sql.everything() == before
    entries = [one for one in await ledger.entries() if one.entry_kind == admin.ENTRY_KIND_CAPTURE]
    assert [(one.quantity_micros, one.amount_micros) for one in entries] == [
        (10 * THOUSAND, -40 * CREDIT),
        (100 * THOUSAND, -100 * CREDIT),
    ]
    assert len({one.cause_id for one in entries}) == 1
    await ledger.assert_adds_up()


async def test_a_cap_limits_the_sum_of_the_lines(ledger: RunningLedger) -> None:
    cap = await ledger.set_cap(50, user="ann")

    over = await authorize_lines(ledger, tokens("input", 30_000), tokens("output", 5_001), user="ann")
    within = await authorize_lines(ledger, tokens("input", 30_000), tokens("output", 5_000), user="ann")
    other = await debit_lines(ledger, tokens("input", 30_000), tokens("output", 5_001), user="bob")

    assert (over.denial_reason, over.affordable_credits_micros) == (
        pb.DENIAL_REASON_SPEND_CAP_REACHED,
        50 * CREDIT,
    )
    assert over.reached_cap.spend_cap_id == cap.spend_cap_id
    assert (within.decision, within.affordable_credits_micros) == (ALLOWED, 0)
    assert other.decision == ALLOWED
    await capture_lines(ledger, within.hold_id, tokens("input", 10_000))
    after = await debit_lines(ledger, tokens("input", 0), tokens("output", 10_001), user="ann")
    assert (after.denial_reason, after.affordable_credits_micros) == (
        pb.DENIAL_REASON_SPEND_CAP_REACHED,
        40 * CREDIT,
    )
    assert (after.reached_cap.spend_cap_id, after.reached_cap.used_micros) == (cap.spend_cap_id, 10 * CREDIT)
    await ledger.assert_adds_up()


async def test_each_line_counts_for_the_group_values_of_its_own_product(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_seatless", group_keys=())
    rates = [a_rate("prd_seatless"), a_rate()]
    await ledger.tell_card(*rates, version=3)
    lines = [
        pb.UsageLine(product_id="prd_assistant", quantity_micros=10**6),
        pb.UsageLine(product_id="prd_seatless", quantity_micros=10**6),
    ]
    await ledger.set_cap(30, user="ann")

    held = await authorize_lines(ledger, *lines, user="ann")
    while_held = await ledger.debit(7, user="ann")
    await ledger.capture(held.hold_id)
    once_captured = await ledger.debit(18, user="ann")

    assert held.affordable_credits_micros == 6 * CREDIT
    assert while_held.denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
    assert (once_captured.decision, once_captured.affordable_credits_micros) == (ALLOWED, 0)
    await ledger.assert_adds_up()


async def test_lines_draw_grants_of_their_products_one_after_the_other(ledger: RunningLedger) -> None:
    await ledger.debit(400)
    await ledger.top_up(30, scope_product_ids=["prd_tokens"])
    await ledger.top_up(20)
    assistant = pb.UsageLine(product_id="prd_assistant", quantity_micros=10**6)

    too_much = await authorize_lines(ledger, tokens("input", 38_001), assistant)
    both = await authorize_lines(ledger, tokens("input", 38_000), assistant)
    await ledger.release(both.hold_id)
    other_order = await authorize_lines(ledger, assistant, tokens("input", 38_000))

    assert (both.decision, both.held_micros, both.available_micros) == (ALLOWED, 50 * CREDIT, 0)
    assert (other_order.decision, other_order.held_micros) == (ALLOWED, 50 * CREDIT)
    assert too_much.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    # What any of them could draw: the assistant 20, tokens 50.
    assert (too_much.available_micros, too_much.affordable_credits_micros) == (20 * CREDIT, 20 * CREDIT)
    await ledger.assert_adds_up()


async def test_credits_that_one_line_leaves_pay_only_for_products_that_may_draw_them(
    ledger: RunningLedger,
) -> None:
    await ledger.debit(400)
    await ledger.top_up(30, scope_product_ids=["prd_tokens"])
    await ledger.top_up(12)
    assistant = pb.UsageLine(product_id="prd_assistant", quantity_micros=10**6)
    held = await authorize_lines(ledger, tokens("input", 30_000), tokens("output", 0), assistant)

    twice = pb.UsageLine(product_id="prd_assistant", quantity_micros=2 * 10**6)
    captured = await capture_lines(
        ledger, held.hold_id, tokens("input", 2_000), tokens("output", 5_000), twice
    )

    assert figures(captured.lines) == [
        ("input", 2_000, 2 * CREDIT, 0),
        ("output", 5_000, 20 * CREDIT, 0),
        ("prd_assistant", 2, 12 * CREDIT, 12 * CREDIT),
    ]
    assert (captured.released_micros, captured.shortfall_micros) == (8 * CREDIT, 12 * CREDIT)
    await ledger.assert_adds_up()


async def test_a_hold_of_lines_is_captured_whole_without_an_amount(ledger: RunningLedger) -> None:
    held = await authorize_lines(
        ledger, tokens("input", 20_000), tokens("output", 0), tokens("cached", 4_000)
    )
    request = pb.CaptureRequest(request_id="whole", customer="acme", hold_id=held.hold_id)

    first = await ledger.gate.Capture(request)
    again = await ledger.gate.Capture(request)

    assert (first.captured_micros, first.released_micros) == (21 * CREDIT, 0)
    assert figures(first.lines) == [
        ("input", 20_000, 20 * CREDIT, 0),
        ("output", 0, 0, 0),
        ("cached", 4_000, CREDIT, 0),
    ]
    assert again == first
    await ledger.assert_adds_up()


async def test_a_repeated_call_of_lines_gets_its_stored_answer(ledger: RunningLedger) -> None:
    lines = [tokens("input", 20_000), tokens("output", 10_000)]
    held = await authorize_lines(ledger, *lines, request_id="ask")
    spent = await debit_lines(ledger, *lines, request_id="spend")
    captured = await capture_lines(ledger, held.hold_id, tokens("output", 10_000), request_id="use")

    assert await authorize_lines(ledger, *lines, request_id="ask") == held
    assert await debit_lines(ledger, *lines, request_id="spend") == spent
    assert await capture_lines(ledger, held.hold_id, tokens("output", 10_000), request_id="use") == captured
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await authorize_lines(ledger, *lines[::-1], request_id="ask")
    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED"):
        await capture_lines(ledger, held.hold_id, tokens("output", 10_000))


async def test_a_hold_has_no_lines_that_were_not_asked_for(ledger: RunningLedger) -> None:
    held = await authorize_lines(ledger, tokens("input", 20_000), tokens("output", 10_000))

    with fault(
        StatusCode.FAILED_PRECONDITION,
        "LINE_NOT_HELD",
        line="prd_tokens (token_kind=cached)",
        lines="prd_tokens (token_kind=input), prd_tokens (token_kind=output)",
    ):
        await capture_lines(ledger, held.hold_id, tokens("input", 20_000), tokens("cached", 1_000))
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND"):
        await capture_lines(ledger, held.hold_id, tokens("input", 20_000, "prd_unknown"))
    with fault(StatusCode.NOT_FOUND, "HOLD_NOT_FOUND"):
        await capture_lines(ledger, "hld_unknown", tokens("input", 20_000))
    with bad_fields("lines[1]"):
        await capture_lines(ledger, held.hold_id, tokens("input", 20_000), tokens("input", 1_000))
    assert (
        await capture_lines(ledger, held.hold_id, tokens("output", 10_000))
    ).released_micros == 20 * CREDIT


async def test_one_amount_does_not_say_which_line_of_a_hold_it_is_of(ledger: RunningLedger) -> None:
    held = await authorize_lines(ledger, tokens("input", 20_000), tokens("output", 10_000))

    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_HAS_LINES"):
        await ledger.capture(held.hold_id, 5)
    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_HAS_LINES"):
        await ledger.extend(held.hold_id, 5)
    longer = await ledger.extend(held.hold_id, hold_ttl=Duration(seconds=600))

    assert (longer.decision, longer.held_micros) == (ALLOWED, 60 * CREDIT)
    ledger.clock.advance(timedelta(seconds=599))
    assert not (await ledger.capture(held.hold_id)).is_late
    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED"):
        await ledger.capture(held.hold_id, 5)
    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED"):
        await ledger.extend(held.hold_id, 5)
    await ledger.assert_adds_up()


async def test_a_hold_of_one_line_is_captured_in_either_form(ledger: RunningLedger) -> None:
    line = pb.UsageLine(product_id="prd_assistant", quantity_micros=2 * 10**6)
    by_lines = await authorize_lines(ledger, line)
    by_amount = await ledger.authorize(0, quantity_micros=2 * 10**6)

    one = await ledger.capture(by_lines.hold_id, quantity_micros=10**6)
    other = await capture_lines(ledger, by_amount.hold_id, line)

    assert figures(by_lines.lines) == [("prd_assistant", 2, 24 * CREDIT, 0)]
    assert (one.captured_micros, list(one.lines)) == (12 * CREDIT, [])
    assert (other.captured_micros, figures(other.lines)) == (
        24 * CREDIT,
        [("prd_assistant", 2, 24 * CREDIT, 0)],
    )
    assert (await ledger.holds())[0].lines == (await ledger.holds())[1].lines == []
    await ledger.assert_adds_up()


async def test_released_and_expired_lines_come_back(ledger: RunningLedger) -> None:
    first = await authorize_lines(ledger, tokens("input", 20_000), tokens("output", 10_000), user="ann")
    second = await authorize_lines(ledger, tokens("input", 20_000), tokens("output", 10_000), user="ann")

    released = await ledger.release(first.hold_id)
    ledger.clock.advance(timedelta(minutes=5))
    pool = await ledger.pool()

    assert (released.released_micros, released.available_micros) == (60 * CREDIT, 340 * CREDIT)
    assert (pool.available_micros, pool.held_micros) == (400 * CREDIT, 0)
    await ledger.assert_adds_up()
    late = await capture_lines(ledger, second.hold_id, tokens("input", 30_000), tokens("output", 100_000))
    assert (late.is_late, late.captured_micros, late.released_micros) == (True, 400 * CREDIT, 0)
    assert figures(late.lines) == [
        ("input", 30_000, 30 * CREDIT, 0),
        ("output", 100_000, 370 * CREDIT, 30 * CREDIT),
    ]
    await ledger.assert_adds_up()


async def test_a_line_is_paid_from_an_expired_grant_that_the_hold_still_draws_on(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(JULY - TICK)
    held = await authorize_lines(ledger, tokens("input", 200_000), tokens("output", 50_000))
    ledger.clock.advance(2 * TICK)
    await ledger.debit(400)

    captured = await capture_lines(ledger, held.hold_id, tokens("input", 0), tokens("output", 75_000))

    assert (captured.captured_micros, captured.released_micros, captured.shortfall_micros) == (
        300 * CREDIT,
        100 * CREDIT,
        0,
    )
    assert (await ledger.pool()).available_micros == 0
    await ledger.assert_adds_up()


async def test_lines_on_one_meter_count_on_it_one_after_the_other(ledger: RunningLedger) -> None:
    # Every kind has the one rate of its product: 10 credits for each started thousand.
    await ledger.tell_card(
        a_rate(
            "prd_tokens",
            rate_id="rat_blocks",
            price_micros=10 * CREDIT,
            per_micros=THOUSAND,
            rate_type="RATE_TYPE_PACKAGE",
        ),
        version=3,
    )
    lines = [tokens("input", 600), tokens("output", 600)]

    held = await authorize_lines(ledger, *lines)
    spent = await debit_lines(ledger, *lines)
    captured = await capture_lines(ledger, held.hold_id, *lines)

    # Each is quoted as if a block began with it; but 1,200 tokens are two blocks, and 2,400 are three.
    assert figures(held.lines) == [("input", 600, 10 * CREDIT, 0), ("output", 600, 10 * CREDIT, 0)]
    assert figures(spent.lines) == [("input", 600, 10 * CREDIT, 0), ("output", 600, 10 * CREDIT, 0)]
    assert figures(captured.lines) == [("input", 600, 0, 0), ("output", 600, 10 * CREDIT, 0)]
    assert (captured.released_micros, captured.available_micros) == (10 * CREDIT, 370 * CREDIT)
    await ledger.assert_adds_up()


async def test_the_first_line_that_fails_decides_the_reason(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_unpriced")
    unpriced = pb.UsageLine(product_id="prd_unpriced", quantity_micros=1)

    not_entitled = await authorize_lines(ledger, tokens("input", 1_000), unpriced)
    with fault(StatusCode.NOT_FOUND, "RATE_NOT_FOUND", dimension_values="token_kind=odd"):
        await authorize_lines(ledger, tokens("odd", 1_000), unpriced)
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND"):
        await debit_lines(ledger, unpriced, tokens("input", 1_000, "prd_unknown"))
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    suspended = await debit_lines(ledger, unpriced, tokens("input", 1_000))

    assert not_entitled.denial_reason == pb.DENIAL_REASON_NOT_ENTITLED
    assert suspended.denial_reason == pb.DENIAL_REASON_CUSTOMER_SUSPENDED


async def test_lines_in_two_credit_types_are_a_fault(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_painter")
    await ledger.tell_card(a_rate(), a_rate("prd_painter", credit_type_id="crt_images"), version=3)
    lines = [
        pb.UsageLine(product_id="prd_assistant", quantity_micros=1),
        pb.UsageLine(product_id="prd_painter", quantity_micros=1),
    ]

    with fault(StatusCode.FAILED_PRECONDITION, "CREDIT_TYPES_DIFFER", credit_type_ids="crt_ai, crt_images"):
        await authorize_lines(ledger, *lines)
    with fault(StatusCode.FAILED_PRECONDITION, "CREDIT_TYPES_DIFFER"):
        await debit_lines(ledger, *lines)


async def test_malformed_lines_are_named(ledger: RunningLedger) -> None:
    bad = pb.UsageLine(quantity_micros=-1, properties={"": "x"})
    with bad_fields("lines[1].product_id", "lines[1].quantity_micros", "lines[1].properties"):
        await authorize_lines(ledger, tokens("input", 1_000), bad)
    with bad_fields("lines"):
        await authorize_lines(ledger, *[tokens(f"kind-{n}", 1_000) for n in range(21)])
    with bad_fields("lines"):
        await debit_lines(ledger, tokens("input", 0), tokens("output", 0))
    with bad_fields("lines[2]"):
        await debit_lines(ledger, tokens("input", 1_000), tokens("output", 1_000), tokens("input", 2_000))
    with bad_fields("product_id", "credits_micros", "properties", "allow_partial"):
        await authorize_lines(
            ledger,
            tokens("input", 1_000),
            product_id="prd_tokens",
            credits_micros=1,
            properties={"model": "large"},
            allow_partial=True,
        )
    with bad_fields("product_id", "quantity_micros"):
        await debit_lines(ledger)
    with bad_fields("quantity_micros"):
        await capture_lines(ledger, "hld_1", tokens("input", 1_000), quantity_micros=1)
    with bad_fields("lines[1].quantity_micros"):
        await debit_lines(ledger, tokens("input", 1_000), tokens("output", 300_000_000_000))
    with bad_fields("lines"):
        await debit_lines(ledger, tokens("input", 600_000_000_000), tokens("output", 200_000_000_000))


async def test_twenty_lines_are_one_call(ledger: RunningLedger) -> None:
    lines = []
    for number in range(20):
        await ledger.tell_product(f"prd_{number}")
        lines.append(pb.UsageLine(product_id=f"prd_{number}", quantity_micros=10**6))
    await ledger.tell_card(*(a_rate(f"prd_{number}", price_micros=CREDIT) for number in range(20)), version=3)

    held = await authorize_lines(ledger, *lines, user="ann")
    captured = await ledger.capture(held.hold_id)

    assert (held.held_micros, captured.captured_micros, len(captured.lines)) == (20 * CREDIT, 20 * CREDIT, 20)
    await ledger.assert_adds_up()


async def test_batches_take_calls_with_lines_and_without(ledger: RunningLedger) -> None:
    lines = [tokens("input", 20_000), tokens("output", 10_000)]
    asks = [
        pb.AuthorizeRequest(request_id="a", customer="acme", lines=lines),
        pb.AuthorizeRequest(
            request_id="b", customer="acme", product_id="prd_assistant", quantity_micros=10**6
        ),
        pb.AuthorizeRequest(request_id="c", customer="acme", lines=[tokens("input", 0)]),
        pb.AuthorizeRequest(request_id="d", customer="acme", lines=[tokens("input", 400_000)]),
    ]

    a, b, c, d = (await ledger.gate.AuthorizeBatch(pb.AuthorizeBatchRequest(items=asks))).results
    captures = [
        pb.CaptureRequest(request_id="e", customer="acme", hold_id=a.response.hold_id, lines=lines[1:]),
        pb.CaptureRequest(request_id="f", customer="acme", hold_id=b.response.hold_id),
    ]
    e, f = (await ledger.gate.CaptureBatch(pb.CaptureBatchRequest(items=captures))).results
    debits = [pb.DebitRequest(request_id="g", customer="acme", lines=lines)]
    (g,) = (await ledger.gate.DebitBatch(pb.DebitBatchRequest(items=debits))).results

    assert (len(a.response.lines), len(b.response.lines), c.HasField("error")) == (2, 0, True)
    assert d.response.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert figures(e.response.lines) == [("input", 0, 0, 0), ("output", 10_000, 40 * CREDIT, 0)]
    assert (f.response.captured_micros, g.response.debited_micros) == (12 * CREDIT, 60 * CREDIT)
    await ledger.assert_adds_up()
