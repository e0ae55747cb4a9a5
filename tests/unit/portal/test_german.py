# SPDX-License-Identifier: Apache-2.0
"""Every text that customers can see has a German text. Operator pages are in English only."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir

from services.portal.i18n import LOCALE_FOLDER, texts_of

FOLDER = LOCALE_FOLDER.parent
METHODS = [("operator/**.py", "ignore"), ("templates/operator/**.html", "ignore")]
METHODS += [("**.py", "python"), ("**.html", "jinja2")]
OPTIONS = {"**.html": {"trimmed": "true"}}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def wanted() -> list[str | tuple[str, ...]]:
    """The texts of the customer's pages."""
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
    found = extract_from_dir(FOLDER, METHODS, OPTIONS, keywords)
    return list(dict.fromkeys(message for _, _, message, _, _ in found))


def missing(catalog: Catalog, texts: list[str | tuple[str, ...]]) -> list[str | tuple[str, ...]]:
    """The texts without a translation, or with one whose placeholders differ."""
    return [
        text
        for text in texts
        if not _is_translated(catalog.get(text if isinstance(text, str) else text[0]), text)
    ]


def _is_translated(message: Message | None, text: str | tuple[str, ...]) -> bool:
    if message is None or message.fuzzy:
        return False
    translated = (message.string,) if isinstance(message.string, str) else message.string
    plural = text if isinstance(text, str) else text[-1]
    return all(translated) and set(PLACEHOLDER.findall(translated[-1])) == set(PLACEHOLDER.findall(plural))


def test_every_text_has_a_german_one() -> None:
    assert missing(texts_of("de"), wanted()) == []


def test_no_german_text_is_left_over() -> None:
    known = {text if isinstance(text, str) else text[0] for text in wanted()}

    assert [message.id for message in texts_of("de") if message.id and _first(message) not in known] == []


@pytest.mark.parametrize(
    ("text", "translated", "is_missing"),
    [
        ("Balance", "Guthaben", False),
        ("Balance", "", True),
        ("%(amount)s credits", "%(amount)s Credits", False),
        ("%(amount)s credits", "Credits", True),
    ],
)
def test_an_untranslated_text_is_caught(text: str, translated: str, *, is_missing: bool) -> None:
    catalog = Catalog(locale="de")
    catalog.add(text, translated)

    assert (missing(catalog, [text]) != []) is is_missing


def test_the_texts_of_templates_and_of_modules_are_found() -> None:
    assert {"Skip to the content", "This link has expired. Ask for a new one."} <= set(wanted())
    assert Path(FOLDER, "templates", "base.html").exists()


def _first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]
