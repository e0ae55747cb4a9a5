# SPDX-License-Identifier: Apache-2.0
"""Webhooks and mails: what became of each, and where they go."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from purser.alert.v1.alert_pb2 import ListDeliveriesRequest, ListWebhookEndpointsRequest
from services.portal.mesh import listed
from services.portal.operator.showing import show
from services.portal.session import viewer_of

NAME = "Deliveries"
ENDPOINTS_MAX = 500
STATES = ("PENDING", "DELIVERED", "FAILED")


async def deliveries(request: Request) -> Response:
    alert, asked = viewer_of(request).mesh.alert, request.query_params
    state, event_type = asked.get("state", ""), asked.get("type", "").strip()
    answer, endpoints = await asyncio.gather(
        alert.ListDeliveries(
            ListDeliveriesRequest(
                webhook_endpoint_id=asked.get("endpoint", "").strip(),
                alert_id=asked.get("alert", "").strip(),
                event_types=[event_type] if event_type else [],
                status=f"DELIVERY_STATUS_{state}" if state in STATES else None,
                page_token=asked.get("page", ""),
            )
        ),
        listed(
            alert.ListWebhookEndpoints,
            ListWebhookEndpointsRequest(),
            "webhook_endpoints",
            rows_max=ENDPOINTS_MAX,
        ),
    )
    return show(
        request,
        "deliveries.html",
        deliveries=answer.deliveries,
        next_page=answer.next_page_token,
        endpoints=endpoints,
        targets={one.webhook_endpoint_id: one.url or ", ".join(one.recipients) for one in endpoints},
        asked=asked,
        state=state,
        states=STATES,
    )


ROUTES: Sequence[Route] = (Route("/operator/deliveries", deliveries),)
