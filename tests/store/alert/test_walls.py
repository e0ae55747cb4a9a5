# SPDX-License-Identifier: Apache-2.0
"""The second wall: what no operation writes, the database refuses too."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alert.domain.delivery import DeliveryId
from services.alert.domain.endpoint import Secret
from services.alert.domain.errors import WebhookSecretUnreadable
from services.alert.store import PostgresStore
from tests.support.alert import JUNE
from tests.support.alert_store import (
    ACME_ID,
    a_new_delivery,
    a_secret_row,
    an_alert_row,
    an_endpoint_row,
    an_event_delivery,
    keep,
)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alert.alerts SET threshold_micros = -1",
        "UPDATE alert.alerts SET name = ''",
        'INSERT INTO alert.alerts SELECT (jsonb_populate_record(a, \'{"alert_id": "alr_x"}\')).* FROM alert.alerts a',
        "UPDATE alert.alerts SET currency_code = 'USD'",
        "UPDATE alert.alerts SET invoice_position = 0",
        "UPDATE alert.alerts SET alert_type = 'INVOICE_TOTAL', currency_code = 'USD', invoice_position = 0",
        "UPDATE alert.alerts SET group_key = 'user_id'",
        "UPDATE alert.alerts SET group_value = 'u1'",
        "UPDATE alert.alerts SET alert_type = 'SPEND', group_value = 'u1'",
        "UPDATE alert.alerts SET product_id = 'prd_1'",
        "UPDATE alert.alerts SET alert_type = 'SPEND', group_key = 'user_id', product_id = 'prd_1'",
        "UPDATE alert.alerts SET spend_window = 'WEEK'",
        "UPDATE alert.alerts SET alert_type = 'SPEND', group_key = 'user_id', threshold_micros = 0",
        "UPDATE alert.alerts SET archive_time = create_time - interval '1 second'",
        "UPDATE alert.alerts SET rearm_micros = threshold_micros - 1",
        "UPDATE alert.alerts SET quiet_period = interval '-1 second'",
        "UPDATE alert.alerts SET pause_time = create_time - interval '1 second'",
        "UPDATE alert.alerts SET owner = 'NOBODY'",
        "UPDATE alert.alerts SET owner = 'CUSTOMER', customer_id = ''",
        "UPDATE alert.webhook_endpoints SET disable_time = create_time - interval '1 second'",
        "UPDATE alert.webhook_secrets SET secret = 'plain'",
        "UPDATE alert.deliveries SET due_time = NULL",
        "UPDATE alert.deliveries SET status = 'DELIVERED', due_time = NULL",
        "UPDATE alert.deliveries SET status = 'FAILED'",
        "UPDATE alert.deliveries SET earlier_attempts = attempts + 1",
        "UPDATE alert.deliveries SET event_type = 'alert.other'",
        "UPDATE alert.deliveries SET event_type = 'top_up.paid'",
        "UPDATE alert.deliveries SET alert_id = NULL, event_id = NULL",
        "UPDATE alert.webhook_endpoints SET disable_reason = 'GONE'",
        "UPDATE alert.webhook_endpoints SET disable_time = create_time, disable_reason = 'BORED'",
        "UPDATE alert.webhook_endpoints SET missed_after = 1",
        "UPDATE alert.webhook_endpoints SET kind = 'EMAIL'",
        "UPDATE alert.webhook_endpoints SET recipients = '{ann@vendor.example}'",
        "UPDATE alert.webhook_endpoints SET url = ''",
        "UPDATE alert.webhook_endpoints SET url = '', recipients = '{ann@vendor.example}', kind = 'SLACK'",
        "UPDATE alert.webhook_endpoints SET url = '', recipients = array_fill('a@b.c'::text, ARRAY[21])",
        "UPDATE alert.webhook_endpoints SET header_names = '{x-team}'",
        "UPDATE alert.webhook_endpoints SET headers_key_id = 'k', headers_ciphertext = 'c'",
        "INSERT INTO alert.destinations VALUES ('end_unknown', 'c', '{a}', '12345678', now() + '1 h', 0, now())",
        "INSERT INTO alert.destinations VALUES ('end_001', '', '{a}', '12345678', now() + '1 h', 0, now())",
        "INSERT INTO alert.destinations VALUES ('end_001', 'c', '{}', '12345678', now() + '1 h', 0, now())",
        "INSERT INTO alert.destinations VALUES ('end_001', 'c', '{a}', '1234567', now() + '1 h', 0, now())",
        "INSERT INTO alert.destinations VALUES ('end_001', 'c', '{a}', '12345678', now(), 0, now())",
        "INSERT INTO alert.destinations VALUES ('end_001', 'c', '{a}', '12345678', now() + '1 h', 6, now())",
        "INSERT INTO alert.endpoint_failures VALUES ('end_unknown', now(), now())",
        "INSERT INTO alert.endpoint_failures VALUES ('end_001', now(), now() - interval '1 second')",
        "UPDATE alert.deliveries SET event_id = NULL",
        "UPDATE alert.events SET position = 0",
        "UPDATE alert.events SET customer_sequence = 0",
        "UPDATE alert.customer_sequences SET last_sequence = -1",
        "UPDATE alert.feed SET forgotten_position = last_position + 1",
        "INSERT INTO alert.feed (only_row) VALUES (true)",
        "INSERT INTO alert.alert_statuses VALUES ('alr_001', 'c', '', 'OK', 0, now(), 0)",
        "INSERT INTO alert.alert_statuses VALUES ('alr_001', 'c', '', 'OK', 0, NULL, 1)",
        "INSERT INTO alert.alert_statuses VALUES ('alr_001', 'c', '', 'EVALUATING', 0, now(), 0)",
        "INSERT INTO alert.alert_statuses VALUES ('alr_unknown', 'c', '', 'EVALUATING', 0, NULL, 0)",
        "INSERT INTO alert.outbox VALUES ('k', 'n', 'SOMETHING_ELSE', '{}', now(), 0, NULL, now())",
    ],
)
async def test_what_the_domain_forbids_cannot_be_stored(
    store: PostgresStore, engine: AsyncEngine, statement: str
) -> None:
    await keep(store, an_alert_row(), an_endpoint_row(), a_new_delivery())
    async with store.transaction() as tx:
        await tx.events.next_sequence(ACME_ID)

    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await connection.execute(text(statement))


async def test_an_observation_is_told_to_an_endpoint_once(store: PostgresStore) -> None:
    await keep(store, an_alert_row(), an_endpoint_row(), a_new_delivery())

    with pytest.raises(IntegrityError):
        await keep(store, replace(a_new_delivery(), delivery_id=DeliveryId("dlv_other")))


async def test_an_event_is_told_to_an_endpoint_once(store: PostgresStore) -> None:
    await keep(store, an_endpoint_row(1), an_endpoint_row(2), an_event_delivery(), an_event_delivery(2))

    with pytest.raises(IntegrityError):
        await keep(store, replace(an_event_delivery(), delivery_id=DeliveryId("dlv_other")))
    await keep(store, an_event_delivery(endpoint=2))


async def test_an_endpoint_has_one_secret_that_is_for_good(store: PostgresStore) -> None:
    endpoint = an_endpoint_row()
    await keep(store, endpoint)

    async with store.transaction() as tx:
        await tx.endpoints.expire_secret(endpoint.webhook_endpoint_id, expire=JUNE + timedelta(hours=24))
        await tx.endpoints.insert_secret(a_secret_row(2, endpoint))
    with pytest.raises(IntegrityError):
        async with store.transaction() as tx:
            await tx.endpoints.insert_secret(a_secret_row(3, endpoint))

    endpoint_id = endpoint.webhook_endpoint_id
    async with store.transaction() as tx:
        both = await tx.endpoints.secrets([endpoint_id], at=JUNE + timedelta(hours=23))
        one = await tx.endpoints.secrets([endpoint_id], at=JUNE + timedelta(hours=24))
    assert _ids(both[endpoint_id]) == {"sec_001", "sec_002"}
    assert _ids(one[endpoint_id]) == {"sec_002"}


def _ids(secrets: Sequence[Secret] | WebhookSecretUnreadable) -> set[str]:
    assert not isinstance(secrets, WebhookSecretUnreadable)
    return {secret.secret_id for secret in secrets}
