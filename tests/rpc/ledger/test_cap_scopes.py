# SPDX-License-Identifier: Apache-2.0
"""Spend caps of a product and of the whole customer, and those that the customer sets itself."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import self_service_pb2 as own
from tests.rpc.ledger.test_void_usage import void
from tests.support.faults import bad_fields, fault
from tests.support.ledger import CREDIT, JULY, RunningLedger, a_rate
from tests.support.reported import an_event, record

CAP_REACHED = pb.DENIAL_REASON_SPEND_CAP_REACHED
OF_PRODUCT = {"group_key": "", "scope": pb.CAP_SCOPE_PRODUCT, "product_id": "prd_assistant"}
OF_CUSTOMER = {"group_key": "", "scope": pb.CAP_SCOPE_CUSTOMER}


async def _left(ledger: RunningLedger, **more: object) -> int:
    """Return how many credits acme may still spend."""
    denied = await ledger.authorize(399, **more)
    assert denied.denial_reason == CAP_REACHED
    return denied.affordable_credits_micros // CREDIT


@pytest.mark.parametrize("scope", [OF_PRODUCT, OF_CUSTOMER], ids=["product", "customer"])
@pytest.mark.parametrize(
    "window", [admin.CAP_WINDOW_BILLING_PERIOD, admin.CAP_WINDOW_DAY, admin.CAP_WINDOW_MONTH]
)
async def test_everybodys_spend_and_holds_count_also_from_before_the_cap(
    ledger: RunningLedger, scope: dict[str, object], window: admin.CapWindow
) -> None:
    await ledger.debit(20, user="ann")
    await ledger.debit(10)
    hold = await ledger.authorize(30, user="bob", hold_ttl=Duration(seconds=600))
    cap = await ledger.set_cap(100, window=window, **scope)

    denied = await ledger.authorize(41, user="cid")
    at_first = denied.affordable_credits_micros // CREDIT
    await ledger.capture(hold.hold_id, 25)
    after_capture = await _left(ledger)
    second = await ledger.authorize(5, user="bob", hold_ttl=Duration(seconds=60))
    with_second = await _left(ledger)
    await ledger.release(second.hold_id)
    third = await ledger.authorize(5, user="bob", hold_ttl=Duration(seconds=60))
    ledger.clock.advance(timedelta(seconds=60))
    await record(ledger, an_event("tx-1", "1", at=ledger.clock.now()))
    after_event = await _left(ledger)
    await void(ledger, "tx-1")

    assert third.decision == pb.DECISION_ALLOWED
    assert (denied.reached_cap.spend_cap_id, denied.reached_cap.scope) == (cap.spend_cap_id, scope["scope"])
    assert denied.reached_cap.product_id == scope.get("product_id", "")
    assert (at_first, after_capture, with_second, after_event) == (40, 45, 40, 33)
    assert await _left(ledger) == 45
    await ledger.assert_adds_up()
    ledger.clock.advance_to(JULY)
    assert (await ledger.debit(100)).decision == pb.DECISION_ALLOWED


async def test_a_lifted_cap_and_a_new_one_on_the_same_product_count_right(ledger: RunningLedger) -> None:
    cap = await ledger.set_cap(100, **OF_PRODUCT)
    hold = await ledger.authorize(30)
    await ledger.lift_cap(cap.spend_cap_id)
    await ledger.debit(20)
    await ledger.capture(hold.hold_id, 10)
    await ledger.assert_adds_up()

    await ledger.set_cap(100, **OF_PRODUCT)

    assert await _left(ledger) == 70
    await ledger.assert_adds_up()


async def test_the_strictest_of_value_product_and_customer_holds(ledger: RunningLedger) -> None:
    await ledger.set_cap(50, user="ann")
    await ledger.set_cap(60, **OF_PRODUCT)
    await ledger.set_cap(70, **OF_CUSTOMER)

    assert [await _left(ledger, user=user) for user in ("ann", "bob")] == [50, 60]
    await ledger.debit(45, user="bob")
    assert [await _left(ledger, user=user) for user in ("ann", "bob")] == [15, 15]


async def test_a_customers_own_cap_applies_beside_the_vendors(ledger: RunningLedger) -> None:
    vendors = await ledger.set_cap(50, user="ann")
    higher = await ledger.cap_own(80, group_key="user_id", group_value="ann")
    left_with_higher = await _left(ledger, user="ann")
    lower = await ledger.cap_own(30, group_key="user_id", group_value="ann")
    denied = await ledger.authorize(31, user="ann")
    caps = (await ledger.admin.ListSpendCaps(admin.ListSpendCapsRequest(customer="acme"))).spend_caps

    assert lower.spend_cap_id == higher.spend_cap_id
    assert (left_with_higher, denied.affordable_credits_micros // CREDIT) == (50, 30)
    assert (denied.reached_cap.spend_cap_id, denied.reached_cap.owner) == (
        lower.spend_cap_id,
        pb.CAP_OWNER_CUSTOMER,
    )
    assert list(caps) == [vendors, lower]

    await _remove_own(ledger, lower.spend_cap_id)
    assert await _left(ledger, user="ann") == 50


async def _remove_own(ledger: RunningLedger, spend_cap_id: str) -> None:
    await ledger.own.RemoveOwnSpendCap(
        own.RemoveOwnSpendCapRequest(
            request_id=ledger.request_id(), customer="acme", spend_cap_id=spend_cap_id
        )
    )


async def test_a_customer_removes_only_caps_of_its_own(ledger: RunningLedger) -> None:
    vendors = await ledger.set_cap(50, user="ann")
    its = await ledger.cap_own(40, scope=pb.CAP_SCOPE_CUSTOMER)

    with fault(StatusCode.NOT_FOUND, "SPEND_CAP_NOT_FOUND", spend_cap_id=vendors.spend_cap_id):
        await _remove_own(ledger, vendors.spend_cap_id)
    await _remove_own(ledger, its.spend_cap_id)
    await _remove_own(ledger, its.spend_cap_id)
    await ledger.debit(45, user="ann")

    assert await _left(ledger, user="ann") == 5


async def test_a_values_own_cap_of_the_vendor_leaves_the_customers_default_in_force(
    ledger: RunningLedger,
) -> None:
    await ledger.cap_own(30, group_key="user_id")
    await ledger.set_cap(60, user="ann")

    assert [await _left(ledger, user=user) for user in ("ann", "bob")] == [30, 30]


async def test_fields_of_another_scope_are_refused(ledger: RunningLedger) -> None:
    with bad_fields("group_value", "product_id"):
        await ledger.set_cap(1, user="ann", group_key="", scope=pb.CAP_SCOPE_PRODUCT)
    with bad_fields("group_key", "group_value", "product_id"):
        await ledger.set_cap(1, user="ann", scope=pb.CAP_SCOPE_CUSTOMER, product_id="prd_assistant")
    with bad_fields("product_id", "group_key"):
        await ledger.cap_own(1, product_id="prd_assistant")
    with bad_fields("scope"):
        await ledger.set_cap(1, scope=99)
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_unknown"):
        await ledger.set_cap(1, **(OF_PRODUCT | {"product_id": "prd_unknown"}))


async def test_a_cap_on_a_product_limits_its_own_lines_only(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_search")
    await ledger.tell_card(
        a_rate(), a_rate("prd_search", rate_id="rat_search", price_micros=CREDIT), version=2
    )
    await ledger.set_cap(30, **OF_PRODUCT)
    lines = [
        pb.UsageLine(product_id="prd_assistant", quantity_micros=2_000_000),
        pb.UsageLine(product_id="prd_search", quantity_micros=20_000_000),
    ]
    allowed = await ledger.gate.Debit(
        pb.DebitRequest(request_id=ledger.request_id(), customer="acme", lines=lines)
    )
    denied = await ledger.gate.Debit(
        pb.DebitRequest(request_id=ledger.request_id(), customer="acme", lines=lines)
    )
    search = await ledger.debit(50, product_id="prd_search")

    assert (allowed.decision, denied.denial_reason) == (pb.DECISION_ALLOWED, CAP_REACHED)
    assert denied.reached_cap.used_micros == 24 * CREDIT
    assert search.decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()
