# SPDX-License-Identifier: Apache-2.0
"""AuthorizeBatch, CaptureBatch, DebitBatch: in the order given, each item answered or refused by itself."""

from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields
from tests.support.ledger import CREDIT, RunningLedger, a_rate


def _authorize(
    request_id: str, credits: int, *, customer: str = "acme", product_id: str = "prd_assistant"
) -> pb.AuthorizeRequest:
    return pb.AuthorizeRequest(
        request_id=request_id, customer=customer, product_id=product_id, credits_micros=credits * CREDIT
    )


def _debit(
    request_id: str, credits: int, *, customer: str = "acme", product_id: str = "prd_assistant"
) -> pb.DebitRequest:
    return pb.DebitRequest(
        request_id=request_id, customer=customer, product_id=product_id, credits_micros=credits * CREDIT
    )


async def _debits(ledger: RunningLedger, *items: pb.DebitRequest) -> list[pb.DebitBatchResult]:
    return list((await ledger.gate.DebitBatch(pb.DebitBatchRequest(items=items))).results)


def _reason(error: Status) -> str:
    info = ErrorInfo()
    assert error.details[0].Unpack(info)
    assert info.domain == "ledger.purser"
    return str(info.reason)


def _bad_fields(error: Status) -> list[str]:
    request = BadRequest()
    assert error.details[1].Unpack(request)
    return sorted(violation.field for violation in request.field_violations)


async def test_each_item_is_answered_or_refused_by_itself(ledger: RunningLedger) -> None:
    batch = pb.AuthorizeBatchRequest(
        items=[
            _authorize("a", 300),
            _authorize("b", 101),
            _authorize("c", 1, customer="nobody"),
            pb.AuthorizeRequest(request_id="d", customer="acme", hold_ttl={"seconds": 0}),
            _authorize("e", 1, product_id="prd_unknown"),
            _authorize("f", 100, customer="cus_acme"),
        ]
    )

    results = (await ledger.gate.AuthorizeBatch(batch)).results

    a, b, c, d, e, f = results
    assert (a.response.decision, a.response.available_micros) == (pb.DECISION_ALLOWED, 100 * CREDIT)
    assert b.response.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert (c.error.code, _reason(c.error)) == (StatusCode.NOT_FOUND.value[0], "CUSTOMER_NOT_FOUND")
    assert (d.error.code, _reason(d.error)) == (StatusCode.INVALID_ARGUMENT.value[0], "INVALID_FIELDS")
    assert _bad_fields(d.error) == ["hold_ttl", "product_id", "quantity_micros"]
    assert _reason(e.error) == "PRODUCT_NOT_FOUND"
    assert (f.response.decision, f.response.available_micros) == (pb.DECISION_ALLOWED, 0)
    await ledger.assert_adds_up()


async def test_items_of_one_customer_are_decided_in_the_order_given(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_preview")
    await ledger.tell_card(a_rate(), a_rate("prd_preview"), version=2)
    await ledger.tell_customer("cus_acme", "acme", "acme-too", version=2)
    for _ in range(2):
        await ledger.debit(1)  # so that the assistant, and acme by this name, have been seen before

    unseen_product = await _debits(
        ledger, _debit("a", 350, product_id="prd_preview"), _debit("b", 40), _debit("c", 350), _debit("d", 8)
    )
    await ledger.top_up(350)
    unseen_name = await _debits(
        ledger, _debit("e", 340, customer="acme-too"), _debit("f", 340), _debit("g", 10)
    )

    assert [one.response.decision for one in unseen_product] == [1, 1, 2, 1]
    assert [one.response.decision for one in unseen_name] == [1, 2, 1]
    await ledger.assert_adds_up()


async def test_captures_are_made_in_the_order_given(ledger: RunningLedger) -> None:
    holds = [(await ledger.authorize(100)).hold_id for _ in range(4)]
    items = [
        pb.CaptureRequest(
            request_id=f"capture-{n}", customer="acme", hold_id=hold_id, credits_micros=credits * CREDIT
        )
        for n, (hold_id, credits) in enumerate(
            [(holds[0], 50), (holds[1], 150), (holds[0], 1), (holds[2], 120), (holds[3], 90), ("hld_none", 1)]
        )
    ]

    results = (await ledger.gate.CaptureBatch(pb.CaptureBatchRequest(items=items))).results

    captured = [
        (one.response.captured_micros // CREDIT, one.response.shortfall_micros // CREDIT) for one in results
    ]
    assert captured == [(50, 0), (150, 0), (0, 0), (100, 20), (90, 0), (0, 0)]
    assert [_reason(results[n].error) for n in (2, 5)] == ["HOLD_ALREADY_RESOLVED", "HOLD_NOT_FOUND"]
    await ledger.assert_adds_up()


async def test_a_batch_sent_again_gets_the_first_answers(ledger: RunningLedger) -> None:
    batch = pb.AuthorizeBatchRequest(items=[_authorize(f"item-{n}", 30) for n in range(13)])

    first = await ledger.gate.AuthorizeBatch(batch)
    again = await ledger.gate.AuthorizeBatch(batch)

    assert [one.response.decision for one in first.results] == [pb.DECISION_ALLOWED] * 13
    assert first == again
    assert (await ledger.pool()).held_micros == 390 * CREDIT


async def test_a_request_id_that_comes_twice_in_a_batch_is_one_request(ledger: RunningLedger) -> None:
    for credits in (10, 20):  # by memory, the second time
        same = [_debit(f"twin-{credits}", credits)] * 3
        results = await _debits(ledger, *same, _debit(f"twin-{credits}", 1), _debit(f"other-{credits}", 1))

        assert results[0] == results[1] == results[2]
        assert results[0].response.debited_micros == credits * CREDIT
        assert _reason(results[3].error) == "REQUEST_ID_REUSED"
        assert results[4].response.decision == pb.DECISION_ALLOWED
    assert (await ledger.pool()).available_micros == 368 * CREDIT
    await ledger.assert_adds_up()


async def test_a_batch_has_1_to_1000_items(ledger: RunningLedger) -> None:
    items = [_debit(f"item-{n}", 1) for n in range(1_001)]
    for wrong in ([], items):
        with bad_fields("items"):
            await ledger.gate.DebitBatch(pb.DebitBatchRequest(items=wrong))
        with bad_fields("items"):
            await ledger.gate.AuthorizeBatch(
                pb.AuthorizeBatchRequest(items=[_authorize("x", 1)] * len(wrong))
            )
        with bad_fields("items"):
            await ledger.gate.CaptureBatch(pb.CaptureBatchRequest(items=[pb.CaptureRequest()] * len(wrong)))

    results = await _debits(ledger, *items[:1_000])

    allowed = [one for one in results if one.response.decision == pb.DECISION_ALLOWED]
    assert (len(results), len(allowed)) == (1_000, 400)
    await ledger.assert_adds_up()


async def test_items_of_many_customers_go_together(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    await ledger.apply_contract(
        customer_id="cus_globex",
        contract_id="con_2",
        start=ledger.clock.now(),
        subscriptions=[],
        schedules=[],
    )
    await ledger.top_up(5, customer="globex")

    results = await _debits(
        ledger,
        _debit("same", 400),
        _debit("same", 5, customer="globex"),
        _debit("more", 1, customer="globex"),
    )

    assert [one.response.decision for one in results] == [1, 1, 2]
    await ledger.assert_adds_up()
