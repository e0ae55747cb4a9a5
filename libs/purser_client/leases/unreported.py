# SPDX-License-Identifier: Apache-2.0
"""Where uses of leases are kept until the Ledger has recorded them: the spool, and its journal, if the gate has one."""

from collections.abc import Sequence

from meshkit.ids import Ids
from purser_client.faults import PurserError
from purser_client.leases import wire
from purser_client.leases.journal import UseJournal
from purser_client.leases.lease import Lease, Use
from purser_client.reporting import Reporter
from purser_client.spool import log


class Unreported:
    """Keeps uses. reporter: of the gate's spool; journal: of a spool that outlives the process. Both may be missing."""

    def __init__(self, *, ids: Ids, reporter: Reporter | None, journal: UseJournal | None) -> None:
        self._ids = ids
        self._reporter = reporter
        self._journal = journal

    def write(self, lease: Lease, use: Use) -> None:
        """Write a use to the journal, so that it outlives this process. Any thread may call it."""
        if self._journal is not None:
            self._journal.write(lease.customer, lease.lease_id, use)

    def done(self, uses: Sequence[Use]) -> None:
        """Forget uses that the Ledger or the spool has."""
        if self._journal is not None:
            self._journal.done(uses)

    def close(self) -> None:
        """Close the journal. What nobody has recorded stays in it, for the next process."""
        if self._journal is not None:
            self._journal.close()

    async def record(self, lease: Lease, uses: Sequence[Use]) -> None:
        """Record uses in the spool, which reports them again; without one, they are lost. Raises SpoolBroken."""
        if self._reporter is None:
            log.error(
                "%d uses of the lease %s of %s were not reported: %s",
                len(uses),
                lease.lease_id,
                lease.customer,
                [(use.request_id, use.quantity_micros, use.credits_micros) for use in uses[:20]],
            )
            return
        request = wire.settle_to_wire(
            request_id=self._ids.new("req"), customer=lease.customer, lease_id=lease.lease_id, uses=uses
        )
        await self._reporter.add(request)
        self.done(uses)

    def log_fault(self, lease: Lease, fault: PurserError) -> None:
        log.warning(
            "uses of the lease %s of %s were not recorded, and will be reported again: %s",
            lease.lease_id,
            lease.customer,
            fault,
        )
