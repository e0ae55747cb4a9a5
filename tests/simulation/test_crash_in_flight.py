# SPDX-License-Identifier: Apache-2.0
"""A concurrency cap under kill -9: no more holds are open than it allows, and none that is gone is counted."""

import asyncio
import random
from pathlib import Path

import asyncpg
import grpc
import pytest

from meshkit.rpc.client import open_channel
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from tests.simulation.conftest import Plan
from tests.simulation.crash_book import Book
from tests.simulation.crash_cluster import Cluster
from tests.simulation.crash_requests import CREDIT_TYPE, HOT, PRODUCT
from tests.simulation.crash_setup import set_up
from tests.simulation.own_postgres import PATIENCE_SECONDS

HOLDS_MAX = 5
TARGETS = ("replica", "worker", "replica and postmaster")
OPEN = """
    SELECT count(*) FROM ledger.holds WHERE customer_id = $1 AND state = 'HELD'
        AND counted_group_values ->> 'user_id' = 'ann'
"""


async def _ask(address: str, request_id: str) -> pb.AuthorizeResponse | None:
    """Ask for a hold that outlives the test; None if nobody answers."""
    request = pb.AuthorizeRequest(
        request_id=request_id,
        customer=HOT,
        product_id=PRODUCT,
        credits_micros=1,
        group_values={"user_id": "ann"},
    )
    request.hold_ttl.FromSeconds(86_400)
    async with open_channel(address) as channel:
        try:
            return await LedgerServiceStub(channel).Authorize(
                request, timeout=PATIENCE_SECONDS, wait_for_ready=True
            )
        except grpc.aio.AioRpcError:
            return None


async def _release(address: str, request_id: str, hold_id: str) -> None:
    request = pb.ReleaseRequest(request_id=request_id, customer=HOT, hold_id=hold_id)
    async with open_channel(address) as channel:
        await LedgerServiceStub(channel).Release(request, timeout=PATIENCE_SECONDS, wait_for_ready=True)


# Three kills take 10 s on an idle machine, and minutes on a busy one, where they must succeed too.
@pytest.mark.timeout(1_800)
async def test_a_cap_holds_through_kill_9_and_is_exact_afterwards(plan: Plan, tmp_path: Path) -> None:
    dice = random.Random(plan.seed)
    cluster = Cluster(tmp_path)
    try:
        await cluster.start()
        addresses = cluster.addresses_of("postmaster")
        await set_up(addresses[0], Book())
        async with open_channel(addresses[0]) as channel:
            capped = apb.SetConcurrencyCapRequest(
                request_id="busy",
                customer=HOT,
                credit_type_id=CREDIT_TYPE,
                group_key="user_id",
                group_value="ann",
                holds_max=HOLDS_MAX,
            )
            await LedgerAdminServiceStub(channel).SetConcurrencyCap(capped)
        database = await asyncpg.connect(cluster.url)
        known: set[str] = set()
        for number, target in enumerate(TARGETS):
            calls = [
                asyncio.create_task(_ask(addresses[call % 2], f"call-{number}-{call}")) for call in range(20)
            ]
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            await cluster.kill(target, dice)
            told = [one for one in await asyncio.gather(*calls) if one is not None]
            if target == "replica and postmaster":
                database = await asyncpg.connect(cluster.url)
            assert await database.fetchval(OPEN, HOT) <= HOLDS_MAX
            assert {one.denial_reason for one in told} <= {0, pb.DENIAL_REASON_TOO_MANY_IN_FLIGHT}
            known |= {one.hold_id for one in told if one.hold_id}
            # Whatever was lost on the way: asked again under the same ids, what is open is known, and it is the cap.
            again = [await _ask(addresses[call % 2], f"call-{number}-{call}") for call in range(20)]
            known |= {one.hold_id for one in again if one is not None and one.hold_id}
            assert len(known) == HOLDS_MAX
            assert await database.fetchval(OPEN, HOT) == HOLDS_MAX
            for hold_id in sorted(known)[:2]:
                await _release(addresses[0], f"release-{hold_id}", hold_id)
                known.remove(hold_id)
            assert await database.fetchval(OPEN, HOT) == HOLDS_MAX - 2
        await database.close()
        assert cluster.unexplained_ends() == []
    finally:
        await cluster.stop()
