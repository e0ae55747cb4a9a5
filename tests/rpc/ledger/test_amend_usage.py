# SPDX-License-Identifier: Apache-2.0
"""AmendUsage: an event reports something else than it did, and the difference is charged or comes back."""

from datetime import UTC, datetime, timedelta

from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.faults import bad_fields, fault
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.reported import an_event, report

UNIT = 1_000_000
DAY = timedelta(days=1)
NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)


def properties(units: str, user: str = "ann", **more: str) -> dict[str, str]:
    return {"units": units, "user_id": user} | more


async def record(
    ledger: RunningLedger, transaction_id: str, units: str, *, at: datetime = JUNE, **more: str
) -> usage.UsageResult:
    """Record an ai_call of ann; `more`: other properties."""
    return (await report(ledger, an_event(transaction_id, units, at=at, **more)))[0]


async def amend(
    ledger: RunningLedger, transaction_id: str, changed: dict[str, str], **more: object
) -> list[tuple[int, int, int]]:
    """Amend an event of acme; returns quantity, credits and shortfall of each line. `more` overrides fields."""
    asked: dict[str, object] = {
        "request_id": ledger.request_id(),
        "customer": "acme",
        "transaction_id": transaction_id,
        "properties": changed,
        "reason": "counted wrong",
        "actor": "ops@seatsco.example",
    }
    request = usage.AmendUsageRequest(**(asked | more))  # type: ignore[arg-type]
    lines = (await ledger.usage.AmendUsage(request)).lines
    return [(line.quantity_micros, line.credits_micros, line.shortfall_micros) for line in lines]


async def void(ledger: RunningLedger, transaction_id: str) -> list[usage.CorrectedLine]:
    request = usage.VoidUsageRequest(
        request_id=ledger.request_id(),
        customer="acme",
        transaction_id=transaction_id,
        reason="reported twice",
        actor="ops@seatsco.example",
    )
    return list((await ledger.usage.VoidUsage(request)).lines)


def a_line(quantity: int, credits: int, shortfall: int = 0) -> tuple[int, int, int]:
    return quantity * UNIT, credits * CREDIT, shortfall * CREDIT


async def corrections(ledger: RunningLedger) -> list[tuple[int, int, int, str]]:
    """Return amount, shortfall, quantity and user of the corrections, oldest first."""
    return [
        (one.amount_micros, one.shortfall_micros, one.quantity_micros, one.group_values["user_id"])
        for one in reversed(await ledger.entries())
        if one.entry_kind == admin.ENTRY_KIND_CORRECTION
    ]


async def meters(sql: Sql) -> list[tuple[int, int]]:
    rows = await sql.rows(
        "SELECT quantity_micros, cost_micros FROM ledger.meters ORDER BY root_rate_id, period_start"
    )
    return [(row["quantity_micros"], row["cost_micros"]) for row in rows]


async def test_less_than_reported_comes_back(ledger: RunningLedger) -> None:
    await record(ledger, "tx-1", "30")

    assert await amend(ledger, "tx-1", properties("10")) == [a_line(-20, -240)]
    assert await corrections(ledger) == [(240 * CREDIT, 0, -20 * UNIT, "ann")]
    await ledger.assert_adds_up()


async def test_more_than_reported_is_drawn_like_late_usage(ledger: RunningLedger) -> None:
    await record(ledger, "tx-1", "30")
    ledger.clock.advance_to(JULY + timedelta(hours=1))

    assert await amend(ledger, "tx-1", properties("40")) == [a_line(10, 120)]

    june, july = await ledger.grants()
    assert (june.captured_micros, june.expired_micros) == (400 * CREDIT, 0)
    assert july.captured_micros == 80 * CREDIT
    assert await corrections(ledger) == [
        (-40 * CREDIT, 0, 10 * UNIT, "ann"),
        (-80 * CREDIT, 0, 0, "ann"),
    ]
    await ledger.assert_adds_up()


async def test_what_no_grant_covers_of_it_is_a_shortfall(ledger: RunningLedger) -> None:
    await record(ledger, "tx-1", "30")

    assert await amend(ledger, "tx-1", properties("50")) == [a_line(20, 240, 200)]
    assert await amend(ledger, "tx-1", properties("30")) == [a_line(-20, -240, -200)]
    await ledger.assert_adds_up()


