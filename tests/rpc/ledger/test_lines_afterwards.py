# SPDX-License-Identifier: Apache-2.0
"""What becomes of calls with several lines: entries, sums, explanations, corrections and events that are captures."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.rpc.ledger.test_amend_usage import amend
from tests.rpc.ledger.test_meters import FALLING, a_graduated_rate
from tests.rpc.ledger.test_record_usage import ACCEPTED, REJECTED
from tests.rpc.ledger.test_usage_history import explain
from tests.rpc.ledger.test_void_usage import void
from tests.support.call_lines import (
    THOUSAND,
    authorize_lines,
    capture_lines,
    debit_lines,
    figures,
    sell_tokens,
    tokens,
)
from tests.support.faults import fault
from tests.support.ledger import CREDIT, JUNE, RunningLedger, a_rate, two_ledgers
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, report

UNIT = 10**6


@pytest.fixture
async def ledger(ledger: RunningLedger) -> RunningLedger:
    """Acme has 400 credits; a thousand input tokens cost 1, output 4, cached 0.25."""
    await sell_tokens(ledger)
    return ledger


@pytest.fixture
async def replicas(databases: Databases) -> AsyncIterator[tuple[RunningLedger, RunningLedger]]:
    """Two Ledgers that share database and clock; acme has 400 credits."""
    async with two_ledgers(databases) as (first, second):
        await sell_tokens(first)
        yield first, second


async def sell_metered_tokens(ledger: RunningLedger) -> None:
    """Sell prd_input and prd_output, which sum the properties input and output of a model_call."""
    for kind in ("input", "output"):
        await ledger.tell_product(f"prd_{kind}", sum_property=kind, event_type="model_call")
    await ledger.tell_card(
        a_rate(),
        a_rate("prd_input", price_micros=CREDIT, per_micros=THOUSAND),
        a_rate("prd_output", price_micros=4 * CREDIT, per_micros=THOUSAND),
        version=3,
    )


def metered(kind: str, count: int) -> pb.UsageLine:
    return pb.UsageLine(product_id=f"prd_{kind}", quantity_micros=count * UNIT)


def of_hold(hold_id: str, transaction_id: str = "tx-1", **properties: str) -> usage.UsageEvent:
    units = properties.pop("units", None)
    event_type = "model_call" if units is None else "ai_call"
    event = an_event(transaction_id, units, event_type=event_type, **properties)
    event.hold_id = hold_id
    return event


async def test_a_hold_is_shown_and_explained_line_by_line(ledger: RunningLedger) -> None:
    held = await authorize_lines(ledger, tokens("input", 20_000), tokens("output", 10_000), user="ann")
    await ledger.set_cap(100, user="ann")

    (shown,) = await ledger.holds()
    told = await ledger.gate.GetDecision(pb.GetDecisionRequest(customer="acme", hold_id=held.hold_id))

    assert (shown.product_id, shown.amount_micros) == ("prd_tokens", 60 * CREDIT)
    assert figures(shown.lines) == [("input", 20_000, 20 * CREDIT, 0), ("output", 10_000, 40 * CREDIT, 0)]
    assert (told.decision, told.credits_micros, told.rate_id) == (pb.DECISION_ALLOWED, 60 * CREDIT, "")
    assert [draw.amount_micros for draw in told.draws] == [20 * CREDIT, 40 * CREDIT]
    assert [(line.rate_id, line.contract_id, line.price_micros, line.per_micros) for line in told.lines] == [
        ("rat_input", "con_1", CREDIT, THOUSAND),
        ("rat_output", "con_1", 4 * CREDIT, THOUSAND),
    ]
    assert [[draw.amount_micros for draw in line.draws] for line in told.lines] == [
        [20 * CREDIT],
        [40 * CREDIT],
    ]
    assert [cap.used_micros for cap in told.spend_caps] == [60 * CREDIT]


async def test_columns_of_one_line_say_what_is_so_of_the_whole_hold(ledger: RunningLedger, sql: Sql) -> None:
    """So the previous version, which knows no lines, returns what such a hold reserves."""
    held = await authorize_lines(ledger, tokens("input", 20_000), tokens("output", 10_000), user="ann")
    await ledger.authorize(0, quantity_micros=UNIT, user="ann")

    one, several = await sql.rows(
        "SELECT hold_id, quantity_micros, draw_micros, counted_group_values::text AS counted, lines IS NULL AS is_one"
        " FROM ledger.holds ORDER BY lines IS NULL DESC"
    )

    assert (one["is_one"], one["quantity_micros"]) == (True, UNIT)
    assert several == {
        "hold_id": held.hold_id,
        "quantity_micros": 0,
        "draw_micros": [20 * CREDIT, 40 * CREDIT],
        "counted": '{"user_id": "ann"}',
        "is_one": False,
    }


async def test_an_ask_of_lines_is_explained_without_effect(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.debit(300)
    await ledger.top_up(30, scope_product_ids=["prd_assistant"])
    before = await sql.everything()

    async def explained(*lines: pb.UsageLine) -> pb.GetDecisionResponse:
        ask = pb.DecisionAsk(lines=lines)
        return await ledger.gate.GetDecision(pb.GetDecisionRequest(customer="acme", ask=ask))

    allowed = await explained(tokens("input", 60_000), tokens("output", 10_000))
    denied = await explained(tokens("input", 60_001), tokens("output", 10_000))

    assert (allowed.decision, allowed.credits_micros, allowed.available_micros) == (
        pb.DECISION_ALLOWED,
        100 * CREDIT,
        100 * CREDIT,
    )
    assert [(line.credits_micros, line.draws[0].amount_micros) for line in allowed.lines] == [
        (60 * CREDIT, 60 * CREDIT),
        (40 * CREDIT, 40 * CREDIT),
    ]
    assert [grant.granted_micros for grant in allowed.grants] == [400 * CREDIT]  # the other is not in scope
    assert denied.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert (list(denied.draws), [list(line.draws) for line in denied.lines]) == ([], [[], []])
    assert await sql.everything() == before


async def test_an_entry_explains_its_own_line(ledger: RunningLedger) -> None:
    held = await authorize_lines(ledger, tokens("input", 40_000), tokens("output", 10_000), user="ann")
    await ledger.capture(held.hold_id)

    output, input_ = [one for one in await ledger.entries() if one.hold_id == held.hold_id]
    explained = [await explain(ledger, entry.sequence) for entry in (input_, output)]

    # Two lines of one product that cost the same: only the dimension values tell them apart.
    assert [(dict(one.dimension_values), one.quantity_micros, one.credits_micros) for one in explained] == [
        ({"token_kind": "input"}, 40 * THOUSAND, 40 * CREDIT),
        ({"token_kind": "output"}, 10 * THOUSAND, 40 * CREDIT),
    ]
    assert [one.rate.rate_id for one in explained] == ["rat_input", "rat_output"]


async def test_equal_lines_at_equal_positions_are_explained_apart(ledger: RunningLedger) -> None:
    same = [
        a_rate(
            "prd_tokens", rate_id=f"rat_{kind}", per_micros=THOUSAND, dimension_values={"token_kind": kind}
        )
        for kind in ("left", "right")
    ]
    await ledger.tell_card(*same, version=3)
    await debit_lines(ledger, tokens("left", 1_000), tokens("right", 1_000))

    right = (await ledger.entries())[0]

    assert (await explain(ledger, right.sequence)).credits_micros == 12 * CREDIT


async def test_usage_of_lines_is_added_up_by_dimension(ledger: RunningLedger) -> None:
    held = await authorize_lines(
        ledger, tokens("input", 20_000), tokens("output", 10_000), tokens("cached", 0), user="ann"
    )
    await capture_lines(ledger, held.hold_id, tokens("input", 4_000), tokens("output", 120_000))
    await ledger.top_up(2)
    await debit_lines(ledger, tokens("input", 1_000), tokens("cached", 4_000), user="ann")

    sums = await ledger.usage.GetUsage(
        usage.GetUsageRequest(
            customer="acme",
            start_time=timestamp(JUNE),
            end_time=timestamp(JUNE + timedelta(hours=1)),
            window=usage.USAGE_WINDOW_HOUR,
            group_key="user_id",
            dimension_key="token_kind",
        )
    )

    rows = {one.dimension_value: one for one in sums.sums}
    found = {
        kind: (one.quantity_micros, one.credits_micros, one.shortfall_micros, one.uses)
        for kind, one in rows.items()
    }
    assert found == {
        "cached": (4 * THOUSAND, CREDIT, 0, 1),
        "input": (5 * THOUSAND, 5 * CREDIT, 0, 2),
        "output": (120 * THOUSAND, 480 * CREDIT, 84 * CREDIT, 1),
    }
    await ledger.assert_adds_up()


async def test_voiding_a_hold_takes_all_its_lines_back(ledger: RunningLedger) -> None:
    held = await authorize_lines(ledger, tokens("input", 20_000), tokens("output", 10_000), user="ann")
    await capture_lines(ledger, held.hold_id, tokens("input", 40_000), tokens("output", 120_000))
    await ledger.set_cap(1_000, user="ann")
    assert (await ledger.pool()).shortfall_micros == 120 * CREDIT

    lines = await void(ledger, hold_id=held.hold_id)

    taken = sorted((line.quantity_micros, line.credits_micros, line.shortfall_micros) for line in lines)
    assert taken == [
        (-120 * THOUSAND, -480 * CREDIT, -120 * CREDIT),
        (-40 * THOUSAND, -40 * CREDIT, 0),
    ]
    pool = await ledger.pool()
    assert (pool.available_micros, pool.shortfall_micros) == (400 * CREDIT, 0)
    assert (await ledger.authorize(1, user="ann")).affordable_credits_micros == 399 * CREDIT
    with fault(StatusCode.FAILED_PRECONDITION, "USAGE_ALREADY_VOIDED"):
        await void(ledger, hold_id=held.hold_id)
    await ledger.assert_adds_up()


async def test_voiding_lines_on_one_meter_returns_what_the_meter_costs_less(ledger: RunningLedger) -> None:
    await ledger.top_up(10_000)
    # Both kinds are on the meter of prd_tokens' one rate: 0 to 1,000 at 1, to 10,000 at 0.5.
    await ledger.tell_card(a_graduated_rate(FALLING, product_id="prd_tokens"), version=3)
    held = await authorize_lines(ledger, tokens("input", 600), tokens("output", 800))
    captured = await ledger.capture(held.hold_id)
    later = await debit_lines(ledger, tokens("input", 600))

    lines = await void(ledger, hold_id=held.hold_id)

    assert figures(captured.lines) == [("input", 600, 600 * CREDIT, 0), ("output", 800, 600 * CREDIT, 0)]
    assert later.debited_micros == 300 * CREDIT
    # Of 2,000 units 600 are left, which cost 600 of the 1,500; the first line was 300 of that, the second 600.
    assert sum(line.credits_micros for line in lines) == -900 * CREDIT
    await ledger.assert_adds_up()


async def test_an_event_captures_the_lines_that_it_reports(ledger: RunningLedger) -> None:
    await sell_metered_tokens(ledger)
    held = await authorize_lines(ledger, metered("output", 10_000), metered("input", 20_000), user="ann")

    (result,) = await report(ledger, of_hold(held.hold_id, input="8000", output="13000"))
    same = await capture_lines(ledger, held.hold_id, metered("input", 8_000), metered("output", 13_000))
    other = await capture_lines(ledger, held.hold_id, metered("input", 13_000), metered("output", 8_000))
    whole = await ledger.capture(held.hold_id)
    (again,) = await report(ledger, of_hold(held.hold_id, "tx-2", input="8000", output="13000"))
    (less,) = await report(ledger, of_hold(held.hold_id, "tx-3", input="8000", output="1"))

    assert (result.event_status, result.credits_micros) == (ACCEPTED, 60 * CREDIT)
    assert [(one.product_id, one.quantity_micros, one.credits_micros) for one in result.lines] == [
        ("prd_input", 8 * THOUSAND, 8 * CREDIT),
        ("prd_output", 13 * THOUSAND, 52 * CREDIT),
    ]
    assert (same.captured_micros, same.released_micros, same.differs) == (60 * CREDIT, 0, False)
    assert figures(same.lines) == [
        ("prd_output", 13_000, 52 * CREDIT, 0),
        ("prd_input", 8_000, 8 * CREDIT, 0),
    ]
    assert (other.differs, whole.differs, figures(other.lines)) == (True, True, figures(same.lines))
    assert (again.is_duplicate, again.differs, less.differs) == (True, False, True)
    assert list(again.lines) == list(result.lines)
    with fault(StatusCode.FAILED_PRECONDITION, "LINE_NOT_HELD"):
        await capture_lines(ledger, held.hold_id, tokens("input", 1))
    await ledger.assert_adds_up()


async def test_an_event_that_captured_lines_is_amended_and_voided_line_by_line(ledger: RunningLedger) -> None:
    await sell_metered_tokens(ledger)
    held = await authorize_lines(ledger, metered("input", 20_000), metered("output", 10_000), user="ann")
    await report(ledger, of_hold(held.hold_id, input="8000", output="13000"))

    amended = await amend(ledger, "tx-1", {"input": "9000", "output": "3000", "user_id": "ann"})
    after = await ledger.pool()
    voided = await void(ledger, "tx-1")

    assert sum(credits for _, credits, _ in amended) == -39 * CREDIT
    assert after.available_micros == 379 * CREDIT
    assert sum(line.credits_micros for line in voided) == -21 * CREDIT
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_an_event_after_the_capture_of_lines_gets_what_they_came_to(ledger: RunningLedger) -> None:
    await sell_metered_tokens(ledger)
    held = await authorize_lines(ledger, metered("input", 20_000), metered("output", 10_000), user="ann")
    await capture_lines(ledger, held.hold_id, metered("output", 3_000))

    (same,) = await report(ledger, of_hold(held.hold_id, input="0", output="3000"))
    (other,) = await report(ledger, of_hold(held.hold_id, "tx-2", input="1", output="3000"))

    assert (same.event_status, same.is_duplicate, same.differs) == (ACCEPTED, True, False)
    assert (other.differs, other.credits_micros) == (True, 12 * CREDIT)
    await ledger.assert_adds_up()


async def test_an_event_of_one_kind_captures_the_line_of_its_dimension_values(ledger: RunningLedger) -> None:
    held = [
        await authorize_lines(ledger, tokens("input", 20_000), tokens("output", 10_000)) for _ in range(2)
    ]

    of_output, of_cached, of_nothing = await report(
        ledger,
        of_hold(held[0].hold_id, units="7000", token_kind="output"),
        of_hold(held[1].hold_id, "tx-2", units="7000", token_kind="cached"),
        of_hold(held[1].hold_id, "tx-3", units="7000"),
    )

    assert [(one.quantity_micros, one.credits_micros) for one in of_output.lines] == [
        (7 * THOUSAND, 28 * CREDIT)
    ]
    for rejected in (of_cached, of_nothing):
        assert (rejected.event_status, rejected.field) == (REJECTED, "hold_id")
    assert "token_kind=output" in of_cached.detail
    assert (await ledger.pool()).held_micros == 60 * CREDIT
    await ledger.assert_adds_up()


async def test_what_one_replica_holds_the_other_captures(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    lines = [tokens("input", 20_000), tokens("output", 10_000), tokens("cached", 0)]

    for one, other in (replicas, replicas[::-1], replicas):
        held = await authorize_lines(one, *lines, user="ann")
        captured = await capture_lines(other, held.hold_id, tokens("cached", 4_000), tokens("output", 10_000))
        assert figures(captured.lines) == [
            ("input", 0, 0, 0),
            ("output", 10_000, 40 * CREDIT, 0),
            ("cached", 4_000, CREDIT, 0),
        ]
        assert captured.released_micros == 19 * CREDIT
    await first.assert_adds_up()
    released = await authorize_lines(first, *lines, user="ann")
    assert (await second.release(released.hold_id)).released_micros == 60 * CREDIT
    due = await authorize_lines(second, *lines, user="ann")
    first.clock.advance(timedelta(minutes=5))
    assert (await first.pool()).available_micros == 277 * CREDIT
    assert (await capture_lines(second, due.hold_id, tokens("input", 1_000))).is_late
    await second.assert_adds_up()


async def test_the_capture_of_lines_raises_the_spend_alert(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.watch(50, watch_kind=peer_pb.WATCH_KIND_SPEND, group_key="user_id", group_value="ann")
    held = await authorize_lines(ledger, tokens("input", 30_000), tokens("output", 5_000), user="ann")
    before = await sql.count("outbox")

    await ledger.capture(held.hold_id)

    assert await sql.count("outbox") == before + 1
    (entry, *_) = [one for one in await ledger.entries() if one.entry_kind == admin.ENTRY_KIND_CAPTURE]
    assert entry.hold_id == held.hold_id
