# SPDX-License-Identifier: Apache-2.0
"""What all pages of operators share: names for ids and enums, the head of a customer's pages, links to later pages."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from grpc import StatusCode
from grpc.aio import AioRpcError
from starlette.requests import Request
from starlette.responses import HTMLResponse

from purser.catalog.v1.catalog_pb2 import ListCreditTypesRequest, ListProductsRequest
from purser.contract.v1.contract_pb2 import Customer, GetCustomerRequest
from services.portal.mesh import Mesh, listed
from services.portal.rendering import page
from services.portal.session import Viewer, viewer_of

NAMES_MAX: Final = 1_000
AWAY: Final = frozenset((StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED))
_INSIDE: Final = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of products and credit types by their ids. What has none is shown as its id."""

    by_id: Mapping[str, str]

    def of(self, thing_id: str) -> str:
        return self.by_id.get(thing_id, thing_id)


@dataclass(frozen=True, slots=True)
class Head:
    """Whose pages these are. is_known: Contract has answered; otherwise only the id is shown."""

    customer: Customer
    is_known: bool

    @property
    def path(self) -> str:
        return f"/operator/customers/{self.customer.customer_id}"


def show(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page of templates/operator. values: what it shows; every page gets the functions named here."""
    return page(
        request,
        f"operator/{template}",
        status=status,
        may_act=may_act(viewer_of(request)),
        word=word,
        link=lambda **query: f"?{request.url.include_query_params(**query).query}",
        is_first=not request.query_params.get("page"),
        **values,
    )


def may_act(viewer: Viewer) -> bool:
    """Whether to show buttons. The services decide."""
    return "operator" in viewer.roles


def word(message: Message, field: str) -> str:
    """Return the value of an enum field in words: "in alarm" for ALERT_STATE_IN_ALARM."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    assert enum is not None
    value = enum.values_by_number.get(getattr(message, field))
    if value is None:
        return str(getattr(message, field))
    prefix = _INSIDE.sub("_", enum.name).upper() + "_"
    return value.name.removeprefix(prefix).replace("_", " ").lower()


async def head_of(request: Request) -> Head:
    """Return the customer of a page, by the id or alias in its path."""
    name = request.path_params["customer"]
    try:
        answer = await viewer_of(request).mesh.contract.GetCustomer(GetCustomerRequest(customer=name))
    except AioRpcError as error:
        if error.code() not in AWAY:
            raise
        # The pages of other services are needed most while one is away.
        return Head(Customer(customer_id=name, name=name), is_known=False)
    return Head(answer.customer, is_known=True)


async def names_of(mesh: Mesh) -> Names:
    """Return the names of the first products and credit types; none while the Catalog is away."""
    try:
        products, credit_types = await asyncio.gather(
            listed(mesh.catalog.ListProducts, ListProductsRequest(), "products", rows_max=NAMES_MAX),
            listed(
                mesh.catalog.ListCreditTypes, ListCreditTypesRequest(), "credit_types", rows_max=NAMES_MAX
            ),
        )
    except AioRpcError as error:
        if error.code() not in AWAY:
            raise
        return Names({})
    return Names(
        {one.product_id: one.name for one in products}
        | {one.credit_type_id: one.name for one in credit_types}
    )
