# SPDX-License-Identifier: Apache-2.0
"""A repeat has one effect; two calls that were both meant have two."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import metronome
import pytest
import pytest_asyncio

from tests.support.edge import RunningEdge, Sdk
from tests.support.mesh import Acme

pytestmark = pytest.mark.asyncio(loop_scope="module")


class LosesAnswers(httpx.AsyncBaseTransport):
    """Sends every request, and loses the answers to the first ones."""

    def __init__(self, lost: int) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._lost = lost
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = await self._inner.handle_async_request(request)
        if self.requests <= self._lost:
            await response.aclose()
            raise httpx.ReadError("the answer is lost", request=request)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class Losing:
    """An SDK that hears no answer before its third request."""

    def __init__(self, edge: RunningEdge) -> None:
        self.transport = LosesAnswers(2)
        self.sdk = edge.sdk(http_client=httpx.AsyncClient(transport=self.transport))


@pytest_asyncio.fixture(loop_scope="module")
async def losing(edge: RunningEdge) -> AsyncIterator[Losing]:
    made = Losing(edge)
    yield made
    await made.sdk.close()


async def balance(sdk: Sdk, acme: Acme) -> float:
    answer = await sdk(
        lambda c: c.v1.contracts.get_net_balance(
            customer_id=acme.contract.customer_id, credit_type_id=acme.offer.ai_credits
        )
    )
    return float(answer.data.balance)


async def add(sdk: Sdk, acme: Acme, amount: float, **more: Any) -> None:
    """Give credits to the pool of Acme's included credits."""
    listed = await sdk.all(
        lambda c: c.v1.contracts.list_balances(
            customer_id=acme.contract.customer_id, include_contract_balances=True
        )
    )
    (grant,) = (one for one in listed if one.product.name == "Included AI credits")
    await sdk(
        lambda c: c.v1.contracts.add_manual_balance_entry(
            customer_id=acme.contract.customer_id,
            id=grant.id,
            segment_id=grant.access_schedule.schedule_items[0].id,
            amount=amount,
            reason="sorry",
            **more,
        )
    )


async def test_a_write_whose_answers_are_lost_is_done_once(sdk: Sdk, losing: Losing) -> None:
    made = await losing.sdk(lambda c: c.v1.pricing_units.create(name="Lost credits"))

    assert losing.transport.requests == 3
    listed = await sdk.all(lambda c: c.v1.pricing_units.list())
    assert [one.id for one in listed if one.name == "Lost credits"] == [made.data.id]


async def test_two_equal_calls_that_were_both_meant_are_both_done(sdk: Sdk, acme: Acme) -> None:
    before = await balance(sdk, acme)
    await add(sdk, acme, 5)
    await add(sdk, acme, 5)

    assert await balance(sdk, acme) == before + 10


async def test_a_uniqueness_key_that_is_used_again_gets_the_first_answer(sdk: Sdk, acme: Acme) -> None:
    before = await balance(sdk, acme)
    await add(sdk, acme, 7, uniqueness_key="sorry for June")
    await add(sdk, acme, 7, uniqueness_key="sorry for June")
    assert await balance(sdk, acme) == before + 7

    with pytest.raises(metronome.ConflictError, match="REQUEST_ID_REUSED"):
        await add(sdk, acme, 8, uniqueness_key="sorry for June")


async def test_an_idempotency_key_is_the_request_id_in_our_records(sdk: Sdk) -> None:
    key = {"Idempotency-Key": "unit-2025.1"}
    first = await sdk(lambda c: c.v1.pricing_units.create(name="Keyed credits", extra_headers=key))
    again = await sdk(lambda c: c.v1.pricing_units.create(name="Keyed credits", extra_headers=key))
    assert first == again

    logs = await sdk.all(lambda c: c.v1.audit_logs.list(resource_id=first.data.id, resource_type="x"))
    assert [one.request.id for one in logs] == ["unit-2025.1"]


async def test_an_event_that_is_ingested_again_counts_once(sdk: Sdk, acme: Acme) -> None:
    before = await balance(sdk, acme)
    for _ in range(2):
        await sdk(
            lambda c: c.v1.usage.ingest(
                usage=[
                    {
                        "transaction_id": "once",
                        "customer_id": "acme",
                        "event_type": "ai.assistant",
                        "timestamp": "2025-06-01T00:00:00",
                        "properties": {"units": 0.5, "user_id": "u"},
                    }
                ]
            )
        )

    assert await balance(sdk, acme) == before - 6


@pytest.mark.parametrize(
    ("amount", "micros"), [(0.1 + 0.2, 300_000), (0.0000005, 1), (1234567.654321, 1_234_567_654_321)]
)
async def test_an_amount_arrives_as_its_digits_say(sdk: Sdk, acme: Acme, amount: float, micros: int) -> None:
    before = await acme.available()
    await add(sdk, acme, amount)

    assert await acme.available() == before + micros
