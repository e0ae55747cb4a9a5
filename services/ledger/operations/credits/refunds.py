# SPDX-License-Identifier: Apache-2.0
"""RefundGrant: takes back the unspent credits of a top-up that Contract refunds."""

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.ledger.domain.credits.refund import GrantRefunded, RefundGrant, refund_grant
from services.ledger.domain.errors import TopUpNotGranted
from services.ledger.operations.credits.settlement import open_account
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction


class Refunds:
    """Decides under the pool's lock how much of a grant is unspent. Source: services/ledger/README.md, "Refunds"."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay

    async def refund(self, command: RefundGrant) -> GrantRefunded:
        """Void credits of a top-up's grant; returns where they are. A repeated request gets the stored response.

        Raises CustomerNotFound, RequestIdReused, TopUpNotGranted.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> GrantRefunded:
            customer_id = await tx.standings.customer_id(command.customer_id)
            if (first := await tx.responses.find(customer_id, command, GrantRefunded)) is not None:
                return first
            found = await tx.accounts.granted_for(customer_id, command.top_up_id)
            if found is None:
                raise TopUpNotGranted(top_up_id=command.top_up_id)
            grant, credit_type_id = found
            opened = await open_account(
                tx,
                customer_id,
                credit_type_id,
                at=at,
                ids=self._ids,
                only_grants=frozenset({grant.grant_id}),
            )
            account, refunded = refund_grant(opened.now, grant.grant_id, command, at=opened.at)
            await opened.save(tx, account)
            await tx.responses.store(customer_id, command, refunded, at=at)
            return refunded

        refunded = await self._store.run(work, turn_of=command.customer_id)
        self._relay.wake()
        return refunded
