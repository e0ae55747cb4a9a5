# SPDX-License-Identifier: Apache-2.0
"""Takes leases where use is frequent, and has them reported in the background. Runs in the gate's event loop.

One report of a lease is in flight at a time (reports.py).
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final, TypeVar

from grpc import StatusCode

from meshkit.ids import Ids
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.faults import GateUnreachable, LedgerFault, PurserError
from purser_client.leases import wire
from purser_client.leases.book import LeaseBook, Slot
from purser_client.leases.demand import lease_micros
from purser_client.leases.lease import Lease
from purser_client.leases.policy import LeasePolicy
from purser_client.leases.reports import Reports
from purser_client.leases.unreported import Unreported
from purser_client.ledger_client import LedgerClient

REPORTS_AT_ONCE: Final = 16
RETRY_SECONDS: Final = 1.0
# For what only an operator changes: a product that cannot be leased, a Ledger that knows no leases.
NEVER_LEASED_SECONDS: Final = 60.0

T = TypeVar("T")


class LeaseKeeper:
    """Keeps the leases of a book up to date with the Ledger.

    deadline: for taking a lease. unreported: where uses go that cannot be reported.
    """

    def __init__(
        self,
        book: LeaseBook,
        client: LedgerClient,
        *,
        policy: LeasePolicy,
        ids: Ids,
        deadline: timedelta,
        unreported: Unreported,
    ) -> None:
        self._book = book
        self._client = client
        self._policy = policy
        self._ids = ids
        self._deadline = deadline
        self._unreported = unreported
        self._reports = Reports(
            book, client, policy=policy, ids=ids, unreported=unreported, forget=self._forget
        )
        self._leases: set[Lease] = set()
        self._of_customer: dict[str, set[Lease]] = {}
        self._due: set[Lease] = set()
        self._woken = asyncio.Event()
        self._running: dict[Lease, asyncio.Task[Any]] = {}
        self._takes: set[asyncio.Task[None]] = set()
        self._at_once = asyncio.Semaphore(REPORTS_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._background = asyncio.create_task(self._report_until_cancelled())
        self._is_answering = True  # as far as closing has found out
        self.is_closed = False

    async def close(self) -> None:
        """Take no more leases, report everything and return what is left; what cannot be reported is recorded."""
        self.is_closed = True
        self._background.cancel()
        await asyncio.gather(self._background, *self._takes, return_exceptions=True)
        for report in self._running.values():
            report.cancel()  # it is repeated below, with a gate's deadline
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        for lease in list(self._leases):
            lease.stop()
        await asyncio.gather(*(self._end(lease) for lease in list(self._leases)))
        self._unreported.close()

    def wake(self, lease: Lease) -> None:
        """Report a lease soon. Any thread may call it."""
        if not lease.is_woken:
            lease.is_woken = True
            with contextlib.suppress(RuntimeError):  # the loop has ended, and so has the gate
                self._loop.call_soon_threadsafe(self._wake, lease)

    def consider(self, slot: Slot) -> None:
        """Take a lease if use is frequent enough, in the background."""
        now = self._book.now()
        if self.is_closed or slot.is_taking or now < slot.retry_at:
            return
        if slot.lease is not None and slot.lease.is_live(now):
            return
        micros = lease_micros(slot.demand, available_micros=slot.available_micros, now=now)
        if micros:
            slot.is_taking = True
            task = asyncio.create_task(self._take(slot, micros))
            self._takes.add(task)
            task.add_done_callback(self._takes.discard)

    async def report(self) -> None:
        """Report all uses now."""
        for lease in list(self._leases):
            self._start(lease)
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def give_back(self, customer: str) -> bool:
        """End the customer's leases that have something left: another call needs it. False: there is none.

        Those that blocks hold something of are not ended.
        """
        leases = [lease for lease in self._of_customer.get(customer, ()) if self._can_return(lease)]
        for lease in leases:
            lease.stop()
            slot = self._book.slot_of(lease)
            if slot is not None:
                slot.retry_at = self._book.now() + RETRY_SECONDS
        if leases:
            await asyncio.gather(*(self._finished_report(lease) for lease in leases))
        return bool(leases)

    async def add(self, lease: Lease, micros: int, deadline: timedelta) -> pb.SettleLeaseResponse | None:
        """Renew a lease so that so much more can be reserved. None: the Ledger gave no answer, or the lease has ended.

        Raises GateUnreachable, LedgerFault.
        """
        while (running := self._running.get(lease)) is not None:  # bounded: a report has a deadline
            await asyncio.wait({running})
        return await asyncio.shield(self._run(lease, self._reports.renew(lease, micros, deadline)))

    def _can_return(self, lease: Lease) -> bool:
        if lease.has_ended(self._book.now()):
            return False
        if lease in self._running and not lease.is_serving:
            return True
        return lease.is_serving and lease.left_micros > 0 and not lease.open_blocks

    def _wake(self, lease: Lease) -> None:
        self._due.add(lease)
        self._woken.set()

    async def _report_until_cancelled(self) -> None:
        interval = self._policy.settle_interval.total_seconds()
        round_at = self._book.now() + interval
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, round_at - self._book.now())):
                    await self._woken.wait()
            self._woken.clear()
            due, self._due = self._due, set()
            if self._book.now() >= round_at:
                round_at = self._book.now() + interval
                due = self._leases
                self._book.forget_idle()
            for lease in list(due):
                self._start(lease)

    def _start(self, lease: Lease) -> "asyncio.Task[Any]":
        return self._running.get(lease) or self._run(lease, self._report(lease))

    def _run(self, lease: Lease, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = self._running[lease] = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._running.pop(lease, None))
        return task

    async def _finished_report(self, lease: Lease) -> None:
        """Wait for the report in flight, and for another one if the lease has not ended by then."""
        await asyncio.wait({self._start(lease)})
        if lease in self._leases and not lease.open_blocks:
            await asyncio.wait({self._start(lease)})

    async def _report(self, lease: Lease) -> None:
        async with self._at_once:
            try:
                while await self._reports.report(lease) and lease.is_due():
                    pass
            except GateUnreachable:
                pass  # the next round repeats it
            except PurserError as fault:
                self._unreported.log_fault(lease, fault)

    async def _end(self, lease: Lease) -> None:
        """End a lease at the gate's end. A Ledger that does not answer is waited for once, not by every lease."""
        async with self._at_once:
            if self._is_answering:
                self._is_answering = await self._reports.end(lease, self._deadline) and self._is_answering
            else:
                await self._reports.record(lease)

    async def _take(self, slot: Slot, micros: int) -> None:
        sent = self._book.now()
        request = wire.lease_to_wire(
            request_id=self._ids.new("req"),
            customer=slot.customer,
            product=slot.product,
            group_values=dict(slot.group_values),
            credits_micros=micros,
            ttl=self._policy.ttl,
        )
        slot.retry_at = sent + RETRY_SECONDS
        try:
            response = await self._client.lease(request, self._deadline)
        except LedgerFault as fault:
            if fault.code in (StatusCode.FAILED_PRECONDITION, StatusCode.UNIMPLEMENTED):
                slot.retry_at = sent + NEVER_LEASED_SECONDS
            return
        except GateUnreachable:
            return  # single calls say so; a lease whose answer was lost ends by itself
        finally:
            slot.is_taking = False
        if response.decision != pb.DECISION_ALLOWED:
            return
        slot.retry_at = sent
        lease = Lease(
            lease_id=response.lease_id,
            customer=slot.customer,
            product=slot.product,
            group_values=dict(slot.group_values),
            credit_type_id=response.credit_type_id,
            terms=wire.terms_from_wire(response, sent),
            use_ids=int(self._ids.new("req").removeprefix("req_"), 16),
        )
        if not lease.is_serving:
            slot.retry_at = sent + NEVER_LEASED_SECONDS
        self._book.tell_capped_keys(slot, tuple(response.capped_keys))
        slot.lease = lease
        self._leases.add(lease)
        self._of_customer.setdefault(lease.customer, set()).add(lease)

    def _forget(self, lease: Lease) -> None:
        """Drop a lease that has ended, unless blocks are open, which may still use it."""
        slot = self._book.slot_of(lease)
        if slot is not None:
            slot.lease = None
        if not lease.is_done():
            return
        self._leases.discard(lease)
        of_customer = self._of_customer.get(lease.customer)
        if of_customer is not None:
            of_customer.discard(lease)
            if not of_customer:
                del self._of_customer[lease.customer]
