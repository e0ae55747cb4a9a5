# SPDX-License-Identifier: Apache-2.0
"""Templates to responses. Every text is escaped; every page gets navigation, language and formats by itself."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.portal.config import PortalSettings
from services.portal.formats import Formats
from services.portal.i18n import LANGUAGES, language_of, translations, zone_of
from services.portal.live import LiveBalances
from services.portal.security import csrf_input
from services.portal.session import Sessions, Viewer, cookie_attributes

FOLDER: Final = Path(__file__).parent
# Their pages are not translated.
OPERATORS_LANGUAGE: Final = "en"
_FORMATS: Final = (
    "credits",
    "quantity",
    "count",
    "money",
    "percent",
    "date",
    "day",
    "time",
    "hour",
    "iso",
    "ago",
)


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation. name: in English; shown translated to customers."""

    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """What all pages share. theme: the CSS of the setting; empty: none."""

    settings: PortalSettings
    sessions: Sessions
    live: LiveBalances
    wall: Clock
    ids: Ids
    theme: str
    customer_places: Sequence[Place]
    operator_places: Sequence[Place]


def portal_of(request: Request) -> Portal:
    """Return what all pages share."""
    portal: Portal = request.app.state.portal
    return portal


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page. template: below templates/, such as "customer/balance.html"; values: what it shows."""
    return HTMLResponse(text(request, template, **values), status_code=status)


def fragment(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a part of a page, for htmx: a template that does not extend base.html."""
    return page(request, template, status=status, **values)


def text(request: Request, template: str, **values: Any) -> str:
    """Return what a template shows, as text."""
    language = _language(request)
    return environment(language).get_template(template).render(**_context(request, language), **values)


def formats_of(request: Request) -> Formats:
    """Return the formats of the viewer."""
    return Formats(
        _language(request),
        zone_of(request, _preferred(request, "zone")),
        portal_of(request).wall.now(),
    )


def gettext_of(request: Request) -> Callable[[str], str]:
    """Return the function that translates into the viewer's language."""
    return translations(_language(request)).gettext


@cache
def environment(language: str) -> Environment:
    """Return the templates of a language."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.policies["ext.i18n.trimmed"] = True
    known: Any = templates  # installed by the extension, which the stubs do not know
    known.install_gettext_translations(translations(language), newstyle=True)
    templates.filters |= {name: _format(name) for name in _FORMATS}
    templates.globals["static"] = static
    return templates


def _format(name: str) -> Callable[..., str]:
    @jinja2.pass_context
    def formatted(context: Context, value: Any, *arguments: Any, **more: Any) -> str:
        result: str = getattr(context["formats"], name)(value, *arguments, **more)
        return result

    return formatted


@cache
def static(name: str) -> str:
    """Return the address of a file of static/, which changes with its contents."""
    digest = hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _context(request: Request, language: str) -> Mapping[str, Any]:
    portal = portal_of(request)
    viewer: Viewer | None = getattr(request.state, "viewer", None)
    places: Sequence[Place] = ()
    if viewer is not None:
        places = portal.customer_places if viewer.is_customer else portal.operator_places
    formats = formats_of(request)
    return {
        "viewer": viewer,
        "places": places,
        "here": _here(request.url.path, places),
        "language": language,
        "languages": LANGUAGES,
        "formats": formats,
        "zone": formats.zone.key,
        "cookie_attributes": cookie_attributes(is_secure=portal.settings.is_secure),
        "has_theme": bool(portal.theme),
        "csrf": lambda: csrf_input(viewer.token) if viewer is not None else Markup(""),
        "request_id": lambda: request_id_input(portal.ids),
    }


def request_id_input(ids: Ids) -> Markup:
    """Return a hidden field with a new request_id: a form that is sent twice has one effect."""
    return Markup('<input type="hidden" name="request_id" value="{}">').format(ids.new("web"))


def _here(path: str, places: Sequence[Place]) -> str:
    """Return the path of the place to which a page belongs: the longest that it begins with. "/" is of itself only."""
    inside = [one.path for one in places if path == one.path or path.startswith(one.path + "/")]
    return max(inside, key=len, default="")


def _language(request: Request) -> str:
    viewer: Viewer | None = getattr(request.state, "viewer", None)
    if viewer is not None and viewer.is_operator:
        return OPERATORS_LANGUAGE
    return language_of(request, _preferred(request, "language"))


def _preferred(request: Request, name: str) -> str:
    viewer: Viewer | None = getattr(request.state, "viewer", None)
    return "" if viewer is None else getattr(viewer, name)
