# SPDX-License-Identifier: Apache-2.0
import re
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from meshkit.clock import ManualClock
from meshkit.ids import Ids, first_id

AT = datetime(2025, 6, 1, tzinfo=UTC)


class SteppingBack:
    """A clock that goes back one second each time it is read."""

    steps = 0

    def now(self) -> datetime:
        self.steps += 1
        return AT - timedelta(seconds=self.steps)


def test_an_id_is_its_prefix_and_a_uuid_version_7_of_the_clocks_millisecond() -> None:
    new = Ids(ManualClock(AT)).new("ntc")

    assert re.fullmatch(r"ntc_[0-9a-f]{32}", new)
    number = UUID(new.removeprefix("ntc_"))
    assert (number.version, number.variant) == (7, RFC_4122)
    assert number.int >> 80 == AT.timestamp() * 1_000


def test_ids_increase_while_the_clock_stands_still() -> None:
    ids = Ids(ManualClock(AT))

    made = [ids.new("x") for _ in range(5_000)]

    assert made == sorted(set(made))


def test_ids_increase_when_the_clock_steps_back() -> None:
    ids = Ids(SteppingBack())

    made = [ids.new("x") for _ in range(100)]

    assert made == sorted(set(made))


def test_ids_of_a_later_millisecond_sort_later_whatever_their_random_bits() -> None:
    clock = ManualClock(AT)
    draws = iter([b"\xff" * 10, b"\x00" * 10])
    ids = Ids(clock, randomness=lambda _: next(draws))

    earlier = ids.new("x")
    clock.advance(timedelta(milliseconds=1))
    later = ids.new("x")

    assert earlier < later


def test_two_replicas_in_one_millisecond_make_different_ids() -> None:
    clock = ManualClock(AT)

    one, other = Ids(clock), Ids(clock)

    assert {one.new("x") for _ in range(500)}.isdisjoint(other.new("x") for _ in range(500))


def test_the_same_clock_and_randomness_make_the_same_ids() -> None:
    def made() -> list[str]:
        ids = Ids(ManualClock(AT), randomness=lambda count: b"\x07" * count)
        return [ids.new("x") for _ in range(3)]

    assert made() == made()


def test_the_first_id_of_an_instant_separates_earlier_ids_from_later_ones() -> None:
    clock = ManualClock(AT)
    ids = Ids(clock)

    before = [ids.new("x") for _ in range(100)]
    clock.advance(timedelta(milliseconds=1))
    after = [ids.new("x") for _ in range(100)]

    assert max(before) < first_id("x", clock.now()) < min(after)
    assert first_id("x", AT) < min(before)
