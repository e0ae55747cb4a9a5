# SPDX-License-Identifier: Apache-2.0
"""What an endpoint of the kind SLACK gets: the event as a text for people.

Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import json
from typing import Final

from services.alert.domain.event_text import readable_fields

TEXT_LENGTH_MAX: Final = 3_000
_CUT: Final = "\n…"


def slack_body(payload: str) -> str:
    """Return the body for an event's payload: {"text": …}, with its type and every field that says something."""
    event = json.loads(payload)
    lines = [f"*{_escaped(event['type'])}* {_escaped(event['timestamp'])}"]
    lines += [f"{_escaped(name)}: {_escaped(value)}" for name, value in readable_fields(event["data"])]
    text = "\n".join(lines)
    if len(text) > TEXT_LENGTH_MAX:
        text = text[: TEXT_LENGTH_MAX - len(_CUT)].rsplit("\n", 1)[0] + _CUT
    return json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":"))


def _escaped(text: str) -> str:
    """Return a text that Slack shows as it is: these three characters begin links and mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