async def test_an_event_can_be_moved_to_another_user_and_another_day(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(NOON)
    await record(ledger, "tx-1", "10", at=NOON)

    moved = await amend(ledger, "tx-1", properties("10", user="bob"), timestamp=timestamp(NOON - DAY))
    again = await amend(ledger, "tx-1", properties("12", user="bob"))

    assert (moved, again) == ([a_line(-10, -120), a_line(10, 120)], [a_line(2, 24)])
    assert [one[3] for one in await corrections(ledger)] == ["ann", "bob", "bob"]
    newest = (await ledger.entries())[0]
    assert (newest.effective_time, newest.transaction_id) == (timestamp(NOON - DAY), "tx-1")
    await ledger.assert_adds_up()


async def test_an_event_moves_to_the_meter_of_its_new_dimension(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.tell_product(
        "prd_assistant",
        version=2,
        dimensions=("model",),
        aggregation=peer_pb.AGGREGATION_MAX,
        sum_property="",
        aggregated_property="units",
    )
    rates = [
        a_rate(price_micros=price * CREDIT, rate_id=f"rat_{model}", dimension_values={"model": model})
        for model, price in (("large", 3), ("small", 1))
    ]
    await ledger.tell_card(*rates, version=2)
    await record(ledger, "tx-1", "30", model="large")
    await record(ledger, "tx-2", "20", model="large")

    moved = await amend(ledger, "tx-1", properties("40", model="small"))

    assert moved == [a_line(-10, -30), a_line(40, 40)]
    assert await meters(sql) == [(20 * UNIT, 60 * CREDIT), (40 * UNIT, 40 * CREDIT)]
    await void(ledger, "tx-2")
    assert await meters(sql) == [(0, 0), (40 * UNIT, 40 * CREDIT)]
    await amend(ledger, "tx-1", properties("5", model="large"))
    assert await meters(sql) == [(5 * UNIT, 15 * CREDIT), (0, 0)]
    await void(ledger, "tx-1")
    assert await meters(sql) == [(0, 0), (0, 0)]
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_the_value_of_a_unique_metric_can_be_amended(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.tell_product(
        "prd_assistant",
        version=2,
        aggregation=peer_pb.AGGREGATION_UNIQUE,
        sum_property="",
        aggregated_property="units",
    )
    await record(ledger, "tx-1", "a")
    await record(ledger, "tx-2", "a")

    assert await amend(ledger, "tx-1", properties("b")) == [a_line(1, 12)]
    assert await amend(ledger, "tx-2", properties("b")) == [a_line(-1, -12)]
    await void(ledger, "tx-1")
    assert await meters(sql) == [(UNIT, 12 * CREDIT)]
    await ledger.assert_adds_up()


async def test_an_event_that_matched_nothing_can_be_amended_into_a_charge_and_back(
    ledger: RunningLedger,
) -> None:
    too_early = await record(ledger, "tx-1", "10", at=JUNE - DAY)
    assert too_early.event_status == usage.EVENT_STATUS_NO_CONTRACT

    charged = await amend(ledger, "tx-1", properties("10"), timestamp=timestamp(JUNE))
    back = await amend(ledger, "tx-1", properties("10"), timestamp=timestamp(JUNE - DAY))

    assert (charged, back) == ([a_line(10, 120)], [a_line(-10, -120)])
    await ledger.assert_adds_up()


async def test_a_void_takes_back_what_the_amendment_left(ledger: RunningLedger) -> None:
    await record(ledger, "tx-1", "10")
    await amend(ledger, "tx-1", properties("25"))

    (line,) = await void(ledger, "tx-1")

    assert (line.quantity_micros, line.credits_micros) == (-25 * UNIT, -300 * CREDIT)
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_what_cannot_be_amended_has_a_reason_and_changes_nothing(
    ledger: RunningLedger, sql: Sql
) -> None:
    await record(ledger, "tx-1", "10")
    await record(ledger, "tx-2", "10")
    await void(ledger, "tx-2")
    before = await sql.everything()

    with fault(StatusCode.NOT_FOUND, "USAGE_NOT_FOUND", usage_id="never sent"):
        await amend(ledger, "never sent", properties("1"))
    with fault(StatusCode.FAILED_PRECONDITION, "USAGE_ALREADY_VOIDED", usage_id="tx-2"):
        await amend(ledger, "tx-2", properties("1"))
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await amend(ledger, "tx-1", properties("1"), customer="nobody")
    for wrong in ("many", "-1", "1000000000001"):
        with bad_fields("properties[units]"):
            await amend(ledger, "tx-1", properties(wrong))
    for late in (JUNE - 35 * DAY, JUNE + 2 * DAY):
        with bad_fields("timestamp"):
            await amend(ledger, "tx-1", properties("10"), timestamp=timestamp(late))
    with bad_fields("request_id", "customer", "transaction_id", "reason", "actor"):
        await ledger.usage.AmendUsage(usage.AmendUsageRequest())
    assert await sql.everything() == before


async def test_a_repeated_amendment_gets_its_first_response(ledger: RunningLedger) -> None:
    await record(ledger, "tx-1", "10")

    first = await amend(ledger, "tx-1", properties("5"), request_id="once")

    assert await amend(ledger, "tx-1", properties("5"), request_id="once") == first
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="once"):
        await amend(ledger, "tx-1", properties("6"), request_id="once")
    assert len(await corrections(ledger)) == 1
