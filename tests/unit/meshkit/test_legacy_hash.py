# SPDX-License-Identifier: Apache-2.0
"""The hash that the revision before stored. That it still makes the very same hashes: tests/unit/formats."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from meshkit.errors import InvalidFields
from meshkit.legacy_hash import legacy_hash
from meshkit.quantity import Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJar:
    fingerprint: bytes = b""
    honey: Any = None
    labels: Mapping[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (
            {"x": frozenset(f"seat_{n}" for n in range(50)), "y": 1},
            {"y": 1, "x": frozenset(f"seat_{n}" for n in reversed(range(50)))},
        ),
        (
            datetime(2025, 6, 1, 12, tzinfo=UTC),
            datetime(2025, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        ),
    ],
    ids=["order", "zone"],
)
def test_equal_bodies_have_one_hash(one: object, same: object) -> None:
    assert legacy_hash(OpenJar(honey=one)) == legacy_hash(OpenJar(honey=same))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Credits(1), Credits(2)),
        (Credits(1), OpenJar(honey=1)),
        (["a", "b"], ["b", "a"]),
        (["ab"], ["a", "b"]),
        ("1", 1),
        (None, ""),
        (False, 0),
        (b"\x01", b"\x02"),
        (date(2025, 6, 1), date(2025, 6, 2)),
        (timedelta(microseconds=1), timedelta(0)),
        (datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 1, 0, 0, 0, 1, tzinfo=UTC)),
        ({"a": "b"}, {"a": "c"}),
        (frozenset({"a"}), frozenset({"a", "b"})),
    ],
)
def test_different_bodies_have_different_hashes(one: object, other: object) -> None:
    assert legacy_hash(OpenJar(honey=one)) != legacy_hash(OpenJar(honey=other))


def test_the_fingerprint_which_commands_did_not_have_then_does_not_count() -> None:
    command = OpenJar(honey=1)

    assert legacy_hash(replace(command, fingerprint=b"body")) == legacy_hash(command)


@pytest.mark.parametrize("value", [1.5, object(), {"a": 1.5}, (InvalidFields([]),)])
def test_a_command_that_holds_what_none_held_then_has_no_such_hash(value: object) -> None:
    assert legacy_hash(OpenJar(honey=value)) is None
