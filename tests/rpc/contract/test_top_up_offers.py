# SPDX-License-Identifier: Apache-2.0
"""What a customer can buy: the packs in the currency of each contract in force."""

from datetime import timedelta

import pytest
from grpc import StatusCode

from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import self_service_pb2 as own
from purser.contract.v1.self_service_pb2_grpc import SelfServiceStub
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import JUNE, CatalogStub, Shop
from tests.support.contract import NOBODY, Desk, RunningContract, away, running_contract
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases

TICK = timedelta(microseconds=1)


async def offered(running: RunningContract, customer: str) -> list[tuple[str, str]]:
    """Return contract and name of all that a customer can buy."""
    return [(one.contract_id, one.name) for one in await offers(running, customer)]


async def offers(running: RunningContract, customer: str) -> list[own.TopUpOffer]:
    async with open_channel(running.address) as channel:
        asked = own.ListTopUpOffersRequest(customer=customer)
        return list((await SelfServiceStub(channel).ListTopUpOffers(asked)).offers)


@pytest.fixture
async def in_euros(catalog: CatalogStub, shop: Shop, desk: Desk) -> catalog_pb2.TopUpPack:
    pack = desk.sells.pack
    made = await catalog.CreateTopUpPack(
        catalog_pb2.CreateTopUpPackRequest(
            request_id="euros",
            name="1,000 in Europe",
            product_id=pack.product_id,
            credit_type_id=pack.credit_type_id,
            amount_micros=pack.amount_micros,
            price=Money(currency_code="EUR", micros=75 * MICROS),
            lifetime=timedelta(days=365),
        )
    )
    return made.top_up_pack


async def test_each_contract_in_force_offers_the_packs_in_its_currency(
    desk: Desk, shop: Shop, running: RunningContract, in_euros: catalog_pb2.TopUpPack
) -> None:
    customer = (await desk.customer()).customer_id
    card = await shop.card(currency="EUR")
    dollars = await desk.contract.CreateContract(desk.contract_request(customer, desk.seats(4)))
    euros = await desk.contract.CreateContract(
        pb.CreateContractRequest(
            request_id="euros",
            customer=customer,
            name="Europe",
            rate_card_id=card.rate_card_id,
            start_time=timestamp(JUNE),
        )
    )

    found = await offers(running, customer)

    assert [(one.contract_id, one.name) for one in found] == [
        (euros.contract.contract_id, "1,000 in Europe"),
        (dollars.contract.contract_id, desk.sells.pack.name),
    ]
    assert found[0] == own.TopUpOffer(
        contract_id=euros.contract.contract_id,
        contract_name="Europe",
        top_up_pack_id=in_euros.top_up_pack_id,
        name=in_euros.name,
        credit_type_id=in_euros.credit_type_id,
        amount_micros=in_euros.amount_micros,
        price=in_euros.price,
        lifetime=timedelta(days=365),
    )


async def test_a_contract_offers_packs_from_its_start_until_its_end(
    desk: Desk, running: RunningContract
) -> None:
    customer = (await desk.customer()).customer_id
    start, end = JUNE + timedelta(days=1), JUNE + timedelta(days=2)
    await desk.contract.CreateContract(desk.contract_request(customer, desk.seats(4), start=start, end=end))

    counts = []
    for at in (start - TICK, start, end - TICK, end):
        await running.advance_to(at)
        counts.append(len(await offered(running, customer)))

    assert counts == [0, 1, 1, 0]


async def test_offers_need_a_known_customer_and_the_catalog(
    databases: Databases, desk: Desk, running: RunningContract
) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.CreateContract(desk.contract_request(customer, desk.seats(4)))

    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await offered(running, "nobody")
    with bad_fields("customer"):
        await offered(running, "")
    async with running_contract(databases, catalog_address=NOBODY) as alone:
        with away("catalog"):
            await offered(alone, customer)
