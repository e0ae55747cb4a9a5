# SPDX-License-Identifier: Apache-2.0
"""The encryption of the secrets that are stored: page by page, each row once, and not what no key decrypts."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from meshkit.keyring import Keyring, keys_from_text, new_key
from services.alert.domain.endpoint import Secret, SecretId
from services.alert.domain.errors import WebhookSecretUnreadable
from services.alert.reencryption import encrypt_secrets
from services.alert.store import PostgresStore
from tests.support.alert import SECRET_KEYS
from tests.support.alert_store import a_secret_row, an_endpoint_row, keep

COUNT = 7
NEW_KEY = new_key()
NEWEST_ID = keys_from_text(NEW_KEY)[0].key_id
KEY_IDS = "SELECT secret_id, key_id FROM alert.webhook_secrets ORDER BY secret_id"
BREAK = "UPDATE alert.webhook_secrets SET ciphertext = ciphertext || '\\x00' WHERE secret_id = 'sec_004'"
TO_PLAINTEXT = """
    UPDATE alert.webhook_secrets SET secret = :text, key_id = NULL, ciphertext = NULL WHERE secret_id = :secret_id
"""


@pytest.fixture
async def stored(store: PostgresStore) -> Sequence[Secret]:
    """COUNT secrets under the old key."""
    endpoints = [an_endpoint_row(number) for number in range(1, COUNT + 1)]
    await keep(store, *endpoints)
    return [a_secret_row(number, endpoint) for number, endpoint in enumerate(endpoints, start=1)]


@pytest.fixture
def next_store(engine: AsyncEngine, wall: ManualClock) -> PostgresStore:
    """The same database, for a service that has a newer key too."""
    return PostgresStore(
        engine, wall=wall, ids=Ids(wall), keyring=Keyring(keys_from_text(f"{NEW_KEY},{SECRET_KEYS}"))
    )


async def key_ids(engine: AsyncEngine) -> dict[str, str | None]:
    async with engine.connect() as connection:
        return {row.secret_id: row.key_id for row in await connection.execute(text(KEY_IDS))}


async def read(store: PostgresStore, secret_id: str) -> Secret:
    async with store.transaction() as tx:
        return await tx.endpoints.secret(SecretId(secret_id))


@pytest.mark.parametrize("rows_max", [1, COUNT - 1, COUNT, COUNT + 1])
async def test_all_secrets_are_encrypted_whatever_the_size_of_a_page(
    stored: Sequence[Secret], next_store: PostgresStore, engine: AsyncEngine, rows_max: int
) -> None:
    first = await next_store.encrypt_secrets(rows_max=rows_max)
    second = await next_store.encrypt_secrets(rows_max=rows_max)

    assert (first.encrypted, second.encrypted) == (COUNT, 0)
    assert set((await key_ids(engine)).values()) == {NEWEST_ID}
    assert [await read(next_store, secret.secret_id) for secret in stored] == stored


async def test_what_no_key_decrypts_is_reported_and_left_as_it_is(
    stored: Sequence[Secret], next_store: PostgresStore, engine: AsyncEngine
) -> None:
    before = await key_ids(engine)
    async with engine.begin() as connection:
        await connection.execute(text(BREAK))

    with capture_logs() as events:
        await encrypt_secrets(next_store)

    assert [(event["event"], event["rows"]) for event in events] == [
        ("webhook_secrets_encrypted", COUNT - 1),
        ("webhook_secrets_unreadable", 1),
    ]
    assert events[1]["key_ids"] == [before["sec_004"]]
    assert await key_ids(engine) == dict.fromkeys(before, NEWEST_ID) | {"sec_004": before["sec_004"]}
    with pytest.raises(WebhookSecretUnreadable):
        await read(next_store, "sec_004")


async def test_replicas_that_encrypt_at_once_write_each_row_once(
    stored: Sequence[Secret], next_store: PostgresStore, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        for secret in stored[:3]:  # as a replica of the version before writes them
            await connection.execute(text(TO_PLAINTEXT), {"text": secret.text, "secret_id": secret.secret_id})

    results = await asyncio.gather(*(next_store.encrypt_secrets(rows_max=2) for _ in range(4)))

    assert sum(result.encrypted for result in results) == COUNT
    assert [await read(next_store, secret.secret_id) for secret in stored] == stored
