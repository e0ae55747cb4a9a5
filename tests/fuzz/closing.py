# SPDX-License-Identifier: Apache-2.0
"""What must hold after all those calls: nothing is stuck, every figure adds up, and other customers are served."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping

import asyncpg
from google.protobuf.timestamp_pb2 import Timestamp
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.database import SERVICES
from deploy.local.identity import LocalIdentity
from meshkit.rpc.client import open_channel
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.outbox.v1 import dead_letters_pb2 as outbox
from purser.outbox.v1.dead_letters_pb2_grpc import DeadLetterServiceStub
from purser.sandbox.v1 import clock_pb2
from purser.sandbox.v1.clock_pb2_grpc import ClockServiceStub
from tests.support.mesh import Acme, until
from tests.support.postgres import Databases

SETTLE_SECONDS_MAX = 90.0
PAUSE_SECONDS = 0.25
VERIFY_SECONDS_MAX = 300.0
# As if the peer had rejected a pending notice often and long enough: one more rejection makes it a dead letter.
_REJECTED_LONG_AGO = """
UPDATE {service}.outbox
SET rejections = 100, reject_time = now() - interval '1 hour', due_time = now()
WHERE sent_time IS NULL AND (lease_time IS NULL OR lease_time < now())
"""


async def health_of(address: str, identity: LocalIdentity) -> str:
    """Return what a service says of its health; another text if it gives no answer within 10 s."""
    async with open_channel(address, identity.credentials()) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=10.0
            )
        except AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def until_delivered(
    databases: Databases, addresses: Mapping[str, str], identity: LocalIdentity
) -> tuple[Counter[str], list[str]]:
    """Let every notice be delivered or become a dead letter, and drop these; returns counts, and what is stuck."""
    counts: Counter[str] = Counter()
    inside = await asyncpg.connect(databases.admin_url)
    try:
        end = time.monotonic() + SETTLE_SECONDS_MAX
        while await _pending(inside) and time.monotonic() < end:
            for service in SERVICES:
                await inside.execute(_REJECTED_LONG_AGO.format(service=service))
                counts["dropped"] += await _drop_all(addresses[service], identity)
            await asyncio.sleep(PAUSE_SECONDS)
        for service in SERVICES:
            counts["delivered"] += await inside.fetchval(
                f"SELECT count(*) FROM {service}.outbox WHERE sent_time IS NOT NULL"
            )
        return counts, await _stuck(inside)
    finally:
        await inside.close()


async def _drop_all(address: str, identity: LocalIdentity) -> int:
    """Drop the dead letters of a service, so that what waits for them is delivered; returns how many."""
    token = identity.token("operator", "viewer", subject="fuzzer")
    async with open_channel(address, identity.credentials(token)) as channel:
        letters = DeadLetterServiceStub(channel)
        found = await letters.ListDeadLetters(outbox.ListDeadLettersRequest(), timeout=30)
        for one in found.dead_letters:
            await letters.DropDeadLetter(
                outbox.DropDeadLetterRequest(
                    request_id=f"drop-{one.notice_id}"[:64],
                    notice_id=one.notice_id,
                    reason="made by the fuzzer",
                    actor="tests/fuzz",
                ),
                timeout=30,
            )
        return len(found.dead_letters)


async def _pending(inside: asyncpg.Connection) -> int:
    counts = [
        await inside.fetchval(f"SELECT count(*) FROM {service}.outbox WHERE sent_time IS NULL")
        for service in SERVICES
    ]
    return sum(counts)


async def _stuck(inside: asyncpg.Connection) -> list[str]:
    return [
        f"{service}'s {row['kind']} is stuck after {row['attempts']} attempts: {row['last_error']}\n{row['payload']}"
        for service in SERVICES
        for row in await inside.fetch(
            f"SELECT kind, attempts, last_error, left(payload::text, 1500) AS payload "
            f"FROM {service}.outbox WHERE sent_time IS NULL LIMIT 5"
        )
    ]


async def faults_of(acme: Acme, addresses: Mapping[str, str], identity: LocalIdentity) -> list[str]:
    """Return what is wrong: health, sums, and what a customer that no call was about is told."""
    wrong = []
    for service, address in addresses.items():
        said = await health_of(address, identity)
        if said != "SERVING":
            wrong.append(f"health of {service}: {said}")
    try:
        found = await acme.stubs.ledger_admin.VerifyLedger(
            admin.VerifyLedgerRequest(), timeout=VERIFY_SECONDS_MAX
        )
        wrong += [f"VerifyLedger: {one}" for one in found.discrepancies]
        await _set_clocks(acme, addresses, identity)
        asked = await acme.authorize(1)
        if asked.decision != ledger.DECISION_ALLOWED:
            wrong.append(f"the witness is denied: {asked}")
        before = await acme.available()
        await acme.change_seats(1)
        await until(acme.available, lambda available: available > before)
    except AssertionError as error:
        wrong.append(f"the witness' new seat brought no credits: {error}")
    except AioRpcError as error:
        wrong.append(f"the witness' call failed with {error.code().name}: {error.details()}")
    return wrong


async def _set_clocks(acme: Acme, addresses: Mapping[str, str], identity: LocalIdentity) -> None:
    """Advance all services to the latest time of any: calls with local_only have moved some of them."""
    token = identity.token("operator", "viewer", subject="fuzzer")
    latest = Timestamp()
    for address in addresses.values():
        async with open_channel(address, identity.credentials(token)) as channel:
            told = await ClockServiceStub(channel).GetTime(clock_pb2.GetTimeRequest(), timeout=30)
            latest = max(latest, told.now_time, key=lambda at: (at.seconds, at.nanos))
    await acme.stubs.clock.AdvanceTime(clock_pb2.AdvanceTimeRequest(new_time=latest), timeout=60)
