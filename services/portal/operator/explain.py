# SPDX-License-Identifier: Apache-2.0
"""Why: the decision behind a hold, and where an entry comes from."""

import asyncio
from collections.abc import Sequence

from grpc.aio import AioRpcError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from purser.audit.v1.audit_pb2 import AUDIT_OUTCOME_DONE, ListAuditEventsRequest
from purser.contract.v1.contract_pb2 import GetCustomerRequest
from purser.ledger.v1.ledger_admin_pb2 import ListHoldsRequest
from purser.ledger.v1.ledger_pb2 import GetDecisionRequest
from purser.ledger.v1.usage_pb2 import ExplainEntryRequest
from services.portal.mesh import Mesh
from services.portal.operator.audit import Record
from services.portal.operator.showing import AWAY, names_of, show
from services.portal.session import viewer_of

NAME = "Explain"


async def explain(request: Request) -> Response:
    """Show the form, and the explanation of what was asked for."""
    asked = {name: value.strip() for name, value in request.query_params.items()}
    if asked.get("hold"):
        return await _hold(request, asked)
    if asked.get("sequence"):
        return await _entry(request, asked)
    return show(request, "explain.html", asked=asked, decision=None, entry=None, problem="")


async def _hold(request: Request, asked: dict[str, str]) -> Response:
    mesh, customer, hold_id = viewer_of(request).mesh, asked.get("customer", ""), asked["hold"]
    decision, listed, names = await asyncio.gather(
        mesh.ledger.GetDecision(GetDecisionRequest(customer=customer, hold_id=hold_id)),
        mesh.ledger_admin.ListHolds(ListHoldsRequest(customer=customer, hold_id=hold_id)),
        names_of(mesh),
    )
    return show(
        request,
        "explain.html",
        asked=asked,
        decision=decision,
        hold=listed.holds[0],
        entry=None,
        problem="",
        names=names,
    )


async def _entry(request: Request, asked: dict[str, str]) -> Response:
    if not asked["sequence"].isdecimal() or len(asked["sequence"]) > 18:
        problem = "The sequence of an entry is a whole number, such as 12."
        return show(
            request, "explain.html", status=400, asked=asked, decision=None, entry=None, problem=problem
        )
    mesh = viewer_of(request).mesh
    explained, names = await asyncio.gather(
        mesh.usage.ExplainEntry(
            ExplainEntryRequest(
                customer=asked.get("customer", ""),
                credit_type_id=asked.get("credit_type", ""),
                sequence=int(asked["sequence"]),
            )
        ),
        names_of(mesh),
    )
    # Usage has no record but its entries; everything else was asked for by an operator or a service.
    cause = "" if explained.entry.product_id else explained.entry.cause_id
    return show(
        request,
        "explain.html",
        asked=asked,
        decision=None,
        entry=explained,
        problem="",
        records=await _records(mesh, asked.get("customer", ""), cause),
        names=names,
    )


async def _records(mesh: Mesh, customer: str, request_id: str) -> list[Record]:
    """Return the Ledger's audit record of the request that caused an entry; none while a service is away."""
    if not request_id:
        return []
    try:
        known = await mesh.contract.GetCustomer(GetCustomerRequest(customer=customer))
        conditions = ListAuditEventsRequest(
            target_id=known.customer.customer_id, request_id=request_id, outcome=AUDIT_OUTCOME_DONE
        )
        found = await mesh.audit("ledger").ListAuditEvents(conditions)
    except AioRpcError as error:
        if error.code() not in AWAY:
            raise
        return []
    return [Record("ledger", event) for event in found.audit_events]


ROUTES: Sequence[Route] = (Route("/operator/explain", explain),)
