# SPDX-License-Identifier: Apache-2.0
"""Debit: authorized and captured in one step, or denied."""

from grpc import StatusCode

from access.control import INSECURE
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger


async def test_units_are_spent_at_once(ledger: RunningLedger) -> None:
    debited = await ledger.gate.Debit(
        pb.DebitRequest(
            request_id="req-debit",
            customer="acme",
            product_id="prd_assistant",
            quantity_micros=2_500_000,
            group_values={"user_id": "ann", "team": "red"},
        )
    )

    assert debited == pb.DebitResponse(
        decision=pb.DECISION_ALLOWED,
        debited_micros=30 * CREDIT,
        credit_type_id=AI,
        available_micros=370 * CREDIT,
        affordable_quantity_micros=30_833_333,
        affordable_credits_micros=370 * CREDIT,
    )
    granted, entry = reversed(await ledger.entries())
    assert entry == admin.Entry(
        sequence=2,
        credit_type_id=AI,
        grant_id=granted.grant_id,
        entry_kind=admin.ENTRY_KIND_CAPTURE,
        amount_micros=-30 * CREDIT,
        effective_time=timestamp(JUNE),
        create_time=timestamp(JUNE),
        product_id="prd_assistant",
        group_values={"user_id": "ann", "team": "red"},
        cause_id="req-debit",
        contract_id="con_1",
        quantity_micros=2_500_000,
        subject=INSECURE.subject,
    )
    assert await ledger.holds() == []
    await ledger.assert_adds_up()


async def test_each_denial_has_its_reason_and_tells_what_would_be_allowed(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_preview")
    cap = await ledger.set_cap(100, user="ann")

    insufficient = await ledger.debit(401)
    capped = await ledger.debit(101, user="ann")
    not_entitled = await ledger.debit(1, product_id="prd_preview")
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    suspended = await ledger.debit(1)

    assert insufficient == pb.DebitResponse(
        decision=pb.DECISION_DENIED,
        denial_reason=pb.DENIAL_REASON_INSUFFICIENT_CREDITS,
        credit_type_id=AI,
        available_micros=400 * CREDIT,
        affordable_quantity_micros=33_333_333,
        affordable_credits_micros=400 * CREDIT,
    )
    assert capped == pb.DebitResponse(
        decision=pb.DECISION_DENIED,
        denial_reason=pb.DENIAL_REASON_SPEND_CAP_REACHED,
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
    assert not_entitled == pb.DebitResponse(
        decision=pb.DECISION_DENIED, denial_reason=pb.DENIAL_REASON_NOT_ENTITLED
    )
    assert suspended == pb.DebitResponse(
        decision=pb.DECISION_DENIED, denial_reason=pb.DENIAL_REASON_CUSTOMER_SUSPENDED
    )


async def test_a_debit_leaves_held_credits_alone(ledger: RunningLedger) -> None:
    await ledger.authorize(300)

    over, all_of_it = await ledger.debit(101), await ledger.debit(100)

    assert (over.decision, all_of_it.decision) == (pb.DECISION_DENIED, pb.DECISION_ALLOWED)
    await ledger.assert_adds_up()


async def test_a_debit_draws_several_grants_in_burn_down_order(ledger: RunningLedger) -> None:
    await ledger.top_up(100, source_id="paid")
    await ledger.top_up(100, source_id="free", cost_basis_micros=0)

    await ledger.debit(550)

    drawn = [(one.grant_kind, one.source_id, one.available_micros // CREDIT) for one in await ledger.grants()]
    assert drawn == [
        (pb.GRANT_KIND_INCLUDED, "", 0),
        (pb.GRANT_KIND_TOP_UP, "paid", 50),
        (pb.GRANT_KIND_TOP_UP, "free", 0),
    ]
    assert [one.amount_micros // CREDIT for one in await ledger.entries()][:3] == [-50, -100, -400]
    await ledger.assert_adds_up()


async def test_unknown_customers_and_products_are_faults(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.debit(1, customer="nobody")
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_unknown"):
        await ledger.debit(1, product_id="prd_unknown")


async def test_every_bad_field_is_named_at_once(ledger: RunningLedger) -> None:
    with bad_fields("request_id", "customer", "product_id", "quantity_micros"):
        await ledger.gate.Debit(pb.DebitRequest())
    with bad_fields("request_id", "customer", "credits_micros", "group_values[team]"):
        await ledger.debit(10**9 + 1, request_id="x" * 65, customer="\x00", group_values={"team": "x" * 201})
