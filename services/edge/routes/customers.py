# SPDX-License-Identifier: Apache-2.0
"""Customers and their aliases: Contract's."""

import asyncio
from collections.abc import Sequence

from grpc import StatusCode
from grpc.aio import AioRpcError

from purser.contract.v1 import contract_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.pages import page_of
from services.edge.wire import customers as wire
from services.edge.wire.fields import IdBody, id_to_json, one_violation

# One rpc each.
CUSTOMER_IDS_MAX = 100


async def create_customer(ask: Ask) -> object:
    request = wire.customer_from_json(ask.body(wire.CreateCustomer), ask.request_id())
    made = await ask.mesh.contract.CreateCustomer(request)
    return {"data": wire.customer_to_json(made.customer)}


async def list_customers(ask: Ask) -> object:
    query = ask.query_of(wire.ListCustomers)
    named = (*query.customer_ids, query.ingest_alias) if query.ingest_alias else query.customer_ids
    if named:
        return page_of([wire.customer_detail_to_json(one) for one in await _found(ask, named)], "")
    listed = await ask.mesh.contract.ListCustomers(
        pb.ListCustomersRequest(
            page_size=query.limit or 0, page_token=query.next_page, with_archived=query.only_archived
        )
    )
    shown = [
        wire.customer_detail_to_json(one)
        for one in listed.customers
        if not query.only_archived or one.HasField("archive_time")
    ]
    return page_of(shown, listed.next_page_token)


async def _found(ask: Ask, named: Sequence[str]) -> list[pb.Customer]:
    """Return the customers among those named by id or alias, each once."""
    if len(named) > CUSTOMER_IDS_MAX:
        raise one_violation("customer_ids", f"must have at most {CUSTOMER_IDS_MAX} ids")
    answers = await asyncio.gather(*(_customer(ask, one) for one in named))
    return list({one.customer_id: one for one in answers if one is not None}.values())


async def _customer(ask: Ask, named: str) -> pb.Customer | None:
    try:
        return (await ask.mesh.contract.GetCustomer(pb.GetCustomerRequest(customer=named))).customer
    except AioRpcError as error:
        if error.code() is StatusCode.NOT_FOUND:
            return None
        raise


async def get_customer(ask: Ask) -> object:
    request = pb.GetCustomerRequest(customer=ask.path_values["customer_id"])
    found = await ask.mesh.contract.GetCustomer(request)
    return {"data": wire.customer_detail_to_json(found.customer)}


async def set_ingest_aliases(ask: Ask) -> object:
    await ask.mesh.contract.SetCustomerAliases(
        pb.SetCustomerAliasesRequest(
            request_id=ask.request_id(),
            customer=ask.path_values["customer_id"],
            aliases=ask.body(wire.SetIngestAliases).ingest_aliases,
        )
    )
    return None


async def set_name(ask: Ask) -> object:
    renamed = await ask.mesh.contract.RenameCustomer(
        pb.RenameCustomerRequest(
            request_id=ask.request_id(),
            customer=ask.path_values["customer_id"],
            name=ask.body(wire.SetName).name,
        )
    )
    return {"data": wire.customer_to_json(renamed.customer)}


async def archive_customer(ask: Ask) -> object:
    body = ask.body(IdBody)
    archived = await ask.mesh.contract.ArchiveCustomer(
        pb.ArchiveCustomerRequest(request_id=ask.request_id(), customer=body.id)
    )
    return id_to_json(archived.customer.customer_id)


ENTRIES = (
    Entry("POST", "/v1/customers", create_customer),
    Entry("GET", "/v1/customers", list_customers),
    Entry("POST", "/v1/customers/archive", archive_customer),
    Entry("GET", "/v1/customers/{customer_id}", get_customer),
    Entry("POST", "/v1/customers/{customer_id}/setIngestAliases", set_ingest_aliases),
    Entry("POST", "/v1/customers/{customer_id}/setName", set_name),
)
