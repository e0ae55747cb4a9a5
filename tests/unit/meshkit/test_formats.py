# SPDX-License-Identifier: Apache-2.0
"""How a stored type may change: with an upcaster what was stored before stays readable, without one it does not."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NewType

import pytest
from pydantic import ValidationError

from meshkit.formats import Format, Formats, FormatUndeclared, FormatUnreadable
from meshkit.quantity import INT64_MAX, Credits, Money

ThingId = NewType("ThingId", str)


class Kind(Enum):
    ROUND = "round"
    SQUARE = "square"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    amount: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    thing_id: ThingId
    kind: Kind
    price: Money
    create_time: datetime
    end_time: datetime | None = None
    life: timedelta = timedelta(minutes=5)
    parts: tuple[Part, ...] = ()
    seats: frozenset[str] = frozenset()
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """A jar as it was in version 1."""

    jar_id: str
    honey_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledJar:
    """A field was added."""

    jar_id: str
    honey_micros: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenamedJar:
    """Then another was renamed."""

    jar_id: str
    content_micros: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    pass


THING = Thing(
    thing_id=ThingId("thg_1"),
    kind=Kind.SQUARE,
    price=Money("USD", INT64_MAX),
    create_time=datetime(2025, 6, 1, 0, 0, 0, 1, tzinfo=UTC),
    life=timedelta(hours=1, microseconds=3),
    parts=(Part(amount=Credits(1)), Part(amount=Credits(-2))),
    seats=frozenset({"b", "a"}),
    labels={"x": "1"},
)
VERSION_1 = {"jar_id": "jar_1", "honey_micros": 7}


def add_label(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "label": ""}


def rename_honey(old: dict[str, Any]) -> dict[str, Any]:
    return {"content_micros": old.pop("honey_micros"), **old}


def test_a_value_comes_back_from_its_text_as_it_was() -> None:
    stored = Format("Thing", Thing)

    assert stored.decode(json.loads(stored.to_text(THING))) == THING
    assert json.loads(stored.to_text(THING)) == stored.encode(THING)


def test_instants_come_back_aware_and_in_utc() -> None:
    stored = Format("Thing", Thing)

    assert stored.decode(stored.encode(THING)).create_time.utcoffset() == timedelta(0)


def test_version_1_bears_no_mark() -> None:
    stored = Format("Jar", Jar)

    assert stored.version == 1
    assert stored.encode(Jar(jar_id="jar_1", honey_micros=7)) == VERSION_1


def test_a_field_added_without_an_upcaster_makes_what_was_stored_unreadable() -> None:
    with pytest.raises(ValidationError):
        Format("Jar", LabelledJar).decode(VERSION_1)


def test_a_field_added_with_an_upcaster_gets_its_value_from_the_upcaster() -> None:
    stored = Format("Jar", LabelledJar, (add_label,))

    assert stored.decode(VERSION_1) == LabelledJar(jar_id="jar_1", honey_micros=7, label="")


def test_a_field_renamed_without_an_upcaster_makes_what_was_stored_unreadable() -> None:
    with pytest.raises(ValidationError):
        Format("Jar", RenamedJar, (add_label,)).decode(VERSION_1)


@pytest.mark.parametrize(
    "data",
    [
        VERSION_1,
        {"$format": 2, **VERSION_1, "label": ""},
        {"$format": 3, "jar_id": "jar_1", "content_micros": 7, "label": ""},
    ],
    ids=["version 1", "version 2", "version 3"],
)
def test_every_older_version_goes_through_the_upcasters_from_its_own_on(data: dict[str, Any]) -> None:
    stored = Format("Jar", RenamedJar, (add_label, rename_honey))
    before = dict(data)

    assert stored.decode(data) == RenamedJar(jar_id="jar_1", content_micros=7, label="")
    assert data == before


def test_a_later_version_is_written_with_its_number() -> None:
    stored = Format("Jar", LabelledJar, (add_label,))
    value = LabelledJar(jar_id="jar_1", honey_micros=7, label="x")

    assert stored.version == 2
    assert stored.encode(value) == {"$format": 2, **VERSION_1, "label": "x"}
    assert json.loads(stored.to_text(value)) == stored.encode(value)
    assert stored.decode(stored.encode(value)) == value


def test_a_later_version_without_fields_is_written_as_json_too() -> None:
    stored = Format("Empty", Empty, (lambda old: {},))

    assert stored.to_text(Empty()) == b'{"$format":2}'
    assert stored.decode({"$format": 2}) == stored.decode({"gone": 1}) == Empty()


@pytest.mark.parametrize(("version", "known"), [(0, False), (1, True), (2, True), (3, False)])
def test_only_versions_that_are_known_are_read(version: int, known: bool) -> None:
    stored = Format("Jar", LabelledJar, (add_label,))
    data = {"$format": version, **VERSION_1, "label": "x"}

    if known:
        assert stored.decode(data).honey_micros == 7
    else:
        with pytest.raises(FormatUnreadable, match=f"Jar has version {version}; this revision knows 1 to 2"):
            stored.decode(data)


def test_a_format_that_has_one_version_refuses_a_later_one() -> None:
    with pytest.raises(FormatUnreadable, match="Jar has version 2; this revision knows 1 to 1"):
        Format("Jar", Jar).decode({"$format": 2, **VERSION_1})


def test_data_of_another_shape_is_refused() -> None:
    with pytest.raises(ValidationError):
        Format("Part", Part).decode({"amount": {"micros": "many"}})


def test_a_type_or_a_name_without_a_format_is_refused() -> None:
    formats = Formats[Jar](Format("Jar", Jar))

    assert formats.of(Jar).name == "Jar"
    assert formats.decode("Jar", VERSION_1) == Jar(jar_id="jar_1", honey_micros=7)
    with pytest.raises(FormatUndeclared, match="Part has no format"):
        formats.of(Part)
    with pytest.raises(FormatUndeclared, match="no format is named 'Part'"):
        formats.decode("Part", {})


@pytest.mark.parametrize("second", [Format("Jar", Part), Format("Part", Jar)], ids=["name", "type"])
def test_a_name_or_a_type_has_one_format(second: Format[Any]) -> None:
    with pytest.raises(AssertionError):
        Formats[Any](Format("Jar", Jar), second)
