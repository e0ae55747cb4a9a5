# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.outbox.relay import backoff


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 0.1), (2, 0.2), (3, 0.4), (9, 25.6), (10, 30.0), (11, 30.0), (1_000_000, 30.0)],
)
def test_the_wait_doubles_from_a_tenth_of_a_second_to_half_a_minute(attempts: int, seconds: float) -> None:
    assert backoff(attempts, jitter=0.0) == timedelta(seconds=seconds)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_jitter_takes_off_up_to_a_half(attempts: int, jitter: float) -> None:
    whole = backoff(attempts, jitter=0.0)

    assert whole / 2 <= backoff(attempts, jitter=jitter) <= whole
