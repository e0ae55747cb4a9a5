# SPDX-License-Identifier: Apache-2.0
"""The credit check around every AI call, for asyncio."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Self, Unpack

import grpc
import grpc.aio

from meshkit.clock import Clock, SystemClock
from meshkit.ids import Ids
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.amounts import CreditsLike, QuantityLike, amount_of
from purser_client.answers import Balance, DebitResult, Denial
from purser_client.arguments import AuthorizeArguments, DebitArguments
from purser_client.blocks import AuthorizeBlock, TryAuthorizeBlock
from purser_client.channel import target_of
from purser_client.faults import Denied
from purser_client.hold import Hold
from purser_client.leases.policy import LeasePolicy, policy_of
from purser_client.opened import GateOptions, OpenGate
from purser_client.policy import FailClosed, Unreachable
from purser_client.reporting import Report, Reporter
from purser_client.spool import UnbilledUsage
from purser_client.token import Token
from purser_client.wire import balance_from_wire

DEADLINE = timedelta(seconds=2)


class Gate:
    """Asks the Ledger before every AI call. Open one per process, and share it among all tasks of its event loop.

    addresses: "ledger:7003", meaning all addresses behind the name, or several "ip:port"; each customer has one of
    them. unreachable: what the gate does when the Ledger does not answer. deadline: the time for each operation
    including its retries, unless the operation names its own; a failing Ledger delays an AI call by at most this.
    coalesce: send concurrent authorizes, captures and debits in batches. lease: True or a LeasePolicy lets this
    process itself decide calls of customers that make many, from credits that the Ledger has reserved for it.
    credentials: for TLS; without them, plaintext. token: a token of the role `gate`, the file that holds the newest
    one, or an async function that gets one; files and functions are asked again before the token expires.
    server_name: the DNS name in the Ledger's certificate, by default the host of the address; several addresses need
    one. clock, ids: for tests.

    Raises ValueError for a token without TLS, and for several addresses with TLS and without a server_name.

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
        lease: LeasePolicy | bool = False,
        credentials: grpc.ChannelCredentials | None = None,
        token: Token | None = None,
        server_name: str | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        if token is not None and credentials is None:
            raise ValueError("a token needs TLS: give credentials, such as grpc.ssl_channel_credentials()")
        is_several = not isinstance(addresses, str) and len(addresses) > 1
        if is_several and credentials is not None and server_name is None:
            raise ValueError(
                "several addresses with TLS need the DNS name in the Ledger's certificate: give server_name,"
                " such as 'ledger.purser.internal'"
            )
        clock = clock or SystemClock()
        self._options = GateOptions(
            target=target_of(addresses),
            server_name=server_name,
            unreachable=unreachable or FailClosed(),
            deadline=deadline,
            coalesce=coalesce,
            lease=policy_of(lease),
            credentials=credentials,
            token=token,
            clock=clock,
            ids=ids or Ids(clock),
        )
        self._opened: OpenGate | None = None
        self._undo_sigterm: Callable[[], None] = lambda: None

    async def open(self) -> None:
        """Open the gate in the running event loop; `async with` calls this. The Ledger may be unreachable.

        Raises SpoolBroken.
        """
        if self._opened is not None:
            raise RuntimeError("the gate is open already")
        self._opened = await OpenGate.open(self._options)
        self._undo_sigterm = self._opened.handle_sigterm()

    async def close(self) -> None:
        """Wait for unfinished operations, for about one deadline at most, then close the connections."""
        if self._opened is None:
            return
        self._undo_sigterm()
        await self._opened.end_leases()
        opened, self._opened = self._opened, None
        await opened.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def authorize(self, **arguments: Unpack[AuthorizeArguments]) -> AuthorizeBlock:
        """Return a block for the AI call. The block is entered with a Hold, or not at all.

        Entering raises Denied, GateUnreachable (unless the gate fails open), LedgerFault. Leaving captures or releases,
        as Hold describes. It raises GateUnreachable or LedgerFault when usage could be neither captured nor recorded.
        """
        return AuthorizeBlock(self._opened_in_this_loop().block(**arguments))

    def try_authorize(self, **arguments: Unpack[AuthorizeArguments]) -> TryAuthorizeBlock:
        """The same, but a denial is a value: the block is entered with a Hold or a Denial."""
        return TryAuthorizeBlock(self._opened_in_this_loop().block(**arguments))

    async def extend(
        self,
        hold: Hold,
        *,
        quantity: QuantityLike | None = None,
        credits: CreditsLike | None = None,
        ttl: timedelta | None = None,
        deadline: timedelta | None = None,
    ) -> None:
        """Hold more, or for longer (ttl: from now), or both. Call it inside the hold's block, when a call streams.

        Raises Denied (and changes nothing), GateUnreachable (unless the gate fails open), LedgerFault.
        """
        additional = None if quantity is None and credits is None else amount_of(quantity, credits)
        operations = self._opened_in_this_loop().operations
        denial = await operations.extend(hold, additional, ttl, deadline or self._options.deadline)
        if denial is not None:
            raise Denied(denial)

    async def debit(self, **arguments: Unpack[DebitArguments]) -> DebitResult:
        """Authorize and capture in one step, for calls whose quantity is known in advance.

        Raises Denied, GateUnreachable (unless the gate fails open), LedgerFault.
        """
        answer = await self.try_debit(**arguments)
        if isinstance(answer, Denial):
            raise Denied(answer)
        return answer

    async def try_debit(self, **arguments: Unpack[DebitArguments]) -> DebitResult | Denial:
        """The same, but a denial is a value."""
        opened = self._opened_in_this_loop()
        return opened.debit_now(**arguments) or await opened.debit(**arguments)

    async def balance(
        self, *, customer: str, credit_type_id: str = "", deadline: timedelta | None = None
    ) -> Balance:
        """Return a customer's balance, of one credit type or of all. Raises GateUnreachable, LedgerFault."""
        request = pb.GetBalanceRequest(customer=customer, credit_type_id=credit_type_id)
        client = self._opened_in_this_loop().client
        return balance_from_wire(await client.balance(request, deadline or self._options.deadline))

    @property
    def unbilled(self) -> tuple[UnbilledUsage, ...]:
        """Recorded usage that the Ledger refused to bill, oldest first. A FileSpool keeps it across restarts."""
        reporter = self.opened.reporter
        return () if reporter is None else reporter.unbilled()

    @property
    def pending_count(self) -> int:
        """The number of usage records that wait to be reported to the Ledger."""
        reporter = self.opened.reporter
        return 0 if reporter is None else reporter.pending_count()

    async def flush(self) -> Report:
        """Report recorded usage, and uses of leases, now instead of waiting for the background task.

        Raises GateUnreachable.
        """
        opened = self._opened_in_this_loop()
        if opened.leases is not None:
            await opened.leases.report()
        reporter = opened.reporter
        return Report(billed=0, unbilled=0, left=0) if reporter is None else await reporter.report()

    async def rebill(self) -> Report:
        """Report unbilled usage again, for instance after a top-up. Raises GateUnreachable."""
        return await self._require_reporter().rebill()

    async def forgive(self, unbilled: UnbilledUsage) -> None:
        """Remove usage from the unbilled list: nobody pays for it."""
        await self._require_reporter().forgive(unbilled)

    @property
    def opened(self) -> OpenGate:
        """What SyncGate calls from its threads. Raises RuntimeError."""
        if self._opened is None:
            raise RuntimeError("the gate is not open; use `async with Gate(…) as gate:`")
        return self._opened

    def _opened_in_this_loop(self) -> OpenGate:
        opened = self.opened
        if asyncio.get_running_loop() is opened.loop:
            return opened
        raise RuntimeError(
            "the gate was opened in another event loop; open one in this loop, or use SyncGate"
        )

    def _require_reporter(self) -> Reporter:
        reporter = self._opened_in_this_loop().reporter
        if reporter is None:
            raise RuntimeError("the gate has no spool; give FailOpen or FailClosed one")
        return reporter
