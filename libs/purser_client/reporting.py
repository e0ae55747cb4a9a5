# SPDX-License-Identifier: Apache-2.0
"""Tells the Ledger, when it is back, of usage that it could not be told of: each once, by its request_id."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from grpc import StatusCode

from meshkit.clock import Clock
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.calls import Calls
from purser_client.faults import GateUnreachable, LedgerFault, PurserError
from purser_client.policy import OnUnbilled
from purser_client.spool import Record, Spool, Unbilled, log
from purser_client.wire import Usage, reason_from_wire

AT_ONCE_MAX = 16
FIRST_PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 5.0

# Final: asking again cannot help unless somebody changes something. Every other fault may pass by itself.
REFUSALS = frozenset(
    {
        StatusCode.INVALID_ARGUMENT,
        StatusCode.NOT_FOUND,
        StatusCode.ALREADY_EXISTS,
        StatusCode.FAILED_PRECONDITION,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a round of reporting, in records. left: still pending, because the Ledger failed with each
    or gave no answer to it.
    """

    billed: int
    unbilled: int
    left: int


class Reporter:
    """Owns the spool. Reports in the background while there is something pending, and at once when asked to."""

    def __init__(
        self,
        spool: Spool,
        calls: Calls,
        *,
        deadline: timedelta,
        clock: Clock,
        on_unbilled: OnUnbilled | None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._spool = spool
        self._calls = calls
        self._deadline = deadline
        self._clock = clock
        self._on_unbilled = on_unbilled
        self._chance = chance
        self._admitted = 0
        self._pending = asyncio.Event()
        self._one_round = asyncio.Lock()
        self._background: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the spool and report what it holds, in the background. Raises SpoolBroken."""
        await asyncio.to_thread(self._spool.open)
        if self._spool.pending_count() > 0:
            self._pending.set()
        self._background = asyncio.create_task(self._report_for_ever())

    async def close(self) -> None:
        """Stop reporting and close the spool; one that is not durable is reported once more, for one deadline."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.wait({self._background})
        if self._spool.pending_count() > 0 and not self._spool.is_durable:
            with contextlib.suppress(PurserError, TimeoutError):
                async with asyncio.timeout(self._deadline.total_seconds()):
                    await self.report()
        await asyncio.to_thread(self._spool.close)

    def admit(self) -> bool:
        """Keep room for the record of one call that is let through; False when there is none. `add` or `dismiss` it."""
        if len(self._spool) + self._admitted < self._spool.records_max:
            self._admitted += 1
            return True
        return False

    def dismiss(self) -> None:
        """Give back the room of a call that used nothing, or whose record is in the spool now."""
        self._admitted -= 1

    async def add(self, usage: Usage) -> None:
        """Keep usage until the Ledger has it; when this returns it is kept. Raises SpoolBroken."""
        try:
            await asyncio.to_thread(self._spool.add, usage, at=self._clock.now())
        except PurserError:
            log.critical("usage could not be recorded: %s", str(usage).replace("\n", " "))
            raise
        self._pending.set()

    async def report(self) -> Report:
        """Report everything pending, now. Raises GateUnreachable when the Ledger is (still) away."""
        async with self._one_round:
            pending = self._spool.pending()
            billed = unbilled = 0
            for start in range(0, len(pending), AT_ONCE_MAX):
                told = [self._tell(record) for record in pending[start : start + AT_ONCE_MAX]]
                outcomes = await asyncio.gather(*told, return_exceptions=True)
                failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
                for failure in failures:
                    # While others are answered, the Ledger is not away: one that never is must not stop the rest.
                    if len(failures) == len(outcomes) or not isinstance(failure, GateUnreachable):
                        raise failure
                billed += outcomes.count("BILLED")
                unbilled += outcomes.count("UNBILLED")
            return Report(billed=billed, unbilled=unbilled, left=len(pending) - billed - unbilled)

    async def rebill(self) -> Report:
        """Report once more all that was refused, with what is pending. Raises GateUnreachable."""
        for unbilled in self._spool.unbilled():
            await asyncio.to_thread(self._spool.retry, unbilled.number)
        self._pending.set()
        return await self.report()

    async def forgive(self, unbilled: Unbilled) -> None:
        """Bill nobody for it."""
        await asyncio.to_thread(self._spool.forgive, unbilled.number)

    def unbilled(self) -> tuple[Unbilled, ...]:
        return self._spool.unbilled()

    def pending_count(self) -> int:
        return self._spool.pending_count()

    async def _report_for_ever(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:  # until close() cancels it
            await self._pending.wait()
            self._pending.clear()
            try:
                left = (await self.report()).left
            except GateUnreachable:
                left = self.pending_count()
            except PurserError as error:
                log.error("usage could not be reported, and will be tried again: %s", error)
                left = self.pending_count()
            if left == 0:
                pause = FIRST_PAUSE_SECONDS
                continue
            await asyncio.sleep(pause * (1 - self._chance() / 2))
            pause = min(PAUSE_SECONDS_MAX, pause * 2)
            self._pending.set()

    async def _tell(self, record: Record) -> str:
        try:
            denial = await self._bill(record.request)
        except LedgerFault as fault:
            if fault.code not in REFUSALS:
                log.error("%s was not billed, and will be tried again: %s", record.request.request_id, fault)
                return "LEFT"
            denial = fault.reason
        if denial is None:
            await asyncio.to_thread(self._spool.billed, record.number)
            return "BILLED"
        unbilled = await asyncio.to_thread(self._spool.refused, record.number, denial)
        log.error("usage was not billed: %s", unbilled)
        if self._on_unbilled is not None:
            try:
                self._on_unbilled(unbilled)
            except Exception:
                log.exception("on_unbilled failed for %s", unbilled.request_id)
        return "UNBILLED"

    async def _bill(self, request: Usage) -> str | None:
        """Return why it was denied; None: it is billed."""
        match request:
            case pb.CaptureRequest():
                await self._calls.capture(request, self._deadline)
                return None
            case pb.DebitRequest():
                response = await self._calls.debit(request, self._deadline)
                if response.decision == pb.DECISION_ALLOWED:
                    return None
                return str(reason_from_wire(response.denial_reason))
