# SPDX-License-Identifier: Apache-2.0
"""CreateCreditType, ListCreditTypes."""

import asyncio

from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from tests.support.catalog import JUNE, CatalogStub
from tests.support.faults import bad_fields, fault


async def _create(catalog: CatalogStub, request_id: str, name: str) -> pb.CreditType:
    request = pb.CreateCreditTypeRequest(request_id=request_id, name=name)
    return (await catalog.CreateCreditType(request)).credit_type


async def test_usd_is_always_there(catalog: CatalogStub) -> None:
    listed = await catalog.ListCreditTypes(pb.ListCreditTypesRequest())

    assert [(one.credit_type_id, one.name) for one in listed.credit_types] == [("USD", "USD")]


async def test_a_credit_type_is_made_at_business_time_and_listed(catalog: CatalogStub) -> None:
    made = await _create(catalog, "r1", "AI credits")

    listed = await catalog.ListCreditTypes(pb.ListCreditTypesRequest())
    assert made.credit_type_id.startswith("crt_")
    assert made.name == "AI credits"
    assert made.create_time == timestamp(JUNE)
    assert list(listed.credit_types)[1:] == [made]


async def test_names_are_unique_letter_by_letter(catalog: CatalogStub) -> None:
    await _create(catalog, "r1", "AI credits")
    await _create(catalog, "r2", "ai credits")

    with fault(StatusCode.ALREADY_EXISTS, "CREDIT_TYPE_NAME_TAKEN", name="AI credits"):
        await _create(catalog, "r3", "AI credits")
    with fault(StatusCode.ALREADY_EXISTS, "CREDIT_TYPE_NAME_TAKEN", name="USD"):
        await _create(catalog, "r4", "USD")


async def test_a_refused_request_leaves_its_id_free(catalog: CatalogStub) -> None:
    with fault(StatusCode.ALREADY_EXISTS, "CREDIT_TYPE_NAME_TAKEN"):
        await _create(catalog, "r1", "USD")

    assert (await _create(catalog, "r1", "AI credits")).name == "AI credits"


async def test_of_two_rivals_for_a_name_one_wins(catalog: CatalogStub) -> None:
    rivals = await asyncio.gather(
        *(_create(catalog, f"r{n}", "AI credits") for n in range(8)), return_exceptions=True
    )

    assert sum(isinstance(rival, pb.CreditType) for rival in rivals) == 1


async def test_all_bad_fields_are_named_at_once(catalog: CatalogStub) -> None:
    with bad_fields("request_id", "name"):
        await _create(catalog, "", "")
    with bad_fields("name"):
        await _create(catalog, "r1", "x" * 201)
    assert (await _create(catalog, "r1", "x" * 200)).name == "x" * 200
