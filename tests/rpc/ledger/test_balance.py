# SPDX-License-Identifier: Apache-2.0
"""GetBalance and GetDecision: what a customer has, and why the gate decides as it does."""

from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql

DAY = timedelta(days=1)


async def _ask(
    ledger: RunningLedger,
    credits: int,
    *,
    user: str = "",
    product_id: str = "prd_assistant",
    properties: Mapping[str, str] | None = None,
) -> pb.GetDecisionResponse:
    return await ledger.gate.GetDecision(
        pb.GetDecisionRequest(
            customer="acme",
            ask=pb.DecisionAsk(
                product_id=product_id,
                credits_micros=credits * CREDIT,
                group_values={"user_id": user} if user else {},
                properties=properties,
            ),
        )
    )


async def _explain(ledger: RunningLedger, hold_id: str, customer: str = "acme") -> pb.GetDecisionResponse:
    return await ledger.gate.GetDecision(pb.GetDecisionRequest(customer=customer, hold_id=hold_id))


async def test_included_and_bought_credits_are_told_apart_with_what_expires_next(
    ledger: RunningLedger,
) -> None:
    await ledger.top_up(
        1_000, source_id="order_1", product_id="prd_pack", scope_product_ids=["prd_assistant"]
    )
    await ledger.debit(50)
    await ledger.authorize(30)
    ledger.clock.advance(timedelta(seconds=1))

    balance = await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="cus_acme"))

    (pool,) = balance.pools
    included, bought = pool.grants
    assert balance.as_of_time == timestamp(JUNE + timedelta(seconds=1))
    assert pool == pb.PoolBalance(
        credit_type_id=AI,
        available_micros=1_320 * CREDIT,
        held_micros=30 * CREDIT,
        remaining_micros=1_350 * CREDIT,
        grants=[included, bought],
        next_expire_time=timestamp(JULY),
        next_expiring_micros=350 * CREDIT,
    )
    assert included == pb.Grant(
        grant_id=included.grant_id,
        grant_kind=pb.GRANT_KIND_INCLUDED,
        credit_type_id=AI,
        product_id="prd_included",
        granted_micros=400 * CREDIT,
        captured_micros=50 * CREDIT,
        held_micros=30 * CREDIT,
        available_micros=320 * CREDIT,
        priority=1,
        effective_time=timestamp(JUNE),
        expire_time=timestamp(JULY),
        grant_schedule_id="sch_1",
        create_time=timestamp(JUNE),
    )
    assert bought == pb.Grant(
        grant_id=bought.grant_id,
        grant_kind=pb.GRANT_KIND_TOP_UP,
        credit_type_id=AI,
        product_id="prd_pack",
        granted_micros=1_000 * CREDIT,
        available_micros=1_000 * CREDIT,
        priority=100,
        effective_time=timestamp(JUNE),
        cost_basis_micros=80 * CREDIT,
        scope_product_ids=["prd_assistant"],
        source_id="order_1",
        create_time=timestamp(JUNE),
    )


async def test_a_customer_has_a_pool_for_each_credit_type_and_none_without_grants(
    ledger: RunningLedger,
) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    await ledger.top_up(7, credit_type_id="crt_image")

    both = await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="acme"))
    one = await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="acme", credit_type_id="crt_image"))
    other = await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="acme", credit_type_id="crt_none"))
    none = await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="globex"))

    assert [pool.credit_type_id for pool in both.pools] == [AI, "crt_image"]
    assert [(pool.credit_type_id, pool.available_micros) for pool in one.pools] == [("crt_image", 7 * CREDIT)]
    assert not one.pools[0].grants[0].HasField("expire_time")
    assert not one.pools[0].HasField("next_expire_time")
    assert (list(other.pools), list(none.pools)) == ([], [])


async def test_grants_that_end_together_are_told_together(ledger: RunningLedger) -> None:
    await ledger.top_up(10, expire_time=timestamp(JULY))
    await ledger.top_up(20, expire_time=timestamp(JULY + DAY))
    await ledger.debit(400)

    pool = await ledger.pool()

    assert (pool.next_expire_time, pool.next_expiring_micros) == (timestamp(JULY), 10 * CREDIT)


async def test_an_unknown_customer_has_no_balance(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="nobody"))
    with bad_fields("customer", "credit_type_id"):
        await ledger.gate.GetBalance(pb.GetBalanceRequest(credit_type_id="\t"))


