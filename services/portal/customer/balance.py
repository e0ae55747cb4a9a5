# SPDX-License-Identifier: Apache-2.0
"""What is left, now and as it falls."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from meshkit.rpc.fields import timestamp
from purser.ledger.v1.ledger_pb2 import (
    GRANT_KIND_PROMOTIONAL,
    GRANT_KIND_TOP_UP,
    GetBalanceResponse,
    Grant,
)
from purser.ledger.v1.usage_pb2 import USAGE_WINDOW_DAY, USAGE_WINDOW_HOUR, GetUsageRequest
from services.portal.customer.names import balance_of, credit_type_names
from services.portal.formats import instant
from services.portal.i18n import N_
from services.portal.live import Watch
from services.portal.mesh import listed
from services.portal.rendering import fragment, page, portal_of, text
from services.portal.session import NotSignedIn, Viewer, viewer_of

NAME = N_("Balance")
# Keeps connections open through proxies, and notices browsers that are gone and keys that are withdrawn.
HEARTBEAT_SECONDS: Final = 15.0
ROWS_MAX: Final = 5_000
HOURS, DAYS = 24, 30


@dataclass(frozen=True, slots=True)
class Source:
    """The grants of one pool that came the same way. name: as shown."""

    name: str
    grants: Sequence[Grant]

    @property
    def remaining_micros(self) -> int:
        return sum(grant.available_micros + grant.held_micros for grant in self.grants)

    @property
    def granted_micros(self) -> int:
        return sum(grant.granted_micros for grant in self.grants)


@dataclass(frozen=True, slots=True)
class Bar:
    """Credits × 10^6 used in the hour or day that begins at `start`."""

    start: datetime
    micros: int


def sources_of(grants: Sequence[Grant]) -> list[Source]:
    """Return included, purchased and given credits apart, without those that nobody has."""
    bought = [one for one in grants if one.grant_kind == GRANT_KIND_TOP_UP]
    given = [one for one in grants if one.grant_kind == GRANT_KIND_PROMOTIONAL]
    included = [one for one in grants if one.grant_kind not in (GRANT_KIND_TOP_UP, GRANT_KIND_PROMOTIONAL)]
    named = ((N_("Included"), included), (N_("Purchased"), bought), (N_("Given by the vendor"), given))
    return [Source(name, of) for name, of in named if of]


async def show(request: Request) -> Response:
    """Show the balance; events keep it up to date."""
    viewer = viewer_of(request)
    balance, names = await asyncio.gather(balance_of(viewer), credit_type_names(viewer))
    return page(
        request,
        "customer/balance.html",
        **_shown(balance, names, is_current=True),
        **await _chart(request, balance),
    )


async def chart(request: Request) -> Response:
    """Return what was used by hour or day, as a table from which a script draws the chart."""
    viewer = viewer_of(request)
    balance = await balance_of(viewer)
    return fragment(request, "customer/balance_chart.html", **await _chart(request, balance))


async def events(request: Request) -> Response:
    """Send the balance whenever it changes, until the session ends."""
    return StreamingResponse(
        _events(request, viewer_of(request)),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _events(request: Request, viewer: Viewer) -> AsyncIterator[str]:
    portal = portal_of(request)
    seen = 0
    async with portal.live.watch(viewer) as watch:
        yield ": connected\n\n"
        names = await credit_type_names(viewer)
        while viewer in watch.viewers:
            if portal.live.is_closing:
                return
            seconds = min(HEARTBEAT_SECONDS, portal.sessions.seconds_left(viewer))
            version = await watch.until_after(seen, max(0.0, seconds))
            try:
                await portal.sessions.examine(viewer.token)
            except NotSignedIn:
                break
            yield ": still here\n\n" if version == seen else _event(request, watch, names)
            seen = version
    yield "event: session-ended\ndata: .\n\n"


def _event(request: Request, watch: Watch, names: Mapping[str, str]) -> str:
    if watch.balance is None:
        return ": no answer yet\n\n"
    html = text(
        request,
        "customer/balance_figures.html",
        **_shown(watch.balance, names, is_current=watch.is_current),
    )
    return "".join(f"data: {line}\n" for line in html.splitlines() if line.strip()) + "\n"


def _shown(balance: GetBalanceResponse, names: Mapping[str, str], *, is_current: bool) -> dict[str, Any]:
    return {
        "pools": balance.pools,
        "names": names,
        "sources": {pool.credit_type_id: sources_of(pool.grants) for pool in balance.pools},
        "as_of_time": balance.as_of_time,
        "is_current": is_current,
    }


async def _chart(request: Request, balance: GetBalanceResponse) -> dict[str, Any]:
    viewer = viewer_of(request)
    span = "month" if request.query_params.get("span") == "month" else "day"
    now = instant(balance.as_of_time).replace(minute=0, second=0, microsecond=0)
    step = timedelta(hours=1) if span == "day" else timedelta(days=1)
    end = now + timedelta(hours=1) if span == "day" else now.replace(hour=0) + timedelta(days=1)
    count = HOURS if span == "day" else DAYS
    starts = [end - step * number for number in range(count, 0, -1)]
    sums = await listed(
        viewer.mesh.usage.GetUsage,
        GetUsageRequest(
            customer=viewer.customer_id,
            start_time=timestamp(starts[0]),
            end_time=timestamp(end),
            window=USAGE_WINDOW_HOUR if span == "day" else USAGE_WINDOW_DAY,
        ),
        "sums",
        rows_max=ROWS_MAX,
    )
    used = dict.fromkeys(starts, 0)
    for one in sums:
        used[instant(one.window.start_time)] += one.credits_micros
    return {"span": span, "bars": [Bar(start.astimezone(UTC), used[start]) for start in starts]}


ROUTES: Sequence[Route] = (
    Route("/", show),
    Route("/balance/chart", chart),
    Route("/balance/events", events),
)
