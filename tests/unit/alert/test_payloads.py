# SPDX-License-Identifier: Apache-2.0
"""The payload of every type of event has an example and a JSON Schema, and the README lists them.

Real bodies are compared with the schemas in tests/rpc/alert/test_payloads.py, and by tests/support/recording_alert.py
in all tests of Contract that publish events.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.alert.domain.event import PAYLOAD_VERSION, EventType
from tests.support.payloads import FOLDER, example_of, problems_with, schema_of

TYPES = [one.value for one in EventType]
README = Path(__file__).resolve().parents[3] / "services" / "alert" / "README.md"

every_type = pytest.mark.parametrize("event_type", TYPES)


def test_every_type_has_an_example_and_a_schema_and_nothing_else_is_there() -> None:
    files = {path.name for path in FOLDER.iterdir()}

    assert files == {f"{one}.{kind}.json" for one in TYPES for kind in ("example", "schema")}


@every_type
def test_a_schema_is_one_and_is_about_its_type(event_type: str) -> None:
    schema = schema_of(event_type)

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["properties"]["type"] == {"const": event_type}
    assert schema["properties"]["payload_version"] == {"const": PAYLOAD_VERSION}
    assert schema["properties"].keys() == set(schema["required"])
    assert "additionalProperties" not in json.dumps(schema), "receivers must ignore unknown fields"


@every_type
def test_an_example_is_as_its_schema_says(event_type: str) -> None:
    assert problems_with(json.dumps(example_of(event_type))) == []


@every_type
def test_a_body_that_lacks_a_field_or_has_another_is_a_problem(event_type: str) -> None:
    good = example_of(event_type)
    for place in (good, good["data"]):
        for field in list(place):
            if field != "type":
                kept = place.pop(field)
                assert problems_with(json.dumps(good)), field
                place[field] = kept
        place["undocumented"] = 1
        assert problems_with(json.dumps(good))
        del place["undocumented"]
    assert problems_with(json.dumps(good | {"timestamp": "2025-06-01"}))
    assert problems_with(json.dumps(good | {"payload_version": 2}))
    assert problems_with(json.dumps(good)) == []


def test_the_readme_lists_every_type_with_its_files() -> None:
    rows = [line for line in README.read_text().splitlines() if "(payloads/" in line]

    assert rows == [_row(one, schema_of(one)) for one in TYPES]


def _row(event_type: str, schema: dict[str, Any]) -> str:
    files = f"[example](payloads/{event_type}.example.json), [schema](payloads/{event_type}.schema.json)"
    return f"| `{event_type}` | {schema['title'].removesuffix('.')} | {files} |"
