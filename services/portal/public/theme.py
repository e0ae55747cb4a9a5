# SPDX-License-Identifier: Apache-2.0
"""The vendor's look: a CSS file that sets variables and nothing else, so that it cannot load or hide anything."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshkit.errors import Invalid
from services.portal.rendering import portal_of

THEME_BYTES_MAX: Final = 20_000
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_VARIABLE = re.compile(r"--purser-[a-z0-9-]+\s*:\s*(?!\s*url|\s*image)[^;{}<>@\\]*;")
_REST = re.compile(
    r"\s*(?::root\s*\{\s*\}|@media\s*\(prefers-color-scheme:\s*(?:dark|light)\)\s*\{\s*(?::root\s*\{\s*\}\s*)*\})*\s*"
)


class ThemeUnreadable(Invalid):
    """The file of the setting PURSER_PORTAL_THEME_FILE does not have the form of a theme."""

    reason = "THEME_UNREADABLE"

    def __init__(self, *, path: str, cause: str) -> None:
        super().__init__(f"PURSER_PORTAL_THEME_FILE, {path}: {cause}", path=path)


def read_theme(path: str) -> str:
    """Return the CSS of a theme file; "" without one. Raises ThemeUnreadable.

    It may contain `:root { --purser-…: …; }`, also within `@media (prefers-color-scheme: dark)`, and comments.
    """
    if not path:
        return ""
    try:
        css = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ThemeUnreadable(path=path, cause=str(error)) from error
    if len(css) > THEME_BYTES_MAX:
        raise ThemeUnreadable(path=path, cause=f"it has more than {THEME_BYTES_MAX} characters")
    bare = _COMMENT.sub("", css)
    if "url(" in bare.lower() or _REST.fullmatch(_VARIABLE.sub("", bare)) is None:
        raise ThemeUnreadable(
            path=path,
            cause="it may only set variables named --purser-… in :root, also for @media (prefers-color-scheme: dark)",
        )
    return css


async def show(request: Request) -> Response:
    """Return the theme."""
    return Response(portal_of(request).theme, media_type="text/css")


ROUTES: Sequence[Route] = (Route("/theme.css", show),)
