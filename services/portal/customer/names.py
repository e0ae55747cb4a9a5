# SPDX-License-Identifier: Apache-2.0
"""What ids are called, and what time it is for the business: questions that several pages ask."""

from datetime import datetime
from typing import Final

from purser.catalog.v1.catalog_pb2 import ListCreditTypesRequest, ListProductsRequest
from purser.ledger.v1.ledger_pb2 import GetBalanceRequest, GetBalanceResponse
from services.portal.formats import instant
from services.portal.mesh import listed
from services.portal.session import Viewer

NAMES_MAX: Final = 5_000


async def credit_type_names(viewer: Viewer) -> dict[str, str]:
    """Return the name of each credit type by its id."""
    types = await listed(
        viewer.mesh.catalog.ListCreditTypes, ListCreditTypesRequest(), "credit_types", rows_max=NAMES_MAX
    )
    return {one.credit_type_id: one.name for one in types}


async def product_names(viewer: Viewer) -> dict[str, str]:
    """Return the name of each product by its id, of archived ones too."""
    request = ListProductsRequest(include_archived=True)
    products = await listed(viewer.mesh.catalog.ListProducts, request, "products", rows_max=NAMES_MAX)
    return {one.product_id: one.name for one in products}


async def balance_of(viewer: Viewer) -> GetBalanceResponse:
    """Return the balance of the viewer's customer."""
    return await viewer.mesh.ledger.GetBalance(GetBalanceRequest(customer=viewer.customer_id))


def business_time(balance: GetBalanceResponse) -> datetime:
    """Return the time that contracts, grants and usage are dated by; in a sandbox it is not the wall clock's."""
    return instant(balance.as_of_time)
