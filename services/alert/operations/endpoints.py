# SPDX-License-Identifier: Apache-2.0
"""The rpcs about webhook endpoints: create, list, update, test, rotate the secret, disable, enable."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.alert.domain.commands import (
    CreateWebhookEndpoint,
    DisableWebhookEndpoint,
    EnableWebhookEndpoint,
    RotateWebhookSecret,
    TestWebhookEndpoint,
    UpdateWebhookEndpoint,
)
from services.alert.domain.delivery import Delivery, DeliveryId, NewDelivery
from services.alert.domain.endpoint import (
    ROTATION_OVERLAP,
    SECRET_BYTES,
    DisableReason,
    EndpointCreated,
    EndpointKind,
    Header,
    Secret,
    SecretId,
    SecretRotated,
    WebhookEndpoint,
    WebhookEndpointId,
    secret_text,
)
from services.alert.domain.errors import (
    EmailNotConfigured,
    WebhookEndpointDisabled,
    WebhookEndpointKindMismatch,
)
from services.alert.domain.event import EventId, test_of
from services.alert.domain.replay import Replay, ReplayId, replay_of_missed
from services.alert.operations.disabling import disable, last_position, lock_endpoint
from services.alert.operations.ports import Courier, Targets
from services.alert.store import PostgresStore, Transaction


class Endpoints:
    """Keeps the endpoints. wall: webhooks use wall time only.

    randomness: n → n random bytes, for secrets. courier: posts what has become due; replayer: carries out replays.
    can_mail: whether there is a mail server.
    """

    def __init__(
        self,
        *,
        store: PostgresStore,
        targets: Targets,
        wall: Clock,
        ids: Ids,
        randomness: Callable[[int], bytes],
        courier: Courier,
        replayer: Courier,
        can_mail: bool,
    ) -> None:
        self._store = store
        self._targets = targets
        self._courier = courier
        self._replayer = replayer
        self._wall = wall
        self._ids = ids
        self._randomness = randomness
        self._can_mail = can_mail

    async def create(self, command: CreateWebhookEndpoint) -> tuple[EndpointCreated, Secret | None]:
        """Create an endpoint and, unless it gets mails, its secret. Raises WebhookTargetRefused, EmailNotConfigured."""
        # Resolved before the transaction, which must not wait for a name server. Raised inside it: a retry gets
        # its stored response, whatever the name resolves to now.
        is_mail = command.kind is EndpointKind.EMAIL
        refusal = None if is_mail else await self._targets.refusal(command.url)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, EndpointCreated)) is not None:
                return first, None if first.secret_id is None else await tx.endpoints.secret(first.secret_id)
            if refusal is not None:
                raise refusal
            if is_mail and not self._can_mail:
                raise EmailNotConfigured()
            endpoint = WebhookEndpoint(
                webhook_endpoint_id=WebhookEndpointId(self._ids.new("end")),
                url=command.url,
                kind=command.kind,
                recipients=command.recipients,
                event_types=command.event_types,
                header_names=_names(command.headers),
                create_time=self._wall.now(),
            )
            await tx.endpoints.insert(endpoint)
            await tx.headers.replace(endpoint.webhook_endpoint_id, command.headers)
            secret = None if is_mail else self._new_secret(endpoint)
            if secret is not None:
                await tx.endpoints.insert_secret(secret)
            created = EndpointCreated(
                webhook_endpoint=endpoint, secret_id=None if secret is None else secret.secret_id
            )
            await tx.responses.store(command, created)
        return created, secret

    async def list(self, page: Page) -> Sequence[WebhookEndpoint]:
        """Return a page in order of creation, and one row more if there is one."""
        async with self._store.transaction() as tx:
            return await tx.endpoints.list(page)

    async def rotate_secret(self, command: RotateWebhookSecret) -> tuple[SecretRotated, Secret]:
        """Create a new secret. The previous one stays valid for 24 h.

        Raises WebhookEndpointNotFound, WebhookEndpointKindMismatch.
        """
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, SecretRotated)) is not None:
                return first, await tx.endpoints.secret(first.secret_id)
            await tx.destinations.refuse(command.webhook_endpoint_id)
            endpoint = await tx.endpoints.lock(command.webhook_endpoint_id)
            if endpoint.kind is EndpointKind.EMAIL:
                raise _mismatch(endpoint, "secret")
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

    async def update(self, command: UpdateWebhookEndpoint) -> WebhookEndpoint:
        """Change where and what is posted from now on.

        Raises WebhookEndpointNotFound, WebhookEndpointKindMismatch, WebhookTargetRefused.
        """
        refusal = None if command.url is None else await self._targets.refusal(command.url)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, WebhookEndpoint)) is not None:
                return first
            await tx.destinations.refuse(command.webhook_endpoint_id)
            endpoint = await tx.endpoints.lock(command.webhook_endpoint_id)
            _require_kind(endpoint, command)
            if refusal is not None:
                raise refusal
            if command.url is not None:
                endpoint = replace(endpoint, url=command.url)
            if command.recipients is not None:
                endpoint = replace(endpoint, recipients=command.recipients)
            if command.event_types is not None:
                endpoint = replace(endpoint, event_types=command.event_types)
            await tx.endpoints.update(endpoint)
            if command.headers is not None:
                endpoint = replace(endpoint, header_names=_names(command.headers))
                await tx.headers.replace(endpoint.webhook_endpoint_id, command.headers)
            await tx.responses.store(command, endpoint)
        return endpoint

    async def test(self, command: TestWebhookEndpoint) -> Delivery:
        """Post one test event to one endpoint. Raises WebhookEndpointNotFound, WebhookEndpointDisabled."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Delivery)) is not None:
                return first
            await tx.destinations.refuse(command.webhook_endpoint_id)
            endpoint = await tx.endpoints.lock(command.webhook_endpoint_id)
            if endpoint.disable_time is not None:
                raise WebhookEndpointDisabled(webhook_endpoint_id=endpoint.webhook_endpoint_id)
            at = self._wall.now()
            new = NewDelivery(
                delivery_id=DeliveryId(self._ids.new("dlv")),
                webhook_endpoint_id=endpoint.webhook_endpoint_id,
                event=test_of(EventId(self._ids.new("evt")), endpoint.webhook_endpoint_id, at=at),
                create_time=at,
                is_stored=False,
            )
            await tx.deliveries.insert([new])
            delivery = await tx.deliveries.get(new.delivery_id)
            await tx.responses.store(command, delivery)
        self._courier.wake()
        return delivery

    async def disable(self, command: DisableWebhookEndpoint) -> WebhookEndpoint:
        """Stop posting to an endpoint. Repeating it changes nothing. Raises WebhookEndpointNotFound."""
        await self._store.place_events()  # so that little is left to do while the endpoint is locked
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, WebhookEndpoint)) is not None:
                return first
            endpoint = await lock_endpoint(tx, command.webhook_endpoint_id)
            at = self._wall.now()
            endpoint = await disable(tx, endpoint, reason=DisableReason.OPERATOR, at=at, ids=self._ids)
            await tx.responses.store(command, endpoint)
        self._courier.wake()
        return endpoint

    async def enable(self, command: EnableWebhookEndpoint) -> WebhookEndpoint:
        """Post to a disabled endpoint again, and what it missed first. An enabled one is unchanged.

        Raises WebhookEndpointNotFound.
        """
        await self._store.place_events()
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, WebhookEndpoint)) is not None:
                return first
            await tx.destinations.refuse(command.webhook_endpoint_id)
            endpoint = await lock_endpoint(tx, command.webhook_endpoint_id)
            if endpoint.disable_time is not None:
                await tx.replays.insert(await self._missed_by(tx, endpoint, endpoint.disable_time))
                await tx.failures.end([endpoint.webhook_endpoint_id])
                endpoint = replace(endpoint, disable_time=None, disable_reason=None)
                await tx.endpoints.enable(endpoint)
            await tx.responses.store(command, endpoint)
        self._replayer.wake()
        return endpoint

    async def _missed_by(self, tx: Transaction, endpoint: WebhookEndpoint, disable_time: datetime) -> Replay:
        """Return the replay of what an endpoint missed, up to now, that lock_endpoint has locked."""
        failures = await tx.failures.lock(endpoint.webhook_endpoint_id)
        newest = await last_position(tx)
        after = await tx.endpoints.missed_after(endpoint.webhook_endpoint_id)
        if after is None:
            after = await tx.feed.before(disable_time)
        return replay_of_missed(
            ReplayId(self._ids.new("rpl")),
            endpoint,
            failing_since=None if failures is None else failures.since_time,
            after_position=max(after, (await tx.feed.state()).forgotten_position),
            until_position=newest,
            at=self._wall.now(),
        )

    def _new_secret(self, endpoint: WebhookEndpoint) -> Secret:
        return Secret(
            secret_id=SecretId(self._ids.new("sec")),
            webhook_endpoint_id=endpoint.webhook_endpoint_id,
            text=secret_text(self._randomness(SECRET_BYTES)),
            create_time=self._wall.now(),
        )


def _require_kind(endpoint: WebhookEndpoint, command: UpdateWebhookEndpoint) -> None:
    """Raises WebhookEndpointKindMismatch if the endpoint's kind has not all that is to be changed."""
    is_mail = endpoint.kind is EndpointKind.EMAIL
    for field in ("url", "headers") if is_mail else ("recipients",):
        if getattr(command, field) is not None:
            raise _mismatch(endpoint, field)


def _mismatch(endpoint: WebhookEndpoint, field: str) -> WebhookEndpointKindMismatch:
    return WebhookEndpointKindMismatch(
        webhook_endpoint_id=endpoint.webhook_endpoint_id, kind=endpoint.kind.value, field=field
    )


def _names(headers: Sequence[Header]) -> tuple[str, ...]:
    return tuple(one.name for one in headers)
