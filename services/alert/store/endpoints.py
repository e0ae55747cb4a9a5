# SPDX-License-Identifier: Apache-2.0
"""Statements about webhook endpoints and their secrets. A secret is stored in its own row only, encrypted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Update, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.keyring import Encrypted, Keyring, Undecryptable
from meshkit.page import Page
from services.alert.domain.delivery import DeliveryStatus
from services.alert.domain.endpoint import (
    DisableReason,
    EndpointKind,
    Secret,
    SecretId,
    WebhookEndpoint,
    WebhookEndpointId,
)
from services.alert.domain.errors import WebhookEndpointNotFound, WebhookSecretUnreadable
from services.alert.domain.event import EventType
from services.alert.tables import deliveries, destinations
from services.alert.tables import webhook_endpoints as endpoints
from services.alert.tables import webhook_secrets as secrets

_SELECT = select(
    endpoints.c.webhook_endpoint_id,
    endpoints.c.url,
    endpoints.c.kind,
    endpoints.c.recipients,
    endpoints.c.event_types,
    endpoints.c.header_names,
    endpoints.c.create_time,
    endpoints.c.disable_time,
    endpoints.c.disable_reason,
)
_SELECT_SECRETS = select(
    secrets.c.secret_id,
    secrets.c.webhook_endpoint_id,
    secrets.c.secret,
    secrets.c.key_id,
    secrets.c.ciphertext,
    secrets.c.create_time,
    secrets.c.expire_time,
)


@dataclass(slots=True)
class EncryptionResult:
    """What an encryption of stored secrets did. unreadable: the ids of secrets and keys."""

    encrypted: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


class StoredEndpoints:
    """Lock an endpoint before its deliveries."""

    def __init__(self, connection: AsyncConnection, keyring: Keyring) -> None:
        self._connection = connection
        self._keyring = keyring

    async def insert(self, endpoint: WebhookEndpoint) -> None:
        """Insert an endpoint without custom headers (headers.py)."""
        await self._connection.execute(
            insert(endpoints).values(
                webhook_endpoint_id=endpoint.webhook_endpoint_id,
                kind=_stored_kind(endpoint).value,
                create_time=endpoint.create_time,
                disable_time=endpoint.disable_time,
                header_names=[],
                **_wishes(endpoint),
            )
        )

    async def update(self, endpoint: WebhookEndpoint) -> None:
        """Save where and what is posted to a locked endpoint."""
        await self._connection.execute(_one(endpoint).values(_wishes(endpoint)))

    async def get(self, webhook_endpoint_id: WebhookEndpointId) -> WebhookEndpoint:
        """Return an endpoint, disabled or not. Raises WebhookEndpointNotFound."""
        wanted = _SELECT.where(endpoints.c.webhook_endpoint_id == webhook_endpoint_id)
        return _known(webhook_endpoint_id, (await self._connection.execute(wanted)).first())

    async def some(
        self, webhook_endpoint_ids: Collection[WebhookEndpointId]
    ) -> dict[WebhookEndpointId, WebhookEndpoint]:
        """Return endpoints, disabled or not."""
        wanted = _SELECT.where(endpoints.c.webhook_endpoint_id.in_(webhook_endpoint_ids))
        found = map(_from_row, await self._connection.execute(wanted))
        return {one.webhook_endpoint_id: one for one in found}

    async def lock(self, webhook_endpoint_id: WebhookEndpointId) -> WebhookEndpoint:
        """Return an endpoint, locked until the commit. Raises WebhookEndpointNotFound."""
        wanted = _SELECT.where(endpoints.c.webhook_endpoint_id == webhook_endpoint_id)
        return _known(
            webhook_endpoint_id,
            (await self._connection.execute(wanted.with_for_update(key_share=True))).first(),
        )

    async def hold(self, webhook_endpoint_id: WebhookEndpointId) -> WebhookEndpoint:
        """Return an endpoint that is not changed before the commit, but may be held by others, too."""
        wanted = _SELECT.where(endpoints.c.webhook_endpoint_id == webhook_endpoint_id)
        return _from_row((await self._connection.execute(wanted.with_for_update(read=True))).one())

    async def hold_wanting(self, event_type: EventType) -> list[WebhookEndpointId]:
        """Return all enabled endpoints that want a type, locked so that none is disabled before the commit.

        Those that are disabled are locked too: who enables one waits for the events that it misses.
        """
        wanted = (
            select(endpoints.c.webhook_endpoint_id, endpoints.c.disable_time)
            .where(endpoints.c.event_types.contains([event_type.value]))
            .order_by(endpoints.c.webhook_endpoint_id)
            .with_for_update(read=True)
        )
        rows = await self._connection.execute(wanted)
        return [WebhookEndpointId(row.webhook_endpoint_id) for row in rows if row.disable_time is None]

    async def enabled(self) -> list[WebhookEndpointId]:
        """Return the enabled endpoints, in order of creation."""
        wanted = select(endpoints.c.webhook_endpoint_id).where(endpoints.c.disable_time.is_(None))
        rows = await self._connection.execute(wanted.order_by(endpoints.c.webhook_endpoint_id))
        return [WebhookEndpointId(found) for found in rows.scalars()]

    async def disable(self, endpoint: WebhookEndpoint, *, missed_after: int | None) -> None:
        """Disable a locked endpoint. missed_after: as the method of that name returns it."""
        assert endpoint.disable_time is not None
        await self._connection.execute(
            _one(endpoint).values(
                disable_time=endpoint.disable_time,
                disable_reason=None if endpoint.disable_reason is None else endpoint.disable_reason.value,
                missed_after=missed_after,
            )
        )

    async def enable(self, endpoint: WebhookEndpoint) -> None:
        """Enable a locked endpoint."""
        await self._connection.execute(
            _one(endpoint).values(disable_time=None, disable_reason=None, missed_after=None)
        )

    async def missed_after(self, webhook_endpoint_id: WebhookEndpointId) -> int | None:
        """Return the position in the feed after which a disabled endpoint misses events.

        None if a version disabled it that had no positions.
        """
        wanted = select(endpoints.c.missed_after).where(
            endpoints.c.webhook_endpoint_id == webhook_endpoint_id
        )
        position: int | None = (await self._connection.execute(wanted)).scalar_one()
        return position

    async def disabled_with_pending(self) -> list[WebhookEndpointId]:
        """Return the disabled endpoints that have pending deliveries: those that were too many to fail at once."""
        is_pending = exists().where(
            deliveries.c.webhook_endpoint_id == endpoints.c.webhook_endpoint_id,
            deliveries.c.status == DeliveryStatus.PENDING.value,
        )
        wanted = select(endpoints.c.webhook_endpoint_id).where(
            endpoints.c.disable_time.is_not(None), is_pending
        )
        return [WebhookEndpointId(found) for found in (await self._connection.execute(wanted)).scalars()]

    async def list(self, page: Page) -> list[WebhookEndpoint]:
        """Return a page in order of creation, without customers' destinations, and one row more if there is one."""
        is_destination = exists().where(destinations.c.webhook_endpoint_id == endpoints.c.webhook_endpoint_id)
        wanted = _SELECT.where(~is_destination).order_by(endpoints.c.webhook_endpoint_id).limit(page.size + 1)
        if page.after is not None:
            wanted = wanted.where(endpoints.c.webhook_endpoint_id > page.after[0])
        return [_from_row(row) for row in await self._connection.execute(wanted)]

    async def insert_secret(self, secret: Secret) -> None:
        place = _place(secret.webhook_endpoint_id, secret.secret_id)
        encrypted = self._keyring.encrypt(secret.text, place=place)
        await self._connection.execute(
            insert(secrets).values(
                secret_id=secret.secret_id,
                webhook_endpoint_id=secret.webhook_endpoint_id,
                key_id=encrypted.key_id,
                ciphertext=encrypted.ciphertext,
                create_time=secret.create_time,
                expire_time=secret.expire_time,
            )
        )

    async def secret(self, secret_id: SecretId) -> Secret:
        """Return a secret, valid or expired. Raises WebhookSecretUnreadable."""
        row = (await self._connection.execute(_SELECT_SECRETS.where(secrets.c.secret_id == secret_id))).one()
        return self._secret_from_row(row)

    async def secrets(
        self, webhook_endpoint_ids: Collection[WebhookEndpointId], *, at: datetime
    ) -> Mapping[WebhookEndpointId, Sequence[Secret] | WebhookSecretUnreadable]:
        """Return the secrets of endpoints that have not expired at an instant.

        WebhookSecretUnreadable: the current one cannot be decrypted. A previous one that cannot is left out.
        """
        wanted = _SELECT_SECRETS.where(
            secrets.c.webhook_endpoint_id.in_(webhook_endpoint_ids),
            or_(secrets.c.expire_time.is_(None), secrets.c.expire_time > at),
        )
        found: dict[WebhookEndpointId, tuple[Secret, ...]] = {}
        unreadable: dict[WebhookEndpointId, WebhookSecretUnreadable] = {}
        for row in await self._connection.execute(wanted):
            endpoint_id = WebhookEndpointId(row.webhook_endpoint_id)
            try:
                found[endpoint_id] = (*found.get(endpoint_id, ()), self._secret_from_row(row))
            except WebhookSecretUnreadable as error:
                if row.expire_time is None:
                    unreadable[endpoint_id] = error
        return {**found, **unreadable}

    async def encrypt_page(self, *, after: str, rows_max: int) -> tuple[str, EncryptionResult]:
        """Encrypt secrets that the newest key did not encrypt, at most `rows_max` whose ids are above `after`.

        Returns the last id, "" if there was none, and what became of them.
        """
        wanted = (
            _SELECT_SECRETS.where(
                secrets.c.key_id.is_distinct_from(self._keyring.newest_id), secrets.c.secret_id > after
            )
            .order_by(secrets.c.secret_id)
            .limit(rows_max)
        )
        last, result = "", EncryptionResult()
        for row in (await self._connection.execute(wanted)).all():
            last = row.secret_id
            try:
                secret = self._secret_from_row(row)
            except WebhookSecretUnreadable:
                result.unreadable[row.secret_id] = row.key_id
                continue
            result.encrypted += await self._encrypt(secret, instead_of=row.key_id)
        return last, result

    async def _encrypt(self, secret: Secret, *, instead_of: str | None) -> int:
        """Replace what is stored of a secret, unless another replica has done so. Returns how many rows it changed."""
        place = _place(secret.webhook_endpoint_id, secret.secret_id)
        encrypted = self._keyring.encrypt(secret.text, place=place)
        updated = await self._connection.execute(
            update(secrets)
            .where(secrets.c.secret_id == secret.secret_id, secrets.c.key_id.is_not_distinct_from(instead_of))
            .values(secret=None, key_id=encrypted.key_id, ciphertext=encrypted.ciphertext)
        )
        return updated.rowcount

    async def expire_secret(self, webhook_endpoint_id: WebhookEndpointId, *, expire: datetime) -> None:
        """Set the expiry of the one secret that has none. The caller has locked the endpoint."""
        lapsing = (
            update(secrets)
            .where(
                secrets.c.webhook_endpoint_id == webhook_endpoint_id,
                secrets.c.expire_time.is_(None),
            )
            .values(expire_time=expire)
        )
        updated = await self._connection.execute(lapsing)
        assert updated.rowcount == 1  # an endpoint always has one: the first, or that of the last rotation

    def _secret_from_row(self, row: Row[*tuple[Any, ...]]) -> Secret:
        """Raises WebhookSecretUnreadable."""
        text = row.secret
        if text is None:
            place = _place(row.webhook_endpoint_id, row.secret_id)
            try:
                text = self._keyring.decrypt(Encrypted(row.key_id, row.ciphertext), place=place)
            except Undecryptable as error:
                raise WebhookSecretUnreadable(
                    webhook_endpoint_id=row.webhook_endpoint_id, key_id=row.key_id
                ) from error
        return Secret(
            secret_id=SecretId(row.secret_id),
            webhook_endpoint_id=WebhookEndpointId(row.webhook_endpoint_id),
            text=text,
            create_time=row.create_time,
            expire_time=row.expire_time,
        )


