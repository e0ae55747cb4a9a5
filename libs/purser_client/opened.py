# SPDX-License-Identifier: Apache-2.0
"""What a gate has while it is open: its connections, its spool and its leases. Gate and SyncGate both call it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, Unpack

import grpc
import grpc.aio

from meshkit.clock import Clock
from meshkit.ids import Ids
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser_client.answers import DebitResult, Denial
from purser_client.arguments import AuthorizeArguments, UsageArguments, usage_request_of
from purser_client.blocks import Block, HoldBlock
from purser_client.channel import open_channel
from purser_client.hold_operations import HoldOperations, HoldTerms
from purser_client.leases.desk import LeaseDesk, open_desk
from purser_client.leases.policy import LeasePolicy
from purser_client.leases.termination import report_on_sigterm
from purser_client.ledger_client import LedgerClient
from purser_client.policy import FailOpen, Unreachable
from purser_client.reporting import Reporter
from purser_client.token import Token, TokenSource


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """What a gate was made with (gate.py says what each means). target: of the addresses. lease: None for no leases."""

    target: str
    server_name: str | None
    unreachable: Unreachable
    deadline: timedelta
    coalesce: bool
    lease: LeasePolicy | None
    credentials: grpc.ChannelCredentials | None
    token: Token | None
    clock: Clock
    ids: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGate:
    """An open gate. Any thread may call `block` and `debit_now`; everything else runs in its event loop."""

    options: GateOptions
    loop: asyncio.AbstractEventLoop
    channel: grpc.aio.Channel
    client: LedgerClient
    operations: HoldOperations
    reporter: Reporter | None
    leases: LeaseDesk | None

    @classmethod
    async def open(cls, options: GateOptions) -> Self:
        """Open a gate in the running event loop. The Ledger may be unreachable. Raises SpoolBroken."""
        channel = open_channel(options.target, options.credentials, server_name=options.server_name)
        client = LedgerClient(
            LedgerServiceStub(channel), coalesce=options.coalesce, tokens=TokenSource(options.token)
        )
        try:
            reporter = await _open_reporter(client, options)
        except BaseException:
            await channel.close()
            raise
        fails_open = isinstance(options.unreachable, FailOpen)
        leases = None
        if options.lease is not None:
            leases = open_desk(
                client,
                policy=options.lease,
                ids=options.ids,
                deadline=options.deadline,
                reporter=reporter,
                spool=options.unreachable.spool,
                fails_open=fails_open,
            )
        operations = HoldOperations(
            client, ids=options.ids, reporter=reporter, fails_open=fails_open, leases=leases
        )
        return cls(
            options=options,
            loop=asyncio.get_running_loop(),
            channel=channel,
            client=client,
            operations=operations,
            reporter=reporter,
            leases=leases,
        )

    async def close(self) -> None:
        """Wait for unfinished operations, for about one deadline at most, then close the connections."""
        seconds = self.options.deadline.total_seconds()
        await self.operations.close(seconds)
        if self.reporter is not None:
            await self.reporter.close()
        await self.client.close()
        await self.channel.close(seconds)

    async def end_leases(self) -> None:
        """Report all uses of leases and return what is left of them; calls after it are the Ledger's."""
        if self.leases is not None:
            await self.leases.close()

    def handle_sigterm(self) -> Callable[[], None]:
        """Let SIGTERM end the leases, if the policy says so and this is the main thread. Returns what undoes it."""
        if self.options.lease is None or not self.options.lease.on_sigterm:
            return lambda: None
        return report_on_sigterm(self.loop, self.end_leases)

    def block(self, **arguments: Unpack[AuthorizeArguments]) -> Block:
        """Return a block that a lease serves, or the Ledger."""
        if self.leases is not None:
            block = self.leases.block(lambda: self._single_block(**arguments), **arguments)
            if block is not None:
                return block
        return self._single_block(**arguments)

    def debit_now(
        self, *, request_id: str = "", deadline: timedelta | None = None, **arguments: Unpack[UsageArguments]
    ) -> DebitResult | None:
        """Debit from a lease; None: the Ledger must decide.

        A caller that names a request_id wants to be able to repeat it after a crash: that is for the Ledger.
        """
        return None if self.leases is None or request_id else self.leases.debit(**arguments)

    async def debit(
        self, *, request_id: str = "", deadline: timedelta | None = None, **arguments: Unpack[UsageArguments]
    ) -> DebitResult | Denial:
        """Let the Ledger decide a debit. Raises GateUnreachable (unless the gate fails open), LedgerFault."""
        usage = usage_request_of(**arguments)
        return await self.operations.debit(usage, request_id, deadline or self.options.deadline)

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
        terms = HoldTerms(ttl=ttl, allow_partial=allow_partial, deadline=deadline or self.options.deadline)
        return HoldBlock(self.operations, usage_request_of(**arguments), terms)


async def _open_reporter(client: LedgerClient, options: GateOptions) -> Reporter | None:
    if options.unreachable.spool is None:
        return None
    reporter = Reporter(
        options.unreachable.spool,
        client,
        deadline=options.deadline,
        clock=options.clock,
        on_unbilled=options.unreachable.on_unbilled,
    )
    await reporter.open()
    return reporter
