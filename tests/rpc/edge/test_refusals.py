# SPDX-License-Identifier: Apache-2.0
"""What the SDK is told when a request cannot be done, and how often it asks."""

from collections.abc import AsyncIterator

import httpx
import metronome
import pytest
import pytest_asyncio

from services.edge.exchange import BODY_BYTES_MAX
from services.edge.routes import ENTRIES
from tests.support.edge import RunningEdge, Sdk
from tests.support.mesh import Acme

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Routes that need an rpc which Purser does not have.
WITHOUT_AN_RPC = {
    "/v1/credit-types/archive",
    "/v1/contract-pricing/rate-cards/update",
    "/v1/contract-pricing/rate-cards/archive",
    "/v1/contracts/archive",
    "/v1/customers/{customer_id}/previewEvents",
}


class Counted:
    """An SDK whose requests are counted."""

    def __init__(self, edge: RunningEdge, *roles: str) -> None:
        self.requests = 0
        http = httpx.AsyncClient(event_hooks={"request": [self._count]})
        self.sdk = edge.sdk(*roles, http_client=http)

    async def _count(self, _: httpx.Request) -> None:
        self.requests += 1


@pytest_asyncio.fixture(loop_scope="module")
async def counted(edge: RunningEdge) -> AsyncIterator[Counted]:
    made = Counted(edge)
    yield made
    await made.sdk.close()


@pytest_asyncio.fixture(loop_scope="module")
async def by_hand(edge: RunningEdge) -> AsyncIterator[httpx.AsyncClient]:
    async with edge.http() as client:
        yield client


