# SPDX-License-Identifier: Apache-2.0
"""Reads wait for no lock and take none: a page that lists entries never slows an AI call, nor the other way round."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.ledger import AI, AUGUST, CREDIT, JULY, JUNE, RunningLedger
from tests.support.ledger_sql import Sql

IMAGES = "crt_images"
LOCK = "SELECT FROM ledger.pools WHERE customer_id = 'cus_acme' FOR UPDATE"
LOCK_ONE = f"{LOCK[: -len(' FOR UPDATE')]} AND credit_type_id = $1 FOR UPDATE"

Read = Callable[[RunningLedger, str], Awaitable[Any]]


async def _balance(ledger: RunningLedger, hold_id: str) -> Any:
    return await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="acme"))


async def _explained_ask(ledger: RunningLedger, hold_id: str) -> Any:
    ask = pb.DecisionAsk(product_id="prd_assistant", credits_micros=CREDIT, group_values={"user_id": "ann"})
    return await ledger.gate.GetDecision(pb.GetDecisionRequest(customer="acme", ask=ask))


async def _explained_hold(ledger: RunningLedger, hold_id: str) -> Any:
    return await ledger.gate.GetDecision(pb.GetDecisionRequest(customer="acme", hold_id=hold_id))


async def _entries(ledger: RunningLedger, hold_id: str) -> Any:
    return await ledger.entries()


async def _grants(ledger: RunningLedger, hold_id: str) -> Any:
    return await ledger.grants()


async def _holds(ledger: RunningLedger, hold_id: str) -> Any:
    return await ledger.holds()


async def _caps(ledger: RunningLedger, hold_id: str) -> Any:
    return await ledger.admin.ListSpendCaps(admin.ListSpendCapsRequest(customer="acme"))


async def _usage(ledger: RunningLedger, hold_id: str) -> Any:
    return await ledger.admin.GetUsageSummary(
        admin.GetUsageSummaryRequest(
            customer="acme",
            start_time=timestamp(JUNE),
            end_time=timestamp(JULY),
            group_key="user_id",
            window=admin.SUMMARY_WINDOW_PERIOD,
        )
    )


async def _verified(ledger: RunningLedger, hold_id: str) -> Any:
    return await ledger.admin.VerifyLedger(admin.VerifyLedgerRequest(customer="acme"))


async def _previewed(ledger: RunningLedger, hold_id: str) -> Any:
    return await ledger.peer.PreviewSeatChange(
        peer_pb.PreviewSeatChangeRequest(
            customer_id="cus_acme",
            subscription_id="sub_1",
            effective_time=timestamp(JUNE + timedelta(days=10)),
            quantity_delta=1,
        )
    )


READS = (
    *(_balance, _explained_ask, _explained_hold, _entries, _grants, _holds, _caps, _usage, _verified),
    _previewed,
)


@pytest.mark.parametrize("read", READS, ids=lambda read: read.__name__.strip("_"))
async def test_a_read_answers_while_another_session_holds_the_pools_lock(
    ledger: RunningLedger, sql: Sql, read: Read
) -> None:
    held = await ledger.authorize(30, user="ann")
    await ledger.set_cap(100, user="ann")
    free = await read(ledger, held.hold_id)

    async with sql.transaction():
        await sql.execute(LOCK)
        locked = await read(ledger, held.hold_id)

    assert locked == free


@pytest.mark.parametrize("read", READS, ids=lambda read: read.__name__.strip("_"))
async def test_a_read_where_nothing_is_due_writes_nothing(
    ledger: RunningLedger, sql: Sql, read: Read
) -> None:
    held = await ledger.authorize(30, user="ann")
    before = await sql.everything()

    await read(ledger, held.hold_id)

    assert await sql.everything() == before


@pytest.mark.parametrize("read", [_explained_ask, _explained_hold, _previewed, _holds, _caps, _usage])
async def test_a_read_that_can_count_what_is_due_by_itself_leaves_the_writing_to_others(
    ledger: RunningLedger, sql: Sql, read: Read
) -> None:
    held = await ledger.authorize(30, user="ann")
    ledger.clock.advance_to(JULY)
    before = await sql.everything()

    async with sql.transaction():
        await sql.execute(LOCK)
        await read(ledger, held.hold_id)

    assert await sql.everything() == before


@pytest.mark.parametrize("read", [_entries, _grants, _balance], ids=["entries", "grants", "balance"])
async def test_what_is_due_is_written_before_it_is_reported_and_waits_for_the_lock_of_its_pool(
    ledger: RunningLedger, sql: Sql, read: Read
) -> None:
    ledger.clock.advance_to(JULY)

    async with sql.transaction():
        await sql.execute(LOCK)
        waiting = asyncio.ensure_future(read(ledger, ""))
        await sql.until_somebody_waits()
        assert not waiting.done()

    await waiting
    assert [one.entry_kind for one in await ledger.entries()] == [
        admin.ENTRY_KIND_GRANT,
        admin.ENTRY_KIND_EXPIRY,
        admin.ENTRY_KIND_GRANT,
    ]


async def test_the_entries_of_one_pool_do_not_wait_for_another_in_which_something_is_due(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.top_up(10, credit_type_id=IMAGES)
    ledger.clock.advance_to(AUGUST)

    async with sql.transaction():
        await sql.execute(LOCK_ONE, AI)
        of_images = await ledger.entries(credit_type_id=IMAGES)

    assert [one.entry_kind for one in of_images] == [admin.ENTRY_KIND_GRANT]


async def test_a_balance_settles_the_due_pool_and_does_not_wait_for_the_others(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.top_up(10, credit_type_id=IMAGES)
    ledger.clock.advance_to(JULY)

    async with sql.transaction():
        await sql.execute(LOCK_ONE, IMAGES)
        (ai, images) = (await _balance(ledger, "")).pools

    assert (ai.available_micros, images.available_micros) == (400 * CREDIT, 10 * CREDIT)
