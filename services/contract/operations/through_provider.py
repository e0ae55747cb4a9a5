# SPDX-License-Identifier: Apache-2.0
"""What all operations through the payment provider work with."""

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.contract.domain.errors.payments import PaymentsNotSetUp
from services.contract.operations.ports import PaymentProvider, Relay
from services.contract.store import PostgresStore


class ThroughProvider:
    """The base of operations through the provider.

    provider: None if payments are not set up. clock: business time, which may stand still; wall: when the provider is
    asked again.
    """

    def __init__(
        self,
        *,
        store: PostgresStore,
        provider: PaymentProvider | None,
        relay: Relay,
        clock: Clock,
        wall: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._known_provider = provider
        self._relay = relay
        self._clock = clock
        self._wall = wall
        self._ids = ids

    @property
    def _provider(self) -> PaymentProvider:
        """The provider. Raises PaymentsNotSetUp."""
        if self._known_provider is None:
            raise PaymentsNotSetUp()
        return self._known_provider
