# SPDX-License-Identifier: Apache-2.0
"""A short run of faults on the whole mesh, and its parts; `make chaos` runs a long one."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.local.database import SOURCE_ROOT
from deploy.local.webhook_receiver import ReceivedWebhook
from tests.simulation.chaos.callers import Deeds
from tests.simulation.chaos.clocks import SetClock, build_library
from tests.simulation.chaos.faults import FAULTS, plan_of
from tests.simulation.chaos.outcome import Outcome, Strike, longest_gap, verdict
from tests.simulation.chaos.recount import STORED, Stored, differences
from tests.simulation.chaos.world import GATED, World
from tests.simulation.conftest import Plan
from tests.simulation.fault_proxy import FaultProxy

SECONDS_MAX = 1_500


# It takes some 25 s on an idle machine, and minutes on a busy one, where it must succeed too.
@pytest.mark.timeout(SECONDS_MAX + 60)
def test_what_was_acknowledged_survives_every_cheap_fault_of_the_mesh_and_is_done_once(plan: Plan) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simulation.chaos", "--short", "--seed", str(plan.seed)],
        cwd=SOURCE_ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr[-3_000:]
    assert "nothing acknowledged was lost, nothing was done twice." in ran.stdout
    for fault in ("replica killed", "replica cut off", "database paused", "certificates expired"):
        assert f" {fault} " in ran.stdout


# The recount finds what was lost, done twice, or done by nobody


WORLD = World(offer=None, ids={GATED: "cus_gated"}, contracts={}, alert_id="alr_1")  # type: ignore[arg-type]
SEAT = {
    "subscription_id": "sub_1",
    "seat_change_id": "sch_1",
    "sequence": 1,
    "quantity_delta": 2,
    "effective_time": datetime(2025, 6, 1, tzinfo=UTC),
}
EDGE = {
    "event_id": "evt_2",
    "event_type": "alert.in_alarm",
    "customer_id": "cus_poor",
    "customer_sequence": 1,
    "alert_id": "alr_1",
    "edge_sequence": 2,
}
TOLD = {"event_id": "evt_1", "event_type": "top_up.paid", "customer_id": "cus_a", "customer_sequence": 1,
        "alert_id": None, "edge_sequence": 0}  # fmt: skip
DELIVERIES = [
    {"delivery_id": f"dlv_{number}", "event_id": f"evt_{number}", "status": "DELIVERED"} for number in (1, 2)
]


def _crossing(sequence: int, *, in_alarm: bool) -> dict[str, Any]:
    said = "true" if in_alarm else "false"
    return {"payload": f'{{"alert_id": "alr_1", "sequence": {sequence}, "in_alarm": {said}}}'}


def _stored(**changes: list[dict[str, Any]]) -> Stored:
    rows = {
        "seats": [SEAT],
        "ledger_seats": [SEAT],
        "top_ups": [{"top_up_id": "top_1", "status": "PAID"}, {"top_up_id": "top_2", "status": "PENDING"}],
        "grants": [{"source_id": "top_1"}, {"source_id": "another"}],
        "captured": [{"customer_id": "cus_gated", "micros": 7}, {"customer_id": "cus_a", "micros": 9}],
        "crossings": [_crossing(1, in_alarm=False), _crossing(2, in_alarm=True)],
        "events": [EDGE, TOLD],
        "deliveries": DELIVERIES,
        "published": [{"event_id": "evt_1"}],
    }
    return Stored({**{name: [] for name in STORED}, **rows, **changes})


def _deeds() -> Deeds:
    return replace(Outcome(seed=1).deeds, seat_changes={"sch_1": 2}, top_ups=["top_1"], captured_micros=7)


def _webhook(webhook_id: str, *, verified: bool = True) -> ReceivedWebhook:
    return ReceivedWebhook(
        webhook_id=webhook_id, event_type="", data={}, verified=verified, headers={}, body=b""
    )


RECEIVED = [_webhook("dlv_1"), _webhook("dlv_2"), _webhook("dlv_2")]


def test_what_agrees_is_no_finding() -> None:
    assert differences(WORLD, _deeds(), RECEIVED, _stored()) == []


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"pending": [{"service": "contract", "kind": "SEATS_CHANGED", "last_error": "away"}]}, "undelivered: away"),
        ({"dead": [{"service": "ledger", "count": 2}]}, "ledger has 2 dead letters"),
        ({"seats": [], "ledger_seats": []}, "seat change sch_1 was acknowledged and is not stored"),
        ({"ledger_seats": []}, "the Ledger None"),
        ({"ledger_seats": [SEAT | {"quantity_delta": 3}]}, "seat change sch_1: Contract has"),
        ({"seats": [SEAT | {"quantity_delta": 3}]}, "seat change sch_1 is stored as +3"),
        ({"top_ups": []}, "paid top-up top_1 was acknowledged and is not stored"),
        ({"grants": []}, "grant of the paid top-up top_1 was acknowledged and is not stored"),
        ({"grants": [{"source_id": "top_1"}] * 2}, "grant of the paid top-up top_1 is stored 2 times"),
        ({"grants": [{"source_id": "top_1"}, {"source_id": "top_2"}]}, "top_2 is stored and was not acknowledged"),
        ({"captured": [{"customer_id": "cus_gated", "micros": 8}]}, "gates captured 7 micros, stored are 8"),
        ({"crossings": [_crossing(1, in_alarm=False)]}, "crossed the threshold 0 times, and 1 events say so"),
        (
            {"crossings": [_crossing(2, in_alarm=True), _crossing(3, in_alarm=False)]},
            "crossed the threshold 2 times, and 1 events say so",
        ),
        ({"published": []}, "event evt_1 is stored and was not acknowledged"),
        ({"events": [EDGE | {"customer_sequence": 2}, TOLD]}, "cus_poor: its 1 events are not numbered 1 to 1"),
        ({"deliveries": DELIVERIES[:1]}, "delivery of event evt_2 was acknowledged and is not stored"),
        ({"deliveries": [DELIVERIES[0] | {"status": "FAILED"}, DELIVERIES[1]]}, "delivery dlv_1 is FAILED"),
    ],
)  # fmt: skip
def test_what_is_stored_otherwise_than_acknowledged_is_found(
    changes: dict[str, list[dict[str, Any]]], finding: str
) -> None:
    found = differences(WORLD, _deeds(), RECEIVED, _stored(**changes))

    assert any(finding in line for line in found), found


@pytest.mark.parametrize(
    ("received", "finding"),
    [
        (RECEIVED[:1], "delivery dlv_2 did not arrive"),
        ([*RECEIVED, _webhook("dlv_9")], "a webhook dlv_9 arrived that nobody sent"),
        ([_webhook("dlv_1", verified=False), *RECEIVED], "the signature of webhook dlv_1 is wrong"),
    ],
)
def test_webhooks_that_did_not_arrive_or_are_strange_are_found(
    received: list[ReceivedWebhook], finding: str
) -> None:
    assert differences(WORLD, _deeds(), received, _stored()) == [finding]


# Faults


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(1_000):
            writer.write(piece)
    writer.close()


class Clients:
    """Connects to the proxy; every connection is closed at the end."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, address: str = "") -> "Connection":
        host, _, port = (address or self._proxy.address).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        self._writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def _proxied() -> AsyncIterator[tuple[FaultProxy, str, Clients]]:
    """A proxy before one echo server, and the address of the server."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    address = f"{host}:{port}"
    proxy = FaultProxy([address], cut_share=0, dice=random.Random(0))
    clients = Clients(proxy)
    async with server, asyncio.timeout(60):
        async with proxy.open():
            yield proxy, address, clients
            await clients.close()


async def _echoed(connection: Connection) -> bytes:
    """What comes back; b"" when the connection is closed."""
    reader, writer = connection
    with suppress(OSError):
        writer.write(b"ping")
        return await reader.read(4)
    return b""


async def test_a_server_that_is_cut_off_answers_on_no_connection_until_it_is_healed() -> None:
    async with _proxied() as (proxy, server, clients):
        old = await clients.connect()
        assert await _echoed(old) == b"ping"

        proxy.cut_off(server)

        assert await _echoed(old) == b""
        assert await _echoed(await clients.connect()) == b""
        proxy.heal()
        assert await _echoed(await clients.connect()) == b"ping"


async def test_what_a_silent_server_was_sent_arrives_when_it_is_healed() -> None:
    async with _proxied() as (proxy, server, clients):
        old = await clients.connect()
        assert await _echoed(old) == b"ping"

        proxy.silence(server)
        waiting = [asyncio.create_task(_echoed(one)) for one in (old, await clients.connect())]
        # The server itself answers meanwhile.
        assert await _echoed(await clients.connect(server)) == b"ping"

        assert not any(task.done() for task in waiting)
        proxy.heal()
        assert await asyncio.gather(*waiting) == [b"ping", b"ping"]


async def test_a_reset_ends_connections_and_lets_new_ones_through() -> None:
    async with _proxied() as (proxy, server, clients):
        old = await clients.connect()
        assert await _echoed(old) == b"ping"

        proxy.reset(server)

        assert await _echoed(old) == b""
        assert await _echoed(await clients.connect()) == b"ping"


def test_a_process_sees_its_clock_jump_and_no_other_clock(tmp_path: Path) -> None:
    library = build_library(tmp_path)
    if library is None:
        pytest.skip("wrong clocks need a C compiler (cc)")
    clock = SetClock(library, tmp_path / "clock")
    code = (
        "import sys, time, datetime, ssl\n"
        "for _ in sys.stdin:\n"
        "    print(time.time(), datetime.datetime.now(datetime.UTC).timestamp(), time.monotonic(), flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **clock.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for offset in (0, 3_600, -3_600, 0):
            clock.set(timedelta(seconds=offset))
            before = time.time(), time.time(), time.monotonic()
            process.stdin.write("\n")
            process.stdin.flush()
            told = [float(word) for word in process.stdout.readline().split()]
            after = time.time(), time.time(), time.monotonic()
            moved = (offset, offset, 0)
            for earliest, seen, latest, by in zip(before, told, after, moved, strict=True):
                assert earliest - 0.01 <= seen - by <= latest + 0.01
        process.stdin.close()


def test_each_fault_strikes_before_any_strikes_again_and_a_seed_decides_the_order() -> None:
    names = list(FAULTS)

    plan = plan_of(names, 3 * len(names) - 1, random.Random(7))

    assert len(plan) == 3 * len(names) - 1
    assert sorted(plan[: len(names)]) == sorted(plan[len(names) : 2 * len(names)]) == sorted(names)
    assert plan == plan_of(names, 3 * len(names) - 1, random.Random(7))
    assert plan != plan_of(names, 3 * len(names) - 1, random.Random(8))


# The result in words


def test_the_longest_gap_counts_answers_before_and_after_the_fault() -> None:
    assert longest_gap([1.0, 2.0, 5.0, 6.0], began=2.5, ended=4.0) == 3.0
    assert longest_gap([1.0, 2.0, 5.0, 6.0, 9.5], began=4.5, ended=5.5) == 3.0
    assert longest_gap([], began=2.0, ended=4.0) == 2.0


def _outcome(**changes: Any) -> Outcome:
    strike = Strike(
        fault="disk full",
        struck="",
        lasted_seconds=1,
        gap_seconds=2,
        back_seconds=3,
        errors={"UNAVAILABLE": 4},
    )
    return Outcome(seed=1, strikes=[strike], **{"checked": {"webhooks": 5}, **changes})


def test_a_run_without_findings_says_that_nothing_was_lost_and_what_was_compared() -> None:
    outcome = _outcome(left_out={"clock wrong": "no compiler"})

    first, *rest = verdict(outcome)

    assert outcome.is_good
    assert first == "1 faults: nothing acknowledged was lost, nothing was done twice."
    assert rest[-2:] == ["Compared, each once: 5 webhooks.", "Left out: no compiler."]


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"wrong": ["a", "b"]}, "1 faults: 2 findings:"),
        ({"stopped": "no return"}, "Stopped after 1 faults: no return."),
        ({"checked": {}}, "1 faults: nothing was checked, so nothing is known."),
    ],
)
def test_a_run_with_findings_or_without_an_end_claims_nothing(changes: dict[str, Any], first: str) -> None:
    outcome = _outcome(**changes)

    assert not outcome.is_good
    assert verdict(outcome)[0] == first
