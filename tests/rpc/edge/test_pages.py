# SPDX-License-Identifier: Apache-2.0
"""Lists of more than one page, read by the SDK's own iterators."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import metronome
import pytest
import pytest_asyncio

from purser.contract.v1 import contract_pb2 as contract
from tests.support.edge import RunningEdge, Sdk
from tests.support.mesh import Acme

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Reader:
    """Reads whole lists, and remembers the paths of its latest requests."""

    def __init__(self, edge: RunningEdge) -> None:
        self.paths: list[str] = []
        self.sdk = edge.sdk(http_client=httpx.AsyncClient(event_hooks={"request": [self._note]}))

    async def _note(self, request: httpx.Request) -> None:
        self.paths.append(request.url.path)

    async def all(self, call: Callable[[Any], Any]) -> list[Any]:
        self.paths.clear()
        return await self.sdk.all(call)


@pytest_asyncio.fixture(loop_scope="module")
async def reader(edge: RunningEdge) -> AsyncIterator[Reader]:
    made = Reader(edge)
    yield made
    await made.sdk.close()


async def test_lists_of_the_catalog_go_on_from_page_to_page(reader: Reader, acme: Acme) -> None:
    units = await reader.all(lambda c: c.v1.pricing_units.list(limit=1))
    assert len(reader.paths) == len(units) == len({one.id for one in units})
    assert "USD (cents)" in {one.name for one in units}
    metrics = await reader.all(lambda c: c.v1.billable_metrics.list(limit=3))
    assert (len(metrics), len(reader.paths)) == (4, 2)
    products = await reader.all(lambda c: c.v1.contracts.products.list(limit=3))
    assert (len(products), len(reader.paths)) == (7, 3)


async def test_rates_are_listed_by_page_and_a_selector_chooses_among_them(reader: Reader, acme: Acme) -> None:
    at, card = "2025-06-02T00:00:00Z", acme.offer.rate_card

    rates = await reader.all(
        lambda c: c.v1.contracts.rate_cards.rates.list(rate_card_id=card, at=at, limit=4)
    )
    assert (len(rates), len(reader.paths)) == (9, 3)
    chosen = await reader.all(
        lambda c: c.v1.contracts.rate_cards.rates.list(
            rate_card_id=card, at=at, limit=2, selectors=[{"partial_pricing_group_values": {"model": "mini"}}]
        )
    )
    prices = {one.pricing_group_values["token_kind"]: one.rate.price for one in chosen}
    assert prices == {"input": 0.2, "output": 0.8}


async def test_lists_of_contracts_use_the_body_and_the_key_cursor(
    edge: RunningEdge, reader: Reader, acme: Acme
) -> None:
    customer = acme.contract.customer_id
    for number in range(2):
        await edge.stubs.contract.CreateContract(
            contract.CreateContractRequest(
                request_id=f"more-{number}",
                customer="acme",
                rate_card_id=acme.offer.rate_card,
                start_time=acme.contract.start_time,
            )
        )

    first = await reader.all(lambda c: c.v1.contracts.list(customer_id=customer, limit=1))
    assert (len({one.id for one in first}), len(reader.paths)) == (3, 3)
    second = await reader.all(lambda c: c.v2.contracts.list(customer_id=customer, limit=2))
    assert ([one.id for one in second], len(reader.paths)) == ([one.id for one in first], 2)
    with pytest.raises(metronome.BadRequestError, match="limit must be 1 to 20"):
        await reader.all(lambda c: c.v2.contracts.list(customer_id=customer, limit=21))
    before = "2025-05-31T23:59:59Z"
    assert await reader.all(lambda c: c.v2.contracts.list(customer_id=customer, covering_date=before)) == []


async def test_customers_are_found_by_page_by_id_and_by_alias(reader: Reader, acme: Acme, sdk: Sdk) -> None:
    ids = []
    for number in range(3):
        made = await sdk(
            lambda c, n=number: c.v1.customers.create(name=f"Customer {n}", external_id=f"ext-{n}")
        )
        ids.append(made.data.id)
    await sdk(lambda c: c.v1.customers.archive(id=ids[2]))
    renamed = await sdk(lambda c: c.v1.customers.set_name(customer_id="ext-0", name="The first"))
    assert (renamed.data.id, renamed.data.name) == (ids[0], "The first")

    listed = await reader.all(lambda c: c.v1.customers.list(limit=2))
    assert [one.id for one in listed] == [acme.contract.customer_id, *ids[:2]]
    archived = await reader.all(lambda c: c.v1.customers.list(limit=2, only_archived=True))
    assert [(one.id, one.archived_at is not None) for one in archived] == [(ids[2], True)]
    named = await reader.all(lambda c: c.v1.customers.list(customer_ids=[ids[0], "cus_none", ids[1]]))
    assert [(one.external_id, one.name) for one in named] == [("ext-0", "The first"), ("ext-1", "Customer 1")]
    by_alias = await reader.all(lambda c: c.v1.customers.list(ingest_alias="ext-1"))
    assert [one.id for one in by_alias] == [ids[1]]
    assert await reader.all(lambda c: c.v1.customers.list(ingest_alias="nobody")) == []


async def test_audit_logs_of_all_services_are_one_list_without_gaps_and_repeats(
    reader: Reader, acme: Acme
) -> None:
    whole = await reader.all(lambda c: c.v1.audit_logs.list(limit=100))
    pages = await reader.all(lambda c: c.v1.audit_logs.list(limit=7))

    assert len(reader.paths) == -(-len(whole) // 7)
    assert [one.id for one in pages] == [one.id for one in whole]
    assert {"CatalogService", "ContractService"} <= {one.resource_type for one in whole}
    assert [one.timestamp for one in whole] == sorted((one.timestamp for one in whole), reverse=True)
    with pytest.raises(metronome.BadRequestError, match="next_page of an earlier answer"):
        await reader.all(lambda c: c.v1.audit_logs.list(next_page="x"))
    with pytest.raises(metronome.BadRequestError, match="newest first"):
        await reader.all(lambda c: c.v1.audit_logs.list(sort="date_asc"))


async def test_a_cursor_of_another_list_is_refused(sdk: Sdk, acme: Acme) -> None:
    page = await sdk(lambda c: c.v1.billable_metrics.list(limit=1))

    with pytest.raises(metronome.BadRequestError, match="page_token"):
        await sdk(lambda c: c.v1.pricing_units.list(next_page=page.next_page))
