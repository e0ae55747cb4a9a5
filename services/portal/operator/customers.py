# SPDX-License-Identifier: Apache-2.0
"""Customers: search, and one customer at a glance."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from grpc.aio import AioRpcError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from purser.contract.v1.contract_pb2 import (
    GetCustomerRequest,
    ListContractsRequest,
    ListCustomersRequest,
)
from purser.ledger.v1.ledger_pb2 import GetBalanceRequest
from services.portal.faults import Fault, fault_of
from services.portal.operator.showing import head_of, names_of, show
from services.portal.session import viewer_of

NAME = "Customers"

T = TypeVar("T")


async def search(request: Request) -> Response:
    asked = request.query_params
    found = await viewer_of(request).mesh.contract.ListCustomers(
        ListCustomersRequest(
            search=asked.get("search", ""),
            with_archived="with_archived" in asked,
            page_token=asked.get("page", ""),
        )
    )
    return show(
        request,
        "customers.html",
        customers=found.customers,
        next_page=found.next_page_token,
        search=asked.get("search", ""),
        with_archived="with_archived" in asked,
    )


async def summary(request: Request) -> Response:
    mesh = viewer_of(request).mesh
    head = await head_of(request)
    customer_id = head.customer.customer_id
    known, balance, contracts, names = await asyncio.gather(
        _answer(mesh.contract.GetCustomer(GetCustomerRequest(customer=customer_id))),
        _answer(mesh.ledger.GetBalance(GetBalanceRequest(customer=customer_id))),
        _answer(mesh.contract.ListContracts(ListContractsRequest(customer=customer_id))),
        names_of(mesh),
    )
    return show(
        request,
        "customer.html",
        head=head,
        tab="",
        known=known,
        balance=balance,
        contracts=contracts,
        is_fault=lambda value: isinstance(value, Fault),
        names=names,
    )


async def _answer(call: Awaitable[T]) -> T | Fault:
    """Return what a service answers, or its fault: the rest of the page is shown all the same."""
    try:
        return await call
    except AioRpcError as error:
        return fault_of(error)


ROUTES: Sequence[Route] = (
    Route("/operator", search),
    Route("/operator/customers/{customer}", summary),
)
