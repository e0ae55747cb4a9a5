# SPDX-License-Identifier: Apache-2.0
"""Recorded usage is reported once; refused usage stays listed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from grpc import StatusCode

from meshkit.clock import ManualClock
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import FileSpool, GateUnreachable, MemorySpool, Report, Spool, SpoolBroken, UnbilledUsage
from purser_client.ledger_client import LedgerClient
from purser_client.policy import OnUnbilled
from purser_client.reporting import Reporter
from tests.unit.purser_client.memory_ledger import CREDIT, MemoryLedger

AT = datetime(2025, 6, 1, tzinfo=UTC)
SHORT = timedelta(milliseconds=10)
AWAY = StatusCode.UNAVAILABLE


def a_debit(request_id: str, credits: int = 10, customer: str = "acme") -> pb.DebitRequest:
    return pb.DebitRequest(
        request_id=request_id, customer=customer, product_id="prd_a", credits_micros=credits * CREDIT
    )


def a_reporter(ledger: MemoryLedger, spool: Spool, on_unbilled: OnUnbilled | None = None) -> Reporter:
    calls = LedgerClient(ledger.stub, coalesce=False)
    return Reporter(spool, calls, deadline=SHORT, clock=ManualClock(AT), on_unbilled=on_unbilled)


@asynccontextmanager
async def opened(reporter: Reporter) -> AsyncIterator[Reporter]:
    await reporter.open()
    try:
        yield reporter
    finally:
        await reporter.close()


@pytest.fixture
async def ledger() -> MemoryLedger:
    return MemoryLedger()


async def test_all_recorded_usage_is_billed_once(ledger: MemoryLedger) -> None:
    spool = MemorySpool()
    reporter = a_reporter(ledger, spool)
    for number in range(40):
        await reporter.add(a_debit(f"req-{number}", 1))

    first, second = await reporter.report(), await reporter.report()

    assert (first, second) == (Report(billed=40, unbilled=0, left=0), Report(billed=0, unbilled=0, left=0))
    assert (ledger.captured, len(spool)) == (40 * CREDIT, 0)


async def test_a_capture_is_billed_as_the_capture_it_was(ledger: MemoryLedger) -> None:
    hold = await ledger.Authorize(pb.AuthorizeRequest(request_id="a", credits_micros=30), timeout=1)
    reporter = a_reporter(ledger, MemorySpool())
    await reporter.add(pb.CaptureRequest(request_id="c", customer="acme", hold_id=hold.hold_id))

    assert await reporter.report() == Report(billed=1, unbilled=0, left=0)
    assert (ledger.captured, ledger.holds) == (30, {})


async def test_denied_usage_is_reported_to_the_listener_and_listed(ledger: MemoryLedger) -> None:
    told: list[UnbilledUsage] = []
    reporter = a_reporter(ledger, MemorySpool(), told.append)
    await reporter.add(a_debit("req-1", 401))
    await reporter.add(a_debit("req-2", 400))

    report = await reporter.report()

    assert report == Report(billed=1, unbilled=1, left=0)
    assert reporter.unbilled() == tuple(told)
    assert [(unbilled.request_id, unbilled.reason) for unbilled in told] == [
        ("req-1", "INSUFFICIENT_CREDITS")
    ]


@pytest.mark.parametrize(
    "code",
    [
        StatusCode.INVALID_ARGUMENT,
        StatusCode.NOT_FOUND,
        StatusCode.ALREADY_EXISTS,
        StatusCode.FAILED_PRECONDITION,
    ],
)
async def test_usage_refused_with_an_error_is_listed(ledger: MemoryLedger, code: StatusCode) -> None:
    reporter = a_reporter(ledger, MemorySpool())
    await reporter.add(a_debit("req-1"))
    ledger.faults.append(code)

    assert await reporter.report() == Report(billed=0, unbilled=1, left=0)
    assert [unbilled.reason for unbilled in reporter.unbilled()] == [code.name]


@pytest.mark.parametrize("code", [StatusCode.INTERNAL, StatusCode.UNAUTHENTICATED, StatusCode.UNIMPLEMENTED])
async def test_an_error_that_can_be_fixed_leaves_usage_pending_and_others_billed(
    ledger: MemoryLedger, code: StatusCode
) -> None:
    spool = MemorySpool()
    reporter = a_reporter(ledger, spool)
    await reporter.add(a_debit("req-1"))
    await reporter.add(a_debit("req-2"))
    ledger.faults.append(code)

    assert await reporter.report() == Report(billed=1, unbilled=0, left=1)
    assert [record.request.request_id for record in spool.pending()] == ["req-1"]


async def test_a_ledger_that_is_still_unavailable_changes_nothing(ledger: MemoryLedger) -> None:
    spool = MemorySpool()
    reporter = a_reporter(ledger, spool)
    await reporter.add(a_debit("req-1"))
    ledger.faults.append(AWAY)

    with pytest.raises(GateUnreachable):
        await reporter.report()
    assert spool.pending_count() == 1


async def test_a_record_that_is_never_answered_does_not_stop_the_rest(ledger: MemoryLedger) -> None:
    spool = MemorySpool()
    reporter = a_reporter(ledger, spool)
    for number in range(40):
        await reporter.add(a_debit(f"req-{number}", 1))
    ledger.faults.append(AWAY)

    assert await reporter.report() == Report(billed=39, unbilled=0, left=1)
    assert [record.request.request_id for record in spool.pending()] == ["req-0"]


async def test_a_listener_that_fails_does_not_stop_the_rest(
    ledger: MemoryLedger, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(unbilled: UnbilledUsage) -> None:
        raise ZeroDivisionError

    reporter = a_reporter(ledger, MemorySpool(), fail)
    await reporter.add(a_debit("req-1", 401))
    await reporter.add(a_debit("req-2", 1))

    assert await reporter.report() == Report(billed=1, unbilled=1, left=0)
    assert "on_unbilled failed for req-1" in caplog.text


async def test_unbilled_usage_is_billed_once_there_are_credits(ledger: MemoryLedger) -> None:
    reporter = a_reporter(ledger, MemorySpool())
    await reporter.add(a_debit("req-1", 500))
    await reporter.report()
    ledger.available += 100 * CREDIT

    assert await reporter.rebill() == Report(billed=1, unbilled=0, left=0)
    assert (reporter.unbilled(), ledger.captured) == ((), 500 * CREDIT)


async def test_unbilled_usage_may_be_forgiven(ledger: MemoryLedger) -> None:
    reporter = a_reporter(ledger, MemorySpool())
    await reporter.add(a_debit("req-1", 500))
    await reporter.report()

    await reporter.forgive(reporter.unbilled()[0])

    assert reporter.unbilled() == ()


async def test_the_background_reports_what_an_earlier_process_left(
    ledger: MemoryLedger, tmp_path: Path
) -> None:
    earlier = FileSpool(tmp_path / "spool")
    earlier.open()
    earlier.add(a_debit("req-1"), at=AT)
    earlier.close()

    async with opened(a_reporter(ledger, FileSpool(tmp_path / "spool"))) as reporter:
        await ledger.until_asked(1)
        assert await reporter.report() == Report(billed=0, unbilled=0, left=0)

    assert ledger.captured == 10 * CREDIT


async def test_the_background_tries_again_until_the_ledger_is_back(ledger: MemoryLedger) -> None:
    spool = MemorySpool()
    ledger.faults.extend([AWAY, StatusCode.INTERNAL])

    async with opened(a_reporter(ledger, spool)) as reporter:
        await reporter.add(a_debit("req-1"))
        await ledger.until_asked(3)

    assert (ledger.captured, len(spool)) == (10 * CREDIT, 0)


async def test_an_in_memory_spool_is_reported_once_more_before_the_end(ledger: MemoryLedger) -> None:
    spool = MemorySpool()
    reporter = a_reporter(ledger, spool)
    await reporter.open()
    ledger.faults.append(AWAY)
    await reporter.add(a_debit("req-1"))
    await ledger.until_asked(1)

    await reporter.close()

    assert (ledger.captured, len(spool)) == (10 * CREDIT, 0)


async def test_an_in_memory_spool_does_not_delay_the_end_for_a_ledger_that_hangs(
    ledger: MemoryLedger, caplog: pytest.LogCaptureFixture
) -> None:
    reporter = a_reporter(ledger, MemorySpool())
    await reporter.open()
    ledger.gate.clear()
    await reporter.add(a_debit("req-1"))

    await reporter.close()

    assert "never reported" in caplog.text


async def test_usage_that_cannot_be_recorded_is_logged(
    ledger: MemoryLedger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reporter = a_reporter(ledger, FileSpool(tmp_path / "never opened"))

    with pytest.raises(SpoolBroken):
        await reporter.add(a_debit("req-1"))
    assert "usage could not be recorded" in caplog.text
    assert "req-1" in caplog.text


async def test_space_is_reserved_for_every_call_that_failed_open(ledger: MemoryLedger) -> None:
    reporter = a_reporter(ledger, MemorySpool(records_max=2))

    assert [reporter.reserve() for _ in range(3)] == [True, True, False]
    await reporter.add(a_debit("req-1"))
    reporter.unreserve()
    assert not reporter.reserve()
    reporter.unreserve()
    assert reporter.reserve()
