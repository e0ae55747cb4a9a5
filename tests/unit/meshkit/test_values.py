# SPDX-License-Identifier: Apache-2.0
from dataclasses import field, replace

import pytest

from meshkit.evolve import evolve
from meshkit.values import value


@value(frozen=True, slots=True)
class Amount:
    unit: str
    micros: int = 0
    note: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class Price:
    unit: str
    micros: int = 0


@value(frozen=True)
class Open:
    unit: str
    micros: int = 0


def test_values_with_the_same_fields_are_equal_and_have_one_hash() -> None:
    assert Amount("USD", 1) == Amount("USD", 1)
    assert len({Amount("USD", 1), Amount("USD", 1)}) == 1


def test_a_value_differs_from_one_with_another_field_and_from_one_of_another_class() -> None:
    assert len({Amount("USD", 1), Amount("USD", 2), Amount("EUR", 1)}) == 3
    assert Amount("USD", 1) != Price("USD", 1)


def test_a_field_that_is_not_compared_counts_neither_for_equality_nor_for_the_hash() -> None:
    assert len({Amount("USD", 1, note="a"), Amount("USD", 1, note="b")}) == 1


def test_a_changed_copy_leaves_the_value_as_it_was() -> None:
    before = Amount("USD", 1)
    assert replace(before, micros=2) == Amount("USD", 2)
    assert before == Amount("USD", 1)


def test_a_value_without_slots_is_also_changed_by_evolve() -> None:
    before = Open("USD", 1)
    assert evolve(before, micros=2) == Open("USD", 2)
    assert before == Open("USD", 1)


def test_a_class_that_is_not_said_to_be_frozen_is_refused() -> None:
    with pytest.raises(AssertionError):
        value(frozen=False)
