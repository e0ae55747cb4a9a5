# SPDX-License-Identifier: Apache-2.0
"""GetContractUsage: what a contract has used, by product, group value and grant, each entry in one answer only."""

from datetime import timedelta

from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as gate_pb
from purser.ledger.v1 import ledger_peer_pb2 as pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, AUGUST, CREDIT, JULY, JUNE, RunningLedger
from tests.support.reported import an_event, report

TICK = timedelta(microseconds=1)
Row = tuple[str, str, int]


async def ask(
    ledger: RunningLedger, after: pb.GetContractUsageResponse | None = None, **more: object
) -> pb.GetContractUsageResponse:
    """Ask for the usage period of June, after what an answer has read; `more` overrides fields."""
    asked: dict[str, object] = {
        "customer_id": "cus_acme",
        "contract_id": "con_1",
        "covered_time": timestamp(JUNE),
        "period_time": timestamp(JUNE),
        "after": [] if after is None else after.positions,
        "group_key": "user_id",
        "rows_max": 100,
    }
    return await ledger.peer.GetContractUsage(
        pb.GetContractUsageRequest(**(asked | more))  # type: ignore[arg-type]
    )


async def ask_next(
    ledger: RunningLedger,
    closed: pb.GetContractUsageResponse,
    after: pb.GetContractUsageResponse | None = None,
) -> pb.GetContractUsageResponse:
    """Ask for the usage period after the one that an answer has closed, after what another one has read."""
    end = closed.end_time
    return await ask(ledger, after, covered=closed.positions, covered_time=end, period_time=end)


