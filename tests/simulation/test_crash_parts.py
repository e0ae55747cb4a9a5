# SPDX-License-Identifier: Apache-2.0
"""The parts of the crash test: how it chooses what to kill, judges a refusal, compares, and words its result."""

import asyncio
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from deploy.local.fault import Fault
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as upb
from tests.simulation.crash import plan_of
from tests.simulation.crash_book import Book, Refusal, is_too_late
from tests.simulation.crash_cluster import TARGETS, reserve_port
from tests.simulation.crash_recount import TABLES, Stored, differences
from tests.simulation.crash_report import FINDINGS_SHOWN, Outcome, verdict
from tests.simulation.fault_proxy import FaultProxy
from tests.simulation.own_postgres import retry_start
from tests.support.ledger_process import kill_child, parent_of, workers_after

END = datetime(2025, 6, 10, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
GRANT = apb.IssueGrantRequest(
    request_id="w0-1", customer="cus_a", amount_micros=5_000_000, expire_time=timestamp(END)
)
GRANTED = apb.IssueGrantResponse(grant=pb.Grant(grant_id="grt_1")).grant
EXPIRED = Refusal("INVALID_FIELDS", ("expire_time",))


def test_a_plan_has_each_target_once_before_any_comes_again() -> None:
    plan = plan_of(20, random.Random(1))

    assert plan[: len(TARGETS)] == list(TARGETS)
    assert len(plan) == 20
    assert plan_of(2, random.Random(1)) == list(TARGETS)[:2]


# Choosing a victim


def _started(worker: int, pid: int) -> dict[str, Any]:
    return {"event": "worker_started", "worker": worker, "pid": pid}


def _died(worker: int, pid: int) -> dict[str, Any]:
    return {"event": "worker_died", "worker": worker, "pid": pid, "how": "signal 9"}


@pytest.mark.parametrize(
    ("events", "serving"),
    [
        ([_started(0, 11), _started(1, 12)], {0: 11, 1: 12}),
        ([_started(0, 11), _started(1, 12), _died(0, 11)], {1: 12}),
        ([_started(0, 11), _died(0, 11), _started(0, 13)], {0: 13}),
        ([_started(0, 11), _started(0, 13), _died(0, 11)], {0: 13}),
        ([_started(0, 11), {"line": "no event"}, {"event": "service_started"}], {0: 11}),
    ],
)
def test_only_workers_that_started_and_did_not_die_can_be_killed(
    events: list[dict[str, Any]], serving: dict[int, int]
) -> None:
    workers: dict[int, int] = {}
    for event in events:
        workers = workers_after(workers, event)

    assert workers == serving


@contextmanager
def _sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sleeper:
        try:
            yield sleeper
        finally:
            sleeper.kill()


def test_a_child_of_the_given_parent_is_killed() -> None:
    with _sleeper() as sleeper:
        assert kill_child(sleeper.pid, parent=os.getpid())
        assert sleeper.wait() == -9


def test_a_process_with_another_parent_is_not_killed() -> None:
    # So looks a stranger that was given the number of a worker that has ended.
    with _sleeper() as stranger:
        assert not kill_child(stranger.pid, parent=os.getppid())
        assert stranger.poll() is None


def test_a_process_that_has_ended_is_not_killed_whether_reaped_or_not() -> None:
    with _sleeper() as sleeper:
        sleeper.kill()
        os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
        assert parent_of(sleeper.pid) is None
        assert not kill_child(sleeper.pid, parent=os.getpid())
        sleeper.wait()
        assert parent_of(sleeper.pid) is None
        assert not kill_child(sleeper.pid, parent=os.getpid())


# Judging a refusal


@pytest.mark.parametrize(
    ("request_", "refusal"), [(GRANT, EXPIRED), (pb.ExtendHoldRequest(), Refusal("HOLD_EXPIRED"))]
)
def test_a_refusal_after_the_expiry_is_right(request_: Any, refusal: Refusal) -> None:
    assert is_too_late(request_, refusal, valid_until=END, answered_at=END)
    assert not is_too_late(request_, refusal, valid_until=END, answered_at=END - TICK)
    assert not is_too_late(request_, refusal, valid_until=None, answered_at=END)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (GRANT, Refusal("INVALID_FIELDS", ("amount_micros",))),
        (GRANT, Refusal("INVALID_FIELDS", ("expire_time", "amount_micros"))),
        (GRANT, Refusal("INVALID_FIELDS")),
        (GRANT, Refusal("INTERNAL")),
        (GRANT, Refusal("HOLD_EXPIRED")),
        (pb.ExtendHoldRequest(), EXPIRED),
        (pb.CaptureRequest(), Refusal("HOLD_EXPIRED")),
        (pb.DebitRequest(), EXPIRED),
    ],
)
def test_any_other_refusal_is_a_finding_also_after_the_expiry(request_: Any, refusal: Refusal) -> None:
    assert not is_too_late(request_, refusal, valid_until=END, answered_at=END + timedelta(days=1))


