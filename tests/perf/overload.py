# SPDX-License-Identifier: Apache-2.0
"""P20: more than a Ledger can carry: too many callers, large messages, responses that nobody reads, half-open calls."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.rpc.intake import CALLS_MAX
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from tests.perf.bench import Bench, Shop
from tests.perf.goals import Figure, Spread
from tests.perf.servers import memory_mb, peak_memory_mb
from tests.perf.world import CREDIT_TYPE, PRODUCT, UNITS_MICROS, USERS, customer
from tests.support.raw_http2 import RawConnection

CALLERS_PER_CONNECTION = 64
CALL_SECONDS_MAX = 30.0
# What a refused caller waits, as RetryInfo says; each a little less or more.
RETRY_SECONDS = 1.0
DEBIT = "/purser.ledger.v1.LedgerService/Debit"
AUTHORIZE = "/purser.ledger.v1.LedgerService/Authorize"
LIST_ENTRIES = "/purser.ledger.v1.LedgerAdminService/ListEntries"
LARGE_CALLS, LARGE_BYTES = 100, 4_000_000
UNREAD_CALLS, UNREAD_ENTRIES = 2_000, 500
HALF_OPEN_CONNECTIONS, HALF_OPEN_CALLS = 8, 4_096
BESIDE_CALLS = 80
RECOVERED_SECONDS = 0.1
RECOVERED_CALLS = 20


@dataclass(slots=True)
class Heard:
    """What callers heard, in ms: of calls that were carried out, and of calls that were refused."""

    accepted_ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        return {
            "accepted": len(self.accepted_ms),
            "accepted_p50_ms": round(_quantile(self.accepted_ms, 0.5), 1),
            "accepted_p99_ms": round(_quantile(self.accepted_ms, 0.99), 1),
            "refused": len(self.refused_ms),
            "refused_p50_ms": round(_quantile(self.refused_ms, 0.5), 1),
            "refused_p99_ms": round(_quantile(self.refused_ms, 0.99), 1),
            "others": dict(self.others),
        }


async def overload(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P20: one Ledger process for the floods of callers, and one for each kind of broken client."""
    async with bench.shop() as shop:
        await shop.open_for([customer(1)])
        await bench.databases.settle()
        rounds, recovery = await _floods(bench, shop)
        is_consistent = (await shop.stubs.verify()).is_consistent
    large_mb, large = await _large_messages(bench)
    unread_mb, unread = await _unread_responses(bench)
    beside_ms, half_open = await _half_open(bench)
    detail = {
        "briefly": f"p99 at 1, 2, 10 × {CALLS_MAX} callers: "
        + ", ".join(f"{_quantile(rounds[-1][times].accepted_ms, 0.99):,.0f} ms" for times in (1, 2, 10)),
        "callers": {str(times): heard.as_json() for times, heard in rounds[-1].items()},
        "large_messages": large,
        "unread_responses": unread,
        "half_open_calls": half_open,
    }
    parts = {
        "accepted p99, 2 ×": Spread.of([_ratio(one, 2) for one in rounds]),
        "accepted p99, 10 ×": Spread.of([_ratio(one, 10) for one in rounds]),
        "refused p99": Spread.of([_quantile(one[10].refused_ms, 0.99) for one in rounds]),
        "recovery": Spread.of(recovery),
        "large messages": Spread.of([large_mb]),
        "unread responses": Spread.of([unread_mb]),
        "beside half-open calls, p99": Spread.of([beside_ms]),
    }
    none_failed = not any(heard.others for one in rounds for heard in one.values())
    return {"P20": Figure(parts, detail, holds=is_consistent and none_failed)}


