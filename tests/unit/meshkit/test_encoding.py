# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NewType

import pytest
from pydantic import ValidationError

from meshkit.encoding import from_json, to_json
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


def test_a_dataclass_comes_back_from_json_text_as_it_was() -> None:
    text = json.dumps(to_json(THING))

    assert from_json(Thing, json.loads(text)) == THING


def test_instants_come_back_aware_and_in_utc() -> None:
    back = from_json(Thing, to_json(THING))

    assert back.create_time.utcoffset() == timedelta(0)


def test_data_of_another_shape_is_refused() -> None:
    with pytest.raises(ValidationError):
        from_json(Part, {"amount": {"micros": "many"}})
