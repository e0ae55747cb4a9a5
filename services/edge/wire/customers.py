# SPDX-License-Identifier: Apache-2.0
"""Customers."""

from typing import Annotated

from purser.contract.v1 import contract_pb2 as pb
from services.edge.wire.fields import Body, CursorQuery, TextList, refused, time_to_json, without_absent

_PAYMENTS = "save the card with PaymentService.SetPaymentMethod, and the address with SetBillingDetails"


class CreateCustomer(Body):
    name: str
    ingest_aliases: tuple[str, ...] = ()
    external_id: str = ""
    billing_config: Annotated[None, refused(_PAYMENTS)] = None
    customer_billing_provider_configurations: Annotated[None, refused(_PAYMENTS)] = None


class ListCustomers(CursorQuery):
    customer_ids: TextList = ()
    ingest_alias: str = ""
    only_archived: bool = False
    salesforce_account_ids: Annotated[
        None, refused("customers are found by customer_ids and ingest_alias")
    ] = None


class SetIngestAliases(Body):
    ingest_aliases: tuple[str, ...] = ()


class SetName(Body):
    name: str


def customer_from_json(body: CreateCustomer, request_id: str) -> pb.CreateCustomerRequest:
    """Return the request. The older external_id is an alias like any other."""
    aliases = dict.fromkeys(
        (body.external_id, *body.ingest_aliases) if body.external_id else body.ingest_aliases
    )
    return pb.CreateCustomerRequest(request_id=request_id, name=body.name, aliases=list(aliases))


def customer_to_json(customer: pb.Customer) -> dict[str, object]:
    return {
        "id": customer.customer_id,
        "external_id": customer.aliases[0] if customer.aliases else customer.customer_id,
        "ingest_aliases": list(customer.aliases),
        "name": customer.name,
        "custom_fields": {},
    }


def customer_detail_to_json(customer: pb.Customer) -> dict[str, object]:
    archived = time_to_json(customer.archive_time) if customer.HasField("archive_time") else None
    created = time_to_json(customer.create_time)
    return without_absent(
        {
            **customer_to_json(customer),
            "customer_config": {},
            "created_at": created,
            "updated_at": created,
            "archived_at": archived,
        }
    )
