# SPDX-License-Identifier: Apache-2.0
"""Languages and time zones: which one a viewer gets, and the texts of each language, compiled at the start."""

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from babel.core import negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from starlette.requests import HTTPConnection

LOCALE_FOLDER: Final = Path(__file__).parent / "locale"
# The first one is that of the texts in the code. Each under its own name.
LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "de": "Deutsch"}
LANGUAGE_COOKIE: Final = "purser_language"
ZONE_COOKIE: Final = "purser_zone"
# Set by static/zone.js to the time zone of the browser; a choice on the page and the token weigh more.
BROWSER_ZONE_COOKIE: Final = "purser_browser_zone"


def N_(text: str) -> str:
    """Mark a text for translation where it is written; the template that shows it translates it."""
    return text


@cache
def translations(language: str) -> NullTranslations:
    """Return the texts of a language."""
    if not (LOCALE_FOLDER / language).is_dir():
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, texts_of(language))
    compiled.seek(0)
    return Translations(compiled)


def texts_of(language: str) -> Catalog:
    """Return the texts of all files of a language: one for each page, and one for what all pages share."""
    texts = Catalog(locale=language)
    for path in sorted((LOCALE_FOLDER / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                texts[message.id] = message
    return texts


def language_of(connection: HTTPConnection, preferred: str) -> str:
    """Return a key of LANGUAGES: what was chosen on the page, else `preferred`, else what the browser accepts."""
    asked = [connection.cookies.get(LANGUAGE_COOKIE, ""), preferred, *_accepted(connection)]
    found = negotiate_locale([one.replace("-", "_") for one in asked if one], LANGUAGES)
    return found if found is not None and found in LANGUAGES else next(iter(LANGUAGES))


def zone_of(connection: HTTPConnection, preferred: str) -> ZoneInfo:
    """Return what was chosen on the page, else `preferred`, else the browser's time zone, else UTC."""
    cookies = connection.cookies
    for name in (cookies.get(ZONE_COOKIE, ""), preferred, cookies.get(BROWSER_ZONE_COOKIE, "")):
        # Cookies encode the slash or do not, as the browser likes.
        if (zone := name.replace("%2F", "/")) in zones():
            return ZoneInfo(zone)
    return ZoneInfo("UTC")


@cache
def zones() -> frozenset[str]:
    """Return the names of all time zones that are known here."""
    return frozenset(available_timezones())


def _accepted(connection: HTTPConnection) -> list[str]:
    """Return the languages of the header Accept-Language, the most wanted first."""
    wanted = []
    for part in connection.headers.get("accept-language", "")[:500].split(","):
        name, _, weight = part.partition(";q=")
        try:
            wanted.append((-float(weight or 1), name.strip()))
        except ValueError:
            continue
    return [name for _, name in sorted(wanted, key=lambda one: one[0])]
