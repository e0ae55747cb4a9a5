# SPDX-License-Identifier: Apache-2.0
"""The same gate for code without asyncio. It runs a Gate in an event loop in a background thread."""

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import grpc

from meshkit.clock import Clock
from meshkit.ids import Ids
from purser_client.amounts import CreditsLike, QuantityLike
from purser_client.answers import Balance, DebitResult, Denial
from purser_client.arguments import AuthorizeArguments, DebitArguments
from purser_client.blocks import Block
from purser_client.gate import DEADLINE, Gate
from purser_client.hold import Hold
from purser_client.leases.policy import LeasePolicy
from purser_client.opened import OpenGate
from purser_client.policy import Unreachable
from purser_client.reporting import Report
from purser_client.spool import UnbilledUsage
from purser_client.token import Token

T = TypeVar("T")


class SyncGate:
    """Gate's methods, blocking. Open one per process, for all its threads; open it after a fork, not before.

    A thread with a running event loop may call it too; the call then blocks that loop.

        with SyncGate("ledger:7003") as gate:
            with gate.authorize(customer="acme", product="prd_assistant", quantity=1, user_id="ann") as hold:
                hold.capture(ask_the_model().units)
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        *,
        unreachable: Unreachable | None = None,
        deadline: timedelta = DEADLINE,
        coalesce: bool = False,
        lease: LeasePolicy | bool = False,
        credentials: grpc.ChannelCredentials | None = None,
        token: Token | None = None,
        server_name: str | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._gate = Gate(
            addresses,
            unreachable=unreachable,
            deadline=deadline,
            coalesce=coalesce,
            lease=lease,
            credentials=credentials,
            token=token,
            server_name=server_name,
            clock=clock,
            ids=ids,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopped: asyncio.Event
        self._process = 0
        self._undo_sigterm: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Start the thread and open the gate; `with` calls this. Raises SpoolBroken."""
        if self._loop is not None:
            raise RuntimeError("the gate is open already")
        self._process = os.getpid()
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(_run_until_stopped(started)), name="purser-gate", daemon=True
        )
        self._thread.start()
        self._loop, self._stopped = started.result()
        try:
            self._run(self._gate.open())
        except BaseException:
            self._stop()
            raise
        self._undo_sigterm = self._gate.opened.handle_sigterm()
        atexit.register(self._report_at_exit)

    def close(self) -> None:
        """Wait for unfinished operations, for about one deadline at most, then stop the thread."""
        if self._loop is not None:
            atexit.unregister(self._report_at_exit)
            self._undo_sigterm()
            try:
                self._run(self._gate.close())
            finally:
                self._stop()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def authorize(self, **arguments: Unpack[AuthorizeArguments]) -> "SyncAuthorizeBlock":
        """As Gate.authorize, for `with`."""
        return SyncAuthorizeBlock(self._usable().block(**arguments), self._run)

    def try_authorize(self, **arguments: Unpack[AuthorizeArguments]) -> "SyncTryAuthorizeBlock":
        """As Gate.try_authorize, for `with`."""
        return SyncTryAuthorizeBlock(self._usable().block(**arguments), self._run)

    def extend(
        self,
        hold: Hold,
        *,
        quantity: QuantityLike | None = None,
        credits: CreditsLike | None = None,
        ttl: timedelta | None = None,
        deadline: timedelta | None = None,
    ) -> None:
        """As Gate.extend."""
        self._run(self._gate.extend(hold, quantity=quantity, credits=credits, ttl=ttl, deadline=deadline))

    def debit(self, **arguments: Unpack[DebitArguments]) -> DebitResult:
        """As Gate.debit."""
        return self._usable().debit_now(**arguments) or self._run(self._gate.debit(**arguments))

    def try_debit(self, **arguments: Unpack[DebitArguments]) -> DebitResult | Denial:
        """As Gate.try_debit."""
        return self._usable().debit_now(**arguments) or self._run(self._gate.try_debit(**arguments))

    def balance(
        self, *, customer: str, credit_type_id: str = "", deadline: timedelta | None = None
    ) -> Balance:
        """As Gate.balance."""
        return self._run(
            self._gate.balance(customer=customer, credit_type_id=credit_type_id, deadline=deadline)
        )

    @property
    def unbilled(self) -> tuple[UnbilledUsage, ...]:
        """As Gate.unbilled."""
        return self._gate.unbilled

    @property
    def pending_count(self) -> int:
        """As Gate.pending_count."""
        return self._gate.pending_count

    def flush(self) -> Report:
        """As Gate.flush."""
        return self._run(self._gate.flush())

    def rebill(self) -> Report:
        """As Gate.rebill."""
        return self._run(self._gate.rebill())

    def forgive(self, unbilled: UnbilledUsage) -> None:
        """As Gate.forgive."""
        self._run(self._gate.forgive(unbilled))

    def _report_at_exit(self) -> None:
        """Report the last uses of leases when the program ends without closing the gate."""
        if self._loop is not None and os.getpid() == self._process:
            self._run(self._gate.opened.end_leases())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work in the gate's thread and wait for it. An interrupt (Ctrl-C) cancels it, as in asyncio."""
        try:
            loop = self._usable_loop()
        except RuntimeError:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # has no effect on a future that is done
            raise

    def _usable(self) -> OpenGate:
        """Return the open gate, for calls that need no other thread. Raises RuntimeError, as every call does."""
        self._usable_loop()
        return self._gate.opened

    def _usable_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the gate is not open; use `with SyncGate(…) as gate:`")
        if os.getpid() != self._process:
            raise RuntimeError("the gate was opened before a fork; open one in each process, after it")
        if threading.current_thread() is self._thread:
            raise RuntimeError("on_unbilled runs in the gate's own thread and cannot wait for it")
        return self._loop

    def _stop(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(self._stopped.set)
            thread.join()


async def _run_until_stopped(
    started: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]",
) -> None:
    """Keep this thread's event loop running until the event is set."""
    stopped = asyncio.Event()
    started.set_result((asyncio.get_running_loop(), stopped))
    await stopped.wait()


class SyncAuthorizeBlock:
    """For `with`: enters with a Hold, or raises Denied."""

    def __init__(self, block: Block, run: Callable[..., Any]) -> None:
        self._block = block
        self._run = run

    def __enter__(self) -> Hold:
        # A call that a lease serves needs no other thread.
        hold: Hold = self._block.enter_now() or self._run(self._block.enter_or_raise())
        return hold

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._block.leave_now(error):
            self._run(self._block.leave(error))


class SyncTryAuthorizeBlock:
    """For `with`: enters with a Hold or a Denial."""

    def __init__(self, block: Block, run: Callable[..., Any]) -> None:
        self._block = block
        self._run = run

    def __enter__(self) -> Hold | Denial:
        answer: Hold | Denial = self._block.enter_now() or self._run(self._block.enter())
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._block.leave_now(error):
            self._run(self._block.leave(error))
