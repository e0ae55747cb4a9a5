# SPDX-License-Identifier: Apache-2.0
"""Reports recorded usage to the Ledger once it is reachable again. Its request_id bills each record once."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from grpc import StatusCode

from meshkit.clock import Clock
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.faults import GateUnreachable, LedgerFault, PurserError, fault_of_status
from purser_client.ledger_client import LedgerClient
from purser_client.policy import OnUnbilled
from purser_client.spool import Record, Spool, UnbilledUsage, log
from purser_client.wire import BillingRequest, denial_reason_from_wire

CONCURRENT_REPORTS_MAX = 16
FIRST_PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 5.0

# Final: retrying cannot help until somebody changes something. Every other fault may be temporary.
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
    """The result of one round of reporting, in numbers of records.

    left: still pending, because the Ledger failed on them or did not answer.
    """

    billed: int
    unbilled: int
    left: int


class Reporter:
    """Owns the spool. Reports pending records in the background, and at once when `report` is called."""

    def __init__(
        self,
        spool: Spool,
        client: LedgerClient,
        *,
        deadline: timedelta,
        clock: Clock,
        on_unbilled: OnUnbilled | None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._spool = spool
        self._client = client
        self._deadline = deadline
        self._clock = clock
        self._on_unbilled = on_unbilled
        self._chance = chance
        self._reserved = 0
        self._pending = asyncio.Event()
        self._round_lock = asyncio.Lock()
        self._background: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the spool and start reporting its records in the background. Raises SpoolBroken."""
        await asyncio.to_thread(self._spool.open)
        if self._spool.pending_count() > 0:
            self._pending.set()
        self._background = asyncio.create_task(self._report_until_cancelled())

    async def close(self) -> None:
        """Stop reporting and close the spool. One that is not durable is first reported, for one deadline at most."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.wait({self._background})
        if self._spool.pending_count() > 0 and not self._spool.is_durable:
            with contextlib.suppress(PurserError, TimeoutError):
                async with asyncio.timeout(self._deadline.total_seconds()):
                    await self.report()
        await asyncio.to_thread(self._spool.close)

    def reserve(self) -> bool:
        """Reserve room for the record of one call; False: the spool is full.

        Every reservation ends with `unreserve`, after the record was added or when there is none.
        """
        if len(self._spool) + self._reserved < self._spool.records_max:
            self._reserved += 1
            return True
        return False

    def unreserve(self) -> None:
        """End the reservation of a call that used nothing, or whose record is in the spool now."""
        self._reserved -= 1

    async def add(self, usage: BillingRequest) -> None:
        """Record usage until the Ledger has it. When this returns, the record is stored. Raises SpoolBroken."""
        try:
            await asyncio.to_thread(self._spool.add, usage, at=self._clock.now())
        except PurserError:
            log.critical("usage could not be recorded: %s", str(usage).replace("\n", " "))
            raise
        self._pending.set()

    async def report(self) -> Report:
        """Report all pending records now. Raises GateUnreachable when the Ledger is (still) unreachable."""
        async with self._round_lock:
            pending = self._spool.pending()
            billed = unbilled = 0
            for start in range(0, len(pending), CONCURRENT_REPORTS_MAX):
                group = pending[start : start + CONCURRENT_REPORTS_MAX]
                outcomes = await asyncio.gather(*map(self._report_one, group), return_exceptions=True)
                failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
                for failure in failures:
                    # The Ledger is reachable while it answers some records. One record that gets no answer must
                    # not stop the others.
                    if len(failures) == len(outcomes) or not isinstance(failure, GateUnreachable):
                        raise failure
                billed += outcomes.count("BILLED")
                unbilled += outcomes.count("UNBILLED")
            return Report(billed=billed, unbilled=unbilled, left=len(pending) - billed - unbilled)

    async def rebill(self) -> Report:
        """Make unbilled records pending again, and report all pending ones. Raises GateUnreachable."""
        for unbilled in self._spool.unbilled():
            await asyncio.to_thread(self._spool.retry, unbilled.number)
        self._pending.set()
        return await self.report()

    async def forgive(self, unbilled: UnbilledUsage) -> None:
        """Drop an unbilled record: nobody is billed for it."""
        await asyncio.to_thread(self._spool.forgive, unbilled.number)

    def unbilled(self) -> tuple[UnbilledUsage, ...]:
        return self._spool.unbilled()

    def pending_count(self) -> int:
        return self._spool.pending_count()

    async def _report_until_cancelled(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:  # close() cancels this task
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

    async def _report_one(self, record: Record) -> str:
        """Return BILLED, UNBILLED or LEFT. Raises GateUnreachable."""
        try:
            denial = await self._bill(record.request)
        except LedgerFault as fault:
            if fault.code not in REFUSALS:
                log.error("%s was not billed, and will be tried again: %s", record.request.request_id, fault)
                return "LEFT"
            denial = fault.reason
        if denial is None:
            await asyncio.to_thread(self._spool.mark_billed, record.number)
            return "BILLED"
        unbilled = await asyncio.to_thread(self._spool.mark_unbilled, record.number, denial)
        log.error("usage was not billed: %s", unbilled)
        if self._on_unbilled is not None:
            try:
                self._on_unbilled(unbilled)
            except Exception:
                log.exception("on_unbilled failed for %s", unbilled.request_id)
        return "UNBILLED"

    async def _bill(self, request: BillingRequest) -> str | None:
        """Bill usage. Return the reason if it was denied; None: it is billed. Raises LedgerFault, GateUnreachable."""
        match request:
            case pb.CaptureRequest():
                await self._client.capture(request, self._deadline)
                return None
            case pb.DebitRequest():
                response = await self._client.debit(request, self._deadline)
                if response.decision == pb.DECISION_ALLOWED:
                    return None
                return str(denial_reason_from_wire(response.denial_reason))
            case pb.SettleLeaseRequest():
                settled = await self._client.settle_lease(request, self._deadline)
                errors = [fault_of_status(one.error) for one in settled.results if one.HasField("error")]
                return errors[0].reason if errors else None
