# SPDX-License-Identifier: Apache-2.0
"""Destinations as a customer finds them: only its own."""

import pytest

from access import Caller
from access.caller import Call, begin, no_call
from services.alert.domain.alert import CustomerId
from services.alert.domain.destination import Destination, new_code
from services.alert.domain.endpoint import EndpointKind, WebhookEndpoint, WebhookEndpointId
from services.alert.domain.errors import DestinationNotFound
from services.alert.domain.event import ALERT_EVENTS
from services.alert.store import PostgresStore
from tests.support.alert import JUNE
from tests.support.alert_store import ACME_ID

OTHER = CustomerId("cus_other")


async def keep_destination(store: PostgresStore, number: int, customer_id: CustomerId) -> Destination:
    endpoint = WebhookEndpoint(
        webhook_endpoint_id=WebhookEndpointId(f"end_{number:03}"),
        url="",
        kind=EndpointKind.EMAIL,
        recipients=(f"user-{number}@acme.example",),
        event_types=(),
        create_time=JUNE,
    )
    destination = Destination(
        destination_id=endpoint.webhook_endpoint_id,
        customer_id=customer_id,
        address=endpoint.recipients[0],
        event_types=ALERT_EVENTS,
        create_time=JUNE,
    )
    async with store.transaction() as tx:
        await tx.endpoints.insert(endpoint)
        await tx.destinations.insert(destination, new_code(bytes(8), at=JUNE))
    return destination


async def test_a_destination_of_another_customer_is_not_found(store: PostgresStore) -> None:
    mine, theirs = await keep_destination(store, 1, ACME_ID), await keep_destination(store, 2, OTHER)
    async with store.transaction() as tx:
        assert await tx.destinations.get(theirs.destination_id) == theirs  # by the vendor

    begin(Call(Caller("ann", frozenset(["customer"]), customer_ids=frozenset([ACME_ID]))))
    try:
        async with store.transaction() as tx:
            assert await tx.destinations.get(mine.destination_id) == mine
            with pytest.raises(DestinationNotFound):
                await tx.destinations.get(theirs.destination_id)
            with pytest.raises(DestinationNotFound):
                await tx.destinations.lock(theirs.destination_id)
    finally:
        no_call()


async def test_a_code_of_few_random_bits_has_all_its_digits() -> None:
    assert new_code(bytes(8), at=JUNE).text == "00000000"
    assert new_code(b"\xff" * 8, at=JUNE).text == str((2**64 - 1) % 10**8).zfill(8)