async def _floods(bench: Bench, shop: Shop) -> tuple[list[dict[int, Heard]], list[float]]:
    """Return what callers heard at 1, 2 and 10 times the number of calls that a Ledger takes, and recovery times."""
    rounds = []
    recovery = []
    for _ in range(bench.scale.rounds):
        one = {}
        for times in (1, 2, 10):
            async with _channels(shop, times * CALLS_MAX // CALLERS_PER_CONNECTION) as channels:
                one[times] = await _flood(bench, channels)
                if times == 10:
                    recovery.append(await _recovery(shop))
        rounds.append(one)
    return rounds, recovery


async def _flood(bench: Bench, channels: Sequence[grpc.aio.Channel]) -> Heard:
    """Call in closed loops, 64 on each channel; a refused caller waits as it is told."""
    heard = Heard()
    begin = time.perf_counter() + bench.scale.warm_seconds + RETRY_SECONDS
    end = begin + bench.scale.seconds
    await asyncio.gather(
        *(
            _caller(channel.unary_unary(DEBIT), heard, begin, end)
            for channel in channels
            for _ in range(CALLERS_PER_CONNECTION)
        )
    )
    return heard


async def _caller(call: Any, heard: Heard, begin: float, end: float) -> None:
    clock = time.perf_counter
    await asyncio.sleep(random.random() * RETRY_SECONDS / 2)
    while (asked := clock()) < end:
        try:
            await call(_debit(), timeout=CALL_SECONDS_MAX)
            into = heard.accepted_ms
        except AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                heard.others[f"{error.code().name}: {error.details()}"[:200]] += 1
                continue
            into = heard.refused_ms
        answered = clock()
        if begin <= answered < end:
            into.append((answered - asked) * 1e3)
        if into is heard.refused_ms:
            await asyncio.sleep(RETRY_SECONDS * (0.5 + random.random()))


async def _recovery(shop: Shop) -> float:
    """Return the seconds until calls one after the other are quick again, for as many as show it."""
    began = time.perf_counter()
    quick = 0
    async with _channels(shop, 1) as (channel,):
        call: Any = channel.unary_unary(DEBIT)
        while quick < RECOVERED_CALLS:
            asked = time.perf_counter()
            try:
                await call(_debit(), timeout=CALL_SECONDS_MAX)
            except AioRpcError:
                quick = 0
                continue
            quick = quick + 1 if time.perf_counter() - asked < RECOVERED_SECONDS else 0
    return time.perf_counter() - began


async def _large_messages(bench: Bench) -> tuple[float, dict[str, Any]]:
    """Return by how many MB the Ledger grows while 100 requests of 4 MB reach Authorize on one connection."""
    async with bench.shop() as shop, _channels(shop, 1) as (channel,):
        before = memory_mb(shop.servers[0].pid)
        call: Any = channel.unary_unary(AUTHORIZE)
        request = pb.AuthorizeRequest(customer="c" * LARGE_BYTES).SerializeToString()
        answers = Counter(await asyncio.gather(*(_code(call(request)) for _ in range(LARGE_CALLS))))
        grown = peak_memory_mb(shop.servers[0].pid) - before
    return grown, {"before_mb": round(before), "answers": dict(answers)}


async def _unread_responses(bench: Bench) -> tuple[float, dict[str, Any]]:
    """Return by how many MB the Ledger grows while one connection does not read 2,000 responses."""
    request = apb.ListEntriesRequest(
        customer=customer(1), credit_type_id=CREDIT_TYPE, page_size=UNREAD_ENTRIES
    )
    async with bench.shop() as shop:
        await shop.open_for([customer(1)])
        items = [pb.DebitRequest.FromString(_debit()) for _ in range(UNREAD_ENTRIES)]
        await shop.stubs.gate.DebitBatch(pb.DebitBatchRequest(items=items))
        size = (await shop.stubs.admin.ListEntries(request)).ByteSize()
        before = memory_mb(shop.servers[0].pid)
        async with RawConnection.to(shop.servers[0].address, window=0) as connection:
            with suppress(ConnectionError):
                await connection.start(LIST_ENTRIES, UNREAD_CALLS, message=request.SerializeToString())
            # Others are answered meanwhile, so those that were accepted have been worked on when this is.
            ms = [await _timed_ms(shop.stubs.admin.ListEntries(request)) for _ in range(BESIDE_CALLS)]
            ended = dict(connection.ended)
            grown = peak_memory_mb(shop.servers[0].pid) - before
    detail = {
        "before_mb": round(before),
        "response_bytes": size,
        "ended": ended,
        "beside_ms": round(max(ms), 1),
    }
    return grown, detail


async def _half_open(bench: Bench) -> tuple[float, dict[str, Any]]:
    """Return the p99, in ms, of calls beside 8 connections with 4,096 calls each that never send their message."""
    async with bench.shop() as shop, AsyncExitStack() as stack:
        await shop.open_for([customer(1)])
        before = memory_mb(shop.servers[0].pid)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(shop.servers[0].address))
        health = health_pb2_grpc.HealthStub(channel)
        call: Any = channel.unary_unary(DEBIT)
        connections = [
            await stack.enter_async_context(RawConnection.to(shop.servers[0].address))
            for _ in range(HALF_OPEN_CONNECTIONS)
        ]
        # The server may close a connection that starts so many.
        starts = (one.start(DEBIT, HALF_OPEN_CALLS) for one in connections)
        closed = [one for one in await asyncio.gather(*starts, return_exceptions=True) if one is not None]
        ms, health_ms = [], []
        for _ in range(BESIDE_CALLS):
            ms.append(await _timed_ms(call(_debit(), timeout=CALL_SECONDS_MAX)))
            health_ms.append(await _timed_ms(health.Check(health_pb2.HealthCheckRequest())))
        grown = peak_memory_mb(shop.servers[0].pid) - before
        ended = sum((one.ended for one in connections), Counter[str]())
    detail = {
        "health_max_ms": round(max(health_ms), 1),
        "grown_mb": round(grown),
        "ended_meanwhile": dict(ended),
        "connections_closed": len(closed),
    }
    return _quantile(ms, 0.99), detail


@asynccontextmanager
async def _channels(shop: Shop, count: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Open channels, each with its own connection."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(shop.servers[0].address, options=options)
            )
            for _ in range(count)
        ]
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        yield channels


async def _timed_ms(call: Any) -> float:
    asked = time.perf_counter()
    await call
    return (time.perf_counter() - asked) * 1e3


async def _code(call: Any) -> str:
    try:
        await call
    except AioRpcError as error:
        return error.code().name
    return "OK"


def _debit() -> bytes:
    request = pb.DebitRequest(
        request_id=f"{random.getrandbits(128):032x}",
        customer=customer(1),
        product_id=PRODUCT,
        quantity_micros=UNITS_MICROS,
        group_values={"user_id": random.choice(USERS)},
    )
    return request.SerializeToString()


def _ratio(heard: Mapping[int, Heard], times: int) -> float:
    """Return p99 of accepted calls at so many times the capacity, relative to p99 at it."""
    return _quantile(heard[times].accepted_ms, 0.99) / _quantile(heard[1].accepted_ms, 0.99)


def _quantile(values: Sequence[float], quantile: float) -> float:
    """Return the value that this share of them does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(math.ceil(quantile * len(ordered)) - 1, 0)] if ordered else 0.0