async def message_of(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    content = answer.json()
    assert list(content) == ["message"]
    return str(content["message"])


async def test_every_route_is_there_and_five_say_that_an_rpc_is_missing(by_hand: httpx.AsyncClient) -> None:
    assert len(ENTRIES) == len({(one.method, one.path) for one in ENTRIES}) == 59
    for entry in ENTRIES:
        path = entry.path.replace("{", "").replace("}", "")
        answer = await by_hand.request(entry.method, path, json={})
        if entry.path in WITHOUT_AN_RPC:
            assert "Purser" in await message_of(answer, 501)
            assert answer.headers["x-should-retry"] == "false"
        else:
            # An empty body lacks a field, or the path names nothing.
            assert answer.status_code in (200, 400, 404), (entry.path, answer.text)


async def test_whoever_has_no_token_or_a_wrong_one_is_401(
    edge: RunningEdge, by_hand: httpx.AsyncClient
) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as nobody:
        assert "TOKEN_MISSING" in await message_of(await nobody.get("/v1/customers"), 401)
    wrong = await by_hand.get("/v1/customers", headers={"authorization": "Bearer x.y.z"})
    assert "TOKEN_INVALID" in await message_of(wrong, 401)


async def test_a_role_that_may_not_is_403_and_asks_once(edge: RunningEdge) -> None:
    gate = Counted(edge, "gate")

    with pytest.raises(metronome.PermissionDeniedError):
        await gate.sdk(lambda c: c.v1.customers.create(name="Acme"))
    assert gate.requests == 1
    await gate.sdk.close()


async def test_a_viewer_gets_no_link_with_which_it_could_act_as_a_customer(
    edge: RunningEdge, acme: Acme
) -> None:
    viewer = edge.sdk("viewer")

    with pytest.raises(metronome.PermissionDeniedError, match="only the role operator"):
        await viewer(
            lambda c: c.v1.dashboards.get_embeddable_url(
                customer_id=acme.contract.customer_id, dashboard="credits"
            )
        )
    await viewer.close()


async def test_what_is_unknown_is_404(sdk: Sdk, by_hand: httpx.AsyncClient) -> None:
    with pytest.raises(metronome.NotFoundError, match="CUSTOMER_NOT_FOUND"):
        await sdk(lambda c: c.v1.customers.retrieve(customer_id="cus_none"))
    with pytest.raises(metronome.NotFoundError, match="PRODUCT_NOT_FOUND"):
        await sdk(lambda c: c.v1.contracts.products.retrieve(id="prd_none"))
    assert "no route /v1/nothing" in await message_of(await by_hand.get("/v1/nothing"), 404)
    assert "no method DELETE" in await message_of(await by_hand.delete("/v1/alerts/create"), 405)


async def test_a_taken_alias_is_409_and_asks_once(counted: Counted, acme: Acme) -> None:
    with pytest.raises(metronome.ConflictError, match="ALIAS_TAKEN"):
        await counted.sdk(lambda c: c.v1.customers.create(name="Other", ingest_aliases=["acme"]))
    assert counted.requests == 1


async def test_a_wrong_state_is_400_and_asks_once(counted: Counted, sdk: Sdk) -> None:
    made = await sdk(lambda c: c.v1.contracts.products.create(name="Old", type="FIXED"))
    await sdk(lambda c: c.v1.contracts.products.archive(product_id=made.data.id))

    with pytest.raises(metronome.BadRequestError, match="PRODUCT_ARCHIVED"):
        await counted.sdk(
            lambda c: c.v1.contracts.products.update(
                product_id=made.data.id, name="New", starting_at="2025-06-01T00:00:00Z"
            )
        )
    assert counted.requests == 1


async def test_400_names_all_wrong_fields_that_a_service_finds(by_hand: httpx.AsyncClient) -> None:
    answer = await by_hand.post("/v1/customers", json={"name": "x" * 201, "ingest_aliases": ["cus_1"]})
    message = await message_of(answer, 400)

    assert "name must have at most 200 characters" in message
    assert "aliases[0]" in message
    assert message.endswith("(INVALID_FIELDS)")


@pytest.mark.parametrize("body", [b"{", b"NaN", b'{"name": 1e999999999}', b"[" * 100_000, b"\xff\xfe"])
async def test_a_body_that_makes_no_sense_is_400(by_hand: httpx.AsyncClient, body: bytes) -> None:
    await message_of(await by_hand.post("/v1/customers", content=body), 400)


async def test_a_body_that_is_too_large_is_413(by_hand: httpx.AsyncClient) -> None:
    answer = await by_hand.post("/v1/ingest", content=b" " * (BODY_BYTES_MAX + 1))

    assert "send less at a time" in await message_of(answer, 413)


async def test_a_rejected_event_is_400_and_the_others_are_recorded(sdk: Sdk, acme: Acme) -> None:
    event = {
        "customer_id": "acme",
        "event_type": "ai.preview",
        "timestamp": "2025-06-01T00:00:00Z",
        "properties": {"units": 1},
    }
    old = {**event, "transaction_id": "old", "timestamp": "2025-01-01T00:00:00Z"}

    with pytest.raises(metronome.BadRequestError, match=r"\[0\]\.timestamp was not recorded"):
        await sdk(lambda c: c.v1.usage.ingest(usage=[old, {**event, "transaction_id": "new"}]))
    found = await sdk(
        lambda c: c.v1.usage.search(
            transaction_ids=["old", "new"], extra_body={"customer_id": acme.contract.customer_id}
        )
    )
    assert [one.transaction_id for one in found] == ["new"]
    with pytest.raises(metronome.BadRequestError, match="extra_body"):
        await sdk(lambda c: c.v1.usage.search(transaction_ids=["new"]))


async def test_a_service_that_is_away_is_503_and_the_sdk_asks_three_times(
    edge: RunningEdge, counted: Counted, by_hand: httpx.AsyncClient
) -> None:
    await edge.mesh.stop("alert")
    try:
        answer = await by_hand.post("/v1/alerts/archive", json={"id": "alr_1"})
        assert answer.headers["retry-after"] == "1"
        await message_of(answer, 503)
        with pytest.raises(metronome.InternalServerError):
            await counted.sdk(lambda c: c.v1.alerts.archive(id="alr_1"))
        assert counted.requests == 3
    finally:
        await edge.mesh.start("alert")
