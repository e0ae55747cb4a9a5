# SPDX-License-Identifier: Apache-2.0
"""ReleaseHold: a hold that an operator cancels, recorded like every write of an operator."""

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.commands import ReleaseHold
from services.ledger.domain.gate.decision import Released
from services.ledger.operations.credits.settlement import open_account
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction


class HoldReleases:
    """Releases holds by the gate's rule, outside its lane: there are few, and each leaves an audit record."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay

    async def release(self, command: ReleaseHold) -> Released:
        """Release all of a hold. Raises CustomerNotFound, HoldNotFound, HoldAlreadyResolved, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> Released:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, Released)) is not None:
                return first
            credit_type_id = await tx.accounts.credit_type_of_hold(customer_id, command.hold_id)
            opened = await open_account(
                tx, customer_id, credit_type_id, at=at, ids=self._ids, hold_id=command.hold_id
            )
            account, released = gate.release(opened.now, opened.now.holds[command.hold_id], at=opened.at)
            await opened.save(tx, account)
            await tx.responses.store(customer_id, command, released, at=at)
            return released

        response = await self._store.run(work, turn_of=command.customer)
        self._relay.wake()
        return response