def _place(webhook_endpoint_id: str, secret_id: str) -> str:
    """Name the row that a ciphertext is bound to; ids contain no space."""
    return f"alert.webhook_secrets {webhook_endpoint_id} {secret_id}"


def _wishes(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return the columns that UpdateWebhookEndpoint changes, without the headers."""
    return {
        "url": endpoint.url,
        "recipients": list(endpoint.recipients),
        "event_types": [one.value for one in endpoint.event_types],
    }


def _stored_kind(endpoint: WebhookEndpoint) -> EndpointKind:
    """Return what the row says: a replica of the previous version must be able to read it. EMAIL has recipients."""
    return EndpointKind.WEBHOOK if endpoint.kind is EndpointKind.EMAIL else endpoint.kind


def _one(endpoint: WebhookEndpoint) -> Update:
    return update(endpoints).where(endpoints.c.webhook_endpoint_id == endpoint.webhook_endpoint_id)


def _known(webhook_endpoint_id: WebhookEndpointId, row: Row[*tuple[Any, ...]] | None) -> WebhookEndpoint:
    if row is None:
        raise WebhookEndpointNotFound(webhook_endpoint_id=webhook_endpoint_id)
    return _from_row(row)


def _from_row(row: Row[*tuple[Any, ...]]) -> WebhookEndpoint:
    return WebhookEndpoint(
        webhook_endpoint_id=WebhookEndpointId(row.webhook_endpoint_id),
        url=row.url,
        kind=EndpointKind.EMAIL if row.recipients else EndpointKind(row.kind),
        recipients=tuple(row.recipients),
        event_types=tuple(EventType(one) for one in row.event_types),
        header_names=tuple(row.header_names),
        create_time=row.create_time,
        disable_time=row.disable_time,
        disable_reason=None if row.disable_reason is None else DisableReason(row.disable_reason),
    )
