# SPDX-License-Identifier: Apache-2.0
"""A customer's credits: grants, holds, entries."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from purser.ledger.v1.ledger_admin_pb2 import (
    ListEntriesRequest,
    ListGrantsRequest,
    ListHoldsRequest,
)
from purser.ledger.v1.ledger_pb2 import GetBalanceRequest
from services.portal.operator.showing import head_of, names_of, show
from services.portal.session import viewer_of

NAME = ""
STATES = ("HELD", "CAPTURED", "RELEASED", "EXPIRED")


async def grants(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    asked = ListGrantsRequest(
        customer=head.customer.customer_id, page_token=request.query_params.get("page", "")
    )
    answer, names = await asyncio.gather(mesh.ledger_admin.ListGrants(asked), names_of(mesh))
    return show(
        request,
        "grants.html",
        head=head,
        tab="grants",
        grants=answer.grants,
        next_page=answer.next_page_token,
        names=names,
    )


async def holds(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    state = request.query_params.get("state", "")
    asked = ListHoldsRequest(
        customer=head.customer.customer_id,
        hold_state=f"HOLD_STATE_{state}" if state in STATES else None,
        page_token=request.query_params.get("page", ""),
    )
    answer, names = await asyncio.gather(mesh.ledger_admin.ListHolds(asked), names_of(mesh))
    return show(
        request,
        "holds.html",
        head=head,
        tab="holds",
        holds=answer.holds,
        state=state,
        states=STATES,
        next_page=answer.next_page_token,
        names=names,
    )


async def entries(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    customer_id, asked = head.customer.customer_id, request.query_params
    balance, names = await asyncio.gather(
        mesh.ledger.GetBalance(GetBalanceRequest(customer=customer_id)), names_of(mesh)
    )
    pools = [pool.credit_type_id for pool in balance.pools]
    chosen = asked.get("credit_type", pools[0] if pools else "")
    rows, next_page = [], ""
    if chosen:
        answer = await mesh.ledger_admin.ListEntries(
            ListEntriesRequest(
                customer=customer_id,
                credit_type_id=chosen,
                grant_id=asked.get("grant", ""),
                page_token=asked.get("page", ""),
            )
        )
        rows, next_page = list(answer.entries), answer.next_page_token
    return show(
        request,
        "entries.html",
        head=head,
        tab="entries",
        entries=rows,
        pools=pools,
        chosen=chosen,
        grant=asked.get("grant", ""),
        next_page=next_page,
        names=names,
    )


_OF = "/operator/customers/{customer}"
ROUTES: Sequence[Route] = (
    Route(f"{_OF}/grants", grants),
    Route(f"{_OF}/holds", holds),
    Route(f"{_OF}/entries", entries),
)
