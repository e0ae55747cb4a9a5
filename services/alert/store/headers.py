# SPDX-License-Identifier: Apache-2.0
"""Statements about the custom headers of endpoints. Their values are encrypted like secrets, all in one ciphertext."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.keyring import Encrypted, Keyring, Undecryptable
from services.alert.domain.endpoint import Header, WebhookEndpointId
from services.alert.domain.errors import WebhookSecretUnreadable
from services.alert.store.endpoints import EncryptionResult
from services.alert.tables import webhook_endpoints as endpoints

_SELECT = select(endpoints.c.webhook_endpoint_id, endpoints.c.headers_key_id, endpoints.c.headers_ciphertext)


class StoredHeaders:
    """They are in the row of their endpoint, which the caller has locked or inserted."""

    def __init__(self, connection: AsyncConnection, keyring: Keyring) -> None:
        self._connection = connection
        self._keyring = keyring

    async def get(self, webhook_endpoint_id: WebhookEndpointId) -> Sequence[Header]:
        """Return the custom headers of an endpoint. Raises WebhookSecretUnreadable."""
        wanted = _SELECT.where(endpoints.c.webhook_endpoint_id == webhook_endpoint_id)
        return self._from_row((await self._connection.execute(wanted)).one())

    async def replace(self, webhook_endpoint_id: WebhookEndpointId, headers: Sequence[Header]) -> None:
        """Replace all custom headers of an endpoint."""
        values: dict[str, Any] = {"header_names": [], "headers_key_id": None, "headers_ciphertext": None}
        if headers:
            text = json.dumps({one.name: one.value for one in headers})
            encrypted = self._keyring.encrypt(text, place=_place(webhook_endpoint_id))
            values = {
                "header_names": [one.name for one in headers],
                "headers_key_id": encrypted.key_id,
                "headers_ciphertext": encrypted.ciphertext,
            }
        await self._connection.execute(
            update(endpoints).where(endpoints.c.webhook_endpoint_id == webhook_endpoint_id).values(values)
        )

    async def encrypt_some(self, *, rows_max: int) -> EncryptionResult:
        """Encrypt what the newest key did not encrypt, at most `rows_max` rows. Returns what became of them."""
        wanted = (
            _SELECT.where(endpoints.c.headers_key_id != self._keyring.newest_id)
            .order_by(endpoints.c.webhook_endpoint_id)
            .limit(rows_max)
            .with_for_update(key_share=True, skip_locked=True)
        )
        result = EncryptionResult()
        for row in (await self._connection.execute(wanted)).all():
            try:
                headers = self._from_row(row)
            except WebhookSecretUnreadable:
                result.unreadable[row.webhook_endpoint_id] = row.headers_key_id
                continue
            await self.replace(row.webhook_endpoint_id, headers)
            result.encrypted += 1
        return result

    def _from_row(self, row: Row[*tuple[Any, ...]]) -> list[Header]:
        """Raises WebhookSecretUnreadable."""
        if row.headers_key_id is None:
            return []
        encrypted = Encrypted(row.headers_key_id, row.headers_ciphertext)
        try:
            text = self._keyring.decrypt(encrypted, place=_place(row.webhook_endpoint_id))
        except Undecryptable as error:
            raise WebhookSecretUnreadable(
                webhook_endpoint_id=row.webhook_endpoint_id, key_id=row.headers_key_id
            ) from error
        return [Header(name=name, value=value) for name, value in json.loads(text).items()]


def _place(webhook_endpoint_id: str) -> str:
    """Name the row that a ciphertext is bound to; ids contain no space."""
    return f"alert.webhook_endpoints {webhook_endpoint_id} headers"
