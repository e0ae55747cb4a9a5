# SPDX-License-Identifier: Apache-2.0
"""Webhook secrets in the database: never in plaintext, under the newest key, each in its own row only."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode
from structlog.testing import capture_logs

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import ManualClock
from meshkit.keyring import keys_from_text, new_key
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from services.alert.domain.delivery import LEASE
from tests.support.alert import (
    SECRET_KEYS,
    AlertStub,
    a_crossing,
    an_alert,
    an_endpoint,
    running_alert,
    until_delivery,
)
from tests.support.faults import fault
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

URL = "http://localhost:9/"
OTHER_KEY = new_key()
HOUR = timedelta(hours=1)
HOURS_WAITED = 50
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'alert'::regnamespace AND relkind = 'r'"
PLAINTEXT = (
    "UPDATE alert.webhook_secrets SET secret = $1, key_id = NULL, ciphertext = NULL WHERE secret_id = $2"
)


@pytest.fixture
async def sql(databases: Databases) -> AsyncIterator[Sql]:
    async with Sql.connected(databases.admin_url) as connection:
        yield connection


async def create(alert: AlertStub, request_id: str = "create") -> pb.CreateWebhookEndpointResponse:
    return await alert.CreateWebhookEndpoint(pb.CreateWebhookEndpointRequest(request_id=request_id, url=URL))


async def rotate(
    alert: AlertStub, endpoint: pb.WebhookEndpoint, request_id: str = "rotate"
) -> pb.RotateWebhookSecretResponse:
    return await alert.RotateWebhookSecret(
        pb.RotateWebhookSecretRequest(request_id=request_id, webhook_endpoint_id=endpoint.webhook_endpoint_id)
    )


async def dump(sql: Sql) -> str:
    """Return every row of every table of Alert's schema as text."""
    lines = []
    for table in await sql.rows(TABLES):
        rows = await sql.rows(f"SELECT t::text AS line FROM alert.{table['relname']} t")
        lines += [row["line"] for row in rows]
    return "\n".join(lines)


def forms(secret: str) -> list[str]:
    """Return a secret as it could be found in a text, also in one that shows bytes in hex."""
    bare = secret.removeprefix("whsec_")
    return [bare, bare.encode().hex(), base64.b64decode(bare).hex(), "whsec_"]


async def key_ids(sql: Sql) -> set[str | None]:
    return {row["key_id"] for row in await sql.rows("SELECT key_id FROM alert.webhook_secrets")}


def id_of(keys: str) -> str:
    return keys_from_text(keys)[0].key_id


async def until_all_are_under(sql: Sql, keys: str) -> None:
    await sql.until(
        f"SELECT count(*) = 0 FROM alert.webhook_secrets WHERE key_id IS DISTINCT FROM '{id_of(keys)}'"
    )


async def test_no_row_contains_a_secret_after_create_rotate_and_repeats(
    databases: Databases, sql: Sql
) -> None:
    async with running_alert(databases) as running:
        created = await create(running.stub)
        rotated = await rotate(running.stub, created.webhook_endpoint)

        assert await create(running.stub) == created
        assert await rotate(running.stub, created.webhook_endpoint) == rotated

    stored = await dump(sql)
    assert created.webhook_endpoint.webhook_endpoint_id in stored
    for form in (*forms(created.secret), *forms(rotated.secret)):
        assert form not in stored


async def test_plaintext_of_the_version_before_is_encrypted_and_repeats_get_the_same_secret(
    databases: Databases, sql: Sql
) -> None:
    async with running_alert(databases) as running:
        created = await create(running.stub)
        rotated = await rotate(running.stub, created.webhook_endpoint)
    rows = await sql.rows("SELECT secret_id FROM alert.webhook_secrets ORDER BY secret_id")
    for row, secret in zip(rows, (created.secret, rotated.secret), strict=True):
        assert await sql.execute(PLAINTEXT, secret, row["secret_id"]) == "UPDATE 1"
    assert created.secret in await dump(sql)

    async with running_alert(databases) as running:
        assert await create(running.stub) == created  # readable before and after its row is encrypted
        await until_all_are_under(sql, SECRET_KEYS)
        assert await create(running.stub) == created
        assert await rotate(running.stub, created.webhook_endpoint) == rotated

    stored = await dump(sql)
    for form in (*forms(created.secret), *forms(rotated.secret)):
        assert form not in stored


