# SPDX-License-Identifier: Apache-2.0
"""Which request_id a write gets."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from meshkit.clock import ManualClock
from services.edge import request_ids
from services.edge.request_ids import KEPT_FOR, KEPT_MAX, KeptRequestIds

JUNE = datetime(2025, 6, 1, tzinfo=UTC)


class Attempts:
    """Attempts of one caller, and the clock."""

    def __init__(self) -> None:
        numbers = count(1)
        self.clock = ManualClock(JUNE)
        self._kept = KeptRequestIds(self.clock, lambda: f"new-{next(numbers)}")

    def first(self, body: bytes = b"{}", caller: str = "a", path: str = "/v1/x") -> str:
        return self._kept.of(caller=caller, path=path, body=body, is_repeat=False)

    def repeat(self, body: bytes = b"{}", caller: str = "a", path: str = "/v1/x") -> str:
        return self._kept.of(caller=caller, path=path, body=body, is_repeat=True)


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


def test_a_repeat_has_the_id_of_its_first_attempt(attempts: Attempts) -> None:
    first = attempts.first()

    assert [attempts.repeat(), attempts.repeat()] == [first, first]


def test_two_equal_first_attempts_were_both_meant(attempts: Attempts) -> None:
    assert attempts.first() != attempts.first()


@pytest.mark.parametrize("other", [{"body": b"[]"}, {"caller": "b"}, {"path": "/v1/y"}])
def test_a_repeat_of_something_else_has_an_id_of_its_own(
    attempts: Attempts, other: dict[str, object]
) -> None:
    first = attempts.first()

    assert attempts.repeat(**other) != first  # type: ignore[arg-type]


def test_a_repeat_that_comes_too_late_is_a_first_attempt(attempts: Attempts) -> None:
    first = attempts.first()
    attempts.clock.advance(KEPT_FOR - timedelta(seconds=1))
    assert attempts.repeat() == first
    attempts.clock.advance(timedelta(seconds=1))

    assert attempts.repeat() != first


def test_so_many_first_attempts_are_kept_and_the_oldest_is_forgotten(attempts: Attempts) -> None:
    first = attempts.first(b"0")
    for number in range(1, KEPT_MAX):
        attempts.first(str(number).encode())
    assert attempts.repeat(b"0") == first
    attempts.first(b"one more")

    assert attempts.repeat(b"0") != first


def test_an_idempotency_key_that_our_services_accept_is_the_request_id() -> None:
    assert request_ids.of_idempotency_key("order-2025.06:7_a") == "order-2025.06:7_a"
    for key in ("with a space", "x" * 57, "é"):
        made = request_ids.of_idempotency_key(key)
        assert made.startswith("key-")
        assert made == request_ids.of_idempotency_key(key)


def test_a_uniqueness_key_is_unique_for_its_path() -> None:
    assert request_ids.of_natural_key("/v1/a", "k") != request_ids.of_natural_key("/v1/b", "k")
    assert request_ids.of_natural_key("/v1/a", "k") == request_ids.of_natural_key("/v1/a", "k")


def test_parts_of_a_request_have_different_ids_that_fit() -> None:
    whole = "x" * 56
    parts = {request_ids.part_of(whole, part) for part in ("a", "b")}

    assert len(parts) == 2
    assert all(len(part) <= 64 for part in parts)
