# SPDX-License-Identifier: Apache-2.0
"""What limits and watches a customer: caps, groups, shadow mode, alerts."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from purser.alert.v1.alert_pb2 import Alert, AlertStatus, GetAlertStateRequest, ListAlertsRequest
from purser.ledger.v1.ledger_admin_pb2 import (
    ListCapGroupsRequest,
    ListConcurrencyCapsRequest,
    ListShadowModesRequest,
    ListSpendCapsRequest,
)
from services.portal.mesh import Mesh, listed
from services.portal.operator.showing import head_of, names_of, show
from services.portal.session import viewer_of

NAME = ""
ROWS_MAX = 500


async def caps(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    customer_id = head.customer.customer_id
    ledger = mesh.ledger_admin
    spend, busy, groups, modes, names = await asyncio.gather(
        ledger.ListSpendCaps(
            ListSpendCapsRequest(customer=customer_id, page_token=request.query_params.get("page", ""))
        ),
        listed(
            ledger.ListConcurrencyCaps,
            ListConcurrencyCapsRequest(customer=customer_id),
            "concurrency_caps",
            rows_max=ROWS_MAX,
        ),
        listed(
            ledger.ListCapGroups, ListCapGroupsRequest(customer=customer_id), "cap_groups", rows_max=ROWS_MAX
        ),
        ledger.ListShadowModes(ListShadowModesRequest(customer=customer_id)),
        names_of(mesh),
    )
    return show(
        request,
        "caps.html",
        head=head,
        tab="caps",
        spend_caps=spend.spend_caps,
        time_zone=spend.time_zone,
        next_page=spend.next_page_token,
        concurrency_caps=busy,
        groups={one.cap_group_id: one for one in groups},
        shadow_modes=[one for one in modes.shadow_modes if one.is_on],
        names=names,
    )


async def alerts(request: Request) -> Response:
    mesh, head = viewer_of(request).mesh, await head_of(request)
    customer_id = head.customer.customer_id
    answer, names = await asyncio.gather(
        mesh.alert.ListAlerts(
            ListAlertsRequest(customer_id=customer_id, page_token=request.query_params.get("page", ""))
        ),
        names_of(mesh),
    )
    states = await asyncio.gather(*(_states(mesh, one, customer_id) for one in answer.alerts))
    return show(
        request,
        "alerts.html",
        head=head,
        tab="alerts",
        alerts=list(zip(answer.alerts, states, strict=True)),
        next_page=answer.next_page_token,
        names=names,
    )


async def _states(mesh: Mesh, alert: Alert, customer_id: str) -> list[AlertStatus]:
    asked = GetAlertStateRequest(alert_id=alert.alert_id, customer_id=customer_id)
    return list((await mesh.alert.GetAlertState(asked)).statuses)


_OF = "/operator/customers/{customer}"
ROUTES: Sequence[Route] = (
    Route(f"{_OF}/caps", caps),
    Route(f"{_OF}/alerts", alerts),
)