def test_a_refusal_names_its_reason_and_the_fields() -> None:
    status = Status(details=[AnyMessage(), AnyMessage()])
    status.details[0].Pack(ErrorInfo(reason="INVALID_FIELDS"))
    status.details[1].Pack(
        BadRequest(field_violations=[BadRequest.FieldViolation(field="expire_time", description="…")])
    )

    assert Refusal.of(status) == EXPIRED
    assert Refusal.of(Status()) == Refusal.of(None) == Refusal("?")


# Comparing the book with what is stored


def _stored(**tables: list[Any]) -> Stored:
    return {table: tables.get(table, []) for table in TABLES}


def _grant_stored() -> Stored:
    figures = {f"{name}_micros": 0 for name in ("captured", "held", "expired", "voided")}
    return _stored(
        pools=[{"customer_id": "cus_a", "credit_type_id": "crt_ai", "sequence": 1}],
        grants=[{"grant_id": "grt_1", "customer_id": "cus_a", "granted_micros": 5_000_000, **figures}],
        entries=[
            {
                "customer_id": "cus_a",
                "credit_type_id": "crt_ai",
                "sequence": 1,
                "kind": "GRANT",
                "grant_id": "grt_1",
                "amount_micros": 5_000_000,
                "cause_id": "w0-1",
            }
        ],
        requests=[{"customer_id": "cus_a", "request_id": "w0-1", "slot": 0}],
    )


def _book(answer: Any) -> Book:
    book = Book()
    book.write(GRANT, answer)
    return book


def test_an_acknowledged_grant_that_is_stored_once_is_no_finding() -> None:
    assert differences(_book(GRANTED), _grant_stored()) == []


def test_an_acknowledged_grant_that_is_not_stored_is_reported_as_lost() -> None:
    assert differences(_book(GRANTED), _stored()) == [
        "grt_1 was acknowledged and is not stored",
        "('cus_a', 'w0-1') has no stored response",
    ]


def test_a_grant_refused_as_expired_must_not_be_stored() -> None:
    refused = _book("INVALID_FIELDS")

    assert differences(refused, _stored()) == []
    assert differences(refused, _grant_stored()) == [
        "grt_1 of 5000000 is stored, and was not acknowledged so",
        "('cus_a', 'w0-1') has a stored response that no caller got",
    ]


def test_a_debit_that_is_stored_twice_is_reported() -> None:
    book, stored = _book(GRANTED), _grant_stored()
    debit = pb.DebitRequest(request_id="w0-2", customer="cus_a")
    book.write(debit, pb.DebitResponse(decision=pb.DECISION_ALLOWED, debited_micros=7))
    stored["requests"].append({"customer_id": "cus_a", "request_id": "w0-2", "slot": 0})
    for sequence in (2, 3):
        stored["entries"].append(
            stored["entries"][0]
            | {"sequence": sequence, "kind": "CAPTURE", "cause_id": "w0-2"}
            | {"amount_micros": -7, "shortfall_micros": 0}
        )
    stored["grants"][0]["captured_micros"] = 14
    stored["pools"][0]["sequence"] = 3

    assert differences(book, stored) == [
        "('cus_a', 'w0-2'): acknowledged 7 spent and 0 short, stored is (14, 0)"
    ]


