# SPDX-License-Identifier: Apache-2.0
"""Authorizes on entering a block; captures, records or releases on leaving it. No hold is left unresolved.

Holds are resolved in separate tasks, so that cancelling the caller does not cancel the resolution.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from grpc import StatusCode

from meshkit.ids import Ids
from meshkit.quantity import Credits
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import wire
from purser_client.amounts import Amount
from purser_client.answers import DebitResult, Denial, DenialReason, LedgerHold
from purser_client.faults import GateUnreachable, PurserError, SpoolFull
from purser_client.hold import ActualUsage, Hold
from purser_client.ledger_client import LedgerClient
from purser_client.reporting import Reporter
from purser_client.spool import log
from purser_client.wire import UsageRequest

if TYPE_CHECKING:
    from purser_client.leases.desk import LeaseDesk

CONCURRENT_RETURNS_MAX = 100  # beyond this, holds whose answer was lost are not returned but expire

# Denials that may be due to what leases reserve.
LACKS = frozenset({DenialReason.INSUFFICIENT_CREDITS, DenialReason.SPEND_CAP_REACHED})

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTerms:
    """The terms of a hold. deadline: the time for authorizing, and again for capturing or releasing."""

    ttl: timedelta | None
    allow_partial: bool
    deadline: timedelta


class HoldOperations:
    """Authorizes, extends and resolves holds, and debits.

    reporter: records usage while the Ledger is unreachable; None: such usage is not recorded.
    fails_open: let calls through when the Ledger is unreachable; needs a reporter. leases: learn from calls that the
    Ledger decides, and return what is left before a call is denied.
    """

    def __init__(
        self,
        client: LedgerClient,
        *,
        ids: Ids,
        reporter: Reporter | None,
        fails_open: bool,
        leases: "LeaseDesk | None" = None,
    ) -> None:
        assert reporter is not None or not fails_open
        self._client = client
        self._ids = ids
        self._reporter = reporter
        self._fails_open = fails_open
        self._leases = leases
        self._tasks: set[asyncio.Task[Any]] = set()
        self._returns_running = 0

    async def enter(self, usage: UsageRequest, terms: HoldTerms) -> Hold | Denial:
        """Authorize. Raises GateUnreachable when the gate fails closed, LedgerFault."""
        answer = await self._enter(usage, terms)
        if isinstance(answer, Denial) and await self._gave_back(usage, answer):
            answer = await self._enter(usage, terms)
        if isinstance(answer, Hold) and answer.ledger_hold is not None and self._leases is not None:
            self._leases.note(usage, answer.ledger_hold.credits, answer.ledger_hold.available)
        return answer

    async def _enter(self, usage: UsageRequest, terms: HoldTerms) -> Hold | Denial:
        request = wire.authorize_to_wire(
            usage, request_id=self._ids.new("req"), ttl=terms.ttl, allow_partial=terms.allow_partial
        )
        try:
            response = await self._client.authorize(request, terms.deadline)
        except asyncio.CancelledError:
            self._start_return(request, terms.deadline)
            raise
        except GateUnreachable as unreachable:
            if unreachable.fault.code is StatusCode.DEADLINE_EXCEEDED:
                self._start_return(request, terms.deadline)
            self._fail_open_or_raise(unreachable)
            return _hold_of(usage, None)
        if response.decision != pb.DECISION_ALLOWED:
            return wire.denial_from_wire(response)
        return _hold_of(usage, wire.ledger_hold_from_wire(response))

    async def leave(
        self, hold: Hold, usage: UsageRequest, terms: HoldTerms, error: BaseException | None
    ) -> None:
        """Capture, record or release, as the caller asked of the hold, even if the caller is cancelled meanwhile.

        Takes at most one deadline. Raises what a capture raises, unless `error` ended the block: then `error` is
        what the caller sees, and the failure becomes a note on it and a log line.
        """
        hold.end()
        try:
            await self._finish_despite_cancellation(self._resolve(hold, usage, terms))
        except PurserError as failure:
            if error is None:
                raise
            note = f"and what was used could not be captured: {failure}"
            error.add_note(note)
            log.error("hold %s of %s: %s", hold.ledger_hold and hold.ledger_hold.hold_id, hold.customer, note)

    async def extend(
        self, hold: Hold, additional: Amount | None, ttl: timedelta | None, deadline: timedelta
    ) -> Denial | None:
        """Hold more, or for longer. Raises GateUnreachable when the gate fails closed, LedgerFault."""
        if hold.leased is not None:
            return await hold.leased.extend(additional, deadline)
        if hold.ledger_hold is None:
            return None
        request = wire.extend_to_wire(
            request_id=self._ids.new("req"),
            customer=hold.customer,
            hold_id=hold.ledger_hold.hold_id,
            additional=additional,
            ttl=ttl,
        )
        try:
            response = await self._client.extend(request, deadline)
        except GateUnreachable:
            if self._fails_open:
                return None  # the capture is drawn or recorded in full, whether or not this part was held
            raise
        if response.decision != pb.DECISION_ALLOWED:
            return wire.extension_denial_from_wire(response)
        hold.ledger_hold = wire.extended_hold(hold.ledger_hold, response, additional)
        return None

    async def debit(self, usage: UsageRequest, request_id: str, deadline: timedelta) -> DebitResult | Denial:
        """Spend. Raises GateUnreachable when the gate fails closed, LedgerFault."""
        answer = await self._debit(usage, request_id, deadline)
        if isinstance(answer, Denial) and await self._gave_back(usage, answer):
            answer = await self._debit(usage, request_id, deadline)
        if self._leases is not None and isinstance(answer, DebitResult) and answer.debited is not None:
            self._leases.note(usage, answer.debited, answer.available or Credits.zero())
        return answer

    async def _debit(self, usage: UsageRequest, request_id: str, deadline: timedelta) -> DebitResult | Denial:
        request = wire.debit_to_wire(usage, request_id=request_id or self._ids.new("req"))
        try:
            response = await self._client.debit(request, deadline)
        except GateUnreachable as unreachable:
            reporter = self._fail_open_or_raise(unreachable)
            try:
                # The same request_id: if the Ledger did debit it, reporting it again has no effect.
                await self._finish_despite_cancellation(reporter.add(request))
            finally:
                reporter.unreserve()
            return wire.failed_open_debit_result(request)
        if response.decision != pb.DECISION_ALLOWED:
            return wire.denial_from_wire(response)
        return wire.debit_result_from_wire(request, response)

    async def _gave_back(self, usage: UsageRequest, denial: Denial) -> bool:
        """Return what leases of this gate reserve for nobody. True: the call may be allowed now."""
        if self._leases is None or denial.reason not in LACKS:
            return False
        return await self._leases.give_back(usage.customer)

    async def close(self, seconds: float) -> None:
        """Wait up to `seconds` for the holds that are being resolved."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def _fail_open_or_raise(self, unreachable: GateUnreachable) -> Reporter:
        """Reserve a spool record for a call that the Ledger did not decide on, or raise."""
        if self._reporter is None or not self._fails_open:
            raise unreachable
        if self._reporter.reserve():
            return self._reporter
        raise SpoolFull(unreachable.fault, unreachable.attempts) from unreachable

    async def _resolve(self, hold: Hold, usage: UsageRequest, terms: HoldTerms) -> None:
        match hold.ledger_hold:
            case None:
                await self._record(hold, usage)
            case ledger_hold if hold.actual is None:
                await self._release(hold.customer, ledger_hold.hold_id, terms.deadline)
            case ledger_hold:
                await self._capture(hold, ledger_hold, terms.deadline)

    async def _record(self, hold: Hold, usage: UsageRequest) -> None:
        assert self._reporter is not None
        try:
            if hold.actual is None:
                return
            used = _used(usage, hold.actual)
            if used is not None:
                # A new request_id: the Authorize may have created a hold under the first one, its answer lost.
                await self._reporter.add(wire.debit_to_wire(used, request_id=self._ids.new("req")))
                hold.is_recorded = True
        finally:
            self._reporter.unreserve()

    async def _capture(self, hold: Hold, ledger_hold: LedgerHold, deadline: timedelta) -> None:
        assert hold.actual is not None
        request = wire.capture_to_wire(
            request_id=self._ids.new("req"),
            customer=hold.customer,
            hold_id=ledger_hold.hold_id,
            actual=hold.actual.amount,
            lines=hold.actual.lines,
        )
        try:
            response = await self._client.capture(request, deadline)
        except GateUnreachable:
            if self._reporter is None:
                raise
            await self._reporter.add(request)
            hold.is_recorded = True
        else:
            hold.capture_result = wire.capture_result_from_wire(response)

    async def _release(self, customer: str, hold_id: str, deadline: timedelta) -> None:
        request = wire.release_to_wire(request_id=self._ids.new("req"), customer=customer, hold_id=hold_id)
        try:
            await self._client.release(request, deadline)
        except PurserError as failure:
            # Nothing was used and nothing is lost: the hold expires at its expire_time.
            log.warning("hold %s of %s is left to expire: %s", hold_id, customer, failure)

    def _start_return(self, request: pb.AuthorizeRequest, deadline: timedelta) -> None:
        """Return, in the background, the hold that an Authorize may have created before its answer was lost."""
        if self._returns_running < CONCURRENT_RETURNS_MAX:
            self._returns_running += 1
            self._start(self._return_hold(request, deadline))

    async def _return_hold(self, request: pb.AuthorizeRequest, deadline: timedelta) -> None:
        try:
            # The same request_id: the answer is the hold that the first request created, if it did.
            response = await self._client.authorize(request, deadline)
            if response.decision == pb.DECISION_ALLOWED:
                await self._release(request.customer, response.hold_id, deadline)
        except PurserError as failure:
            log.warning(
                "a hold of %s whose answer was lost, if there is one, is left to expire (%s): %s",
                request.customer,
                request.request_id,
                failure,
            )
        finally:
            self._returns_running -= 1

    async def _finish_despite_cancellation(self, work: Coroutine[Any, Any, T]) -> T:
        """Finish the work even if the caller is cancelled. A second cancellation stops waiting; the work continues."""
        task = self._start(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Nobody awaits the result any more, so a failure would be lost without the log.
            task.add_done_callback(_log_failure)
            await asyncio.wait({task})
            raise

    def _start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _hold_of(usage: UsageRequest, ledger_hold: LedgerHold | None) -> Hold:
    return Hold(customer=usage.customer, requested=usage.amount, lines=usage.lines, ledger_hold=ledger_hold)


def _used(usage: UsageRequest, actual: ActualUsage) -> UsageRequest | None:
    """Return what was used of a call that the Ledger did not decide on, as a debit; None: nothing."""
    if usage.lines:
        lines = tuple(one for one in actual.lines or usage.lines if one.quantity.micros > 0)
        return replace(usage, lines=lines) if lines else None
    amount = usage.amount if actual.amount is None else actual.amount
    return None if amount is None or amount.micros == 0 else replace(usage, amount=amount)


def _log_failure(task: "asyncio.Task[Any]") -> None:
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        log.error("what was used could not be captured: %s", failure)
