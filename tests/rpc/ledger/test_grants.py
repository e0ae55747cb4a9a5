# SPDX-License-Identifier: Apache-2.0
"""IssueGrant: credits that no schedule issues, once for each source."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import optional_timestamp, timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


async def test_a_grant_is_there_at_once_with_what_was_left_out(ledger: RunningLedger) -> None:
    issued = await ledger.admin.IssueGrant(
        admin.IssueGrantRequest(
            request_id="req-grant",
            customer="acme",
            credit_type_id=AI,
            grant_kind=pb.GRANT_KIND_PROMOTIONAL,
            amount_micros=7 * CREDIT,
        )
    )

    assert issued.grant == pb.Grant(
        grant_id=issued.grant.grant_id,
        grant_kind=pb.GRANT_KIND_PROMOTIONAL,
        credit_type_id=AI,
        granted_micros=7 * CREDIT,
        available_micros=7 * CREDIT,
        priority=100,
        effective_time=timestamp(JUNE),
        create_time=timestamp(JUNE),
    )
    entry = (await ledger.entries())[0]
    assert (entry.entry_kind, entry.grant_id, entry.amount_micros, entry.cause_id) == (
        admin.ENTRY_KIND_GRANT,
        issued.grant.grant_id,
        7 * CREDIT,
        "req-grant",
    )
    assert (await ledger.pool()).available_micros == 407 * CREDIT
    await ledger.assert_adds_up()


async def test_nothing_is_granted_twice_for_one_source(ledger: RunningLedger) -> None:
    first = await ledger.top_up(5, source_id="order_1")
    with fault(
        StatusCode.ALREADY_EXISTS, "GRANT_ALREADY_EXISTS", source_id="order_1", grant_id=first.grant_id
    ):
        await ledger.top_up(5, source_id="order_1")
    with fault(StatusCode.ALREADY_EXISTS, "SOURCE_ID_REUSED", source_id="order_1", terms="credit_type_id"):
        await ledger.top_up(5, source_id="order_1", credit_type_id="crt_image")
    await ledger.tell_customer("cus_globex", "globex")

    for more in ({"source_id": "order_2"}, {}, {}, {"source_id": "order_1", "customer": "globex"}):
        await ledger.top_up(5, **more)

    assert (await ledger.pool()).available_micros == 420 * CREDIT
    await ledger.assert_adds_up()


async def test_a_grant_dated_ahead_is_drawn_from_its_first_instant_on(ledger: RunningLedger) -> None:
    issued = await ledger.top_up(1_000, effective_time=timestamp(JUNE + DAY))

    assert (issued.available_micros, issued.granted_micros) == (0, 1_000 * CREDIT)
    ledger.clock.advance_to(JUNE + DAY - TICK)
    assert (await ledger.authorize(401)).decision == pb.DECISION_DENIED
    assert len((await ledger.pool()).grants) == 1
    ledger.clock.advance_to(JUNE + DAY)
    assert (await ledger.authorize(1_400)).decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_a_grant_is_dead_at_its_expire_time(ledger: RunningLedger) -> None:
    await ledger.top_up(1_000, expire_time=timestamp(JUNE + DAY), source_id="order_1")
    ledger.clock.advance_to(JUNE + DAY - TICK)
    assert (await ledger.debit(500)).decision == pb.DECISION_ALLOWED
    ledger.clock.advance_to(JUNE + DAY)

    assert (await ledger.authorize(1)).decision == pb.DECISION_DENIED
    bought = next(one for one in await ledger.grants() if one.source_id == "order_1")
    assert (bought.captured_micros, bought.expired_micros, bought.available_micros) == (
        100 * CREDIT,
        900 * CREDIT,
        0,
    )
    entry = (await ledger.entries(grant_id=bought.grant_id))[0]
    assert (entry.entry_kind, entry.amount_micros, entry.effective_time) == (
        admin.ENTRY_KIND_EXPIRY,
        -900 * CREDIT,
        timestamp(JUNE + DAY),
    )
    await ledger.assert_adds_up()


@pytest.mark.parametrize("end", [JUNE - DAY, JUNE])
async def test_a_grant_told_after_its_life_was_granted_and_has_expired(
    ledger: RunningLedger, end: datetime
) -> None:
    await ledger.top_up(
        1_000, effective_time=timestamp(JUNE - 2 * DAY), expire_time=timestamp(end), source_id="late"
    )

    assert (await ledger.authorize(401)).decision == pb.DECISION_DENIED
    late = next(one for one in await ledger.grants() if one.source_id == "late")
    assert (late.granted_micros, late.expired_micros) == (1_000 * CREDIT, 1_000 * CREDIT)
    await ledger.assert_adds_up()


async def test_a_pool_is_made_by_its_first_grant_and_needs_no_contract(ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_globex", "globex")

    await ledger.top_up(5, customer="globex")

    (pool,) = (await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="globex"))).pools
    assert pool.available_micros == 5 * CREDIT


async def test_many_grants_of_one_customer_keep_one_connection_and_others_go_on(
    databases: Databases, sql: Sql
) -> None:
    # Of seven connections, two are for writes.
    async with running_ledger(databases, connections=7) as ledger:
        await ledger.sign_acme()
        await ledger.tell_customer("cus_globex", "globex")
        async with sql.transaction():
            await sql.execute("SELECT FROM ledger.pools WHERE customer_id = 'cus_acme' FOR UPDATE")
            waiting = [asyncio.create_task(ledger.top_up(1)) for _ in range(50)]
            await sql.until_somebody_waits()

            await ledger.top_up(5, customer="globex")
            assert not any(call.done() for call in waiting)

        await asyncio.gather(*waiting)
        assert (await ledger.pool()).available_micros == 450 * CREDIT
        await ledger.assert_adds_up()


async def test_an_unknown_customer_gets_nothing(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.top_up(5, customer="nobody")


async def test_every_bad_field_is_named_at_once(ledger: RunningLedger) -> None:
    with bad_fields("request_id", "customer", "credit_type_id", "grant_kind", "amount_micros"):
        await ledger.admin.IssueGrant(admin.IssueGrantRequest())
    with bad_fields(
        *("grant_kind", "amount_micros", "cost_basis_micros", "priority", "product_id", "source_id"),
        *("scope_product_ids", "scope_product_ids[0]"),
    ):
        await ledger.top_up(
            10**9 + 1,
            grant_kind=pb.GRANT_KIND_INCLUDED,
            cost_basis_micros=-1,
            priority=1_001,
            product_id=" ",
            source_id=" ",
            scope_product_ids=["", *(f"prd_{n}" for n in range(50))],
        )
    for effective_time, expire_time in ((None, JUNE), (JULY, JULY), (JULY, JUNE)):
        with bad_fields("expire_time"):
            await ledger.top_up(
                5, effective_time=optional_timestamp(effective_time), expire_time=timestamp(expire_time)
            )
    await ledger.top_up(10**9, priority=1_000, expire_time=timestamp(JUNE + TICK))


async def test_a_grant_may_expire_at_the_last_instant_that_the_database_can_store(
    ledger: RunningLedger,
) -> None:
    last = datetime.max.replace(tzinfo=UTC) - TICK

    with bad_fields("expire_time"):
        await ledger.top_up(5, expire_time=timestamp(last + TICK))
    granted = await ledger.top_up(5, expire_time=timestamp(last))

    assert granted.expire_time == timestamp(last)
    assert [one.expire_time for one in await ledger.grants() if one.grant_id == granted.grant_id] == [
        timestamp(last)
    ]
    assert (await ledger.authorize(405)).held_micros == 405 * CREDIT
