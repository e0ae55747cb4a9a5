# SPDX-License-Identifier: Apache-2.0
"""Reports the uses of a lease; with the same call the Ledger renews or ends it.

A report that got no answer is repeated with the same uses: each has its own request_id, so the Ledger records it once.
The caller sees to it that one report of a lease is in flight at a time.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from meshkit.ids import Ids
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.faults import GateUnreachable, LedgerFault, PurserError
from purser_client.leases import wire
from purser_client.leases.book import LeaseBook
from purser_client.leases.demand import lease_micros
from purser_client.leases.lease import Lease, Use
from purser_client.leases.policy import LeasePolicy
from purser_client.leases.unreported import Unreported
from purser_client.ledger_client import LedgerClient
from purser_client.reporting import REFUSALS

# A report of 1,000 uses may take a busy Ledger longer than an AI call may wait.
REPORT_DEADLINE: Final = timedelta(seconds=10)


class Reports:
    """Reports uses of leases. unreported: where uses go that the Ledger refuses. forget: called with ended leases."""

    def __init__(
        self,
        book: LeaseBook,
        client: LedgerClient,
        *,
        policy: LeasePolicy,
        ids: Ids,
        unreported: Unreported,
        forget: Callable[[Lease], None],
    ) -> None:
        self._book = book
        self._client = client
        self._policy = policy
        self._ids = ids
        self._unreported = unreported
        self._forget = forget

    async def report(self, lease: Lease) -> bool:
        """Report, and renew or end the lease. True: the Ledger has answered. Raises GateUnreachable, LedgerFault."""
        lease.is_woken = False
        now = self._book.now()
        uses = lease.begin_report()
        if lease.has_ended(now):
            lease.stop()
            if uses:
                await self._settle(lease, uses)
            self._forget(lease)
            return bool(uses)
        wanted = self._wanted(lease, now)
        if wanted:
            lasts = lease.terms.ends - now > self._policy.ttl.total_seconds() / 2
            if not uses and lasts and not lease.is_due():
                return False
            answer = await self._settle(lease, uses, renewal_micros=wanted + lease.needed_micros)
            if answer is not None and answer.decision == pb.DECISION_DENIED:
                lease.stop()
            return answer is not None
        lease.stop()
        if lease.open_blocks:
            # Their credits stay reserved as long as they are open, and this process lives.
            return await self._settle(lease, uses, renewal_micros=0) is not None
        if lease.unreported > len(uses):
            return await self._settle(lease, uses) is not None
        return await self._finish(lease, uses)

    async def renew(self, lease: Lease, micros: int, deadline: timedelta) -> pb.SettleLeaseResponse | None:
        """Report, and reserve so much more. None: the Ledger refuses the uses, or the lease has ended.

        Raises GateUnreachable, LedgerFault.
        """
        uses = lease.begin_report()
        wanted = max(0, lease.left_micros) + lease.needed_micros + micros
        return await self._settle(lease, uses, renewal_micros=wanted, deadline=deadline)

    async def end(self, lease: Lease, deadline: timedelta) -> bool:
        """Report all of a lease at the gate's end; record what the Ledger does not take. False: it does not answer."""
        is_answered = True
        try:
            while not lease.has_ended(self._book.now()) or lease.unreported:
                uses = lease.begin_report()
                if lease.has_ended(self._book.now()) or lease.unreported > len(uses):
                    await self._settle(lease, uses, deadline=deadline)
                else:
                    await self._finish(lease, uses, deadline)
        except GateUnreachable:
            is_answered = False
        except PurserError:
            pass
        await self.record(lease)
        return is_answered

    async def record(self, lease: Lease) -> None:
        """Record all uses of a lease without asking the Ledger."""
        while uses := lease.begin_report():
            await self._unreported.record(lease, uses)
            lease.reported(None)
        self._forget(lease)

    def _wanted(self, lease: Lease, now: float) -> int:
        """Return what shall be reserved for coming calls; 0: the lease shall end."""
        slot = self._book.slot_of(lease)
        if slot is None:
            return 0
        calls, micros = lease.taken()
        if calls:
            slot.demand.add(calls, micros, now)
        slot.available_micros = lease.terms.available_micros
        if not lease.is_serving:
            return 0
        available = slot.available_micros + max(0, lease.left_micros)
        return lease_micros(slot.demand, available_micros=available, calls_min=0, now=now)

    async def _settle(
        self,
        lease: Lease,
        uses: list[Use],
        *,
        renewal_micros: int | None = None,
        deadline: timedelta = REPORT_DEADLINE,
    ) -> pb.SettleLeaseResponse | None:
        """Report uses. None: the Ledger refuses them, or the lease has ended."""
        sent = self._book.now()
        request = wire.settle_to_wire(
            request_id=self._ids.new("req"),
            customer=lease.customer,
            lease_id=lease.lease_id,
            uses=uses,
            renewal_micros=renewal_micros,
            ttl=self._policy.ttl,
        )
        try:
            response = await self._client.settle_lease(request, deadline)
        except LedgerFault as fault:
            await self._refused(lease, uses, fault)
            return None
        has_ended = not (response.ttl.seconds or response.ttl.nanos)
        await self._check(lease, uses, response.results)
        lease.reported(None if has_ended else wire.terms_from_wire(response, sent))
        if has_ended:
            return None
        self._book.tell_capped_keys(lease, tuple(response.capped_keys))
        return response

    async def _finish(self, lease: Lease, uses: list[Use], deadline: timedelta = REPORT_DEADLINE) -> bool:
        """Report the last uses and return what is left."""
        request = wire.end_to_wire(
            request_id=self._ids.new("req"), customer=lease.customer, lease_id=lease.lease_id, uses=uses
        )
        try:
            response = await self._client.end_lease(request, deadline)
        except LedgerFault as fault:
            await self._refused(lease, uses, fault)
            return False
        await self._check(lease, uses, response.results)
        lease.reported(None)
        slot = self._book.slot_of(lease)
        if slot is not None:
            slot.available_micros = response.available_micros
        self._forget(lease)
        return True

    async def _refused(self, lease: Lease, uses: list[Use], fault: LedgerFault) -> None:
        """Stop using a lease that the Ledger does not know. Raises any fault that may pass."""
        if fault.code not in REFUSALS:
            raise fault
        while uses:
            await self._unreported.record(lease, uses)
            lease.reported(None)
            uses = lease.begin_report()
        lease.reported(None)
        self._forget(lease)

    async def _check(self, lease: Lease, uses: list[Use], results: Iterable[pb.LeaseUseResult]) -> None:
        """Forget recorded uses in the journal; uses that the Ledger cannot record go to where unbilled usage is."""
        results = list(results)
        refused = [use for use, result in zip(uses, results, strict=True) if result.HasField("error")]
        if refused:
            await self._unreported.record(lease, refused)
        self._unreported.done(uses)
