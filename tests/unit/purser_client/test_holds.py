# SPDX-License-Identifier: Apache-2.0
"""The lifecycle of a hold as the caller sees it, step by step, against an in-memory Ledger."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import (
    Credits,
    Denial,
    GateUnreachable,
    Hold,
    LedgerFault,
    MemorySpool,
    Quantity,
    SpoolFull,
)
from purser_client.amounts import Amount
from purser_client.blocks import AuthorizeBlock, HoldBlock, TryAuthorizeBlock
from purser_client.hold_operations import HoldOperations, HoldTerms
from purser_client.ledger_client import LedgerClient
from purser_client.reporting import Reporter
from purser_client.wire import UsageRequest
from tests.unit.purser_client.memory_ledger import CREDIT, MemoryLedger

AT = datetime(2025, 6, 1, tzinfo=UTC)
AWAY = StatusCode.UNAVAILABLE
HUNDRED = Credits.of(100)
SHORT = timedelta(milliseconds=10)  # too short for a retry: one attempt


class Desk:
    """The parts inside a gate, without a channel."""

    def __init__(self, *, spool: MemorySpool | None = None, fails_open: bool = False) -> None:
        self.ledger = MemoryLedger()
        clock = ManualClock(AT)
        calls = LedgerClient(self.ledger.stub, coalesce=False)
        self.reporter = (
            None if spool is None else Reporter(spool, calls, deadline=SHORT, clock=clock, on_unbilled=None)
        )
        self.operations = HoldOperations(calls, ids=Ids(clock), reporter=self.reporter, fails_open=fails_open)

    def hold_block(self, amount: Amount = HUNDRED) -> HoldBlock:
        return HoldBlock(
            self.operations, _ask(amount), HoldTerms(ttl=None, allow_partial=False, deadline=SHORT)
        )

    def authorize(self, amount: Amount = HUNDRED) -> AuthorizeBlock:
        return AuthorizeBlock(self.hold_block(amount))

    def state(self) -> tuple[int, int, int]:
        """Whole credits available, held, captured."""
        ledger = self.ledger
        return (
            ledger.available // CREDIT,
            sum(ledger.holds.values()) // CREDIT,
            ledger.captured // CREDIT,
        )


def _ask(amount: Amount) -> UsageRequest:
    return UsageRequest(
        customer="acme", product_id="prd_assistant", amount=amount, group_values={"user_id": "ann"}
    )


@pytest.fixture
async def desk() -> Desk:
    return Desk()


class TestNormalEnd:
    async def test_what_was_used_is_captured_and_the_rest_is_back(self, desk: Desk) -> None:
        async with desk.authorize() as hold:
            assert desk.state() == (300, 100, 0)
            hold.capture(30)

        assert desk.state() == (370, 0, 30)
        assert hold.capture_result is not None
        assert (hold.capture_result.captured, hold.capture_result.released) == (
            Credits.of(30),
            Credits.of(70),
        )

    async def test_without_an_amount_the_whole_hold_is_captured(self, desk: Desk) -> None:
        async with desk.authorize() as hold:
            hold.capture()

        assert desk.state() == (300, 0, 100)

    async def test_without_a_capture_the_hold_is_released(self, desk: Desk) -> None:
        async with desk.authorize() as hold:
            pass

        assert desk.state() == (400, 0, 0)
        assert hold.capture_result is None

    async def test_the_last_capture_in_a_block_counts(self, desk: Desk) -> None:
        async with desk.authorize() as hold:
            hold.capture(10)
            hold.capture(25)

        assert desk.state() == (375, 0, 25)

    async def test_a_release_after_a_capture_revokes_it(self, desk: Desk) -> None:
        async with desk.authorize() as hold:
            hold.capture(10)
            hold.release()

        assert desk.state() == (400, 0, 0)

    async def test_a_use_of_zero_is_captured_as_zero(self, desk: Desk) -> None:
        async with desk.authorize() as hold:
            hold.capture(0)

        assert desk.state() == (400, 0, 0)
        assert len(desk.ledger.asked_of(pb.CaptureRequest)) == 1

    async def test_a_number_without_a_unit_means_units_after_a_request_in_units(self, desk: Desk) -> None:
        async with desk.authorize(Quantity.of(5)) as hold:
            assert desk.state() == (340, 60, 0)
            hold.capture("1.5")

        assert desk.state() == (382, 0, 18)

    async def test_a_hold_cannot_be_used_after_its_block(self, desk: Desk) -> None:
        async with desk.authorize() as hold:
            pass

        with pytest.raises(RuntimeError, match="the hold's block has ended"):
            hold.capture(1)
        with pytest.raises(RuntimeError, match="the hold's block has ended"):
            hold.release()

    async def test_a_block_is_entered_once(self, desk: Desk) -> None:
        block = desk.authorize()
        async with block:
            pass

        with pytest.raises(RuntimeError, match="for each AI call"):
            await block.__aenter__()
        assert desk.state() == (400, 0, 0)


class TestBrokenOff:
    async def test_an_exception_releases(self, desk: Desk) -> None:
        with pytest.raises(ZeroDivisionError):
            async with desk.authorize():
                raise ZeroDivisionError

        assert desk.state() == (400, 0, 0)

    async def test_what_was_used_before_an_exception_is_captured(self, desk: Desk) -> None:
        async def call() -> None:
            async with desk.authorize() as hold:
                hold.capture(30)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await call()

        assert desk.state() == (370, 0, 30)

    async def test_a_cancellation_releases_before_it_goes_on(self, desk: Desk) -> None:
        entered = asyncio.Event()

        async def call() -> None:
            async with desk.authorize():
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(call())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert desk.state() == (400, 0, 0)

    async def test_a_timeout_releases(self, desk: Desk) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), desk.authorize():
                await asyncio.Event().wait()

        assert desk.state() == (400, 0, 0)

    async def test_a_cancellation_during_the_capture_does_not_undo_it(self, desk: Desk) -> None:
        async def call() -> None:
            async with desk.authorize() as hold:
                hold.capture(30)
                desk.ledger.gate.clear()

        task = asyncio.create_task(call())
        await desk.ledger.until_asked(2)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        desk.ledger.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert desk.state() == (370, 0, 30)

    async def test_a_second_cancellation_leaves_the_capture_to_itself(self, desk: Desk) -> None:
        async def call() -> None:
            async with desk.authorize() as hold:
                hold.capture(30)
                desk.ledger.gate.clear()

        task = asyncio.create_task(call())
        await desk.ledger.until_asked(2)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert desk.state() == (300, 100, 0)
        desk.ledger.gate.set()
        await desk.operations.close(10)

        assert desk.state() == (370, 0, 30)

    async def test_a_cancellation_on_entry_releases_a_hold_the_caller_never_saw(self, desk: Desk) -> None:
        async def call() -> None:
            async with desk.authorize():
                raise AssertionError("it was cancelled before")

        desk.ledger.gate.clear()
        task = asyncio.create_task(call())
        await desk.ledger.until_asked(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        desk.ledger.gate.set()
        await desk.operations.close(10)

        first, again = desk.ledger.asked_of(pb.AuthorizeRequest)
        assert first == again
        assert desk.state() == (400, 0, 0)

    async def test_a_hold_whose_answer_comes_too_late_is_released(self, desk: Desk) -> None:
        desk.ledger.faults.append(StatusCode.DEADLINE_EXCEEDED)

        with pytest.raises(GateUnreachable):
            async with desk.authorize():
                raise AssertionError("the block must not run")
        await desk.operations.close(10)

        first, again = desk.ledger.asked_of(pb.AuthorizeRequest)
        assert first == again
        assert len(desk.ledger.asked_of(pb.ReleaseRequest)) == 1
        assert desk.state() == (400, 0, 0)

    async def test_a_release_that_fails_is_left_to_the_holds_expiry(
        self, desk: Desk, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with desk.authorize():
            desk.ledger.faults.append(AWAY)

        assert "hld_1 of acme is left to expire" in caplog.text

    async def test_a_capture_that_fails_raises(self, desk: Desk) -> None:
        async def call() -> None:
            async with desk.authorize() as hold:
                hold.capture()
                desk.ledger.faults.append(AWAY)

        with pytest.raises(GateUnreachable):
            await call()

    async def test_a_capture_that_fails_does_not_hide_why_the_block_ended(
        self, desk: Desk, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def call() -> None:
            async with desk.authorize() as hold:
                hold.capture()
                desk.ledger.faults.append(AWAY)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as raised:
            await call()

        assert ["what was used could not be captured" in note for note in raised.value.__notes__] == [True]
        assert "what was used could not be captured" in caplog.text

    async def test_a_capture_that_fails_after_a_cancellation_is_logged(
        self, desk: Desk, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def call() -> None:
            async with desk.authorize() as hold:
                hold.capture(30)
                desk.ledger.gate.clear()
                desk.ledger.faults.append(AWAY)

        task = asyncio.create_task(call())
        await desk.ledger.until_asked(2)
        task.cancel()
        await asyncio.sleep(0)
        desk.ledger.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert "what was used could not be captured" in caplog.text


class TestDenial:
    async def test_try_authorize_returns_a_denial_as_a_value(self, desk: Desk) -> None:
        async with TryAuthorizeBlock(desk.hold_block(Credits.of(401))) as answer:
            assert isinstance(answer, Denial)

        assert desk.state() == (400, 0, 0)
        assert len(desk.ledger.asked) == 1

    async def test_try_authorize_returns_a_hold_as_a_value(self, desk: Desk) -> None:
        async with TryAuthorizeBlock(desk.hold_block(Credits.of(400))) as answer:
            assert isinstance(answer, Hold)
            answer.capture()

        assert desk.state() == (0, 0, 400)

    async def test_an_extension_is_held_too(self, desk: Desk) -> None:
        async with desk.authorize() as hold:
            denial = await desk.operations.extend(hold, Credits.of(300), None, SHORT)
            assert (denial, desk.state()) == (None, (0, 400, 0))
            hold.capture()

        assert desk.state() == (0, 0, 400)

    async def test_an_extension_that_is_denied_changes_nothing(self, desk: Desk) -> None:
        async with desk.authorize() as hold:
            held = hold.ledger_hold
            denial = await desk.operations.extend(hold, Credits.of(301), None, SHORT)

            assert isinstance(denial, Denial)
            assert hold.ledger_hold is held


class TestLedgerAway:
    @pytest.mark.parametrize("code", [AWAY, StatusCode.DEADLINE_EXCEEDED, StatusCode.RESOURCE_EXHAUSTED])
    async def test_no_call_is_allowed_by_default(self, desk: Desk, code: StatusCode) -> None:
        desk.ledger.faults.extend([code] * 2)

        with pytest.raises(GateUnreachable):
            async with desk.authorize():
                raise AssertionError("the block must not run")

    async def test_a_call_that_fails_open_is_allowed_and_recorded(self) -> None:
        spool = MemorySpool()
        desk = Desk(spool=spool, fails_open=True)
        desk.ledger.faults.append(AWAY)

        async with desk.authorize() as hold:
            assert hold.is_failed_open
            hold.capture(30)

        (record,) = spool.pending()
        (asked,) = desk.ledger.asked
        assert (hold.capture_result, hold.is_recorded) == (None, True)
        assert isinstance(record.request, pb.DebitRequest)
        assert (record.request.credits_micros, record.request.group_values["user_id"]) == (30 * CREDIT, "ann")
        assert record.request.request_id not in ("", asked.request_id)
        assert record.recorded_time == AT

    async def test_the_requested_amount_is_recorded_when_all_was_used(self) -> None:
        spool = MemorySpool()
        desk = Desk(spool=spool, fails_open=True)
        desk.ledger.faults.append(AWAY)

        async with desk.authorize(Quantity.of(2)) as hold:
            hold.capture()

        request = spool.pending()[0].request
        assert isinstance(request, pb.DebitRequest)
        assert request.quantity_micros == 2_000_000

    @pytest.mark.parametrize("used", [None, 0])
    async def test_a_use_of_zero_is_not_recorded(self, used: int | None) -> None:
        spool = MemorySpool(records_max=1)
        desk = Desk(spool=spool, fails_open=True)

        for _ in range(2):  # and its reserved space is returned
            desk.ledger.faults.append(AWAY)
            async with desk.authorize() as hold:
                if used is not None:
                    hold.capture(used)

        assert (spool.pending_count(), hold.is_recorded) == (0, False)

    async def test_a_denial_is_not_overruled(self) -> None:
        desk = Desk(spool=MemorySpool(), fails_open=True)

        async with TryAuthorizeBlock(desk.hold_block(Credits.of(401))) as answer:
            assert isinstance(answer, Denial)

    @pytest.mark.parametrize("code", [StatusCode.NOT_FOUND, StatusCode.INTERNAL, StatusCode.UNAUTHENTICATED])
    async def test_an_error_does_not_fail_open(self, code: StatusCode) -> None:
        desk = Desk(spool=MemorySpool(), fails_open=True)
        desk.ledger.faults.append(code)

        with pytest.raises(LedgerFault) as raised:
            async with desk.authorize():
                raise AssertionError("the block must not run")
        assert raised.value.code is code

    async def test_a_full_spool_closes_the_gate(self) -> None:
        desk = Desk(spool=MemorySpool(records_max=2), fails_open=True)
        desk.ledger.faults.extend([AWAY] * 3)

        async with desk.authorize() as first, desk.authorize() as second:
            first.capture()
            with pytest.raises(SpoolFull, match="the spool is full: failed closed"):
                async with desk.authorize():
                    raise AssertionError("the block must not run")
            second.capture()

        assert first.is_recorded
        assert second.is_recorded

    @pytest.mark.parametrize("fails_open", [True, False])
    async def test_a_capture_the_ledger_does_not_receive_is_recorded_unchanged(
        self, fails_open: bool
    ) -> None:
        spool = MemorySpool()
        desk = Desk(spool=spool, fails_open=fails_open)

        async with desk.authorize() as hold:
            hold.capture(30)
            desk.ledger.faults.append(AWAY)

        sent = desk.ledger.asked_of(pb.CaptureRequest)
        assert [record.request for record in spool.pending()] == sent
        assert (hold.is_recorded, hold.capture_result) == (True, None)

    async def test_a_debit_is_recorded_under_the_request_id_it_was_sent_with(self) -> None:
        spool = MemorySpool()
        desk = Desk(spool=spool, fails_open=True)
        desk.ledger.faults.append(AWAY)

        debited = await desk.operations.debit(_ask(Credits.of(5)), "job-7", SHORT)

        assert not isinstance(debited, Denial)
        assert (debited.is_failed_open, debited.request_id, debited.debited) == (True, "job-7", None)
        assert [record.request for record in spool.pending()] == desk.ledger.asked

    async def test_a_debit_fails_closed_even_with_a_spool(self) -> None:
        spool = MemorySpool()
        desk = Desk(spool=spool, fails_open=False)
        desk.ledger.faults.append(AWAY)

        with pytest.raises(GateUnreachable):
            await desk.operations.debit(_ask(Credits.of(5)), "", SHORT)
        assert len(spool) == 0

    async def test_an_extension_continues_only_when_it_fails_open(self) -> None:
        for fails_open in (True, False):
            desk = Desk(spool=MemorySpool(), fails_open=fails_open)
            async with desk.authorize() as hold:
                desk.ledger.faults.append(AWAY)
                if fails_open:
                    assert await desk.operations.extend(hold, Credits.of(1), None, SHORT) is None
                else:
                    with pytest.raises(GateUnreachable):
                        await desk.operations.extend(hold, Credits.of(1), None, SHORT)

    async def test_a_call_that_failed_open_needs_no_extension(self) -> None:
        desk = Desk(spool=MemorySpool(), fails_open=True)
        desk.ledger.faults.append(AWAY)

        async with desk.authorize() as hold:
            assert await desk.operations.extend(hold, Credits.of(10_000), None, SHORT) is None
