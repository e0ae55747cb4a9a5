# SPDX-License-Identifier: Apache-2.0
"""The documented payloads of events (services/alert/payloads), and whether real bodies are as documented.

The schemas are open, because receivers must ignore fields that they do not know. A real body is compared with a closed
copy: a field that is not documented is a problem.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

FOLDER = Path(__file__).resolve().parents[2] / "services" / "alert" / "payloads"

_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_utc(text: object) -> bool:
    return not isinstance(text, str) or (text.endswith("Z") and datetime.fromisoformat(text) is not None)


def schema_of(event_type: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((FOLDER / f"{event_type}.schema.json").read_text())
    return schema


def example_of(event_type: str) -> dict[str, Any]:
    example: dict[str, Any] = json.loads((FOLDER / f"{event_type}.example.json").read_text())
    return example


def problems_with(body: str | bytes) -> list[str]:
    """Return in what a body differs from the schema of its type."""
    content = json.loads(body)
    found = _validator(content["type"]).iter_errors(content)
    return [f"{content['type']} {error.json_path}: {error.message}" for error in found]


@cache
def _validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(_closed(schema_of(event_type)), format_checker=_formats)


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return closed | {"additionalProperties": False} if schema.get("type") == "object" else closed
