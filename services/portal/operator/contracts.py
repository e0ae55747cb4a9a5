# SPDX-License-Identifier: Apache-2.0
"""What a customer has signed and is asked to pay: contracts, seats, top-ups, invoices."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from purser.contract.v1.contract_pb2 import (
    QUANTITY_MANAGEMENT_SEAT_BASED,
    Contract,
    GetContractRequest,
    GetInvoiceRequest,
    ListContractsRequest,
    ListInvoicesRequest,
    ListPlanChangesRequest,
    ListSeatChangesRequest,
    ListSeatsRequest,
    ListSeatsResponse,
    ListTopUpsRequest,
    Subscription,
)
from services.portal.mesh import Mesh, listed
from services.portal.operator.showing import head_of, names_of, show
from services.portal.session import viewer_of

NAME = ""
ROWS_MAX = 500


async def contracts(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    answer = await mesh.contract.ListContracts(
        ListContractsRequest(
            customer=head.customer.customer_id, page_token=request.query_params.get("page", "")
        )
    )
    return show(
        request,
        "contracts.html",
        head=head,
        tab="contracts",
        contracts=answer.contracts,
        next_page=answer.next_page_token,
        names=await names_of(mesh),
    )


async def contract(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    contract_id = request.path_params["contract_id"]
    found = (await mesh.contract.GetContract(GetContractRequest(contract_id=contract_id))).contract
    seats, plan_changes, names = await asyncio.gather(
        asyncio.gather(*(_seats(mesh, found, one) for one in found.subscriptions)),
        listed(
            mesh.contract.ListPlanChanges,
            ListPlanChangesRequest(contract_id=contract_id),
            "plan_changes",
            rows_max=ROWS_MAX,
        ),
        names_of(mesh),
    )
    return show(
        request,
        "contract.html",
        head=head,
        tab="contracts",
        contract=found,
        subscriptions=seats,
        plan_changes=plan_changes,
        names=names,
    )


async def _seats(mesh: Mesh, contract: Contract, subscription: Subscription) -> dict[str, object]:
    """Return a subscription with who has its seats, and its seat changes, the latest first."""
    contract_id, subscription_id = contract.contract_id, subscription.subscription_id
    seats = ListSeatsResponse()
    if subscription.quantity_management == QUANTITY_MANAGEMENT_SEAT_BASED:
        seats = await mesh.contract.ListSeats(
            ListSeatsRequest(contract_id=contract_id, subscription_id=subscription_id, page_size=ROWS_MAX)
        )
    changes = await listed(
        mesh.contract.ListSeatChanges,
        ListSeatChangesRequest(contract_id=contract_id, subscription_id=subscription_id),
        "seat_changes",
        rows_max=ROWS_MAX,
    )
    return {"terms": subscription, "seats": seats, "changes": list(reversed(changes))}


async def top_ups(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    signed = await listed(
        mesh.contract.ListContracts,
        ListContractsRequest(customer=head.customer.customer_id),
        "contracts",
        rows_max=ROWS_MAX,
    )
    chosen = request.query_params.get("contract", signed[-1].contract_id if signed else "")
    bought, next_page = [], ""
    if chosen:
        answer = await mesh.contract.ListTopUps(
            ListTopUpsRequest(
                contract_id=chosen, newest_first=True, page_token=request.query_params.get("page", "")
            )
        )
        bought, next_page = list(answer.top_ups), answer.next_page_token
    return show(
        request,
        "top_ups.html",
        head=head,
        tab="top-ups",
        contracts=signed,
        chosen=chosen,
        top_ups=bought,
        next_page=next_page,
        names=await names_of(mesh),
    )


async def invoices(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    answer = await mesh.contract.ListInvoices(
        ListInvoicesRequest(
            customer=head.customer.customer_id,
            newest_first=True,
            page_token=request.query_params.get("page", ""),
        )
    )
    return show(
        request,
        "invoices.html",
        head=head,
        tab="invoices",
        invoices=answer.invoices,
        next_page=answer.next_page_token,
    )


async def invoice(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    asked = GetInvoiceRequest(invoice_id=request.path_params["invoice_id"])
    answer, names = await asyncio.gather(mesh.contract.GetInvoice(asked), names_of(mesh))
    return show(request, "invoice.html", head=head, tab="invoices", answer=answer, names=names)


_OF = "/operator/customers/{customer}"
ROUTES: Sequence[Route] = (
    Route(f"{_OF}/contracts", contracts),
    Route(f"{_OF}/contracts/{{contract_id}}", contract),
    Route(f"{_OF}/top-ups", top_ups),
    Route(f"{_OF}/invoices", invoices),
    Route(f"{_OF}/invoices/{{invoice_id}}", invoice),
)
