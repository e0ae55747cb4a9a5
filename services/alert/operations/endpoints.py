# SPDX-License-Identifier: Apache-2.0
"""CreateWebhookEndpoint, ListWebhookEndpoints, RotateWebhookSecret, DisableWebhookEndpoint."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.alert.domain.commands import (
    CreateWebhookEndpoint,
    DisableWebhookEndpoint,
    RotateWebhookSecret,
)
from services.alert.domain.delivery import ENDPOINT_DISABLED
from services.alert.domain.endpoint import (
    ROTATION_OVERLAP,
    SECRET_BYTES,
    EndpointCreated,
    Secret,
    SecretId,
    SecretRotated,
    WebhookEndpoint,
    WebhookEndpointId,
    secret_text,
)
from services.alert.operations.ports import Targets
from services.alert.store import PostgresStore


class Endpoints:
    """Creates, lists and disables endpoints. wall: webhooks use wall time only.

    randomness: n → n random bytes, for secrets.
    """

    def __init__(
        self,
        *,
        store: PostgresStore,
        targets: Targets,
        wall: Clock,
        ids: Ids,
        randomness: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._targets = targets
        self._wall = wall
        self._ids = ids
        self._randomness = randomness

    async def create(self, command: CreateWebhookEndpoint) -> tuple[EndpointCreated, Secret]:
        """Create an endpoint and its secret. Raises WebhookTargetRefused."""
        # Resolved before the transaction, which must not wait for a name server. Raised inside it: a retry gets
        # its stored response, whatever the name resolves to now.
        refusal = await self._targets.refusal(command.url)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, EndpointCreated)) is not None:
                return first, await tx.endpoints.secret(first.secret_id)
            if refusal is not None:
                raise refusal
            endpoint = WebhookEndpoint(
                webhook_endpoint_id=WebhookEndpointId(self._ids.new("end")),
                url=command.url,
                event_types=command.event_types,
                create_time=self._wall.now(),
            )
            secret = self._new_secret(endpoint)
            await tx.endpoints.insert(endpoint)
            await tx.endpoints.insert_secret(secret)
            created = EndpointCreated(webhook_endpoint=endpoint, secret_id=secret.secret_id)
            await tx.responses.store(command, created)
        return created, secret

    async def list(self, page: Page) -> Sequence[WebhookEndpoint]:
        """Return a page in order of creation, and one row more if there is one."""
        async with self._store.transaction() as tx:
            return await tx.endpoints.list(page)

    async def rotate_secret(self, command: RotateWebhookSecret) -> tuple[SecretRotated, Secret]:
        """Create a new secret. The previous one stays valid for 24 h. Raises WebhookEndpointNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, SecretRotated)) is not None:
                return first, await tx.endpoints.secret(first.secret_id)
            endpoint = await tx.endpoints.lock(command.webhook_endpoint_id)
            secret = self._new_secret(endpoint)
            rotated = SecretRotated(
                secret_id=secret.secret_id, previous_expire_time=secret.create_time + ROTATION_OVERLAP
            )
            await tx.endpoints.expire_secret(
                endpoint.webhook_endpoint_id, expire=rotated.previous_expire_time
            )
            await tx.endpoints.insert_secret(secret)
            await tx.responses.store(command, rotated)
        return rotated, secret

    async def disable(self, command: DisableWebhookEndpoint) -> WebhookEndpoint:
        """Stop posting to an endpoint, forever. Repeating it changes nothing. Raises WebhookEndpointNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, WebhookEndpoint)) is not None:
                return first
            endpoint = await tx.endpoints.lock(command.webhook_endpoint_id)
            if endpoint.disable_time is None:
                endpoint = replace(endpoint, disable_time=max(endpoint.create_time, self._wall.now()))
                await tx.endpoints.disable(endpoint)
                await tx.deliveries.fail_pending(endpoint.webhook_endpoint_id, error=ENDPOINT_DISABLED)
            await tx.responses.store(command, endpoint)
        return endpoint

    def _new_secret(self, endpoint: WebhookEndpoint) -> Secret:
        return Secret(
            secret_id=SecretId(self._ids.new("sec")),
            webhook_endpoint_id=endpoint.webhook_endpoint_id,
            text=secret_text(self._randomness(SECRET_BYTES)),
            create_time=self._wall.now(),
        )
