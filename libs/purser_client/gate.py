# SPDX-License-Identifier: Apache-2.0
"""The credit check around every AI call, for asyncio."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, Unpack

import grpc
import grpc.aio

from meshkit.clock import Clock, SystemClock
from meshkit.ids import Ids
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser_client.amounts import CreditsLike, QuantityLike, amount_of
from purser_client.answers import Balance, DebitResult, Denial
from purser_client.arguments import AuthorizeArguments, DebitArguments, UsageArguments, usage_request_of
from purser_client.blocks import AuthorizeBlock, Block, HoldBlock, TryAuthorizeBlock
from purser_client.channel import open_channel, target_of
from purser_client.faults import Denied
from purser_client.hold import Hold
from purser_client.hold_operations import HoldOperations, HoldTerms
from purser_client.leases.desk import LeaseDesk, open_desk
from purser_client.leases.policy import LeasePolicy, policy_of
from purser_client.leases.termination import report_on_sigterm
from purser_client.ledger_client import LedgerClient
from purser_client.policy import FailClosed, FailOpen, Unreachable
from purser_client.reporting import Report, Reporter
from purser_client.spool import UnbilledUsage
from purser_client.token import Token, TokenSource
from purser_client.wire import balance_from_wire

DEADLINE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resources:
    """What an open gate owns."""

    loop: asyncio.AbstractEventLoop
    channel: grpc.aio.Channel
    client: LedgerClient
    operations: HoldOperations
    reporter: Reporter | None
    leases: LeaseDesk | None


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
        self._target = target_of(addresses)
        self._server_name = server_name
        self._unreachable = unreachable or FailClosed()
        self._deadline = deadline
        self._coalesce = coalesce
        self._lease_policy = policy_of(lease)
        self._credentials = credentials
        self._token = token
        self._clock = clock or SystemClock()
        self._ids = ids or Ids(self._clock)
        self._resources: _Resources | None = None
        self._undo_sigterm: Callable[[], None] = lambda: None

    async def open(self) -> None:
        """Open the gate in the running event loop; `async with` calls this. The Ledger may be unreachable.

        Raises SpoolBroken.
        """
        if self._resources is not None:
            raise RuntimeError("the gate is open already")
        channel = open_channel(self._target, self._credentials, server_name=self._server_name)
        client = LedgerClient(
            LedgerServiceStub(channel), coalesce=self._coalesce, tokens=TokenSource(self._token)
        )
        try:
            reporter = await self._open_reporter(client)
        except BaseException:
            await channel.close()
            raise
        fails_open = isinstance(self._unreachable, FailOpen)
        leases = self._open_leases(client, reporter, fails_open)
        self._resources = _Resources(
            loop=asyncio.get_running_loop(),
            channel=channel,
            client=client,
            operations=HoldOperations(
                client, ids=self._ids, reporter=reporter, fails_open=fails_open, leases=leases
            ),
            reporter=reporter,
            leases=leases,
        )
        self._undo_sigterm = self.report_on_sigterm(asyncio.get_running_loop())

    async def close(self) -> None:
        """Wait for unfinished operations, for about one deadline at most, then close the connections."""
        if self._resources is None:
            return
        self._undo_sigterm()
        await self.end_leases()
        resources, self._resources = self._resources, None
        seconds = self._deadline.total_seconds()
        await resources.operations.close(seconds)
        if resources.reporter is not None:
            await resources.reporter.close()
        await resources.client.close()
        await resources.channel.close(seconds)

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
        self._resources_in_this_loop()
        return AuthorizeBlock(self.hold_block(**arguments))

    def try_authorize(self, **arguments: Unpack[AuthorizeArguments]) -> TryAuthorizeBlock:
        """The same, but a denial is a value: the block is entered with a Hold or a Denial."""
        self._resources_in_this_loop()
        return TryAuthorizeBlock(self.hold_block(**arguments))

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
        operations = self._resources_in_this_loop().operations
        denial = await operations.extend(hold, additional, ttl, deadline or self._deadline)
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
        operations = self._resources_in_this_loop().operations
        return self.debit_now(**arguments) or await self._debit(operations, **arguments)

    def debit_now(
        self, *, request_id: str = "", deadline: timedelta | None = None, **arguments: Unpack[UsageArguments]
    ) -> DebitResult | None:
        """Debit from a lease, here and in SyncGate; None: the Ledger must decide.

        A caller that names a request_id wants to be able to repeat it after a crash: that is for the Ledger.
        """
        leases = self._require_open().leases
        return None if leases is None or request_id else leases.debit(**arguments)

    async def _debit(
        self,
        operations: HoldOperations,
        *,
        request_id: str = "",
        deadline: timedelta | None = None,
        **arguments: Unpack[UsageArguments],
    ) -> DebitResult | Denial:
        return await operations.debit(usage_request_of(**arguments), request_id, deadline or self._deadline)

    async def balance(
        self, *, customer: str, credit_type_id: str = "", deadline: timedelta | None = None
    ) -> Balance:
        """Return a customer's balance, of one credit type or of all. Raises GateUnreachable, LedgerFault."""
        request = pb.GetBalanceRequest(customer=customer, credit_type_id=credit_type_id)
        client = self._resources_in_this_loop().client
        return balance_from_wire(await client.balance(request, deadline or self._deadline))

    @property
    def unbilled(self) -> tuple[UnbilledUsage, ...]:
        """Recorded usage that the Ledger refused to bill, oldest first. A FileSpool keeps it across restarts."""
        reporter = self._require_open().reporter
        return () if reporter is None else reporter.unbilled()

    @property
    def pending_count(self) -> int:
        """The number of usage records that wait to be reported to the Ledger."""
        reporter = self._require_open().reporter
        return 0 if reporter is None else reporter.pending_count()

    async def flush(self) -> Report:
        """Report recorded usage, and uses of leases, now instead of waiting for the background task.

        Raises GateUnreachable.
        """
        resources = self._resources_in_this_loop()
        if resources.leases is not None:
            await resources.leases.report()
        reporter = resources.reporter
        return Report(billed=0, unbilled=0, left=0) if reporter is None else await reporter.report()

    async def rebill(self) -> Report:
        """Report unbilled usage again, for instance after a top-up. Raises GateUnreachable."""
        return await self._require_reporter().rebill()

    async def forgive(self, unbilled: UnbilledUsage) -> None:
        """Remove usage from the unbilled list: nobody pays for it."""
        await self._require_reporter().forgive(unbilled)

    def hold_block(self, **arguments: Unpack[AuthorizeArguments]) -> Block:
        """Return the block that authorize and try_authorize wrap, here and in SyncGate."""
        leases = self._require_open().leases
        if leases is not None:
            block = leases.block(lambda: self._single_block(**arguments), **arguments)
            if block is not None:
                return block
        return self._single_block(**arguments)

    async def end_leases(self) -> None:
        """Report all uses of leases and return what is left of them; for the gate's end."""
        if self._resources is not None and self._resources.leases is not None:
            await self._resources.leases.close()

    def report_on_sigterm(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Let SIGTERM end the leases, if the policy says so and this is the main thread. Returns what undoes it."""
        if self._lease_policy is None or not self._lease_policy.on_sigterm:
            return lambda: None
        return report_on_sigterm(loop, self.end_leases)

    def _single_block(
        self,
        *,
        ttl: timedelta | None = None,
        allow_partial: bool = False,
        deadline: timedelta | None = None,
        **arguments: Unpack[UsageArguments],
    ) -> HoldBlock:
        if allow_partial and arguments.get("lines") is not None:
            raise TypeError("lines are held all or not at all; leave allow_partial out")
        terms = HoldTerms(ttl=ttl, allow_partial=allow_partial, deadline=deadline or self._deadline)
        return HoldBlock(self._require_open().operations, usage_request_of(**arguments), terms)

    async def _open_reporter(self, client: LedgerClient) -> Reporter | None:
        if self._unreachable.spool is None:
            return None
        reporter = Reporter(
            self._unreachable.spool,
            client,
            deadline=self._deadline,
            clock=self._clock,
            on_unbilled=self._unreachable.on_unbilled,
        )
        await reporter.open()
        return reporter

    def _open_leases(
        self, client: LedgerClient, reporter: Reporter | None, fails_open: bool
    ) -> LeaseDesk | None:
        if self._lease_policy is None:
            return None
        return open_desk(
            client,
            policy=self._lease_policy,
            ids=self._ids,
            deadline=self._deadline,
            reporter=reporter,
            spool=self._unreachable.spool,
            fails_open=fails_open,
        )

    def _require_open(self) -> _Resources:
        if self._resources is None:
            raise RuntimeError("the gate is not open; use `async with Gate(…) as gate:`")
        return self._resources

    def _resources_in_this_loop(self) -> _Resources:
        resources = self._require_open()
        if asyncio.get_running_loop() is resources.loop:
            return resources
        raise RuntimeError(
            "the gate was opened in another event loop; open one in this loop, or use SyncGate"
        )

    def _require_reporter(self) -> Reporter:
        reporter = self._resources_in_this_loop().reporter
        if reporter is None:
            raise RuntimeError("the gate has no spool; give FailOpen or FailClosed one")
        return reporter
