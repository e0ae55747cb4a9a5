# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import NewType

import pytest
from pydantic import ValidationError

from meshkit.encoding import canonical, from_json, to_json
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


def test_a_dataclass_survives_a_round_trip_through_json() -> None:
    text = json.dumps(to_json(THING))

    assert from_json(Thing, json.loads(text)) == THING


def test_decoded_instants_are_aware_and_in_utc() -> None:
    back = from_json(Thing, to_json(THING))

    assert back.create_time.utcoffset() == timedelta(0)


def test_data_of_another_shape_is_refused() -> None:
    with pytest.raises(ValidationError):
        from_json(Part, {"amount": {"micros": "many"}})


def test_the_canonical_text_does_not_depend_on_the_order_of_sets_and_mappings() -> None:
    one = {"x": frozenset(f"seat_{number}" for number in range(50)), "y": 1}
    other = {"y": 1, "x": frozenset(f"seat_{number}" for number in reversed(range(50)))}

    assert canonical(one) == canonical(other)


def test_the_canonical_text_does_not_depend_on_the_zone_of_an_instant() -> None:
    utc = datetime(2025, 6, 1, 12, tzinfo=UTC)

    assert canonical(utc) == canonical(utc.astimezone(timezone(timedelta(hours=2))))


def test_the_canonical_text_leaves_out_fields_at_their_default() -> None:
    bare = Thing(
        thing_id=ThingId("t"),
        kind=Kind.ROUND,
        price=Money("USD", 1),
        create_time=datetime(2025, 6, 1, tzinfo=UTC),
    )

    assert "end_time" not in canonical(bare)
    assert "labels" not in canonical(bare)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Credits(1), Credits(2)),
        (Part(amount=Credits(1)), Credits(1)),
        (["a", "b"], ["b", "a"]),
        (["ab"], ["a", "b"]),
        ("1", 1),
        (None, ""),
        (False, 0),
        (b"\x01", b"\x02"),
        (timedelta(microseconds=1), timedelta(0)),
        (datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 1, 0, 0, 0, 1, tzinfo=UTC)),
        ({"a": "b"}, {"a": "c"}),
        (frozenset({"a"}), frozenset({"a", "b"})),
    ],
)
def test_different_meanings_have_different_canonical_texts(one: object, other: object) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("value", [1.5, object(), {"a": 1.5}])
def test_a_value_without_a_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no canonical form"):
        canonical(value)
