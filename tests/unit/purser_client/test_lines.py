# SPDX-License-Identifier: Apache-2.0
"""Calls with several lines, against an in-memory Ledger: what is sent, recorded and refused before it is sent."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from grpc import StatusCode

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import FileSpool, Line, MemorySpool, Quantity, Spool, line
from purser_client.arguments import usage_request_of
from purser_client.blocks import AuthorizeBlock, HoldBlock
from purser_client.hold_operations import HoldOperations, HoldTerms
from purser_client.ledger_client import LedgerClient
from purser_client.reporting import Reporter
from tests.unit.purser_client.memory_ledger import CREDIT, MemoryLedger

AWAY = StatusCode.UNAVAILABLE
AT = datetime(2025, 6, 1, tzinfo=UTC)
SHORT = timedelta(milliseconds=10)  # too short for a retry: one attempt
INPUT = line("prd_tokens", 5, {"token_kind": "input"})
OUTPUT = line("prd_tokens", "2.5", {"token_kind": "output"})
CACHED = line("prd_tokens", 0, {"token_kind": "cached"})
LINES = [INPUT, OUTPUT, CACHED]


class Desk:
    """The parts inside a gate, without a channel."""

    def __init__(self, spool: Spool | None = None, *, fails_open: bool = False) -> None:
        self.ledger = MemoryLedger()
        clock = ManualClock(AT)
        calls = LedgerClient(self.ledger.stub, coalesce=False)
        self.reporter = (
            None if spool is None else Reporter(spool, calls, deadline=SHORT, clock=clock, on_unbilled=None)
        )
        self.operations = HoldOperations(calls, ids=Ids(clock), reporter=self.reporter, fails_open=fails_open)

    def authorize(self, lines: list[Line] = LINES) -> AuthorizeBlock:
        usage = usage_request_of(customer="acme", lines=lines, user_id="ann")
        terms = HoldTerms(ttl=None, allow_partial=False, deadline=SHORT)
        return AuthorizeBlock(HoldBlock(self.operations, usage, terms))


def on_the_wire(*lines: Line) -> list[pb.UsageLine]:
    return [
        pb.UsageLine(product_id=one.product, quantity_micros=one.quantity.micros, properties=one.properties)
        for one in lines
    ]


async def test_the_lines_that_were_used_are_captured() -> None:
    desk = Desk()
    used = [line("prd_tokens", 1, INPUT.properties), line("prd_tokens", 3, CACHED.properties)]

    async with desk.authorize() as hold:
        assert desk.ledger.available == (400 - 90) * CREDIT
        hold.capture(lines=used)

    asked, captured = desk.ledger.asked
    assert list(asked.lines) == on_the_wire(*LINES)
    assert (asked.product_id, asked.WhichOneof("amount"), dict(asked.group_values)) == (
        "",
        None,
        {"user_id": "ann"},
    )
    assert (list(captured.lines), captured.WhichOneof("actual")) == (on_the_wire(*used), None)
    assert desk.ledger.captured == 48 * CREDIT


async def test_all_lines_are_captured_without_an_amount_and_none_without_a_capture() -> None:
    desk = Desk()

    async with desk.authorize() as hold:
        hold.capture()
    async with desk.authorize():
        pass

    assert (desk.ledger.captured, desk.ledger.available) == (90 * CREDIT, 310 * CREDIT)


async def test_a_capture_of_lines_that_the_ledger_does_not_answer_is_recorded_and_reported_once() -> None:
    desk = Desk(MemorySpool())
    assert desk.reporter is not None

    async with desk.authorize() as hold:
        hold.capture(lines=[INPUT, OUTPUT])
        desk.ledger.faults.extend([AWAY])
    first, second = await desk.reporter.report(), await desk.reporter.report()

    assert hold.is_recorded
    assert (first.billed, second.billed, desk.ledger.captured) == (1, 0, 90 * CREDIT)
    assert list(desk.ledger.asked_of(pb.CaptureRequest)[-1].lines) == on_the_wire(INPUT, OUTPUT)


async def test_lines_used_while_the_gate_failed_open_are_debited_without_those_of_zero(
    tmp_path: Path,
) -> None:
    spool = FileSpool(tmp_path / "usage.spool")
    spool.open()
    desk = Desk(spool, fails_open=True)
    assert desk.reporter is not None
    desk.ledger.faults.extend([AWAY, AWAY])

    async with desk.authorize() as hold:
        hold.capture(lines=[OUTPUT, CACHED])
    async with desk.authorize() as nothing:
        nothing.capture(lines=[CACHED])
    spool.close()
    again = FileSpool(tmp_path / "usage.spool")
    again.open()

    assert (hold.is_failed_open, hold.is_recorded, nothing.is_recorded) == (True, True, False)
    (record,) = again.pending()
    assert isinstance(record.request, pb.DebitRequest)
    assert list(record.request.lines) == on_the_wire(OUTPUT)
    unbilled = again.mark_unbilled(record.number, "INSUFFICIENT_CREDITS")
    assert (unbilled.lines, unbilled.amount, unbilled.product_id) == ((OUTPUT,), None, "")
    again.close()


async def test_what_a_hold_has_no_line_for_is_refused_inside_the_block() -> None:
    desk = Desk()

    async with desk.authorize() as hold:
        with pytest.raises(ValueError, match="prd_images"):
            hold.capture(lines=[line("prd_images", 1)])
        with pytest.raises(TypeError, match="lines="):
            hold.capture(5)
        with pytest.raises(ValueError, match="1 to 20"):
            hold.capture(lines=[])
        hold.capture(lines=[OUTPUT])

    assert desk.ledger.captured == 30 * CREDIT


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({}, TypeError, "product= or lines="),
        ({"lines": []}, ValueError, "at least one"),
        ({"lines": [CACHED]}, ValueError, "at least one"),
        ({"lines": [INPUT] * 21}, ValueError, "1 to 20"),
        ({"lines": [INPUT], "product": "prd_tokens"}, TypeError, "either"),
        ({"lines": [INPUT], "credits": 1}, TypeError, "either"),
        ({"product": "prd_tokens"}, TypeError, "quantity= or credits="),
    ],
)
def test_a_call_has_either_lines_or_one_amount(
    arguments: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        usage_request_of(customer="acme", **arguments)  # type: ignore[arg-type]


def test_a_line_is_exact_and_not_negative() -> None:
    assert line("prd_tokens", "0.000001").quantity == Quantity(1)
    with pytest.raises(TypeError):
        line("prd_tokens", 0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=">= 0"):
        line("prd_tokens", -1)
