# SPDX-License-Identifier: Apache-2.0
"""Admits requests to pages: the one place that asks who looks, and whether a form is ours."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.portal.rendering import portal_of
from services.portal.security import SAFE_METHODS, check_form, check_origin, check_size
from services.portal.session import Viewer

Handler = Callable[[Request], Awaitable[Response]]
OPERATORS_HOME = "/operator"


def for_customers(routes: Sequence[Route]) -> list[Route]:
    """Return the routes for viewers whose token is of one customer."""
    return [_guarded(route, lambda viewer: viewer.is_customer) for route in routes]


def for_operators(routes: Sequence[Route]) -> list[Route]:
    """Return the routes for viewers whose token is of the vendor."""
    return [_guarded(route, lambda viewer: viewer.is_operator) for route in routes]


def for_everyone(routes: Sequence[Route]) -> list[Route]:
    """Return the routes for whoever comes; their forms must come from our pages too."""

    def own_site_only(handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.method not in SAFE_METHODS:
                check_size(request)
                check_origin(request, portal_of(request).settings.url)
            return await handler(request)

        return guarded

    return [Route(route.path, own_site_only(route.endpoint), methods=_methods(route)) for route in routes]


def _guarded(route: Route, admits: Callable[[Viewer], bool]) -> Route:
    handler: Handler = route.endpoint

    async def guarded(request: Request) -> Response:
        portal = portal_of(request)
        viewer = await portal.sessions.viewer(request)
        request.state.viewer = viewer
        if not admits(viewer):
            if viewer.is_operator and request.url.path == "/":
                return RedirectResponse(OPERATORS_HOME, status_code=303)
            raise HTTPException(403)
        if request.method not in SAFE_METHODS:
            check_size(request)
            check_origin(request, portal.settings.url)
            await check_form(request, viewer.token)
        return await handler(request)

    return Route(route.path, guarded, methods=_methods(route))


def _methods(route: Route) -> list[str]:
    return sorted(route.methods or {"GET"})
