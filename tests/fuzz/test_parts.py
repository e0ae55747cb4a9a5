# SPDX-License-Identifier: Apache-2.0
"""The fuzzer notices what it looks for: answers, log lines and stored requests."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import ServicerContext

from meshkit.page import next_token, read_token
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_pb2 as pb
from tests.fuzz import corpus
from tests.fuzz.calls import Answer, Channels, make
from tests.fuzz.fields import Filler
from tests.fuzz.knowledge import Knowledge
from tests.fuzz.methods import Method
from tests.fuzz.report import Outcome, broken_lines, verdict
from tests.fuzz.requests import Attempt
from tests.fuzz.tokens import KEYS, bad_token

BATCH = Method(
    service="ledger",
    path="/purser.ledger.v1.LedgerService/DebitBatch",
    request_type=pb.DebitBatchRequest,
    response_type=pb.DebitBatchResponse,
    takes_stream=False,
    gives_stream=False,
)
LIST = Method(
    service="contract",
    path="/purser.contract.v1.ContractService/ListContracts",
    request_type=contract.ListContractsRequest,
    response_type=contract.ListContractsResponse,
    takes_stream=False,
    gives_stream=False,
)

Behaviour = Callable[[bytes, ServicerContext[Any, Any]], Awaitable[bytes]]


def _an_attempt(*bodies: bytes, method: Method = BATCH) -> Attempt:
    return Attempt(method=method, kind="test", bodies=bodies)


@asynccontextmanager
async def _answering(behaviour: Behaviour) -> AsyncIterator[Channels]:
    class Handlers(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> Any:
            return grpc.unary_unary_rpc_method_handler(behaviour)

    server = grpc.aio.server(handlers=(Handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Channels({"ledger": channel})
    await server.stop(0)


async def _answer_of(behaviour: Behaviour) -> Answer:
    async with _answering(behaviour) as channels:
        return await make(channels, _an_attempt(b""))


@pytest.mark.parametrize(
    ("code", "is_broken"),
    [
        (StatusCode.INTERNAL, True),
        (StatusCode.UNKNOWN, True),
        (StatusCode.UNAVAILABLE, True),
        (StatusCode.DEADLINE_EXCEEDED, True),
        (StatusCode.INVALID_ARGUMENT, False),
        (StatusCode.RESOURCE_EXHAUSTED, False),
        (StatusCode.UNAUTHENTICATED, False),
    ],
)
async def test_an_answer_that_no_call_may_get_is_a_fault(code: StatusCode, is_broken: bool) -> None:
    async def refuse(request: bytes, context: ServicerContext[Any, Any]) -> bytes:
        await context.abort(code, "said so")

    answer = await _answer_of(refuse)

    assert (answer.code, bool(answer.fault)) == (code, is_broken)


@pytest.mark.parametrize(("code", "is_broken"), [(13, True), (2, True), (3, False)])
async def test_an_item_of_a_batch_that_ended_so_is_a_fault_too(code: int, is_broken: bool) -> None:
    item = pb.DebitBatchResult(error=Status(code=code))

    async def answer(request: bytes, context: ServicerContext[Any, Any]) -> bytes:
        return pb.DebitBatchResponse(results=[item]).SerializeToString()

    assert bool((await _answer_of(answer)).fault) == is_broken


async def test_a_call_without_an_answer_is_counted_and_shown_with_its_request() -> None:
    outcome = Outcome(seed=7, methods=[BATCH])
    attempt = _an_attempt(pb.DebitBatchRequest(items=[pb.DebitRequest(customer="acme")]).SerializeToString())

    outcome.count(attempt, Answer(code=StatusCode.OK, reason="", fault=""))
    assert outcome.is_good
    outcome.count(attempt, Answer(code=StatusCode.INTERNAL, reason="", fault="INTERNAL: it was logged"))

    assert not outcome.is_good
    said = "\n".join(verdict(outcome))
    assert "OK 1, INTERNAL 1" in said
    assert 'customer: "acme"' in said


def test_unexpected_failures_in_a_log_are_found_once_each(tmp_path: Path) -> None:
    log = tmp_path / "ledger.log"
    traceback = "Traceback (most recent call last):\n  File x\nKeyError: 'a'\n"
    log.write_text("[info ] notice_sent\n[warning] notice_failed error=NOT_FOUND\n")
    assert broken_lines([log]) == []

    log.write_text(
        f"[error ] rpc_failed rpc=/a/B\n{traceback}[info ] more\n[error ] rpc_failed rpc=/a/B\n{traceback}"
    )
    (found,) = broken_lines([log])

    assert found.startswith("2 × in ledger.log")
    assert "KeyError: 'a'" in found


def test_a_stored_request_names_what_was_learnt_instead_of_its_id(tmp_path: Path) -> None:
    before, after = Knowledge(now=0), Knowledge(now=0)
    before.texts["customer_id"].append("cus_1")
    after.texts["customer_id"].append("cus_2")
    request = pb.DebitBatchRequest(
        items=[pb.DebitRequest(request_id="r", customer="cus_1", quantity_micros=-1)]
    )
    garbage = b"\x0a\xff"

    corpus.save(_an_attempt(request.SerializeToString()), "INTERNAL", before, tmp_path)
    corpus.save(_an_attempt(garbage), "UNKNOWN", before, tmp_path)

    bodies = {attempt.bodies[0] for attempt in corpus.attempts([BATCH], after, tmp_path)}
    request.items[0].customer = "cus_2"
    assert bodies == {request.SerializeToString(), garbage}
    assert list(corpus.attempts([], after, tmp_path)) == []


def test_page_tokens_are_forged_with_a_right_checksum() -> None:
    request = contract.ListContractsRequest(customer="acme", page_size=1)
    filters = {"list": "contracts", "customer": "acme"}
    dice = random.Random(1)

    tokens = {bad_token(dice, next_token(("con_1",), filters), request) for _ in range(2_000)}

    forged = {after for token in tokens if (after := read_token(token, filters)) is not None}
    assert {key for after in forged for key in after} >= set(KEYS)


def test_the_same_seed_makes_the_same_requests() -> None:
    def made(seed: int) -> list[bytes]:
        filler = Filler(random.Random(seed), Knowledge(now=10**9), "c")
        requests = [pb.DebitBatchRequest() for _ in range(20)]
        for request in requests:
            filler.fill(request, awkward=0.3)
        return [request.SerializeToString(deterministic=True) for request in requests]

    assert made(1) == made(1)
    assert made(1) != made(2)
