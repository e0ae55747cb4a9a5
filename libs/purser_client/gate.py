# SPDX-License-Identifier: Apache-2.0
"""The gate before every AI call, for asyncio."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, Unpack

import grpc
import grpc.aio

from meshkit.clock import Clock, SystemClock
from meshkit.ids import Ids, TimeOrderedIds
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser_client.amounts import CreditsLike, QuantityLike, amount_of
from purser_client.answers import Balance, Debited, Denial
from purser_client.arguments import AskArguments, AuthorizeArguments, DebitArguments, ask_of
from purser_client.asking import Asking, Authorizing, TryingToAuthorize
from purser_client.calls import Calls
from purser_client.channel import open_channel, target_of
from purser_client.faults import Denied
from purser_client.hold import Hold
from purser_client.holding import Holding, Terms
from purser_client.policy import FailClosed, FailOpen, Unreachable
from purser_client.reporting import Report, Reporter
from purser_client.spool import Unbilled
from purser_client.wire import balance_from_wire

DEADLINE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    loop: asyncio.AbstractEventLoop
    channel: grpc.aio.Channel
    calls: Calls
    holding: Holding
    reporter: Reporter | None


class Gate:
    """Asks the Ledger before every AI call. Open one per process, and share it among all tasks of its event loop.

    addresses: "ledger:7003", meaning all addresses behind the name, or several "ip:port"; calls go round robin.
    unreachable: what it means that no answer can be had. deadline: of each operation, retries included, unless it
    is given its own: the longest that a Ledger in trouble can delay an AI call. coalesce: concurrent authorizes,
    captures and debits travel together. credentials: TLS; without them, plaintext. clock, ids: for tests.

        async with Gate("ledger:7003") as gate:
            async with gate.authorize(customer="acme", product="prd_assistant", quantity=1, user_id="ann") as hold:
                answer = await ask_the_model()
                hold.capture(answer.units)
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        *,
        unreachable: Unreachable | None = None,
        deadline: timedelta = DEADLINE,
        coalesce: bool = False,
        credentials: grpc.ChannelCredentials | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._target = target_of(addresses)
        self._unreachable = unreachable or FailClosed()
        self._deadline = deadline
        self._coalesce = coalesce
        self._credentials = credentials
        self._clock = clock or SystemClock()
        self._ids = ids or TimeOrderedIds(self._clock)
        self._opened: _Opened | None = None

    async def open(self) -> None:
        """Get ready, in the running loop; `async with` does it. The Ledger may be away. Raises SpoolBroken."""
        if self._opened is not None:
            raise RuntimeError("the gate is open already")
        channel = open_channel(self._target, self._credentials)
        calls = Calls(LedgerServiceStub(channel), coalesce=self._coalesce)
        try:
            reporter = await self._open_reporter(calls)
        except BaseException:
            await channel.close()
            raise
        holding = Holding(
            calls, ids=self._ids, reporter=reporter, fails_open=isinstance(self._unreachable, FailOpen)
        )
        loop = asyncio.get_running_loop()
        self._opened = _Opened(loop=loop, channel=channel, calls=calls, holding=holding, reporter=reporter)

    async def close(self) -> None:
        """Let what is under way come to its end, for about a deadline at most, then close the connections."""
        if self._opened is None:
            return
        opened, self._opened = self._opened, None
        seconds = self._deadline.total_seconds()
        await opened.holding.close(seconds)
        if opened.reporter is not None:
            await opened.reporter.close()
        await opened.calls.close()
        await opened.channel.close(seconds)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def authorize(self, **asked: Unpack[AuthorizeArguments]) -> Authorizing:
        """Return a block to make the AI call in: it gets a Hold, or is not entered.

        Entering raises Denied, GateUnreachable (unless it fails open), LedgerFault. Leaving captures or releases, as
        Hold says, and raises GateUnreachable or LedgerFault when what was used could be neither captured nor recorded.
        """
        self._here()
        return Authorizing(self.asking(**asked))

    def try_authorize(self, **asked: Unpack[AuthorizeArguments]) -> TryingToAuthorize:
        """The same, but a denial is a value: the block gets a Hold or a Denial."""
        self._here()
        return TryingToAuthorize(self.asking(**asked))

    async def extend(
        self,
        hold: Hold,
        *,
        quantity: QuantityLike | None = None,
        credits: CreditsLike | None = None,
        ttl: timedelta | None = None,
        deadline: timedelta | None = None,
    ) -> None:
        """Hold more, or for longer (ttl: from now), or both; inside the hold's block, for calls that stream.

        Raises Denied and changes nothing, GateUnreachable (unless it fails open), LedgerFault.
        """
        additional = None if quantity is None and credits is None else amount_of(quantity, credits)
        denial = await self._here().holding.extend(hold, additional, ttl, deadline or self._deadline)
        if denial is not None:
            raise Denied(denial)

    async def debit(self, **asked: Unpack[DebitArguments]) -> Debited:
        """Authorize and capture in one step, for calls whose quantity is known beforehand.

        Raises Denied, GateUnreachable (unless it fails open), LedgerFault.
        """
        answer = await self.try_debit(**asked)
        if isinstance(answer, Denial):
            raise Denied(answer)
        return answer

    async def try_debit(
        self, *, request_id: str = "", deadline: timedelta | None = None, **asked: Unpack[AskArguments]
    ) -> Debited | Denial:
        """The same, but a denial is a value."""
        return await self._here().holding.debit(ask_of(**asked), request_id, deadline or self._deadline)

    async def balance(
        self, *, customer: str, credit_type_id: str = "", deadline: timedelta | None = None
    ) -> Balance:
        """Return what a customer has, of one credit type or of all. Raises GateUnreachable, LedgerFault."""
        request = pb.GetBalanceRequest(customer=customer, credit_type_id=credit_type_id)
        return balance_from_wire(await self._here().calls.balance(request, deadline or self._deadline))

    @property
    def unbilled(self) -> tuple[Unbilled, ...]:
        """Recorded usage that the Ledger refused to bill, oldest first; in a FileSpool it outlives the process."""
        reporter = self._gate().reporter
        return () if reporter is None else reporter.unbilled()

    @property
    def pending_count(self) -> int:
        """How many records of usage wait for the Ledger."""
        reporter = self._gate().reporter
        return 0 if reporter is None else reporter.pending_count()

    async def flush(self) -> Report:
        """Report recorded usage now, without waiting for the background to do it. Raises GateUnreachable."""
        reporter = self._here().reporter
        return Report(billed=0, unbilled=0, left=0) if reporter is None else await reporter.report()

    async def rebill(self) -> Report:
        """Report again what is unbilled, for instance after a top-up. Raises GateUnreachable."""
        return await self._with_spool().rebill()

    async def forgive(self, unbilled: Unbilled) -> None:
        """Strike usage off the list of the unbilled: nobody pays for it."""
        await self._with_spool().forgive(unbilled)

    def asking(
        self,
        *,
        ttl: timedelta | None = None,
        allow_partial: bool = False,
        deadline: timedelta | None = None,
        **asked: Unpack[AskArguments],
    ) -> Asking:
        """Return what authorize and try_authorize are made of, here and in SyncGate."""
        terms = Terms(ttl=ttl, allow_partial=allow_partial, deadline=deadline or self._deadline)
        return Asking(self._gate().holding, ask_of(**asked), terms)

    async def _open_reporter(self, calls: Calls) -> Reporter | None:
        if self._unreachable.spool is None:
            return None
        reporter = Reporter(
            self._unreachable.spool,
            calls,
            deadline=self._deadline,
            clock=self._clock,
            on_unbilled=self._unreachable.on_unbilled,
        )
        await reporter.open()
        return reporter

    def _gate(self) -> _Opened:
        if self._opened is None:
            raise RuntimeError("the gate is not open; use `async with Gate(…) as gate:`")
        return self._opened

    def _here(self) -> _Opened:
        opened = self._gate()
        if asyncio.get_running_loop() is opened.loop:
            return opened
        raise RuntimeError(
            "the gate was opened in another event loop; open one in this loop, or use SyncGate"
        )

    def _with_spool(self) -> Reporter:
        reporter = self._here().reporter
        if reporter is None:
            raise RuntimeError("the gate has no spool; give FailOpen or FailClosed one")
        return reporter
