# SPDX-License-Identifier: Apache-2.0
"""A client process of the load generator: `python -m tests.perf.client`; it receives commands as lines of JSON.

Requests are serialised beforehand except for their request_id, which is random like a caller's. Responses are checked
but not parsed. So the client costs little, and the same for every server.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import asyncpg
import grpc.aio
import uvloop
from google.protobuf.duration_pb2 import Duration

from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2
from purser_client.affinity import CUSTOMER_HEADER
from purser_client.channel import open_channel, target_of
from tests.perf.load import Kind, Load, Secured
from tests.perf.world import PRODUCT, UNITS_MICROS, USERS, seat_ids

CALL_SECONDS_MAX = 10.0
READY_SECONDS_MAX = 20.0
# No hold expires during a bench.
HOLD_SECONDS = 3 * 3_600
ECHO_METHOD = "/purser.perf.Echo/Echo"
_GATE = "/purser.ledger.v1.LedgerService"
METHODS = {
    Kind.ECHO: ECHO_METHOD,
    Kind.AUTHORIZE: f"{_GATE}/Authorize",
    Kind.DEBIT: f"{_GATE}/Debit",
    Kind.DEBIT_BATCH: f"{_GATE}/DebitBatch",
    Kind.RECORD_USAGE: "/purser.ledger.v1.UsageService/RecordUsage",
}
# Field 1 of every request and event, a string of 32 bytes; fields may have any order, and this one comes first.
_REQUEST_ID = b"\x0a\x20"
# Field 1 of Authorize's and Debit's answers: DECISION_ALLOWED, DECISION_DENIED.
_ALLOWED, _DENIED = b"\x08\x01", b"\x08\x02"
_CHANNEL_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1))

Call = Callable[[], Awaitable[bool]]  # False: it was answered, but not as expected


@dataclass(slots=True)
class Tally:
    """The results of a run so far."""

    latencies_us: list[int] = field(default_factory=list)
    answered: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    cpu_seconds: float = 0.0


class Client:
    """Channels to the servers it has called, and the calls of the last load it received."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._calls: list[Call] = []
        self._interval_seconds = 0.0
        self._connection: Any = None

    async def prepare(self, load: Load) -> None:
        """Connect, and serialise the requests. Raises TimeoutError when a server does not answer."""
        if load.kind is Kind.COMMIT:
            self._calls = [await self._commit(load.database_url)] * load.in_flight
            return
        self._interval_seconds = load.in_flight / load.per_second if load.per_second else 0.0
        tails = _tails(load.kind, load.customers, seat_ids(load.seats) or USERS)
        for address in load.addresses:
            if address not in self._channels:
                self._channels[address] = _channel(address, load)
            if "," not in address:  # a channel to several connects to each when it first needs it
                await asyncio.wait_for(self._channels[address].channel_ready(), READY_SECONDS_MAX)
        self._calls = [
            _call(self._channels[load.addresses[number % len(load.addresses)]], load, tails)
            for number in range(load.in_flight)
        ]

    async def carry_out(self, start: float, begin: float, end: float) -> Tally:
        """Call in as many closed loops as there are calls, from `start` to `end`; see load.py for the window."""
        tally = Tally()
        loop = asyncio.get_running_loop()
        await asyncio.sleep(start - time.monotonic())
        cpu: list[float] = []
        for edge in (begin, end):
            loop.call_later(edge - time.monotonic(), lambda: cpu.append(_cpu_seconds()))
        await asyncio.gather(
            *(
                _closed_loop(
                    call,
                    tally,
                    begin,
                    end,
                    first=start + number / len(self._calls) * self._interval_seconds,
                    interval=self._interval_seconds,
                )
                for number, call in enumerate(self._calls)
            )
        )
        await asyncio.sleep(max(0.0, end - time.monotonic()) + 0.001)
        tally.cpu_seconds = cpu[1] - cpu[0]
        return tally

    async def _commit(self, url: str) -> Call:
        if self._connection is not None:
            await self._connection.close()
        self._connection = await asyncpg.connect(url)
        statement = await self._connection.prepare("INSERT INTO perf.commits (id, body) VALUES ($1, $2)")
        body = "x" * 130

        async def commit() -> bool:
            await statement.fetch(_random_id(), body)
            return True

        return commit


