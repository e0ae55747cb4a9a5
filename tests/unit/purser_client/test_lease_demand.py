# SPDX-License-Identifier: Apache-2.0
"""How much a gate leases. Source: libs/purser_client/README.md, "Leases: calls decided in this process"."""

from purser_client.leases.demand import Demand, lease_micros

PLENTY = 10**12


def demand(*calls: tuple[float, int]) -> Demand:
    """Return the demand of calls, each at a second and for so many micro-credits."""
    found = Demand(now=0.0)
    for at, micros in calls:
        found.add(1, micros, at)
    return found


def test_three_calls_in_a_second_are_leased_for_and_two_are_not() -> None:
    assert lease_micros(demand((0.1, 10), (0.2, 10)), available_micros=PLENTY, now=0.3) == 0
    assert lease_micros(demand((0.1, 10), (0.2, 10), (0.3, 10)), available_micros=PLENTY, now=0.3) > 0


def test_a_lease_is_for_two_seconds_of_use() -> None:
    frequent = demand(*((number / 100, 10) for number in range(100)))

    assert lease_micros(frequent, available_micros=PLENTY, now=0.99) == 2 * 100 * 10


def test_a_lease_is_for_twenty_average_calls_at_least() -> None:
    assert lease_micros(demand((0.1, 5), (0.1, 10), (0.1, 15)), available_micros=PLENTY, now=0.1) == 200


def test_a_lease_has_at_most_a_tenth_of_what_is_available() -> None:
    three = demand((0.1, 10), (0.1, 10), (0.1, 10))

    assert lease_micros(three, available_micros=1_999, now=0.1) == 199
    assert lease_micros(three, available_micros=2_000, now=0.1) == 200
    assert lease_micros(three, available_micros=3_000, now=0.1) == 200


def test_where_a_tenth_pays_for_less_than_five_calls_there_is_no_lease() -> None:
    three = demand((0.1, 10), (0.1, 10), (0.1, 10))

    assert lease_micros(three, available_micros=500, now=0.1) == 50
    assert lease_micros(three, available_micros=499, now=0.1) == 0


def test_calls_count_for_about_a_second() -> None:
    three = demand((0.0, 10), (0.0, 10), (0.0, 10))

    assert three.in_last_second(0.9) == (3, 30)
    assert three.in_last_second(1.5) == (1.5, 15)
    assert three.in_last_second(2.0) == (0, 0)


def test_demand_is_idle_since_its_last_call() -> None:
    once = demand((1.0, 10))

    assert once.idle_seconds(1.5) == 0
    assert once.idle_seconds(61.0) == 60.0
