# SPDX-License-Identifier: Apache-2.0
"""RepairCopy: lets a copy accept again what its owner sends."""

from datetime import datetime

import structlog

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.ledger.domain.copy_repair import CopyKind, RepairCopy, RepairedCopy
from services.ledger.domain.errors import CopyNotFound
from services.ledger.operations.credits.settlement import open_account
from services.ledger.operations.ports import Relay
from services.ledger.operations.seat_changes import remove_seat_change
from services.ledger.store import PostgresStore, Transaction

log = structlog.get_logger(__name__)


class CopyRepairs:
    """Sets back copies whose numbers block what follows. What they say stays until the owner sends it again."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay

    async def repair(self, command: RepairCopy) -> RepairedCopy:
        """Set a copy's version to the lowest, or remove a seat change. Raises CopyNotFound, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> RepairedCopy:
            if (first := await tx.copy_repairs.find(command)) is not None:
                return first
            if command.kind is CopyKind.SEAT_CHANGE:
                before = await self._remove_seat_change(tx, command, at)
            else:
                before = await tx.copy_repairs.set_version_back(command)
            repaired = RepairedCopy(number_before=before)
            await tx.copy_repairs.insert(command, repaired, at=at)
            return repaired

        repaired = await self._store.run(work, turn_of=command.customer_id)
        self._relay.wake()
        log.warning(
            "copy_repaired",
            copy_kind=command.kind.value,
            copy_id=command.copy_id,
            number_before=repaired.number_before,
            reason=command.reason,
            actor=command.actor,
        )
        return repaired

    async def _remove_seat_change(self, tx: Transaction, command: RepairCopy, at: datetime) -> int:
        """Count seats without a change from now on. What was granted for it stays."""
        customer_id, subscription_id = command.customer_id, command.subscription_id
        assert customer_id is not None
        assert subscription_id is not None
        if not await tx.copies.lock_customer(customer_id):
            raise CopyNotFound(copy_kind=command.kind.value, copy_id=command.copy_id)
        removed = await remove_seat_change(
            tx, customer_id, subscription_id, command.copy_id, at=at, ids=self._ids
        )
        if removed is None:
            raise CopyNotFound(copy_kind=command.kind.value, copy_id=command.copy_id)
        for credit_type_id, slot_ids in removed.slots.items():
            opened = await open_account(
                tx, customer_id, credit_type_id, at=at, ids=self._ids, settles=True, slot_ids=slot_ids
            )
            await opened.save(tx, opened.now)
        return removed.sequence
