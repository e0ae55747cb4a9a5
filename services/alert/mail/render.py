# SPDX-License-Identifier: Apache-2.0
"""The subject and the text of a mail about an event, and the same as HTML.

Each type of event has words (templates/words/): a subject and a summary. Below the summary is every field.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from meshkit.errors import error_text
from services.alert.domain.event_text import decimal_text, money_text, readable_fields

SUBJECT_LENGTH_MAX: Final = 200
_FOLDER: Final = Path(__file__).parent / "templates"
_ANY: Final = "event"
_WORDS: Final = frozenset(path.stem for path in (_FOLDER / "words").iterdir())

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMail:
    """The content of a mail. subject: one line."""

    subject: str
    text: str
    html: str


def render_mail(payload: str) -> RenderedMail:
    """Return the mail about an event with this payload.

    An event of another version may lack a field that its words need: then it gets the words for any event.
    """
    event = json.loads(payload)
    words = event["type"].partition(".")[0]
    if words in _WORDS:
        try:
            return _render(event, words)
        except Exception as error:  # a mail in plain words is better than none
            log.warning("mail_words_unfit", event_id=event.get("event_id"), error=error_text(error))
    return _render(event, _ANY)


def _render(event: dict[str, Any], words: str) -> RenderedMail:
    known = {
        "event": event,
        "data": event["data"],
        "words": f"words/{words}.jinja",
        "fields": [(_label(path), value) for path, value in readable_fields(event["data"])],
    }
    subject = _TEXT.get_template("subject.txt").render(known)
    return RenderedMail(
        subject=one_line(subject)[:SUBJECT_LENGTH_MAX],
        text=_TEXT.get_template("mail.txt").render(known),
        html=_HTML.get_template("mail.html").render(known),
    )


def one_line(text: str) -> str:
    """Return a text as one line of printable characters: a name may contain what ends a header."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _label(path: str) -> str:
    """Return the name of a field for people: "Last payment error, message"."""
    words = ", ".join(path.split(".")).replace("_", " ")
    return words[:1].upper() + words[1:]


def _environment(*, is_html: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"decimal": decimal_text, "money": money_text, "line": one_line}
    return environment


_TEXT: Final = _environment(is_html=False)
_HTML: Final = _environment(is_html=True)