async def test_after_a_rotation_of_keys_the_old_key_is_not_needed_any_more(
    databases: Databases, sql: Sql
) -> None:
    async with running_alert(databases) as running:
        created = await create(running.stub)
    assert await key_ids(sql) == {id_of(SECRET_KEYS)}

    async with running_alert(databases, secret_keys=f"{SECRET_KEYS},{OTHER_KEY}") as running:
        assert await create(running.stub) == created
    assert await key_ids(sql) == {id_of(SECRET_KEYS)}  # the first one encrypts

    async with running_alert(databases, secret_keys=f"{OTHER_KEY},{SECRET_KEYS}") as running:
        await until_all_are_under(sql, OTHER_KEY)
        assert await create(running.stub) == created

    async with running_alert(databases, secret_keys=OTHER_KEY) as running:
        assert await create(running.stub) == created


@pytest.mark.parametrize(
    "damage",
    [
        # A bit of the ciphertext, of the nonce; the id of another key; the secret of another endpoint; an older secret.
        "UPDATE alert.webhook_secrets SET ciphertext = set_byte(ciphertext, 20, get_byte(ciphertext, 20) # 1)",
        "UPDATE alert.webhook_secrets SET ciphertext = set_byte(ciphertext, 0, get_byte(ciphertext, 0) # 1)",
        "UPDATE alert.webhook_secrets SET key_id = 'ffffffffffffffff'",
        "UPDATE alert.webhook_secrets s SET ciphertext = o.ciphertext FROM alert.webhook_secrets o"
        " WHERE o.webhook_endpoint_id <> s.webhook_endpoint_id",
        "UPDATE alert.webhook_secrets s SET ciphertext = o.ciphertext FROM alert.webhook_secrets o"
        " WHERE o.webhook_endpoint_id = s.webhook_endpoint_id AND o.secret_id < s.secret_id",
    ],
    ids=["ciphertext", "nonce", "key id", "other endpoint", "older secret"],
)
async def test_a_changed_or_moved_ciphertext_is_a_fault_and_a_rotation_repairs_it(
    databases: Databases, sql: Sql, damage: str
) -> None:
    async with running_alert(databases) as running:
        other = await create(running.stub, "other")
        created = await create(running.stub)
        endpoint = created.webhook_endpoint
        await rotate(running.stub, endpoint)

        assert int((await sql.execute(damage)).removeprefix("UPDATE ")) > 0

        with fault(
            StatusCode.FAILED_PRECONDITION,
            "WEBHOOK_SECRET_UNREADABLE",
            webhook_endpoint_id=endpoint.webhook_endpoint_id,
        ):
            await rotate(running.stub, endpoint)
        assert other.secret != (await rotate(running.stub, endpoint, "again")).secret


async def test_with_a_wrong_key_deliveries_wait_and_none_is_lost_or_sent(
    databases: Databases, receiver: WebhookReceiver
) -> None:
    # Begins so long ago that the delivery's last retry has passed; receivers refuse signatures of another time.
    wall = ManualClock(datetime.now(UTC) - HOURS_WAITED * HOUR - LEASE)
    async with running_alert(databases, wall=wall) as running:
        await an_endpoint(running.stub, receiver)
        low = await an_alert(running.stub)

    with capture_logs() as events:
        async with running_alert(databases, wall=wall, secret_keys=OTHER_KEY) as running:
            await running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
            for _ in range(HOURS_WAITED):
                due = timestamp(wall.now() + LEASE)
                waiting = await until_delivery(
                    running.stub, low.alert_id, lambda one, due=due: one.next_attempt_time == due
                )
                assert (waiting.status, waiting.attempts) == (pb.DELIVERY_STATUS_PENDING, 0)
                assert waiting.last_error == "waits: its secret cannot be decrypted"
                wall.advance(HOUR)
                running.app.wake()
    said = [event for event in events if event["event"] == "webhook_secret_unreadable"]
    assert {(event["log_level"], event["key_id"]) for event in said} == {("error", id_of(SECRET_KEYS))}
    assert any(event["event"] == "webhook_secrets_unreadable" for event in events)
    assert receiver.received == []

    wall.advance(LEASE)
    async with running_alert(databases, wall=wall) as running:
        event = await receiver.next_event()
        delivered = await until_delivery(
            running.stub, low.alert_id, lambda one: one.status == pb.DELIVERY_STATUS_DELIVERED
        )
    assert event.verified
    assert (delivered.attempts, delivered.last_error) == (1, "")


async def test_an_old_secret_that_cannot_be_decrypted_does_not_keep_the_new_one_from_signing(
    databases: Databases, receiver: WebhookReceiver, sql: Sql
) -> None:
    async with running_alert(databases) as running:
        endpoint = await an_endpoint(running.stub, receiver)
        receiver.secret = (await rotate(running.stub, endpoint)).secret
        low = await an_alert(running.stub)
        await sql.execute(
            "UPDATE alert.webhook_secrets SET key_id = 'ffffffffffffffff' WHERE expire_time IS NOT NULL"
        )

        await running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
        event = await receiver.next_event()

    assert event.verified
    assert len(event.headers["webhook-signature"].split()) == 1
