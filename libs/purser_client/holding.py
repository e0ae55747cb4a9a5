# SPDX-License-Identifier: Apache-2.0
"""The life of a hold from the caller's side: taken on the way in, resolved on the way out, never left behind.

What resolves a hold runs in a task of its own, so that cancelling the caller does not cancel it.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from grpc import StatusCode

from meshkit.ids import Ids
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import wire
from purser_client.amounts import Amount
from purser_client.answers import Debited, Denial, Held
from purser_client.calls import Calls
from purser_client.faults import GateUnreachable, PurserError, SpoolFull
from purser_client.hold import Hold
from purser_client.reporting import Reporter
from purser_client.spool import log
from purser_client.wire import Ask

ABANDONED_AT_ONCE_MAX = 100  # beyond, a hold that nobody knows of is left to its time to live

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a hold is asked for. deadline: of each operation: authorizing, and capturing or releasing."""

    ttl: timedelta | None
    allow_partial: bool
    deadline: timedelta


class Holding:
    """Authorizes and resolves. reporter: where usage is recorded that the Ledger cannot be told; None: nowhere.

    fails_open: let calls through when the Ledger is unreachable; needs a reporter.
    """

    def __init__(self, calls: Calls, *, ids: Ids, reporter: Reporter | None, fails_open: bool) -> None:
        assert reporter is not None or not fails_open
        self._calls = calls
        self._ids = ids
        self._reporter = reporter
        self._fails_open = fails_open
        self._tasks: set[asyncio.Task[Any]] = set()
        self._abandoned = 0

    async def enter(self, ask: Ask, terms: Terms) -> Hold | Denial:
        """Ask. Raises GateUnreachable when it fails closed, LedgerFault."""
        request = wire.authorize_to_wire(
            ask, request_id=self._ids.new("req"), ttl=terms.ttl, allow_partial=terms.allow_partial
        )
        try:
            response = await self._calls.authorize(request, terms.deadline)
        except asyncio.CancelledError:
            self._abandon(request, terms.deadline)
            raise
        except GateUnreachable as unreachable:
            if unreachable.fault.code is StatusCode.DEADLINE_EXCEEDED:
                self._abandon(request, terms.deadline)
            self._admit(unreachable)
            return Hold(customer=ask.customer, asked=ask.amount, held=None)
        if response.decision != pb.DECISION_ALLOWED:
            return wire.denial_from_wire(response)
        return Hold(customer=ask.customer, asked=ask.amount, held=wire.held_from_wire(response))

    async def leave(self, hold: Hold, ask: Ask, terms: Terms, error: BaseException | None) -> None:
        """Capture, record or release, as the hold was told, even if the caller is cancelled meanwhile.

        Takes as long as one operation may. Raises what a capture raises, unless `error` ended the block: that one
        is the caller's news, and the failure is noted on it and logged.
        """
        hold.end()
        try:
            await self._see_through(self._resolve(hold, ask, terms))
        except PurserError as failure:
            if error is None:
                raise
            note = f"and what was used could not be captured: {failure}"
            error.add_note(note)
            log.error("hold %s of %s: %s", hold.held and hold.held.hold_id, hold.customer, note)

    async def extend(
        self, hold: Hold, additional: Amount | None, ttl: timedelta | None, deadline: timedelta
    ) -> Denial | None:
        """Hold more, or for longer. Raises GateUnreachable when it fails closed, LedgerFault."""
        if hold.held is None:
            return None
        request = wire.extend_to_wire(
            request_id=self._ids.new("req"),
            customer=hold.customer,
            hold_id=hold.held.hold_id,
            additional=additional,
            ttl=ttl,
        )
        try:
            response = await self._calls.extend(request, deadline)
        except GateUnreachable:
            if self._fails_open:
                return None  # the capture is drawn, or recorded, whether or not it was held
            raise
        if response.decision != pb.DECISION_ALLOWED:
            return wire.extension_denial_from_wire(response)
        hold.held = wire.held_after(hold.held, response, additional)
        return None

    async def debit(self, ask: Ask, request_id: str, deadline: timedelta) -> Debited | Denial:
        """Spend. Raises GateUnreachable when it fails closed, LedgerFault."""
        request = wire.debit_to_wire(ask, request_id=request_id or self._ids.new("req"))
        try:
            response = await self._calls.debit(request, deadline)
        except GateUnreachable as unreachable:
            reporter = self._admit(unreachable)
            try:
                # The same request_id: if the Ledger did it after all, reporting it does nothing.
                await self._see_through(reporter.add(request))
            finally:
                reporter.dismiss()
            return wire.debited_unseen(request)
        if response.decision != pb.DECISION_ALLOWED:
            return wire.denial_from_wire(response)
        return wire.debited_from_wire(request, response)

    async def close(self, seconds: float) -> None:
        """Wait for the holds that are being resolved."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def _admit(self, unreachable: GateUnreachable) -> Reporter:
        """Let a call through that the Ledger was not asked about, or raise."""
        if self._reporter is None or not self._fails_open:
            raise unreachable
        if self._reporter.admit():
            return self._reporter
        raise SpoolFull(unreachable.fault, unreachable.attempts) from unreachable

    async def _resolve(self, hold: Hold, ask: Ask, terms: Terms) -> None:
        match hold.held:
            case None:
                await self._record(hold, ask)
            case held if hold.actual is None:
                await self._release(hold.customer, held.hold_id, terms.deadline)
            case held:
                await self._capture(hold, held, terms.deadline)

    async def _record(self, hold: Hold, ask: Ask) -> None:
        assert self._reporter is not None
        try:
            if hold.actual is None:
                return
            amount = ask.amount if hold.actual.amount is None else hold.actual.amount
            if amount.micros > 0:
                used = Ask(
                    customer=ask.customer,
                    product_id=ask.product_id,
                    amount=amount,
                    group_values=ask.group_values,
                )
                # A request_id of its own: that of the Authorize may have become a hold, unheard.
                await self._reporter.add(wire.debit_to_wire(used, request_id=self._ids.new("req")))
                hold.is_recorded = True
        finally:
            self._reporter.dismiss()

    async def _capture(self, hold: Hold, held: Held, deadline: timedelta) -> None:
        assert hold.actual is not None
        request = wire.capture_to_wire(
            request_id=self._ids.new("req"),
            customer=hold.customer,
            hold_id=held.hold_id,
            actual=hold.actual.amount,
        )
        try:
            response = await self._calls.capture(request, deadline)
        except GateUnreachable:
            if self._reporter is None:
                raise
            await self._reporter.add(request)
            hold.is_recorded = True
        else:
            hold.captured = wire.captured_from_wire(response)

    async def _release(self, customer: str, hold_id: str, deadline: timedelta) -> None:
        request = wire.release_to_wire(request_id=self._ids.new("req"), customer=customer, hold_id=hold_id)
        try:
            await self._calls.release(request, deadline)
        except PurserError as failure:
            # Nothing was used and nothing is lost: the hold stops counting by itself at its expire_time.
            log.warning("hold %s of %s is left to expire: %s", hold_id, customer, failure)

    def _abandon(self, request: pb.AuthorizeRequest, deadline: timedelta) -> None:
        """Give back, in the background, the hold that an Authorize may have taken whose answer nobody heard."""
        if self._abandoned < ABANDONED_AT_ONCE_MAX:
            self._abandoned += 1
            self._start(self._give_back(request, deadline))

    async def _give_back(self, request: pb.AuthorizeRequest, deadline: timedelta) -> None:
        try:
            # The same request_id: the answer is the hold that was taken, if one was.
            response = await self._calls.authorize(request, deadline)
            if response.decision == pb.DECISION_ALLOWED:
                await self._release(request.customer, response.hold_id, deadline)
        except PurserError as failure:
            log.warning(
                "an unheard hold of %s, if any, is left to expire (%s): %s",
                request.customer,
                request.request_id,
                failure,
            )
        finally:
            self._abandoned -= 1

    async def _see_through(self, work: Coroutine[Any, Any, T]) -> T:
        """Finish the work even if the caller is cancelled; only a second cancellation leaves it to itself."""
        task = self._start(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Nobody else will hear how it ends.
            task.add_done_callback(_log_failure)
            await asyncio.wait({task})
            raise

    def _start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _log_failure(task: "asyncio.Task[Any]") -> None:
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        log.error("what was used could not be captured: %s", failure)
