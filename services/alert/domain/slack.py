# SPDX-License-Identifier: Apache-2.0
"""What an endpoint of the kind SLACK gets: the event as a text for people.

Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import json
from collections.abc import Iterator
from typing import Any, Final

TEXT_LENGTH_MAX: Final = 3_000
_CUT: Final = "\n…"
_MICROS: Final = "_micros"


def slack_body(payload: str) -> str:
    """Return the body for an event's payload: {"text": …}, with its type and every field that says something."""
    event = json.loads(payload)
    lines = [f"*{_escaped(event['type'])}* {_escaped(event['timestamp'])}", *_lines(event["data"])]
    text = "\n".join(lines)
    if len(text) > TEXT_LENGTH_MAX:
        text = text[: TEXT_LENGTH_MAX - len(_CUT)].rsplit("\n", 1)[0] + _CUT
    return json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":"))


def _lines(data: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield a line for each field, without those that are empty."""
    for name, value in data.items():
        match value:
            case None | "":
                continue
            case {"currency_code": str(currency), "micros": int(micros)}:
                yield f"{path}{_escaped(name)}: {_decimal(micros)} {_escaped(currency)}"
            case dict():
                yield from _lines(value, f"{path}{_escaped(name)}.")
            case int() if name.endswith(_MICROS):
                yield f"{path}{_escaped(name.removesuffix(_MICROS))}: {_decimal(value)}"
            case str():
                yield f"{path}{_escaped(name)}: {_escaped(value)}"
            case _:
                yield f"{path}{_escaped(name)}: {_escaped(json.dumps(value, ensure_ascii=False))}"


def _decimal(micros: int) -> str:
    """Return millionths as a decimal number, with two places at least."""
    whole, part = divmod(abs(micros), 1_000_000)
    places = f"{part:06}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole:,}.{places}"


def _escaped(text: str) -> str:
    """Return a text that Slack shows as it is: these three characters begin links and mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