async def test_an_ask_is_explained_as_it_would_be_decided_and_nothing_is_written(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.top_up(1_000)
    cap = await ledger.set_cap(600, user="ann")
    await ledger.debit(100, user="ann")
    await ledger.authorize(50, user="ann")
    before = await sql.everything()

    told = await _ask(ledger, 300, user="ann")

    included, bought = (await ledger.pool()).grants
    assert told == pb.GetDecisionResponse(
        decision=pb.DECISION_ALLOWED,
        credits_micros=300 * CREDIT,
        price_micros=12 * CREDIT,
        per_micros=1_000_000,
        credit_type_id=AI,
        contract_id="con_1",
        draws=[
            pb.Draw(grant_id=included.grant_id, amount_micros=250 * CREDIT),
            pb.Draw(grant_id=bought.grant_id, amount_micros=50 * CREDIT),
        ],
        grants=[included, bought],
        spend_caps=[
            pb.SpendCapUse(
                spend_cap_id=cap.spend_cap_id,
                group_key="user_id",
                group_value="ann",
                limit_micros=600 * CREDIT,
                used_micros=150 * CREDIT,
                window_start_time=timestamp(JUNE),
                window_end_time=timestamp(JULY),
                scope=pb.CAP_SCOPE_GROUP_VALUE,
                owner=pb.CAP_OWNER_VENDOR,
            )
        ],
        decide_time=timestamp(JUNE),
        available_micros=1_250 * CREDIT,
        rate_id=a_rate().rate_id,
    )
    assert await sql.everything() == before


async def test_a_suspended_customer_is_told_so_whatever_the_properties(ledger: RunningLedger) -> None:
    bands = [peer_pb.DimensionBand(value="short", up_to_micros=10**9), peer_pb.DimensionBand(value="long")]
    length = peer_pb.PricingDimension(key="length", property="tokens", bands=bands)
    await ledger.tell_product("prd_banded", pricing_dimensions=[length])
    await ledger.tell_card(a_rate(), a_rate("prd_banded", dimension_values={"length": "long"}), version=2)

    with bad_fields("properties[tokens]"):
        await _ask(ledger, 1, product_id="prd_banded")
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    told = [
        await _ask(ledger, 1, product_id="prd_banded", properties=properties)
        for properties in ({}, {"tokens": "many"}, {"tokens": "1"})
    ]

    assert [one.denial_reason for one in told] == [pb.DENIAL_REASON_CUSTOMER_SUSPENDED] * 3
    assert {one.rate_id for one in told} == {""}


async def test_an_ask_that_would_be_denied_is_explained_with_its_reason(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_preview")
    await ledger.set_cap(10, user="ann")

    insufficient = await _ask(ledger, 401)
    capped = await _ask(ledger, 11, user="ann")
    not_entitled = await _ask(ledger, 1, product_id="prd_preview")
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    suspended = await _ask(ledger, 1)

    assert [one.decision for one in (insufficient, capped, not_entitled, suspended)] == [
        pb.DECISION_DENIED
    ] * 4
    assert (insufficient.denial_reason, list(insufficient.draws)) == (
        pb.DENIAL_REASON_INSUFFICIENT_CREDITS,
        [],
    )
    assert (insufficient.credits_micros, insufficient.available_micros) == (401 * CREDIT, 400 * CREDIT)
    assert (capped.denial_reason, capped.spend_caps[0].limit_micros) == (
        pb.DENIAL_REASON_SPEND_CAP_REACHED,
        10 * CREDIT,
    )
    assert (not_entitled.denial_reason, not_entitled.contract_id, not_entitled.price_micros) == (
        pb.DENIAL_REASON_NOT_ENTITLED,
        "",
        0,
    )
    assert suspended.denial_reason == pb.DENIAL_REASON_CUSTOMER_SUSPENDED


async def test_a_hold_is_explained_as_it_was_taken(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.top_up(1_000)
    cap = await ledger.set_cap(600, user="ann")
    hold = await ledger.authorize(450, user="ann", hold_ttl=Duration(seconds=3_600))
    included, bought = (await ledger.pool()).grants
    ledger.clock.advance(timedelta(minutes=1))
    await ledger.debit(10)
    before = await sql.everything()

    told = await _explain(ledger, hold.hold_id)

    assert told == pb.GetDecisionResponse(
        decision=pb.DECISION_ALLOWED,
        credits_micros=450 * CREDIT,
        price_micros=12 * CREDIT,
        per_micros=1_000_000,
        credit_type_id=AI,
        contract_id="con_1",
        draws=[
            pb.Draw(grant_id=included.grant_id, amount_micros=400 * CREDIT),
            pb.Draw(grant_id=bought.grant_id, amount_micros=50 * CREDIT),
        ],
        spend_caps=[
            pb.SpendCapUse(
                spend_cap_id=cap.spend_cap_id,
                group_key="user_id",
                group_value="ann",
                limit_micros=600 * CREDIT,
                used_micros=450 * CREDIT,
                window_start_time=timestamp(JUNE),
                window_end_time=timestamp(JULY),
                scope=pb.CAP_SCOPE_GROUP_VALUE,
                owner=pb.CAP_OWNER_VENDOR,
            )
        ],
        decide_time=timestamp(JUNE),
        expire_time=timestamp(JUNE + timedelta(hours=1)),
        available_micros=940 * CREDIT,
        rate_id=a_rate().rate_id,
    )
    assert await sql.everything() == before


async def test_a_captured_hold_is_still_explained(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100)
    await ledger.capture(hold.hold_id, 40)

    told = await _explain(ledger, hold.hold_id)

    assert (told.credits_micros, told.available_micros) == (100 * CREDIT, 360 * CREDIT)


async def test_what_is_not_known_cannot_be_explained(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(1)
    await ledger.tell_customer("cus_globex", "globex")

    with fault(StatusCode.NOT_FOUND, "HOLD_NOT_FOUND", hold_id="hld_unknown"):
        await _explain(ledger, "hld_unknown")
    with fault(StatusCode.NOT_FOUND, "HOLD_NOT_FOUND", hold_id=hold.hold_id):
        await _explain(ledger, hold.hold_id, customer="globex")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await _explain(ledger, hold.hold_id, customer="nobody")
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_unknown"):
        await _ask(ledger, 1, product_id="prd_unknown")
    with bad_fields("customer", "hold_id"):
        await ledger.gate.GetDecision(pb.GetDecisionRequest())
    with bad_fields("customer", "hold_id"):
        await ledger.gate.GetDecision(pb.GetDecisionRequest(hold_id=""))
    with bad_fields("customer", "product_id", "quantity_micros", "group_values"):
        await ledger.gate.GetDecision(pb.GetDecisionRequest(ask=pb.DecisionAsk(group_values={"": "x"})))