def shown(answer: pb.GetContractUsageResponse) -> list[Row]:
    """Return user, payer and whole credits of each row; "shortfall" and "overage" for what no grant covered."""
    rows = []
    for row in answer.rows:
        if row.HasField("payer"):
            kind = gate_pb.GrantKind.Name(row.payer.grant_kind).removeprefix("GRANT_KIND_")
            rows.append((row.group_value, kind, row.credits_micros // CREDIT))
        if row.shortfall_micros:
            rows.append((row.group_value, "shortfall", row.shortfall_micros // CREDIT))
        if row.overage_micros:
            rows.append((row.group_value, "overage", row.overage_micros // CREDIT))
    return rows


async def test_usage_is_listed_by_user_and_by_the_grants_that_paid(ledger: RunningLedger) -> None:
    await ledger.top_up(50, source_id="order-1")
    await ledger.debit(300, user="ada")
    await ledger.debit(120, user="bob")
    await ledger.debit(5)

    answer = await ask(ledger)

    assert (answer.start_time, answer.end_time) == (timestamp(JUNE), timestamp(JULY))
    assert answer.detail == pb.USAGE_DETAIL_GROUP_AND_GRANT
    assert shown(answer) == [
        ("", "TOP_UP", 5),
        ("ada", "INCLUDED", 300),
        ("bob", "INCLUDED", 100),
        ("bob", "TOP_UP", 20),
    ]
    assert [row.payer.source_id for row in answer.rows] == ["order-1", "", "", "order-1"]
    assert answer.rows[1].payer.product_id == "prd_included"
    assert answer.rows[1].payer.effective_time == timestamp(JUNE)


async def test_an_entry_is_in_one_answer_only(ledger: RunningLedger) -> None:
    await ledger.debit(30, user="ada")
    first = await ask(ledger)
    await ledger.debit(7, user="ada")

    second = await ask(ledger, first)
    third = await ask(ledger, second)

    assert [shown(answer) for answer in (first, second, third)] == [
        [("ada", "INCLUDED", 30)],
        [("ada", "INCLUDED", 7)],
        [],
    ]
    # Asked again after a lost reply, it says the same.
    assert shown(await ask(ledger, first)) == shown(second)


async def test_usage_dated_at_the_period_s_end_is_left_to_the_next_period_whenever_it_was_written(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(JULY - timedelta(hours=1))
    await report(
        ledger,
        an_event("t-1", at=JULY - TICK, units="1", user="ada"),
        an_event("t-2", at=JULY, units="2", user="ada"),
    )

    june = await ask(ledger)
    assert shown(june) == [("ada", "INCLUDED", 12)]

    ledger.clock.advance_to(JULY + timedelta(hours=1))
    late = an_event("t-3", at=JULY - 2 * TICK, units="3", user="bob")
    await report(ledger, late, an_event("t-4", at=JULY, units="4", user="bob"))
    july = await ask_next(ledger, june)

    assert july.end_time == timestamp(AUGUST)
    assert shown(july) == [("ada", "INCLUDED", 24), ("bob", "INCLUDED", 36), ("bob", "INCLUDED", 48)]
    assert shown(await ask_next(ledger, june, july)) == []


async def test_what_is_taken_back_later_is_negative(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(JUNE + timedelta(days=1))
    await report(ledger, an_event("t-1", at=JUNE, units="10", user="ada"))
    await report(ledger, an_event("t-2", at=JUNE, units="30", user="bob"))
    first = await ask(ledger)
    assert shown(first) == [("ada", "INCLUDED", 120), ("bob", "INCLUDED", 280), ("bob", "shortfall", 80)]

    void = usage.VoidUsageRequest(
        request_id=ledger.request_id(), customer="acme", transaction_id="t-2", reason="twice", actor="ops"
    )
    await ledger.usage.VoidUsage(void)

    second = await ask(ledger, first)
    assert shown(second) == [("bob", "INCLUDED", -280), ("bob", "shortfall", -80)]
    assert sum(row.quantity_micros for row in second.rows) == -30_000_000


async def test_usage_under_another_contract_is_not_this_one_s(ledger: RunningLedger) -> None:
    await ledger.debit(30, user="ada")

    assert shown(await ask(ledger, contract_id="con_2")) == []
    assert shown(await ask(ledger)) == [("ada", "INCLUDED", 30)]


async def test_usage_that_is_too_finely_divided_is_listed_by_product_then_by_kind(
    ledger: RunningLedger,
) -> None:
    await ledger.top_up(50, source_id="order-1")
    await ledger.top_up(50, source_id="order-2")
    await ledger.debit(430, user="ada")
    await ledger.debit(40, user="bob")
    await ledger.debit(1, user="eve")

    assert len((await ask(ledger, rows_max=5)).rows) == 5
    by_product = await ask(ledger, rows_max=4)
    by_kind = await ask(ledger, rows_max=2)

    assert by_product.detail == pb.USAGE_DETAIL_PRODUCT_AND_GRANT
    assert shown(by_product) == [("", "INCLUDED", 400), ("", "TOP_UP", 50), ("", "TOP_UP", 21)]
    assert by_kind.detail == pb.USAGE_DETAIL_PRODUCT_AND_KIND
    assert shown(by_kind) == [("", "INCLUDED", 400), ("", "TOP_UP", 71)]
    assert not by_kind.rows[1].payer.HasField("effective_time")


async def test_a_customer_without_a_contract_has_no_usage_period(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_new")

    answer = await ask(ledger, customer_id="cus_new")

    assert not answer.HasField("start_time")
    assert not answer.HasField("end_time")


async def test_bad_questions_are_refused(ledger: RunningLedger) -> None:
    twice = [pb.PoolPosition(credit_type_id=AI, sequence=-1), pb.PoolPosition(credit_type_id=AI)]
    with bad_fields(
        "covered[0].sequence",
        "covered[1].credit_type_id",
        "covered_time",
        "period_time",
        "customer_id",
        "contract_id",
        "group_key",
        "rows_max",
    ):
        await ledger.peer.GetContractUsage(pb.GetContractUsageRequest(covered=twice, rows_max=10_001))
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await ask(ledger, customer_id="cus_nobody")


async def test_where_usage_begins_is_answered_without_it(ledger: RunningLedger) -> None:
    await ledger.debit(30, user="ada")
    ledger.clock.advance_to(JUNE + timedelta(days=3))
    since = timestamp(JUNE + timedelta(days=3))
    before = await ask(ledger, covered_time=since, positions_only=True)
    await ledger.debit(7, user="ada")

    begun = await ask(ledger, covered_time=since, positions_only=True)

    # The grant is entry 1, the first debit entry 2.
    assert [one.sequence for one in before.positions] == [one.sequence for one in begun.positions] == [2]
    assert list(begun.rows) == []
    assert shown(await ask(ledger, begun, covered_time=since)) == [("ada", "INCLUDED", 7)]
    whole = await ask(ledger, positions_only=True)
    assert [one.sequence for one in whole.positions] == [1]
