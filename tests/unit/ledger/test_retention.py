# SPDX-License-Identifier: Apache-2.0
"""Where an answer is written and looked for: the same request always meets its first answer for 35 days."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.retention import (
    GENERATION,
    SEAM,
    SLOTS,
    generation_at,
    generation_start,
    generation_to_prepare,
    places_at,
)

TICK = timedelta(microseconds=1)
MIDNIGHT = generation_start(579)  # the first instant of a generation: 26 June 2025

INSTANTS = st.datetimes(
    min_value=datetime(2025, 1, 1), max_value=datetime(2030, 1, 1), timezones=st.just(UTC)
) | st.builds(
    lambda generation, off: generation_start(generation) + off,
    st.integers(575, 600),
    st.sampled_from([-SEAM - TICK, -SEAM, -TICK, timedelta(0), TICK]),
)


def test_generations_are_35_days_from_midnight_to_midnight() -> None:
    assert datetime(2025, 6, 26, tzinfo=UTC) == MIDNIGHT
    assert generation_at(MIDNIGHT - TICK) == 578
    assert generation_at(MIDNIGHT) == 579
    assert generation_at(MIDNIGHT + timedelta(days=35) - TICK) == 579


def test_an_answer_is_written_to_the_slot_of_its_generation() -> None:
    places = places_at(MIDNIGHT)

    assert places.written == (579 % SLOTS,)
    assert places.earlier == 578 % SLOTS


def test_on_the_last_day_of_a_generation_it_is_written_to_the_next_slot_too() -> None:
    assert len(places_at(MIDNIGHT - SEAM - TICK).written) == 1
    assert places_at(MIDNIGHT - SEAM).written == (578 % SLOTS, 579 % SLOTS)
    assert places_at(MIDNIGHT - TICK).written == (578 % SLOTS, 579 % SLOTS)


@given(INSTANTS, st.integers(0, 34 * 86_400 * 10**6))
def test_two_writers_within_34_days_meet_at_a_unique_key_or_the_later_finds_the_answer(
    first_at: datetime, microseconds: int
) -> None:
    later_at = first_at + timedelta(microseconds=microseconds)
    first, later = places_at(first_at), places_at(later_at)

    meets = bool(set(first.written) & set(later.written))
    finds = later.earlier in first.written

    assert meets or finds
    if later_at - first_at <= SEAM:
        # They may run at one moment, when neither sees the other: only a unique key can settle it.
        assert meets


@given(INSTANTS, INSTANTS)
def test_a_slot_is_emptied_only_of_what_is_35_days_old_and_before_it_is_written_to(
    written_at: datetime, now: datetime
) -> None:
    generation = generation_to_prepare(now)
    if generation is None or written_at > now + SEAM:
        return

    if generation % SLOTS in places_at(written_at).written:
        assert now - written_at >= GENERATION


def test_a_slot_is_prepared_from_the_first_instant_until_the_day_before_the_seam() -> None:
    assert generation_to_prepare(MIDNIGHT) == 580
    assert generation_to_prepare(MIDNIGHT + GENERATION - 2 * SEAM - TICK) == 580
    assert generation_to_prepare(MIDNIGHT + GENERATION - 2 * SEAM) is None
    assert generation_to_prepare(MIDNIGHT + GENERATION - TICK) is None