async def _closed_loop(
    call: Call, tally: Tally, begin: float, end: float, *, first: float, interval: float
) -> None:
    """Call until `end`: at `first` and then every `interval` seconds, or one call after the other if that is 0."""
    clock = time.monotonic
    due = first
    while (asked := clock()) < end:
        if interval:
            if due > asked:
                await asyncio.sleep(due - asked)
                asked = clock()
            due += interval
        try:
            is_as_expected = await call()
        except grpc.aio.AioRpcError as error:
            tally.faults[f"{error.code().name}: {error.details()}"[:200]] += 1
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return
            continue
        if not is_as_expected:
            tally.refused += 1
            continue
        tally.answered += 1
        answered = clock()
        if begin <= answered < end:
            tally.latencies_us.append(int((answered - asked) * 1e6))


def _secured(told: Mapping[str, str] | None) -> Secured | None:
    return None if told is None else Secured(**told)


def _channel(address: str, load: Load) -> grpc.aio.Channel:
    if load.secured is None:
        return grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
    credentials = grpc.ssl_channel_credentials(load.secured.authority.encode())
    if "," in address:
        return open_channel(target_of(address.split(",")), credentials, server_name=load.server_name)
    return grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)


def _call(channel: grpc.aio.Channel, load: Load, tails: Sequence[bytes]) -> Call:
    rpc: Any = channel.unary_unary(METHODS[load.kind])
    metadata = () if load.secured is None else (("authorization", f"Bearer {load.secured.token}"),)
    choose = random.choice
    decision = _DENIED if load.is_denied else _ALLOWED
    headers = [(*metadata, (CUSTOMER_HEADER, customer)) for customer in load.customers]

    async def echo() -> bool:
        request = _REQUEST_ID + _random_id().encode() + choose(tails)
        reply: bytes = await rpc(request, timeout=CALL_SECONDS_MAX)
        return len(reply) == len(request)

    async def decide() -> bool:
        request = _REQUEST_ID + _random_id().encode() + choose(tails)
        reply: bytes = await rpc(request, timeout=CALL_SECONDS_MAX, metadata=metadata)
        return reply.startswith(decision)

    async def decide_named() -> bool:
        number = random.randrange(len(tails))
        request = _REQUEST_ID + _random_id().encode() + tails[number]
        reply: bytes = await rpc(request, timeout=CALL_SECONDS_MAX, metadata=headers[number])
        return reply.startswith(decision)

    async def batch() -> bool:
        items = (_REQUEST_ID + _random_id().encode() + choose(tails) for _ in range(load.items))
        request = b"".join(b"\x0a" + _varint(len(item)) + item for item in items)
        reply: bytes = await rpc(request, timeout=CALL_SECONDS_MAX)
        return len(reply) > load.items

    match load.kind:
        case Kind.ECHO:
            return echo
        case Kind.DEBIT_BATCH | Kind.RECORD_USAGE:
            return batch
        case _:
            return decide_named if load.names_customer else decide


def _tails(kind: Kind, customers: Sequence[str], users: Sequence[str]) -> list[bytes]:
    """Return requests without request_id: for one customer one per user, for many customers one each."""
    asked = (
        [(customers[0], user) for user in users]
        if len(customers) == 1
        else [(customer, USERS[number % len(USERS)]) for number, customer in enumerate(customers)]
    )
    tails = []
    for customer, user in asked:
        if kind is Kind.RECORD_USAGE:
            event = usage_pb2.UsageEvent(customer=customer, event_type="ai.assistant")
            event.timestamp.GetCurrentTime()
            event.properties.update({"units": "1", "user_id": user})
            tails.append(event.SerializeToString())
            continue
        request: pb.AuthorizeRequest | pb.DebitRequest
        if kind in (Kind.DEBIT, Kind.DEBIT_BATCH):
            request = pb.DebitRequest()
        else:
            request = pb.AuthorizeRequest(hold_ttl=Duration(seconds=HOLD_SECONDS))
        request.customer = customer
        request.product_id = PRODUCT
        request.quantity_micros = UNITS_MICROS
        request.group_values["user_id"] = user
        tails.append(request.SerializeToString())
    return tails


def _random_id() -> str:
    return f"{random.getrandbits(128):032x}"


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _cpu_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system


async def _serve(questions: TextIO, answers: TextIO) -> None:
    client = Client()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, questions.readline):
        told: Mapping[str, Any] = json.loads(line)
        answer: dict[str, Any] = {}
        if "kind" in told:
            lists = {name: tuple(told[name]) for name in ("addresses", "customers")}
            await client.prepare(
                Load(**{**told, **lists, "kind": Kind(told["kind"]), "secured": _secured(told["secured"])})
            )
        else:
            tally = await client.carry_out(told["start"], told["begin"], told["end"])
            answer = {name: getattr(tally, name) for name in Tally.__slots__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    uvloop.run(_serve(sys.stdin, sys.stdout))
