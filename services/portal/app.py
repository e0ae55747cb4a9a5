# SPDX-License-Identifier: Apache-2.0
"""The portal put together from its parts."""

import mimetypes
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from access import open_tokens
from meshkit.clock import Clock
from meshkit.front import open_channels
from meshkit.http_server import HttpServer
from meshkit.ids import Ids
from services.portal import customer, operator, public
from services.portal.config import PortalSettings
from services.portal.faults import HANDLERS
from services.portal.guard import for_customers, for_everyone, for_operators
from services.portal.live import LiveBalances
from services.portal.public.theme import read_theme
from services.portal.rendering import FOLDER, Place, Portal
from services.portal.security import SecurityHeaders
from services.portal.session import Sessions

# So that they do not depend on the files of the machine.
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class PageModule(Protocol):
    """A file of customer/ or operator/. NAME: in the navigation, which leads to the first route; empty: not in it."""

    NAME: str
    ROUTES: Sequence[Route]


@asynccontextmanager
async def open_portal(
    settings: PortalSettings, *, wall: Clock, live: LiveBalances | None = None
) -> AsyncIterator[HttpServer]:
    """Serve until the block ends. wall: the clock that sessions end by. Raises PortTaken.

    live: with another interval than a second, for tests.
    """
    live = live or LiveBalances()
    async with open_channels(settings) as channels, open_tokens(settings, wall=wall) as tokens:
        portal = Portal(
            settings=settings,
            sessions=Sessions(tokens, channels, wall=wall, is_secure=settings.is_secure),
            live=live,
            wall=wall,
            ids=Ids(wall),
            theme=read_theme(settings.theme_file),
            customer_places=_places(customer.PAGES),
            operator_places=_places(operator.PAGES),
        )
        server = HttpServer("portal", application(portal), settings.listen)
        await server.start()
        try:
            yield server
        finally:
            live.close()
            await server.stop()


def application(portal: Portal) -> ASGIApp:
    """Return the pages as an ASGI application."""
    for ending, kind in _TYPES.items():
        mimetypes.add_type(kind, ending)
    app = Starlette(
        routes=[
            *for_everyone(public.ROUTES),
            *for_customers(_routes(customer.PAGES)),
            *for_operators(_routes(operator.PAGES)),
            Mount("/static", StaticFiles(directory=FOLDER / "static")),
        ],
        exception_handlers=dict(HANDLERS),
    )
    app.state.portal = portal
    return SecurityHeaders(app, portal.settings)


def _routes(modules: Iterable[PageModule]) -> list[Route]:
    return [route for module in modules for route in module.ROUTES]


def _places(modules: Iterable[PageModule]) -> list[Place]:
    return [Place(module.ROUTES[0].path, module.NAME) for module in modules if module.NAME]
