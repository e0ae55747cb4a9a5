# SPDX-License-Identifier: Apache-2.0
"""The mail addresses of a customer: create, confirm, remove, list, and what was mailed to them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from access import require_visible
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.alert.domain.alert import CustomerId
from services.alert.domain.commands import (
    ConfirmOwnDestination,
    CreateOwnDestination,
    RemoveOwnDestination,
)
from services.alert.domain.delivery import ENDPOINT_DISABLED, Delivery, DeliveryId, NewDelivery
from services.alert.domain.destination import (
    CODE_BYTES,
    CREATIONS_MAX,
    CREATIONS_WITHIN,
    DESTINATIONS_MAX,
    Destination,
    new_code,
)
from services.alert.domain.endpoint import DisableReason, EndpointKind, WebhookEndpoint, WebhookEndpointId
from services.alert.domain.errors import (
    CodeWrong,
    DestinationExists,
    DestinationLimitReached,
    DestinationNotFound,
    EmailNotConfigured,
)
from services.alert.domain.event import EventId, confirmation_of
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore, Transaction


class Destinations:
    """Keeps the destinations. wall: mails use wall time only.

    randomness: n → n random bytes, for codes. courier: mails what has become due. can_mail: whether there is a mail
    server.
    """

    def __init__(
        self,
        *,
        store: PostgresStore,
        wall: Clock,
        ids: Ids,
        randomness: Callable[[int], bytes],
        courier: Courier,
        can_mail: bool,
    ) -> None:
        self._store = store
        self._courier = courier
        self._wall = wall
        self._ids = ids
        self._randomness = randomness
        self._can_mail = can_mail

    async def create(self, command: CreateOwnDestination) -> Destination:
        """Add an address, and mail a code to it.

        Raises TokenRestricted, EmailNotConfigured, DestinationExists, DestinationLimitReached.
        """
        require_visible(command.customer_id)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Destination)) is not None:
                return first
            if not self._can_mail:
                raise EmailNotConfigured()
            # So that a customer's creations are counted one after the other.
            await tx.events.hold_sequence(command.customer_id)
            await self._refuse_more(tx, command)
            at = self._wall.now()
            endpoint = WebhookEndpoint(
                webhook_endpoint_id=WebhookEndpointId(self._ids.new("end")),
                url="",
                kind=EndpointKind.EMAIL,
                recipients=(command.address,),
                event_types=(),
                create_time=at,
            )
            destination = Destination(
                destination_id=endpoint.webhook_endpoint_id,
                customer_id=command.customer_id,
                address=command.address,
                event_types=command.event_types,
                create_time=at,
            )
            code = new_code(self._randomness(CODE_BYTES), at=at)
            await tx.endpoints.insert(endpoint)
            await tx.destinations.insert(destination, code)
            confirmation = confirmation_of(
                EventId(self._ids.new("evt")), command.customer_id, code.text, code.expire_time, at=at
            )
            await tx.deliveries.insert(
                [
                    NewDelivery(
                        delivery_id=DeliveryId(self._ids.new("dlv")),
                        webhook_endpoint_id=endpoint.webhook_endpoint_id,
                        event=confirmation,
                        create_time=at,
                        is_stored=False,
                    )
                ]
            )
            await tx.responses.store(command, destination)
        self._courier.wake()
        return destination

    async def _refuse_more(self, tx: Transaction, command: CreateOwnDestination) -> None:
        present = await tx.destinations.of(command.customer_id)
        if command.address in (one.address for one in present):
            raise DestinationExists(address=command.address)
        if len(present) >= DESTINATIONS_MAX:
            raise DestinationLimitReached(limit=f"{DESTINATIONS_MAX} at a time")
        since = self._wall.now() - CREATIONS_WITHIN
        if await tx.destinations.created_since(command.customer_id, since) >= CREATIONS_MAX:
            raise DestinationLimitReached(limit=f"{CREATIONS_MAX} in 24 hours")

    async def confirm(self, command: ConfirmOwnDestination) -> Destination:
        """Accept the code that was mailed; a confirmed destination is unchanged.

        Raises DestinationNotFound, CodeWrong, CodeExpired.
        """
        await self._try(command)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Destination)) is not None:
                return first
            found = await tx.destinations.lock(command.destination_id)
            destination = _kept(found.destination)
            if destination.confirm_time is None:
                at = self._wall.now()
                found.code.check(command.code, command.destination_id, at=at)
                destination = replace(destination, confirm_time=at)
                await tx.destinations.save(destination)
            await tx.responses.store(command, destination)
        return destination

    async def _try(self, command: ConfirmOwnDestination) -> None:
        """Count a wrong code, which must be committed although the call fails."""
        wrong: CodeWrong | None = None
        async with self._store.transaction() as tx:
            found = await tx.destinations.lock(command.destination_id)
            if found.destination.confirm_time is None and found.destination.remove_time is None:
                try:
                    found.code.check(command.code, command.destination_id, at=self._wall.now())
                except CodeWrong as error:
                    wrong = error
                    await tx.destinations.count_try(command.destination_id)
        if wrong is not None:
            raise wrong

    async def remove(self, command: RemoveOwnDestination) -> Destination:
        """Mail nothing more to an address; what is pending fails. Raises DestinationNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Destination)) is not None:
                return first
            destination = (await tx.destinations.lock(command.destination_id)).destination
            if destination.remove_time is None:
                at = self._wall.now()
                endpoint = await tx.endpoints.lock(command.destination_id)
                if endpoint.disable_time is None:
                    disabled = replace(endpoint, disable_time=at, disable_reason=DisableReason.OPERATOR)
                    await tx.endpoints.disable(disabled, missed_after=None)
                    await tx.deliveries.fail_pending(command.destination_id, error=ENDPOINT_DISABLED)
                destination = replace(destination, remove_time=at)
                await tx.destinations.save(destination)
            await tx.responses.store(command, destination)
        return destination

    async def list(self, customer_id: CustomerId) -> Sequence[Destination]:
        """Return a customer's destinations in order of creation. Raises TokenRestricted."""
        require_visible(customer_id)
        async with self._store.transaction() as tx:
            return await tx.destinations.of(customer_id)

    async def mailed(self, customer_id: CustomerId, page: Page) -> Sequence[tuple[Delivery, str]]:
        """Return what was mailed, newest first, with addresses; one more if there is one. Raises TokenRestricted."""
        require_visible(customer_id)
        async with self._store.transaction() as tx:
            return await tx.destinations.mailed(customer_id, page)


def _kept(destination: Destination) -> Destination:
    """Raise DestinationNotFound if a destination was removed."""
    if destination.remove_time is not None:
        raise DestinationNotFound(destination_id=destination.destination_id)
    return destination