def test_an_event_that_is_stored_but_not_charged_is_reported_and_so_is_one_that_is_not_stored() -> None:
    book, stored = _book(GRANTED), _grant_stored()
    for number in (1, 2):
        event = upb.UsageEvent(transaction_id=f"e-{number}", customer="cus_a")
        book.write(event, upb.UsageResult(event_status=upb.EVENT_STATUS_ACCEPTED, credits_micros=7))
    stored["usage_events"].append({"customer_id": "cus_a", "transaction_id": "e-1"})
    stored["entries"].append(
        stored["entries"][0]
        | {"sequence": 2, "kind": "CAPTURE", "cause_id": "e-2"}
        | {"amount_micros": -7, "shortfall_micros": 0}
    )
    stored["grants"][0]["captured_micros"] = 7
    stored["pools"][0]["sequence"] = 2

    assert differences(book, stored) == [
        "('cus_a', 'e-1'): acknowledged 7 spent and 0 short, stored is (0, 0)",
        "('cus_a', 'e-2') has no stored response",
    ]


def test_an_answer_that_changes_when_it_is_repeated_is_reported() -> None:
    book = _book(GRANTED)
    book.write(GRANT, GRANTED)
    assert (book.replayed, book.wrong) == (1, [])

    book.write(GRANT, pb.Grant(grant_id="grt_2"))

    assert len(book.wrong) == 1


# Starting again


def test_a_reserved_port_is_free_for_its_server_and_for_nobody_else() -> None:
    with reserve_port() as reserved, socket.socket() as server, socket.socket() as stranger:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        with pytest.raises(OSError, match="in use"):
            stranger.bind(reserved.getsockname())
        server.bind(reserved.getsockname())
        server.listen()


async def test_a_start_that_fails_is_repeated_until_the_patience_ends() -> None:
    faults = [Fault("the port is taken"), Fault("children still hold the memory")]

    async def start() -> None:
        if faults:
            raise faults.pop()

    with pytest.raises(Fault, match="children"):
        await retry_start(start, patience_seconds=-1)
    await retry_start(start)

    assert faults == []


@pytest.mark.parametrize("is_connected", [False, True])
async def test_no_connection_of_the_proxy_outlives_it_not_even_one_that_was_being_made(
    is_connected: bool,
) -> None:
    served: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            writer.write(b"hello")
            await reader.read()
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    proxy = FaultProxy([f"{host}:{port}"], cut_share=0, dice=random.Random(0))
    async with server, asyncio.timeout(20):
        async with proxy.open():
            proxy_host, _, proxy_port = proxy.address.partition(":")
            client, writer = await asyncio.open_connection(proxy_host, int(proxy_port))
            if is_connected:
                assert await client.readexactly(5) == b"hello"
        with suppress(ConnectionResetError):
            assert await client.read() == b""
        writer.close()
        # The server accepts in order: when it has this connection, it has all earlier ones.
        last, last_writer = await asyncio.open_connection(host, port)
        await last.readexactly(5)
        last_writer.close()
        await asyncio.gather(*served)


# The result in words


def _outcome(**changes: Any) -> Outcome:
    verified = apb.VerifyLedgerResponse(is_consistent=True)
    outcome = Outcome(seed=1, planned=1_000, **{"recounted": verified, **changes})
    outcome.back_seconds["worker"] = [0.5] * 999 + [31.25]
    return outcome


def test_a_run_without_findings_says_that_nothing_was_lost_and_what_was_checked() -> None:
    outcome = _outcome(book=_book(GRANTED))

    first, *rest = verdict(outcome)

    assert outcome.is_good
    assert first == "1,000 kills: nothing acknowledged was lost, nothing was done twice."
    assert "1 answers against the stored entries" in " ".join(rest)
    assert "slowest: 31.25 s" in " ".join(rest)


def test_findings_are_counted_and_listed() -> None:
    outcome = _outcome(wrong=[f"finding {number}" for number in range(FINDINGS_SHOWN + 2)])

    lines = verdict(outcome)

    assert not outcome.is_good
    assert lines[0] == "1,000 kills: 52 findings:"
    assert lines[1:] == [f"finding {number}" for number in range(FINDINGS_SHOWN)] + ["and 2 more"]


def test_a_run_that_stopped_early_claims_nothing_about_what_is_stored() -> None:
    outcome = _outcome(
        recounted=None, stopped="the last answers did not come within 900 s", wrong=["a finding"]
    )

    lines = verdict(outcome)

    assert not outcome.is_good
    assert lines == [
        "Stopped after 1,000 of 1,000 kills: the last answers did not come within 900 s.",
        "Nothing was recounted, so nothing is known about what is stored.",
        "a finding",
    ]
